"""Rows and ranges on their way into a shard: what `capture` has read and not committed yet."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any  # of xxhash

import pyarrow as pa
import xxhash

from synthetic.formats import Source
from synthetic.shard import Writer
from synthetic.store import SCHEMAS, Log, Range

GROUP_BYTES = 32_000_000
"""Row groups of a shard are at most so large: each is compressed while the next one is read."""

MOST_FRAMES = 32
"""So many frames wait to be written at most."""


@dataclass
class Draft:
    """One shard in the making."""

    kind: str
    run: str
    path: Path
    """Where it is written, until it has its number."""
    aside: ThreadPoolExecutor | None = None
    """One thread that writes; None: the caller's own. Compressing and hashing let other threads run."""
    ranges: list[Range] = field(default_factory=list)
    bad: list[bytes] = field(default_factory=list)
    rows: int = 0
    _writer: Writer | None = None
    _writing: deque["Future[None]"] = field(default_factory=deque)

    def add(self, frame: pa.RecordBatch) -> None:
        """Write rows. Raises `CannotWrite`."""
        self._writer = self._writer or Writer(self.path, SCHEMAS[self.kind], GROUP_BYTES, xxhash.xxh3_128)
        self.rows += frame.num_rows
        if self.aside is None:
            self._writer.add(frame)
            return
        self._writing.append(self.aside.submit(self._writer.add, frame))
        while self._writing and (self._writing[0].done() or len(self._writing) > MOST_FRAMES):
            self._writing.popleft().result()

    def finish(self, meta: Callable[[int, str], bytes]) -> None:
        """Make the file whole and durable. Raises `CannotWrite`."""
        while self._writing:
            self._writing.popleft().result()
        with self._writer or Writer(self.path, SCHEMAS[self.kind], GROUP_BYTES, xxhash.xxh3_128) as writer:
            writer.finish(meta)

    def give_up(self) -> None:
        """Leave nothing of the file."""
        for each in self._writing:
            each.cancel()
        wait(self._writing)
        if self._writer:
            with self._writer:  # unfinished, it goes
                pass


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
        self.end += length
        if line is None:
            self.hash, self.ahead = self.ahead, None
        # A last line without a newline has its own length; a record has length 1 and is hashed with a newline.
        ended = line is None or not length == len(line) > 1
        self.hash.update(line or b"")
        self.hash.update(b"\n" if ended else b"")

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
