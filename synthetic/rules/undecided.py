"""Is it neither right nor wrong?"""

import polars as pl

from synthetic.stage import rule


@rule("verdict", "verdict_rule", version=1)
def undecided(traces: pl.LazyFrame) -> pl.LazyFrame:
    """Keep rows that no scorer decided: sft_unverified holds these, never incorrect ones."""
    reason = pl.format("{} ({})", pl.col("verdict").fill_null("no verdict"), pl.col("verdict_rule").fill_null("none"))
    return traces.filter(pl.col("verdict").ne_missing("undecided")).select("row_id", reason=reason)
