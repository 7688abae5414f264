"""How alike two texts are, exactly: their sets of shingles, Jaccard similarity and containment.

Jaccard: shingles that both have over those that either has. Containment (Broder, 1997): shingles that both have over
those of the smaller set. A text that was cut off is contained in the whole one, however unlike in length they are.

`keepers` is a star, not a closure: a row is dropped for a row that is kept and alike enough itself, never for one that
is only alike to another dropped one.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import local
from typing import Any  # numpy's arrays

import numpy as np
import polars as pl

from synthetic.alike import words
from synthetic.alike.eight import compiled
from synthetic.alike.laid import Room, laid
from synthetic.alike.sketch import SLOTS
from synthetic.alike.slices import sliced
from synthetic.alike.words import room, shingles

assert words.VERSION == 2  # noqa: S101 - numba keeps kernels by the text of their own file: this line is part of it

PIECE_ROWS = 512
"""Rows whose sets are held at once by a thread, as far as one group is not larger."""

MOST_COMPARED = 1000
"""A row is compared with at most so many kept rows of its group, the first in the order of preference."""

_ONE, _EMPTY = np.uint64(1), np.uint64(0xFFFFFFFFFFFFFFFF)

_LARGE = 4 * 1024 * 1024
"""Bytes of a text whose shingles are no longer put in their places, which takes 40 bytes for each, but sorted."""

_SURE = 0.25
"""Pairs whose estimated similarity lies so far below what is asked (six standard errors) are not looked at exactly."""


@dataclass(frozen=True)
class Sets:
    """Sets of shingles, each sorted, one after the other."""

    starts: Any
    """Where each row's set begins, and where the last one ends (64-bit)."""
    hashes: Any


@compiled
def _distinct(hashes: Any, made: Any, table: Any, out: Any) -> Any:
    """Write the distinct ones of `made` hashes to `out`, sorted; give how many.

    Hashes are spread evenly over all 64 bits, so their leading bits say about where each belongs. From there on each is
    put before the first that is larger; that shifts a few. `table` is empty, and left so.
    """
    bits = 1
    while (1 << bits) < 2 * made:
        bits += 1
    places, shift, last = 1 << bits, np.uint64(64 - bits), False
    for at in range(made):
        h = hashes[at]
        place = h >> shift
        while table[place] < h:
            place += _ONE
        if table[place] == h:
            last |= h == _EMPTY
            continue
        while h != _EMPTY:
            table[place], h = h, table[place]
            place += _ONE
    kept, at = 0, 0
    while at < places or table[at] != _EMPTY:
        out[kept] = table[at]
        kept += table[at] != _EMPTY
        table[at] = _EMPTY
        at += 1
    if last:
        out[kept] = _EMPTY
        kept += 1
    return kept


@compiled
def _filled(offsets: Any, data: Any, valid: Any, hashes: Any, table: Any, sizes: Any, out: Any) -> Any:
    """Write the sets of all rows to `out`, one after the other, and to `sizes` how large each is."""
    total, emptied = 0, 0  # what is emptied stays so
    for row in range(len(valid)):
        if valid[row]:
            made = shingles(data, offsets[row], offsets[row + 1], hashes)[0]
            places = 5 * made + 3  # twice to four times as many places as hashes, and what is shifted out of them
            table[emptied:places] = _EMPTY
            emptied = max(emptied, places)
            sizes[row] = _distinct(hashes, made, table, out[total:])
            total += sizes[row]


def _fill(offsets: Any, data: Any, valid: Any, out: Any) -> Any:
    """The same, by sorting where there is a large text; give the sizes."""
    sizes = np.zeros(len(valid), np.int64)
    if np.diff(offsets).max(initial=0) <= _LARGE:
        hashes = room(offsets)
        _filled(offsets, data, valid, hashes, np.empty(5 * len(hashes) + 3, np.uint64), sizes, out)
        return sizes
    total = 0
    for row in np.flatnonzero(valid):
        hashes = np.empty(offsets[row + 1] - offsets[row] + 1, np.uint64)
        made, _ = shingles(data, offsets[row], offsets[row + 1], hashes)
        own = np.unique(hashes[:made])
        out[total : total + len(own)] = own
        sizes[row] = len(own)
        total += len(own)
    return sizes


def _sets(offsets: Any, data: Any, valid: Any) -> tuple[Any, Any]:
    """How many distinct shingles each row has, and these, sorted row by row."""
    # Untouched pages cost nothing: there are at most as many shingles as bytes, and room for one more.
    out = np.empty(int(offsets[-1] - offsets[0]) + 1, np.uint64)
    sizes = _fill(offsets, data, valid, out)
    return sizes, out[: sizes.sum()]


def sets(texts: pl.Series, *, threads: int = 1) -> Sets:
    """The shingle sets of texts; empty where a text is null or has no token. 8 bytes for each distinct shingle."""
    found = sliced(texts, _sets, threads)
    sizes = np.concatenate([own for own, _ in found]) if found else np.zeros(0, np.int64)
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
    return Sets(starts, np.concatenate([hashes for _, hashes in found]) if found else np.zeros(0, np.uint64))


@compiled
def _shared(hashes: Any, one: Any, one_end: Any, other: Any, other_end: Any) -> Any:
    """How many values two sorted stretches share."""
    both = 0
    while one < one_end and other < other_end:
        a, b = hashes[one], hashes[other]
        both += a == b
        one += a <= b
        other += b <= a
    return both


@compiled
def _pairs(hashes: Any, starts: Any, left: Any, right: Any, jaccard: Any, containment: Any) -> Any:
    for pair in range(len(left)):
        i, j = left[pair], right[pair]
        a, b = starts[i + 1] - starts[i], starts[j + 1] - starts[j]
        both = _shared(hashes, starts[i], starts[i + 1], starts[j], starts[j + 1])
        jaccard[pair] = both / max(a + b - both, 1)
        containment[pair] = both / max(min(a, b), 1)


def pairs(found: Sets, left: Any, right: Any) -> tuple[Any, Any]:
    """Jaccard similarity and containment of pairs of rows; 0 where a set is empty."""
    jaccard, containment = np.zeros(len(left)), np.zeros(len(left))
    _pairs(found.hashes, found.starts, np.asarray(left, np.int64), np.asarray(right, np.int64), jaccard, containment)
    return jaccard, containment


@compiled
def _star(
    hashes: Any,
    starts: Any,
    of: Any,
    groups: Any,
    signatures: Any,
    alike: Any,
    contained: Any,
    most: Any,
    keeper: Any,
    told: Any,
) -> Any:
    """Find the keeper of every row, group by group; give how many rows were not compared with all that are kept."""
    rows = len(groups)
    kept = np.empty(rows, np.int64)
    number, cut = 0, 0
    for row in range(rows):
        if row == 0 or groups[row] != groups[row - 1]:
            number = 0
        keeper[row] = -1
        best = -1.0
        begin, end = starts[of[row]], starts[of[row] + 1]
        size = end - begin
        for at in range(min(number, most)):
            other = kept[at]
            its_begin, its_end = starts[of[other]], starts[of[other] + 1]
            its = its_end - its_begin
            small, large = min(size, its), max(size, its)
            if small == 0:
                continue
            equal = 0
            for slot in range(SLOTS):
                equal += signatures[row, slot] == signatures[other, slot]
            likely = min(equal / SLOTS + _SURE, small / large)
            shared = min(likely / (1 + likely) * (small + large), small)
            if likely < alike and shared / small < contained:
                continue
            both = size if begin == its_begin else _shared(hashes, begin, end, its_begin, its_end)
            jaccard, containment = both / (size + its - both), both / small
            if (jaccard >= alike or containment >= contained) and jaccard > best:
                best = jaccard
                keeper[row], told[row, 0], told[row, 1] = other, jaccard, containment
                if jaccard == 1.0:
                    break
        if keeper[row] < 0:
            cut += number > most
            told[row, 0] = number > most
            kept[number] = row
            number += 1
    return cut


@dataclass(frozen=True)
class Star:
    """Which row each row is dropped for."""

    keeper: Any
    """The kept row that it is most alike (Jaccard); -1 for rows that are kept."""
    jaccard: Any
    containment: Any
    cut: Any
    """Kept rows that were not compared with all kept rows of their group, because there were too many."""


def keepers(
    found: Sets,
    groups: Any,
    signatures: Any,
    *,
    alike: float,
    contained: float,
    most: int = MOST_COMPARED,
    of: Any = None,
) -> Star:
    """Keep or drop every row of groups: rows of one group stand together, the best first.

    A row is dropped where a kept row of its group before it has Jaccard of at least `alike` or containment of at least
    `contained`. Each is compared with the first `most` kept rows alone, which bounds the work of a group of n rows by
    n × most; a row that is alike only to a later one stays. Signatures (`sketch.matrix`) spare looking at pairs that
    cannot be. `of` says which of the sets each row has, where rows of one text share one; None: each has its own.
    """
    rows = len(groups)
    own = np.arange(rows) if of is None else np.asarray(of, np.int64)
    keeper, told = np.empty(rows, np.int64), np.zeros((rows, 2))
    held = np.asarray(groups, np.int64)
    _star(found.hashes, found.starts, own, held, signatures, float(alike), float(contained), most, keeper, told)
    dropped = keeper >= 0
    return Star(
        keeper, np.where(dropped, told[:, 0], 0.0), np.where(dropped, told[:, 1], 0.0), ~dropped & (told[:, 0] > 0)
    )


def stars(
    texts: pl.Series,
    at: pl.Series,
    groups: Any,
    signatures: Any,
    *,
    alike: float,
    contained: float,
    most: int = MOST_COMPARED,
    threads: int = 1,
) -> Star:
    """`keepers` of texts whose sets are made, compared and forgotten, some groups at a time, on several threads.

    `at` says where in `texts` the text of each row is; groups, signatures and what is found are those of the rows.
    Memory is that of the sets of some `PIECE_ROWS` rows for each thread, or of the largest group. A text that several
    rows of a piece have is counted once.
    """
    held, own = np.asarray(groups, np.int64), local()
    bounds = np.concatenate([[0], np.flatnonzero(np.diff(held)) + 1, [len(held)]])
    cuts = np.unique(bounds[np.searchsorted(bounds, [*range(0, len(held), PIECE_ROWS), len(held)])])
    cuts = cuts if len(cuts) > 1 else np.zeros(2, np.int64)

    def piece(lo: int, hi: int) -> Star:
        rows = texts.gather(at.slice(lo, hi - lo)).rechunk().to_frame("text").with_row_index("first")
        first = rows.select(pl.col("first").first().over("text")).to_series().to_numpy()
        if hi - lo > 2 * PIECE_ROWS:  # one large group
            distinct, of = np.unique(first, return_inverse=True)
            found = sets(rows["text"].gather(distinct))
        else:
            own.texts, own.sets = getattr(own, "texts", None) or Room(), getattr(own, "sets", None) or Room()
            offsets, data, valid = next(laid(rows["text"], own.texts))
            size = 8 * (int(offsets[-1]) + 1)
            hashes, of = own.sets.of(size)[:size].view(np.uint64), first
            sizes = _fill(offsets, data, valid & (first == rows["first"].to_numpy()), hashes)
            found = Sets(np.concatenate([[0], np.cumsum(sizes)]), hashes)
        star = keepers(found, held[lo:hi], signatures[lo:hi], alike=alike, contained=contained, most=most, of=of)
        star.keeper[star.keeper >= 0] += lo
        return star

    with ThreadPoolExecutor(threads) as pool:
        parts = [*pool.map(piece, cuts[:-1].tolist(), cuts[1:].tolist())]
    told = [(part.keeper, part.jaccard, part.containment, part.cut) for part in parts]
    return Star(*(np.concatenate(column) for column in zip(*told, strict=True)))
