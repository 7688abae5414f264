"""Tokens and shingles of texts, over UTF-8 bytes: the definition of what "the same words" means.

A **token** is a maximal run of letters, digits, marks and underscores (ASCII letters in lower case, everything else as
it is); or one character of a script that is written without spaces (Han, Kana, Thai, Lao, Tibetan, Myanmar, Khmer); or
one character of punctuation or a symbol, so that `2+3` and `2-3` differ. White space and control characters stand
between tokens. A **shingle** is `WIDTH` tokens in a row; a text of fewer tokens is one shingle.

A token's hash takes its bytes eight at a time, little-endian, the last ones filled up with zeros: each eight are xored
in, multiplied by `P2`, and their upper half xored into the lower. A shingle's is a polynomial over the hashes of its
tokens, mixed as XXH3 does at its end. Equal shingles have equal hashes everywhere and always: `VERSION` is raised when
anything here changes.
"""

from typing import Any  # numpy's arrays, whose types are those of their values

import numpy as np
import polars as pl

from synthetic.alike.eight import (
    EIGHT,
    below,
    blocked,
    compiled,
    folded,
    head,
    inner,
    leading_zeros,
    load,
    load_within,
    ones,
    spliced,
    trailing_zeros,
)
from synthetic.alike.laid import laid

VERSION = 2
WIDTH = 5
"""Tokens in a shingle."""

P1, P2 = np.uint64(0x9E3779B185EBCA87), np.uint64(0xC2B2AE3D27D4EB4F)
_BASE = np.uint64(0x9FB21C651E98DF25)
_BASE_TO_WIDTH = np.uint64(pow(int(_BASE), WIDTH, 2**64))
_OFFSET = np.uint64(0xCBF29CE484222325)
"""A token's hash before its first byte."""
_MIX = np.uint64(0x165667919E3779F9)
_S32, _S37, _ONE = np.uint64(32), np.uint64(37), np.uint64(1)
_BLOCK, _REACH, _SEVERAL = np.uint64(64), np.uint64(72), np.uint64(16)
SPACE, WORD, SINGLE = 0, 1, 2
"""Kinds of characters: between tokens, part of a word, a token of its own."""


_ASCII = np.array([SINGLE if chr(byte).isprintable() and byte != 0x20 else SPACE for byte in range(128)], np.uint8)
"""The kind of ASCII bytes that are not in words."""

# Code points from 0x80 on: the first of a range, and the kind of its characters up to the next range.
_RANGES = (
    (0x0080, SPACE), (0x00A1, SINGLE), (0x00AA, WORD), (0x00AB, SINGLE), (0x00AD, SPACE), (0x00AE, SINGLE),
    (0x00B2, WORD), (0x00B4, SINGLE), (0x00B5, WORD), (0x00B6, SINGLE), (0x00B9, WORD), (0x00BB, SINGLE),
    (0x00BC, WORD), (0x00BF, SINGLE), (0x00C0, WORD), (0x00D7, SINGLE), (0x00D8, WORD), (0x00F7, SINGLE),
    (0x00F8, WORD), (0x0E00, SINGLE), (0x1000, SINGLE), (0x10A0, WORD), (0x1680, SPACE), (0x1681, WORD),
    (0x1780, SINGLE), (0x1800, WORD), (0x2000, SPACE), (0x2010, SINGLE), (0x2028, SPACE), (0x2030, SINGLE),
    (0x205F, SPACE), (0x2070, WORD), (0x207A, SINGLE), (0x207F, WORD), (0x208A, SINGLE), (0x2090, WORD),
    (0x20A0, SINGLE), (0x20D0, WORD), (0x2190, SINGLE), (0x2460, WORD), (0x2500, SINGLE), (0x2C00, WORD),
    (0x2E00, SINGLE), (0x3000, SPACE), (0x3001, SINGLE), (0x3100, WORD), (0x31F0, SINGLE), (0xA000, WORD),
    (0xF900, SINGLE), (0xFB00, WORD), (0xFE00, SPACE), (0xFE10, SINGLE), (0xFE70, WORD), (0xFEFF, SPACE),
    (0xFF00, SINGLE), (0xFF10, WORD), (0xFF1A, SINGLE), (0xFF21, WORD), (0xFF3B, SINGLE), (0xFF41, WORD),
    (0xFF5B, SINGLE), (0xFFF0, SPACE), (0xFFFC, SINGLE), (0x10000, WORD), (0x1D000, SINGLE), (0x1D400, WORD),
    (0x1F000, SINGLE), (0x1FBF0, WORD), (0x1FC00, SINGLE), (0x40000, WORD),
)  # fmt: skip
_FIRST = np.array([first for first, _ in _RANGES], np.uint32)
_KIND = np.array([kind for _, kind in _RANGES], np.uint8)


@inner
def mix(h: Any) -> Any:
    """Every bit of a 64-bit value into every other (the end of XXH3)."""
    h ^= h >> _S37
    h *= _MIX
    return h ^ (h >> _S32)


@spliced
def shingles(data: Any, start: Any, end: Any, out: Any) -> Any:
    """Write the hashes of the shingles of `data[start:end]` to `out`, in order; give how many, and how many tokens.

    `out` has room for one token a byte, and for one more.
    """
    tokens = _tokens(data, start, end, out)
    whole = gone = np.uint64(0)  # tokens together, as many as a shingle has; and the one before them
    for at in range(min(tokens, WIDTH - 1)):
        whole = whole * _BASE + out[at]
    if 0 < tokens < WIDTH:
        out[0] = mix(whole)
        return 1, tokens
    made = max(tokens - (WIDTH - 1), 0)
    for at in range(made):
        whole = whole * _BASE + (out[at + (WIDTH - 1)] - gone * _BASE_TO_WIDTH)
        gone = out[at]
        out[at] = mix(whole)
    return made, tokens


@inner
def _tokens(data: Any, start: Any, end: Any, out: Any) -> Any:
    """Write the hashes of the tokens of `data[start:end]` to `out`, in order; give how many.

    Blocks of 64 bytes, as far as they are ASCII, are cut by their bits; what is left, a word at a block's end or
    another character, a step at a time.
    """
    at, stop, size = np.uint64(start), np.uint64(end), np.uint64(len(data))
    tokens, word, filled, held = np.uint64(0), _OFFSET, np.uint64(0), np.uint64(0)  # `filled` bytes wait in `held`
    inside, block = False, at
    while True:
        if not inside and at >= block and at + _BLOCK <= stop and at + _REACH <= size:
            words, singles, ascii = blocked(data, at)
            whole = ascii - leading_zeros(~(words << (_BLOCK - ascii))) if ascii else ascii  # the last word may go on
            if whole:
                tokens = _blocked(data, at, words, (words & ~(words << _ONE) | singles) & below(whole), out, tokens)
                at += whole
                continue
            block = at + max(ascii, _SEVERAL)
        eight = load_within(data, at, size)
        length = min(head(eight), stop - at)
        if length:
            letters = folded(eight, length)
            inside = True
            held |= letters << (EIGHT * filled)
            filled += length
            if filled >= EIGHT:
                word = _with(word, held)
                filled -= EIGHT
                held = letters >> (EIGHT * (length - filled)) if filled else np.uint64(0)
            at += length
            if length == EIGHT:
                continue
        length, kind = _character(data, at, stop)
        if kind == WORD:
            word, held, filled = _taken(word, held, filled, data, at, length)
            inside = True
            at += length
            continue
        if not inside:
            if at >= stop:
                return np.int64(tokens)
            if kind == SINGLE:
                word, held, filled = _taken(word, held, filled, data, at, length)
            at += length
            if kind == SPACE:
                continue
        elif kind == SPACE:  # it is passed with the word before it
            at = min(at + length, stop)
        inside = False
        if filled:
            word = _with(word, held)
        out[tokens] = word
        tokens += _ONE
        word, held, filled = _OFFSET, np.uint64(0), np.uint64(0)


@inner
def _blocked(data: Any, at: Any, words: Any, begins: Any, out: Any, tokens: Any) -> Any:
    """Write the hashes of a block's tokens; give how many tokens there are then.

    `words` are the bytes that are in words, and `begins` those with which tokens begin, a bit each. Lengths cannot be
    foreseen: the few words that are longer than eight bytes come last, so that no branch depends on them before.
    """
    first, left = tokens, begins
    while left:
        place = trailing_zeros(left)
        left &= left - _ONE
        length = min(max(trailing_zeros(~(words >> place)), _ONE), EIGHT)
        out[tokens] = _with(_OFFSET, folded(load(data, at + place), length))
        tokens += _ONE
    runs = words & (words >> _ONE)
    runs &= runs >> np.uint64(2)
    runs &= runs >> np.uint64(4)
    left = begins & runs & (words >> EIGHT)
    while left:
        place = trailing_zeros(left)
        left &= left - _ONE
        length = trailing_zeros(~(words >> place))
        number = first + ones(begins & below(place))
        word = out[number]
        while length > EIGHT:
            place += EIGHT
            length -= EIGHT
            word = _with(word, folded(load(data, at + place), min(length, EIGHT)))
        out[number] = word
    return tokens


@inner
def _with(word: Any, held: Any) -> Any:
    """A word's hash with eight more bytes."""
    word = (word ^ held) * P2
    return word ^ (word >> _S32)


@inner
def _taken(word: Any, held: Any, filled: Any, data: Any, at: Any, length: Any) -> Any:
    """A word's hash, and the bytes of it that wait, with `length` more bytes."""
    for more in range(length):
        held |= np.uint64(data[at + np.uint64(more)]) << (EIGHT * filled)
        filled += _ONE
        if filled == EIGHT:
            word = _with(word, held)
            held, filled = np.uint64(0), np.uint64(0)
    return word, held, filled


@inner
def _character(data: Any, at: Any, stop: Any) -> Any:
    """Bytes and kind of a character that is no ASCII letter, digit or underscore; at the end, those of a space."""
    if at >= stop:
        return _ONE, SPACE
    byte = data[at]
    if byte < 0x80:
        return _ONE, np.int64(_ASCII[byte])
    return _beyond(data, at, stop)


@inner
def _beyond(data: Any, at: Any, stop: Any) -> Any:
    """Bytes and kind of a character that is not ASCII."""
    byte = data[at]
    length = np.uint64(2 if byte < 0xE0 else (3 if byte < 0xF0 else 4))
    length = min(length, stop - at)
    point = np.uint32(byte) & (np.uint32(0x7F) >> np.uint32(length))
    for more in range(1, length):
        point = (point << np.uint32(6)) | np.uint32(data[at + np.uint64(more)] & np.uint8(0x3F))
    low, high = 0, len(_FIRST)
    while high - low > 1:
        middle = (low + high) // 2
        if _FIRST[middle] <= point:
            low = middle
        else:
            high = middle
    return length, np.int64(_KIND[low])


def room(offsets: Any) -> Any:
    """Room for the shingles of the longest text, for a kernel: what makes it there takes longer to compile."""
    return np.empty(int(np.diff(offsets).max(initial=0)) + 1, np.uint64)


@compiled
def longest(offsets: Any) -> Any:
    """The bytes of the longest text."""
    most = 0
    for row in range(len(offsets) - 1):
        most = max(most, offsets[row + 1] - offsets[row])
    return most


@compiled
def _count(offsets: Any, data: Any, valid: Any, lo: Any, hi: Any) -> Any:
    """Tokens of rows: what every kernel must at least do."""
    scratch = np.empty(longest(offsets) + 1, np.uint64)
    tokens = 0
    for row in range(lo, hi):
        if valid[row]:
            tokens += shingles(data, offsets[row], offsets[row + 1], scratch)[1]
    return tokens


def count(texts: pl.Series) -> int:
    """How many tokens these texts have, on one core: the floor of everything that reads words."""
    return sum(int(_count(*piece, 0, len(piece[2]))) for piece in laid(texts))
