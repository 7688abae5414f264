"""Texts a slice at a time, on several threads: kernels hold no lock."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import local
from typing import Any, TypeVar  # Any: numpy's arrays

import polars as pl

from synthetic.alike.laid import Room, laid

ROWS = 512
"""Rows that a thread takes at once."""

Found = TypeVar("Found")


def sliced(texts: pl.Series, work: Callable[[Any, Any, Any], Found], threads: int) -> list[Found]:
    """What `work(offsets, data, valid)` gives for all rows (`laid.laid`), slice by slice, in their order.

    The bytes are gone when `work` has returned.
    """
    own = local()

    def done(lo: int) -> list[Found]:
        own.room = getattr(own, "room", None) or Room()
        return [work(*piece) for piece in laid(texts.slice(lo, ROWS), own.room) if len(piece[2])]

    starts = range(0, len(texts), ROWS)
    if threads == 1 or len(starts) < 2:
        return [one for lo in starts for one in done(lo)]
    with ThreadPoolExecutor(threads) as pool:
        return [one for found in pool.map(done, starts) for one in found]
