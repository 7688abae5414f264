"""The pictures of a card: what each shows, in words too, from the numbers alone; `draw` makes them.

    of(numbers, configs)       those of which a release has data, each with its title, its alt text and its values
    drawn(pictures, folder)    assets/<name>.svg and .png of each; needs the extra `plots`

A .svg has no background, and every colour in it can be seen on white and on near black, so that one file is right on
both: the theme of a page of the Hub is the reader's choice there, of which `prefers-color-scheme` knows nothing. A .png
is white, for slides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Final

from synthetic.manifest import Config
from synthetic.plain import visible
from synthetic.record import Json
from synthetic.stats.table import VERDICTS, Table

FOLDER: Final = "assets"
PACKAGES: Final = ("altair", "vl-convert-python")
"""What draws, and decides the bytes of a picture."""

MOST: Final = 20
"""Rows of a picture; the card's tables have the rest."""
PANELS: Final = 6
"""Environments of which rewards are drawn."""
LABEL: Final = 36
"""Characters of a name."""


@dataclass(frozen=True)
class Picture:
    """One picture of a card."""

    name: str
    section: str
    """The template that shows it."""
    title: str
    subtitle: str
    alt: str
    """What it shows, with its numbers."""
    values: Table = field(repr=False)

    @property
    def paths(self) -> tuple[str, str]:
        """Its files in a release: .svg, .png."""
        return f"{FOLDER}/{self.name}.svg", f"{FOLDER}/{self.name}.png"


def versions() -> dict[str, str]:
    """The versions of what draws; empty where one is missing: then there are no pictures."""
    try:
        import altair  # noqa: F401
        import vl_convert  # noqa: F401
    except ImportError:
        return {}
    return {name: version(name) for name in PACKAGES}


def of(numbers: Mapping[str, Json], configs: Mapping[str, Config]) -> list[Picture]:
    """The pictures of a release, whether or not they can be drawn here."""
    funnels = {
        name: [(step.rule, step.seen, step.dropped) for step in config.funnel] for name, config in configs.items()
    }
    return pictures(numbers, funnels)


def drawn(pictures: Sequence[Picture], folder: Path) -> list[str]:
    """Draw the pictures into a release's folder; their paths in it. The extra `plots` must be there (`versions`)."""
    from synthetic.plots.draw import draw

    for picture in pictures:
        draw(picture, *(folder / path for path in picture.paths))
    return [path for picture in pictures for path in picture.paths]


def pictures(numbers: Mapping[str, Json], funnels: Mapping[str, Sequence[tuple[str, int, int]]]) -> list[Picture]:
    """Those that these numbers give. `funnels`: of each config its rules, with the rows before and those dropped."""
    made = (
        _funnel(funnels),
        _pass_rates(numbers["difficulty"]),
        _difficulty(numbers["difficulty"]),
        _lengths(numbers["lengths"]),
        _rewards(numbers["rewards"]),
        _lag(numbers["lag"]),
    )
    return [picture for picture in made if picture is not None]


def _funnel(funnels: Mapping[str, Sequence[tuple[str, int, int]]]) -> Picture | None:
    values: Table = []
    said = []
    for config, steps in funnels.items():
        if not steps or not steps[0][1]:
            continue
        first = {"config": config, "place": 0, "rule": "all rows", "rows": steps[0][1], "dropped": 0}
        after = [
            {"config": config, "place": place, "rule": _name(rule), "rows": seen - dropped, "dropped": dropped}
            for place, (rule, seen, dropped) in enumerate(steps, 1)
        ]
        values += [first, *after]
        steps_said = "".join(f", {each['rows']:,} after {each['rule']}" for each in after)
        said.append(f"{config}: {steps[0][1]:,} rows{steps_said}")
    if not values:
        return None
    return Picture(
        "funnel",
        "funnel",
        "Rows left after each rule",
        "in the order in which rules are applied",
        f"Bars: rows left after each rule, by config. {'; '.join(said)}.",
        values,
    )


def _pass_rates(difficulty: Json) -> Picture | None:
    values: Table = []
    more = 0
    for panel, rows, names, counts in (
        ("by environment and task", "environments", ("environment", "task_type"), ("correct", "decided")),
        ("by model", "models", ("model", "model_revision"), ("n_correct", "n_scored")),
    ):
        rated = [row for row in (difficulty or {}).get(rows, []) if row["pass_rate"] is not None]
        shown = sorted(rated, key=lambda row: -row[counts[1]])[:MOST]
        more += len(rated) - len(shown)
        for row in shown:
            label = " · ".join(_name(row[name]) for name in names if row[name] is not None) or "not recorded"
            if rows == "models" and row["max_tokens"] is not None:
                label += f" · {row['max_tokens']:,} tokens"
            numbers = {key: row[key] for key in ("pass_rate", "low", "high")}
            values.append({"panel": panel, "label": label} | numbers | {"decided": row[counts[1]]})
    if not values:
        return None
    said = "; ".join(
        f"{row['label']}: {_percent(row['pass_rate'])} ({_percent(row['low'])} to {_percent(row['high'])},"
        f" {row['decided']:,} decided)"
        for row in values
    )
    return Picture(
        "pass_rates",
        "difficulty",
        "Pass rate",
        "correct of decided attempts, with the 95 % Wilson interval",
        f"Points with intervals: pass rates. {said}{f'; {more:,} more are in the tables' if more else ''}.",
        values,
    )


def _difficulty(difficulty: Json) -> Picture | None:
    bins = (difficulty or {}).get("histogram", [])
    if not sum(bins):
        return None
    values = [{"from": n / len(bins), "to": (n + 1) / len(bins), "problems": count} for n, count in enumerate(bins)]
    said = "; ".join(f"{_percent(row['from'])} to {_percent(row['to'])}: {row['problems']:,}" for row in values)
    return Picture(
        "difficulty",
        "difficulty",
        "Problems by pass rate",
        f"{sum(bins):,} problems of which an attempt was decided, over all models",
        f"Histogram: problems by pass rate. {said}.",
        values,
    )


def _lengths(lengths: Table) -> Picture | None:
    order = {verdict: place for place, verdict in enumerate(VERDICTS)}
    values = sorted((row for row in lengths if row["known"]), key=lambda row: order[row["verdict"]])
    if not values:
        return None
    said = "; ".join(
        f"{row['verdict']}: median {row['median']:,}, half between {row['p25']:,} and {row['p75']:,}, nine in ten"
        f" between {row['p5']:,} and {row['p95']:,} ({row['known']:,} attempts)"
        for row in values
    )
    return Picture(
        "lengths",
        "made",
        "Completion tokens by verdict",
        "line: the middle 90 %; bar: the middle half; mark: the median",
        f"Ranges: completion tokens of attempts by verdict. {said}.",
        values,
    )


def _rewards(rewards: Json) -> Picture | None:
    found = [row for row in rewards["environments"] if len(row["step"]) > 1]
    shown = sorted(found, key=lambda row: -sum(row["scored"]))[:PANELS]
    values = [
        {"environment": _name(row["environment"] or "not recorded"), "step": step, "mean": mean}
        for row in shown
        for step, mean in zip(row["step"], row["mean"], strict=True)
    ]
    if not values:
        return None
    said = "; ".join(
        f"{_name(row['environment'] or 'not recorded')}: {row['mean'][0]:g} at step {row['step'][0]:,},"
        f" {row['mean'][-1]:g} at step {row['step'][-1]:,}, least {min(row['mean']):g}, greatest {max(row['mean']):g}"
        f" ({sum(row['scored']):,} attempts)"
        for row in shown
    )
    left = len(found) - len(shown)
    width = rewards["width"]
    return Picture(
        "rewards",
        "made",
        "Mean reward over training steps",
        "each environment on its own scale" + (f"; {width:,} steps in one point" if width > 1 else ""),
        f"Lines: mean reward over steps. {said}{f'; {left:,} more environments are not drawn' if left else ''}.",
        values,
    )


def _lag(lag: Json) -> Picture | None:
    panels = {"staleness": "behind the policy that its batch trained", "drift": "that came while it was sampled"}
    values: Table = []
    said = []
    for name, panel in panels.items():
        rows = lag[name]["attempts"]
        if not rows:
            continue
        values += [{"panel": panel, "versions": _versions(row["versions"]), "attempts": row["rows"]} for row in rows]
        counted = ", ".join(f"{_versions(row['versions'])}: {row['rows']:,}" for row in rows)
        said.append(f"versions {panel}: {counted}; unknown of {lag[name]['unknown']:,}")
    if not values:
        return None
    return Picture(
        "lag",
        "made",
        "Off-policy lag",
        "training attempts by policy versions",
        f"Bars: training attempts by policy versions. {'. '.join(said)}.",
        values,
    )


def _versions(number: int) -> str:
    from synthetic.stats.curves import OLDEST

    return "below 0" if number < 0 else f"{number} or more" if number == OLDEST else str(number)


def _percent(rate: float) -> str:
    return f"{100 * rate:.1f} %"


def _name(text: str) -> str:
    """A name as a label shows it: all of it can be seen, and it is not too long."""
    return visible(text[:LABEL]) + ("…" if len(text) > LABEL else "")
