"""Tokens of a release's conversations, by a tokenizer that its recipe names. This alone reads messages."""

from collections.abc import Iterator, Mapping
from typing import Any  # tokenizers' own class

import polars as pl

from synthetic import context
from synthetic.record import Json
from synthetic.stats.table import Table, lengths, one

PART_ROWS = 2_000
"""Rows whose texts are held at once."""


def tokens(configs: Mapping[str, pl.LazyFrame], known: Any, budget: int) -> Table:
    """Of each config that is trained on as text: its rows, how many tokens they take, how many take more than `budget`.

    `sum`, `median`, `p95` and `max` as `lengths` counts them. Each side of a pair is counted with its prompt, as one
    conversation. 8 bytes are held for each row.
    """
    return [
        {"config": config, "side": side, **_row(configs[config], columns, known, budget)}
        for config, side, columns in _sides(configs)
    ]


def _sides(configs: Mapping[str, pl.LazyFrame]) -> Iterator[tuple[str, str | None, tuple[str, ...]]]:
    for config in configs:
        if config.startswith("sft_"):
            yield config, None, ("messages",)
        elif config == "preference":
            for side in ("chosen", "rejected"):
                yield config, side, ("prompt", side)


def _row(frame: pl.LazyFrame, columns: tuple[str, ...], known: Any, budget: int) -> dict[str, Json]:
    texts = frame.select(context.text(*columns).alias("text"))
    parts = (
        pl.Series("n", context.counts(known, part["text"])[0], pl.Int64)
        for part in texts.collect_batches(chunk_size=PART_ROWS, maintain_order=True)
    )
    whole = pl.concat([pl.Series("n", [], pl.Int64), *parts]).to_frame().lazy()
    counted = {name: count for name, count in lengths("n").items() if name != "unknown"}
    return one(whole, rows=pl.len(), over=(pl.col("n") > budget).sum(), **counted)
