"""Drawing the pictures of a card with altair; vl-convert writes the files, the same bytes from the same versions."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import altair as alt
import msgspec

if TYPE_CHECKING:
    from synthetic.plots import Picture

Chart: TypeAlias = alt.FacetChart | alt.LayerChart

INK: Final = "#797979"
"""Text and lines: as far from white as from near black."""
COLOURS: Final = ("#2f81c8", "#cf6b12", "#1f9268", "#a25fc4", "#d2533f", "#9a7d1a")
BLUE, ORANGE, GREEN = COLOURS[:3]
BY_VERDICT: Final = {"correct": GREEN, "incorrect": "#d2533f", "undecided": "#9a7d1a", "error": INK}

CONFIG: Final = {
    "background": "transparent",
    # vl-convert brings Liberation Sans and measures with it; Arial has its widths.
    "font": "Liberation Sans, Arial, Helvetica, sans-serif",
    "padding": 12,
    "view": {"stroke": None},
    "axis": {
        "labelColor": INK,
        "titleColor": INK,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "domain": False,
        "ticks": False,
        "gridColor": INK,
        "gridOpacity": 0.25,
    },
    "header": {"labelColor": INK, "labelFontSize": 13, "labelFontWeight": "bold", "labelPadding": 6},
    "title": {
        "color": INK,
        "fontSize": 16,
        "anchor": "start",
        "offset": 14,
        "frame": "group",
        "subtitleColor": INK,
        "subtitleFontSize": 12,
    },
}
"""Of all pictures."""

WIDTH: Final = 420
"""Of a panel that stands alone, in pixels."""
LABELS: Final = 240
"""Pixels for the names beside bars."""


def draw(picture: "Picture", svg: Path, png: Path) -> None:
    """Write a picture as .svg, without a background, and as .png, on white."""
    svg.parent.mkdir(parents=True, exist_ok=True)
    drawn, raster = _drawn(msgspec.json.encode(picture))
    svg.write_text(drawn, "utf-8", newline="\n")
    png.write_bytes(raster)


@lru_cache(64)
def _drawn(encoded: bytes) -> tuple[str, bytes]:
    """A picture as .svg and as .png; the same one is drawn once."""
    import vl_convert

    from synthetic.plots import Picture

    picture = msgspec.json.decode(encoded, type=Picture)
    # Put in here: each `configure_…` of altair would copy the whole chart, which took as long as drawing it.
    title = {"text": picture.title, "subtitle": picture.subtitle}
    chart = CHARTS[picture.name](picture).to_dict(validate=False) | {"title": title, "config": CONFIG}
    drawn: str = vl_convert.vegalite_to_svg(chart)
    head, end, body = drawn.partition(">")
    on_white = f'{head}{end}<rect width="100%" height="100%" fill="white"/>{body}'
    return drawn, vl_convert.svg_to_png(on_white, scale=2)


def funnel(picture: "Picture") -> Chart:
    """A panel for each config, a bar for each rule."""
    base = alt.Chart().encode(
        y=alt.Y("step:N", title=None, sort=alt.SortField("place"), axis=_names(label="slice(datum.label, 3)")),
    )
    # Room for the number beside the longest bar.
    longest = 1.15 * max(row["rows"] for row in picture.values)
    x = alt.X("rows:Q", title=None, axis=None, scale=alt.Scale(domain=[0, longest]))
    # Names of steps are kept apart by their number: a rule may stand in a config twice.
    step = {"step": "format(datum.place, '02d') + ' ' + datum.rule"}
    bars = base.mark_bar(color=BLUE, height={"band": 0.7}).encode(x=x)
    counts = base.mark_text(align="left", dx=5, color=INK, fontSize=12).encode(
        x=x, text=alt.Text("rows:Q", format=",d")
    )
    made: Chart = (
        alt.layer(bars, counts, width=WIDTH, height={"step": 22})
        .transform_calculate(**step)
        .facet(facet=_panel(picture, "config"), columns=1, data=_data(picture), spacing=18)
        .resolve_scale(y="independent")
    )
    return made


def pass_rates(picture: "Picture") -> Chart:
    """A panel for environments, one for models; a point with its interval for each."""
    base = alt.Chart().encode(y=alt.Y("label:N", title=None, sort=None, axis=_names()))
    axis = alt.Axis(format=".0%", values=[0, 0.25, 0.5, 0.75, 1], grid=True)
    across = alt.Scale(domain=[0, 1])
    intervals = base.mark_rule(color=BLUE, strokeWidth=3).encode(
        x=alt.X("low:Q", title=None, axis=axis, scale=across), x2="high:Q"
    )
    points = base.mark_point(color=BLUE, filled=True, size=90, opacity=1).encode(x=alt.X("pass_rate:Q", scale=across))
    made: Chart = (
        alt.layer(intervals, points, width=WIDTH, height={"step": 26})
        .facet(facet=_panel(picture, "panel"), columns=1, data=_data(picture), spacing=24)
        .resolve_scale(y="independent")
    )
    return made


def difficulty(picture: "Picture") -> Chart:
    """A histogram of problems."""
    x = alt.X("from:Q", title="pass rate", axis=alt.Axis(format=".0%", tickCount=10), scale=alt.Scale(domain=[0, 1]))
    base = alt.Chart(_data(picture))
    bars = base.mark_bar(color=BLUE, binSpacing=3).encode(x=x.bin("binned"), x2="to:Q", y=_counted("problems"))
    middle = base.transform_calculate(middle="(datum.from + datum.to) / 2").transform_filter("datum.problems > 0")
    counts = middle.mark_text(dy=-8, color=INK, fontSize=12).encode(
        x=alt.X("middle:Q"), y="problems:Q", text=alt.Text("problems:Q", format=",d")
    )
    made: Chart = alt.layer(bars, counts, width=WIDTH + LABELS - 30, height=190)
    return made


def lengths(picture: "Picture") -> Chart:
    """A range for each verdict."""
    colour = alt.Color("verdict:N", legend=None, scale=alt.Scale(domain=[*BY_VERDICT], range=list(BY_VERDICT.values())))
    base = alt.Chart(_data(picture)).encode(y=alt.Y("verdict:N", title=None, sort=None, axis=_names(110)), color=colour)
    axis = alt.Axis(format=",d", tickCount=6, grid=True)
    whole = base.mark_rule(strokeWidth=2).encode(x=alt.X("p5:Q", title="tokens", axis=axis), x2="p95:Q")
    half = base.mark_bar(height=12).encode(x="p25:Q", x2="p75:Q")
    middle = base.mark_tick(thickness=4, height=26, opacity=1).encode(x="median:Q")
    made: Chart = alt.layer(whole, half, middle, width=WIDTH + LABELS - 130, height={"step": 36})
    return made


def rewards(picture: "Picture") -> Chart:
    """A panel for each environment, a line in it."""
    steps = [row["step"] for row in picture.values]
    ticks = alt.Axis(format="d", values=_whole(min(steps), max(steps)), grid=False)
    x = alt.X("step:Q", title="training step", axis=ticks, scale=alt.Scale(zero=False, nice=False, padding=8))
    y = alt.Y("mean:Q", title=None, axis=alt.Axis(format=",.7~g", tickCount=4, grid=True, minExtent=30))
    base = alt.Chart().encode(x=x, y=y)
    line = base.mark_line(color=BLUE, strokeWidth=2)
    points = base.mark_point(color=BLUE, filled=True, size=36, opacity=1)
    made: Chart = (
        alt.layer(line, points, width=280, height=120)
        .facet(facet=_panel(picture, "environment"), columns=2, data=_data(picture), spacing=24)
        .resolve_scale(y="independent")
        .resolve_axis(x="independent", y="independent")
    )
    return made


def lag(picture: "Picture") -> Chart:
    """A panel for each kind of lag."""
    base = alt.Chart().encode(x=alt.X("versions:O", title="versions", sort=None, axis=alt.Axis(labelAngle=0)))
    bars = base.mark_bar(color=BLUE, width={"band": 0.8}).encode(y=_counted("attempts"))
    counts = base.mark_text(dy=-8, color=INK, fontSize=12).encode(
        y="attempts:Q", text=alt.Text("attempts:Q", format=",d")
    )
    made: Chart = (
        alt.layer(bars, counts, width=290, height=150)
        .facet(facet=_panel(picture, "panel"), columns=2, data=_data(picture), spacing=24)
        .resolve_scale(x="independent", y="independent")
    )
    return made


CHARTS: Final[dict[str, Callable[["Picture"], Chart]]] = {
    chart.__name__: chart for chart in (funnel, pass_rates, difficulty, lengths, rewards, lag)
}


def _whole(first: int, last: int) -> list[int]:
    """Whole numbers at round places, at most seven."""
    step = next(n * 10**power for power in range(20) for n in (1, 2, 5) if (last - first) / (n * 10**power) <= 6)
    return list(range(-(-first // step) * step, last + 1, step))


def _counted(name: str) -> alt.Y:
    """An axis of counts, with room above for the count of the highest bar."""
    return alt.Y(f"{name}:Q", title=name, axis=alt.Axis(format=",d", tickCount=3, tickMinStep=1, grid=True))


def _names(width: int = LABELS, label: str = "datum.label") -> alt.Axis:
    """Names beside bars, in a column of that width."""
    return alt.Axis(
        labelLimit=width, minExtent=width, maxExtent=width, labelExpr=label, labelPadding=9, grid=False, ticks=False
    )


def _panel(picture: "Picture", name: str) -> alt.Facet:
    """A panel for each value, in order, its name above it."""
    order = list(dict.fromkeys(row[name] for row in picture.values))
    header = alt.Header(labelOrient="top", labelAnchor="start", labelAngle=0)
    return alt.Facet(f"{name}:N", title=None, sort=order, header=header)


def _data(picture: "Picture") -> alt.InlineData:
    return alt.InlineData(values=picture.values)
