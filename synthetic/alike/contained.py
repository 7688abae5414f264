"""How much of each of many short texts stands in a long one: one pass over the long one, however many there are.

Each known text is its set of shingles. A shingle weighs log(N / n) for n of N known texts that hold it (inverse
document frequency, Spärck Jones, 1972): what many of them say tells little. The weighted containment of a known text is
the weight of its shingles that the long text holds, over the weight of all of them.
"""

from dataclasses import dataclass
from typing import Any  # numpy's arrays

import numpy as np
import polars as pl

from synthetic.alike import words
from synthetic.alike.eight import compiled
from synthetic.alike.laid import laid
from synthetic.alike.sets import Sets, sets
from synthetic.alike.words import WIDTH, longest, shingles

assert words.VERSION == 2  # noqa: S101 - numba keeps kernels by the text of their own file: this line is part of it


@dataclass(frozen=True)
class Known:
    """Known texts, ready to be looked for."""

    found: Sets
    hashes: Any
    """All their shingles, sorted, each once."""
    weights: Any
    """The weight of each."""
    starts: Any
    """Where the texts that hold a shingle begin in `texts`, and where the last ones end."""
    texts: Any
    totals: Any
    """The weight of each text."""
    tokens: Any
    """The tokens of each text."""


def known(texts: pl.Series, weightless: pl.Series, most_held: Any) -> Known:
    """Make texts ready. Shingles of `weightless` texts, and of more than `most_held[i]` texts, weigh nothing."""
    held = sets(texts)
    sizes = np.diff(held.starts)
    owner = np.repeat(np.arange(len(texts)), sizes)
    order = np.argsort(held.hashes, kind="stable")
    hashes, first, counts = np.unique(held.hashes[order], return_index=True, return_counts=True)
    weights = np.log(max(len(texts), 2) / counts) + 1.0 / max(len(texts), 2)
    common = counts > np.asarray(most_held)[owner[order][first]]
    weights = np.where(common | np.isin(hashes, sets(weightless).hashes), 0.0, weights)
    place = np.searchsorted(hashes, held.hashes)
    totals = np.bincount(owner, weights[place], len(texts))
    starts = np.append(first, len(held.hashes)).astype(np.int64)
    tokens = np.zeros(len(texts), np.int64)
    _tokens(*next(laid(texts.rechunk())), tokens)
    return Known(held, hashes, weights, starts, owner[order].astype(np.int64), totals, tokens)


@compiled
def _tokens(offsets: Any, data: Any, valid: Any, tokens: Any) -> Any:
    scratch = np.empty(longest(offsets) + 1, np.uint64)
    for row in range(len(valid)):
        if valid[row]:
            tokens[row] = shingles(data, offsets[row], offsets[row + 1], scratch)[1]


@compiled
def _place(hashes: Any, value: Any) -> Any:
    low, high = 0, len(hashes)
    while low < high:
        middle = (low + high) // 2
        if hashes[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low if low < len(hashes) and hashes[low] == value else -1


@compiled
def _look(
    offsets: Any, data: Any, valid: Any, near: Any, hashes: Any, weights: Any, starts: Any, texts: Any, totals: Any,
    own_starts: Any, own: Any, best: Any, share: Any, run: Any, tokens: Any,
) -> Any:  # fmt: skip
    scratch = np.empty(longest(offsets) + 1, np.uint64)
    sums = np.zeros(len(totals))
    touched = np.empty(len(totals), np.int64)
    for row in range(len(valid)):
        best[row], share[row], run[row], tokens[row] = -1, 0.0, 0, 0
        if not valid[row]:
            continue
        made, tokens[row] = shingles(data, offsets[row], offsets[row + 1], scratch)
        hits = np.empty(0, np.uint64)
        number = 0
        for at in range(made):
            if near[scratch[at] & np.uint64(len(near) - 1)]:
                number += 1
        if number == 0:
            continue
        hits = np.empty(number, np.uint64)
        number = 0
        for at in range(made):
            if near[scratch[at] & np.uint64(len(near) - 1)]:
                hits[number] = scratch[at]
                number += 1
        hits.sort()
        count = 0
        for at in range(number):
            if at and hits[at] == hits[at - 1]:
                continue
            place = _place(hashes, hits[at])
            if place < 0 or weights[place] == 0.0:
                continue
            for each in range(starts[place], starts[place + 1]):
                text = texts[each]
                if sums[text] == 0.0:
                    touched[count] = text
                    count += 1
                sums[text] += weights[place]
        for each in range(count):
            text = touched[each]
            part = sums[text] / totals[text]
            if part > share[row] or (part == share[row] and (best[row] < 0 or text < best[row])):
                best[row], share[row] = text, part
            sums[text] = 0.0
        if best[row] >= 0:
            inside = own[own_starts[best[row]] : own_starts[best[row] + 1]]
            length = 0
            for at in range(made):
                if _place(inside, scratch[at]) < 0:
                    length = 0
                elif weights[_place(hashes, scratch[at])] > 0.0:
                    length += 1
                    run[row] = max(run[row], length)


def look(of: Known, texts: pl.Series) -> pl.DataFrame:
    """For each text the known one of which it holds most: `best` (its number; -1: none), `share` (weighted containment,
    0 to 1), `run` (tokens in a row that both have, boilerplate not counted; 0 for none) and `tokens` of the text.
    """
    bits = 1 << max(10, int(8 * max(len(of.hashes), 1)).bit_length())
    near = np.zeros(bits, np.bool_)  # most shingles of a text are of no known one: one look tells
    near[(of.hashes & np.uint64(bits - 1)).astype(np.int64)] = True
    parts = []
    for offsets, data, valid in laid(texts):
        rows = len(valid)
        best, share, run, tokens = (
            np.empty(rows, np.int64),
            np.empty(rows),
            np.empty(rows, np.int64),
            np.empty(rows, np.int64),
        )
        own = of.found.starts, of.found.hashes
        kept = of.hashes, of.weights, of.starts, of.texts, of.totals
        _look(offsets, data, valid, near, *kept, *own, best, share, run, tokens)
        run = np.where(run > 0, run + WIDTH - 1, 0)
        parts.append(pl.DataFrame({"best": best, "share": share, "run": run, "tokens": tokens}))
    return pl.concat(parts)
