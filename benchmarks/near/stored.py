"""Stores of generated rows, written as shards without a log: a capture of millions of rows is not what is measured."""

from pathlib import Path
from typing import Any  # types of polars

import polars as pl

from synthetic import shard
from synthetic.record import digest, facts
from synthetic.store import Footer, Store


def commit(store: Path, texts: pl.DataFrame) -> None:
    """Add a shard: a finished attempt for each row of `id`, `problem`, `answer`, `right` and `text`.

    The last line of a text is the answer, what stands before it the thinking. Keys are hashes of the text as it stands:
    equal for equal texts, but not those that a capture would make.
    """
    keys = pl.lit(texts["text"].map_elements(digest, pl.String))
    halves = pl.col("text").str.extract_groups(r"(?s)^(.*)\n([^\n]*)$")
    schema: dict[str, Any] = dict(facts().polars)
    fields = {field.name: field.dtype for field in schema["messages"].inner.fields}

    def message(role: str, content: pl.Expr, thinking: pl.Expr) -> pl.Expr:
        said = {"role": pl.lit(role), "content": content, "reasoning_content": thinking}
        return pl.struct(said.get(name, pl.lit(None)).cast(dtype).alias(name) for name, dtype in fields.items())

    asked = message("user", pl.format("What is the answer of problem {}?", "problem"), pl.lit(None))
    wrote = message("assistant", halves.struct.field("2"), halves.struct.field("1"))
    known: dict[str, pl.Expr] = {
        "row_id": pl.format("{}/0", "id"),
        "trace_id": pl.col("id"),
        "branch": pl.lit(0),
        "problem_id": pl.lit(texts["problem"].map_elements(digest, pl.String)),
        "framework": pl.lit("benchmark"),
        "kind": pl.lit("train"),
        "env_id": pl.lit("generated"),
        "env_name": pl.lit("generated"),
        "trainable": pl.lit(True),
        "ground_truth": pl.when("right").then("answer"),
        "messages": pl.concat_list(asked, wrote),
        "num_prompt_messages": pl.lit(1),
        "recorded_verdict": pl.col("right"),
        "ok": pl.lit(True),
        "finish_reason": pl.lit("stop"),
        "is_truncated": pl.lit(False),
        "num_turns": pl.lit(1),
        "completion_tokens": pl.col("text").str.len_bytes() // 4,
        "log_file": pl.lit("generated.jsonl"),
        "log_offset": pl.int_range(pl.len()),
        "log_digest": keys,
        "text_key": keys,
        "content_hash": keys,
    }
    rows = texts.select(known.get(name, pl.lit(None)).cast(dtype).alias(name) for name, dtype in schema.items())
    footer = Footer("traces", facts().id, [], [], 0, "", "2025-01-01T00:00:00Z", "0")
    held = Store(store)
    with held.writing():
        temporary = held.shard_folder / "new.tmp"
        count, row_hash = shard.write(temporary, facts(), [rows], footer.encoded)
        last = max((each.number for each in held.shards()), default=-1)
        done = {name: getattr(footer, name) for name in footer.__struct_fields__}
        held.commit(temporary, Footer(**done | {"rows": count, "row_hash": row_hash}), after=last)


def write(corpus: Path) -> None:
    """The store of a corpus, `store` beside its texts: a shard for each file of them."""
    for part in sorted((corpus / "texts").glob("*.parquet")):
        commit(corpus / "store", pl.read_parquet(part))
