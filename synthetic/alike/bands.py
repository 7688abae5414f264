"""Which rows may be alike, found among millions without comparing pairs.

Locality-sensitive hashing (Indyk and Motwani, 1998): a signature is cut into bands of slots, and rows that agree in a
whole band may be alike. With `bands` bands of `rows` slots a pair of similarity J becomes a candidate with the
probability 1 - (1 - J^rows)^bands. Candidates only say where to look: `sets` decides.

Rows of one band's value are joined by a partitioned hash table and a union-find, band by band. Work is linear in rows,
whatever they hold, since a row is joined with the first of its value alone. So a bucket needs no limit, and no
candidate is lost to one. Scratch is 12 bytes a row, beside 8 for parents; keys are computed a band at a time.
"""

from typing import Any  # numpy's arrays

import numpy as np
import polars as pl
import xxhash

from synthetic.alike import words
from synthetic.alike.eight import compiled
from synthetic.alike.sketch import SLOTS
from synthetic.alike.words import P1, P2, mix

assert words.VERSION == 2  # noqa: S101 - numba keeps kernels by the text of their own file: this line is part of it

BANDS, ROWS = 18, 7
"""126 of 128 slots: of pairs at Jaccard 0.8 98.6 % become candidates, at 0.9 all, at 0.5 13 %, at 0.3 0.4 %."""

_PARTITION_ROWS = 4096
_ONE = np.uint64(1)


@compiled
def band_keys(signatures: Any, there: Any, within: Any, band: Any, rows: Any, out: Any) -> Any:
    """The key of every row in one band; 0 for rows without a signature, and never else."""
    for row in range(len(signatures)):
        h = np.uint64(0)
        if there[row]:
            h = np.uint64(band + 1) * P1 ^ within[row]
            for slot in range(band * rows, (band + 1) * rows):
                h = mix((h ^ np.uint64(signatures[row, slot])) * P2)
            h = max(h, _ONE)
        out[row] = h


@compiled
def _root(parents: Any, row: Any) -> Any:
    while parents[row] != row:
        parents[row] = parents[parents[row]]
        row = parents[row]
    return row


@compiled
def join(keys: Any, parents: Any) -> Any:
    """Join the rows of each key but 0: the lower root of two wins, so a group's root is its lowest row."""
    rows = len(keys)
    bits = 0
    while (rows >> bits) > _PARTITION_ROWS:
        bits += 1
    starts = np.zeros((1 << bits) + 1, np.int64)
    for row in range(rows):
        if keys[row]:
            starts[(keys[row] >> np.uint64(63 - bits) >> _ONE) + _ONE] += 1
    most = 0
    for part in range(1 << bits):
        most = max(most, starts[part + 1])
        starts[part + 1] += starts[part]
    held, of = np.empty(starts[-1], np.uint64), np.empty(starts[-1], np.uint32)
    for row in range(rows):
        if keys[row]:
            part = keys[row] >> np.uint64(63 - bits) >> _ONE
            held[starts[part]], of[starts[part]] = keys[row], row
            starts[part] += 1  # now where the next part begins, once all of it is there
    size = 16
    while size < 2 * most:
        size *= 2
    table, first = np.empty(size, np.uint64), np.empty(size, np.uint32)
    last = np.uint64(size - 1)
    begin = 0
    for part in range(1 << bits):
        end = starts[part]
        room = np.uint64(16)
        while room < np.uint64(2 * (end - begin)):
            room *= np.uint64(2)
        last = room - _ONE
        table[: np.int64(room)] = 0
        for at in range(begin, end):
            key = held[at]
            place = key & last
            while table[place] != 0 and table[place] != key:
                place = (place + _ONE) & last
            if table[place] == 0:
                table[place], first[place] = key, of[at]
            else:
                one, other = _root(parents, np.int64(first[place])), _root(parents, np.int64(of[at]))
                parents[max(one, other)] = min(one, other)
        begin = end


@compiled
def _flatten(parents: Any) -> Any:
    for row in range(len(parents)):
        parents[row] = parents[parents[row]]  # a parent is a lower row, and flat already


def groups(signatures: Any, there: Any, within: Any, *, bands: int = BANDS, rows: int = ROWS) -> Any:
    """For each row the lowest row of its group (64-bit): rows that candidates link, however far apart.

    `signatures` and `there` are from `sketch.matrix`. `within` holds 64 bits for each row: only rows whose bits are
    equal meet. Raises `ValueError` where the bands need more slots than a signature has.
    """
    if bands * rows > SLOTS or bands < 1 or rows < 1:
        raise ValueError(f"{bands} bands of {rows} slots: a signature has {SLOTS}")
    parents = np.arange(len(signatures), dtype=np.int64)
    keys = np.empty(len(signatures), np.uint64)
    for band in range(bands):
        band_keys(signatures, there, within, band, rows, keys)
        join(keys, parents)
    _flatten(parents)
    return parents


def chance(similarity: float, *, bands: int = BANDS, rows: int = ROWS) -> float:
    """The probability that a pair of this Jaccard similarity becomes a candidate."""
    return float(1 - (1 - similarity**rows) ** bands)


def hashed(frame: pl.DataFrame) -> Any:
    """64 bits for each row, equal where all columns are equal; null equals null."""
    whole = np.zeros(frame.height, np.uint64)
    for column in frame:
        text = column.cast(pl.String)
        values = text.unique()
        bits = [xxhash.xxh3_64_intdigest(b"\0" if value is None else b"\1" + value.encode()) for value in values]
        table = pl.DataFrame({"value": values, "bits": pl.Series(bits, dtype=pl.UInt64)})
        own = text.to_frame("value").join(table, on="value", how="left", nulls_equal=True, maintain_order="left")
        whole = (whole ^ own["bits"].to_numpy()) * np.uint64(0x9FB21C651E98DF25) + P1
    return whole
