"""Which attempts at a problem make a pair of a better and a worse answer.

    partners(traces)        which rows could be chosen, which rejected, and why not
    pairs(traces)           the pairs

Pairs are made greedily from all that the limits allow, those of one model and policy version first, then by the nearest
length, then by row_id; a row is in one pair at most. Of the rows in pairs alone the same pairs are made again, so a
config that holds only these can be rebuilt from them.
"""

from typing import Any, Final  # numpy's arrays

import polars as pl

ALIKE: Final = 0.7
"""The least estimated similarity at which two texts are no pair. The estimate's standard error is 0.04 there, so a true
Jaccard similarity of 0.8 is missed less than once in 200 pairs."""

MOST: Final = 64
"""So many right rows of a problem are looked at, and as many wrong ones, the least row_id first: 4,096 pairs."""

READS: Final = (
    *("problem_id", "prompt_key", "verdict", "is_truncated", "ok", "reward", "words", "minhash"),
    *("model", "model_revision", "policy_start"),
)

_SIDE = ("row_id", "reward", "words", "model", "model_revision", "policy_start", "place")


def partners(traces: pl.LazyFrame) -> pl.LazyFrame:
    """The rows with `side` (`chosen`, `rejected`, null) and, where it is null, `reason`."""
    said = pl.col("verdict").fill_null("undecided")
    reason = (
        pl.when(said == "error").then(pl.lit("failed: neither right nor wrong"))
        .when(said == "undecided").then(pl.lit("undecided: neither right nor wrong"))
        .when(pl.col("ok").ne_missing(True)).then(pl.lit("failed"))
        .when(pl.col("is_truncated").fill_null(False)).then(pl.lit("cut off: not wrong by itself"))
        .when(pl.col("reward").is_null()).then(pl.lit("not scored"))
        .when(pl.col("prompt_key").is_null()).then(pl.lit("the log has no prompt"))
        .when(pl.col("minhash").is_null()).then(pl.lit("empty: the model wrote nothing"))
    )  # fmt: skip
    side = pl.when(said == "correct").then(pl.lit("chosen")).otherwise(pl.lit("rejected"))
    return traces.with_columns(reason=reason).with_columns(side=pl.when(pl.col("reason").is_null()).then(side))


def pairs(traces: pl.LazyFrame, *, margin: float, length_ratio: float, per_problem: int) -> pl.DataFrame:
    """`problem_id`, `chosen`, `rejected` (row_ids) and `alike` (estimated similarity) of every pair, in order."""
    from synthetic.alike.sketch import estimates, matrix  # numba takes half a second

    able = partners(traces).filter(pl.col("side").is_not_null()).sort("problem_id", "row_id")
    rank = pl.int_range(pl.len()).over("problem_id", "prompt_key", "side")
    rows = able.filter(rank < MOST).with_row_index("place").collect()
    keys = ["problem_id", "prompt_key"]
    sides = {
        side: rows.lazy().filter(pl.col("side") == side).select(*keys, *(pl.col(n).alias(f"{side}_{n}") for n in _SIDE))
        for side in ("chosen", "rejected")
    }
    longer = pl.max_horizontal("chosen_words", "rejected_words")
    shorter = pl.min_horizontal("chosen_words", "rejected_words")
    one = ("model", "model_revision", "policy_start")
    apart = pl.any_horizontal(pl.col(f"chosen_{n}").ne_missing(pl.col(f"rejected_{n}")) for n in one)
    able_pairs = (
        sides["chosen"].join(sides["rejected"], on=keys, how="inner")
        .filter(pl.col("chosen_reward") - pl.col("rejected_reward") >= margin, longer <= shorter * length_ratio)
        .with_columns(apart=apart, ratio=longer / shorter)
        .collect()
    )  # fmt: skip
    held, _ = matrix(rows["minhash"])
    left, right = able_pairs["chosen_place"].to_numpy(), able_pairs["rejected_place"].to_numpy()
    alike: Any = estimates(held, held, left, right)
    waiting = (
        able_pairs.with_columns(alike=pl.Series(values=alike, dtype=pl.Float32))
        .filter(pl.col("alike") < ALIKE)
        .sort("problem_id", "apart", "ratio", "chosen_row_id", "rejected_row_id")
        .select("problem_id", "alike", chosen="chosen_row_id", rejected="rejected_row_id")
    )
    return _greedy(waiting, per_problem)


def _greedy(waiting: pl.DataFrame, per_problem: int) -> pl.DataFrame:
    """The first pair of each problem, then the first of what it leaves, and so on."""
    found = [waiting.clear()]
    for _ in range(per_problem):
        if waiting.is_empty():
            break
        first = waiting.unique("problem_id", keep="first", maintain_order=True)
        found.append(first)
        for side in ("chosen", "rejected"):
            waiting = waiting.join(first, on=side, how="anti", maintain_order="left")
    return pl.concat(found).sort("problem_id", "chosen", "rejected")
