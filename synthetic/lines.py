"""A stretch of a log's lines, taken apart: their rows as Arrow holds them, and what was set aside.

A pure function of the lines, where they stand and what the log's source says: it does not matter in which process they
are taken apart.
"""

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple  # Any: JSON values

import msgspec
import pyarrow as pa

from synthetic.columns import batches
from synthetic.formats import BadLine, Place, Source, repaired
from synthetic.formats.file import bare, is_blank
from synthetic.formats.glued import pieces
from synthetic.formats.line import NotJSON
from synthetic.formats.rows import late_facts, token_arrays, traces
from synthetic.record import digest, kinds

# A log may hold anything, in any place: whatever a format or the record's schema trips over is a bad line.
BAD = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError, msgspec.MsgspecError)


class Line(NamedTuple):
    """A whole line of a log."""

    offset: int
    text: bytes | None
    """As it stands in the log, without its newline; None: too long to be kept."""
    length: int
    """How far it goes; with its newline, where it has one."""


@dataclass
class Lines:
    """Lines that stand together in a log."""

    kind: str
    """What is taken from them: `traces`, `annotations` or `tokens`."""
    source: Source
    number: int
    """Lines that stand before them in the log, but blank ones."""
    lines: list[Line] = field(default_factory=list)
    count: int = 0
    """How many of them are not blank."""
    bytes: int = 0

    def add(self, line: Line) -> None:
        """One more line."""
        self.lines.append(line)
        self.count += line.text is None or not is_blank(bare(line.text, line.offset))
        self.bytes += len(line.text or b"")


class Bad(NamedTuple):
    """A line, or a fragment of one, that was set aside."""

    offset: int
    text: bytes
    why: str


@dataclass
class Taken:
    """What lines gave. `lines = captured + quarantined`."""

    lines: int = 0
    """Lines that are not blank; each record and each fragment of one that was glued together is one."""
    captured: int = 0
    rows: int = 0
    """Rows of the kind that was wanted."""
    repaired: int = 0
    bad: list[Bad] = field(default_factory=list)
    frames: list[tuple[str, pa.RecordBatch]] = field(default_factory=list)
    """Rows and their kind: of rollouts there may be late facts, too."""

    @property
    def quarantined(self) -> int:
        """Lines that gave no row."""
        return len(self.bad)


def take(lines: Lines) -> Taken:
    """Take lines apart."""
    try:
        return _Taking(lines.kind, lines.source).run(lines)
    except BAD:  # a value is not of its column's type: who looks at each row finds the line
        return _Taking(lines.kind, lines.source, each=True).run(lines)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keep Python from looking for cycles of references: rows have none, and a tenth of the time went into it."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


class _Taking:
    def __init__(self, kind: str, source: Source, *, each: bool = False) -> None:
        self.kind, self.source, self.taken = kind, source, Taken()
        self.each = each
        """Whether each row is checked by itself. Arrays of many are checked as a whole: a twentieth less work."""
        self.rows: dict[str, list[dict[str, Any]]] = {}

    def run(self, lines: Lines) -> Taken:
        taken = self.taken
        with _uncollected():
            for offset, text, length in lines.lines:
                if text is None:
                    self.set_aside(offset, b"", f"{length} bytes are no line")
                elif not is_blank(said := bare(text, offset)):
                    number = lines.number + taken.lines
                    self.line(said, Place(self.source.name, offset, digest(said), number))
            for kind in sorted(self.rows):
                taken.frames += [(kind, batch) for batch in batches(kinds()[kind].arrow, self.rows.pop(kind))]
        return taken

    def line(self, line: bytes, place: Place) -> None:
        gone: dict[str, str] = {}
        try:
            try:
                given = _given(self.kind, line, self.source, place, gone)
            except (msgspec.DecodeError, UnicodeDecodeError):
                mended, gone = repaired(line)
                given = _given(self.kind, mended, self.source, place, gone)
            if self.each:
                given = {kind: list(map(kinds()[kind].checked, rows)) for kind, rows in given.items()}
        except NotJSON as error:
            self.pieces(line, place, str(error))
            return
        except BAD as error:
            known = isinstance(error, msgspec.MsgspecError) or type(error) is BadLine
            self.set_aside(place.log_offset, line, str(error) if known else f"{type(error).__name__}: {error}")
            return
        for kind, rows in given.items():
            self.rows.setdefault(kind, []).extend(rows)
        self.taken.lines += 1
        self.taken.captured += 1
        self.taken.rows += len(given[self.kind])
        self.taken.repaired += bool(gone)

    def pieces(self, line: bytes, place: Place, why: str) -> None:
        """Take a line that is no JSON apart; each record and each fragment of it counts as a line."""
        parts = pieces(line)
        for number, part in enumerate(parts, start=place.number or 0):
            here = Place(self.source.name, place.log_offset + part.offset, digest(part.line), number)
            if part.whole:
                self.line(part.line, here)
            else:
                self.set_aside(here.log_offset, part.line, f"torn: {why}")
        if not parts:
            self.set_aside(place.log_offset, line, why)

    def set_aside(self, offset: int, line: bytes, why: str) -> None:
        self.taken.lines += 1
        self.taken.bad.append(Bad(offset, line, why))


def _given(
    kind: str, line: bytes, source: Source, place: Place, gone: Mapping[str, str]
) -> dict[str, list[dict[str, Any]]]:
    """What a line gives for shards of that kind, and late facts beside a rollout. Raises one of `BAD`."""
    if len(line) > (most := source.format.text_bytes) and not source.format.tokens:
        raise BadLine(f"{len(line) / 1e6:,.0f} MB in one line; more than {most / 1e6:,.0f} is no rollout")
    if kind == "tokens":
        return {kind: token_arrays(source.format.tokens(line, source, place)) if source.format.tokens else []}
    parsed = source.format.parse(line, source, place)
    late = late_facts(parsed, place, gone)
    if kind == "annotations":
        return {kind: late}
    return {kind: traces(parsed, place, gone)} | ({"annotations": late} if late else {})
