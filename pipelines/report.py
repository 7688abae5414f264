"""What an analysis script needs around its numbers: rows to read, tables to print, charts to save.

    rows, where = report.read(path)                  a store or a release, lazily
    report.table(console, "Lag", frame)              every column of a frame, rates and means rounded
    report.save({"lag": chart}, Path("lag.svg"))     .svg or .png: all charts in one file; a folder: one file each

Charts are drawn with altair, which `pip install 'synthetic-traces[plots]'` brings. A .svg has no background, and every
colour in it has a contrast of at least 3.5 to white and to near black, so that one file is right on both. A .png is
white: vl-convert 1.9 writes half-transparent colours too dark, so that a band has to lie on something.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import polars as pl
from rich.console import Console
from rich.table import Table

import synthetic
from synthetic.errors import CannotWrite, SyntheticError

if TYPE_CHECKING:
    import altair as alt

    Chart: TypeAlias = alt.FacetChart | alt.VConcatChart

INK = "#797979"
"""Text and lines: as far from white as from near black."""

COLOURS = ("#2f81c8", "#cf6b12", "#1f9268", "#a25fc4", "#d2533f", "#9a7d1a", "#158e9b", "#d0508a", "#6f7fd6")
"""Series, in order."""

PANEL = {"width": 210, "height": 120}
ACROSS = 4
"""Panels beside each other."""


# ---- reading


def read(path: Path) -> tuple[pl.LazyFrame, str]:
    """The rows of a release's `traces` or of a store, and which it is: `release` or `store`.

    Raises `SyntheticError` where there is neither.
    """
    published = sorted((path / "data" / "traces").glob("*.parquet"))
    if published:
        return pl.scan_parquet(published, glob=False), "release"
    if not (path / "shards").is_dir():
        raise SyntheticError(f"{path}: neither a store (no folder 'shards') nor a release (no data/traces/*.parquet)")
    return synthetic.scan(path), "store"


def keys(*columns: str) -> list[str]:
    """What rows are grouped by, each once: `kind` first, so that training and evaluation are never added up."""
    return list(dict.fromkeys(("kind", *columns)))


# ---- tables


def console() -> Console:
    """Where tables go; a file or a pipe has no width to fit."""
    screen = Console()
    return screen if screen.is_terminal else Console(width=200)


def table(screen: Console, title: str, frame: pl.DataFrame) -> None:
    """Print a frame: text to the left, numbers to the right, lists a value on a line, null as a dash."""
    drawn = Table(title=title, title_justify="left")
    for name, type in frame.schema.items():
        drawn.add_column(name, justify="right" if type.is_numeric() else "left", overflow="fold")
    for row in frame.iter_rows():
        drawn.add_row(*map(_cell, row))
    screen.print(drawn)


def _cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:,.3f}".rstrip("0").rstrip(".")
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list):
        return "\n".join(map(_cell, value))
    # Rich would read [brackets] in a name as markup.
    return str(value).replace("[", r"\[")


def complain(error: SyntheticError) -> int:
    """Print an error with what would fix it; the exit code."""
    print(error if error.hint is None else f"{error}\n  {error.hint}", file=sys.stderr)
    return 1


# ---- charts


def check_plots(target: Path | None) -> None:
    """Raise `SyntheticError` unless charts can be drawn and saved there; None: no charts are wanted."""
    if target is None:
        return
    try:
        import altair as alt  # noqa: F401
        import vl_convert  # noqa: F401
    except ImportError as error:
        raise SyntheticError(
            f"--plot: charts are drawn with altair and vl-convert, and one of them is missing ({error})",
            hint="pip install 'synthetic-traces[plots]'",
        ) from error
    if target.suffix not in ("", ".svg", ".png") and not target.is_dir():
        raise SyntheticError(f"--plot {target}: a chart is a .svg or .png file; a name without an ending is a folder")


def panels(frame: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """The frame with `panel`: the values of `by` as one text."""
    parts = [pl.col(name).cast(pl.String).fill_null("–") for name in by]
    return frame.with_columns(panel=pl.concat_str(parts, separator=" · ") if parts else pl.lit("all"))


def lines(
    frame: pl.DataFrame,
    *,
    title: str,
    subtitle: str,
    across: str,
    up: str,
    alike: bool,
    from_zero: bool = True,
    percent: bool = False,
) -> "Chart":
    """A line with its band for each series, in a panel for each group; `across` and `up` are the titles of the axes.

    Reads `panel`, `series`, `x` (whole numbers), `middle`, `low`, `high`; `low` and `high` are null where a point has
    no band. `alike`: all panels have one scale, of shares or whole numbers; else each its own.
    """
    import altair as alt

    series = frame["series"].unique(maintain_order=True).to_list()
    # Places by hand: vl-convert 1.9 puts ticks between whole numbers and writes 1, 2, 2, 3, 3.
    ticks = alt.Axis(values=whole_ticks(frame["x"]), format="d", labelOverlap=True)
    x = alt.X("x:Q", title=across, axis=ticks, scale=alt.Scale(zero=False, nice=False, padding=6))
    largest = max(float(n) for n in [*frame["middle"], *frame["high"], 1.0] if n is not None)
    # With a precision of its own; the one that is guessed from the ticks writes 4e+2, and 600m for 0.6.
    axis = alt.Axis(format=".0%" if percent else ",.7~g", tickCount=4, minExtent=34)
    scale = alt.Scale(zero=alike or from_zero)
    if alike and not percent:  # whole numbers have no ticks between them, and where all is 0 a scale to see it on
        scale, axis.values = alt.Scale(domain=[0, largest]), whole_ticks(pl.Series([0.0, largest]), 4)
    middle, low = (alt.Y(f"{end}:Q", title=up, axis=axis, scale=scale) for end in ("middle", "low"))
    # One series needs no legend: the subtitle says what it is.
    legend = alt.Legend(title=None) if len(series) > 1 else None
    colour = alt.Color("series:N", scale=alt.Scale(domain=series, range=COLOURS[: len(series)]), legend=legend)
    marks = ("circle", "diamond", "square", "triangle-up")
    shape = alt.Shape("series:N", scale=alt.Scale(domain=series, range=marks[: len(series)]), legend=legend)
    frame = frame.with_columns(alone=pl.len().over("panel", "series") == 1)
    base = alt.Chart().encode(x=x, color=colour)
    shown = alt.layer(
        base.mark_area(opacity=0.25).encode(y=low, y2="high:Q"),
        # An area needs two points: the band of one is a rule.
        base.mark_rule(opacity=0.5, strokeWidth=3).encode(y=low, y2="high:Q").transform_filter("datum.alone"),
        base.mark_line(strokeWidth=2).encode(y=middle),
        base.mark_point(filled=True, size=44, opacity=1).encode(y=middle, shape=shape),
        **PANEL,
    )
    faceted: alt.FacetChart = (
        shown.facet(facet=alt.Facet("panel:N", title=None), columns=ACROSS, data=_data(frame))
        .resolve_scale(y="shared" if alike else "independent")
        .resolve_axis(x="independent", y="independent")
        .properties(title=alt.Title(title, subtitle=subtitle))
    )
    return faceted


def whole_ticks(values: pl.Series, most: int = 6) -> list[int]:
    """Whole numbers from the smallest to the largest value, at most `most` + 1, at round places: 1, 2, 5, 10, 20 …"""
    first, last = int(values.min()), int(values.max())  # type: ignore[arg-type]
    step = next(n * 10**power for power in range(20) for n in (1, 2, 5) if (last - first) / (n * 10**power) <= most)
    return list(range(-(-first // step) * step, last + 1, step))


def bars(frame: pl.DataFrame, *, first: str, title: str, subtitle: str) -> "Chart":
    """Shares that add up to 1, a bar for each `row`, a panel for each `panel`; `first` is the part to the left.

    Reads `panel`, `row`, `part`, `share`, `rows`.
    """
    import altair as alt

    parts = [first, *sorted(set(frame["part"]) - {first})]
    colours = [COLOURS[2], *(colour for place, colour in enumerate(COLOURS) if place != 2)]
    across = alt.X(
        "share:Q",
        title="share of rows",
        stack="zero",
        axis=alt.Axis(format=".0%", tickCount=4),
        scale=alt.Scale(domain=[0, 1]),
    )
    shown = (
        alt.Chart()
        .mark_bar(height={"band": 0.75})
        .encode(
            x=across,
            y=alt.Y("row:N", title=None, axis=alt.Axis(grid=False)),
            color=alt.Color(
                "part:N",
                legend=alt.Legend(title=None, columns=8),
                scale=alt.Scale(domain=parts, range=[colours[place % len(colours)] for place in range(len(parts))]),
            ),
            order=alt.Order("place:Q"),
        )
        .properties(width=330, height={"step": 24})
    )
    frame = frame.with_columns(place=pl.col("part").replace_strict(parts, list(range(len(parts)))))
    faceted: alt.FacetChart = (
        shown.facet(facet=alt.Facet("panel:N", title=None), columns=2, data=_data(frame))
        .resolve_axis(x="independent", y="independent")
        .properties(title=alt.Title(title, subtitle=subtitle))
    )
    return faceted


def save(charts: "Mapping[str, Chart]", target: Path) -> list[Path]:
    """Write the charts, and give the files: one file of all, or in a folder a .svg of each, by its name.

    Raises `SyntheticError` when there is none, `CannotWrite`.
    """
    import altair as alt

    if not charts:
        raise SyntheticError(f"--plot {target}: nothing to draw", hint="the counts, without --plot, show what is known")
    if target.suffix and not target.is_dir():
        together = alt.vconcat(*charts.values(), spacing=36).resolve_scale(
            color="independent", shape="independent", x="independent", y="independent"
        )
        files = {target: together}
    else:
        files = {target / f"{name}.svg": chart for name, chart in charts.items()}
    try:
        for path, chart in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(path.name + ".tmp")
            if path.suffix == ".png":
                _styled(chart, "white").save(str(temporary), format="png", scale_factor=2)
            else:
                _styled(chart, "transparent").save(str(temporary), format="svg")
            temporary.replace(path)
    except OSError as error:
        raise CannotWrite(f"{target}: {error.strerror or error}", hint="choose another place for --plot") from error
    return list(files)


def _data(frame: pl.DataFrame) -> "alt.InlineData":
    # Values in the chart itself: a frame would be refused beyond 5,000 rows.
    import altair as alt

    return alt.InlineData(values=frame.to_dicts())


def _styled(chart: "Chart", background: str) -> "Chart":
    font = "Helvetica, Arial, sans-serif"
    text = {"labelColor": INK, "titleColor": INK, "labelFontSize": 12, "titleFontSize": 11, "titleFontWeight": "normal"}
    line = {"domainColor": INK, "tickColor": INK, "gridColor": INK, "gridOpacity": 0.25}
    styled: Chart = (
        chart.configure(background=background, font=font, padding=12)
        .configure_view(stroke=None)
        .configure_axis(**text, **line)
        .configure_header(labelColor=INK, labelFontSize=13, labelFontWeight="bold", labelPadding=6)
        .configure_legend(labelColor=INK, labelFontSize=12, orient="top", direction="horizontal", symbolOpacity=1)
        .configure_title(
            color=INK, fontSize=16, anchor="start", subtitleColor=INK, subtitleFontSize=12, offset=14, frame="group"
        )
    )
    return styled
