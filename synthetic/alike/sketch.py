"""Signatures: 128 values of 16 bits that say how alike two texts are, whatever their length.

A fast similarity sketch (Dahlgaard, Knudsen, Thorup, "Fast similarity sketching", 2017) of a text's shingles: each
falls into one of 128 slots and the least value of a slot stays; slots that stay empty are filled by further rounds. The
low 16 bits of each slot are kept (Li and König, "b-bit minwise hashing", 2010): slots of unlike texts are equal once
in 65,536 times. The share of equal slots estimates the Jaccard similarity of the texts' shingle sets, with a standard
error of sqrt(J(1-J)/128): 0.035 at 0.8.

A signature is 256 bytes, little-endian. `DEFINITION` names what it was made by: signatures of two releases compare
where it is the same.
"""

from collections.abc import Sequence
from typing import Any  # numpy's arrays

import numpy as np
import polars as pl
import pyarrow as pa

from synthetic.alike import words
from synthetic.alike.eight import compiled, inner
from synthetic.alike.slices import sliced
from synthetic.alike.words import P1, P2, mix, room, shingles

assert words.VERSION == 2  # noqa: S101 - numba keeps kernels by the text of their own file: this line is part of it

SLOTS = 128
BYTES = 2 * SLOTS
VERSION = 1
DEFINITION = f"words-{words.VERSION} x {words.WIDTH}, sketch-{VERSION} of {SLOTS} x 16 bits"

_EMPTY = np.uint32(0xFFFFFFFF)
_LOW, _S2, _S30, _S32, _S34 = np.uint64(0xFFFFFFFF), np.uint64(2), np.uint64(30), np.uint64(32), np.uint64(34)
_LAST = np.uint64(3)


@inner
def _sketch(hashes: Any, made: Any, slots: Any) -> Any:
    """Fill the slots from a text's shingles."""
    slots[:] = _EMPTY
    for number in range(3):
        tag = np.uint64(number) << _S30
        for at in range(made):
            h = hashes[at] if number == 0 else mix(hashes[at] + np.uint64(number) * P1)
            slot = ((h >> _S32) * np.uint64(SLOTS)) >> _S32
            value = np.uint32(tag | ((h & _LOW) >> _S2))
            slots[slot] = min(slots[slot], value)
        full = True
        for slot in range(SLOTS):
            full &= slots[slot] != _EMPTY
        if full:  # later rounds have greater values: they would change nothing
            return
    for slot in range(SLOTS):
        if slots[slot] == _EMPTY:
            for at in range(made):
                h = mix(hashes[at] + np.uint64(slot + 7) * P2)
                slots[slot] = min(slots[slot], np.uint32((_LAST << _S30) | (h >> _S34)))


@compiled
def _signatures(offsets: Any, data: Any, valid: Any, scratch: Any, slots: Any, out: Any, tokens: Any) -> Any:
    for row in range(len(valid)):
        tokens[row] = 0
        if valid[row]:
            made, tokens[row] = shingles(data, offsets[row], offsets[row + 1], scratch)
            if made:
                _sketch(scratch, made, slots)
                for slot in range(SLOTS):
                    out[row, slot] = np.uint16(slots[slot] & np.uint32(0xFFFF))


def _signed(offsets: Any, data: Any, valid: Any) -> tuple[pl.Series, pl.Series]:
    out, tokens = np.zeros((len(valid), SLOTS), np.uint16), np.zeros(len(valid), np.uint32)
    _signatures(offsets, data, valid, room(offsets), np.empty(SLOTS, np.uint32), out, tokens)
    signed = pl.Series(values=_binary(out, tokens > 0), dtype=pl.Binary)
    return signed, pl.Series(values=pa.array(tokens, mask=~valid), dtype=pl.UInt32)


def signatures(texts: pl.Series, *, threads: int = 1) -> tuple[pl.Series, pl.Series]:
    """For each text its signature (binary, 256 bytes) and how many tokens it has (unsigned 32-bit).

    Null where a text is null or has no token; the number of a null text is null. Memory beside the result: 8 bytes for
    each byte of a thread's longest text, of which only as many are touched as it has shingles.
    """
    found = [(pl.Series(dtype=pl.Binary), pl.Series(dtype=pl.UInt32)), *sliced(texts, _signed, threads)]
    return pl.concat([one for one, _ in found]).alias(texts.name), pl.concat([n for _, n in found]).alias("tokens")


def _binary(values: Any, there: Any) -> pa.Array:
    """Rows of a matrix as binary values; null where they are not there."""
    lengths = np.where(there, BYTES, 0)
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])
    kept = values if there.all() else values[there]
    data = pa.py_buffer(np.ascontiguousarray(kept, "<u2").tobytes())
    validity = pa.array(there).buffers()[1]
    return pa.Array.from_buffers(
        pa.large_binary(), len(values), [None if there.all() else validity, pa.py_buffer(offsets), data]
    )


def matrix(values: pl.Series) -> tuple[Any, Any]:
    """Signatures as a matrix, rows × 128, and which rows have one; the others are zero."""
    there = values.is_not_null().to_numpy()
    joined = b"".join(values.drop_nulls().to_list())
    held = np.frombuffer(joined, "<u2").reshape(-1, SLOTS)
    if len(held) == len(there):
        return held, there
    whole = np.zeros((len(there), SLOTS), np.uint16)
    whole[there] = held
    return whole, there


@compiled
def _estimates(one: Any, other: Any, left: Any, right: Any, out: Any) -> Any:
    for pair in range(len(left)):
        equal = 0
        for slot in range(SLOTS):
            equal += one[left[pair], slot] == other[right[pair], slot]
        out[pair] = np.float32(equal) / np.float32(SLOTS)


def estimates(one: Any, other: Any, left: Sequence[int] | Any, right: Sequence[int] | Any) -> Any:
    """The estimated Jaccard similarity of pairs: row `left[i]` of one matrix with row `right[i]` of the other."""
    out = np.empty(len(left), np.float32)
    _estimates(one, other, np.asarray(left, np.int64), np.asarray(right, np.int64), out)
    return out
