"""Eight bytes at a time: which of them are in words, and what they count as.

Bytes that lie in a row are one 64-bit number, the first one lowest. Which of them are letters, digits or underscores
comes of a few additions that no carry crosses (Warren, "Hacker's Delight", 2012, 6-1), without a branch for each.
"""

from typing import Any  # kernels, and numpy's arrays

import numba as nb
import numpy as np
from llvmlite import ir
from numba.extending import intrinsic

EIGHT = np.uint64(8)


def compiled(function: Any) -> Any:
    """Compile a kernel when it is first called: without the GIL, kept on disk."""
    return nb.njit(nogil=True, cache=True, boundscheck=False)(function)


def _each(byte: int) -> np.uint64:
    """Eight times the same byte."""
    return np.uint64(byte * 0x0101010101010101)


# Added to bytes below 0x80, these carry into a byte's top bit from a character on: `_FROM_A` from "a" on.
_FROM_0, _AFTER_9 = _each(0x80 - ord("0")), _each(0x80 - ord("9") - 1)
_FROM_A, _AFTER_Z = _each(0x80 - ord("a")), _each(0x80 - ord("z") - 1)
_FROM_CAPITAL_A, _AFTER_CAPITAL_Z = _each(0x80 - ord("A")), _each(0x80 - ord("Z") - 1)
_TOP, _LOW, _CASE, _UNDERSCORE = _each(0x80), _each(0x7F), _each(0x20), _each(ord("_"))
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


def _loading(_typing: Any, data: Any, _at: Any) -> Any:
    def made(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        place = builder.bitcast(builder.gep(array.data, [arguments[1]]), ir.IntType(64).as_pointer())
        return builder.load(place, align=1)

    return nb.uint64(data, nb.uint64), made


def _counting(_typing: Any, _value: Any) -> Any:
    def made(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return nb.uint64(nb.uint64), made


_load: Any = intrinsic(_loading)
"""The eight bytes from a place on, at any address."""
_trailing_zeros: Any = intrinsic(_counting)
"""How many of the lowest bits are zero; 64 where none is set."""


@compiled
def load(data: Any, at: Any, size: Any) -> Any:
    """The eight bytes of `data` from `at` on; where it ends before, zeros in place of those that are not there."""
    if at + EIGHT <= size:
        return _load(data, at)
    eight = np.uint64(0)
    for place in range(at, size):
        eight |= np.uint64(data[place]) << (EIGHT * (np.uint64(place) - at))
    return eight


@compiled
def head(eight: Any) -> Any:
    """How many of eight bytes, from the first on, are ASCII letters, digits or underscores: 0 to 8."""
    low = eight & _LOW
    letter = ((low | _CASE) + _FROM_A) & ~((low | _CASE) + _AFTER_Z)
    digit = (low + _FROM_0) & ~(low + _AFTER_9)
    underscore = ~((low ^ _UNDERSCORE) + _LOW)
    inside = (letter | digit | underscore) & _TOP & ~(eight & _TOP)
    return _trailing_zeros(inside ^ _TOP) // EIGHT


@compiled
def folded(eight: Any, length: Any) -> Any:
    """The first `length` (1 to 8) of eight bytes that are all in a word, letters in lower case; zeros after them."""
    low = eight & _LOW
    capital = (low + _FROM_CAPITAL_A) & ~(low + _AFTER_CAPITAL_Z) & _TOP
    return (eight | (capital >> np.uint64(2))) & (_ALL >> (EIGHT * (EIGHT - length)))
