"""What one line may hold at most, so that reading it takes bounded memory and gives the same on every machine.

Decoded, JSON can be twenty times its size: an empty object is two bytes in a log and 64 in memory. So what a large text
holds is counted before it is decoded. How deep a decoder goes depends on its version, so the depth is counted too.
"""

from synthetic.record import Json

DEEPEST = 64
"""Arrays and objects within each other, in a value that is decoded."""

MOST_VALUES = 2_000_000
"""Arrays, objects and half the quotes of a line."""

MOST_NUMBERS = 12_000_000
"""Commas of a value that is decoded; token arrays are not decoded with the text beside them."""

LARGE_BYTES = 8_000_000
"""What is not larger fits into memory, whatever it is."""


def too_many_values(line: bytes) -> str | None:
    """What is wrong with a line that holds too many values to be taken apart; None for any other."""
    if len(line) > LARGE_BYTES and line.count(b"{") + line.count(b"[") + line.count(b'"') // 2 > MOST_VALUES:
        return f"more than {MOST_VALUES:,} values in one line"
    return None


def too_large(text: bytes) -> str | None:
    """What is wrong with JSON that holds too much to be decoded; None for any other."""
    if problem := too_many_values(text):
        return problem
    if len(text) > LARGE_BYTES and text.count(b",") > MOST_NUMBERS:
        return f"more than {MOST_NUMBERS:,} values in a list or an object"
    return None


def too_deep(value: Json) -> str | None:
    """What is wrong with a decoded value that is nested too deeply; None for any other."""
    level = [value]
    for _ in range(DEEPEST):
        inside = (each.values() if type(each) is dict else each for each in level)
        # Of all values of every line: `isinstance` took three times as long, and decoded JSON has these very types.
        level = [one for values in inside for one in values if type(one) is dict or type(one) is list]
        if not level:
            return None
    return f"nested more than {DEEPEST} deep"
