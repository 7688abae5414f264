"""JSON that is too large to hold, walked from the front while it is read: a piece is taken or passed over.

Only the outer levels are walked token by token. What lies deeper goes by in stretches that one regular expression
matches, so a log of which nine tenths are not wanted costs little more than reading it, and no more memory than a
chunk. What is passed over is not checked: brackets are counted, nothing else.
"""

import re
from collections.abc import Callable, Iterator

# As much as can be told without looking at brackets: whole strings, and what stands between them.
_FLAT = re.compile(rb'(?:[^"\[\]{}]++|"[^"\\]*+(?:\\.[^"\\]*+)*+")*+', re.DOTALL)
_IN_STRING = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_SPACE = re.compile(rb"[ \t\r\n]*+")
_SCALAR = re.compile(rb"[^,\]}\s]*+")

LONGEST_NAME_BYTES = 1 << 20
"""A member's name that is longer breaks the document off."""

Take = Callable[[bytes], None]


class Pieces:
    """A JSON document that comes in chunks. Whatever breaks it off raises `ValueError`."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._chunk = b""
        self._at = 0

    def peek(self) -> bytes:
        """The next byte that is no white space; empty at the end of the document."""
        while True:
            match = _SPACE.match(self._chunk, self._at)
            self._at = match.end() if match else self._at
            if self._at < len(self._chunk):
                return self._chunk[self._at : self._at + 1]
            if not self._more():
                return b""

    def members(self) -> Iterator[str]:
        """The names of an object's members; before the next one is asked for, `value` must have taken the last."""
        for _ in self._parts(b"{", b"}"):
            name = bytearray()
            if self.peek() != b'"':
                raise ValueError("a member has no name")
            self._string(_named(name))
            self._expect(b":")
            yield name[1:-1].decode("utf-8", "replace")

    def elements(self) -> Iterator[int]:
        """The numbers of an array's elements; before the next one is asked for, `value` must have taken the last."""
        yield from self._parts(b"[", b"]")

    def value(self, take: Take | None = None) -> None:
        """Pass over the value that comes next; `take` is given it, piece by piece."""
        match self.peek():
            case b"":
                raise ValueError("breaks off")
            case b'"':
                self._string(take)
            case b"{" | b"[":
                self._nested(take)
            case _:
                self._stretch(_SCALAR, take)

    def _parts(self, opening: bytes, closing: bytes) -> Iterator[int]:
        self._expect(opening)
        number = 0
        while self.peek() != closing:
            if number:
                self._expect(b",")
            yield number
            number += 1
        self._at += 1

    def _nested(self, take: Take | None) -> None:
        depth = 0
        while True:
            if not self._chunk[self._at :]:
                self._next()
            begin = self._at
            while self._at < len(self._chunk):
                match = _FLAT.match(self._chunk, self._at)
                self._at = match.end() if match else self._at
                if (found := self._chunk[self._at : self._at + 1]) == b'"':
                    break
                self._at += len(found)
                depth += (found in b"{[") - (found in b"}]") if found else 0
                if not depth:
                    break
            if take and self._at > begin:
                take(self._chunk[begin : self._at])
            if not depth:
                return
            if self._at < len(self._chunk):  # a string that goes on in the next chunk
                self._string(take)

    def _string(self, take: Take | None) -> None:
        begin, self._at = self._at, self._at + 1
        while True:
            match = _IN_STRING.match(self._chunk, self._at)
            self._at = match.end() if match else self._at
            if ended := self._chunk[self._at : self._at + 1] == b'"':
                self._at += 1
            if take:
                take(self._chunk[begin : self._at])
            if ended:
                return
            left = self._chunk[self._at :]  # nothing, or a backslash whose other half is to come
            self._next(left)
            begin = self._at

    def _stretch(self, what: re.Pattern[bytes], take: Take | None) -> None:
        while True:
            match = what.match(self._chunk, self._at)
            begin, self._at = self._at, match.end() if match else self._at
            if take:
                take(self._chunk[begin : self._at])
            if self._at < len(self._chunk) or not self._more():
                return

    def _expect(self, byte: bytes) -> None:
        if (found := self.peek()) != byte:
            what = f"{found.decode('ascii', 'replace')!r} stands" if found else "it breaks off"
            raise ValueError(f"{what} where {byte.decode()!r} must stand")
        self._at += 1

    def _next(self, left: bytes = b"") -> None:
        if not self._more(left):
            raise ValueError("breaks off")

    def _more(self, left: bytes = b"") -> bool:
        chunk = next(self._chunks, b"")
        self._chunk, self._at = left + chunk, 0
        return bool(chunk)


def _named(name: bytearray) -> Take:
    """What keeps the pieces of a member's name."""

    def take(piece: bytes) -> None:
        name.extend(piece)
        if len(name) > LONGEST_NAME_BYTES:
            raise ValueError("a member's name is too long")

    return take
