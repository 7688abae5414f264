"""Rows and ranges on their way into a shard: what `capture` has read and not committed yet."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from operator import itemgetter
from typing import Any  # JSON values

import polars as pl
import pyarrow as pa
import xxhash

from synthetic.formats import Source
from synthetic.formats.file import bare, is_blank
from synthetic.store import SCHEMAS, Log, Range


@dataclass
class Draft:
    """Rows on their way into one shard."""

    kind: str
    run: str
    ranges: list[Range] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    frames: list[pl.DataFrame] = field(default_factory=list)
    bad: list[bytes] = field(default_factory=list)
    pending_bytes: int = 0
    bytes: int = 0

    def gather(self) -> None:
        """Turn rows into a frame."""
        if self.rows:
            of = SCHEMAS[self.kind]
            values = zip(*map(itemgetter(*of.names), self.rows), strict=True)
            self.frames.append(pl.DataFrame(list(map(_series, of.names, of.polars.values(), values))))
        self.rows, self.pending_bytes = [], 0


def _series(name: str, dtype: pl.DataType, values: Sequence[Any]) -> pl.Series:
    """Checked values of one column."""
    return pl.Series(name, _array(values, dtype) if isinstance(dtype, pl.List | pl.Struct) else values, dtype)


def _array(values: Sequence[Any], dtype: pl.DataType | pl.datatypes.DataTypeClass) -> pa.Array:
    """Checked values as Arrow holds them.

    Level by level: polars builds a list of structs value by value, and `pa.array` imports pandas first (0.2 s).
    """
    missing = None
    if isinstance(dtype, pl.List | pl.Struct) and None in values:
        missing = _array([value is None for value in values], pl.Boolean)
    if isinstance(dtype, pl.List):
        ends = accumulate((len(value or ()) for value in values), initial=0)
        items = _array([item for value in values for item in value or ()], dtype.inner)
        return pa.LargeListArray.from_arrays(_array(list(ends), pl.Int64), items, mask=missing)
    if isinstance(dtype, pl.Struct):
        names = [member.name for member in dtype.fields]
        whole = values if missing is None else [dict.fromkeys(names) if value is None else value for value in values]
        members = [_array(list(map(itemgetter(member.name), whole)), member.dtype) for member in dtype.fields]
        return pa.StructArray.from_arrays(members, names=names, mask=missing)
    return pl.Series(values=values, dtype=dtype).to_arrow()


@dataclass
class Stretch:
    """A range in the making: whole lines, from `start` to `end`."""

    start: int
    end: int = -1
    lines: int = 0
    captured: int = 0
    quarantined: int = 0
    rows: int = 0
    # xxhash has no public name for its hashers' type
    hash: Any = field(default_factory=xxhash.xxh3_128)
    ahead: Any = None
    """The hash with the pieces of a line that is too long to be kept and has not ended yet."""

    def __post_init__(self) -> None:
        self.end = self.start

    def within(self, piece: bytes) -> None:
        """Go on within a line that is too long to be kept."""
        self.ahead = self.ahead or self.hash.copy()
        self.ahead.update(piece)

    def add(self, line: bytes | None, length: int) -> None:
        """Go on by one line; None for the one whose pieces were given before."""
        start = self.end
        self.end += length
        if line is None:
            self.hash, self.ahead = self.ahead, None
        # A last line without a newline has its own length; a record has length 1 and is hashed with a newline.
        ended = line is None or not length == len(line) > 1
        self.hash.update(line or b"")
        self.hash.update(b"\n" if ended else b"")
        self.lines += line is None or not is_blank(bare(line, start))

    def range(self, log: Log, generation: int, source: Source) -> Range:
        """The range as it stands in a footer."""
        return Range(
            *log,
            generation=generation,
            start=self.start,
            end=self.end,
            digest=self.hash.hexdigest(),
            lines=self.lines,
            captured=self.captured,
            quarantined=self.quarantined,
            rows=self.rows,
            format=source.format.name,
        )
