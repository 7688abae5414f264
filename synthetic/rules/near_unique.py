"""Has a better row nearly the same text?"""

from collections.abc import Mapping
from typing import Any, Literal  # Any: settings

import polars as pl

from synthetic.alike.ending import looped
from synthetic.alike.text import written
from synthetic.errors import RecipeError
from synthetic.rules import unlooped
from synthetic.stage import EVERYTHING, grouping, rule

SCOPES: Mapping[str, tuple[str, ...]] = {
    "answer": ("problem_id", "verdict", "final_answer"),
    "problem": ("problem_id",),
    "everything": (),
}
"""What must be equal for two rows to be compared."""


def _meets(settings: Mapping[str, Any]) -> str:
    return EVERYTHING if settings["scope"] == "everything" else "problem_id"


@grouping("problem_id", "verdict", "final_answer", "minhash", "words", together=_meets, gives=("far",), version=1)
def candidates(
    traces: pl.LazyFrame,
    *,
    scope: Literal["answer", "problem", "everything"] = "answer",
    bands: int = 18,
    band_slots: int = 7,
) -> pl.LazyFrame:
    """Rows that may be alike, by bands of their signatures; `far`: tokens from the median length of the problem."""
    import numpy as np

    from synthetic.alike import bands as banded
    from synthetic.alike.sketch import SLOTS, matrix

    if bands < 1 or band_slots < 1 or bands * band_slots > SLOTS:
        raise RecipeError(
            f"near_unique: {bands} bands of {band_slots} slots do not fit a signature of {SLOTS}",
            hint="bands = 18, band_slots = 7; `synthetic dedupe STORE --explain` says what they find",
        )
    rows = traces.with_columns(far=(pl.col("words") - pl.col("words").median().over("problem_id")).abs()).collect()
    if rows.is_empty():
        return rows.lazy().select("row_id", pl.lit(None, pl.String).alias("group"), "far")
    # Groups and their names do not depend on the order of rows.
    rows = rows.sort("row_id")
    held, there = matrix(rows["minhash"])
    within = banded.hashed(rows.select(SCOPES[scope])) if SCOPES[scope] else np.zeros(rows.height, np.uint64)
    first = banded.groups(held, there, within, bands=bands, rows=band_slots)
    named = rows.select("row_id", "far", group=rows["row_id"].gather(first))
    return named.lazy().filter(pl.len().over("group") > 1).select("row_id", "group", "far")


@rule(
    *("problem_id", "messages", "num_prompt_messages", "minhash", "verdict", "ok", "is_truncated", "step"),
    groups=candidates,
    never_empties=("problem_id", "verdict", "source"),
    compiles=True,
    version=2,
)
def near_unique(
    traces: pl.LazyFrame,
    *,
    alike: float = 0.8,
    contained: float = 0.95,
    scope: Literal["answer", "problem", "everything"] = "answer",
    bands: int = 18,
    band_slots: int = 7,
    may_empty: bool = False,
) -> pl.LazyFrame:
    """Drop every row that is nearly the text of a better row which stays.

    Nearly: the sets of 5-token shingles have a Jaccard similarity of at least `alike`, or the smaller lies within the
    larger by at least `contained`, counted exactly. Compared are rows of one problem, verdict and final answer (`scope`
    = "answer"), of one problem, or all. Better, in this order: correct, complete (no error, not cut off), not looped,
    nearest to the problem's median length, earliest step (unknown last), smaller row_id. A row is compared with rows
    that stay alone, so its reason always names one of the release; with the first 1,000 of its group at most: beyond
    these it stays and is flagged. A row without a token is left alone; an unknown verdict, answer or cut is a value of
    its own.

    Pairs are found by `bands` bands of `band_slots` slots of `minhash`, so that of pairs at Jaccard 0.8 1.4 % are
    missed, at 0.85 0.1 %; a contained row is found as often as its Jaccard allows. Method: Broder, "On the resemblance
    and containment of documents", 1997. `may_empty` lets a problem, verdict or source lose its last row (`scope` =
    "everything").
    """
    from synthetic.alike.sets import stars
    from synthetic.alike.sketch import matrix

    del scope, bands, band_slots, may_empty  # for the grouping, and for whoever runs the rule
    preference = [
        pl.col("verdict").ne_missing("correct"),
        ~pl.col("ok") | pl.col("is_truncated").fill_null(False),
        (pl.col("loop_tokens") >= unlooped.TOKENS) & (pl.col("loop_repeats") >= unlooped.REPEATS)
        | (pl.col("loop_run") >= unlooped.RUN),  # as `unlooped` finds it by default
        pl.col("far"),
        pl.col("step"),
        pl.col("row_id"),
    ]
    columns = ["row_id", "group", "minhash", "text"]
    # Loops are looked for in these few rows alone, not in a whole shard.
    read = traces.with_columns(looped().alias("loop"), text=written()).unnest("loop")
    rows = read.sort("group", *preference, nulls_last=True).select(columns).collect()
    if rows.is_empty():
        empty = {"row_id": pl.String, "reason": pl.String, "flag": pl.Boolean}
        return pl.LazyFrame(schema=empty)
    groups = rows["group"].rle_id().cast(pl.Int64).to_numpy()
    star = stars(
        rows["text"],
        pl.int_range(rows.height, eager=True),
        groups,
        matrix(rows["minhash"])[0],
        alike=alike,
        contained=contained,
        threads=pl.thread_pool_size(),
    )
    ids, dropped = rows["row_id"], star.keeper >= 0
    told = pl.DataFrame(
        {
            "row_id": ids,
            "keeper": ids.gather(pl.Series(star.keeper).clip(0)),
            "jaccard": star.jaccard,
            "containment": star.containment,
            "cut": star.cut,
            "dropped": dropped,
        }
    ).lazy()
    like = pl.format("like {} (Jaccard {}, containment {})", "keeper", _digits("jaccard"), _digits("containment"))
    reason = pl.when("dropped").then(like).otherwise(pl.lit("not compared with all of its many candidates"))
    return told.filter(pl.col("dropped") | pl.col("cut")).select("row_id", reason=reason, flag=~pl.col("dropped"))


def _digits(column: str) -> pl.Expr:
    """A similarity with two digits, rounded down: 1.00 is 1."""
    hundredths = (pl.col(column) * 100 + 1e-9).floor().cast(pl.Int64)
    return pl.format("{}.{}", hundredths // 100, (hundredths % 100).cast(pl.String).str.zfill(2))
