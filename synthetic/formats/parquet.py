"""The rows of a Parquet file, as lines of JSON, in bounded memory whatever the file holds.

A file of 600 bytes can hold a row of 200 million values, and what it says of its sizes need not be true. So columns of
text are read as dictionaries, in which a value that is repeated stands once; a batch is decoded under a limit of memory
for the process; and its rows are made one by one when they are large. (Over 217,000 damaged files none has crashed
pyarrow 26, so it reads in this process.)
"""

import base64
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any, BinaryIO  # Any: values of a Parquet file

import pyarrow as pa

BATCH_ROWS = 64
"""Rows that are decoded at once."""

DECODED_BYTES = 400_000_000
"""Memory that decoding a batch may take."""

ROW_BYTES = 64_000_000
"""A larger row is set aside."""


def rows(file: BinaryIO, start: int, columns: Callable[[str], bool] = lambda name: True) -> Iterator[bytes]:
    """The rows, with the columns that are wanted; in place of one that cannot be read, a JSON text that says why.

    Raises `ArrowException`, `ValueError` or `OSError` where the file is damaged, too large, or has a column twice.
    """
    import pyarrow.parquet as pq  # here, because few logs are Parquet (0.1 s)

    with _limited():
        table = pq.ParquetFile(file, buffer_size=1 << 20)
        leaves = [table.schema.column(index) for index in range(len(table.schema))]
        texts = [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"]
        table = pq.ParquetFile(file, buffer_size=1 << 20, read_dictionary=texts, metadata=table.metadata)
    names = table.schema_arrow.names
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"two columns are called {name[:80]!r}")
    wanted = [name for name in names if columns(name)]
    first = 0
    for group in range(table.num_row_groups):
        height = table.metadata.row_group(group).num_rows
        if first + height <= start:
            first += height
            continue
        batches = table.iter_batches(BATCH_ROWS, row_groups=[group], columns=wanted)
        while (batch := _next(batches)) is not None:
            yield from _lines(batch.slice(max(0, start - first)))
            first += batch.num_rows


def _next(batches: Iterator[pa.RecordBatch]) -> pa.RecordBatch | None:
    with _limited():
        return next(batches, None)


@contextmanager
def _limited() -> Iterator[None]:
    """Let the process take no more than `DECODED_BYTES` beyond what it has, where the system can see to that."""
    status = Path("/proc/self/status")
    if not sys.platform.startswith("linux") or not status.exists():
        yield
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    has = next(int(line.split()[1]) * 1024 for line in status.read_text().splitlines() if line.startswith("VmData:"))
    limits = [limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min([has + DECODED_BYTES, *limits]), hard))
    try:
        yield
    except MemoryError as error:
        raise ValueError(f"{BATCH_ROWS} rows take more than {DECODED_BYTES / 1e6:,.0f} MB") from error
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _lines(batch: pa.RecordBatch) -> Iterator[bytes]:
    found: list[bytes] = []
    with suppress(ValueError, ArithmeticError):
        if _size(batch.to_struct_array()) <= ROW_BYTES:
            found = [as_json(row) for row in batch.to_pylist()]
    yield from found or (_line(batch.slice(index, 1)) for index in range(batch.num_rows))


def _line(row: pa.RecordBatch) -> bytes:
    try:
        if (size := _size(row.to_struct_array())) > ROW_BYTES:
            raise ValueError(f"it holds {size / 1e6:,.0f} MB; more than {ROW_BYTES / 1e6:,.0f} is no rollout")
        return as_json(row.to_pylist()[0])
    except (ValueError, ArithmeticError) as error:  # text that is no UTF-8, a year of seven digits
        return json.dumps(f"a row that cannot be read: {error}").encode()


def _size(array: pa.Array) -> int:
    """About how many bytes the values take, each counted as often as it stands there."""
    kind = array.type
    if pa.types.is_dictionary(kind):
        import pyarrow.compute as pc

        lengths = pc.binary_length(array.dictionary).cast(pa.int64())
        return 8 * len(array) + (pc.sum(lengths.take(array.indices)).as_py() or 0)
    if pa.types.is_struct(kind):
        return 8 * len(array) + sum(map(_size, array.flatten()))
    if pa.types.is_map(kind):
        entries = array.cast(pa.list_(pa.struct([pa.field("key", kind.key_type), pa.field("value", kind.item_type)])))
        return 8 * len(array) + _size(entries.flatten())
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return 8 * len(array) + _size(array.flatten())
    if pa.types.is_fixed_size_binary(kind):
        return int(kind.byte_width) * len(array)
    return 8 * len(array)


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
    return str(value)  # a decimal, a UUID
