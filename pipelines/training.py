"""Reward, length, truncated share and off-policy lag over a run, by environment.

    python pipelines/training.py STORE|RELEASE [--over policy_start] [--every 10] [--by env_id,model] [--json]
    python pipelines/training.py demo-release --plot training.svg

What is counted is an attempt: a trace, however many branches (rows) it has. It has the reward of its first branch and
the length of its longest, is truncated when any branch is, and lags by:

    staleness   (ship_step − 1) − policy_start: how many versions older than the policy that its batch trained
    drift       policy_end − policy_start: versions that came while it was being sampled

An unknown value is unknown, never 0: beside each number stands of how many attempts it is (`…_known`). A trace that was
not shipped has no staleness. Training and evaluation are never added up: `kind` is always the first column.

Left out, and counted: agents that the run does not train, and attempts whose step a resume rewound (the version numbers
that follow name other weights). Rewards are the log's totals: compare them within an environment, never between two.
The functions take and give lazy frames and read no wide column.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any  # values of a row

import msgspec
import polars as pl
import report
from pass_rates import Z_95, check_by, wilson

from synthetic.errors import SyntheticError

AXES = {
    "step": "training step",
    "policy_start": "policy version that began the rollout",
    "policy_end": "policy version that ended the rollout",
    "ship_step": "step whose batch it was shipped in",
}
"""What attempts can be laid out over."""

SHORT = {
    "step": "training step",
    "policy_start": "policy version at the start",
    "policy_end": "policy version at the end",
    "ship_step": "step shipped in",
}
"""The same, as the title of an axis."""

MEASURES = {
    "reward": ("reward_known", "reward_mean", "reward_low", "reward_high", "reward_median", "reward_p95"),
    "length": ("length_known", "length_median", "length_p95"),
    "truncated": ("truncated_known", "truncated", "truncated_share", "truncated_low", "truncated_high"),
    "staleness": ("staleness_known", "staleness_median", "staleness_p95"),
    "drift": ("drift_known", "drift_median", "drift_p95"),
}
"""The columns of `curves` and `totals` after `attempts`, by what they measure."""

NUMBERS = ("reward", "length", "staleness", "drift")
"""The measures that have a median and a 95th percentile: the smallest value that 95 % do not exceed."""


def trained(traces: pl.LazyFrame) -> pl.LazyFrame:
    """The rows that count: not of an agent known as not trained, not of a step known as rewound."""
    return traces.filter(pl.col("trainable").ne_missing(False) & pl.col("rewound").ne_missing(True))


def left_out(traces: pl.LazyFrame) -> pl.LazyFrame:
    """One row: how many traces `trained` leaves out, as `not_trained` and, of the others, `rewound`."""
    untrained = pl.col("trainable").eq_missing(False)
    ids = pl.col("trace_id")
    return traces.select(
        not_trained=ids.filter(untrained).n_unique(),
        rewound=ids.filter(~untrained & pl.col("rewound").eq_missing(True)).n_unique(),
    )


def attempts(traces: pl.LazyFrame, keys: Sequence[str]) -> pl.LazyFrame:
    """A row for each trace: the keys, trace_id, reward, length (tokens), is_truncated, staleness, drift (versions).

    A length is null when a branch's is, is_truncated when no branch is known as truncated and one is unknown, a
    reward when it is not finite.
    """
    reward, tokens = pl.col("reward").min_by("branch"), pl.col("completion_tokens")
    begun = pl.col("policy_start")
    return traces.group_by(report.keys(*keys, "trace_id")).agg(
        reward=pl.when(reward.is_finite()).then(reward),
        length=pl.when(tokens.is_not_null().all()).then(tokens.max()),
        is_truncated=pl.col("is_truncated").any(ignore_nulls=False),
        # Branches may be shipped in different batches, or not at all: the last one tells how old the trace became.
        staleness=(pl.col("ship_step") - 1 - begun).max(),
        drift=(pl.col("policy_end") - begun).max(),
    )


def curves(
    traces: pl.LazyFrame, over: str = "step", by: Sequence[str] = ("env_id",), *, every: int = 1
) -> pl.LazyFrame:
    """A row for each kind, value of `by` and value of `over`: `attempts` and the columns of `MEASURES`; sorted.

    Reads trace_id, branch, kind, trainable, rewound, reward, completion_tokens, is_truncated, policy_start, policy_end,
    ship_step, `over` (one of `AXES`) and the columns in `by`. `every` puts that many values of `over` in one row, under
    the lowest. A row whose `over` is null holds the attempts where it is unknown.
    """
    # The axis is kept beside the column: lag is made of some of them.
    placed = trained(traces).with_columns((pl.col(over) // every * every).alias("at"))
    counted = _measured(attempts(placed, report.keys(*by, "at")), report.keys(*by, "at"))
    return counted.rename({"at": over})


def totals(traces: pl.LazyFrame, by: Sequence[str] = ("env_id",)) -> pl.LazyFrame:
    """A row for each kind and value of `by`: `attempts` and the columns of `MEASURES`; sorted."""
    return _measured(attempts(trained(traces), report.keys(*by)), report.keys(*by))


def _measured(each: pl.LazyFrame, keys: Sequence[str]) -> pl.LazyFrame:
    reward, cut = pl.col("reward"), pl.col("is_truncated")
    low, high = mean_interval(reward)
    counted = each.group_by(keys).agg(
        *(pl.col(name).count().alias(f"{name}_known") for name in NUMBERS),
        *(pl.col(name).median().alias(f"{name}_median") for name in NUMBERS),
        *(pl.col(name).quantile(0.95, interpolation="equiprobable").alias(f"{name}_p95") for name in NUMBERS),
        attempts=pl.len(),
        # A sum of floats depends on their order, and groups are gathered in any: the last digits are not told.
        reward_mean=reward.mean().round_sig_figs(12),
        reward_low=low.round_sig_figs(12),
        reward_high=high.round_sig_figs(12),
        truncated_known=cut.count(),
        truncated=pl.when(cut.count() > 0).then(cut.sum()),
        truncated_share=cut.mean(),
    )
    low, high = wilson(pl.col("truncated"), pl.col("truncated_known"))
    order = [*keys, "attempts", *(name for names in MEASURES.values() for name in names)]
    return counted.with_columns(truncated_low=low, truncated_high=high).select(order).sort(keys, nulls_last=True)


def mean_interval(values: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """The lower and the upper end of the 95 % interval of a mean; null for fewer than three values.

    Values are taken as independent. Those at one problem are alike, so the interval says how sure the mean is for these
    problems and is too narrow for new ones; values that are all equal give one without a width.
    Method: Student's t, its quantile by the series in Abramowitz and Stegun, "Handbook of Mathematical Functions",
    26.7.5: 0.8 % too low for three values, within 0.1 % from four.
    """
    n, z = values.count().cast(pl.Float64), Z_95
    series = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    t = pl.lit(z) + pl.sum_horizontal(term / (n - 1) ** place for place, term in enumerate(series, start=1))
    half = t * values.std() / n.sqrt()
    return pl.when(n > 2).then(values.mean() - half), pl.when(n > 2).then(values.mean() + half)


# ---- charts


def charts(found: pl.DataFrame, over: str, by: Sequence[str]) -> "dict[str, report.Chart]":
    """A chart for each of `MEASURES` that has a value at a known `over`, from what `curves` gives."""
    placed = report.panels(found, [name for name in report.keys(*by) if name != "kind"]).filter(
        pl.col(over).is_not_null()
    )
    x, tail = AXES[over], "line: median, band: up to the 95th percentile"
    said = {
        "reward": (
            f"Mean reward by {x}",
            "band: 95 % interval of the mean; each environment has its own scale",
            "reward",
        ),
        "length": (f"Completion tokens of an attempt, by {x}", f"{tail}; each environment has its own scale", "tokens"),
        "truncated": (f"Share of attempts that a limit cut off, by {x}", "band: 95 % interval", "cut off"),
        "staleness": (f"Staleness of shipped attempts in policy versions, by {x}", tail, "versions"),
        "drift": (f"Policy versions that came during an attempt, by {x}", tail, "versions"),
    }
    drawn = {}
    for name, (title, legend, up) in said.items():
        middle, low, high = BANDS[name]
        points = placed.filter(pl.col(middle).is_not_null()).select(
            "panel",
            series=pl.col("kind").replace({"train": "training", "eval": "evaluation"}),
            x=pl.col(over),
            middle=pl.col(middle),
            low=pl.col(low),
            high=pl.col(high),
            known=pl.col(f"{name}_known"),
        )
        if points.height:
            points = points.sort("series", "panel", "x", descending=[True, False, False])
            summed = points.group_by("series", maintain_order=True).agg(pl.col("known").sum())
            counts = " and ".join(f"{known:,} {series}" for series, known in summed.iter_rows())
            drawn[name] = report.lines(
                points,
                title=title,
                subtitle=f"{counts} attempts; {legend}",
                across=SHORT[over],
                up=up,
                alike=name not in ("reward", "length"),
                from_zero=name != "reward",
                percent=name == "truncated",
            )
    return drawn


BANDS = {
    "reward": ("reward_mean", "reward_low", "reward_high"),
    "length": ("length_median", "length_median", "length_p95"),
    "truncated": ("truncated_share", "truncated_low", "truncated_high"),
    "staleness": ("staleness_median", "staleness_median", "staleness_p95"),
    "drift": ("drift_median", "drift_median", "drift_p95"),
}
"""The columns of `curves` that are the line and the ends of its band."""


# ---- as a command


def show(whole: pl.DataFrame, found: pl.DataFrame, over: str, by: Sequence[str]) -> None:
    """Two tables: the whole run, and by `over`. "of" is followed by how many attempts are known."""
    screen, keys = report.console(), report.keys(*by)
    for title, frame, first in (("Whole run", whole, keys), (f"By {AXES[over]}", found, [*keys, over])):
        rows = [_readable(row) for row in frame.iter_rows(named=True)]
        cells = pl.DataFrame(rows, schema=dict.fromkeys(READABLE, pl.String()))
        names = list(dict.fromkeys((*first, "attempts")))
        report.table(screen, title, pl.concat([frame.select(names), cells], how="horizontal"))


READABLE = ("reward: mean, 95 %", "tokens: median, p95", "truncated", "staleness: median, p95", "drift: median, p95")


def _readable(row: Mapping[str, Any]) -> dict[str, str | None]:
    mean, low, high = (row[f"reward_{name}"] for name in ("mean", "low", "high"))
    reward = None if mean is None else f"{mean:.3f}" + ("" if low is None else f" [{low:.3f}, {high:.3f}]")
    cut, share = row["truncated"], row["truncated_share"]
    cells = [_of(row["reward_known"], reward), _two(row, "length")]
    cells += [_of(row["truncated_known"], None if cut is None else f"{cut:,} ({share:.1%})")]
    cells += [_two(row, "staleness"), _two(row, "drift")]
    return dict(zip(READABLE, cells, strict=True))


def _two(row: Mapping[str, Any], name: str) -> str | None:
    middle, high = row[f"{name}_median"], row[f"{name}_p95"]
    return _of(row[f"{name}_known"], None if middle is None else f"{middle:,.5g}, {high:,.5g}")


def _of(known: int, text: str | None) -> str | None:
    return None if text is None else f"{text} of {known:,}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as a command: 0 done, 1 a problem named with its fix, 2 usage."""
    parser = argparse.ArgumentParser(
        description="Reward, length, truncated share and off-policy lag over a run, by environment.",
        epilog="example: python pipelines/training.py demo-release --over policy_start --plot training.svg",
    )
    parser.add_argument("path", type=Path, metavar="STORE|RELEASE")
    parser.add_argument("--over", choices=AXES, default="step", help="what to lay out over (default: step)")
    parser.add_argument("--every", type=int, default=1, metavar="COUNT", help="steps or versions in a row (default: 1)")
    parser.add_argument(
        "--by", default="env_id", metavar="COLUMNS", help="what to tell apart, comma-separated (default: env_id)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object with every row")
    parser.add_argument("--plot", type=Path, metavar="FILE.svg|FILE.png|FOLDER", help="charts, in one file or in many")
    given = parser.parse_args(arguments)
    if given.every < 1:
        parser.error("--every: takes a whole number from 1")
    by = [name.strip() for name in given.by.split(",") if name.strip()]
    try:
        report.check_plots(given.plot)
        traces, _ = report.read(given.path)
        check_by(traces, by)
        if clash := {"reward", given.over}.intersection(by):
            raise SyntheticError(f"--by: {sorted(clash)} are measured or laid out over", hint="leave them out of --by")
        lazy = totals(traces, by), curves(traces, given.over, by, every=given.every), left_out(traces)
        whole, found, out = pl.collect_all(lazy, engine="streaming")
        drawn = charts(found, given.over, by) if given.plot else {}
        files = report.save(drawn, given.plot) if given.plot else []
    except SyntheticError as error:
        return report.complain(error)
    missing = [name for name in MEASURES if given.plot and name not in drawn]
    if given.json:
        said = {"by": by, "over": given.over, "every": given.every, "totals": whole.to_dicts()}
        said |= {"curves": found.to_dicts(), "left_out": out.row(0, named=True)}
        print(msgspec.json.encode(said | {"plots": [str(file) for file in files], "not_drawn": missing}).decode())
        return 0
    show(whole, found, given.over, by)
    print(f"Left out: {out['not_trained'][0]:,} traces of agents not trained, {out['rewound'][0]:,} of rewound steps.")
    for file in files:
        print(f"wrote {file}")
    for name in missing:
        print(f"not drawn: {name}, of which nothing is known at a known {given.over}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
