"""Rows for tests: of the record's types, in frames and in real stores, with only what a test says about them said.

`trace("a", reward=1.0)` is a finished attempt of the trained agent at the problem `p`; everything it does not name is
null. Measured columns (`verdict`, …) may be named too: frames hold them, stores do not.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any  # a row's values

import polars as pl

from synthetic import shard
from synthetic.expression import types
from synthetic.record import canonical_json, content_hash, digest, facts, prompt_key, record, schema, text_key
from synthetic.rules import RULES
from synthetic.stage import Stage
from synthetic.store import Footer, Snapshot, Store, snapshot

Row = dict[str, Any]


def said(role: str, content: str | None, **more: Any) -> Row:
    """A message."""
    empty = dict.fromkeys(("reasoning_content", "tool_calls", "tool_call_id", "name"))
    return {"role": role, "content": content} | empty | more


def score(name: str | None, value: float | None, weight: float | None = 1.0) -> Row:
    """A scorer with its score."""
    return {"name": name, "score": value, "weight": weight}


def trace(id: str, **columns: Any) -> Row:
    """A row, whole and typed. `text` is what the model wrote; it stands for `messages`."""
    text = columns.pop("text", f"the answer of {id}")
    asked = f"how many {columns['problem_id']}?" if "problem_id" in columns else "how many?"
    trace_id, _, branch = id.partition("/")
    row: Row = dict.fromkeys(types()) | {
        "row_id": f"{trace_id}/{branch or 0}",
        "trace_id": trace_id,
        "branch": int(branch or 0),
        "problem_id": "p",
        "framework": "tests",
        "kind": "train",
        "messages": [said("user", asked), said("assistant", text)],
        "ok": True,
        "is_truncated": False,
        "num_turns": 1,
        "log_file": "traces.jsonl",
        "log_offset": 0,
        "log_digest": digest(id),
        "verdict": "undecided",
        "verdict_rule": "none",
    }
    unknown = columns.keys() - row.keys()
    assert not unknown, f"no such columns: {unknown}"
    row["metrics"] = canonical_json(columns.pop("metrics")) if isinstance(columns.get("metrics"), dict) else None
    row |= columns
    row["problem_cluster"] = row["problem_cluster"] or row["problem_id"]
    if "text_key" not in columns:
        row["text_key"] = text_key([message for message in row["messages"] if message["role"] == "assistant"])
    if "num_prompt_messages" not in columns:
        asked_in = [*takewhile(lambda message: message["role"] != "assistant", row["messages"])]
        row["num_prompt_messages"] = len(asked_in)
        row["prompt_key"] = columns.get("prompt_key") or prompt_key(asked_in)
    row["content_hash"] = columns.get("content_hash") or content_hash(row)
    return row


def frame(rows: Iterable[Mapping[str, Any]]) -> pl.LazyFrame:
    """The rows with every column of the record and every measured one."""
    return pl.LazyFrame(list(rows), schema=types())


def judge(rule: Stage | str, rows: Iterable[Mapping[str, Any]], **settings: Any) -> dict[str, str]:
    """What a rule drops: reasons by row_id; `/0` is left out."""
    stage = RULES[rule] if isinstance(rule, str) else rule
    found = stage(frame(rows).select(stage.all_columns(settings)), **settings).collect()
    return {row.removesuffix("/0"): reason for row, reason in found.select("row_id", "reason").iter_rows()}


def store_of(folder: Path, *shards: Sequence[Mapping[str, Any]]) -> Store:
    """A store with these shards of rows; shards that are there already stay before them."""
    for rows in shards:
        names = facts().names
        data = pl.DataFrame([{name: row[name] for name in names} for row in rows], schema=facts().polars)
        _commit(Store(folder), "traces", data)
    if not shards:
        with Store(folder).writing():
            pass
    return Store(folder)


def annotate(store: Store, *notes: tuple[str, str, Any]) -> None:
    """Add a shard of late facts: trace_id, key and value."""
    rows = [
        {"trace_id": id, "branch": None, "key": key, "value": canonical_json(value), "log_file": "x", "log_offset": i}
        for i, (id, key, value) in enumerate(notes)
    ]
    _commit(store, "annotations", pl.DataFrame(rows, schema=schema("annotation-1").polars))


def _commit(store: Store, kind: str, data: pl.DataFrame) -> None:
    of = facts() if kind == "traces" else schema("annotation-1")
    footer = Footer(kind, of.id, [], [], 0, "", "2025-01-01T00:00:00Z", "0")
    with store.writing():
        temporary = store.shard_folder / "new.tmp"
        rows, row_hash = shard.write(temporary, of, [data], footer.encoded)
        last = max((each.number for each in store.shards()), default=-1)
        done = Footer(
            **{**{f: getattr(footer, f) for f in footer.__struct_fields__}, "rows": rows, "row_hash": row_hash}
        )
        store.commit(temporary, done, after=last)


def rows_of(*stores: Store) -> Snapshot:
    """A snapshot of stores."""
    return snapshot(*(store.path for store in stores))


__all__ = ["Row", "annotate", "frame", "judge", "record", "rows_of", "said", "score", "store_of", "trace"]
