"""How many processes take a run's lines apart changes nothing that is written, and none is missed when it ends."""

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

import synthetic
from synthetic.columns import batches
from synthetic.errors import WorkerDied
from synthetic.formats.find import find
from synthetic.lines import Line, Lines, Taken, take
from synthetic.pool import Pool
from synthetic.record import facts
from synthetic.turns import Turns
from tests.episodes import episode, episodes, trace, write

MAP = """
name = "quiz"
keys = ["question", "answer"]

[columns]
prompt = "question"
response = "answer"
"""


def captured(run: Path, store: Path, workers: int, **settings):
    """What a capture by so many processes said, and the bytes of its shards and of what it set aside."""
    done = synthetic.capture(run, into=store, workers=workers, now=lambda: datetime(2026, 8, 1, tzinfo=UTC), **settings)
    assert synthetic.check(store).problems == []
    written = {p.relative_to(store).as_posix(): p.read_bytes() for p in sorted(store.rglob("*.*")) if p.is_file()}
    told = {name: value for name, value in vars(done).items() if name not in {"store", "quarantine"}}
    return told, written


def attempts(count: int, size: int = 20_000) -> list[str]:
    """Lines of verl's, which name no ids: an attempt's is made from how many lines stand before it."""
    line = {"input": "user\nhow many?\nassistant\n", "output": "", "gts": "2", "score": 1.0, "step": 1}
    return [json.dumps(line | {"output": f"{number} " * (size // 6)}) for number in range(count)]


def ids(store: Path) -> list[str]:
    """The traces of a store."""
    return synthetic.scan(store).select("trace_id").collect()["trace_id"].to_list()


def lines_of(log: Path, kind: str = "traces") -> Lines:
    """All lines of a log."""
    (source,) = find(log).sources
    lines = Lines(kind, source, 0)
    with source.format.open(log) as text:
        for offset, line, length in text.lines(0):
            lines.add(Line(offset, line, length))
    return lines


def every(turns: Turns, lines: Lines) -> list[Taken]:
    """What lines give that are handed over twenty times."""
    found: list[Taken] = []
    for _ in range(20):
        turns.lines(lines, found.append)
    turns.all()
    return found


@pytest.mark.parametrize("shard_bytes", [300_000, 256 << 20])
def test_any_number_of_processes_writes_the_same(tmp_path, shard_bytes):
    for step in range(1, 8):
        write(tmp_path / f"run/rollouts/step_{step}/train/effective/traces.jsonl", episodes(3, first=100 * step))
        broken = [b"{}", b'{"id": "e", "traces": [', b'{"id":"n","x":NaN}']
        log = write(tmp_path / f"run/rollouts/step_{step}/train/all/traces.jsonl", episodes(60, first=100 * step))
        log.write_bytes(log.read_bytes() + b"\n".join(broken) + b"\n")
    one = captured(tmp_path / "run", tmp_path / "one", 1, shard_bytes=shard_bytes)
    assert one == captured(tmp_path / "run", tmp_path / "two", 2, shard_bytes=shard_bytes)
    assert one[0]["quarantined"] == 21
    assert one[0]["late_facts"] == 42


def test_ids_that_are_made_of_places_hold_behind_records_that_were_glued_together(tmp_path):
    first, second, *others = attempts(500)
    log = tmp_path / "run" / "1.jsonl"
    log.parent.mkdir()
    log.write_text("\n".join([first + second, *others]) + "\n", "utf-8")  # the first of five handfuls of lines
    one = captured(tmp_path / "run", tmp_path / "one", 1)
    assert one == captured(tmp_path / "run", tmp_path / "two", 2)
    assert one[0]["rows"] == 500
    log.write_text("\n".join([first, second, *others]) + "\n", "utf-8")
    captured(tmp_path / "run", tmp_path / "apart", 2)
    assert ids(tmp_path / "one") == ids(tmp_path / "apart")


def test_tokens_and_lines_that_are_too_large_to_hand_over_are_taken_too(tmp_path):
    nodes = episode("e", trace("t"))["traces"][0]["nodes"]
    nodes[1] |= {"token_ids": [1234567] * 2_100_000, "mask": [True], "logprobs": [-0.5]}
    write(tmp_path / "run" / "traces.jsonl", [*episodes(5), episode("large", trace("large", nodes=nodes))])
    one = captured(tmp_path / "run", tmp_path / "one", 1, tokens=True)
    assert one == captured(tmp_path / "run", tmp_path / "two", 2, tokens=True)
    assert one[0]["token_rows"] == 1


def test_a_map_that_was_named_by_hand_is_read_where_it_is_known(tmp_path):
    (tmp_path / "quiz.toml").write_text(MAP, "utf-8")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "quiz.jsonl").write_text('{"question": "6 × 7?", "answer": "42"}\n', "utf-8")
    map_ = str(tmp_path / "quiz.toml")
    one = captured(tmp_path / "run", tmp_path / "one", 1, format=map_)
    assert one == captured(tmp_path / "run", tmp_path / "two", 2, format=map_)
    assert one[0]["rows"] == 1


def test_what_a_process_gives_is_what_this_one_would(tmp_path):
    log = write(tmp_path / "run" / "traces.jsonl", episodes(20))
    log.write_bytes(log.read_bytes() + b"no JSON\n")
    lines = lines_of(log)
    here = take(lines)
    with Pool(2) as pool:
        pool.wait()
        turns = Turns()
        turns.with_pool(pool, 2)
        there = every(turns, lines)
    assert [each.bad for each in there] == [here.bad] * 20
    assert [each.frames for each in there] == [here.frames] * 20
    assert (there[0].lines, there[0].captured, there[0].quarantined) == (21, 20, 1)


def test_a_process_that_is_ended_is_told(tmp_path):
    lines = lines_of(write(tmp_path / "run" / "traces.jsonl", episodes(20)))
    turns = Turns()
    with Pool(1) as pool:
        pool.wait()
        turns.with_pool(pool, 1)
        os.kill(pool.ids[0], signal.SIGKILL)
        with pytest.raises(WorkerDied, match="was ended by SIGKILL") as told:
            every(turns, lines)
    assert "--workers 1" in (told.value.hint or "")


def test_processes_end_with_whoever_started_them(tmp_path):
    with Pool(2) as pool:
        pool.wait()
        ids = pool.ids
    for each in ids:
        with pytest.raises(ProcessLookupError):
            os.kill(each, 0)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_interrupted_capture_leaves_whole_shards_alone_and_goes_on(tmp_path, workers):
    for step in (1, 2, 3):
        write(tmp_path / f"run/rollouts/step_{step}/train/all/traces.jsonl", episodes(400, first=1000 * step))

    def interrupt(what: str, done: int, total: int | None) -> None:
        if total is None and len(list((tmp_path / "store" / "shards").glob("*.parquet"))) >= 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        captured(tmp_path / "run", tmp_path / "store", workers, shard_bytes=100_000, progress=interrupt)
    assert {path.suffix for path in (tmp_path / "store" / "shards").iterdir()} == {".parquet"}
    told, _ = captured(tmp_path / "run", tmp_path / "store", workers, shard_bytes=100_000)
    assert told["seen_before"] > 0
    assert len(set(ids(tmp_path / "store"))) == told["captured"] + told["seen_before"] == 1200


def test_a_small_run_starts_no_process(tmp_path):
    write(tmp_path / "run" / "traces.jsonl", episodes(3))
    before = os.times().children_user
    synthetic.capture(tmp_path / "run", into=tmp_path / "store")
    assert os.times().children_user == before


def test_no_rows_are_no_batch():
    assert batches(facts().arrow, []) == []


def test_where_no_process_can_be_started_it_is_told():
    code = (
        "import resource; from synthetic.errors import WorkerDied; from synthetic.pool import Pool\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))\n"
        "try: Pool(4)\n"
        "except WorkerDied as error: print(error, '/', error.hint)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(
        "no other process could be started (Too many open files) / run again with --workers 1"
    )
    assert done.stderr == ""
