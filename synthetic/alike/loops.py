"""Where texts repeat themselves."""

from typing import Any  # numpy's arrays

import numpy as np
import polars as pl

from synthetic.alike import words
from synthetic.alike.eight import compiled
from synthetic.alike.slices import sliced
from synthetic.alike.words import WIDTH, longest, shingles

assert words.VERSION == 2  # noqa: S101 - numba keeps kernels by the text of their own file: this line is part of it

TAIL = 16_384
"""Shingles from the end that are looked at."""

PERIOD_BYTES = 16
"""The longest period of a run of bytes."""

RUN_BYTES = 128
"""Shorter runs are not told."""

_SPACE = np.uint8(0x20)


@compiled
def _tail(hashes: Any, made: Any, z: Any) -> Any:
    """The tokens, and the times, of the longest stretch at the end that is one period said at least twice."""
    n = min(made, TAIL)
    # z[i]: so many shingles before the end are those before the one i places earlier.
    left = right = 0
    best, times = 0, 0.0
    for i in range(1, n):
        same = min(right - i, z[i - left]) if i < right else 0
        while i + same < n and hashes[made - 1 - same] == hashes[made - 1 - i - same]:
            same += 1
        z[i] = same
        if i + same > right:
            left, right = i, i + same
        # The shingles that agree overlap: a stretch of t shingles is t + WIDTH - 1 tokens.
        length = same + i + WIDTH - 1
        if same and length >= 2 * i and length > best:
            best, times = length, length / i
    return best, times


@compiled
def _run(data: Any, start: Any, end: Any) -> Any:
    """The longest run of at least `RUN_BYTES` bytes with a period of at most `PERIOD_BYTES`, white space left out."""
    best = 0
    stride = RUN_BYTES // 2 - PERIOD_BYTES
    done = np.full(PERIOD_BYTES + 1, start, np.int64)  # for each period, up to where runs are known
    # Such a run covers a place of every stride, and eight bytes before it: only there is it looked for.
    for at in range(start + stride, end, stride):
        for period in range(1, PERIOD_BYTES + 1):
            if at < done[period] or at - 7 - period < start:
                continue
            same = True
            for back in range(8):
                if data[at - back] != data[at - back - period]:
                    same = False
                    break
            if not same:
                continue
            first, last = at, at
            while first - 1 - period >= start and data[first - 1] == data[first - 1 - period]:
                first -= 1
            while last + 1 < end and data[last + 1] == data[last + 1 - period]:
                last += 1
            done[period] = last + 1
            if last + 1 - first + period < max(RUN_BYTES, best):
                continue
            length = 0
            for here in range(first - period, last + 1):
                length += data[here] > _SPACE
            best = max(best, length)
    return best if best >= RUN_BYTES else 0


@compiled
def _loops(offsets: Any, data: Any, valid: Any, tokens: Any, repeats: Any, runs: Any) -> Any:
    scratch = np.empty(longest(offsets) + 1, np.uint64)
    z = np.zeros(TAIL + 1, np.int64)
    for row in range(len(valid)):
        if valid[row]:
            made = shingles(data, offsets[row], offsets[row + 1], scratch)[0]
            # The last token may have been cut in the middle: then the last shingle is like no other.
            for cut in range(min(made, 2)):
                length, times = _tail(scratch, made - cut, z)
                if length > tokens[row]:
                    tokens[row], repeats[row] = length, times
            runs[row] = _run(data, offsets[row], offsets[row + 1])


def _looped(offsets: Any, data: Any, valid: Any) -> tuple[Any, Any, Any]:
    rows = len(valid)
    own = np.zeros(rows, np.int64), np.zeros(rows, np.float64), np.zeros(rows, np.int64)
    _loops(offsets, data, valid, *own)
    return own


def loops(texts: pl.Series, *, threads: int = 1) -> tuple[pl.Series, pl.Series, pl.Series]:
    """Tokens and repetitions of the loop at each text's end, and bytes of its longest run; 0 for none and for null."""
    found = sliced(texts, _looped, threads)
    empty = np.zeros(0, np.int64), np.zeros(0, np.float64), np.zeros(0, np.int64)
    tokens, repeats, runs = (np.concatenate(parts) for parts in zip(empty, *found, strict=True))
    return pl.Series(tokens), pl.Series(repeats), pl.Series(runs)
