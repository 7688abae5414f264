"""verl's dumps, read as its trainers mean them, and nothing that they say lost."""

import json
import shutil

import pytest

import synthetic
from synthetic.errors import UnreadableLog
from synthetic.formats.find import find
from synthetic.store import snapshot
from tests.flat import LOGS, SAMPLES, expected, found_in, read, rows

EXPECTED = expected("verl")
SAMPLE = SAMPLES / "verl"
LINE = {"input": "user\nhow many?\nassistant\n", "output": "#### 2", "gts": "2", "score": 1.0, "step": 1}


def write(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    text = [line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in lines]
    path.write_text("".join(f"{line}\n" for line in text), "utf-8")
    return path


def row_of(tmp_path, **more):
    """The row of one line in a dump whose place says nothing about it."""
    ((_, row),) = read(write(tmp_path / "exp" / "3.jsonl", LINE | {"step": 3} | more))
    return row


def scores(row):
    return {scorer["name"]: scorer["score"] for scorer in row["rewards"]}


# ---- what is in the logs


@pytest.mark.parametrize("run", ["legacy", "v1"])
def test_a_run_gives_the_rows_that_were_derived_from_its_json(run, tmp_path):
    done = synthetic.capture(LOGS / "verl" / run, into=tmp_path / "store")
    wanted = {name.removeprefix(f"{run}/"): found for name, found in EXPECTED.items() if name.startswith(run)}
    assert (done.captured, done.quarantined) == (sum(file["lines"] for file in wanted.values()), 0)
    assert done.torn == [f"{run}/{name}" for name, file in wanted.items() if file["torn_bytes"]]
    for name, file in wanted.items():
        got = [row for row in rows(tmp_path / "store") if row["log_file"] == name]
        assert len(got) == len(file["row"])
        for row, one in zip(got, file["row"], strict=True):
            assert {
                "trace_id": row["trace_id"] if one["trace_id"] else None,
                "branch": row["branch"],
                "sample_index": row["sample_index"],
                "kind": row["kind"],
                "step": row["step"],
                "reward": row["reward"],
                "verdict": row["recorded_verdict"],
                "ok": row["ok"],
                "roles": [message["role"] for message in row["messages"]],
                "answer": row["messages"][-1]["content"],
            } == {key: value for key, value in one.items() if key not in {"group", "ground_truth"}}
            truth = one["ground_truth"]
            assert row["ground_truth"] == truth or json.loads(row["ground_truth"]) == truth
            assert (row["framework"], row["text_form"], row["is_truncated"]) == ("verl", "parsed", None)
        groups = {(row["group_id"], str(one["group"])) for row, one in zip(got, file["row"], strict=True)}
        assert len(groups) == len({group for group, _ in groups}) == len({raw for _, raw in groups})


@pytest.mark.parametrize("name", EXPECTED)
def test_every_key_of_a_line_is_in_a_column_or_in_extra(name):
    check_keys(LOGS / "verl" / name)


def check_keys(path):
    for line, row in read(path):
        *asked, said = row["messages"]
        texts = [message["content"] for message in asked]
        opened = "<think>\n" * line["input"].endswith("<think>\n")
        rendered = "".join(f"{message['role']}\n{message['content']}\n" for message in asked) + f"assistant\n{opened}"
        assert line.pop("input") in {rendered, "".join(texts) + opened}
        assert said["content"] == opened + line.pop("output")
        assert (line.pop("step"), line.pop("score")) == (row["step"], row["reward"])
        truth = line.pop("gts")
        assert row["ground_truth"] == truth or json.loads(row["ground_truth"]) == truth
        if "uid" in line:
            assert line.pop("uid") == f"{row['trace_id']}_{row['branch']}"
        for key, value in line.items():
            assert found_in(row, key, value) or (key == "reward" and value == row["reward"]), key


@pytest.mark.skipif(not SAMPLE.is_dir(), reason="no samples here")
def test_the_samples_are_read_whole(tmp_path):
    for run, lines, groups in (("0.9.1_ray_trainer", 280, 100), ("0.9.1_v1_trainer_default", 200, 60)):
        store = tmp_path / run
        done = synthetic.capture(SAMPLE / run, into=store)
        assert (done.captured, done.quarantined, done.rows) == (lines, 0, lines)
        assert synthetic.capture(SAMPLE / run, into=store).rows == 0
        got = rows(store)
        raw = [
            json.loads(line)
            for folder in ("rollout", "validation")
            for file in sorted((SAMPLE / run / folder).iterdir())
            for line in file.read_text("utf-8").splitlines()
        ]
        assert len({row["group_id"] for row in got}) == groups
        for row, line in zip(got, raw, strict=True):
            assert row["messages"][-1]["content"] == line["output"]
            assert [message["role"] for message in row["messages"]] == ["system", "user", "assistant"]
            assert (row["reward"], row["recorded_verdict"]) == (line["score"], line.get("acc"))
            assert (row["step"], row["kind"]) == (line["step"], "train" if line["step"] else "eval")
        for file in sorted((SAMPLE / run).rglob("*.jsonl")):
            check_keys(file)


# ---- what the columns mean


def test_a_score_that_a_reward_dict_wrote_stands_beside_the_total(tmp_path):
    row = row_of(tmp_path, reward=-1.5, score=-1.0, acc=False)
    assert row["reward"] == -1.0
    assert scores(row) == {"score": -1.0, "reward": -1.5, "acc": 0.0}


def test_a_score_alone_is_no_recorded_verdict(tmp_path):
    row = row_of(tmp_path)
    assert (row["recorded_verdict"], scores(row)) == (None, {"score": 1.0})


@pytest.mark.parametrize(
    ("acc", "verdict", "score"),
    [
        (True, True, 1.0),
        ("True", True, 1.0),
        ("0.0", False, 0.0),
        (0.5, None, 0.5),
        (-1, None, -1.0),
        (None, None, None),
    ],
    ids=repr,
)
def test_acc_is_the_verdict_where_it_says_right_or_wrong(tmp_path, acc, verdict, score):
    row = row_of(tmp_path, acc=acc)
    assert (row["recorded_verdict"], scores(row)["acc"]) == (verdict, score)


def test_text_that_reads_as_a_number_is_a_score_only_under_the_name_of_one(tmp_path):
    row = row_of(tmp_path, acc="0.5", pred="280", overlong="True", num_turns=3, index=17, seed=42)
    assert scores(row) == {"score": 1.0, "acc": 0.5}
    assert row["verification_result"] == {"pred": "280"}
    assert row["metrics"] == {"num_turns": 3, "overlong": "True", "index": 17, "seed": 42}


@pytest.mark.parametrize("more", [{"error": "connection to 10.1.2.3:8000 lost"}, {"timeout": True}])
def test_a_scorer_that_failed_judged_nothing(tmp_path, more):
    row = row_of(tmp_path, acc=0.0, score=0.0, **more)
    assert (row["ok"], row["recorded_verdict"]) == (False, None)
    assert "10.1.2.3" not in json.dumps(row["errors"])
    assert found_in(row, *more.popitem())


def test_a_right_answer_stays_right_where_a_program_ran_out_of_time(tmp_path):
    row = row_of(tmp_path, acc=True, timeout=True)
    assert (row["ok"], row["recorded_verdict"]) == (True, True)


def test_segments_of_a_rollout_are_branches_of_one_trace(tmp_path):
    lines = [LINE | {"uid": f"a_b_{rollout}_{segment}"} for rollout in (0, 1) for segment in (0, 1)]
    path = write(tmp_path / "exp" / "rollout" / "1.jsonl", *lines)
    ids = [(row["row_id"], row["group_id"], row["sample_index"]) for _, row in read(path)]
    assert ids == [("a_b_0/0", "a_b", 0), ("a_b_0/1", "a_b", 0), ("a_b_1/0", "a_b", 1), ("a_b_1/1", "a_b", 1)]


def test_a_uid_of_another_kind_is_kept_and_names_nothing(tmp_path):
    row = row_of(tmp_path, uid="prompt-7")
    assert row["extra"] == {"uid": "prompt-7"}
    assert row["trace_id"] != "prompt-7"


def test_two_equal_lines_are_two_attempts(tmp_path):
    path = write(tmp_path / "exp" / "rollout" / "1.jsonl", LINE, LINE)
    (_, one), (_, other) = read(path)
    assert one["row_id"] != other["row_id"]
    assert one["group_id"] == other["group_id"]


@pytest.mark.parametrize(
    ("place", "step", "more", "kind"),
    [
        ("run/rollout_data/3.jsonl", 3, {"reward": 1.0}, "train"),
        ("run/validation_data/3.jsonl", 3, {}, "eval"),
        ("dumps-of-val/3.jsonl", 3, {}, "eval"),
        ("run/test_data/3.jsonl", 3, {}, "eval"),
        ("test-grpo-qwen/3.jsonl", 3, {}, "train"),
        ("test-grpo-qwen/3.jsonl", 3, {"reward": 1.0}, "eval"),
        ("run/3.jsonl", 3, {"reward": 1.0}, "eval"),
        ("run/3.jsonl", 3, {"reward": 0.5}, "train"),
        ("run/3.jsonl", 3, {}, "train"),
        ("run/rollout/0.jsonl", 0, {}, "eval"),
    ],
)
def test_validations_are_known_by_folder_by_the_repeated_reward_and_by_step_0(tmp_path, place, step, more, kind):
    path = write(tmp_path / place, LINE | {"step": step} | more)
    ((_, row),) = read(path)
    assert row["kind"] == kind


@pytest.mark.parametrize(
    ("place", "run", "name"),
    [
        ("exp/rollout/1.jsonl", "exp", "rollout/1.jsonl"),
        ("exp/validation_data/1.jsonl.zst", "exp", "validation_data/1.jsonl"),
        ("all/exp_7/1.jsonl", "exp_7", "1.jsonl"),
    ],
)
def test_the_run_is_the_folder_above_those_named_for_what_they_hold(tmp_path, place, run, name):
    write(tmp_path / place, LINE)
    (source,) = find(tmp_path / place).sources
    assert (source.run, source.name) == (run, name)


# ---- on disk


def test_step_files_come_in_the_order_of_their_numbers(tmp_path):
    for step in (10, 9, 100, 1):
        write(tmp_path / "exp" / "rollout" / f"{step}.jsonl", LINE | {"step": step})
    names = [source.name for source in find(tmp_path / "exp").sources]
    assert names == [f"rollout/{step}.jsonl" for step in (1, 9, 10, 100)]


def test_a_rerun_that_rewrote_a_step_is_read_anew_and_marks_what_it_took_back(tmp_path):
    run, store = tmp_path / "exp", tmp_path / "store"
    for step in (1, 2):
        write(run / "rollout" / f"{step}.jsonl", *[LINE | {"step": step, "uid": f"old{step}_{i}_0"} for i in (0, 1)])
    synthetic.capture(run, into=store)
    write(run / "rollout" / "2.jsonl", LINE | {"step": 2, "uid": "new2_0_0"})
    done = synthetic.capture(run, into=store)
    assert (done.captured, done.seen_before) == (1, 2)
    assert {row["trace_id"]: row["rewound"] for row in rows(store)} == {
        "old1_0": None,
        "old1_1": None,
        "old2_0": True,
        "old2_1": True,
        "new2_0": None,
    }


def test_a_file_that_is_still_written_is_read_on_where_it_stood(tmp_path):
    run, store = tmp_path / "exp", tmp_path / "store"
    path = write(run / "rollout" / "1.jsonl", LINE)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:-30])
    done = synthetic.capture(run, into=store)
    assert (done.captured, done.torn) == (1, ["exp/rollout/1.jsonl"])
    path.write_bytes(whole + whole)
    done = synthetic.capture(run, into=store)
    assert (done.captured, done.seen_before, done.quarantined) == (1, 1, 0)


def test_the_same_run_twice_and_a_copy_of_it_add_nothing(tmp_path):
    store, copy = tmp_path / "store", tmp_path / "elsewhere" / "legacy"
    synthetic.capture(LOGS / "verl" / "legacy", into=store)
    before = len(rows(store))
    assert synthetic.capture(LOGS / "verl" / "legacy", into=store).rows == 0
    shutil.copytree(LOGS / "verl" / "legacy", copy)
    synthetic.capture(copy, into=store)
    assert len(rows(store)) == before
    assert snapshot(store).conflicts.is_empty()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (LINE | {"output": ["a"]}, "'input' or 'output' is no text"),
        (LINE | {"input": None}, "'input' or 'output' is no text"),
        (LINE | {"score": "good"}, 'a score is no number: "good"'),
        (LINE | {"step": 2**40}, "`int` <= 2147483647"),
        (LINE | {"uid": f"a_{2**40}_0"}, "`int` <= 2147483647"),
        ({"input": "a", "output": "b"}, "not a dump of verl"),
        ("[1, 2]", "not a dump of verl"),
        ("{not json", "not JSON"),
    ],
    ids=str,
)
def test_a_line_that_gives_no_row_is_set_aside(tmp_path, line, reason):
    path = write(tmp_path / "exp" / "rollout" / "1.jsonl", LINE, line, LINE)
    done = synthetic.capture(path, into=tmp_path / "store")
    assert (done.captured, done.quarantined) == (2, 1)
    (aside,) = (tmp_path / "store" / "quarantine").iterdir()
    assert reason in json.loads(aside.read_text("utf-8"))["reason"]


def test_numbers_in_the_name_alone_make_no_dump(tmp_path):
    write(tmp_path / "exp" / "1.jsonl", {"prompt": "a", "answer": "b"})
    with pytest.raises(UnreadableLog, match="no format knows its lines"):
        find(tmp_path / "exp")
