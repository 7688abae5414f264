"""Texts laid one behind the other, as kernels read them: copied out of the buffers in which polars holds them.

Polars holds a text as a view (Arrow's string view): 16 bytes with its length, and either the text itself or in which
buffer it lies and where. A kernel copies the bytes without the GIL and where it is told to, so that a thread may lay
slice after slice into the same memory; making Arrow's contiguous strings of them would do neither.
"""

from collections.abc import Iterator
from typing import Any  # kernels, and numpy's arrays

import numba as nb
import numpy as np
import polars as pl
import pyarrow as pa
from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic

from synthetic.alike.eight import compiled

INLINE = 12
"""Bytes of a text that its view holds itself."""


_memcpy: Any = cgutils.raw_memcpy


def _copying(_typing: Any, out: Any, _at: Any, _address: Any, _length: Any) -> Any:
    def made(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        target, at, address, length = arguments
        array = context.make_array(signature.args[0])(context, builder, target)
        source = builder.inttoptr(address, ir.IntType(8).as_pointer())
        _memcpy(builder, builder.gep(array.data, [at]), source, length, 1)
        return context.get_dummy_value()

    return nb.void(out, nb.int64, nb.uint64, nb.int64), made


_copy: Any = intrinsic(_copying)
"""Copy bytes from an address to a place of an array."""


@compiled
def _lay(views: Any, address: Any, buffers: Any, offsets: Any, out: Any) -> Any:
    for row in range(len(views)):
        length = offsets[row + 1] - offsets[row]
        source = address + np.uint64(16 * row + 4)
        if length > INLINE:
            source = buffers[views[row, 2]] + np.uint64(views[row, 3])
        _copy(out, offsets[row], source, length)


class Room:
    """Memory that one laying after the other takes: what was laid before is gone then."""

    def __init__(self) -> None:
        self.data = np.empty(0, np.uint8)

    def of(self, size: int) -> Any:
        """At least so many bytes, and one more."""
        if len(self.data) <= size:
            self.data = np.empty(size + size // 4 + 1, np.uint8)
        return self.data


def laid(texts: pl.Series, room: Room | None = None) -> Iterator[tuple[Any, Any, Any]]:
    """For each chunk of texts: offsets (64 bits, one more than rows), bytes, and which rows are not null.

    A null is as long as an empty text. What is behind the last text is anything. With `room`, a chunk's bytes are there
    until the next one is asked for.
    """
    found = texts.to_arrow(compat_level=pl.CompatLevel.newest())
    for chunk in found.chunks if isinstance(found, pa.ChunkedArray) else [found]:
        rows = len(chunk)
        _, held, *buffers = chunk.buffers()
        valid = chunk.is_valid().to_numpy(zero_copy_only=False)
        views = (
            np.frombuffer(held, np.int32)[4 * chunk.offset : 4 * (chunk.offset + rows)]
            if rows
            else np.empty(0, np.int32)
        )
        views = views.reshape(rows, 4)
        offsets = np.zeros(rows + 1, np.int64)
        np.cumsum(np.where(valid, views[:, 0], 0), out=offsets[1:])
        data = (room or Room()).of(int(offsets[-1]))
        addresses = np.array([buffer.address if buffer else 0 for buffer in buffers], np.uint64)
        _lay(views, np.uint64(views.ctypes.data), addresses, offsets, data)
        data = data.view()
        data.flags.writeable = False  # one type for every kernel
        yield offsets, data, valid
