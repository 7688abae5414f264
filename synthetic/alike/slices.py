"""Texts a slice at a time, on several threads: kernels hold no lock."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar  # Any: numpy's arrays

import polars as pl

from synthetic.alike.words import buffers

ROWS = 1024
"""Rows that a thread takes at once."""

Found = TypeVar("Found")


def sliced(texts: pl.Series, work: Callable[[Any, Any, Any], Found], threads: int) -> list[Found]:
    """What `work(offsets, data, valid)` gives for all rows (`words.buffers`), slice by slice, in their order."""

    def done(lo: int) -> list[Found]:
        return [work(*piece) for piece in buffers(texts.slice(lo, ROWS)) if len(piece[2])]

    starts = range(0, len(texts), ROWS)
    if threads == 1 or len(starts) < 2:
        return [one for lo in starts for one in done(lo)]
    with ThreadPoolExecutor(threads) as pool:
        return [one for found in pool.map(done, starts) for one in found]
