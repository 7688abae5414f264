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


def inner(function: Any) -> Any:
    """Compile a part of kernels with the first that needs it: on disk it is kept within them alone.

    Without the wrappers by which Python would call it: they take half of the time.
    """
    options: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    return nb.njit(nogil=True, boundscheck=False, **options)(function)


def spliced(function: Any) -> Any:
    """A part that is compiled as if its lines stood in the kernels that call it, and not once more before."""
    return nb.njit(nogil=True, boundscheck=False, inline="always")(function)


def _each(byte: int) -> np.uint64:
    """Eight times the same byte."""
    return np.uint64(byte * 0x0101010101010101)


# Added to bytes below 0x80, these carry into a byte's top bit from a character on: `_FROM_A` from "a" on.
_FROM_0, _AFTER_9 = _each(0x80 - ord("0")), _each(0x80 - ord("9") - 1)
_FROM_A, _AFTER_Z = _each(0x80 - ord("a")), _each(0x80 - ord("z") - 1)
_FROM_CAPITAL_A, _AFTER_CAPITAL_Z = _each(0x80 - ord("A")), _each(0x80 - ord("Z") - 1)
_TOP, _LOW, _CASE, _UNDERSCORE = _each(0x80), _each(0x7F), _each(0x20), _each(ord("_"))
_FROM_MARK, _FIRST = _each(0x80 - 0x21), _each(0x01)
_GATHER = np.uint64(0x0102040810204080)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


def _loading(_typing: Any, data: Any, _at: Any) -> Any:
    def made(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        place = builder.bitcast(builder.gep(array.data, [arguments[1]]), ir.IntType(64).as_pointer())
        return builder.load(place, align=1)

    return nb.uint64(data, nb.uint64), made


def _counting(of: str) -> Any:
    def typed(_typing: Any, _value: Any) -> Any:
        def made(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            more = () if of == "ctpop" else (ir.Constant(ir.IntType(1), 0),)
            return getattr(builder, of)(*arguments, *more)

        return nb.uint64(nb.uint64), made

    return intrinsic(typed)


load: Any = intrinsic(_loading)
"""The eight bytes from a place on, at any address."""
trailing_zeros = _counting("cttz")
"""How many of the lowest bits are zero; 64 where none is set."""
leading_zeros = _counting("ctlz")
"""How many of the highest bits are zero; 64 where none is set."""
ones = _counting("ctpop")
"""How many bits are set."""


@inner
def load_within(data: Any, at: Any, size: Any) -> Any:
    """The eight bytes of `data` from `at` on; where it ends before, zeros in place of those that are not there."""
    if at + EIGHT <= size:
        return load(data, at)
    eight = np.uint64(0)
    for place in range(at, size):
        eight |= np.uint64(data[place]) << (EIGHT * (np.uint64(place) - at))
    return eight


@inner
def below(count: Any) -> Any:
    """The lowest bits set, 0 to 64 of them; by two shifts, because no number is shifted by 64."""
    half = count >> np.uint64(1)
    return ((np.uint64(1) << half) << (count - half)) - np.uint64(1)


@inner
def _inside(eight: Any) -> Any:
    """The top bit of each byte that is an ASCII letter, digit or underscore."""
    low = eight & _LOW
    letter = ((low | _CASE) + _FROM_A) & ~((low | _CASE) + _AFTER_Z)
    digit = (low + _FROM_0) & ~(low + _AFTER_9)
    underscore = ~((low ^ _UNDERSCORE) + _LOW)
    return (letter | digit | underscore) & _TOP & ~eight


@inner
def _blank(eight: Any) -> Any:
    """The top bit of each byte that is an ASCII space or control character."""
    low = eight & _LOW
    return (~(low + _FROM_MARK) | (low + _FIRST)) & _TOP & ~eight


@inner
def _bits(tops: Any) -> Any:
    """The top bits of eight bytes as the lowest eight bits, in order."""
    return ((tops >> np.uint64(7)) * _GATHER) >> np.uint64(56)


@inner
def head(eight: Any) -> Any:
    """How many of eight bytes, from the first on, are ASCII letters, digits or underscores: 0 to 8."""
    return trailing_zeros(_inside(eight) ^ _TOP) // EIGHT


@inner
def blocked(data: Any, at: Any) -> Any:
    """Of 64 bytes, a bit each, the first one lowest: which are in words, which are tokens of their own.

    And how many stand before the first one that is not ASCII; no bit is set from there on.
    """
    words = blanks = beyond = np.uint64(0)
    for number in range(8):
        eight = load(data, at + np.uint64(8 * number))
        words |= _bits(_inside(eight)) << np.uint64(8 * number)
        blanks |= _bits(_blank(eight)) << np.uint64(8 * number)
        beyond |= _bits(eight & _TOP) << np.uint64(8 * number)
    limit = trailing_zeros(beyond)
    return words & below(limit), ~(words | blanks) & below(limit), limit


@inner
def folded(eight: Any, length: Any) -> Any:
    """The first `length` (0 to 8) of eight bytes that are all in a word, letters in lower case; zeros after them."""
    low = eight & _LOW
    capital = (low + _FROM_CAPITAL_A) & ~(low + _AFTER_CAPITAL_Z) & _TOP
    return (eight | (capital >> np.uint64(2))) & below(EIGHT * length)
