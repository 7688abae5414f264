"""What does it say in the end?"""

from typing import Any  # numpy's arrays

import polars as pl
import xxhash

from synthetic.stage import measure

LONGEST = 300
"""Characters of an answer that are given; a longer one ends in … and a hash of the whole."""

TAIL = 1000
"""An answer without a box is looked for in so many last characters."""

# GSM8K's mark, the tags of many RL environments, and the sentence that models end with.
MARKS = (
    r"(?s).*####[ \t]*([^\n]+)",
    r"(?s).*<answer>(.*?)</answer>",
    r"(?is).*\banswer(?:\s+is)?\s*[:=]?\s*\**\s*(?:is\s+)?([^\n]+)",
)


@measure("messages", "num_prompt_messages", gives=("final_answer",), compiles=True, version=1)
def final_answer(traces: pl.LazyFrame) -> pl.LazyFrame:
    r"""The answer that the last assistant message ends on, its white space made single; null where none is found.

    Looked for behind the thinking only, in this order: the last `\boxed{…}` with balanced braces, what stands behind
    `####`, in `<answer>…</answer>`, or behind "answer is" or "answer:". A text that has `<think>` and no `</think>` is
    all thinking. Whether it is right is the verdict's business.
    """
    sampled = pl.col("messages").list.slice(pl.col("num_prompt_messages").fill_null(0))
    said = pl.element().filter(pl.element().struct.field("role") == "assistant").struct.field("content")
    content = sampled.list.eval(said).list.last()
    answer = (
        pl.when(content.str.contains("</think>", literal=True))
        .then(content.str.split("</think>").list.last())
        .when(~content.str.contains("<think>", literal=True))
        .then(content)
    )
    tail = answer.str.tail(TAIL)
    marked = [tail.str.extract(mark, 1) for mark in MARKS]
    found = pl.coalesce(answer.map_batches(_boxed, return_dtype=pl.String), *marked)
    clean = found.str.replace_all(r"\s+", " ").str.strip_chars(" *.").replace("", None)
    return traces.select("row_id", clean.map_batches(_cut, return_dtype=pl.String).alias("final_answer"))


def _cut(answers: pl.Series) -> pl.Series:
    long = (answers.str.len_chars() > LONGEST).fill_null(False)
    if not long.any():
        return answers
    cut = [text[:LONGEST] + f"… {xxhash.xxh3_64_hexdigest(text.encode())}" for text in answers.filter(long)]
    return answers.scatter(long.arg_true(), cut)


def _boxed(texts: pl.Series) -> pl.Series:
    r"""What the last whole `\boxed{…}` of each text holds."""
    import numpy as np

    from synthetic.alike.laid import laid

    found: list[str | None] = []
    for offsets, data, valid in laid(texts):
        places = np.empty((len(valid), 2), np.int64)
        _last_box()(offsets, data, valid, places)
        view = memoryview(data)
        found += [str(view[a:b], "utf-8") if a >= 0 else None for a, b in places.tolist()]
    return pl.Series(texts.name, found, dtype=pl.String)


def _last_box() -> Any:
    from synthetic.alike.answers import last_box

    return last_box
