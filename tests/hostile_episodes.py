"""Logs of episodes for the table of bad input: containers, text, JSON; each with what is decided for it."""

import gzip
import io
import json
import pickle
import sys
import tarfile
import zipfile
import zlib
from dataclasses import dataclass
from typing import Any

from tests.episodes import episode, text, trace

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Case:
    """A file in a run folder, and what is decided for it."""

    path: str
    data: bytes
    taken: int = 0
    """Lines captured."""
    aside: int = 0
    """Lines set aside."""
    said: str = ""
    """A regular expression for what is told of the file; empty when nothing is."""


def lines(name: str, count: int = 3) -> bytes:
    """Lines of episodes whose ids begin with a name."""
    return text(episode(f"{name}-{i}", trace(f"{name}-t{i}")) for i in range(count))


def one(name: str, **more: Any) -> str:
    """One such line, as text."""
    return json.dumps(episode(name, trace(f"{name}-t")) | more)


def with_content(name: str, content: str) -> bytes:
    return text([episode(name, trace(f"{name}-t", content))])


def damaged(data: bytes, at: int, by: bytes) -> bytes:
    return data[:at] + by + data[at + len(by) :]


def zipped(name: str) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr(name, lines("z"))
    return sink.getvalue()


def tarred(name: str) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(lines("t"))
        archive.addfile(member, io.BytesIO(lines("t")))
    return sink.getvalue()


def of(path: str, name: str, *more: Any, **said: Any) -> Case:
    """A log of episodes in a run of its own."""
    return Case(f"{name}/{path}", *more, **said)


LOG = "traces.jsonl"


def at_step(step: Any) -> bytes:
    work = {"type": "train", "step": step}
    return text([episode(f"step {step}", trace(f"step {step}"), run={"type": "train", "id": "r", "work": work})])


CUT_GZ, CUT_ZST = (packed(lines("cut", 300))[:-200] for packed in (gzip.compress, zstd.compress))


def whole_lines(data: bytes) -> int:
    """How many lines end in what another decompressor gives."""
    assert 0 < data.count(b"\n") < 300
    return data.count(b"\n")


EPISODES: dict[str, list[Case]] = {
    "empty file": [of(LOG, "empty", b""), of(LOG, "blank lines", b"\n\n \r\n" + lines("blank") + b"\n", 3)],
    "cut stream": [
        of(
            LOG + ".gz",
            "cut gz",
            CUT_GZ,
            whole_lines(zlib.decompressobj(31).decompress(CUT_GZ)),
            said="reading stopped",
        ),
        of(
            LOG + ".zst",
            "cut zst",
            CUT_ZST,
            whole_lines(zstd.ZstdDecompressor().decompress(CUT_ZST)),
            said="reading stopped",
        ),
        of(LOG + ".gz", "no trailer", gzip.compress(lines("nt"))[:-8], 3, said="reading stopped"),
        of(LOG + ".gz", "header only", gzip.compress(b"")[:10], said="reading stopped"),
    ],
    "garbage after a member": [
        of(LOG + ".gz", "rubbish gz", gzip.compress(lines("rg")) + b"rubbish" * 9, 3, said="rubbish gz.*stopped"),
        of(LOG + ".zst", "rubbish zst", zstd.compress(lines("rz")) + b"rubbish" * 9, 3, said="rubbish zst.*stopped"),
    ],
    "wrong CRC": [
        of(LOG + ".gz", "crc", damaged(gzip.compress(lines("crc")), -8, b"\0\0\0\0"), said="crc.*CRC"),
        of(LOG + ".gz", "length", damaged(gzip.compress(lines("len")), -4, b"\0\0\0"), said="length.*length"),
        of(
            LOG + ".gz",
            "second crc",
            gzip.compress(lines("c1")) + damaged(gzip.compress(lines("c2")), -8, b"\0\0\0\0"),
            said="second crc.*CRC",
        ),
    ],
    "0-byte .gz": [
        of(LOG + ".gz", "no gz", b"", said="no gz.*0 bytes"),
        of(LOG + ".zst", "no zst", b"", said="no zst.*0 bytes"),
    ],
    "several members": [
        of(LOG + ".gz", "members", gzip.compress(lines("m1")) + gzip.compress(lines("m2")) + bytes(99), 6),
        of(LOG + ".zst", "frames", zstd.compress(lines("z1")) + zstd.compress(lines("z2")), 6),
    ],
    "magic decides": [
        of(LOG, "gzip named jsonl", gzip.compress(lines("gj")), 3),
        of(LOG, "zstd named jsonl", zstd.compress(lines("zj")), 3),
        of(LOG + ".gz", "plain named gz", lines("pg"), 3),
    ],
    "BOM, CRLF": [
        of(LOG, "bom", BOM + lines("bom"), 3),
        of(LOG, "crlf", lines("crlf").replace(b"\n", b"\r\n"), 3),
        of(LOG, "bom alone", BOM, said="bom alone"),
    ],
    "UTF-16": [
        of(LOG, "utf16", lines("u").decode().encode("utf-16"), said="utf16.*UTF-16"),
        of(LOG, "utf16 without bom", lines("u").decode().encode("utf-16-le"), said="utf16 without bom.*UTF-16"),
        of(LOG, "utf16 big", lines("u").decode().encode("utf-16-be"), said="utf16 big.*UTF-16"),
        of(LOG, "utf16 one line", one("u").encode("utf-16"), said="utf16 one line.*UTF-16"),
        of(LOG, "utf32", lines("u").decode().encode("utf-32"), said="utf32.*UTF-32"),
        of(LOG + ".gz", "utf16 gz", gzip.compress(lines("u").decode().encode("utf-16")), said="utf16 gz.*UTF-16"),
        of(LOG, "utf16 array", json.dumps([episode("u")]).encode("utf-16"), said="utf16 array.*UTF-16"),
    ],
    "NUL bytes": [of(LOG, "nul", lines("n1", 1) + bytes(5000) + b"\n" + lines("n2", 1), 2, 1)],
    "invalid UTF-8": [
        of(LOG, "latin", lines("l", 1) + with_content("l1", "CAFE").replace(b"CAFE", b"caf\xe9"), 1, 1),
        of(LOG, "overlong", with_content("o", "CAFE").replace(b"CAFE", b"\xc0\xaf\xed\xa0\x80"), 0, 1),
    ],
    "lone surrogate": [of(LOG, "surrogate", with_content("s", "a \ud800 b"), 1)],
    "control characters": [of(LOG, "controls", with_content("c", "a\0b\x1b[2J\u202e\u200b\r\b\x85\x0b"), 1)],
    "U+2028": [
        of(LOG, "breaks", json.dumps(episode("b", trace("b", "\u2028\u2029\x85")), ensure_ascii=False).encode(), 1)
    ],
    "torn last line": [of(LOG, "torn", lines("t", 1) + b'{"id": "torn', 1, said="torn")],
    "deep nesting": [
        of(LOG, "deep", text([one("d", x=1).replace('"x": 1', '"x": ' + "[" * n + "]" * n) for n in (10, 64)]), 2),
        of(
            LOG, "deeper", text([one("d").replace("{", '{"x": ' + "[" * n + "]" * n + ",", 1) for n in (65, 999)]), 0, 2
        ),
        of(LOG, "deepest", b"[" * 2_000_000 + b"\n" + lines("de", 1) + b'{"a":' * 200_000 + b"\n", 1, 2),
    ],
    "many values": [
        of(LOG, "many", b'{"id": "m", "traces": [' + b"{}," * 4_000_000 + b"{}]}\n" + lines("mv", 1), 1, 1),
        of(LOG, "many keys", b"{" + b",".join(b'"%d":0' % n for n in range(2_100_000)) + b"}\n" + lines("mk", 1), 1, 1),
        of(LOG, "many lists", one("ml").replace("{", '{"x": [' + "[]," * 9_000_000 + "[]],", 1).encode() + b"\n", 0, 1),
    ],
    "two logs of one name": [  # and of one first line: counted together
        of(LOG, "two", lines("two", 2), 4, said="rewritten"),
        of(LOG + ".gz", "two", gzip.compress(lines("two", 1) + lines("other", 1)), 4, said="rewritten"),
    ],
    "other kinds of file": [
        of(LOG, "pickle", pickle.dumps([1]), said="a pickle"),
        of(LOG, "numpy", b"\x93NUMPY\x01\0v\0{'descr': '|O'}", said="NumPy"),
        of(LOG, "zip", zipped("../../outside.jsonl"), said="a zip archive"),
        of(LOG, "tar", tarred("../../outside.jsonl"), said="a tar archive"),
        of(LOG + ".gz", "tar gz", gzip.compress(tarred("/outside.jsonl")), said="a tar archive"),
    ],
    "type drift": [of(LOG, "steps", b"".join(map(at_step, ("4", 5.0, 5.5, "five", [5]))), 4, 1)],
    "long integers": [
        of(LOG, "integers", text([one("i").replace("{", '{"x": ' + "9" * n + ",", 1) for n in (18, 30, 6000)]), 2, 1)
    ],
}
