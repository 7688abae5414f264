"""JSON in a text column, and tables that Python printed instead of JSON, read without running anything.

Some columns hold `str(table)`: single quotes, True, None. Such text is told apart into tokens, each token is put into
JSON's spelling, and a JSON parser judges the rest. Tables, lists, text, numbers, True, False and None are all that is
read; whatever else stays the text that it is.
"""

import json
import math
import re

from synthetic.record import Json

LONGEST_TEXT = 16 * 1024 * 1024
"""Characters; a longer text is not taken apart."""

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")"""
    r"""|(?P<number>-?(?:0|[1-9]\d*)(?:\.\d+)?(?:e[+-]?\d+)?)(?![\w.])|(?P<word>True|False|None)(?!\w)"""
    r"""|(?P<mark>[\[\]{}:,]))"""
)
_WORDS = {"True": "true", "False": "false", "None": "null"}
_ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|(.))")
_PLAIN = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", "'": "'", '"': '"'}


def read(given: Json) -> Json:
    """A table or list that a text spells, in JSON or as Python prints it; anything else as it is given.

    Numbers that JSON has no word for, such as NaN, and keys that stand twice leave the text as it is: nothing is lost.
    """
    if not isinstance(given, str) or len(given) > LONGEST_TEXT or given.lstrip()[:1] not in {"{", "["}:
        return given
    for spelled in (given, _as_json(given)):
        if spelled is not None:
            try:
                return json.loads(spelled, parse_constant=_refuse, parse_float=_finite, object_pairs_hook=_table)
            except (ValueError, RecursionError):
                continue
    return given


def _refuse(word: str) -> None:
    raise ValueError(word)


def _table(members: list[tuple[str, Json]]) -> dict[str, Json]:
    table = dict(members)
    if len(table) < len(members):
        raise ValueError("a key stands twice")
    return table


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(digits)
    return number


def _as_json(text: str) -> str | None:
    """The text in JSON's spelling; None where a token is none of the known ones."""
    parts: list[str] = []
    at, end = 0, len(text.rstrip())
    while at < end:
        token = _TOKEN.match(text, at)
        if token is None:
            return None
        at = token.end()
        if (word := token["word"]) is not None:
            parts.append(_WORDS[word])
        elif (quoted := token["text"]) is not None:
            said = _unescaped(quoted[1:-1])
            if said is None:
                return None
            parts.append(json.dumps(said))
        else:
            parts.append(token["number"] or token["mark"])
    return "".join(parts)


def _unescaped(quoted: str) -> str | None:
    """What a quoted text says; None for an escape that Python's printing does not use."""
    strange = False

    def said(escape: re.Match[str]) -> str:
        nonlocal strange
        digits = escape[1] or escape[2] or escape[3]
        if digits and int(digits, 16) < 0x110000 and not 0xD800 <= int(digits, 16) < 0xE000:
            return chr(int(digits, 16))
        strange |= escape[4] not in _PLAIN
        return _PLAIN.get(escape[4], "")

    whole = _ESCAPE.sub(said, quoted) if "\\" in quoted else quoted
    return None if strange else whole
