"""Rows and ranges on their way into a shard: what `capture` has read and not committed yet."""

from dataclasses import dataclass, field
from typing import Any  # JSON values

import pyarrow as pa
import xxhash

from synthetic.columns import batches
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
    frames: list[pa.RecordBatch] = field(default_factory=list)
    bad: list[bytes] = field(default_factory=list)
    pending_bytes: int = 0
    bytes: int = 0

    def gather(self) -> None:
        """Turn rows into a frame."""
        self.frames += batches(SCHEMAS[self.kind].arrow, self.rows)
        self.rows, self.pending_bytes = [], 0


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
