"""How many tokens of a context a conversation takes, by any `tokenizer.json`; needs the extra `tokenizers`."""

from collections.abc import Iterator
from typing import Any  # tokenizers' own class

import polars as pl

AT_ONCE = 1_000_000
"""Characters that are tokenized at once: tokenizers takes some 250 bytes for each token."""


def text(*messages: str) -> pl.Expr:
    """Every text of a conversation, whose messages stand in these columns in order, and of its `tools`.

    Contents, thinking, names and arguments of calls, and tool schemas, on lines of their own; not what a chat template
    adds. Null where there is none.
    """
    call = pl.element().struct.field("function")
    said = [pl.element().struct.field(name) for name in ("content", "reasoning_content")]
    call_text = pl.concat_str(
        call.struct.field("name"), call.struct.field("arguments"), separator=" ", ignore_nulls=True
    )
    calls = pl.element().struct.field("tool_calls").list.eval(call_text)
    each = pl.concat_str([*said, calls.list.join("\n")], separator="\n", ignore_nulls=True)
    parts = [pl.col(name).list.eval(each).list.join("\n") for name in messages]
    return pl.concat_str([*parts, "tools"], separator="\n", ignore_nulls=True)


def opened(tokenizer: str) -> Any:
    """The tokenizer that the text of a `tokenizer.json` is, without the truncation and padding that it may ask for."""
    from tokenizers import Tokenizer

    known = Tokenizer.from_str(tokenizer)
    known.no_truncation()
    known.no_padding()
    return known


def counts(known: Any, texts: pl.Series, *, most: int | None = None) -> tuple[list[int], list[bool]]:
    """Tokens of each text (0 of a null one), and whether all were counted.

    A text of more than a million characters is counted in pieces that end before white space: its number may be a few
    tokens off; with `most`, no more of it than show that there are more.
    """
    counted, whole = [0] * len(texts), [True] * len(texts)
    rows: list[int] = []
    batch: list[str] = []
    size = 0

    def count() -> None:
        for row, one in zip(rows, known.encode_batch_fast(batch, add_special_tokens=False), strict=True):
            counted[row] = len(one.ids)
        rows.clear()
        batch.clear()

    for row, said in enumerate(texts):
        if said is None:
            continue
        if len(said) > AT_ONCE:
            for piece in _pieces(said):
                if most is not None and counted[row] > most:
                    whole[row] = False
                    break
                counted[row] += len(known.encode(piece, add_special_tokens=False).ids)
            continue
        if size + len(said) > AT_ONCE:
            count()
            size = 0
        rows.append(row)
        batch.append(said)
        size += len(said)
    count()
    return counted, whole


def _pieces(said: str) -> Iterator[str]:
    """The text in pieces of at most `AT_ONCE` characters, cut before white space where there is some."""
    start = 0
    while start < len(said):
        end = start + AT_ONCE
        if end < len(said):
            cut = max(said.rfind(" ", start + 1, end), said.rfind("\n", start + 1, end))
            end = cut if cut > start else end
        yield said[start:end]
        start = end
