"""What single episodes become: forks, sub-agents, failures, scores, and values that JSON has no word for."""

import json
from typing import Any

import pytest

import synthetic
from synthetic.record import record
from tests.episodes import QUESTION, captured, episode, node, only, rows, task, trace, write


def test_an_episode_becomes_a_row(tmp_path):
    row = only(captured(tmp_path, episode("e", trace("t", "<think>two and two</think>4"))))
    assert (row["row_id"], row["episode_id"], row["group_id"], row["kind"]) == ("t/0", "e", "g0", "train")
    assert (row["env_id"], row["env_name"], row["agent"], row["trainable"]) == ("sums", "sums-train", "solver", True)
    assert (row["step"], row["policy_start"], row["policy_end"], row["run_id"]) == (1, 0, 0, "r0")
    assert (row["ground_truth"], row["native_problem_id"], row["verification_info"]) == ("4", "k0", '{"answer":"4"}')
    assert [message["role"] for message in row["messages"]] == ["user", "assistant"]
    assert (row["num_prompt_messages"], row["num_turns"], row["reward"]) == (1, 1, 1.0)
    assert (row["model"], row["sampling"], row["finish_reason"]) == ("reasoner-1b", '{"temperature":1.0}', "stop")
    assert (row["prompt_tokens"], row["completion_tokens"], row["is_truncated"]) == (10, 5, False)
    assert (row["generated_at"].isoformat(), row["log_offset"]) == ("2026-11-23T10:33:20+00:00", 0)


# ---- graphs


def test_every_leaf_is_a_row_and_a_shared_beginning_is_in_each(tmp_path):
    nodes = [
        node("system", "Be brief."),
        node("user", QUESTION, parent=0),
        node("assistant", "5", parent=1),
        node("user", "Sure?", parent=2),
        node("assistant", "4", parent=3),
        node("assistant", "four", parent=1),
    ]
    frame = captured(tmp_path, episode("e", trace("t", nodes=nodes)))
    said = [[message["content"] for message in messages] for messages in frame["messages"]]
    assert said == [["Be brief.", QUESTION, "5", "Sure?", "4"], ["Be brief.", QUESTION, "four"]]
    assert frame["row_id"].to_list() == ["t/0", "t/1"]
    assert frame["num_turns"].to_list() == [2, 1]
    assert frame["num_prompt_messages"].to_list() == [2, 2]
    assert frame["completion_tokens"].to_list() == [10, 5]
    assert frame["problem_id"].n_unique() == 1
    assert [extra is None for extra in frame["extra"]] == [False, True]


def test_a_branch_ends_as_its_own_last_call_ended(tmp_path):
    nodes = [node("user", QUESTION), node("assistant", "4", parent=0), node("assistant", "It is", parent=0)]
    forked = trace("t", nodes=nodes)
    forked["calls"][1]["finish_reason"] = "length"
    frame = captured(tmp_path, episode("e", forked))
    assert frame["finish_reason"].to_list() == ["stop", "length"]
    assert frame["is_truncated"].to_list() == [False, True]


def test_a_sub_agent_with_a_task_of_its_own_is_at_a_problem_of_its_own(tmp_path):
    helper = trace("helper", task=task("Look up 2.", "two"), agent={"name": "helper", "trainable": False})
    frame = captured(tmp_path, episode("e", trace("solver", task=task()), helper))
    solver, helper_row = frame.rows(named=True)
    assert (solver["ground_truth"], helper_row["ground_truth"]) == ("4", "two")
    assert (helper_row["agent"], helper_row["trainable"]) == ("helper", False)
    assert solver["problem_id"] != helper_row["problem_id"]
    alone = captured(tmp_path / "alone", episode("e2", trace("other", task=task())))
    assert only(alone)["problem_id"] == solver["problem_id"]


def test_an_assistant_message_of_the_prompt_is_not_a_turn(tmp_path):
    nodes = [
        node("user", "Hi"),
        node("assistant", "Hello", parent=0, sampled=False),
        node("user", QUESTION, parent=1),
        node("assistant", "4", parent=2),
    ]
    row = only(captured(tmp_path, episode("e", trace("t", nodes=nodes))))
    assert (row["num_prompt_messages"], row["num_turns"]) == (3, 1)
    assert row["text_key"] == only(captured(tmp_path / "b", episode("e", trace("t", "4"))))["text_key"]


def test_thinking_inline_or_apart_is_the_same_text(tmp_path):
    apart = [node("user", QUESTION), node("assistant", "4", parent=0, reasoning_content="two and two")]
    lines = [episode("a", trace("a", "<think>two and two</think>4")), episode("b", trace("b", nodes=apart))]
    first, second = captured(tmp_path, *lines).rows(named=True)
    assert first["text_key"] == second["text_key"] is not None
    assert first["content_hash"] != second["content_hash"]


# ---- tools


def test_tools_and_calls_take_the_nested_form(tmp_path):
    call = {"id": "c1", "type": "function", "name": "add", "arguments": '{"a": 2}'}
    nodes = [
        node("user", QUESTION),
        node("assistant", parent=0, tool_calls=[call]),
        node("tool", "4", parent=1, tool_call_id="c1", name="add"),
        node("assistant", "4", parent=2),
    ]
    tool = {"type": "function", "name": "add", "description": "Adds.", "parameters": {"type": "object"}}
    row = only(captured(tmp_path, episode("e", trace("t", nodes=nodes, tools=[tool]))))
    made = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 2}'}}
    assert row["messages"][1]["tool_calls"] == [made]
    assert (row["messages"][2]["tool_call_id"], row["messages"][2]["name"]) == ("c1", "add")
    nested = {"name": "add", "description": "Adds.", "parameters": {"type": "object"}}
    assert json.loads(row["tools"]) == [{"type": "function", "function": nested}]


def test_content_in_parts_becomes_text_and_stays_whole_in_extra(tmp_path):
    parts = [
        {"type": "text", "text": "What is"},
        {"type": "image_url", "image_url": {"url": "data:,"}},
        {"type": "text", "text": "this?"},
    ]
    nodes = [node("user") | {"message": {"role": "user", "content": parts}}, node("assistant", "A dot.", parent=0)]
    row = only(captured(tmp_path, episode("e", trace("t", nodes=nodes))))
    assert row["messages"][0]["content"] == "What is\nthis?"
    assert json.loads(row["extra"])["traces"][0]["nodes"][0]["message"]["content"] == parts


# ---- failures


def test_an_episode_that_failed_after_good_traces_makes_their_rows_not_ok(tmp_path):
    error = {"type": "TaskError", "message": "the judge is gone"}
    row = only(captured(tmp_path, episode("e", trace("t"), ok=False, errors=[error])))
    assert row["ok"] is False
    assert json.loads(row["errors"]) == [error | {"status_code": None}]


def test_the_failure_of_one_trace_does_not_fail_the_others(tmp_path):
    error = {"type": "ProviderError", "message": "overloaded", "status_code": 503}
    bad = trace("bad", ok=False, stop_condition="provider_error", errors=[error])
    frame = captured(tmp_path, episode("e", trace("good"), bad, ok=False, errors=[error]))
    assert dict(zip(frame["trace_id"], frame["ok"], strict=True)) == {"good": True, "bad": False}


def test_an_episode_that_failed_before_any_trace_is_a_row(tmp_path):
    error = {"type": "EmptyEpisode", "message": "no trace"}
    frame = captured(tmp_path, episode("good"), episode("e", ok=False, errors=[error], traces=[]))
    good, failed = frame.rows(named=True)
    assert (failed["row_id"], failed["trace_id"], failed["ok"], failed["messages"]) == ("e/0", "e", False, [])
    assert (failed["text_key"], failed["reward"], failed["num_turns"]) == (None, None, 0)
    assert failed["problem_id"] == good["problem_id"]


@pytest.mark.parametrize("stop", ["error", "provider_error", "harness_error", "sandbox_error", "agent_completed"])
def test_ok_decides_and_not_the_stop_condition(tmp_path, stop):
    row = only(captured(tmp_path, episode("e", trace("t", stop_condition=stop, ok=False))))
    assert (row["stop_condition"], row["ok"], row["is_truncated"]) == (stop, False, False)


@pytest.mark.parametrize(
    "stop",
    ["max_turns", "max_input_tokens", "max_output_tokens", "max_total_tokens", "compaction_failed", "context_length"],
)
def test_a_limit_truncates(tmp_path, stop):
    row = only(captured(tmp_path, episode("e", trace("t", stop_condition=stop))))
    assert (row["is_truncated"], row["ok"]) == (True, True)


# ---- scores


@pytest.mark.parametrize(
    ("rewards", "total", "scorers"),
    [
        ({"a": {"score": 0.5, "weight": 2.0}, "b": {"score": 1.0, "weight": -0.2}}, 0.8, [(0.5, 2.0), (1.0, -0.2)]),
        ({"a": None}, None, [(None, None)]),
        ({"a": {"score": 1.0, "weight": 1.0}, "b": None}, None, [(1.0, 1.0), (None, None)]),
        ({"a": {"score": None, "weight": 1.0}}, None, [(None, 1.0)]),
        ({"a": 0.2}, 0.2, [(0.2, 1.0)]),  # 0.2 wrote weighted numbers
        ({"a": 1, "b": 0.0}, 1.0, [(1.0, 1.0), (0.0, 1.0)]),
        ({"a": {"score": True, "weight": 1}}, 1.0, [(1.0, 1.0)]),
        ({}, None, None),
    ],
)
def test_scores_become_a_reward(tmp_path, rewards, total, scorers):
    row = only(captured(tmp_path, episode("e", trace("t", rewards=rewards))))
    assert row["reward"] == (None if total is None else pytest.approx(total))
    assert (row["rewards"] and [(scorer["score"], scorer["weight"]) for scorer in row["rewards"]]) == scorers


# ---- values that JSON has no word for


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_a_number_that_is_none_becomes_null_and_is_kept_in_words(tmp_path, literal):
    line = json.dumps(episode("e")).replace('"score": 1.0', f'"score": {literal}')
    write(tmp_path / "run" / "traces.jsonl", [line])
    done = synthetic.capture(tmp_path / "run", into=tmp_path / "store")
    assert (done.captured, done.quarantined, done.repaired) == (1, 0, 1)
    row = only(rows(tmp_path / "store"))
    assert row["reward"] is None
    gone = json.loads(row["extra"])["synthetic:repaired"]
    assert gone == {"/traces/0/rewards/correct/score": literal}


def test_half_a_surrogate_pair_becomes_a_replacement_character(tmp_path):
    line = json.dumps(episode("e", trace("t", "a HALF b", "a WHOLE b", info={"a/b~HALF": 1})))
    line = line.replace("HALF", "\\ud83d").replace("WHOLE", "\\ud83d\\ude00")
    write(tmp_path / "run" / "traces.jsonl", [line])
    done = synthetic.capture(tmp_path / "run", into=tmp_path / "store")
    assert (done.captured, done.repaired) == (1, 1)
    row = only(rows(tmp_path / "store"))
    assert [message["content"] for message in row["messages"][1:]] == ["a \ufffd b", "a 😀 b"]
    assert "/traces/0/nodes/1/message/content" in json.loads(row["extra"])["synthetic:repaired"]


def test_odd_but_whole_text_stays_as_it_is(tmp_path):
    odd = "a\u0000b\u2028c\u0085d\u202ee\x1b[31mf\u200bg\U0001f600"
    row = only(captured(tmp_path, episode("e", trace("t", odd))))
    assert row["messages"][1]["content"] == odd


# ---- what is private stays private

CANARY = "canary7"
PRIVATE: dict[str, Any] = {
    "agent": {
        "name": "solver",
        "trainable": True,
        "config": {
            "harness": {"id": CANARY, "env": {"KEY": CANARY}},
            "client": {"base_url": f"http://{CANARY}:8000/v1", "api_key_var": CANARY, "headers": {"x": CANARY}},
            "model": f"/home/{CANARY}/models/reasoner-1b",
            "sampling": {"temperature": 1.0, "extra_body": {"key": CANARY}, "logit_bias": {CANARY: 1}},
            "runtime": {"id": CANARY},
        },
        "runtime": {"type": "docker", "id": CANARY},
    },
    "errors": [
        {
            "type": "ProviderError",
            "message": f"http://{CANARY}.internal:8000/v1 said no; see /home/{CANARY}/log.txt, C:\\Users\\{CANARY}\\x, "
            f"~/{CANARY}/y, HTTPConnectionPool(host='{CANARY}', port=8000), {CANARY}:9000, 10.0.0.7:443",
            "status_code": 500,
            "traceback": f'File "/opt/{CANARY}.py", line 3',
        }
    ],
    "info": {"host": CANARY},
    "timing": {"start": 1795430000.0, "note": CANARY},
    "request_rewrites": [{"handler": CANARY}],
}


def test_nothing_private_is_in_a_column_that_is_published(tmp_path):
    private = trace("t", ok=False, **PRIVATE)
    for call in private["calls"]:
        call |= {"endpoint": f"http://{CANARY}", "model": f"/mnt/{CANARY}/reasoner-1b", "sampling": {"user": CANARY}}
    private["nodes"][1]["message"]["provider_state"] = [{"blob": CANARY}]
    its_task = task(workdir=f"/home/{CANARY}", agent_user=CANARY, image=f"{CANARY}/image", network_allow=[CANARY])
    failed = episode("f", traces=[], ok=False, errors=PRIVATE["errors"], task=its_task)
    frame = captured(tmp_path, episode("e", private, task=its_task, host=CANARY), failed)
    public = [column.name for column in record().columns if column.publish]
    for row in frame.select(public).rows(named=True):
        assert [name for name, value in row.items() if CANARY in str(value) or "10.0.0.7" in str(value)] == []
        (error,) = json.loads(row["errors"])
        assert (error["type"], error["status_code"]) == ("ProviderError", 500)
        assert error["message"].startswith("[address] said no; see [path]")
        assert set(error) == {"type", "message", "status_code"}
    assert frame["model"].to_list() == ["reasoner-1b", None]
    assert CANARY in frame["extra"][0]
    assert CANARY in frame["extra"][1]
