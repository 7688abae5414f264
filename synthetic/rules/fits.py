"""Does it fit into a context?"""

from collections.abc import Iterator
from typing import Any  # tokenizers' own class

import polars as pl

from synthetic.stage import rule

AT_ONCE = 1_000_000
"""Characters that are tokenized at once: tokenizers takes some 250 bytes for each token."""


@rule("messages", "tools", against="tokenizer", version=2)
def fits(traces: pl.LazyFrame, opened: pl.LazyFrame, *, tokenizer: str, tokens: int = 131_072) -> pl.LazyFrame:
    """Keep rows whose messages and tools are at most `tokens` tokens of the tokenizer in the file `tokenizer`.

    Counted is every text of the conversation (contents, thinking, names and arguments of calls, tool schemas) without
    what a chat template adds: leave it some room. `tokenizer` is any `tokenizer.json`; no truncation or padding that it
    asks for is done. Needs the extra `tokenizers`. A text of more than a million characters is counted in pieces
    that end before white space, until they are too many. 131,072 tokens: the 128K that DeepSeek-R1 and Qwen3 state as
    their context length.
    """
    from tokenizers import Tokenizer

    del tokenizer  # whoever runs the rule has opened it
    known = Tokenizer.from_str(opened.collect()["json"][0])
    known.no_truncation()
    known.no_padding()
    call = pl.element().struct.field("function")
    said = [pl.element().struct.field(name) for name in ("content", "reasoning_content")]
    calls = (
        pl.element()
        .struct.field("tool_calls")
        .list.eval(
            pl.concat_str(call.struct.field("name"), call.struct.field("arguments"), separator=" ", ignore_nulls=True)
        )
    )
    messages = pl.concat_str([*said, calls.list.join("\n")], separator="\n", ignore_nulls=True)
    text = pl.concat_str(
        [pl.col("messages").list.eval(messages).list.join("\n"), "tools"], separator="\n", ignore_nulls=True
    )
    # A token is at least a byte, so shorter texts need no counting.
    long = traces.select("row_id", text=text).filter(pl.col("text").str.len_bytes() > tokens).collect()
    counts, whole = _counts(known, long["text"], tokens)
    counted = long.select("row_id").with_columns(tokens=pl.Series(counts, dtype=pl.Int64), whole=pl.Series(whole))
    over = counted.lazy().filter(pl.col("tokens") > tokens)
    number = pl.when("whole").then(pl.format("{}", "tokens")).otherwise(pl.format("at least {}", "tokens"))
    return over.select("row_id", reason=pl.format("{} tokens, more than {}", number, pl.lit(tokens)))


def _counts(known: Any, texts: pl.Series, tokens: int) -> tuple[list[int], list[bool]]:
    """Tokens of each text, and whether all were counted: of a long one no more than show that there are too many."""
    counts, whole = [0] * len(texts), [True] * len(texts)
    rows: list[int] = []
    batch: list[str] = []
    size = 0

    def count() -> None:
        for row, one in zip(rows, known.encode_batch_fast(batch, add_special_tokens=False), strict=True):
            counts[row] = len(one.ids)
        rows.clear()
        batch.clear()

    for row, text in enumerate(texts):
        if len(text) > AT_ONCE:
            for piece in _pieces(text):
                if counts[row] > tokens:
                    whole[row] = False
                    break
                counts[row] += len(known.encode(piece, add_special_tokens=False).ids)
            continue
        if size + len(text) > AT_ONCE:
            count()
            size = 0
        rows.append(row)
        batch.append(text)
        size += len(text)
    count()
    return counts, whole


def _pieces(text: str) -> Iterator[str]:
    """The text in pieces of at most `AT_ONCE` characters, cut before white space where there is some."""
    start = 0
    while start < len(text):
        end = start + AT_ONCE
        if end < len(text):
            cut = max(text.rfind(" ", start + 1, end), text.rfind("\n", start + 1, end))
            end = cut if cut > start else end
        yield text[start:end]
        start = end
