"""The least that clustering of band keys costs: a hash partitioned by a key's top bits, and union-find.

`keys` makes random 64-bit keys, of which a fifth of the rows share some; `clusters` is the floor, on one thread: every
band's keys are counted, scattered into buckets of about 4,096 rows and put into a table that fits the cache; a key that
is there already joins its row with the row that put it there. The smaller row wins, so that a cluster's name is its
lowest row. Scratch is 12 bytes a row, parents are 8.
"""

from typing import Any  # arrays

import numpy as np
from numba import njit

BUCKET_ROWS = 4096
SLOTS = 1 << 14


def keys(rows: int, bands: int, seed: int = 0) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """Keys of rows, `bands` × `rows`; a fifth of the rows stand in groups of two to five that share half their keys."""
    random = np.random.default_rng(seed)
    grouped = random.permutation(rows)[: rows // 5].astype(np.int64)
    sizes = random.integers(2, 6, len(grouped))
    ends = np.cumsum(sizes)
    group = np.searchsorted(ends, np.arange(len(grouped)), side="right")
    made = np.empty((bands, rows), np.uint64)
    for band in range(bands):
        made[band] = random.integers(1, 1 << 64, rows, np.uint64)
        shared = random.integers(1, 1 << 64, len(grouped), np.uint64)
        share = random.random(len(grouped)) < 0.5
        made[band, grouped[share]] = shared[group[share]]
    return made


@njit(cache=True, nogil=True)
def _root(parents: Any, row: Any) -> Any:
    while parents[row] != row:
        parents[row] = parents[parents[row]]
        row = parents[row]
    return row


@njit(cache=True, nogil=True)
def _bucket(key: Any, bits: Any) -> Any:
    """Its top bits; a shift by all 64 would be none."""
    return np.int64(key >> np.uint64(1) >> np.uint64(63 - bits))


@njit(cache=True, nogil=True)
def flatten(parents: Any) -> Any:
    """Let every row name its cluster's lowest row."""
    for row in range(len(parents)):
        parents[row] = _root(parents, row)


@njit(cache=True, nogil=True)
def clusters(keys: Any) -> Any:
    """For each row the lowest row of its cluster; of keys `bands` × `rows`, none of which is 0."""
    bands, rows = keys.shape
    bits = 0
    while rows >> bits > BUCKET_ROWS:
        bits += 1
    buckets = 1 << bits
    parents = np.arange(rows)
    held, places = np.empty(rows, np.uint64), np.empty(rows, np.int32)
    slots, firsts = np.empty(SLOTS, np.uint64), np.empty(SLOTS, np.int32)
    starts = np.empty(buckets + 1, np.int64)
    for band in range(bands):
        starts[:] = 0
        for row in range(rows):
            starts[_bucket(keys[band, row], bits) + 1] += 1
        for bucket in range(buckets):
            starts[bucket + 1] += starts[bucket]
        ends = starts[:-1].copy()
        for row in range(rows):
            key = keys[band, row]
            bucket = _bucket(key, bits)
            held[ends[bucket]] = key
            places[ends[bucket]] = row
            ends[bucket] += 1
        for bucket in range(buckets):
            slots[:] = 0
            for at in range(starts[bucket], starts[bucket + 1]):
                key = held[at]
                slot = np.int64(key & np.uint64(SLOTS - 1))
                while slots[slot] != 0 and slots[slot] != key:
                    slot = (slot + 1) & (SLOTS - 1)
                if slots[slot] == 0:
                    slots[slot], firsts[slot] = key, places[at]
                    continue
                left, right = _root(parents, firsts[slot]), _root(parents, places[at])
                if left < right:
                    parents[right] = left
                elif right < left:
                    parents[left] = right
    flatten(parents)
    return parents
