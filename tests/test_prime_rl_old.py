"""What prime-rl wrote before layout B, each generation of it.

Traces are verifiers' own, from the fixtures; prime-rl, which is in no registry, has its stamps and tables put in by
hand as its writers of that time did.
"""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import synthetic
from tests.episodes import log, rows, write
from tests.rebuild import rebuilt, without_tokens

LOGS = Path(__file__).parent / "logs"
SAMPLES = Path(__file__).parent.parent.parent / "shared" / "samples"
TRACES = [json.loads(line) for line in (LOGS / "vf_eval_0_2_0" / "traces.jsonl").read_bytes().split(b"\n") if line]
LEGACY = sorted((SAMPLES / "vf_eval_legacy_0.1.14").rglob("results.jsonl"))

ROLLOUT: dict[str, Any] = {
    "example_id": 7,
    "task": "sums",
    "prompt": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is 2 + 2?"}],
    "completion": [{"role": "assistant", "content": "<think>two</think>4", "tool_calls": None}],
    "answer": "4",
    "info": {"level": 1},
    "reward": 1.0,
    "error": None,
    "timing": {"start_time": 1795430000.0},
    "is_completed": True,
    "is_truncated": False,
    "stop_condition": "max_turns_reached",
    "metrics": {"correct": 1.0, "num_turns": 1.0},
    "tool_defs": [],
    "token_usage": {"input_tokens": 12.0, "output_tokens": 9.0, "final_input_tokens": 12, "final_output_tokens": 9},
    "env_name": "sums-train",
}

JUNE = {
    "group_id": "8a9e0f3c-0000-4000-8000-000000000001",
    "policy_version": 3,
    "off_policy_steps": 1,
    "rollout_id": "8a9e0f3c-0000-4000-8000-0000000000aa",
    "advantage": 0.5,
    "is_filtered": False,
    "filters": {"gibberish": False},
}


def capture(run: Path, store: Path):
    """Capture twice; the second adds nothing."""
    done = synthetic.capture(run, into=store, tokens=True)
    again = synthetic.capture(run, into=store, tokens=True)
    assert (again.captured, again.quarantined, again.seen_before) == (0, 0, done.seen)
    assert synthetic.check(store).problems == []
    return done


def taken(frame, *names: str) -> list[tuple[Any, ...]]:
    return list(frame.select(names).iter_rows())


# ---- April to 8 July 2026: a file for each step


def spring(run: Path, step: int, name: str) -> Path:
    return run / "rollouts" / f"step_{step}" / f"{name}.jsonl"


def test_rollouts_of_april_are_rows_of_their_step_and_example(tmp_path):
    run = tmp_path / "run"
    write(spring(run, 4, "train_rollouts"), [ROLLOUT, ROLLOUT | {"reward": 0.0}, ROLLOUT | {"example_id": 8}])
    write(spring(run, 4, "eval_rollouts"), [ROLLOUT | {"env_name": "sums-eval"}])
    done = capture(run, tmp_path / "store")
    frame = rows(tmp_path / "store")
    assert (done.captured, done.formats) == (4, ["prime-rl-rollouts"])
    assert taken(frame, "kind", "step", "env_name", "native_problem_id", "group_id") == [
        ("eval", 4, "sums-eval", "7", None),
        *[("train", 4, "sums-train", "7", "4/sums-train/7")] * 2,
        ("train", 4, "sums-train", "8", "4/sums-train/8"),
    ]
    assert frame["trace_id"].n_unique() == 4
    row = frame.row(1, named=True)
    assert [m["role"] for m in row["messages"]] == ["system", "user", "assistant"]
    assert (row["num_prompt_messages"], row["num_turns"], row["text_form"]) == (2, 1, "native")
    assert (row["ground_truth"], row["reward"], row["framework"]) == ("4", 1.0, "prime-rl")
    assert row["rewards"] == [{"name": "correct", "score": 1.0, "weight": None}]
    assert (row["prompt_tokens"], row["completion_tokens"]) == (12, 9)
    assert (row["trained_on"], row["advantage"]) == (None, None), "the log does not say what was shipped"


def test_rollouts_of_june_say_their_group_policy_and_advantage(tmp_path):
    run = tmp_path / "run"
    filtered = {"rollout_id": "r2", "is_filtered": True, "advantage": 0.0}
    failed = {"rollout_id": "r3", "error": {"error": "Timeout", "error_chain_str": "Timeout"}, "advantage": None}
    write(spring(run, 9, "train_rollouts"), [ROLLOUT | JUNE, ROLLOUT | JUNE | filtered, ROLLOUT | JUNE | failed])
    write(
        spring(run, 8, "eval_rollouts_math-500"),
        [ROLLOUT | JUNE | {"rollout_id": "e", "eval_step": 8, "env_name": "m"}],
    )
    capture(run, tmp_path / "store")
    frame = rows(tmp_path / "store")
    late = ("trace_id", "trained_on", "ship_step", "advantage")
    assert taken(frame, *late) == [
        ("e", None, None, 0.5),
        (JUNE["rollout_id"], True, 9, 0.5),
        ("r2", None, None, 0.0),
        ("r3", None, None, None),
    ]
    assert taken(frame, "kind", "step", "policy_start", "env_name")[:2] == [
        ("eval", 8, 3, "m"),
        ("train", 9, 3, "sums-train"),
    ]
    assert set(frame["group_id"]) == {JUNE["group_id"]}
    assert frame["ok"].to_list() == [True, True, True, False]
    extra = json.loads(frame["extra"][1])
    assert {key: extra[key] for key in ("off_policy_steps", "is_filtered", "filters")} == {
        "off_policy_steps": 1,
        "is_filtered": False,
        "filters": {"gibberish": False},
    }


def test_the_trajectory_is_kept_and_its_token_arrays_in_the_side_table(tmp_path):
    step = {"prompt": ROLLOUT["prompt"], "completion": ROLLOUT["completion"], "reward": 1.0, "advantage": 0.5}
    answered = {
        "model": "m-1b",
        "usage": {"prompt_tokens": 30},
        "message": {"finish_reason": "stop", "tokens": {"ids": [1]}},
    }
    tokens = {"prompt_ids": [1, 2], "completion_ids": [3], "completion_logprobs": [-0.5]}
    line = ROLLOUT | {"trajectory": [step | {"tokens": tokens, "response": answered}]}
    write(spring(tmp_path / "run", 1, "train_rollouts"), [line])
    capture(tmp_path / "run", tmp_path / "store")
    (row,) = rows(tmp_path / "store").to_dicts()
    assert (row["model"], row["finish_reason"], row["prompt_tokens"]) == ("m-1b", "stop", 30)
    kept = answered | {"message": {"finish_reason": "stop"}}
    assert json.loads(row["extra"])["trajectory"] == [step | {"response": kept}]
    (arrays,) = synthetic.tokens(tmp_path / "store").collect().to_dicts()
    assert (arrays["row_id"], json.loads(arrays["other"])) == (row["row_id"], {"trajectory": [tokens]})


@pytest.mark.parametrize(
    "bad",
    [
        {"completion": 3},
        {"completion": ["x"]},
        {"reward": "good"},
        {"prompt": [{"content": "no role"}]},
    ],
    ids=str,
)
def test_a_bad_rollout_is_set_aside(tmp_path, bad):
    write(spring(tmp_path / "run", 1, "train_rollouts"), [ROLLOUT, ROLLOUT | bad])
    done = capture(tmp_path / "run", tmp_path / "store")
    assert (done.captured, done.quarantined) == (1, 1)


@pytest.mark.skipif(not LEGACY, reason="the larger samples are not here")
def test_lines_that_0_1_14_wrote_are_read_as_rollouts_of_a_step(tmp_path):
    lines = [json.loads(line) for path in LEGACY for line in path.read_bytes().split(b"\n") if line]
    write(spring(tmp_path / "run", 1, "train_rollouts"), lines)
    capture(tmp_path / "run", tmp_path / "store")
    frame = rows(tmp_path / "store")
    assert frame["reward"].to_list() == [line["reward"] for line in lines]
    for row, line in zip(frame.to_dicts(), lines, strict=True):
        said = [*line["prompt"], *line["completion"]]
        assert [(m["role"], m["content"]) for m in row["messages"]] == [(m["role"], m["content"]) for m in said]
        known = set(json.loads(row["extra"])) | {"example_id", "prompt", "completion", "answer", "info", "reward"}
        known |= {"metrics", "stop_condition", "is_truncated", "tool_defs", *line["metrics"]}
        assert set(line) <= known


# ---- June to 14 August 2026: a Trace per line

STAMPS = {"kind": "train", "env_name": "puzzles-train", "group_id": "g1", "policy_version": 4, "eval_step": None}


def test_traces_of_late_june_say_nothing_but_themselves(tmp_path):
    run = tmp_path / "run"
    write(spring(run, 3, "train_rollouts"), TRACES[:2])
    write(spring(run, 3, "eval_rollouts_puzzles"), TRACES[2:3])
    capture(run, tmp_path / "store")
    assert taken(rows(tmp_path / "store"), "trace_id", "kind", "step", "env_name", "reward") == [
        (TRACES[2]["id"], "eval", 3, "puzzles", pytest.approx(sum(TRACES[2]["rewards"].values()))),
        *[(t["id"], "train", 3, None, pytest.approx(sum(t["rewards"].values()))) for t in TRACES[:2]],
    ]


def stamped(trace: dict[str, Any], generation: str) -> dict[str, Any]:
    """A trace as prime-rl stamped it from 9 July, and from 17 July."""
    if generation == "beside info":
        return trace | STAMPS
    info = {key: STAMPS[key] for key in ("env_name", "group_id", "policy_version")}
    return trace | {"info": trace["info"] | info, "run": {"type": "train", "id": "r7", "step": 6}}


@pytest.mark.parametrize(("generation", "step"), [("beside info", 5), ("in info", 6)])
def test_traces_of_july_say_their_group_policy_and_step(tmp_path, generation, step):
    run, store = tmp_path / "run", tmp_path / "store"
    lines = [stamped(trace, generation) for trace in TRACES]
    write(log(run, 5), lines)
    advantage = lines[0] | {"info": lines[0]["info"] | {"advantage": 0.25}}
    write(log(run, 7, which="effective"), [advantage])
    done = capture(run, store)
    assert (done.captured, done.formats) == (len(TRACES) + 1, ["prime-rl"])
    frame = rows(store)
    columns = ("kind", "step", "env_name", "group_id", "policy_start", "episode_id")
    assert set(taken(frame, *columns)) == {("train", step, "puzzles-train", "g1", 4, None)}
    assert taken(frame, "trained_on", "ship_step", "advantage")[:2] == [(True, 7, 0.25), (None, None, None)]
    for row, line in zip(frame.to_dicts(), lines, strict=True):
        made = rebuilt([row])
        assert made | {k: v for k, v in STAMPS.items() if k in line} == without_tokens(line) | {
            key: made[key] for key in ("info", "run") if key in made
        }
        assert {**made.get("info", {}), **{k: STAMPS[k] for k in STAMPS if k in line["info"]}} == line["info"]


@pytest.mark.parametrize("generation", ["beside info", "in info"])
def test_traces_of_july_that_were_copied_out_of_their_run_are_still_for_training(tmp_path, generation):
    write(tmp_path / "copied" / "traces.jsonl", [stamped(TRACES[0], generation)])
    capture(tmp_path / "copied", tmp_path / "store")
    columns = ("framework", "framework_version", "kind", "env_name", "group_id", "policy_start")
    assert taken(rows(tmp_path / "store"), *columns) == [("prime-rl", None, "train", "puzzles-train", "g1", 4)]


def test_an_evaluation_of_july_is_of_the_step_that_asked_for_it(tmp_path):
    line = TRACES[0] | STAMPS | {"kind": "eval", "eval_step": 8}
    write(log(tmp_path / "run", 9, "eval"), [line])
    capture(tmp_path / "run", tmp_path / "store")
    assert taken(rows(tmp_path / "store"), "kind", "step") == [("eval", 8)]


# ---- the platform's table of samples


def sample(**more: Any) -> dict[str, Any]:
    """A sample as the table of February 2026 had it."""
    step = {"prompt": ROLLOUT["prompt"], "completion": ROLLOUT["completion"], "reward": 1.0, "advantage": 0.5}
    return {
        "run_id": "run-1",
        "step": 10,
        "tag": "",
        "problem_id": 0,
        "sample_id": 0,
        "prompt": json.dumps(ROLLOUT["prompt"]),
        "completion": json.dumps(ROLLOUT["completion"]),
        "trajectory": json.dumps([step | {"extras": {}, "num_input_tokens": 12, "num_output_tokens": 9}]),
        "answer": "4",
        "env_name": "sums-train",
        "task": "sums",
        "info": "",
        "reward": 1.0,
        "advantage": 0.5,
        "metrics": json.dumps({"correct": 1.0}),
        "timing": "",
        "num_input_tokens": 0,
        "num_output_tokens": 0,
        "created_at": "2026-03-01T12:00:00+00:00",
    } | more


def branched(**more: Any) -> dict[str, Any]:
    """A sample as the table of June 2026 had it: a list of messages for each branch."""
    branches = [
        {
            "messages": [*ROLLOUT["prompt"], {"role": "assistant", "content": text}],
            "num_output_tokens": 3,
            "advantage": 1.5,
        }
        for text in ("four", "4")
    ]
    task = {"idx": 3, "prompt": "What is 2 + 2?", "answer": "4"}
    texts = {"prompt": "", "completion": json.dumps(branches[-1]["messages"]), "trajectory": json.dumps(branches)}
    return sample(problem_id=3, sample_id=5, answer="", task=json.dumps(task), advantage=1.5, **texts) | more


def tabled(path: Path, lines: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(lines), path)
    return path


def paged(path: Path, lines: list[dict[str, Any]], **around: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"samples": lines} | around if around else lines, indent=1))
    return path


@pytest.mark.parametrize("kind", ["parquet", "array", "page", "lines"])
def test_samples_are_rows_in_a_table_and_in_json(tmp_path, kind):
    run, lines = tmp_path / "run", [sample(), sample(reward=0.0, advantage=-0.5), branched()]
    match kind:
        case "parquet":
            tabled(run / "samples" / "step_10.parquet", lines)
        case "array":
            paged(run / "samples.json", lines)
        case "page":
            paged(run / "samples.json", lines, total=3)
        case "lines":
            write(run / "samples.jsonl", lines)
    done = capture(run, tmp_path / "store")
    assert (done.captured, done.formats, done.rows) == (3, ["prime-samples"], 4)
    frame = rows(tmp_path / "store")
    columns = ("run_id", "step", "env_name", "reward", "advantage", "ground_truth", "branch", "num_turns")
    assert taken(frame, *columns) == [
        ("run-1", 10, "sums-train", 1.0, 0.5, "4", 0, 1),
        ("run-1", 10, "sums-train", 0.0, -0.5, "4", 0, 1),
        ("run-1", 10, "sums-train", 1.0, 1.5, "4", 0, 1),
        ("run-1", 10, "sums-train", 1.0, 1.5, "4", 1, 1),
    ]
    assert [messages[-1]["content"] for messages in frame["messages"]] == [*["<think>two</think>4"] * 2, "four", "4"]
    assert frame["generated_at"].dt.year().to_list() == [2026] * 4
    assert taken(frame, "trace_id", "native_problem_id")[2] == ("run-1/10/5", "3")
    assert frame["trace_id"].n_unique() == 3
    first, third = json.loads(frame["extra"][0]), json.loads(frame["extra"][2])
    assert (first["sample_id"], first["trajectory"][0]["num_input_tokens"]) == (0, 12)
    assert [branch["num_output_tokens"] for branch in third["trajectory"]] == [3, 3]


def test_how_a_samples_task_is_run_is_not_published(tmp_path):
    task = {"idx": 3, "prompt": "What is 2 + 2?", "answer": "4", "level": 2, "workdir": "/home/me/work"}
    write(tmp_path / "run" / "samples.jsonl", [branched(task=json.dumps(task))])
    capture(tmp_path / "run", tmp_path / "store")
    row = rows(tmp_path / "store").row(0, named=True)
    assert json.loads(row["verification_info"]) == {"answer": "4", "level": 2}
    assert json.loads(row["extra"])["task"] == {"idx": 3, "prompt": "What is 2 + 2?", "workdir": "/home/me/work"}


def test_a_bad_sample_is_set_aside(tmp_path):
    bad = [sample(completion="[1]"), branched(reward="good"), branched(trajectory='[{"messages": [3]}]')]
    write(tmp_path / "run" / "samples.jsonl", [sample(), *bad])
    done = capture(tmp_path / "run", tmp_path / "store")
    assert (done.captured, done.quarantined) == (1, 3)
