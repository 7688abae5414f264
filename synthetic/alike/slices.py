"""Rows of a chunk, a slice at a time, on several threads: kernels hold no lock."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

ROWS = 1024
"""Rows that a thread takes at once."""

Found = TypeVar("Found")


def sliced(rows: int, work: Callable[[int, int], Found], threads: int) -> list[Found]:
    """What `work(lo, hi)` gives for all rows, slice by slice, in their order."""
    cuts = [(lo, min(lo + ROWS, rows)) for lo in range(0, rows, ROWS)]
    if threads == 1 or len(cuts) < 2:
        return [work(lo, hi) for lo, hi in cuts]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda cut: work(*cut), cuts))
