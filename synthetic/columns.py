"""Rows as Arrow's columns, and how large rows are: straight from and to Arrow's buffers.

`pa.array` imports pandas first (0.2 s) and looks at every value's type; polars builds a list of structs value by value.
Here each level of a column is a handful of passes that Python runs in C.
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


class TooMuch(OverflowError):
    """More bytes or items than one array can hold."""


def batches(schema: pa.Schema, rows: Sequence[Mapping[str, Any]], largest: int = LARGEST) -> list[pa.RecordBatch]:
    """Rows, which have every column, as Arrow holds them: in one batch, or in more where one is too small.

    Raises `TypeError`, `OverflowError`, `LookupError` or `UnicodeEncodeError` for a value that its column cannot hold,
    without a word of which one it is: `Schema.checked` names it. `TooMuch` for a single row that is too large.
    """
    if not rows:
        return []
    try:
        values = zip(*map(itemgetter(*schema.names), rows), strict=True)
        columns = [_array(list(each), field.type, largest) for each, field in zip(values, schema, strict=True)]
    except TooMuch:
        if len(rows) == 1:
            raise
        half = len(rows) // 2
        return batches(schema, rows[:half], largest) + batches(schema, rows[half:], largest)
    if any(column.null_count and not field.nullable for column, field in zip(columns, schema, strict=True)):
        raise TypeError("null in a column that has none")
    return [pa.RecordBatch.from_arrays(columns, schema=schema)]


def _array(values: list[Any], dtype: pa.DataType, largest: int) -> pa.Array:
    """The values as an array. Raises as `batches`."""
    size, missing = len(values), values.count(None)
    if missing == size:
        return pa.nulls(size, dtype)
    valid = None
    if missing:
        valid = pa.py_buffer(np.packbits([value is not None for value in values], bitorder="little"))
    if pa.types.is_list(dtype):
        _only(values, list)
        items = _without_null(values, missing, ())
        child = _array(list(chain.from_iterable(items)), dtype.value_type, largest)
        return pa.Array.from_buffers(dtype, size, [valid, _offsets(items, largest)], missing, children=[child])
    if pa.types.is_struct(dtype):
        whole = _without_null(values, missing, dict.fromkeys(member.name for member in dtype))
        members = [_array(list(map(itemgetter(member.name), whole)), member.type, largest) for member in dtype]
        return pa.Array.from_buffers(dtype, size, [valid], missing, children=members)
    if pa.types.is_string(dtype):
        texts = _without_null(values, missing, "")
        joined = "".join(texts)
        parts = texts if joined.isascii() else [text.encode() for text in texts]
        data = pa.py_buffer(joined.encode())
        return pa.Array.from_buffers(dtype, size, [valid, _offsets(parts, largest), data], missing)
    if pa.types.is_binary(dtype):
        blobs = _without_null(values, missing, b"")
        data = pa.py_buffer(b"".join(blobs))
        return pa.Array.from_buffers(dtype, size, [valid, _offsets(blobs, largest), data], missing)
    if pa.types.is_timestamp(dtype):
        moments = _without_null(values, missing, _EPOCH)
        data = pa.py_buffer(np.array([(moment - _EPOCH) // _MICROSECOND for moment in moments], np.int64))
    elif pa.types.is_boolean(dtype):
        _only(values, bool)
        data = pa.py_buffer(np.packbits(_without_null(values, missing, False), bitorder="little"))
    else:
        _only(values, int, *([float] if pa.types.is_floating(dtype) else []))
        data = pa.py_buffer(np.array(_without_null(values, missing, 0), dtype.to_pandas_dtype()))
    return pa.Array.from_buffers(dtype, size, [valid, data], missing)


def _without_null(values: list[Any], missing: int, stand_in: Any) -> list[Any]:
    return [stand_in if value is None else value for value in values] if missing else values


def _only(values: list[Any], *types: type) -> None:
    """Raise `TypeError` for values of other types, where Python would take them for the same: `True` is no 1."""
    if others := set(map(type, values)) - {*types, type(None)}:
        raise TypeError(f"{', '.join(sorted(of.__name__ for of in others))} in place of {types[0].__name__}")


def _offsets(values: Sequence[Any], largest: int) -> pa.Buffer:
    """Where each value begins and the last one ends."""
    ends = np.zeros(len(values) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, values), np.int64, len(values)), out=ends[1:])
    if ends[-1] > largest:
        raise TooMuch("too much for one array")
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
