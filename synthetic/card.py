"""The card: README.md, CHANGELOG.md and croissant.json, rendered from a release's manifest, numbers and recipe.

One template for each section stands in `data_cards/`; `card.md.jinja` puts them in order. What a log wrote (names,
reasons, sampling parameters) cannot change the card: every value that a template prints and that is not `Markdown` made
here becomes a code span (`code`), in which Markdown, HTML, links and table cells are inert. A value that is missing and
that the template does not name as missing (`known`, `named`) stops the release.
"""

import html
import math
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final  # Any: values of JSON

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError

from synthetic import croissant, plain, plots
from synthetic.errors import BrokenRelease
from synthetic.manifest import Config, Kept, Manifest
from synthetic.plain import visible
from synthetic.recipe import Recipe
from synthetic.record import Json, canonical_json, schema
from synthetic.resources import folder

LONGEST: Final = 240
"""Characters of a log's own text that are shown; what is cut off is marked with …"""
MOST: Final = 50
"""Rows of a table that lists what logs name; the rest are counted beneath it."""

# The Hub's own words; a log's framework becomes a tag only when it is one of these.
FRAMEWORKS = ("prime-rl", "verifiers")
SIZES = {10**3: "n<1K", 10**4: "1K<n<10K", 10**5: "10K<n<100K", 10**6: "100K<n<1M", 10**7: "1M<n<10M"}
BIGGER = {10**8: "10M<n<100M", 10**9: "100M<n<1B"}


class Markdown(str):
    """Text that is Markdown already: written here or in a schema, never by a log."""


def texts(manifest: Manifest, numbers: Mapping[str, Json], recipe: Recipe) -> dict[str, str]:
    """The texts of a release by path. Raises `BrokenRelease` when one needs a value that is missing."""
    return {
        "README.md": render(manifest, numbers, recipe),
        "CHANGELOG.md": changelog(manifest, numbers, recipe),
        croissant.PATH: croissant.text(manifest, numbers, recipe),
    }


def render(manifest: Manifest, numbers: Mapping[str, Json], recipe: Recipe) -> str:
    """README.md. `numbers` are those of `stats.numbers` for the release's configs. Raises `BrokenRelease`."""
    front = Markdown(front_matter(manifest, numbers))
    shown = pictures(manifest, numbers)
    said = {"manifest": manifest, "numbers": numbers, "recipe": recipe}
    return _filled("card.md.jinja", front_matter=front, pictures=shown, **said)


def pictures(manifest: Manifest, numbers: Mapping[str, Json]) -> dict[str, list[Markdown]]:
    """The pictures of a release as HTML, by the template that shows them; none where nothing drew them."""
    found: dict[str, list[Markdown]] = {}
    if manifest.made_with.keys() >= set(plots.PACKAGES):
        for each in plots.of(numbers, manifest.configs):
            # On one line, and every name in it made visible: no blank line ends the block of HTML.
            image = f'<p><img src="{each.paths[0]}" alt="{html.escape(each.alt)}"></p>\n'
            found.setdefault(each.section, []).append(Markdown(image))
    return found


def changelog(manifest: Manifest, numbers: Mapping[str, Json], recipe: Recipe) -> str:
    """CHANGELOG.md: what this version holds."""
    return _filled("changelog.md.jinja", manifest=manifest, numbers=numbers, recipe=recipe)


def compat(
    manifest: Manifest,
    kind: str,
    columns: Mapping[str, str],
    rows: int,
    left_out: Mapping[str, int],
    splits: Sequence[str],
) -> str:
    """README.md of a table in the columns of a published one (`compat`)."""
    from huggingface_hub import DatasetCardData

    data = DatasetCardData(
        pretty_name=f"{manifest.name} ({kind})",
        license=manifest.license,
        task_categories=["text-generation"],
        size_categories=next((size for limit, size in (SIZES | BIGGER).items() if rows < limit), "n>1B"),
        tags=["synthetic", "reasoning", "reasoning-traces", "rlvr"],
        configs=[
            {
                "config_name": "default",
                "data_files": [{"split": split, "path": f"data/{split}-*.parquet"} for split in splits],
            }
        ],
    )
    said = {"manifest": manifest, "kind": kind, "columns": columns, "rows": rows, "left_out": left_out}
    return _filled("compat.md.jinja", front_matter=Markdown(data.to_yaml(line_break="\n") + "\n"), **said)


def taskset(manifest: Manifest, name: str, rows: int, left_out: Mapping[str, int]) -> str:
    """README.md of the problems of a release as a package (`taskset`)."""
    return _filled("taskset.md.jinja", manifest=manifest, name=name, rows=rows, left_out=left_out)


def front_matter(manifest: Manifest, numbers: Mapping[str, Json]) -> str:
    """The YAML that the Hub and `datasets` read. Nothing in it was written by a log.

    Bytes in `dataset_info` are those of the files: what rows take in memory depends on the reader.
    """
    from huggingface_hub import DatasetCardData

    seen = {run["framework"] for run in numbers["runs"]}
    rows = numbers["configs"]["traces"]["rows"]
    data = DatasetCardData(
        pretty_name=manifest.name,
        license=manifest.license,
        task_categories=["text-generation", "reinforcement-learning"],
        size_categories=next((size for limit, size in (SIZES | BIGGER).items() if rows < limit), "n>1B"),
        annotations_creators=["machine-generated"],
        language_creators=["machine-generated"],
        tags=["synthetic", "reasoning", "reasoning-traces", "rlvr", *(name for name in FRAMEWORKS if name in seen)],
        configs=[
            {
                "config_name": name,
                "data_files": [{"split": s, "path": f"data/{name}/{s}-*.parquet"} for s in config.splits],
            }
            | ({"default": True} if name == manifest.default else {})
            for name, config in manifest.configs.items()
        ],
        dataset_info=[_info(name, config) for name, config in manifest.configs.items()],
    )
    return data.to_yaml(line_break="\n") + "\n"


def _info(name: str, config: Config) -> dict[str, Json]:
    """What `datasets` knows of a config before it reads it: columns, rows and bytes."""
    size = {split: sum(data.bytes for data in config.files if data.split == split) for split in config.splits}
    return {
        "config_name": name,
        "features": [_feature(field) for field in schema(config.schema).arrow],
        "splits": [
            {"name": split, "num_bytes": size[split], "num_examples": rows} for split, rows in config.splits.items()
        ],
        "download_size": sum(size.values()),
        "dataset_size": sum(size.values()),
    }


def _feature(field: Any) -> dict[str, Json]:
    """A column as `datasets` writes it. `field` is one of pyarrow's."""
    import pyarrow as pa

    if pa.types.is_list(field.type):
        inner = _feature(field.type.value_field)
        return {"name": field.name, "list": inner.get("struct") or inner.get("dtype") or inner["list"]}
    if pa.types.is_struct(field.type):
        return {"name": field.name, "struct": [_feature(each) for each in field.type]}
    names = {"double": "float64", "float": "float32"}
    return {"name": field.name, "dtype": names.get(str(field.type), str(field.type))}


# ---- what a log wrote, made safe


def code(text: str) -> Markdown:
    """A code span that shows the text on one line, in a table cell too, and can do nothing else.

    What cannot be seen (newlines, control and bidirectional characters, lone surrogates) is shown as an escape, and so
    a backslash is doubled; the fence is longer than any run of backticks inside.
    """
    line = visible(text[:LONGEST]) + ("…" if len(text) > LONGEST else "")
    if not line or line != line.strip():
        line = f'"{line}"'
    fence = "`" * (1 + max(map(len, re.findall("`+", line)), default=0))
    space = " " if "`" in (line[0], line[-1]) else ""
    # A table ends its cells at pipes before it looks for code. Backslashes come in pairs here, so this one counts.
    return Markdown(fence + space + line.replace("|", "\\|") + space + fence)


def block(text: str, language: str) -> Markdown:
    """A fenced block of the text's lines, each made visible."""
    lines = ["".join(c if c == "\\" else plain.shown(c) for c in line) for line in text.split("\n")]
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return Markdown("\n".join([fence + language, *lines, fence]))


def prose(text: str) -> Markdown:
    """A paragraph of the recipe's author as plain text: its Markdown is shown, not followed."""
    line = " ".join("".join(c if c.isspace() else plain.shown(c) for c in text).split())
    line = re.sub(r"[`*_\[\]<>#|~&$]", r"\\\g<0>", line)
    # At the head of a line these begin a list or underline a heading.
    return Markdown(re.sub(r"^(\d*)([-+=.)])", r"\1\\\2", line))


def word(text: str) -> Markdown:
    """A name, version or hash that needs no escaping anywhere. Raises `BrokenRelease` when it would."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]*", text):
        raise BrokenRelease(f"the card cannot show {text!r} here: letters, digits, '.', '_', '+' and '-' only")
    return Markdown(text)


# ---- values


def shown(value: Json) -> str:
    """A value as templates print it: numbers grouped by thousands, text as a code span. Raises when there is none."""
    if isinstance(value, Markdown):
        return value
    if isinstance(value, StrictUndefined | str):
        return code(str(value))
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise BrokenRelease(f"the card has no text for the value {value!r}")
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def known(value: Json) -> str:
    """A number, or that it is unknown."""
    return Markdown("unknown" if value is None else shown(value))


def named(value: str | None) -> str:
    """A name, or that the log has none."""
    return Markdown("*not recorded*" if value is None else shown(value))


def share(part: float, whole: float) -> str:
    """A part of a whole in percent; a share of nothing is unknown."""
    return Markdown(f"{100 * part / whole:.1f} %" if whole else "unknown")


def percent(value: float | None) -> str:
    """A rate in percent."""
    return Markdown("unknown" if value is None else f"{100 * value:.1f} %")


def plural(count: int, one: str, many: str | None = None) -> str:
    """`1 row`, `2 rows`."""
    return Markdown(f"{shown(count)} {one if count == 1 else many or one + 's'}")


def agree(count: int, one: str, many: str) -> str:
    """The word that goes with a count: `is`, `are`."""
    return Markdown(one if count == 1 else many)


def span(first: Json, last: Json) -> str:
    """`3`, `1 to 3`, or that it was not recorded."""
    if first is None or last is None:
        return Markdown("*not recorded*")
    return Markdown(shown(first) if first == last else f"{shown(first)} to {shown(last)}")


def listed(values: list[str]) -> str:
    """Names, separated by commas."""
    more = [f"{len(values) - MOST} more"] if len(values) > MOST else []
    return Markdown(", ".join([*(shown(value) for value in values[:MOST]), *more]) or "*not recorded*")


def ours(text: str) -> str:
    """A sentence of a schema or a view, which is Markdown."""
    return Markdown(text.replace("|", "\\|"))


def more(rows: list[Any]) -> str:
    """What a table of `MOST` rows leaves out."""
    left = len(rows) - MOST
    return Markdown(f"\n{shown(left)} more are in `release/reports/stats.json`.\n" if left > 0 else "")


def in_order(dropped: list[dict[str, Json]], funnel: list[Kept]) -> list[dict[str, Json]]:
    """The counted rules of a config in the order in which they were applied."""
    order = [step.rule.partition(" ")[0] for step in funnel]
    return sorted(dropped, key=lambda step: order.index(step["rule"]) if step["rule"] in order else len(order))


def same_columns(configs: Mapping[str, Config]) -> list[tuple[list[str], Config]]:
    """Configs put together when they have one schema."""
    together: dict[str, list[str]] = {}
    for name, config in configs.items():
        together.setdefault(config.schema, []).append(name)
    return [(names, configs[names[0]]) for names in together.values()]


def ways(recipe: Recipe, configs: Mapping[str, Config], rule: str) -> list[dict[str, Any]]:  # Any: settings
    """With which settings a rule was applied, defaults among them; and `configs`, to which configs."""
    found: dict[str, dict[str, Any]] = {}
    for config in configs:
        for use in recipe.rules(config):
            if use.name == rule:
                held = {**use.stage.defaults, **use.settings}
                found.setdefault(canonical_json(held), held | {"configs": []})["configs"].append(config)
    return list(found.values())


def missed(alike: float, bands: int, slots: int) -> float:
    """The share of pairs of this Jaccard similarity that bands do not find."""
    from synthetic.alike.bands import chance

    return 1 - chance(alike, bands=bands, rows=slots)


@cache
def _environment() -> Environment:
    # Markdown, not HTML: `shown` does the escaping, for every value that is printed.
    environment = Environment(  # noqa: S701
        loader=FileSystemLoader(folder("data_cards")),
        undefined=StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    filters = (agree, block, in_order, known, listed, named, ours, percent, plural, prose, word)
    environment.filters |= {function.__name__: function for function in filters}
    functions = (missed, more, same_columns, share, span, ways)
    environment.globals |= {"MOST": MOST} | {function.__name__: function for function in functions}
    return environment


def _filled(template: str, **values: Any) -> str:  # Any: whatever the templates read
    try:
        text = _environment().get_template(template).render(**values)
    except TemplateError as error:
        raise BrokenRelease(f"the card cannot be written: {error}") from error
    return re.sub(r"\n{3,}", "\n\n", text).rstrip() + "\n"
