"""A log whose records are no lines, as lines: rows of a Parquet file, elements of a JSON array.

A file that cannot be opened raises; one that is damaged further on gives the records before the damage. Positions
count records. Memory is bounded by a batch of rows or an element.
"""

import codecs
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, TypeAlias

import msgspec
import pyarrow as pa
import xxhash

from synthetic.errors import UnreadableLog
from synthetic.formats.file import (
    CHUNK_BYTES,
    LONGEST_LINE_BYTES,
    Reading,
    Text,
    bare,
    is_blank,
    open_regular,
    unheard,
)
from synthetic.formats.parquet import rows
from synthetic.formats.pieces import Pieces

_SPACES = bytes.maketrans(b"\r\n", b"  ")

Records: TypeAlias = Callable[[BinaryIO, int], Iterator[bytes]]
"""From an open file and the number of the first record wanted, the records as JSON."""


class Whole:
    """The records of a file that is whole, read once from the front."""

    def __init__(self, path: Path, records: Records, *, told: Callable[[BinaryIO], list[str]] | None = None) -> None:
        self.path, self._records, self._told = path, records, told
        self.broken: str | None = None
        """Why reading stopped before the end of the file, if it did."""
        self._file = open_regular(path)
        self.at = 0
        """Records read so far."""

    def __enter__(self) -> "Whole":
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    @property
    def told(self) -> list[str]:
        """What of the file is no record and was left out, in words."""
        return self._told(self._file) if self._told else []

    def skip(self, start: int, end: int) -> str | None:
        """Go to record `end` and give the xxh3-128 of the lines from `start`; None when there are fewer."""
        hashed = xxhash.xxh3_128()
        for position, line, _ in self.lines(start):
            hashed.update(line + b"\n")
            if position + 1 == end:
                return hashed.hexdigest()
        return None

    def lines(self, start: int, too_long: Callable[[bytes], None] = unheard) -> Iterator[tuple[int, bytes, int]]:
        """Every record from number `start` on: its number, its JSON, 1. Raises `UnreadableLog`, when it gives none."""
        self.at = start
        try:
            for line in self._records(self._file, start):
                self.at += 1
                yield self.at - 1, line, 1
        except (pa.ArrowException, msgspec.MsgspecError, OSError, ValueError, TypeError, LookupError) as error:
            why = str(error).partition("\n")[0]
            if self.at == start:
                raise UnreadableLog(f"{self.path}: not a whole file ({why})") from error
            self.broken = f"{self.path.name}: reading stopped before its end ({why})"


def elements(file: BinaryIO, start: int) -> Iterator[bytes]:
    """The elements of a JSON array; in place of one that is longer than a line may be, a JSON text that says so.

    Read in chunks: a file that is mapped and cut while it is read ends the process.
    """
    file.seek(0)
    pieces = Pieces(_chunks(file))
    for number in pieces.elements():
        kept = _Kept()
        pieces.value(kept.take if number >= start else None)
        if number >= start:
            yield one_line(kept.value())
    if pieces.peek():
        raise ValueError("more stands behind the array")


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    first = True
    while chunk := file.read(CHUNK_BYTES):
        yield chunk.removeprefix(codecs.BOM_UTF8) if first else chunk
        first = False


class _Kept:
    """An element in the making."""

    def __init__(self) -> None:
        self._bytes, self._size = io.BytesIO(), 0

    def take(self, piece: bytes) -> None:
        """Add a piece; what is too much is forgotten."""
        self._size += len(piece)
        if self._size <= LONGEST_LINE_BYTES:
            self._bytes.write(piece)

    def value(self) -> bytes:
        """What was taken."""
        if self._size > LONGEST_LINE_BYTES:
            return b'"an element of %d bytes"' % self._size
        return self._bytes.getvalue()


def one_line(document: bytes) -> bytes:
    """A JSON document without newlines between its parts: JSON allows none within strings."""
    return document.translate(_SPACES) if b"\n" in document or b"\r" in document else document


def open_log(path: Path) -> Reading:
    """A log by its first bytes: Parquet, a JSON array, or text, plain or compressed."""
    with open_regular(path) as file:
        first = file.readline(CHUNK_BYTES)
        more = file.read(4096).strip()
    if first.startswith(b"PAR1"):
        return Whole(path, rows)
    if path.suffix == ".parquet":
        raise UnreadableLog(
            f"{path}: no Parquet file: it begins with {first[:8]!r}", hint="name it after what it holds"
        )
    if first.lstrip(b"\xef\xbb\xbf \t").startswith(b"[") and not (more and _is_json(first)):
        return Whole(path, elements)
    return Text(path)


def _is_json(text: bytes) -> bool:
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except msgspec.MsgspecError:
        return False
    except RecursionError:
        pass  # deep, and so far no mistake
    return True


def whole_lines(reading: Reading) -> Iterator[bytes]:
    """The whole lines of a log that are not blank, bare; empty for one too long to be kept. Raises `UnreadableLog`."""
    with reading:
        for offset, line, _ in reading.lines(0):
            if line is None:
                yield b""
            elif not is_blank(line := bare(line, offset)):
                yield line


def first_line(reading: Reading) -> bytes | None:
    """The first whole line that is not blank; None when there is none yet. Raises `UnreadableLog`."""
    return next(whole_lines(reading), None)
