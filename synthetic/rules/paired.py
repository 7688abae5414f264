"""Is it one of a pair: a right answer and a wrong one to the same prompt?"""

import polars as pl

from synthetic.pairs import READS, pairs, partners
from synthetic.stage import rule


@rule(*READS, together="problem_id", compiles=True, version=1)
def paired(
    traces: pl.LazyFrame, *, margin: float = 0.5, length_ratio: float = 2.0, per_problem: int = 4
) -> pl.LazyFrame:
    """Keep the rows of pairs: one correct, one scored wrong, neither cut off nor failed, of one prompt.

    Their rewards differ by at least `margin`, the longer has at most `length_ratio` times the words of the shorter, no
    row is in two pairs, and a problem gives at most `per_problem` of them. Two texts that are nearly the same are no
    pair (estimated Jaccard similarity of word 5-grams below 0.7). Of the pairs that are possible, those of one model
    and policy version come first, then those of the nearest length.
    """
    rows = traces.collect().lazy()
    made = pairs(rows, margin=margin, length_ratio=length_ratio, per_problem=per_problem)
    within = pl.concat([made["chosen"], made["rejected"]])
    side, alone = pl.col("side"), pl.col("side").drop_nulls().n_unique().over("problem_id") < 2
    none = (
        pl.when(alone & (side == "chosen")).then(pl.lit("no wrong attempt to set it against"))
        .when(alone).then(pl.lit("no right attempt to set it against"))
        .otherwise(pl.lit("no partner left within the limits of a pair"))
    )  # fmt: skip
    reasoned = partners(rows).select("row_id", reason=pl.coalesce("reason", none))
    return reasoned.filter(pl.col("row_id").is_in(within.implode()).not_())
