"""The numbers behind a card's plots of lengths, rewards and lag: a bounded table each, whatever the rows."""

from typing import Final

import polars as pl

from synthetic.record import Json
from synthetic.stats.table import ATTEMPT, ENVIRONMENT, REWARD, Table, collected, counts, grouped, one, short

PLACES: Final = 40
"""At most so many points of a line over steps; more steps are put together."""
OLDEST: Final = 16
"""Lags of so many versions and more are counted together, and so are those below 0, as -1."""

# Whole numbers add up to the same sum in any order, which floats do not. A billionth of a reward is 1.
FINE: Final = 10**9

QUANTILES: Final = {"p5": 0.05, "p25": 0.25, "median": 0.5, "p75": 0.75, "p95": 0.95}


def lengths(traces: pl.LazyFrame) -> Table:
    """Completion tokens of attempts by verdict: quantiles that occur, of how many `known`; cut-off ones among them."""
    tokens = pl.col("completion_tokens")
    each = traces.filter(ATTEMPT).group_by("verdict")
    marks = {name: tokens.quantile(part, interpolation="equiprobable") for name, part in QUANTILES.items()}
    found = each.agg(pl.len().alias("attempts"), tokens.count().alias("known"), **marks)
    whole = found.with_columns(pl.col(*QUANTILES).cast(pl.Int64))
    return collected(whole, "verdict").to_dicts()


def rewards(traces: pl.LazyFrame) -> dict[str, Json]:
    """The mean reward of training attempts over steps: `width` steps in one place, named by the first of them."""
    known = traces.filter(ATTEMPT, pl.col("kind") == "train", pl.col("step").is_not_null(), REWARD.is_not_null())
    ends = one(known, first=pl.col("step").min(), last=pl.col("step").max())
    if ends["first"] is None:
        return {"width": None, "environments": []}
    width = -(-(ends["last"] - ends["first"] + 1) // PLACES)
    step = ends["first"] + (pl.col("step") - ends["first"]) // width * width
    fine = (REWARD * FINE).round().cast(pl.Int128, strict=False)
    placed = known.select(ENVIRONMENT, step.alias("step"), fine.alias("fine")).drop_nulls("fine")
    summed = collected(placed.group_by("environment", "step").agg(pl.len().alias("scored"), pl.sum("fine")), "step")
    found: Table = []
    for environment, places in grouped(summed.sort("environment", "step", nulls_last=True), "environment").items():
        means = [short(total / FINE / count) for total, count in places.select("fine", "scored").iter_rows()]
        found.append({"environment": environment, "step": places["step"].to_list(), "mean": means})
        found[-1]["scored"] = places["scored"].to_list()
    return {"width": width, "environments": found}


def lag(traces: pl.LazyFrame) -> dict[str, Json]:
    """How old the policy of a training attempt was: attempts by versions, and how many are `unknown`.

    `staleness`: versions between the one that began the attempt and the one that its batch trained (`ship_step` - 1).
    `drift`: versions that came while it was sampled.
    """
    begun = pl.col("policy_start")
    trained = traces.filter(ATTEMPT, pl.col("kind") == "train", pl.col("rewound").ne_missing(True))
    found: dict[str, Json] = {}
    for name, versions in (("staleness", pl.col("ship_step") - 1 - begun), ("drift", pl.col("policy_end") - begun)):
        each = counts(trained.select(versions.clip(-1, OLDEST).alias("versions")), "versions")
        found[name] = {
            "attempts": [row for row in each if row["versions"] is not None],
            "unknown": sum(row["rows"] for row in each if row["versions"] is None),
        }
    return found
