"""A Xet storage: what hf_xet sends where LFS would send whole files.

A xorb brings chunks of files; a Xet shard says of which chunks each file is made. Every file of a shard is rebuilt at
once, held against the SHA-256 and the lengths that the shard states, and kept by its SHA-256 like one that came over
LFS: the commit and the downloads find it there. The layouts are those of the public Xet protocol specification.
Known and left out: the BLAKE3 names of chunks, xorbs and files are believed; chunks of other people, grants to send
xorbs elsewhere, the second version of shard registration (all three answer 404, as a storage may); downloads.
"""

import hashlib
import struct
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any  # JSON

import pyarrow as pa

from tests.hub.repos import Refused

ROOT = r"/xet/[0-9a-f]{32}"
NAME = r"[0-9a-f]{64}"
POINTS = [
    ("known_chunk", "GET", rf"{ROOT}/v1/chunks/[\w-]+/{NAME}"),
    ("grant", "POST", rf"{ROOT}/v1/xorb-grants/.*"),
    ("xorb", "POST", rf"{ROOT}/v1/xorbs/default/(?P<name>{NAME})"),
    ("register_v2", "POST", rf"{ROOT}/v2/shards"),
    ("register", "POST", rf"{ROOT}/v1/shards"),
    ("telemetry", "POST", r".*/v1/telemetry"),  # sent to the root of the storage's host
]

PLAIN, LZ4, GROUPED_LZ4 = 0, 1, 2
CHUNK = struct.Struct("<B3sB3s")
"""Version, bytes as sent, compression, bytes of the chunk."""

HEADER = struct.Struct("<32sQQ")
FILE = struct.Struct("<32sII8x")
"""Name, flags, how many terms follow. Everything in a shard is 48 bytes long."""
TERM = struct.Struct("<32s4xIII")
"""Name of the xorb, bytes, first chunk, the one after the last."""
LAST = b"\xff" * 32
VERIFIED, WITH_SHA256 = 1 << 31, 1 << 30


@dataclass(frozen=True)
class Chunk:
    content: bytes
    compression: int


@dataclass
class Xet:
    """One storage. Its address is its own, since hf_xet remembers per address what it has sent."""

    stored: dict[str, bytes]
    """Whole files by their SHA-256: the Hub's."""
    xorbs: dict[str, list[Chunk]] = field(default_factory=dict)
    token: str = field(default_factory=lambda: f"xet-{uuid.uuid4().hex}")
    path: str = field(default_factory=lambda: f"/xet/{uuid.uuid4().hex}")

    def access(self, storage: str) -> dict[str, Any]:
        """What the Hub tells somebody who may write."""
        return {"casUrl": storage + self.path, "accessToken": self.token, "exp": int(time.time()) + 3600}

    def answer(self, point: str, token: str, body: bytes, name: str = "") -> dict[str, Any]:
        """The answer to a request. Raises `Refused`."""
        if token != self.token:
            raise Refused(401, "not the token of this storage")
        match point:
            case "xorb":
                new = name not in self.xorbs
                self.xorbs[name] = list(unpacked(body))
                return {"was_inserted": new}
            case "register":
                files = dict(rebuilt(body, self.xorbs))
                self.stored |= files
                return {"result": 1}
            case "telemetry":
                return {}
        raise Refused(404, f"this storage has no {point}")


def unpacked(xorb: bytes) -> Iterator[Chunk]:
    """The chunks of a xorb, in order; hf_xet sends it without a footer."""
    at = 0
    while at < len(xorb):
        _, sent, compression, whole = CHUNK.unpack_from(xorb, at)
        at += CHUNK.size
        packed = xorb[at : at + int.from_bytes(sent, "little")]
        at += len(packed)
        yield Chunk(_decompressed(packed, compression, int.from_bytes(whole, "little")), compression)


def _decompressed(packed: bytes, compression: int, size: int) -> bytes:
    if compression == PLAIN:
        return packed
    content: bytes = pa.decompress(packed, decompressed_size=size, codec="lz4", asbytes=True)
    return _ungrouped(content) if compression == GROUPED_LZ4 else content


def _ungrouped(content: bytes) -> bytes:
    """The bytes in their places: all first bytes of four come first, then all second ones, and so on."""
    placed, start = bytearray(len(content)), 0
    for lane in range(4):
        length = len(placed[lane::4])
        placed[lane::4] = content[start : start + length]
        start += length
    return bytes(placed)


def rebuilt(shard: bytes, xorbs: dict[str, list[Chunk]]) -> Iterator[tuple[str, bytes]]:
    """Each file of a Xet shard, by its SHA-256. Raises `Refused` when the chunks do not make that file."""
    entries = (shard[at : at + HEADER.size] for at in range(0, len(shard), HEADER.size))
    tag, version, _ = HEADER.unpack(next(entries))
    if not tag.startswith(b"HFRepoMetaData\0") or version != 2:
        raise Refused(400, "no Xet shard of version 2")
    while True:
        name, flags, terms = FILE.unpack(next(entries))
        if name == LAST:
            return
        content = b"".join([_part(next(entries), xorbs) for _ in range(terms)])
        if flags & VERIFIED:
            for _ in range(terms):
                next(entries)
        if not flags & WITH_SHA256:
            raise Refused(400, "a file without its SHA-256")
        sha256 = _hex(next(entries)[:32])
        if hashlib.sha256(content).hexdigest() != sha256:
            raise Refused(400, "the chunks do not make the file announced")
        yield sha256, content


def _part(term: bytes, xorbs: dict[str, list[Chunk]]) -> bytes:
    name, size, first, end = TERM.unpack(term)
    chunks = xorbs.get(_hex(name), [])[first:end]
    content = b"".join(chunk.content for chunk in chunks)
    if len(chunks) != end - first or len(content) != size:
        raise Refused(400, "a file of chunks that were never sent")
    return content


def _hex(name: bytes) -> str:
    """A name as the protocol writes it: four numbers, the lowest byte of each first."""
    return "".join(f"{number:016x}" for number in struct.unpack("<4Q", name))
