"""Did it refuse? Did it play with its checker? Two rules that only mark: signs are no proof."""

import polars as pl

from synthetic.stage import rule


@rule("refusal", version=1)
def willing(traces: pl.LazyFrame) -> pl.LazyFrame:
    """Mark rows whose answer begins as refusals do, and drop none; an unknown beginning is not marked."""
    reason = pl.lit("begins like a refusal")
    return traces.filter(pl.col("refusal").fill_null(False)).select("row_id", reason=reason, flag=pl.lit(True))


@rule("hacks", version=1)
def honest(traces: pl.LazyFrame) -> pl.LazyFrame:
    """Mark rows in which code looks like play with the checker, and drop none; an unknown or empty measure is none."""
    suspicious = traces.filter(pl.col("hacks").fill_null("") != "")
    return suspicious.select("row_id", reason="hacks", flag=pl.lit(True))
