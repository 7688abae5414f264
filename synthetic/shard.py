"""One Parquet file: how it is written, what its footer says, and the hash of its rows.

`write_parts` is the only function here and elsewhere that writes Parquet that stays: shards of a store and files of
a release. Its settings and its row-group cuts depend on the rows alone, so equal rows give equal bytes as
long as the versions of pyarrow are equal; `RowHash` does not depend on the writer at all.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol  # Any: whatever holds bytes

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from synthetic.columns import numbers, offsets, sizes, valid
from synthetic.errors import BrokenStore, CannotWrite
from synthetic.record import Schema

ROW_GROUP_BYTES = 100_000_000
"""Row groups are cut where the rows' bytes (`columns.sizes`) pass this: the Hub's viewer pages by row group."""

PART_ROWS, PART_BYTES = 2048, 16 * 1024 * 1024
"""Rows that are handed from polars to Arrow at once, and about how many bytes."""

CHUNK_ROWS = 1024
"""Rows of a row group that are written at once, in memory of their own."""

META = b"synthetic"
"""Footer key of our own JSON."""


def write(
    path: Path,
    schema: Schema,
    frames: Iterable[pl.DataFrame],
    meta: Callable[[int, str], bytes] | None = None,
) -> tuple[int, str]:
    """Write frames as one Parquet file, as `write_parts` does."""
    return write_parts(path, schema, (part for frame in frames for part in arrow_parts(frame)), meta)


def write_parts(
    path: Path,
    schema: Schema,
    parts: Iterable[pa.Table],
    meta: Callable[[int, str], bytes] | None = None,
) -> tuple[int, str]:
    """Write tables as one Parquet file and make it durable; give its number of rows and their hash.

    `meta(rows, row_hash)` is put into the footer. The file is fsynced, re-opened and its row count compared;
    the caller gives it its final name. Raises `CannotWrite` (no room, no permission).
    """
    with Writer(path, schema, chunked=True) as writer:
        for part in parts:
            for batch in part.cast(schema.arrow).to_batches():
                writer.add(batch)
        return writer.finish(meta)


class Writer:
    """A Parquet file in the making. It is whole when `finish` has returned; else nothing is left of it."""

    def __init__(
        self,
        path: Path,
        schema: Schema,
        group_bytes: int = ROW_GROUP_BYTES,
        new_hash: Callable[[], "Hash"] = hashlib.sha256,
        *,
        chunked: bool = False,
    ) -> None:
        """Open the file; row groups are at most `group_bytes` large, but for a single larger row.

        `chunked`: pages are cut by what they hold, so that a version of the file that is uploaded later shares them;
        for files that stay here that would be a sixth of the work of writing.
        """
        self.path, self.schema, self.group_bytes = path, schema.arrow, group_bytes
        self.rows, self.row_hash = 0, RowHash(schema.arrow, new_hash)
        """What was written, but for rows that wait for the rest of their row group."""
        self._waiting: list[pa.RecordBatch] = []
        self._chunks: list[pa.Table] = []
        self._size = 0
        self._whole = False
        with self._named():
            self._file = pq.ParquetWriter(
                path,
                self.schema,
                compression="zstd",
                compression_level=3,
                write_page_index=True,
                write_statistics=[path for field in self.schema for path in _sought(field)],
                use_content_defined_chunking=chunked,
            )

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *error: object) -> None:
        if not self._whole:
            with suppress(OSError):
                self._file.close()
            self.path.unlink(missing_ok=True)

    def add(self, rows: pa.RecordBatch) -> None:
        """Go on with these rows. However rows come in batches, they are cut at the same places."""
        ends = np.cumsum(sizes(rows))
        start, before = 0, 0
        while start < len(ends):
            room = self.group_bytes - self._size
            end = int(np.searchsorted(ends, before + room, side="right"))
            if end == start and not self._size:
                end = start + 1  # a huge row
            if end > start:
                self._wait(rows.slice(start, end - start))
                self._size += int(ends[end - 1]) - before
                start, before = end, int(ends[end - 1])
            if start < len(ends):
                self.cut()

    def _wait(self, rows: pa.RecordBatch) -> None:
        """Hold rows for their row group, in chunks of one size: how rows came would show in the file's bytes."""
        while held := len(rows):
            room = CHUNK_ROWS - sum(map(len, self._waiting))
            self._waiting.append(rows.slice(0, room))
            rows = rows.slice(room)
            if held >= room:
                self._join()

    def _join(self) -> None:
        """Make one chunk of what waits. The batches that it came in can go."""
        if self._waiting:
            self._chunks.append(pa.Table.from_batches(self._waiting, self.schema).combine_chunks())
            self._waiting = []

    def cut(self) -> None:
        """Write what waits as one row group."""
        self._join()
        if self._chunks:
            table = pa.concat_tables(self._chunks)
            self._chunks, self._size = [], 0
            self.row_hash.add(table)
            with self._named():
                self._file.write_table(table, row_group_size=table.num_rows)
            self.rows += table.num_rows

    def finish(self, meta: Callable[[int, str], bytes] | None = None) -> tuple[int, str]:
        """Make the file whole and durable; give its number of rows and their hash."""
        self.cut()
        with self._named():
            if meta:
                self._file.add_key_value_metadata({META: meta(self.rows, self.row_hash.digest())})
            self._file.close()
            with self.path.open("rb+") as file:
                os.fsync(file.fileno())
        if pq.read_metadata(self.path).num_rows != self.rows:
            raise BrokenStore(f"{self.path}: wrote {self.rows} rows and read back another number")
        self._whole = True
        return self.rows, self.row_hash.digest()

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.path.unlink(missing_ok=True)
            raise CannotWrite(
                f"{self.path}: {error.strerror or error}", hint="make room or choose another folder, then run again"
            ) from error


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_meta(path: Path) -> bytes:
    """Our own JSON of a file's footer. Raises `BrokenStore` when the file is not whole or not ours."""
    try:
        found: bytes | None = (pq.read_metadata(path).metadata or {}).get(META)
    except (pa.ArrowException, OSError) as error:
        raise BrokenStore(f"{path}: not a whole Parquet file ({error})") from error
    if found is None:
        raise BrokenStore(f"{path}: no footer of ours; it was not written by synthetic")
    return found


@contextmanager
def reading(*stores: str | Path) -> Iterator[None]:
    """Name the stores when rows of theirs cannot be read. Raises `BrokenStore`."""
    try:
        yield
    except (pl.exceptions.ComputeError, pa.ArrowException) as error:
        said = str(error).partition("\n")[0]
        raise BrokenStore(
            f"{', '.join(map(str, stores))}: rows cannot be read ({said})", hint=f"synthetic check {stores[0]}"
        ) from error


def _sought(field: pa.Field, path: str = "", *, listed: bool = False) -> Iterator[str]:
    """Columns of Parquet whose smallest and largest values help to find rows: those of texts within lists do not."""
    path += field.name
    if pa.types.is_list(field.type):
        yield from _sought(field.type.value_field, f"{path}.list.", listed=True)
    elif pa.types.is_struct(field.type):
        for member in field.type:
            yield from _sought(member, f"{path}.", listed=listed)
    elif not (listed and pa.types.is_string(field.type)):
        yield path


def frame_bytes(frame: pl.DataFrame) -> pl.Series:
    """The size of each row (`columns.sizes`)."""
    found = [sizes(batch) for part in arrow_parts(frame) for batch in part.to_batches()]
    return pl.Series(np.concatenate(found) if found else [], dtype=pl.Int64)


def frame_parts(frame: pl.DataFrame, order: pl.Series | None = None) -> Iterator[pl.DataFrame]:
    """The frame's rows, or those at these positions, as frames of some rows each (`PART_ROWS`, `PART_BYTES`).

    Parts are gathered, not sliced: of a sliced list column polars hands over every value of the whole.
    """
    whole = frame.rechunk()
    places = pl.int_range(whole.height, eager=True) if order is None else order
    several = whole.height * PART_BYTES // (int(whole.estimated_size()) + 1)
    several = min(max(several, 1), PART_ROWS)
    for start in range(0, len(places), several):
        yield whole[places.slice(start, several)]


def arrow_parts(frame: pl.DataFrame, order: pl.Series | None = None) -> Iterator[pa.Table]:
    """The same as Arrow tables: handing over 106 MB of messages at once took 350 MB."""
    return (part.to_arrow() for part in frame_parts(frame, order))


_OF_TEXT = (
    *(pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view),
    *(pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view),
)
_VIEWS = (pa.types.is_string_view, pa.types.is_binary_view)


class Hash(Protocol):
    """What `hashlib` and `xxhash` make."""

    def update(self, data: Any, /) -> None:
        """Go on with these bytes."""

    def hexdigest(self) -> str:
        """The hash as text."""


class RowHash:
    """A hash over the values of rows in order: SHA-256, or another one for what is never published.

    Equal for equal rows, however they are chunked, compressed or stored. Every leaf of the schema has a hash
    for its validity, its lengths and its values. Nothing stands under a null.
    """

    def __init__(self, schema: pa.Schema, new: Callable[[], Hash] = hashlib.sha256) -> None:
        self._schema, self._new = schema, new
        self._hashes: dict[str, Hash] = {}

    def add(self, table: pa.Table) -> None:
        """Go on with these rows."""
        for field in self._schema:
            for chunk in table.column(field.name).chunks:
                self._add(field.name, chunk)

    def _add(self, path: str, array: pa.Array) -> None:
        if not len(array):
            return
        held = valid(array)
        self._update(f"{path} valid", (np.ones(len(array), np.uint8) if held is None else held).data)
        if array.null_count == len(array):
            return
        if any(of(array.type) for of in _VIEWS):
            array = array.cast(pa.large_binary())
        if any(of(array.type) for of in _OF_TEXT):
            self._add_text(path, array)
            return
        if pa.types.is_list(array.type) or pa.types.is_large_list(array.type):
            places = offsets(array)
            lengths = np.diff(places) if held is None else np.diff(places)[held]
            self._update(f"{path} length", lengths.data)
            reach = int(places[-1] - places[0])
            whole = int(lengths.sum()) == reach  # else something stands under a null
            self._add(f"{path}[]", array.values.slice(places[0], reach) if whole else array.flatten())
        elif pa.types.is_struct(array.type):
            array = array if held is None else array.drop_null()
            for index, field in enumerate(array.type):
                self._add(f"{path}.{field.name}", array.field(index))
        else:
            found = numbers(array)
            self._update(f"{path} values", (found if held is None else found[held]).data)

    def _add_text(self, path: str, data: pa.Array) -> None:
        """Add texts; they are copied only where bytes stand under a null, a part at a time."""
        places, held = offsets(data), valid(data)
        lengths = np.diff(places) if held is None else np.diff(places)[held]
        self._update(f"{path} length", lengths.data)
        if int(lengths.sum()) == places[-1] - places[0]:
            self._update(f"{path} values", _reach(data))
            return
        for start in range(0, len(data), PART_ROWS):
            if len(part := data.slice(start, PART_ROWS).drop_null()):
                self._update(f"{path} values", _reach(part))

    def _update(self, path: str, values: memoryview) -> None:
        """Add values, little-endian."""
        if path not in self._hashes:
            self._hashes[path] = self._new()
        self._hashes[path].update(values)

    def digest(self) -> str:
        """The hash of all rows so far, in hexadecimal digits."""
        whole = self._new()
        for path in sorted(self._hashes):
            whole.update(f"{path}\0{self._hashes[path].hexdigest()}\n".encode())
        return whole.hexdigest()


def _reach(data: pa.Array) -> memoryview:
    """The bytes from the first to the last of texts."""
    places, values = offsets(data), data.buffers()[2]
    return memoryview(values or b"")[places[0] : places[-1]]
