"""Was it made to train on? Two rules that every config for training begins with."""

import polars as pl

from synthetic.stage import rule


@rule("kind", version=1)
def from_training(traces: pl.LazyFrame) -> pl.LazyFrame:
    """Keep rollouts made for training; evaluation rollouts stay out unless the recipe says `include_eval = true`."""
    return traces.filter(pl.col("kind") == "eval").select("row_id", reason=pl.lit("evaluation rollout"))


@rule("trainable", "agent", version=1)
def trainable(traces: pl.LazyFrame) -> pl.LazyFrame:
    """Keep what the trained agent wrote; a null `trainable` (the log has one agent) is kept."""
    reason = pl.format("agent {} was not trained", pl.col("agent").fill_null("?"))
    return traces.filter(pl.col("trainable").eq(False).fill_null(False)).select("row_id", reason=reason)
