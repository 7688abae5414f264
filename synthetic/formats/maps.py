"""Column maps: a log format in ten lines of TOML, for logs of flat rows that no file here reads.

    name = "my-trainer"
    keys = ["question", "generation", "score"]     # a line that has these is of this format

    [columns]                                      # column of the record = where it stands in the line
    prompt = "question"
    response = "generation"
    reward = "score"
    recorded_verdict = "judge.correct"
    ground_truth = "answer"
    trace_id = { template = "{id}-{sample}" }
    step = { file = "step_([0-9]+)" }

`docs/logs/maps.md` says all that can stand in one. Maps that ship are `pipelines/maps/*.toml`; another one is named
with `--format my-map.toml`.
"""

import re
import tomllib
from functools import partial
from pathlib import Path

import msgspec

from synthetic.errors import UnreadableLog
from synthetic.formats.column_map import Map, mistakes
from synthetic.formats.format import TEXT_BYTES, Format, Source, readable
from synthetic.formats.line import keys
from synthetic.formats.mapped import parse
from synthetic.resources import folder

NAMED = r"\.(jsonl|ndjson|json|parquet)(\.gz|\.zst)?"
"""Files that may be logs of a map that does not say which."""


def load(path: Path) -> Format:
    """The format that a map's file describes. Raises `UnreadableLog`, which says what is wrong in it."""
    try:
        read = msgspec.convert(tomllib.loads(path.read_text("utf-8")), Map)
    except (OSError, ValueError) as error:
        raise UnreadableLog(f"{path}: {error}", hint="see docs/logs/maps.md for what a map may hold") from error
    for wrong in mistakes(read):
        raise UnreadableLog(f"{path}: {wrong}", hint="see docs/logs/maps.md for what a map may hold")
    return _format(read)


def shipped() -> list[Format]:
    """The maps that ship, in the order of their names."""
    return [load(path) for path in sorted((folder("pipelines") / "maps").glob("*.toml"))]


def _format(read: Map) -> Format:
    named = re.compile(rf"(?:^|/)(?:{read.files})(?:\.gz|\.zst)?\Z" if read.files else rf"{NAMED}\Z")

    def source(path: Path, root: Path, *, loose: bool) -> Source:
        said = {"framework": read.framework or read.name, "kind": read.kind, "run_name": readable(root.name)}
        return Source(path, root, made, facts=said, loose=loose)

    def find(path: Path) -> Source | None:
        if not named.search(path.as_posix()) or len(path.parents) <= read.up:
            return None
        return source(path, path.parents[read.up], loose=read.files is None)

    def by_hand(path: Path) -> Source:
        return source(path, path.parent, loose=True)

    def recognises(line: bytes) -> bool:
        found = set(keys(line))
        has_all = all(not found.isdisjoint([key] if isinstance(key, str) else key) for key in read.keys)
        return has_all and found.isdisjoint(read.without)

    choices = ([key] if isinstance(key, str) else key for key in read.keys)
    needed = ", ".join(" or ".join(f"`{key}`" for key in each) for each in choices)
    without = f", and not {', '.join(f'`{key}`' for key in read.without)}" if read.without else ""
    made = Format(
        name=read.name,
        title=read.title,
        selected=read.selected,
        detected_by=f"{'the name, and ' * bool(read.files)}lines with {needed}{without}",
        looked_for=read.named or read.files or "*.jsonl, *.json, *.parquet",
        find=find,
        recognises=recognises,
        parse=partial(parse, read),
        by_name=False,
        by_hand=by_hand,
        text_bytes=TEXT_BYTES if read.line == "attempt" and read.within is None else 4 * TEXT_BYTES,
    )
    return made
