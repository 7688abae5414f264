"""TRL's tables of completions: batches that it repeats are one batch, and nothing that a row says is lost."""

import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import synthetic
from synthetic.errors import UnreadableLog
from synthetic.formats.find import find
from synthetic.store import snapshot
from tests.flat import LOGS, SAMPLES, expected, found_in, read, rows

EXPECTED = expected("trl")
SAMPLE = SAMPLES / "trl"
ROW = {"step": 1, "prompt": "how many?", "completion": "two", "accuracy_reward": 1.0, "advantage": 0.5}


def write(run, *table, step=1):
    path = run / "completions" / f"completions_{step:05d}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist([{**row, "step": step} for row in table]), path)
    return path


def row_of(tmp_path, **more):
    ((_, row),) = read(write(tmp_path / "run", ROW | more))
    return row


def calls(row):
    return [
        [call["function"]["name"], json.loads(call["function"]["arguments"])]
        for message in row["messages"]
        for call in message["tool_calls"] or ()
    ]


# ---- what is in the logs


@pytest.mark.parametrize("run", ["text", "conversational", "tools"])
def test_a_run_gives_the_rows_that_were_derived_from_its_tables(run, tmp_path):
    done = synthetic.capture(LOGS / "trl" / run, into=tmp_path / "store")
    wanted = [row for name, file in EXPECTED.items() if name.startswith(run) for row in file["row"]]
    assert (done.captured, done.quarantined, done.late_facts) == (len(wanted), 0, len(wanted))
    first = {row["same"]: row for row in reversed(wanted)}
    newest = {row["same"]: row["advantage"] for row in wanted}
    got = rows(tmp_path / "store")
    assert len(got) == len(first)
    for row, (same, one) in zip(got, reversed(first.items()), strict=True):
        assert {
            "step": row["step"],
            "scores": [scorer["score"] for scorer in row["rewards"]],
            "reward": row["reward"],
            "verdict": row["recorded_verdict"],
            "ground_truth": row["ground_truth"],
            "advantage": row["advantage"],
            "roles": [message["role"] for message in row["messages"]],
            "num_prompt_messages": row["num_prompt_messages"],
            "answer": row["messages"][-1]["content"],
            "calls": calls(row),
            "text_form": row["text_form"],
            "same": same,
        } == one | {"advantage": newest[same]}
        assert (row["framework"], row["kind"], row["is_truncated"]) == ("trl", "train", None)


@pytest.mark.parametrize("name", EXPECTED)
def test_every_column_of_a_row_is_in_a_column_or_in_extra(name):
    check_columns(LOGS / "trl" / name)


def check_columns(path):
    for line, row in read(path):
        asked, said = row["messages"][: row["num_prompt_messages"]], row["messages"][row["num_prompt_messages"] :]
        prompt, completion = line.pop("prompt"), line.pop("completion")
        line.pop("synthetic:again", None)  # not the table's own: the test of equal attempts
        if row["text_form"] == "native":
            assert [rebuilt(row, "prompt", i, one) for i, one in enumerate(asked)] == without_nulls(prompt)
            assert [rebuilt(row, "completion", i, one) for i, one in enumerate(said)] == without_nulls(completion)
        else:
            marked = [f"<|im_start|>{one['role']}\n{one['content']}<|im_end|>\n" for one in asked]
            begun = said[0]["content"].removesuffix(completion)
            assert prompt in {"".join(marked) + f"<|im_start|>assistant\n{begun}", asked[0]["content"] + begun}
        assert line.pop("advantage") is None or line.pop("step") == row["step"]  # advantages: the test above
        for key, value in line.items():
            columns = (row["ground_truth"], row["gold_standard_solution"])
            assert found_in(row, key, value) or (key in {"answer", "solution"} and value in columns), key


def rebuilt(row, column, i, message):
    """A message as the log had it, from the record's and what is left of it in extra."""
    calls = [
        call | {"function": call["function"] | {"arguments": json.loads(call["function"]["arguments"])}}
        for call in message["tool_calls"] or ()
    ]
    rest = (row["extra"] or {}).get(column)
    return without_nulls(message | {"tool_calls": calls or None} | (rest[i] if rest else {}))


def without_nulls(value):
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


@pytest.mark.skipif(not SAMPLE.is_dir(), reason="no samples here")
@pytest.mark.parametrize("name", ["text", "conversational", "tools"])
def test_the_samples_are_read_whole(name, tmp_path):
    run, store = SAMPLE / f"grpo_{name}", tmp_path / "store"
    done = synthetic.capture(run, into=store)
    assert (done.captured, done.quarantined, done.rows, done.late_facts) == (180, 0, 180, 180)
    assert synthetic.capture(run, into=store).rows == 0
    assert snapshot(store).conflicts.is_empty()
    got = rows(store)
    assert len(got) == 180  # in `tools`, two attempts of one batch came out equal
    raw = [row for path in sorted(run.rglob("*.parquet")) for row in pq.read_table(path).to_pylist()]
    for row, line in zip(got, raw, strict=True):
        scores = [line["accuracy_reward"], line["format_reward"]]
        assert [scorer["score"] for scorer in row["rewards"]] == scores
        assert row["recorded_verdict"] == (None if scores[0] is None else scores[0] == 1)
        assert (row["reward"], row["advantage"]) == (sum(s for s in scores if s is not None), line["advantage"])
        assert (row["ground_truth"], row["step"]) == (line["solution"], line["step"])
        answer = line["completion"] if name == "text" else line["completion"][-1]["content"]
        assert row["messages"][-1]["content"] == answer
        assert [message["role"] for message in row["messages"]][:2] == ["system", "user"]
    for path in run.rglob("*.parquet"):
        check_columns(path)


# ---- what the columns mean


def test_a_batch_that_is_logged_again_is_one_batch_and_no_conflict(tmp_path):
    run, store = tmp_path / "run", tmp_path / "store"
    write(run, ROW, ROW | {"completion": "three", "accuracy_reward": 0.0}, step=9)
    write(run, ROW | {"advantage": 0.25}, ROW | {"completion": "one"}, step=10)
    done = synthetic.capture(run, into=store)
    assert (done.captured, done.rows) == (4, 4)
    found = snapshot(store)
    assert found.conflicts.is_empty()
    (two, three, one) = rows(store)
    assert [row["messages"][-1]["content"] for row in (two, three, one)] == ["two", "three", "one"]
    assert [row["step"] for row in (two, three, one)] == [9, 9, 10]
    assert two["advantage"] == 0.25
    assert two["group_id"] == three["group_id"] != one["group_id"]
    assert two["problem_id"] == one["problem_id"]


def test_attempts_of_one_batch_that_came_out_equal_are_counted_and_repeated_with_it(tmp_path):
    run, store = tmp_path / "run", tmp_path / "store"
    for step in (1, 2):
        write(run, ROW, ROW | {"completion": "three"}, ROW, ROW | {"note": "twin"}, step=step)
    synthetic.capture(run, into=store)
    assert snapshot(store).conflicts.is_empty()
    got = rows(store)
    assert [row["messages"][-1]["content"] for row in got] == ["two", "three", "two", "two"]
    assert len({row["trace_id"] for row in got}) == 4
    assert {row["extra"] for row in got} == {None}


def test_another_score_is_another_attempt(tmp_path):
    path = write(tmp_path / "run", ROW, ROW | {"accuracy_reward": 0.0}, ROW | {"accuracy_reward": None})
    assert len({row["trace_id"] for _, row in read(path)}) == 3


def test_reward_columns_are_numbers_with_the_name_of_one(tmp_path):
    more = {"similarity": 0.5, "information_gain": 0.5, "format": "markdown", "n": 3}
    row = row_of(tmp_path, my_reward=0.25, format_reward_func=None, **more)
    assert [(scorer["name"], scorer["score"]) for scorer in row["rewards"]] == [
        ("accuracy_reward", 1.0),
        ("my_reward", 0.25),
        ("format_reward_func", None),
    ]
    assert row["reward"] == 1.25
    assert row["metrics"] == {"n": 3, "similarity": 0.5, "information_gain": 0.5}
    assert row["verification_result"] == {"format": "markdown"}


@pytest.mark.parametrize(
    ("scores", "verdict"),
    [
        ({"accuracy_reward": 0.0}, False),
        ({"accuracy_reward": 0.5}, None),
        ({"accuracy_reward": None}, None),
        ({"accuracy_reward": 1.0, "accuracy_2": 0.0}, None),
        ({"accuracy_reward": None, "format_reward": 1.0}, None),
    ],
    ids=str,
)
def test_accuracy_is_the_verdict_where_it_is_1_or_0(tmp_path, scores, verdict):
    assert row_of(tmp_path, **scores)["recorded_verdict"] is verdict


def test_nothing_scored_is_null(tmp_path):
    row = row_of(tmp_path, accuracy_reward=None)
    assert (row["reward"], row["rewards"][0]["score"], row["ok"]) == (None, None, True)


def test_a_number_that_json_has_no_word_for_is_null_and_its_word_is_kept(tmp_path):
    row = row_of(tmp_path, accuracy_reward=float("inf"))
    assert row["rewards"][0]["score"] is None
    assert row["extra"] == {"synthetic:repaired": {"/accuracy_reward": "Infinity"}}


def test_words_of_a_scorer_are_published_without_paths_and_kept_whole(tmp_path):
    row = row_of(tmp_path, note="see /home/ann/x.txt", answer_parsed="(a)/2")
    assert row["verification_result"] == {"answer_parsed": "(a)/2", "note": "see [path]"}
    assert row["extra"] == {"note": "see /home/ann/x.txt"}


def test_a_table_without_scores_is_read_too(tmp_path):  # distillation
    path = write(tmp_path / "run", {"prompt": "how many?", "completion": "two"})
    ((_, row),) = read(path)
    assert (row["reward"], row["rewards"], row["recorded_verdict"]) == (None, None, None)


def test_the_same_run_twice_and_a_copy_of_it_add_nothing(tmp_path):
    store, copy = tmp_path / "store", tmp_path / "elsewhere" / "conversational"
    synthetic.capture(LOGS / "trl" / "conversational", into=store)
    before = rows(store)
    assert synthetic.capture(LOGS / "trl" / "conversational", into=store).rows == 0
    shutil.copytree(LOGS / "trl" / "conversational", copy)
    synthetic.capture(copy, into=store)
    assert rows(store) == before


# ---- on disk


def test_a_file_belongs_to_the_run_whose_output_folder_lies_above(tmp_path):
    path = write(tmp_path / "run", ROW, step=10)
    (source,) = find(path).sources
    assert (source.run, source.name) == ("run", "completions/completions_00010.parquet")


@pytest.mark.parametrize("cut", [0.5, 0.99])
def test_a_table_that_is_not_whole_yet_is_refused_and_the_others_are_read(tmp_path, cut):
    whole, broken = write(tmp_path / "run", ROW, step=1), write(tmp_path / "run", ROW, step=2)
    broken.write_bytes(whole.read_bytes()[: int(cut * whole.stat().st_size)])
    done = synthetic.capture(tmp_path / "run", into=tmp_path / "store")
    assert (done.captured, len(done.refused)) == (1, 1)
    assert "completions_00002.parquet" in done.refused[0]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (ROW | {"prompt": None}, "'prompt' is neither text nor messages"),
        (ROW | {"completion": None}, "'completion' is neither text nor messages"),
        (ROW | {"completion": [{"content": "no role"}]}, "a message has no role"),
        (ROW | {"completion": ["text"]}, "a message is no object"),
    ],
    ids=str,
)
def test_a_row_that_makes_no_sense_is_set_aside(tmp_path, row, reason):
    path = write(tmp_path / "run", row)
    done = synthetic.capture(path, into=tmp_path / "store")
    assert (done.captured, done.quarantined, done.late_facts) == (0, 1, 0)
    (aside,) = (tmp_path / "store" / "quarantine").iterdir()
    assert reason in json.loads(aside.read_text("utf-8"))["reason"]


def test_a_table_of_other_columns_is_none(tmp_path):
    write(tmp_path / "run", {"question": "a"})
    with pytest.raises(UnreadableLog, match="no format knows its lines"):
        find(tmp_path / "run")
