"""Chat lines of anybody: read when no other format knows them, and nothing that they say lost."""

import json
from pathlib import Path
from typing import Any

import pytest

import synthetic
from synthetic.errors import UnreadableLog
from synthetic.formats import FORMATS
from synthetic.formats.find import find
from tests.episodes import episode, only, rows, write

ASKED = {"role": "user", "content": "What is 2 + 2?"}
SAID = {"role": "assistant", "content": "4"}
CALL = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 2, "b": 2}'}}
TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}, "strict": True}}

PLAIN = {"messages": [ASKED, SAID]}
FULL = {
    "id": "attempt-1",
    "messages": [
        {"role": "system", "content": "Use the tool."},
        ASKED,
        {"role": "assistant", "content": None, "reasoning_content": "I add.", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c1", "name": "add", "content": "4"},
        {"role": "assistant", "content": [{"type": "text", "text": "It is 4."}], "weight": 1},
    ],
    "tools": [TOOL],
    "reward": 0.75,
    "correct": True,
    "rewards": {"accuracy": 1, "format": 0.5},
    "answer": "4",
    "metadata": {"level": 3},
    "model": "solver-1b",
    "finish_reason": "stop",
    "usage": {"prompt_tokens": 12, "completion_tokens": 34},
    "problem_id": "sums-7",
    "note": {"kept": [1, 2]},
}


def captured(folder: Path, *lines: Any) -> Any:
    done = synthetic.capture(write(folder / "run" / "chats.jsonl", lines).parent, into=folder / "store")
    assert done.quarantined == 0, [Path(file).read_text("utf-8") for file in done.quarantine]
    assert done.formats == ["chat"]
    return rows(folder / "store")


def test_a_line_with_everything_fills_the_columns(tmp_path):
    row = only(captured(tmp_path, FULL))
    assert row["trace_id"] == f"attempt-1:{row['log_digest'][:12]}"
    assert {name: row[name] for name in ("framework", "kind", "run_name", "native_problem_id", "text_form")} == {
        "framework": "chat",
        "kind": "train",
        "run_name": "run",
        "native_problem_id": "sums-7",
        "text_form": "native",
    }
    assert [m["role"] for m in row["messages"]] == ["system", "user", "assistant", "tool", "assistant"]
    assert row["messages"][2]["reasoning_content"] == "I add."
    assert row["messages"][2]["tool_calls"] == [CALL]
    assert row["messages"][4]["content"] == "It is 4."
    assert (row["num_prompt_messages"], row["num_turns"]) == (2, 2)
    assert json.loads(row["tools"]) == [TOOL]
    assert (row["reward"], row["recorded_verdict"], row["ground_truth"]) == (0.75, True, "4")
    assert [(s["name"], s["score"]) for s in row["rewards"]] == [("accuracy", 1.0), ("format", 0.5)]
    assert (row["prompt_tokens"], row["completion_tokens"], row["is_truncated"]) == (12, 34, False)
    assert (row["model"], json.loads(row["metadata"])) == ("solver-1b", {"level": 3})


def test_what_has_no_column_is_in_extra_and_nothing_else_is(tmp_path):
    assert json.loads(only(captured(tmp_path, FULL))["extra"]) == {
        "id": "attempt-1",
        "messages": [{}, {}, {"content": None}, {}, {"content": [{"type": "text", "text": "It is 4."}], "weight": 1}],
        "rewards": {"accuracy": 1, "format": 0.5},
        "model": "solver-1b",
        "usage": {"prompt_tokens": 12, "completion_tokens": 34},
        "problem_id": "sums-7",
        "note": {"kept": [1, 2]},
    }


def test_paths_and_addresses_beside_the_messages_are_not_published(tmp_path):
    private = {"metadata": {"from": "/home/me/a.json", "level": 3}, "source": "/home/me/sums.jsonl"}
    row = only(captured(tmp_path, PLAIN | private))
    assert (json.loads(row["metadata"]), row["source"]) == ({"from": "[path]", "level": 3}, "sums.jsonl")
    assert json.loads(row["extra"]) == private


def test_a_line_may_hold_nothing_but_messages(tmp_path):
    row = only(captured(tmp_path, PLAIN))
    assert (row["reward"], row["rewards"], row["recorded_verdict"], row["is_truncated"]) == (None, None, None, None)
    assert json.loads(row["extra"]) == {}


def test_a_prompt_and_a_completion_of_messages_are_one_talk(tmp_path):
    shots = [{"role": "user", "content": "1 + 1?"}, {"role": "assistant", "content": "2"}, ASKED]
    row = only(captured(tmp_path, {"prompt": shots, "completion": [SAID]}))
    assert [m["content"] for m in row["messages"]] == ["1 + 1?", "2", "What is 2 + 2?", "4"]
    assert (row["num_prompt_messages"], row["num_turns"]) == (3, 1)


@pytest.mark.parametrize(
    ("line", "reward", "verdict"),
    [
        ({"reward": 1}, 1.0, None),
        ({"score": "0.5"}, 0.5, None),
        ({"reward": None, "correct": 0}, None, False),
        ({"reward": True}, 1.0, None),
        ({"is_correct": "True"}, None, True),
        ({"correct": "maybe"}, None, None),
        ({"correct": 0.5}, None, None),
        ({"correct": None, "is_correct": False}, None, False),
    ],
)
def test_a_reward_is_no_verdict_and_correct_is_one(line, reward, verdict, tmp_path):
    row = only(captured(tmp_path, PLAIN | line))
    assert (row["reward"], row["recorded_verdict"]) == (reward, verdict)
    kept = json.loads(row["extra"])
    for key, value in line.items():
        assert kept.get(key, value) == value


def test_lines_without_ids_stay_apart_and_lines_with_one_id_do_too(tmp_path):
    other = {"id": "p1", "messages": [ASKED, {"role": "assistant", "content": "five"}]}
    found = captured(tmp_path, PLAIN, PLAIN, PLAIN | {"id": "p1"}, other)
    assert found["trace_id"].n_unique() == 4
    assert found["problem_id"].n_unique() == 1


def test_one_record_twice_is_one_row(tmp_path):
    assert captured(tmp_path, FULL, FULL).height == 1


@pytest.mark.parametrize("line", [{"reward": "good"}, {"rewards": {"a": "well"}}, {"step": 2**40}], ids=json.dumps)
def test_a_bad_line_is_set_aside_and_the_others_are_taken(line, tmp_path):
    path = write(tmp_path / "run" / "chats.jsonl", [PLAIN, PLAIN | line, {"messages": [ASKED]}, PLAIN])
    done = synthetic.capture(path, into=tmp_path / "store")
    assert (done.captured, done.quarantined) == (2, 2)
    again = synthetic.capture(path, into=tmp_path / "store")
    assert (again.captured, again.quarantined, again.seen_before) == (0, 0, 4)


@pytest.mark.parametrize(
    "line",
    [
        episode("e1"),
        {"problem_id": "p", "task_type": "math", "reward": 1.0, "messages": [ASKED, SAID]},
        {"response_id": "r", "problem_id": "p", "score": 1.0, "messages": [ASKED, SAID]},
        {"example_id": 1, "prompt": [ASKED], "completion": [SAID], "reward": 1.0},
        {"id": 1, "prompt": [ASKED], "completion": [SAID], "task": "sums", "reward": 1.0},
        {"prompt": [ASKED], "completion": [SAID], "advantage": 0.5, "step": 1},
        {"id": "a", "epoch": 1, "input": "?", "target": "4", "messages": [ASKED, SAID]},
        {"tokens": [[1]], "masks": [[1]], "scores": [1.0], "messages": [[ASKED, SAID]]},
        {"prompt": "What?", "completion": "4"},
        {"messages": [ASKED]},
        {"messages": []},
        {"messages": "text"},
        {"messages": [{"content": "no role"}]},
        {},
    ],
    ids=lambda line: json.dumps(line)[:60],
)
def test_lines_of_other_formats_are_not_taken(line):
    assert not FORMATS["chat"].recognises(json.dumps(line).encode())


def test_a_file_that_another_format_knows_is_that_ones(tmp_path):
    write(tmp_path / "run" / "traces.jsonl", [episode("e1")])
    write(tmp_path / "run" / "chats.jsonl", [PLAIN])
    kinds = {source.path.name: source.format.name for source in find(tmp_path / "run").sources}
    assert kinds == {"traces.jsonl": "vf-eval", "chats.jsonl": "chat"}


def test_a_file_named_by_hand_may_have_any_name(tmp_path):
    path = tmp_path / "talks.txt"
    path.write_text(json.dumps(PLAIN) + "\n", "utf-8")
    assert synthetic.capture(path, into=tmp_path / "store").captured == 1


def test_prompts_alone_are_no_log(tmp_path):
    write(tmp_path / "run" / "prompts.jsonl", [{"messages": [ASKED]}])
    with pytest.raises(UnreadableLog, match="their keys are messages"):
        synthetic.capture(tmp_path / "run", into=tmp_path / "store")
