"""Does it end in a loop?"""

import polars as pl

from synthetic.stage import rule

TOKENS, REPEATS, RUN = 150, 3.0, 400


@rule("loop_tokens", "loop_repeats", "loop_run", version=1)
def unlooped(
    traces: pl.LazyFrame, *, tokens: int = TOKENS, repeats: float = REPEATS, run_bytes: int = RUN
) -> pl.LazyFrame:
    """Keep rows whose text and thinking do not end in a loop, and that hold no endless run of digits or signs.

    A loop: at least `tokens` tokens at the end are one period said at least `repeats` times. A run: `run_bytes` bytes
    or more with a period of at most 16 bytes, white space not counted. An unknown measure counts as 0, for there is no
    text. Thresholds: AM-Thinking (arXiv 2505.14464) drops 20-token n-grams that occur more than 20 times, open-instruct
    sentences said 40 times or 4 times on end; here a stretch must be longer than any table or list of cases in our
    samples, so that what is dropped is a loop.
    """
    looped = (pl.col("loop_tokens") >= tokens) & (pl.col("loop_repeats") >= repeats)
    loop = pl.format(
        "loops: {} tokens at the end are one period {} times", "loop_tokens", pl.col("loop_repeats").round(1)
    )
    run = pl.format("loops: a run of {} bytes of one short period", "loop_run")
    reason = pl.when(looped).then(loop).when(pl.col("loop_run") >= run_bytes).then(run)
    return traces.select("row_id", reason=reason).filter(pl.col("reason").is_not_null())
