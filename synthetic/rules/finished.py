"""Did it end by itself?"""

import polars as pl

from synthetic.stage import rule


@rule("ok", "errors", "is_truncated", "stop_condition", "finish_reason", "text_key", version=1)
def finished(traces: pl.LazyFrame, *, sure: bool = False) -> pl.LazyFrame:
    """Keep rows that ended by themselves, without an error, with something written.

    A null is_truncated (the log cannot tell) is kept, unless `sure` is set.
    """
    error = pl.coalesce(pl.col("errors").str.json_path_match("$[0].type"), pl.lit("no error recorded"))
    limit = pl.when(pl.col("finish_reason") == "length").then("finish_reason").otherwise("stop_condition")
    reason = (
        pl.when(~pl.col("ok")).then(pl.format("failed: {}", error))
        .when(pl.col("is_truncated")).then(pl.format("cut off: {}", limit.fill_null("a limit")))
        .when(pl.col("text_key").is_null()).then(pl.lit("empty: the model wrote nothing"))
        .when(pl.lit(sure) & pl.col("is_truncated").is_null()).then(pl.lit("unknown: the log has no sign of a cut"))
    )  # fmt: skip
    return traces.select("row_id", reason=reason).filter(pl.col("reason").is_not_null())
