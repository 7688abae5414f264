"""Records on a line that is no JSON: a crash tore one and the next was glued to it, or several stand on one line.

A writer that is killed within a record leaves a fragment without a newline, and the one started after it appends its
first record to that. Such a line is split into the whole records that it holds and the fragments between them.
"""

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

MOST_PIECES = 10_000
"""What follows so many pieces is one fragment."""

ATTEMPT = 1_000
"""What an attempt costs at least, in characters read."""

_BLANK = re.compile("[ \t\r\ufeff]+")
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str)
_OWN_START = re.compile(r'[\s\ufeff]*(\{"(?:[^"\\]|\\.){1,100}":)')
# How records of verifiers and of prime-rl begin, for a fragment that has lost its own beginning.
_KNOWN_STARTS = (r'\{"id": ?"', r'\{"version": ?\d+, ?"trace_id"')


class Piece(NamedTuple):
    """A part of a line."""

    offset: int
    """Bytes of the line before it."""
    line: bytes
    whole: bool
    """Whether it is a record; else a fragment."""


def pieces(line: bytes) -> list[Piece]:
    """The records and fragments of a line that is no JSON, in order; none where it holds no whole record.

    Within a line a record begins as the line itself does, or as records of verifiers and prime-rl do, and it ends with
    the line or where another begins: so an object inside a torn record is not taken for one. Blanks between are left.
    """
    text = line.decode("utf-8", "surrogateescape")  # a fragment may end within a character
    spans = list(_spans(text))
    if len(spans) < 2 or not any(whole for _, _, whole in spans):
        return []
    found, offset, read = [], 0, 0
    for begin, end, whole in spans:
        offset += len(text[read:begin].encode("utf-8", "surrogateescape"))
        part = text[begin:end].encode("utf-8", "surrogateescape")
        found.append(Piece(offset, part, whole))
        offset, read = offset + len(part), end
    return found


def _spans(text: str) -> Iterator[tuple[int, int, bool]]:
    """Begin and end of each piece, and whether it is whole."""
    own = _OWN_START.match(text)
    start = re.compile("|".join([*([re.escape(own[1])] if own else []), *_KNOWN_STARTS]))
    last = len(text.rstrip())
    at, budget = 0, 8 * len(text) + 1_000_000  # characters that may be read: a hostile line is not read for ever
    for _ in range(MOST_PIECES):
        if (blank := _BLANK.match(text, at)) is not None:
            at = blank.end()
        if at >= last:
            return
        end, budget = _object(text, at, budget)
        if end is not None:
            yield at, end, True
            at = end
            continue
        begin = last
        for match in start.finditer(text, at + 1):
            end, budget = _object(text, match.start(), budget)
            if budget < 0:
                break
            if end is not None and (end == last or start.match(text, end)):
                begin = match.start()
                break
        yield at, begin, False
        at = begin
    if at < last:
        yield at, last, False


def _object(text: str, at: int, budget: int) -> tuple[int | None, int]:
    """Where the object that begins here ends, if one does, and what is left of the budget."""
    if budget < 0 or not text.startswith("{", at):
        return None, budget
    try:
        _, end = _DECODER.raw_decode(text, at)
    except RecursionError:
        return None, -1
    except json.JSONDecodeError as error:  # to make it, all lines before it are counted
        return None, budget - (error.pos - at) - error.pos // 4 - ATTEMPT
    return end, budget - (end - at) - ATTEMPT
