"""A log whose records are no lines, as lines: rows of a Parquet file, elements of a JSON array.

A file that cannot be opened raises; one that is damaged further on gives the records before the damage. Positions
count records. Memory is bounded by a batch of rows; an array is mapped, not read.
"""

import base64
import json
import mmap
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias  # Any: values of a Parquet file
from uuid import UUID

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from synthetic.errors import UnreadableLog
from synthetic.formats.file import CHUNK_BYTES, Reading, Text, bare, is_blank, open_regular, unheard

BATCH_ROWS = 64
"""Rows of a Parquet file that are turned to lines at once."""

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
        except (pa.ArrowException, msgspec.MsgspecError, OSError, ValueError) as error:
            why = str(error).partition("\n")[0]
            if self.at == start:
                raise UnreadableLog(f"{self.path}: not a whole file ({why})") from error
            self.broken = f"{self.path.name}: reading stopped before its end ({why})"


def rows(file: BinaryIO, start: int, columns: Callable[[str], bool] = lambda name: True) -> Iterator[bytes]:
    """The rows of a Parquet file, with the columns that are wanted."""
    table = pq.ParquetFile(file, buffer_size=1 << 20)
    wanted = [name for name in table.schema_arrow.names if columns(name)]
    first = 0
    for group in range(table.num_row_groups):
        height = table.metadata.row_group(group).num_rows
        if first + height > start:
            for batch in table.iter_batches(BATCH_ROWS, row_groups=[group], columns=wanted):
                for row in batch.slice(max(0, start - first)).to_pylist():
                    yield as_json(row)
                first += batch.num_rows
        else:
            first += height


def elements(file: BinaryIO, start: int) -> Iterator[bytes]:
    """The elements of a JSON array."""
    # The map is closed when the last element that points into it is gone.
    data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    for element in msgspec.json.decode(data, type=list[msgspec.Raw])[start:]:
        yield one_line(bytes(element))


def one_line(document: bytes) -> bytes:
    """A JSON document without newlines between its parts: JSON allows none within strings."""
    return document.replace(b"\r", b" ").replace(b"\n", b" ")


def as_json(row: dict[str, Any]) -> bytes:
    """A row as JSON; a float that JSON has no word for is written as Python does, and repaired like a line's."""
    return json.dumps(row, ensure_ascii=False, separators=(",", ":"), default=_plain).encode("utf-8", "surrogatepass")


def _plain(value: Any) -> str | float:
    match value:
        case date() | time():  # a datetime is a date
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case bytes():
            with suppress(UnicodeDecodeError):
                return value.decode()
            return base64.b64encode(value).decode()
        case Decimal() | UUID():
            return str(value)
    raise TypeError(f"a value of type {type(value).__name__}")


def open_log(path: Path) -> Reading:
    """A log by its first bytes: Parquet, a JSON array, or text, plain or compressed."""
    with open_regular(path) as file:
        first = file.readline(CHUNK_BYTES)
        more = file.read(4096).strip()
    if first.startswith(b"PAR1"):
        return Whole(path, rows)
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
