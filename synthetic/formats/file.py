"""A log of text as lines: plain, gzip or zstd by its first bytes, read in constant memory.

Offsets count the decompressed text. Lines end in a newline byte and nothing else. What follows the last one
is a line if it is a whole JSON object; else it is torn: counted, never given. A compressed file that breaks off
gives the lines before the break.
"""

import codecs
import gzip
import io
import json
import os
import shlex
import stat
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Protocol, cast

import msgspec
import xxhash

from synthetic.errors import UnreadableLog
from synthetic.formats.bounds import too_large, too_many_values

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

CHUNK_BYTES = 1 << 20
READ_BYTES = 1 << 18
"""Text is read in pieces of this size: they stay in the processor's cache, where 1 MB did not (a third of the time)."""

LONGEST_LINE_BYTES = 512 * 1024 * 1024
"""A longer line is skipped to its end in constant memory, and set aside."""

BESIDE_BYTES = 16_000_000
"""The most that is read of a file that only describes a log."""

FREE_BYTES = 64_000_000
MOST_RATIO = 200
"""A compressed file is read no further once so much has come out of it that is so many times what went in."""

COMPRESSED = {".gz": b"\x1f\x8b", ".zst": b"\x28\xb5\x2f\xfd"}
"""Suffixes of compressed logs, and the first bytes that make a file one, whatever its name."""

PICKLED = "write its rows as lines of JSON, with the program that made it"


def open_regular(path: Path) -> BinaryIO:
    """The file, opened for reading; links, pipes and devices are refused. Raises `UnreadableLog`."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise UnreadableLog(f"{path}: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UnreadableLog(f"{path}: not a regular file")
    return os.fdopen(descriptor, "rb")


def read_beside(path: Path) -> bytes:
    """A small file that stands beside a log. Raises `UnreadableLog`, also for more than 16 MB."""
    with open_regular(path) as file:
        data = file.read(BESIDE_BYTES + 1)
    if len(data) > BESIDE_BYTES:
        raise UnreadableLog(f"{path}: more than {BESIDE_BYTES / 1e6:,.0f} MB")
    return data


def unheard(piece: bytes) -> None:
    """Nobody wants the bytes of a line that is too long."""


class Reading(Protocol):
    """A log that is read once from the front, as lines. Positions are bytes of text, or records."""

    at: int
    """How far reading has come."""
    broken: str | None
    """Why reading stopped before the end of the file, if it did."""

    @property
    def told(self) -> list[str]:
        """What of the file is no line and was left out, in words."""

    def __enter__(self) -> "Reading":
        """Keep the file open."""

    def __exit__(self, *error: object) -> None:
        """Close it."""

    def skip(self, start: int, end: int) -> str | None:
        """Go to `end` and give the xxh3-128 of the lines from `start`; None when the log is shorter."""

    def lines(self, start: int, too_long: Callable[[bytes], None] = ...) -> Iterator[tuple[int, bytes | None, int]]:
        """Every whole line from `start` on: its position, its bytes (None: too long), and how far it goes."""


def bare(line: bytes, offset: int) -> bytes:
    """A line as it would stand in a log without a byte order mark and with newlines alone as line ends."""
    return (line.removeprefix(codecs.BOM_UTF8) if not offset else line).rstrip(b"\r")


def is_blank(line: bytes) -> bool:
    """Whether nothing but white space stands on a line; without a copy, as `strip` would make."""
    return not line or line.isspace()


class Text:
    """The decompressed bytes of a log, read once from the front; a hash over any stretch of them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.broken: str | None = None
        """Why reading stopped before the end of the file, if it did."""
        self._file = open_regular(path)
        head = self._file.read(4)
        self._file.seek(0)
        self._stream: BinaryIO = self._file
        if head.startswith(COMPRESSED[".gz"]):
            self._stream = cast("BinaryIO", gzip.GzipFile(fileobj=self._file))
        elif head.startswith(COMPRESSED[".zst"]):
            self._stream = cast("BinaryIO", zstd.ZstdFile(self._file))
        elif not head and path.suffix in COMPRESSED:
            self._file.close()
            raise UnreadableLog(f"{path}: 0 bytes; even an empty {path.suffix} file has more", hint="copy it again")
        self.plain = self._stream is self._file
        self.gzip = isinstance(self._stream, gzip.GzipFile)
        self.at = 0
        """Bytes read so far, counted in the decompressed text."""
        self.false = False
        """Reading stopped because the text is not what was compressed: its checksum or its length is another."""

    @property
    def told(self) -> list[str]:
        """Nothing of a text is left out."""
        return []

    def __enter__(self) -> "Text":
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def chunks(self, largest: int = READ_BYTES) -> Iterator[bytes]:
        """The bytes from where reading stands to the end, or to a break."""
        largest = min(largest, READ_BYTES)
        read = getattr(self._stream, "read1", self._stream.read)
        while not self.broken:
            try:
                chunk = read(largest)
            except (EOFError, zlib.error, zstd.ZstdError, OSError, ValueError) as error:
                self.broken = f"{self.path.name}: reading stopped before its end ({error})"
                self.false = str(error).startswith(("CRC check failed", "Incorrect length"))
                return
            if not chunk:
                return
            self.at += len(chunk)
            if not self.plain and self.at > max(FREE_BYTES, MOST_RATIO * self._file.tell()):
                self.broken = (
                    f"{self.path.name}: reading stopped before its end (more than {FREE_BYTES / 1e6:,.0f} MB came out,"
                    f" over {MOST_RATIO} times what went in)"
                )
                return
            yield chunk

    def skip(self, start: int, end: int) -> str | None:
        """Go to byte `end` and give the xxh3-128 of the bytes from `start`; None when the text is shorter."""
        hashed = xxhash.xxh3_128()
        if self.plain:
            self.at = self._file.seek(start)
        while self.at < end:
            begin = self.at
            chunk = next(self.chunks((start if begin < start else end) - begin), b"")
            if not chunk:
                return None
            if begin >= start:
                hashed.update(chunk)
        return hashed.hexdigest()

    def lines(self, start: int, too_long: Callable[[bytes], None] = unheard) -> Iterator[tuple[int, bytes | None, int]]:
        """Every whole line: its offset, its bytes without the newline, its length with it.

        The bytes are None where the line is too long to be kept: `too_long` is given them piece by piece before.
        Reading stands at byte `start`. What follows the last newline is given when it is a whole JSON object (no
        object begins with another one, so more cannot come), then without a newline in its length. Raises
        `UnreadableLog` when the first line says that the file is no log.
        """
        offset, size = start, 0
        kept = io.BytesIO()  # gives its bytes without a copy
        for chunk in self.chunks():
            if not offset + size:
                _refuse(self.path, chunk)
            begin = 0
            while begin < len(chunk):
                newline = chunk.find(b"\n", begin)
                piece = chunk[begin:] if newline < 0 else chunk[begin:newline]
                begin += len(piece) + 1
                size += len(piece)
                if size <= LONGEST_LINE_BYTES:
                    if newline >= 0 and size == len(piece):
                        yield offset, piece, size + 1
                        offset, size = offset + size + 1, 0
                        continue
                    kept.write(piece)
                else:
                    too_long(kept.getvalue())
                    too_long(piece)
                    kept = io.BytesIO()
                if newline >= 0:
                    yield offset, kept.getvalue() if size <= LONGEST_LINE_BYTES else None, size + 1
                    offset, size, kept = offset + size + 1, 0, io.BytesIO()
        if size <= LONGEST_LINE_BYTES and not self.broken and _is_whole(bare(tail := kept.getvalue(), offset)):
            yield offset, tail, size


def check_compressed(path: Path) -> None:
    """Read a gzip file to its end. Raises `UnreadableLog` when its text is not what was compressed.

    The checksum stands behind the text: without this, lines would be taken before they are known to be wrong.
    """
    with Text(path) as text:
        if not text.gzip:
            return
        for _ in text.chunks():
            pass
        if text.false:
            raise UnreadableLog(f"{path}: damaged ({text.broken})", hint="copy or write it again")


def _is_whole(tail: bytes) -> bool:
    """Whether a last line without a newline is a JSON object to its end."""
    if not tail[-4096:].rstrip().endswith(b"}") or too_many_values(tail):
        return False
    try:
        return isinstance(msgspec.json.decode(tail, type=dict[str, msgspec.Raw]), dict)
    except RecursionError:
        return False
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return len(tail) <= FREE_BYTES and not too_large(tail) and _is_lenient(tail)


def _is_lenient(tail: bytes) -> bool:
    """Whether Python reads it, with NaN and the like in it."""
    try:
        return isinstance(json.loads(tail), dict)
    except (ValueError, RecursionError):
        return False


OTHER_KINDS = {
    b"version https://git-lfs": ("a Git LFS pointer, not the file itself", "git lfs pull"),
    b"PK\x03\x04": ("a zip archive", "unpack it into an empty folder, and name that"),
    b"PK\x05\x06": ("an empty zip archive", "name the folder or the file that holds the log"),
    **{
        b"\x80" + bytes([version]): ("a pickle, which may run any program when it is opened", PICKLED)
        for version in range(2, 6)
    },
    b"\x93NUMPY": ("an array of NumPy", PICKLED),
}
"""First bytes of files that are no logs and are never opened: what they are, and what would work."""


def _refuse(path: Path, begin: bytes) -> None:
    """Raise `UnreadableLog` for a file that is no log by its first bytes."""
    for first, (what, hint) in OTHER_KINDS.items():
        if begin.startswith(first):
            raise UnreadableLog(f"{path}: {what}", hint=hint)
    if begin[257:262] == b"ustar":
        raise UnreadableLog(f"{path}: a tar archive", hint="unpack it into an empty folder, and name that")
    if encoding := _encoding(begin):
        hint = f"iconv -f {encoding} -t UTF-8 {shlex.quote(path.name)}"
        raise UnreadableLog(f"{path}: {encoding} text; logs are UTF-8", hint=hint)


def _encoding(begin: bytes) -> str | None:
    """UTF-32 or UTF-16, by a byte order mark or by a zero beside the bracket that JSON begins with."""
    if begin.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
        return "UTF-32"
    if begin.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "UTF-16"
    for bracket in (b"{", b"["):
        if begin.startswith(bracket + b"\0"):
            return "UTF-16LE"
        if begin.startswith(b"\0" + bracket):
            return "UTF-16BE"
    return None
