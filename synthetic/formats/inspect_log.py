"""An inspect_ai log as lines, one for each sample, in constant memory: `.json`, or `.eval`, a zip of JSON files.

What a line leaves out of its sample, while it is read: `events`, most of a log's bytes, of which only the tools that
the model was offered are kept; `events_data` and `timelines`, which only events refer to; and attachments that
nothing kept refers to.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO  # Any: JSON values

import msgspec

from synthetic.formats.archive import Archive
from synthetic.formats.file import CHUNK_BYTES, Reading, open_regular
from synthetic.formats.format import TEXT_BYTES
from synthetic.formats.line import repaired
from synthetic.formats.pieces import Pieces
from synthetic.formats.records import Whole, one_line

LEFT_OUT = frozenset({"events_data", "timelines", "transcript"})

LARGEST_EVENT_BYTES = 4 * 1024 * 1024
"""In a larger event, tools are not looked for."""

DAMAGED = "synthetic:damaged"
"""The only member of a line that stands for a sample that cannot be read: why."""

REFERENCE = re.compile(rb"attachment://([0-9a-f]{32})")

ZIP = b"PK\x03\x04"


def open_inspect(path: Path) -> Reading:
    """A log's samples as lines, by its first bytes."""
    with open_regular(path) as file:
        zipped = file.read(4) == ZIP
    if zipped:
        return Whole(path, _of_archive, told=lambda file: Archive(file).told)
    return Whole(path, _of_document)


def header(path: Path) -> dict[str, Any]:
    """What a log says of itself before its samples (`eval`, `plan`, …); of a crashed run, what it began with.

    Raises `ValueError` where that cannot be read, `UnreadableLog` where the file cannot.
    """
    with open_regular(path) as file:
        if file.read(4) != ZIP:
            file.seek(0)
            return _head(_chunks(file), until="samples")
        archive = Archive(file)
        known = [name for name in ("header.json", "_journal/start.json") if name in archive.names]
        return _head(archive.chunks(known[0])) if known else {}


def _head(chunks: Iterator[bytes], until: str | None = None) -> dict[str, Any]:
    pieces, kept = Pieces(chunks), _Kept()
    for name in pieces.members():
        if name == until:
            break
        kept.member(name)
        pieces.value(kept.take)
    if kept.full:
        raise ValueError("its header is too large")
    text, _ = repaired(kept.line())
    head = msgspec.json.decode(text)
    return head if isinstance(head, dict) else {}


def _of_document(file: BinaryIO, start: int) -> Iterator[bytes]:
    file.seek(0)
    pieces = Pieces(_chunks(file))
    for name in pieces.members():
        if name != "samples" or pieces.peek() != b"[":
            pieces.value()
            continue
        for number in pieces.elements():
            if number < start:
                pieces.value()
            else:
                yield _sample(pieces, f"sample {number}")


def _of_archive(file: BinaryIO, start: int) -> Iterator[bytes]:
    archive = Archive(file)
    samples = [name for name in archive.names if re.fullmatch(r"samples/[^/]+\.json", name)]
    for name in samples[start:]:
        try:
            yield _sample(Pieces(archive.chunks(name)), name)
        except ValueError as error:  # the next member may be whole
            yield msgspec.json.encode({DAMAGED: f"{name}: {error}"})


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(CHUNK_BYTES):
        yield chunk


class _Kept:
    """A line in the making."""

    def __init__(self, most: int = TEXT_BYTES) -> None:
        self._bytes, self._most = bytearray(), most
        self.full = False

    def take(self, piece: bytes) -> None:
        """Add a piece; what is too much is forgotten."""
        self.full |= len(self._bytes) + len(piece) > self._most
        if not self.full:
            self._bytes += piece

    def member(self, name: str) -> None:
        """Begin a member; its value comes next."""
        self.take((b"," if self._bytes else b"") + msgspec.json.encode(name) + b":")

    def references(self) -> set[bytes]:
        """The attachments that are referred to so far."""
        return set(REFERENCE.findall(self._bytes))

    def text(self) -> bytes:
        """What was taken."""
        return bytes(self._bytes)

    def line(self) -> bytes:
        """What was taken, as an object."""
        return one_line(b"{" + self._bytes + b"}")


def _sample(pieces: Pieces, what: str) -> bytes:
    """The sample that comes next, as a line."""
    kept = _Kept()
    seen = set()
    for name in pieces.members():
        seen.add(name)
        if name in LEFT_OUT:
            pieces.value()
        elif name == "events" and pieces.peek() == b"[":
            if tools := _tools(pieces):
                kept.member(name)
                kept.take(msgspec.json.encode([{"event": "model", "tools": tools}]))
        elif name == "attachments" and "messages" in seen and pieces.peek() == b"{":
            kept.member(name)
            _referred_to(pieces, kept)
        else:
            kept.member(name)
            pieces.value(kept.take)
    if kept.full:
        why = f"{what}: more than {TEXT_BYTES / 1e6:,.0f} MB without its events"
        return msgspec.json.encode({DAMAGED: why})
    return kept.line()


def _referred_to(pieces: Pieces, kept: _Kept) -> None:
    wanted, between = kept.references(), b"{"
    for name in pieces.members():
        if name.encode() in wanted:
            kept.take(between + msgspec.json.encode(name) + b":")
            pieces.value(kept.take)
            between = b","
        else:
            pieces.value()
    kept.take(b"{}" if between == b"{" else b"}")


class _ModelEvent(msgspec.Struct):
    event: str = ""
    tools: list[Any] = []


def _tools(pieces: Pieces) -> list[Any]:
    """The tools that the first call of a model that had some was offered."""
    tools: list[Any] = []
    for _ in pieces.elements():
        if tools:
            pieces.value()
            continue
        event = _Kept(LARGEST_EVENT_BYTES)
        pieces.value(event.take)
        if not event.full and b'"tools"' in (text := event.text()):
            try:
                found = msgspec.json.decode(text, type=_ModelEvent)
            except msgspec.MsgspecError:  # no event that has tools
                continue
            tools = found.tools if found.event == "model" else []
    return tools
