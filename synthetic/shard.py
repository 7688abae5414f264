"""One Parquet file: how it is written, what its footer says, and the hash of its rows.

`write` is the only function here and elsewhere that writes Parquet that stays: shards of a store and files of
a release. Its settings and its row-group cuts depend on the rows alone, so equal rows give equal bytes as
long as the versions of pyarrow are equal; `RowHash` does not depend on the writer at all.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from synthetic.errors import BrokenStore, CannotWrite
from synthetic.record import Schema

ROW_GROUP_BYTES = 100_000_000
"""Row groups are cut where the rows' bytes (`row_bytes`) pass this: the Hub's viewer pages by row group."""

PART_ROWS = 512
"""Rows that are handed from polars to Arrow at once."""

META = b"synthetic"
"""Footer key of our own JSON."""


def write(
    path: Path,
    schema: Schema,
    frames: Iterable[pl.DataFrame],
    meta: Callable[[int, str], bytes] | None = None,
) -> tuple[int, str]:
    """Write frames as one Parquet file and make it durable; give its number of rows and their hash.

    `meta(rows, row_hash)` is put into the footer. The file is fsynced, re-opened and its row count compared;
    the caller gives it its final name. Raises `CannotWrite` (no room, no permission).
    """
    rows, row_hash = 0, RowHash(schema.arrow)
    try:
        with pq.ParquetWriter(
            path,
            schema.arrow,
            compression="zstd",
            compression_level=3,
            write_page_index=True,
            use_content_defined_chunking=True,
        ) as writer:
            for piece in _row_groups(frames):
                table = _table(piece, schema.arrow)
                row_hash.add(table)
                writer.write_table(table, row_group_size=table.num_rows)
                rows += table.num_rows
                del table  # or it would be held while the next one is made
            if meta:
                writer.add_key_value_metadata({META: meta(rows, row_hash.digest())})
        with path.open("rb+") as file:
            os.fsync(file.fileno())
    except OSError as error:
        path.unlink(missing_ok=True)
        raise CannotWrite(
            f"{path}: {error.strerror or error}", hint="make room or choose another folder, then run again"
        ) from error
    if pq.read_metadata(path).num_rows != rows:
        raise BrokenStore(f"{path}: wrote {rows} rows and read back another number")
    return rows, row_hash.digest()


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


def row_bytes(dtype: pl.DataType | pl.datatypes.DataTypeClass, value: pl.Expr) -> pl.Expr:
    """The defined size of a value: UTF-8 bytes of text, else 8; null is 0; lists and structs are sums."""
    if isinstance(dtype, pl.String):
        size = value.str.len_bytes().cast(pl.Int64)
    elif isinstance(dtype, pl.List):
        size = value.list.eval(row_bytes(dtype.inner, pl.element())).list.sum().cast(pl.Int64)
    elif isinstance(dtype, pl.Struct):
        parts = [row_bytes(f.dtype, value.struct.field(f.name)) for f in dtype.fields]
        size = pl.sum_horizontal(parts).cast(pl.Int64)
    else:
        size = pl.when(value.is_null()).then(0).otherwise(8).cast(pl.Int64)
    return size.fill_null(0)


def frame_bytes(frame: pl.DataFrame) -> pl.Series:
    """The size of each row."""
    sizes = [row_bytes(dtype, pl.col(name)).alias(name) for name, dtype in frame.schema.items()]
    return frame.select(pl.sum_horizontal(sizes)).to_series()


def _row_groups(frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The frames' rows in pieces none of which is larger than a row group, but of a single huge row.

    However the rows come in frames, they are cut at the same places.
    """
    waiting: list[pl.DataFrame] = []
    size = 0
    for frame in frames:
        start = 0
        for row, bytes_ in enumerate(frame_bytes(frame)):
            if size and size + bytes_ > ROW_GROUP_BYTES:
                yield pl.concat([*waiting, frame[start:row]])
                waiting, start, size = [], row, 0
            size += bytes_
        waiting.append(frame[start:])
    if sum(map(len, waiting)):
        yield pl.concat(waiting)


def arrow_parts(frame: pl.DataFrame) -> Iterator[pa.Table]:
    """The frame's rows as Arrow tables of at most `PART_ROWS` rows.

    Handing over 106 MB of messages at once took 350 MB. Parts are gathered, not sliced: of a sliced list column polars
    hands over every value of the whole.
    """
    whole = frame.rechunk()
    for start in range(0, whole.height, PART_ROWS):
        yield whole[pl.int_range(start, min(start + PART_ROWS, whole.height), eager=True)].to_arrow()


def _table(piece: pl.DataFrame, schema: pa.Schema) -> pa.Table:
    """A row group's rows, each column in one chunk: how columns are chunked would show in the file's bytes."""
    return pa.concat_tables([part.cast(schema) for part in arrow_parts(piece)]).combine_chunks()


_OF_BYTES = (
    *(pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view),
    *(pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view),
)


class RowHash:
    """SHA-256 over the values of rows in order.

    Equal for equal rows, however they are chunked, compressed or stored. Every leaf of the schema has a hash
    for its validity, its lengths and its values. Nothing stands under a null.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._hashes: dict[str, hashlib._Hash] = {}

    def add(self, table: pa.Table) -> None:
        """Go on with these rows."""
        for field in self._schema:
            for chunk in table.column(field.name).chunks:
                self._add(field.name, chunk)

    def _add(self, path: str, array: pa.Array) -> None:
        self._update(f"{path} valid", array.is_valid().cast(pa.uint8()))
        if any(of(array.type) for of in _OF_BYTES):
            self._add_text(path, array.cast(pa.large_binary()))
            return
        array = array.drop_null()
        if pa.types.is_list(array.type) or pa.types.is_large_list(array.type):
            self._update(f"{path} length", pc.list_value_length(array).cast(pa.int64()))
            self._add(f"{path}[]", array.flatten())
        elif pa.types.is_struct(array.type):
            for index, field in enumerate(array.type):
                self._add(f"{path}.{field.name}", array.field(index) if not array.offset else array.flatten()[index])
        elif pa.types.is_boolean(array.type):
            self._update(f"{path} values", array.cast(pa.uint8()))
        elif pa.types.is_timestamp(array.type):
            self._update(f"{path} values", array.cast(pa.int64()))
        else:
            self._update(f"{path} values", array)

    def _add_text(self, path: str, data: pa.Array) -> None:
        """Add binary values; they are copied only where bytes stand under a null, a part at a time."""
        lengths = pc.binary_length(data).drop_null()
        self._update(f"{path} length", lengths)
        if not len(lengths):
            return
        hash, values = self._hash(f"{path} values"), _reach(data)
        if len(values) == pc.sum(lengths).as_py():
            hash.update(values)
            return
        for start in range(0, len(data), PART_ROWS):
            if len(part := data.slice(start, PART_ROWS).drop_null()):
                hash.update(_reach(part))

    def _update(self, path: str, array: pa.Array) -> None:
        """Add the values of an array of numbers without nulls, little-endian."""
        if len(array):
            width = array.type.bit_width // 8
            data = memoryview(array.buffers()[1]).cast("B")
            self._hash(path).update(data[array.offset * width : (array.offset + len(array)) * width])

    def _hash(self, path: str) -> "hashlib._Hash":
        return self._hashes.setdefault(path, hashlib.sha256())

    def digest(self) -> str:
        """The hash of all rows so far, as 64 hexadecimal digits."""
        whole = hashlib.sha256()
        for path in sorted(self._hashes):
            whole.update(f"{path}\0{self._hashes[path].hexdigest()}\n".encode())
        return whole.hexdigest()


def _reach(data: pa.Array) -> memoryview:
    """The bytes from the first to the last of binary values with 64-bit offsets."""
    _, offsets, values = data.buffers()
    places = memoryview(offsets).cast("q")[data.offset : data.offset + len(data) + 1]
    return memoryview(values or b"")[places[0] : places[-1]]
