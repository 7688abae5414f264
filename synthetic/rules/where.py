"""Does it match an expression?"""

import polars as pl

from synthetic import expression
from synthetic.stage import rule


@rule(expressions="matches", version=1)
def where(traces: pl.LazyFrame, *, matches: str) -> pl.LazyFrame:
    """Keep rows for which `matches` is true: SQL over columns, scorers and metrics. Null is not true."""
    traces, matching = expression.condition(traces, matches, "where")
    reason = pl.when(matching.is_null()).then(pl.lit(f"unknown: {matches}")).otherwise(pl.lit(f"not: {matches}"))
    return traces.filter(matching.fill_null(False).not_()).select("row_id", reason=reason)
