"""Is it right, whole and undisputed?"""

import polars as pl

from synthetic.stage import rule


@rule("verdict", "verdict_rule", "ok", "is_truncated", version=1)
def verified(traces: pl.LazyFrame) -> pl.LazyFrame:
    """Keep rows whose verdict is correct and that were neither cut off nor failed.

    A null is_truncated (the log cannot tell) is kept.
    """
    said = pl.col("verdict").fill_null("no verdict"), pl.col("verdict_rule").fill_null("none")
    nothing = (pl.col("verdict") == "undecided") & (pl.col("verdict_rule") == "none")
    reason = (
        pl.when(nothing).then(pl.lit("undecided: nothing says right or wrong"))
        .when(pl.col("verdict").ne_missing("correct")).then(pl.format("{} ({})", *said))
        .when(pl.col("ok").ne_missing(True)).then(pl.lit("failed"))
        .when(pl.col("is_truncated")).then(pl.lit("cut off"))
    )  # fmt: skip
    return traces.select("row_id", reason=reason).filter(pl.col("reason").is_not_null())
