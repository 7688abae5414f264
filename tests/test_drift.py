"""Keys that come late and types that change survive a capture; what readers that infer a schema do with them.

Ten ways in which a log drifts, each in the last rows of a file. The table says, for the record, what the readers people
use for JSON lines make of the last row: `ok` (the value is kept), `raises`, or what they give instead without an error.
"""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.json
import pytest

import synthetic
from tests.episodes import episode, trace, write

ROWS, LATE = 22_000, 5
"""Rows of a file, more than any reader samples; and how many of them, at its end, have drifted."""

FILLER = "x" * 470  # so that a file is larger than the blocks in which readers infer

CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a key that comes late": ({}, {"late": 1.5}),
    "a member that comes late": ({"info": {"a": 1}}, {"info": {"a": 1, "late": 1.5}}),
    "an integer, then a fraction": ({"score": 1}, {"score": 0.5}),
    "null, then a fraction": ({"score": None}, {"score": 0.5}),
    "an integer, then text": ({"score": 1}, {"score": "n/a"}),
    "a number, then an object": ({"score": 1}, {"score": {"value": 0.5}}),
    "text like dates, then other text": ({"text": "2026-01-01"}, {"text": "x=1"}),
    "an integer beyond 64 bits": ({"score": 1}, {"score": 2**63 + 1}),
    "keys that differ in case": ({"Info": 1, "info": 2}, {"Info": 3, "info": 4}),
    "NUL in a text": ({"text": "a"}, {"text": "a\0b"}),
}


# ---- ours


@pytest.mark.parametrize("case", CASES)
def test_a_capture_keeps_what_drifts(case, tmp_path):
    early, late = CASES[case]
    lines = [
        episode(f"e{n}", trace(f"t{n}", info=early if n < 20 else late), **_free(early, late, n)) for n in range(25)
    ]
    write(tmp_path / "run" / "traces.jsonl", lines)
    done = synthetic.capture(tmp_path / "run", into=tmp_path / "store")
    assert (done.captured, done.quarantined) == (25, 0)
    extras = synthetic.scan(tmp_path / "store").collect()["extra"].to_list()
    for number, extra in enumerate(extras):
        held = json.loads(extra)
        wanted = early if number < 20 else late
        assert held["traces"][0].get("info", {}) == wanted
        assert {key: held[key] for key in _free(early, late, number)} == _free(early, late, number)


def _free(early: dict[str, Any], late: dict[str, Any], number: int) -> dict[str, Any]:
    """The same keys at the top of a line, under names that verifiers does not use."""
    return {f"my_{key}": value for key, value in (early if number < 20 else late).items()}


def test_a_score_that_becomes_a_fraction_is_the_reward(tmp_path):
    scores = [1, 1, 0.5, None, True]
    lines = [
        episode(f"e{n}", trace(f"t{n}", rewards={"s": {"score": score, "weight": 1.0}}))
        for n, score in enumerate(scores)
    ]
    write(tmp_path / "run" / "traces.jsonl", lines)
    synthetic.capture(tmp_path / "run", into=tmp_path / "store")
    assert synthetic.scan(tmp_path / "store").collect()["reward"].to_list() == [1.0, 1.0, 0.5, None, 1.0]


# ---- theirs, for the record


def _polars(path: Path, out: Path) -> dict[str, Any]:
    pl.scan_ndjson(path).sink_parquet(out)
    return pl.read_parquet(out).tail(1).to_dicts()[0]


def _duckdb(path: Path, out: Path) -> dict[str, Any]:
    import duckdb

    duckdb.execute(f"COPY (FROM read_json('{path}', format='newline_delimited')) TO '{out}' (FORMAT parquet)")
    return pl.read_parquet(out).tail(1).to_dicts()[0]


def _pyarrow(path: Path, out: Path) -> dict[str, Any]:
    table = pyarrow.json.read_json(path)
    return dict(table.slice(table.num_rows - 1).to_pylist()[0])


def _datasets(path: Path, out: Path) -> dict[str, Any]:
    import datasets

    loaded = datasets.load_dataset("json", data_files=str(path), split="train", cache_dir=str(out))
    return dict(loaded[-1])


def _from_pylist(path: Path, out: Path) -> dict[str, Any]:
    rows = [json.loads(line) for line in path.read_text("utf-8").split("\n")[:-1]]
    first = pa.Table.from_pylist(rows[:1000])
    return dict(pa.Table.from_pylist(rows[-1000:], schema=first.schema).to_pylist()[-1])


READERS: dict[str, Callable[[Path, Path], dict[str, Any]]] = {
    "polars": _polars,
    "duckdb": _duckdb,
    "pyarrow.json": _pyarrow,
    "datasets": _datasets,
    "from_pylist": _from_pylist,
}
"""With their defaults."""

OUTCOMES = {  # polars, duckdb, pyarrow.json, datasets, from_pylist
    "a key that comes late": ("lost", "raises", "ok", "raises", "lost"),
    "a member that comes late": ("lost", "raises", "ok", "raises", "lost"),
    "an integer, then a fraction": ("raises", "0", "ok", "raises", "0"),
    "null, then a fraction": ("raises", "null", "ok", "raises", "raises"),
    "an integer, then text": ("raises", "raises", "raises", "raises", "raises"),
    "a number, then an object": ("raises", "raises", "raises", "raises", "raises"),
    "text like dates, then other text": ("ok", "raises", "ok", "raises", "ok"),
    "an integer beyond 64 bits": ("raises", "raises", "rounded", "raises", "raises"),
    "keys that differ in case": ("ok", "lost", "ok", "ok", "ok"),
    "NUL in a text": ("ok", "ok", "ok", "ok", "ok"),
}


def outcome(read: Callable[[Path, Path], dict[str, Any]], path: Path, out: Path, late: dict[str, Any]) -> str:
    """What a reader makes of the last row."""
    try:
        row = read(path, out)
    except Exception:  # noqa: BLE001 - each reader has errors of its own; that it raises is what is recorded
        return "raises"
    found = [_of(row.get(key, "lost"), value) for key, value in late.items()]
    return next((each for each in found if each != "ok"), "ok")


def _of(found: Any, value: Any) -> str:
    if isinstance(value, dict) and isinstance(found, dict):
        return next((each for k, v in value.items() if (each := _of(found.get(k, "lost"), v)) != "ok"), "ok")
    same = type(found) is type(value) and found == value
    close = isinstance(found, float) and isinstance(value, int) and math.isclose(found, value)
    return "ok" if same else "rounded" if close else "null" if found is None else str(found)


@pytest.mark.parametrize("case", CASES)
def test_what_other_readers_do_is_on_record(case, tmp_path):
    early, late = CASES[case]
    path = tmp_path / "drift.jsonl"
    lines = [json.dumps({"id": "r", "filler": FILLER} | (late if n >= ROWS - LATE else early)) for n in range(ROWS)]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    found = {name: outcome(read, path, tmp_path / name, late) for name, read in READERS.items()}
    assert found == dict(zip(READERS, OUTCOMES[case], strict=True))
