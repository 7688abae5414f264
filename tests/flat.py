"""Logs of flat records for tests: captured rows beside the raw lines that they come from."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any  # JSON values and rows

import synthetic
from synthetic.formats.find import find
from synthetic.formats.format import Place
from synthetic.formats.line import repaired
from synthetic.formats.rows import traces
from synthetic.record import digest
from tests.releases import ROOT

Row = dict[str, Any]

LOGS = ROOT / "tests" / "logs"
SAMPLES = ROOT.parent / "shared" / "samples" / "other"

JSON = ("verification_result", "metrics", "extra", "errors")


def expected(framework: str) -> dict[str, Any]:
    """For each log of a framework, what an independent reading of it found, by folder and name."""
    return {
        f"{file.parent.name}/{name}": found
        for file in sorted((LOGS / framework).glob("*/expected.json"))
        for name, found in json.loads(file.read_text("utf-8")).items()
    }


def rows(store: Path) -> list[Row]:
    """The rows of a store in the order of their logs, JSON read."""
    frame = synthetic.scan(store).collect().sort("log_file", "log_offset", maintain_order=True)
    return [_read(row) for row in frame.iter_rows(named=True)]


def read(path: Path) -> Iterator[tuple[Any, Row]]:
    """Each line of a log, as JSON, and its row. Values that JSON has no word for are null."""
    (source,) = find(path).sources
    with source.format.open(path) as log:
        for position, line, _ in log.lines(0):
            assert line is not None
            place = Place(source.name, position, digest(line))
            strict, gone = repaired(line)
            (row,) = traces(source.format.parse(strict, source, place), place, gone)
            yield json.loads(strict), _read(row)


def _read(row: Row) -> Row:
    return row | {name: json.loads(row[name]) for name in JSON if row[name] is not None}


def found_in(row: Row, name: str, value: Any) -> bool:
    """Whether what a line says under a name stands in the row: as a number, as a word, or as it was."""
    scores = {scorer["name"]: scorer["score"] for scorer in row["rewards"] or ()}
    held = [(row[part] or {}) for part in ("metrics", "verification_result", "extra")]
    is_number = value is None or isinstance(value, int | float)
    return (is_number and name in scores and scores[name] == value) or any(
        name in part and part[name] == value for part in held
    )
