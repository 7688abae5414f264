"""Rows as Arrow's columns, and how large rows are: straight from and to Arrow's buffers.

`pa.array` imports pandas first (0.2 s) and looks at every value's type; polars builds a list of structs value by value.
Here values are checked already, so each level of a column is a handful of passes that Python runs in C.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeAlias  # Any: JSON values

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    import numpy.typing as npt  # takes 15 ms

Counts: TypeAlias = "npt.NDArray[np.int64]"

LARGEST = 2**31 - 1
"""Bytes of text, or items of lists, that one array can hold."""

_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


def batches(schema: pa.Schema, rows: Sequence[Mapping[str, Any]], largest: int = LARGEST) -> list[pa.RecordBatch]:
    """Checked rows, which have every column, as Arrow holds them: in one batch, or in more where one is too small."""
    if not rows:
        return []
    try:
        values = zip(*map(itemgetter(*schema.names), rows), strict=True)
        columns = [_array(list(each), field.type, largest) for each, field in zip(values, schema, strict=True)]
    except OverflowError:
        if len(rows) == 1:
            raise
        half = len(rows) // 2
        return batches(schema, rows[:half], largest) + batches(schema, rows[half:], largest)
    return [pa.RecordBatch.from_arrays(columns, schema=schema)]


def _array(values: list[Any], dtype: pa.DataType, largest: int) -> pa.Array:
    """The values as an array. Raises `OverflowError` for more than it can hold."""
    size, missing = len(values), values.count(None)
    if missing == size:
        return pa.nulls(size, dtype)
    valid = None
    if missing:
        valid = pa.py_buffer(np.packbits([value is not None for value in values], bitorder="little"))
    if pa.types.is_list(dtype):
        items = [value or () for value in values] if missing else values
        child = _array(list(chain.from_iterable(items)), dtype.value_type, largest)
        return pa.Array.from_buffers(dtype, size, [valid, _offsets(items, largest)], missing, children=[child])
    if pa.types.is_struct(dtype):
        names = [member.name for member in dtype]
        empty = dict.fromkeys(names)
        whole = [empty if value is None else value for value in values] if missing else values
        members = [_array(list(map(itemgetter(member.name), whole)), member.type, largest) for member in dtype]
        return pa.Array.from_buffers(dtype, size, [valid], missing, children=members)
    if pa.types.is_string(dtype):
        texts = [value or "" for value in values] if missing else values
        joined = "".join(texts)
        parts = texts if joined.isascii() else [text.encode() for text in texts]
        data = pa.py_buffer(joined.encode())
        return pa.Array.from_buffers(dtype, size, [valid, _offsets(parts, largest), data], missing)
    if pa.types.is_binary(dtype):
        blobs: list[Any] = [value or b"" for value in values] if missing else values
        data = pa.py_buffer(b"".join(blobs))
        return pa.Array.from_buffers(dtype, size, [valid, _offsets(blobs, largest), data], missing)
    if pa.types.is_timestamp(dtype):
        numbers: Any = [0 if value is None else (value - _EPOCH) // _MICROSECOND for value in values]
    else:
        numbers = [value or 0 for value in values] if missing else values
    if pa.types.is_boolean(dtype):
        numbers = np.packbits(numbers, bitorder="little")
    else:
        numbers = np.array(numbers, "int64" if pa.types.is_timestamp(dtype) else dtype.to_pandas_dtype())
    return pa.Array.from_buffers(dtype, size, [valid, pa.py_buffer(numbers)], missing)


def _offsets(values: Sequence[Any], largest: int) -> pa.Buffer:
    """Where each value begins and the last one ends."""
    ends = np.zeros(len(values) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, values), np.int64, len(values)), out=ends[1:])
    if ends[-1] > largest:
        raise OverflowError("too much for one array")
    return pa.py_buffer(ends.astype(np.int32))


# ---- looking into arrays


def offsets(array: pa.Array) -> Counts:
    """Of an array of lists or of texts: where each value begins, and where the last one ends."""
    wide = pa.types.is_large_list(array.type) or pa.types.is_large_string(array.type)
    wide = wide or pa.types.is_large_binary(array.type)
    every = np.frombuffer(array.buffers()[1], np.int64 if wide else np.int32)
    found: Counts = np.asarray(every[array.offset : array.offset + len(array) + 1], np.int64)
    return found


def valid(array: pa.Array) -> "npt.NDArray[np.bool_] | None":
    """Which values are not null; None: all."""
    if not array.null_count:
        return None
    return _bits(array, 0).view(np.bool_)


def _bits(array: pa.Array, buffer: int) -> "npt.NDArray[np.uint8]":
    """The bits that a buffer holds of an array's values, a byte each."""
    found = np.frombuffer(array.buffers()[buffer], np.uint8)
    return np.unpackbits(found, bitorder="little", count=array.offset + len(array))[array.offset :]


def numbers(array: pa.Array) -> "npt.NDArray[np.uint8]":
    """Of an array of numbers, times or booleans: the bytes of each value, a row each; any, under a null.

    By numpy, because the first kernel of Arrow that is asked for makes them all (0.1 s).
    """
    if pa.types.is_boolean(array.type):
        return _bits(array, 1)
    width, end = array.type.byte_width, array.offset + len(array)
    return np.frombuffer(array.buffers()[1], np.uint8, end * width).reshape(end, width)[array.offset :]


def sizes(rows: pa.RecordBatch) -> Counts:
    """The size of each row: UTF-8 bytes of text, else 8 for each value; null is 0; lists and structs are sums."""
    total: Counts = np.sum([value_sizes(column) for column in rows.columns], axis=0, dtype=np.int64)
    return total


def value_sizes(array: pa.Array) -> Counts:
    """The size of each value, as `sizes` counts it."""
    size, held = len(array), valid(array)
    if not size or array.null_count == size:
        return np.zeros(size, np.int64)
    found: Counts
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        found = np.diff(offsets(array))
    elif pa.types.is_list(array.type) or pa.types.is_large_list(array.type):
        places = offsets(array)
        inside = value_sizes(array.values.slice(places[0], places[-1] - places[0]))
        found = np.diff(np.concatenate([[0], np.cumsum(inside)])[places - places[0]])
    elif pa.types.is_struct(array.type):
        found = np.sum([value_sizes(member) for member in array.flatten()], axis=0, dtype=np.int64)
    else:
        found = np.full(size, 8, np.int64)
    return found if held is None else np.where(held, found, 0)
