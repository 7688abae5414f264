"""The Parquet files of prime-rl's first year, written by hand: that prime-rl is in no registry."""

import json
from typing import Any

import synthetic
from tests.episodes import rows
from tests.test_prime_rl_old import capture, tabled, taken


def attempt(**more: Any) -> dict[str, Any]:
    return {
        "input_tokens": [1, 2],
        "output_tokens": [3, 4, 5],
        "input_logprobs": [0.0, 0.0],
        "output_logprobs": [-0.5, -0.25, 0.0],
        "prompt": "What is 2 + 2?",
        "problem_id": "math-7",
        "completion": "<think>two</think>4",
        "advantages": 0.5,
        "rewards": 0.75,
        "task_rewards": 1.0,
        "length_penalties": 0.25,
        "proofs": b"\xff\x00",
        "step": 3,
        "target_lengths": 1000,
        "task_type": "verifiable_math",
        "seed": None,
        "temperature": 0.5,
    } | more


def test_rows_of_2025_are_attempts_with_their_task_reward(tmp_path):
    run = tmp_path / "run"
    tabled(run / "step_5" / "0c5d.parquet", [attempt(), attempt(task_rewards=0.0, rewards=-0.25, advantages=-0.5)])
    tabled(run / "step_10" / "1b7e.parquet", [attempt(step=8)])
    done = capture(run, tmp_path / "store")
    assert (done.captured, done.formats, done.token_rows) == (3, ["zeroband"], 0)
    frame = rows(tmp_path / "store")
    assert taken(frame, "step", "policy_start", "policy_end", "reward", "advantage") == [
        (5, 3, 3, 0.75, 0.5),
        (5, 3, 3, -0.25, -0.5),
        (10, 8, 8, 0.75, 0.5),
    ]
    row = frame.row(0, named=True)
    assert [(m["role"], m["content"]) for m in row["messages"]] == [
        ("user", "What is 2 + 2?"),
        ("assistant", "<think>two</think>4"),
    ]
    assert row["rewards"] == [{"name": "task_reward", "score": 1.0, "weight": None}]
    assert json.loads(row["metrics"]) == {"length_penalty": 0.25, "target_length": 1000}
    assert json.loads(row["sampling"]) == {"temperature": 0.5}
    assert (row["task_type"], row["native_problem_id"], row["log_offset"]) == ("verifiable_math", "math-7", 0)
    assert json.loads(row["extra"]) == {"proofs": "/wA=", "seed": None}


def test_rows_without_text_have_no_messages_and_their_ids_are_in_the_side_table(tmp_path):
    plain = {
        k: v for k, v in attempt().items() if k not in {"prompt", "completion", "problem_id", "step", "proofs", "seed"}
    }
    tabled(tmp_path / "run" / "step_0" / "a.parquet", [plain, plain | {"output_logprobs": None}])
    done = capture(tmp_path / "run", tmp_path / "store")
    assert (done.rows, done.token_rows) == (2, 2)
    frame = rows(tmp_path / "store")
    assert taken(frame, "messages", "text_form", "num_turns", "text_key") == [([], None, 0, None)] * 2
    first, second = synthetic.tokens(tmp_path / "store").collect().to_dicts()
    assert first["row_id"] == frame["row_id"][0]
    assert (first["token_ids"], first["mask"]) == ([[1, 2], [3, 4, 5]], [[False] * 2, [True] * 3])
    assert (first["logprobs"], second["logprobs"]) == ([[], [-0.5, -0.25, 0.0]], None)
    assert not any(name in str(frame["extra"].to_list()) for name in ("input_tokens", "output_logprobs"))


def test_a_table_that_is_cut_is_refused(tmp_path):
    run = tmp_path / "run"
    path = tabled(run / "step_5" / "0c5d.parquet", [attempt()])
    tabled(run / "step_6" / "1b7e.parquet", [attempt()])
    path.write_bytes(path.read_bytes()[:-40])
    done = synthetic.capture(run, into=tmp_path / "store")
    assert (done.captured, len(done.refused)) == (1, 1)
