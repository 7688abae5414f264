"""A zip file whose members are read one at a time, in constant memory, and trusted in nothing.

Python's own `zipfile` reads the directory; the members are decompressed here, because before Python 3.14 it refuses
those of method 93 (zstd). Nothing is ever written out, so a name can do no harm; those that no honest writer gives
are left out all the same, and told. Sizes that the headers claim are never believed.
"""

import stat
import struct
import sys
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from io import RawIOBase
from pathlib import PurePosixPath
from typing import Any, BinaryIO  # Any: the buffer that is read into

from synthetic.formats.file import CHUNK_BYTES

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

STORED, DEFLATED, ZSTD = 0, 8, 93
ENCRYPTED = 0x1

FREE_BYTES = 64 * 1024 * 1024
"""So much may come out of a member whatever its ratio."""

LARGEST_RATIO = 200
"""A member that gives more bytes for each of its own than this is a bomb."""


class Archive:
    """The members of a zip file. Raises `ValueError` when it has no whole directory."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        try:
            with zipfile.ZipFile(file) as directory:
                given = [info for info in directory.infolist() if not info.filename.endswith("/")]
        except (zipfile.BadZipFile, NotImplementedError, struct.error, EOFError) as error:
            raise ValueError(f"not a whole zip file: {error}") from error
        safe = [info for info in given if _is_safe(info)]
        self._members = {info.filename: info for info in sorted(safe, key=lambda info: info.header_offset)}
        """By name, in the file's order; of several with one name the last, which supersedes the others."""
        told = Counter({"unsafe": len(given) - len(safe), "superseded": len(safe) - len(self._members)})
        self.told = [f"{count} {what} members were left out" for what, count in told.items() if count]
        """What was left out, in words."""

    @property
    def names(self) -> list[str]:
        """The members' names, in the order in which they were written."""
        last = sorted(self._members.values(), key=lambda info: info.header_offset)
        return [info.filename for info in last]

    def chunks(self, name: str) -> Iterator[bytes]:
        """A member's bytes. Raises `ValueError` where they are damaged, encrypted, or a bomb."""
        info = self._members[name]
        begin = self._begin(info)
        raw = _Stretch(self._file, begin, info.compress_size)
        crc, size = 0, 0
        try:
            for chunk in _decompressed(raw, info.compress_type):
                size += len(chunk)
                if size > FREE_BYTES and size > LARGEST_RATIO * (raw.at - begin):
                    raise ValueError(f"more than {LARGEST_RATIO} times its compressed size: a bomb")
                crc = zlib.crc32(chunk, crc)
                yield chunk
        except (zlib.error, zstd.ZstdError, EOFError) as error:
            raise ValueError(f"damaged: {error}") from error
        if crc != info.CRC:
            raise ValueError("damaged: its checksum is another one")

    def _begin(self, info: zipfile.ZipInfo) -> int:
        """Where a member's data begin, by its local header; the directory does not say it."""
        head = b""
        if 0 <= info.header_offset < 1 << 62:  # what a damaged directory says need not be a place
            self._file.seek(info.header_offset)
            head = self._file.read(30)
        if len(head) < 30 or head[:4] != b"PK\x03\x04":
            raise ValueError("damaged: no member begins where the directory says")
        _, flags, method, *_, name_bytes, extra_bytes = struct.unpack("<4xHHHHHLLLHH", head)
        if flags & ENCRYPTED:
            raise ValueError("encrypted")
        if method != info.compress_type:
            raise ValueError("damaged: header and directory do not agree")
        return info.header_offset + len(head) + int(name_bytes) + int(extra_bytes)


def _is_safe(info: zipfile.ZipInfo) -> bool:
    """Whether a name lies below the archive, and is a file's."""
    path = PurePosixPath(info.filename)
    outside = (
        not path.name
        or path.is_absolute()
        or ".." in path.parts
        or "\\" in info.orig_filename
        or "\0" in info.orig_filename
    )
    kind = stat.S_IFMT(info.external_attr >> 16)
    return not outside and kind in {0, stat.S_IFREG}


def _decompressed(raw: "_Stretch", method: int) -> Iterator[bytes]:
    match method:
        case _ if method == STORED:
            while chunk := raw.read(CHUNK_BYTES):
                yield chunk
        case _ if method == DEFLATED:
            yield from _inflated(raw)
        case _ if method == ZSTD:
            with zstd.ZstdFile(raw) as file:  # several frames too: inspect_ai cuts large members into them
                while chunk := file.read1(CHUNK_BYTES):
                    yield chunk
        case _:
            raise ValueError(f"compressed by method {method}; stored, deflate and zstd can be read")


def _inflated(raw: "_Stretch") -> Iterator[bytes]:
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    while not inflate.eof:
        compressed = inflate.unconsumed_tail or raw.read(CHUNK_BYTES)
        if not compressed:
            raise EOFError("breaks off")
        if chunk := inflate.decompress(compressed, CHUNK_BYTES):
            yield chunk


class _Stretch(RawIOBase):
    """Some bytes of a file, as a file."""

    def __init__(self, file: BinaryIO, begin: int, size: int) -> None:
        self._file, self.at, self._end = file, begin, begin + size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._file.seek(self.at)
        piece = self._file.read(min(len(buffer), max(0, self._end - self.at)))
        buffer[: len(piece)] = piece
        self.at += len(piece)
        return len(piece)
