"""Does its thinking end?"""

import polars as pl

from synthetic.stage import rule


@rule("thinking", version=1)
def thought_whole(traces: pl.LazyFrame, *, required: bool = False) -> pl.LazyFrame:
    """Keep rows whose thinking is marked once, from its beginning to its end; `required` drops those without any, too.

    A lone `</think>` is whole: chat templates often open the thinking in the prompt (TRL #6361). An unknown measure is
    kept, unless thinking is `required`. As open-instruct's `filter_cots` and NeMo-Skills' `remove_no_think_tags` do.
    """
    broken = pl.col("thinking").is_in(["unclosed", "several"])
    absent = pl.lit(required) & pl.col("thinking").fill_null("none").is_in(["none", "empty"])
    reason = pl.format("thinking: {}", pl.col("thinking").fill_null("none"))
    return traces.filter((broken | absent).fill_null(False)).select("row_id", reason=reason)
