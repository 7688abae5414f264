"""Is it known what was asked?"""

import polars as pl

from synthetic.stage import rule


@rule("num_prompt_messages", version=1)
def prompted(traces: pl.LazyFrame) -> pl.LazyFrame:
    """Keep rows whose log says what the model was asked: without a prompt there is no problem to pose."""
    asked = pl.col("num_prompt_messages")
    reason = (
        pl.when(asked.is_null()).then(pl.lit("the log does not say where the prompt ends"))
        .when(asked < 1).then(pl.lit("the log has no prompt"))
    )  # fmt: skip
    return traces.select("row_id", reason=reason).filter(pl.col("reason").is_not_null())
