"""Does it stay in the scripts of its prompt?"""

import polars as pl

from synthetic.stage import rule


@rule("foreign_share", version=1)
def one_script(traces: pl.LazyFrame, *, foreign_at_most: float = 0.05) -> pl.LazyFrame:
    """Keep rows of which at most this share of letters is of scripts that the prompt has none of.

    An unknown share is kept: the model wrote no letters. 5 % is the threshold of open-instruct's `filter_chinese`.
    """
    percent = (pl.col("foreign_share") * 100).round(1)
    reason = pl.format("{} % of its letters are of a script that was not asked for", percent)
    over = (pl.col("foreign_share") > foreign_at_most).fill_null(False)
    return traces.filter(over).select("row_id", reason=reason)
