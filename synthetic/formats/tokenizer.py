"""A tokenizer's file as what turns token ids into text; needs the extra `tokenizers`."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from synthetic.errors import UnreadableLog
from synthetic.formats.format import BadLine, Decode, Source


def decoder(path: Path) -> Decode:
    """How the tokenizer of a `tokenizer.json` decodes.

    Raises `UnreadableLog` where the file is none, or where the package that reads it is not installed. Decoding raises
    `BadLine` for an id that the tokenizer does not have.
    """
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise UnreadableLog(
            "a tokenizer is read by the package `tokenizers`, which is not installed",
            hint="pip install 'synthetic-traces[tokenizers]'",
        ) from error
    if not path.is_file():
        raise UnreadableLog(f"{path}: no such file", hint="name the tokenizer.json of the model that the run trained")
    try:
        tokenizer = Tokenizer.from_str(path.read_text("utf-8"))
    except Exception as error:
        raise UnreadableLog(
            f"{path}: no tokenizer ({error})", hint="name the tokenizer.json of the model that the run trained"
        ) from error
    known = frozenset(tokenizer.get_vocab(with_added_tokens=True).values())

    def decode(ids: Sequence[int], *, special: bool) -> str:
        if strange := set(ids) - known:
            raise BadLine(f"the tokenizer has no token {min(strange)}: is it the run's?")
        return str(tokenizer.decode(ids, skip_special_tokens=not special))

    return decode


def with_text(sources: Sequence[Source], tokenizer: str | Path | None) -> tuple[list[Source], list[UnreadableLog]]:
    """The sources that can be read, those of token ids with the tokenizer; and why others cannot.

    Raises `UnreadableLog` when none can.
    """
    if tokenizer is not None:
        decode = decoder(Path(tokenizer))
        return [replace(one, decode=decode) if one.format.needs_tokenizer else one for one in sources], []
    unread = [
        UnreadableLog(f"{one.path}: holds token ids and no text", hint="add --tokenizer with the run's tokenizer.json")
        for one in sources
        if one.format.needs_tokenizer
    ]
    if unread and len(unread) == len(sources):
        raise unread[0]
    return [one for one in sources if not one.format.needs_tokenizer], unread
