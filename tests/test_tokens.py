"""The side table of tokens holds what the log has, number for number, and facts never do."""

import json
from pathlib import Path

import polars as pl
import pytest

import synthetic
from synthetic.cli import main
from synthetic.formats.episode import TOKENS
from synthetic.formats.verifiers import paths
from tests.episodes import episode, node, trace, write

LOGS = Path(__file__).parent / "logs"
SAMPLES = Path(__file__).parent.parent.parent / "shared" / "samples"


def with_tokens(id, *nodes, **more):
    return episode(f"e-{id}", trace(id, nodes=list(nodes)), **more)


ASKED = {"token_ids": [5, 6, 7], "mask": [False] * 3, "is_content": [False, True, True], "logprobs": []}
WROTE = {"token_ids": [8, 9], "mask": [True, False], "is_content": [True, True], "logprobs": [-0.1234567890123456]}


@pytest.fixture
def run(tmp_path):
    nodes = [node("user", "q") | ASKED, node("assistant", "a", parent=0) | WROTE]
    other = [*nodes, node("assistant", "b", parent=0) | WROTE | {"token_ids": [2**40, 1]}]
    lines = [with_tokens("t1", *nodes), with_tokens("t2", *other), with_tokens("t3", node("user", "q"))]
    write(tmp_path / "run" / "traces.jsonl", lines)
    return tmp_path / "run"


def test_each_branch_has_its_arrays_message_by_message(run, tmp_path):
    done = synthetic.capture(run, into=tmp_path / "store", tokens=True)
    assert (done.rows, done.token_rows) == (4, 3)
    first, second, third = synthetic.tokens(tmp_path / "store").collect().to_dicts()
    assert first["row_id"] == "t1/0"
    assert first["token_ids"] == [[5, 6, 7], [8, 9]]
    assert first["mask"] == [[False] * 3, [True, False]]
    assert first["logprobs"] == [[], [-0.1234567890123456]]
    assert (first["advantages"], first["other"]) == (None, None)
    assert (second["row_id"], second["token_ids"]) == ("t2/0", [[5, 6, 7], [8, 9]])
    assert third["token_ids"] is None, "an id beyond 32 bits is kept as JSON"
    assert json.loads(third["other"]) == {"token_ids": [[5, 6, 7], [2**40, 1]]}


def test_tokens_can_be_captured_later_and_only_once(run, tmp_path):
    store = tmp_path / "store"
    assert synthetic.capture(run, into=store).token_rows == 0
    assert synthetic.tokens(store).collect().is_empty()
    facts = synthetic.scan(store).collect()
    later = synthetic.capture(run, into=store, tokens=True)
    assert (later.captured, later.seen_before, later.rows, later.token_rows) == (0, 3, 0, 3)
    again = synthetic.capture(run, into=store, tokens=True)
    assert (again.seen_before, again.token_rows) == (3, 0)
    assert synthetic.scan(store).collect().equals(facts)
    assert synthetic.check(store).problems == []


def test_facts_are_the_same_with_and_without_tokens(run, tmp_path):
    synthetic.capture(run, into=tmp_path / "with", tokens=True)
    synthetic.capture(run, into=tmp_path / "without")
    with_, without = (synthetic.scan(tmp_path / name).collect() for name in ("with", "without"))
    assert with_.equals(without)
    assert not any(name in json.dumps(with_["extra"].to_list()) for name in ("token_ids", "logprobs"))


def test_a_bad_line_is_set_aside_once(run, tmp_path):
    with (run / "traces.jsonl").open("a") as log:
        log.write('{"id": "bad", "traces": [{"id": "t", "nodes": 3}]}\n')
    done = synthetic.capture(run, into=tmp_path / "store", tokens=True)
    assert (done.seen, done.captured, done.quarantined, len(done.quarantine), done.token_rows) == (4, 3, 1, 1, 3)
    assert synthetic.check(tmp_path / "store").problems == []


def test_what_shipping_adds_is_folded_into_the_row(tmp_path):
    run = tmp_path / "run"
    nodes = [node("user", "q") | ASKED, node("assistant", "a", parent=0) | WROTE]
    shipped = [nodes[0] | {"advantages": []}, nodes[1] | {"advantages": [0.5]}]
    write(run / "rollouts/step_1/train/all/traces.jsonl", [with_tokens("t1", *nodes), with_tokens("t2", *nodes)])
    write(run / "rollouts/step_2/train/effective/traces.jsonl", [with_tokens("t1", *shipped)])
    synthetic.capture(run, into=tmp_path / "store", tokens=True)
    rows = {row["row_id"]: row for row in synthetic.tokens(tmp_path / "store").collect().to_dicts()}
    assert {name: row["advantages"] for name, row in rows.items()} == {"t1/0": [[], [0.5]], "t2/0": None}
    assert rows["t1/0"]["token_ids"] == [[5, 6, 7], [8, 9]]


def test_the_command_line_takes_them(run, tmp_path, capsys):
    assert main(["capture", str(run), "--into", str(tmp_path / "store"), "--tokens"]) == 0
    assert "4 new rows, 0 late facts, tokens of 3 rows" in capsys.readouterr().out


def arrays(line):
    """Every array of a line by row_id, read from its JSON: a list of arrays, one per message."""
    for one in line.get("traces", [line]):
        for branch, path in enumerate(paths(one["nodes"])):
            on_path = [one["nodes"][i] for i in path]
            found = {name: [each.get(name) for each in on_path] for name in TOKENS}
            yield f"{one['id']}/{branch}", {name: lists for name, lists in found.items() if any(lists)}


def rollouts():
    tops = [top for top in (LOGS, SAMPLES) if top.is_dir()]
    found = sorted({path for top in tops for path in top.glob("**/traces.jsonl") if "effective" not in path.parts})
    return [path for path in found if b'"token_ids"' in path.read_bytes()]


@pytest.mark.parametrize(
    "path", rollouts(), ids=lambda path: path.relative_to(LOGS if LOGS in path.parents else SAMPLES).parent.as_posix()
)
def test_every_array_of_a_real_log_can_be_made_again(path, tmp_path):
    lines = [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]
    wanted = {name: found for line in lines for name, found in arrays(line) if found}
    synthetic.capture(path, into=tmp_path / "store", tokens=True)
    rows = synthetic.tokens(tmp_path / "store").select(pl.exclude("log_file", "log_offset")).collect()
    held = {}
    for row in rows.to_dicts():
        name, other = row.pop("row_id"), row.pop("other")
        held[name] = {key: value for key, value in row.items() if value is not None} | json.loads(other or "{}")
    assert held == wanted
