"""prime-rl's layout B: chunks that are sealed while a run goes on, and facts that arrive after their traces."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import synthetic
from synthetic.formats.find import find
from synthetic.store import snapshot
from tests.episodes import episode, episodes, node, rows, text, trace, write
from tests.rebuild import rebuilt, without_tokens

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LOGS = Path(__file__).parent / "logs"
RUN = LOGS / "prime_rl_b"
EXPECTED: dict[str, Any] = json.loads((RUN / "expected.json").read_text("utf-8"))["run"]
SAMPLE = Path(__file__).parent.parent.parent / "shared" / "samples" / "prime_rl_newlayout"
TRACES = Path("monitors/file/traces")


def annotation(trace_id: str, info: dict[str, Any] | None = None, *branches: dict[str, Any]) -> dict[str, Any]:
    return {"version": 1, "trace_id": trace_id, "info": info or {}, "branches": list(branches)}


def ship(step: int, advantage: float | None = None) -> dict[str, Any]:
    info = {"effective": True, "ship": {"step": step, "time": 1795430000.0 + step}}
    return info if advantage is None else info | {"advantage": advantage}


def stream(run: Path, number: int = 0) -> Path:
    return run / TRACES / "stream" / f"{number:05d}.jsonl"


def said(run: Path, producer: str = "orch", number: int = 0) -> Path:
    return run / TRACES / "annotations" / producer / f"{number:05d}.jsonl"


def seal(path: Path) -> None:
    """Compress a chunk as prime-rl does: small frames, and a skippable one with their places at the end."""
    data = path.read_bytes()
    frames = [zstd.compress(data[at : at + 1000]) for at in range(0, len(data), 1000)]
    table = b"".join(len(f).to_bytes(4, "little") + (1000).to_bytes(4, "little") for f in frames)
    table += len(frames).to_bytes(4, "little") + b"\0" + (0x8F92EAB1).to_bytes(4, "little")
    skipped = (0x184D2A5E).to_bytes(4, "little") + len(table).to_bytes(4, "little") + table
    path.with_name(f"{path.name}.zst").write_bytes(b"".join(frames) + skipped)
    path.unlink()


def facts(store: Path) -> dict[str, dict[str, Any]]:
    """What is known later about each row, but for nulls."""
    late = ["trained_on", "advantage", "ship_step", "annotations"]
    frame = rows(store).select("row_id", *late)
    return {row["row_id"]: {k: row[k] for k in late if row[k] is not None} for row in frame.to_dicts()}


# ---- the fixture and the sample


@pytest.fixture(scope="module")
def captured(tmp_path_factory):
    store = tmp_path_factory.mktemp("b") / "store"
    return synthetic.capture(RUN, into=store, tokens=True), store


def test_a_run_gives_the_rows_that_its_index_names(captured):
    done, store = captured
    frame = rows(store)
    names = ["trace_id", "branch", "log_file", "log_offset", "kind", "step", "reward", "num_turns", "stop_condition"]
    wanted = [
        {name: row[name] for name in names} | {"num_turns": sum(row["sampled"]), "roles": row["roles"]}
        for row in EXPECTED["row"]
    ]
    roles = frame["messages"].list.eval(pl.element().struct.field("role")).to_list()
    held = [row | {"roles": role} for row, role in zip(frame.select(names).to_dicts(), roles, strict=True)]
    assert held == [row | {"reward": row["reward"] and pytest.approx(row["reward"])} for row in wanted]
    assert frame.height == EXPECTED["rows"] == done.rows
    assert frame["ok"].not_().sum() == EXPECTED["ok_false"]
    assert set(frame["framework"]) == {"prime-rl"}


def test_what_a_crash_tore_is_set_aside_and_what_was_glued_to_it_is_a_row(captured):
    done, _ = captured
    glued, last = EXPECTED["torn"]
    (aside,) = [json.loads(line) for file in done.quarantine for line in Path(file).read_text("utf-8").splitlines()]
    assert (aside["log_offset"], len(aside["line"].encode())) == (glued["offset"], glued["bytes"])
    assert aside["log_file"] == "monitors/file/traces/stream/00001.jsonl"
    assert done.torn == ["prime_rl_b/monitors/file/traces/stream/00001.jsonl"]
    assert last["last"]
    annotations = sum(len(index.read_bytes().splitlines()) for index in RUN.glob(f"{TRACES}/annotations/*.index.jsonl"))
    assert done.seen == EXPECTED["episodes"] + annotations + 1


def test_what_producers_said_is_folded_in_write_order(captured):
    _, store = captured
    held = facts(store)
    for trace_id, info in EXPECTED["info"].items():
        known = held[f"{trace_id}/0"]
        assert known["trained_on"] is info["effective"]
        assert (known["ship_step"], known["advantage"]) == (info["ship"]["step"], info["advantage"])
        others = {k: v for k, v in info.items() if k not in {"effective", "ship", "advantage"}}
        branch = {k: v for k, v in streams(f"{trace_id}/0").items() if not isinstance(v, list)}
        assert json.loads(known["annotations"]) == others | branch | {"ship": {"time": info["ship"]["time"]}}
    assert sum(bool(known) for known in held.values()) == len(EXPECTED["info"])


def streams(name: str) -> dict[str, Any]:
    """What the trainer said of a row's tokens."""
    said: dict[str, Any] = json.loads(EXPECTED["streams"][name])
    return said


def test_streams_with_a_value_per_token_are_in_the_side_table(captured):
    _, store = captured
    held = {
        row["row_id"]: json.loads(row["other"]) for row in synthetic.tokens(store).collect().to_dicts() if row["other"]
    }
    wanted = {name: {k: v for k, v in streams(name).items() if isinstance(v, list)} for name in EXPECTED["streams"]}
    assert held == {name: {"branch": lists} for name, lists in wanted.items()}
    (row,) = synthetic.tokens(store).filter(pl.col("row_id") == next(iter(wanted))).collect().to_dicts()
    assert sum(map(len, row["token_ids"])) == len(wanted[row["row_id"]]["trainer_logprobs"])


def test_a_second_capture_adds_nothing(captured):
    done, store = captured
    again = synthetic.capture(RUN, into=store, tokens=True)
    assert (again.captured, again.quarantined, again.token_rows, again.seen_before) == (0, 0, 0, done.seen)
    assert synthetic.check(store).problems == []


def test_every_line_can_be_made_again_from_its_rows(captured):
    _, store = captured
    text = {path.name.removesuffix(".zst"): path.read_bytes() for path in (RUN / TRACES / "stream").iterdir()}
    text["00000.jsonl"] = zstd.decompress(text["00000.jsonl"])
    frame = rows(store)
    for (file, offset), part in frame.group_by(["log_file", "log_offset"], maintain_order=True):
        line = text[Path(str(file)).name][offset:].partition(b"\n")[0]
        assert rebuilt(part.to_dicts()) == without_tokens(json.loads(line))


@pytest.mark.skipif(not SAMPLE.is_dir(), reason="the larger samples are not here")
def test_the_sample_has_the_totals_that_were_derived_from_its_json(tmp_path):
    totals = json.loads((LOGS / "samples_expected_stream.json").read_text("utf-8"))["prime_rl_newlayout"]
    done = synthetic.capture(SAMPLE, into=tmp_path / "store")
    frame = rows(tmp_path / "store")  # the sample has two traces twice
    assert done.captured == totals["lines"] + totals["annotated"]
    assert (done.rows, frame.height) == (totals["rows"], totals["ids"])
    assert len(done.torn) == sum(size > 0 for size in totals["torn_bytes"])
    every = pl.concat(pl.read_parquet(shard.path) for shard in snapshot(tmp_path / "store").traces)
    assert every["reward"].sum() == pytest.approx(totals["sum_of_rewards"])
    assert dict(every["kind"].value_counts().iter_rows()) == totals["kinds"]
    assert frame["advantage"].sum() == pytest.approx(totals["sum_of_advantages"])
    assert frame["trained_on"].sum() == totals["annotated"]


# ---- chunks


def test_chunks_sealed_between_two_captures_add_nothing(tmp_path):
    run, store = tmp_path / "run", tmp_path / "store"
    write(stream(run), episodes(5))
    write(said(run), [annotation("t0", ship(2, 0.5)), annotation("t1", ship(2, -0.5))])
    first = synthetic.capture(run, into=store, tokens=True)
    assert (first.captured, first.rows, first.late_facts) == (7, 5, 8)
    before = rows(store)
    seal(stream(run))
    seal(said(run))
    write(stream(run, 1), episodes(2, first=5))
    write(said(run, number=1), [annotation("t5", ship(3, 0.25))])
    second = synthetic.capture(run, into=store, tokens=True)
    assert (second.captured, second.rows, second.seen_before, second.warnings) == (3, 2, 7, [])
    assert rows(store).head(5).equals(before)
    third = synthetic.capture(run, into=store, tokens=True)
    assert (third.captured, third.seen_before) == (0, 10)


def test_a_chunk_that_is_there_plain_and_sealed_is_captured_once(tmp_path):
    run = tmp_path / "run"
    data = write(stream(run), episodes(3)).read_bytes()
    seal(stream(run))
    stream(run).write_bytes(data)
    stream(run).with_name("00000.jsonl.zst.tmp").write_bytes(b"half")
    done = synthetic.capture(run, into=tmp_path / "store")
    assert (done.captured, done.seen_before, done.rows) == (3, 3, 3)


def test_the_single_files_of_the_first_days_are_read(tmp_path):
    run, store = tmp_path / "run", tmp_path / "store"
    write(run / TRACES / "stream.jsonl", episodes(2))
    write(run / TRACES / "stream.index.jsonl", ['{"line":1,"offset":0,"id":"e0"}'])
    write(run / TRACES / "stream.lock", [])
    write(run / TRACES / "annotations" / "orch.jsonl", [annotation("t1", ship(1, 0.5))])
    write(run / TRACES / "annotations" / "orch.index.jsonl", ['{"trace_id":"t1","offset":0,"info":{}}'])
    done = synthetic.capture(run, into=store)
    assert (done.files, done.captured, done.unknown) == (2, 3, {})
    assert facts(store) == {
        "t0/0": {},
        "t1/0": {"trained_on": True, "advantage": 0.5, "ship_step": 1, "annotations": '{"ship":{"time":1795430001.0}}'},
    }


def test_indexes_and_rollouts_in_flight_are_no_logs(tmp_path):
    run = tmp_path / "run"
    write(stream(run), episodes(1))
    write(run / TRACES / "stream.index.jsonl", [{"id": "e0", "traces": []}])
    write(run / TRACES / "live" / "t9.jsonl", [episode("e9", trace("t9"))])
    write(run / TRACES / "live" / "pending" / "0.json", [episode("e8")])
    assert [source.name for source in find(run).sources] == ["monitors/file/traces/stream/00000.jsonl"]
    assert find(run).unknown == {}


def test_a_chunk_named_by_hand_belongs_to_its_run(tmp_path):
    run, store = tmp_path / "run", tmp_path / "store"
    write(stream(run), episodes(1))
    write(stream(run, 1), episodes(1, first=1))
    assert synthetic.capture(stream(run, 1), into=store).captured == 1
    done = synthetic.capture(run / "monitors", into=store)
    assert (done.captured, done.seen_before, done.runs) == (1, 1, ["run"])


def test_a_copied_run_adds_nothing_to_what_is_read(tmp_path):
    store = tmp_path / "store"
    synthetic.capture(RUN, into=store)
    before = rows(store)
    shutil.copytree(RUN, tmp_path / "copy")
    synthetic.capture(tmp_path / "copy", into=store)
    assert rows(store).equals(before)


# ---- annotations


def test_objects_are_merged_member_by_member_and_the_newest_wins(tmp_path):
    run, store = tmp_path / "run", tmp_path / "store"
    write(stream(run), episodes(1))
    write(said(run, "gar"), [annotation("t0", {"grade": {"a": {"x": 1}, "b": 1}, "note": "old", "n": {"x": 1}})])
    synthetic.capture(run, into=store)
    lines = [annotation("t0", {"grade": {"a": {"y": 2}, "b": None}, "note": "new", "n": 3}), annotation("t0")]
    write(said(run, "gar", 1), [*lines, annotation("t0", {"n": {"y": 4}})])
    synthetic.capture(run, into=store)
    assert json.loads(facts(store)["t0/0"]["annotations"]) == {
        "grade": {"a": {"x": 1, "y": 2}, "b": None},
        "note": "new",
        "n": {"y": 4},
    }


def test_a_branch_has_its_own_facts_and_those_of_its_trace(tmp_path):
    run, store = tmp_path / "run", tmp_path / "store"
    nodes = [node("user", "q"), node("assistant", "one", parent=0), node("assistant", "another", parent=0)]
    write(stream(run), [episode("e0", trace("t0", nodes=nodes))])
    lines = [annotation("t0", ship(4, 0.5) | {"both": 1}), annotation("t0", {}, {"index": 1, "clipped": 3, "both": 2})]
    write(said(run), lines)
    synthetic.capture(run, into=store)
    held = facts(store)
    whole = {"both": 1, "ship": {"time": 1795430004.0}}
    assert json.loads(held["t0/0"].pop("annotations")) == whole
    assert json.loads(held["t0/1"].pop("annotations")) == whole | {"both": 2, "clipped": 3}
    assert held["t0/0"] == held["t0/1"] == {"trained_on": True, "advantage": 0.5, "ship_step": 4}


def test_a_producer_cannot_forge_a_column(tmp_path):
    run, store = tmp_path / "run", tmp_path / "store"
    write(stream(run), episodes(1))
    forged = {
        "rewound": True,
        "trained_on": True,
        "ship_step": 9,
        "advantage": "high",
        "annotations": {},
        "effective": 1,
    }
    write(said(run, "x"), [annotation("t0", forged)])
    synthetic.capture(run, into=store)
    assert rows(store)["rewound"].to_list() == [None]
    (known,) = facts(store).values()
    assert set(known) == {"annotations"}
    assert json.loads(known["annotations"]) == {
        "info.rewound": True,
        "info.trained_on": True,
        "info.ship_step": 9,
        "info.advantage": "high",
        "info.annotations": {},
        "effective": 1,
    }


@pytest.mark.parametrize(
    "line",
    [
        {"version": 1, "info": {}, "branches": []},
        {"version": 1, "trace_id": 7, "info": {}},
        {"version": 1, "trace_id": "t0", "info": [1]},
        {"version": 1, "trace_id": "t0", "info": {}, "branches": [{"entropies": [1.0]}]},
        {"version": 1, "trace_id": "t0", "info": {}, "branches": [{"index": "0"}]},
        {"version": 1, "trace_id": "t0", "info": {}, "branches": {}},
        "not JSON",
    ],
    ids=str,
)
def test_a_bad_annotation_is_set_aside(tmp_path, line):
    run, store = tmp_path / "run", tmp_path / "store"
    write(stream(run), episodes(1))
    write(said(run), [annotation("t0", ship(1)), line])
    done = synthetic.capture(run, into=store, tokens=True)
    assert (done.captured, done.quarantined) == (2, 1)
    assert facts(store)["t0/0"]["trained_on"] is True


def test_a_torn_annotation_comes_apart_from_the_next(tmp_path):
    run, store = tmp_path / "run", tmp_path / "store"
    write(stream(run), episodes(2))
    lines = text([annotation("t0", ship(1, 0.5)), annotation("t1", ship(1, -0.5))]).replace(b'": ', b'":')
    write(said(run), []).write_bytes(lines[:-30] + lines)
    done = synthetic.capture(run, into=store)
    assert (done.captured, done.quarantined) == (5, 1)
    assert facts(store)["t1/0"]["advantage"] == -0.5


def test_an_evaluation_says_so_itself(tmp_path):
    run, store = tmp_path / "run", tmp_path / "store"
    stamped = trace("t1", info={"kind": "eval", "dispatch": {"step": 7, "time": 1.0}})
    unstamped = {"run": {"type": "train", "id": "r0"}}
    write(stream(run), [*episodes(1), episode("e1", stamped, run={"type": "train"}), episode("e2", **unstamped)])
    synthetic.capture(run, into=store)
    held = rows(store).select("trace_id", "kind", "step").rows()
    assert held == [("t0", "train", 1), ("t1", "eval", 7), ("t-e2", "train", None)]
