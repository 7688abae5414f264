"""Has another row of the problem the same text?"""

import polars as pl

from synthetic.stage import rule


@rule("problem_id", "text_key", "completion_tokens", together="problem_id", version=1)
def unique(traces: pl.LazyFrame) -> pl.LazyFrame:
    """Drop every copy of a text within a problem but the shortest; a tie stays with the smaller row_id.

    A null text_key (empty text) never matches; a null completion_tokens counts as the longest.
    """
    keeper = (
        pl.col("row_id").sort_by("completion_tokens", "row_id", nulls_last=True).first().over("problem_id", "text_key")
    )
    return (
        traces.filter(pl.col("text_key").is_not_null())
        .with_columns(keeper=keeper)
        .filter(pl.col("row_id") != pl.col("keeper"))
        .select("row_id", reason=pl.format("same text as {}", "keeper"))
    )
