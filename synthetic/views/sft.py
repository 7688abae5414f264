"""Conversations to train on: sft_verified and sft_unverified, one shape."""

import polars as pl

from synthetic.contract import lacking, mended
from synthetic.record import schema
from synthetic.stage import View
from synthetic.views.described import Environments, described

_OPEN, _CLOSE = "<think>", "</think>"


def shape(traces: pl.LazyFrame, *, thinking: str, environments: Environments) -> pl.LazyFrame:
    """The columns of `schemas/sft-1.toml`, with reasoning in its own field or inline."""
    return with_thinking(whole(described(traces, environments)), thinking).select(schema("sft-1").names)


def whole(traces: pl.LazyFrame) -> pl.LazyFrame:
    """The rows with what the calls in their `messages` lack, as `well_formed` marks it."""
    kind = schema("sft-1").polars["messages"]
    calls = pl.col("messages").map_batches(
        lambda said: pl.Series(said.name, [each and mended(each)[0] for each in said.to_list()], dtype=kind),
        return_dtype=kind,
    )
    # Only rows that lack something become Python objects: `filter` goes before the function, `when` would not.
    marked = traces.with_row_index("place")
    some = marked.filter(lacking()).select("place", calls.alias("whole messages"))
    joined = marked.join(some, on="place", how="left", maintain_order="left")
    return joined.with_columns(messages=pl.coalesce("whole messages", "messages")).drop("place", "whole messages")


def with_thinking(traces: pl.LazyFrame, thinking: str) -> pl.LazyFrame:
    """The rows with the reasoning of their `messages` in its own field (`field`) or in the content (`inline`)."""
    rewritten = _in_field() if thinking == "field" else _inline()
    return traces.with_columns(pl.col("messages").list.eval(pl.element().struct.with_fields(rewritten)))


def _in_field() -> list[pl.Expr]:
    """`<think>…</think>` at the head of an assistant's content moved to reasoning_content; an unclosed one stays."""
    content, reasoning = pl.field("content"), pl.field("reasoning_content")
    # Cut at bytes: a pattern with groups takes six times as long over texts of this length.
    opened = content.str.strip_chars_start()
    end = opened.str.find(_CLOSE, literal=True)
    inline = opened.str.starts_with(_OPEN) & end.is_not_null()
    moved = (pl.field("role") == "assistant") & (reasoning.fill_null("") == "") & inline
    data = pl.when(moved).then(opened).cast(pl.Binary)
    answer = data.bin.slice(end + len(_CLOSE)).cast(pl.String).str.strip_chars()
    thought = _said(data.bin.slice(len(_OPEN), end - len(_OPEN)).cast(pl.String))
    return [
        pl.when(moved).then(answer).otherwise(content).alias("content"),
        pl.when(moved).then(thought).otherwise(reasoning).alias("reasoning_content"),
    ]


def _inline() -> list[pl.Expr]:
    """An assistant's reasoning_content put before its content as `<think>…</think>`."""
    content, reasoning = pl.field("content"), pl.field("reasoning_content")
    assistant, thought = pl.field("role") == "assistant", _said(reasoning)
    whole = pl.format("<think>\n{}\n</think>\n\n{}", thought, content.fill_null(""))
    return [
        pl.when(assistant & thought.is_not_null()).then(whole).otherwise(content).alias("content"),
        pl.when(assistant).then(pl.lit(None, pl.String)).otherwise(reasoning).alias("reasoning_content"),
    ]


def _said(text: pl.Expr) -> pl.Expr:
    """Text without the space around it; null where nothing is left."""
    return text.str.strip_chars().replace("", None)


ALWAYS = ("from_training", "trainable", "well_formed")

SFT_VERIFIED = View(
    config="sft_verified",
    schema="sft-1",
    shape=shape,
    title="Right answers that ended by themselves: what to fine-tune on.",
    requires=("verified",),
    always=ALWAYS,
)

SFT_UNVERIFIED = View(
    config="sft_unverified",
    schema="sft-1",
    shape=shape,
    title="Finished attempts that no scorer called right or wrong; never incorrect ones.",
    requires=("finished", "undecided"),
    always=ALWAYS,
)
