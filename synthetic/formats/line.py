"""One line of JSON, decoded so that nothing is lost and nothing is decoded in vain.

Objects are taken apart a level at a time into `Raw` pieces: token arrays, most of a training log's bytes, are
skipped without building Python objects. An object with a key twice is refused: which of the two a reader takes is its
own affair, and a log must not say different things to different readers. A line that strict JSON refuses but Python's
`json` reads (NaN, 1e999, lone surrogates) is repaired: the value becomes null or U+FFFD, and what stood there is
reported by its JSON pointer.
"""

import json
import math
import re
from datetime import UTC, datetime
from typing import TypeAlias

import msgspec

from synthetic.formats.bounds import DEEPEST, LARGE_BYTES, too_deep, too_large, too_many_values
from synthetic.formats.format import TEXT_BYTES, BadLine
from synthetic.record import Json

Raw = msgspec.Raw
Fields: TypeAlias = dict[str, Raw]

NULL = Raw(b"null")


class NotJSON(BadLine):
    """A line that is no JSON as a whole."""


_object = msgspec.json.Decoder(Fields)
_objects = msgspec.json.Decoder(list[Fields])
_value = msgspec.json.Decoder()
_encode = msgspec.json.Encoder().encode
_SURROGATE = re.compile("[\ud800-\udfff]")


def fields(raw: bytes | Raw) -> Fields:
    """The members of a JSON object, each still undecoded.

    Raises `BadLine` for a key that stands twice, and for a line of more values than a line may hold.
    """
    if not isinstance(raw, Raw) and (problem := too_many_values(raw)):
        raise BadLine(problem)
    members = _object.decode(raw)
    if _size(members) != len(memoryview(raw)):
        _refuse_repeated(raw)
    return members


def keys(line: bytes) -> tuple[str, ...]:
    """The names of a line's members; none where it is no JSON object, also after repair."""
    if too_many_values(line):
        return ()
    try:
        return tuple(_object.decode(line))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    if len(line) > LARGE_BYTES:  # each format asks, for up to a hundred lines
        return ()
    try:
        return tuple(_object.decode(repaired(line)[0]))
    except (BadLine, msgspec.MsgspecError):
        return ()


def objects(raw: bytes | Raw) -> list[Fields]:
    """The members of each object in a JSON array of objects. Raises `BadLine` for a key that stands twice in one."""
    found = _objects.decode(raw)
    if sum(map(_size, found)) + max(len(found), 1) + 1 != len(memoryview(raw)):
        _refuse_repeated(raw)
    return found


def value(raw: bytes | Raw) -> Json:
    """The JSON value, decoded whole.

    Raises `BadLine` for a key that stands twice in an object, and for what is too large or nested too deeply.
    """
    if len(memoryview(raw)) > LARGE_BYTES and (problem := too_large(bytes(raw))):
        raise BadLine(problem)
    found = _value.decode(raw)
    if isinstance(found, dict | list) and found:
        whole = bytes(raw)
        if whole.count(b"[") + whole.count(b"{") > DEEPEST and (problem := too_deep(found)):
            raise BadLine(problem)
        # What is written again as it was had each key once. Seldom else: other spaces, escapes or numbers.
        if _encode(found) != whole:
            _refuse_repeated(whole)
    return found


def _size(members: Fields) -> int:
    """Bytes of an object without blanks and escapes in its keys."""
    return sum(len(key.encode()) + 4 + len(memoryview(raw)) for key, raw in members.items()) + (1 if members else 2)


def _refuse_repeated(raw: bytes | Raw) -> None:
    """Raise `BadLine` if an object has a key twice."""
    json.loads(bytes(raw), object_pairs_hook=_once, parse_int=str, parse_float=str)


def _once(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    """The object; raises `BadLine` for a key that stands twice."""
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise BadLine(f"the key {twice[:80]!r} stands twice in an object")
    return found


def repaired(line: bytes) -> tuple[bytes, dict[str, str]]:
    """The line as strict JSON, and what had to go: JSON pointer to literal.

    Raises `NotJSON`, or `BadLine` for one that is too large or nested too deeply.
    """
    if len(line) > TEXT_BYTES:
        raise BadLine(f"not strict JSON, and with {len(line) / 1e6:,.0f} MB too long to be repaired")
    if problem := too_large(line):
        raise BadLine(problem)
    try:
        tree = json.loads(
            line.decode("utf-8-sig"),
            object_pairs_hook=_once,
            parse_constant=_NotFinite,
            parse_float=lambda text: float(text) if math.isfinite(float(text)) else _NotFinite(text),
        )
    except UnicodeDecodeError as error:
        raise NotJSON(f"not UTF-8 at byte {error.start}") from error
    except RecursionError as error:
        raise BadLine("nested too deeply") from error
    except BadLine:
        raise
    except ValueError as error:
        raise NotJSON(f"not JSON: {error}") from error
    if isinstance(tree, dict | list) and (problem := too_deep(tree)):  # mending would go as deep
        raise BadLine(problem)
    gone: dict[str, str] = {}
    mended = _mended(tree, "", gone)
    try:
        return msgspec.json.encode(mended), gone
    except OverflowError:  # an integer beyond 64 bits
        return json.dumps(mended, ensure_ascii=False, separators=(",", ":")).encode(), gone


class _NotFinite(str):
    """The literal of a number that JSON has no value for."""


def _mended(tree: Json, pointer: str, gone: dict[str, str]) -> Json:
    match tree:
        case _NotFinite():
            gone[pointer] = str(tree)
            return None
        case str() if _SURROGATE.search(tree):
            gone[pointer] = tree.encode("utf-16", "surrogatepass").hex()
            # Two halves of a pair become one character; a lone half becomes U+FFFD.
            return tree.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case list():
            return [_mended(item, f"{pointer}/{i}", gone) for i, item in enumerate(tree)]
        case dict():
            mended = {}
            for key, item in tree.items():
                key = _mended(key, pointer, gone)  # noqa: PLW2901 - from here on, the key is the mended one
                step = key.replace("~", "~0").replace("/", "~1")
                mended[key] = _mended(item, f"{pointer}/{step}", gone)
            return mended
    return tree


def moment(seconds: Json) -> datetime | None:
    """A time in seconds since 1970; 0 means that the stage was not reached."""
    if not isinstance(seconds, int | float) or not 0 < seconds < 253_402_300_800:  # the year 10000
        return None
    return datetime.fromtimestamp(seconds, UTC)
