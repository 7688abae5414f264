"""What a log wrote, as one line on which nothing is hidden."""


def visible(text: str) -> str:
    """The text with every character that cannot be seen as an escape, and so with backslashes doubled.

    Newlines, control and bidirectional characters and lone surrogates are such characters.
    """
    return "".join(map(shown, text))


def shown(character: str) -> str:
    """One character, or its escape."""
    if character == "\\":
        return "\\\\"
    if character.isprintable():
        return character
    number = ord(character)
    known = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return known.get(character, f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}")
