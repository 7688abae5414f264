"""Logs that are read by maps that ship, and NeMo's: as an independent reading has them, and nothing that they say lost.

`tests/logs/<trainer>/<run>/expected.json` was derived from the raw lines by a script that imports nothing of this
package.
"""

import json
import math
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import synthetic
from synthetic.formats.find import find
from synthetic.formats.format import Place
from synthetic.formats.line import repaired
from synthetic.formats.rows import traces
from synthetic.record import digest
from tests.flat import LOGS, Row, expected, rows

TRAINERS = {
    "ms_swift": "ms-swift",
    "roll": "roll",
    "areal": "areal",
    "skyrl": "skyrl",
    "nemo_rl": "nemo-rl",
    "nemo_gym": "nemo-gym",
}
RUNS = [(trainer, path.name) for trainer in TRAINERS for path in sorted((LOGS / trainer).iterdir()) if path.is_dir()]
FILES = [(trainer, name) for trainer in TRAINERS for name in expected(trainer)]

TOKENS = {
    *("token_ids", "token_loss_mask", "generation_logprobs", "prev_logprobs"),
    *("prompt_token_ids", "generation_token_ids", "generation_log_probs"),
}
"""Token arrays: the side table's, not the rows'."""

ITEM = {"type", "role", "call_id", "content", "summary", "arguments", "name", "output", "annotations"}
"""What of a Responses item says which part of a message it is."""


def lines_of(path: Path) -> Iterator[tuple[bytes, list[Row]]]:
    """Each line of a log and its rows."""
    (source,) = find(path).sources
    with source.format.open(path) as log:
        for position, line, _ in log.lines(0):
            assert line is not None
            place = Place(source.name, position, digest(line))
            strict, gone = repaired(line)
            yield line, traces(source.format.parse(strict, source, place), place, gone)


SAYS: dict[str, Callable[[Row], object]] = {
    "roles": lambda row: [message["role"] for message in row["messages"]],
    "prompted": lambda row: row["num_prompt_messages"],
    "answer": lambda row: row["messages"][-1]["content"],
    "thoughts": lambda row: [m["reasoning_content"] for m in row["messages"] if m["reasoning_content"]],
    "calls": lambda row: [list(call["function"].values()) for m in row["messages"] for call in m["tool_calls"] or ()],
    "scores": lambda row: {scorer["name"]: scorer["score"] for scorer in row["rewards"] or ()},
    "verdict": lambda row: row["recorded_verdict"],
    "truncated": lambda row: row["is_truncated"],
    "temperature": lambda row: json.loads(row["sampling"])["temperature"],
    "last": lambda row: row["verification_result"]["environment"].replace("[path]", "/srv/games/7"),
}
"""What a row says under a name of the expected rows; any other name is a column's."""


@pytest.mark.parametrize(("trainer", "run"), RUNS)
def test_a_run_gives_the_rows_that_were_derived_from_its_lines(trainer, run, tmp_path):
    files = {name: found for name, found in expected(trainer).items() if name.startswith(f"{run}/")}
    done = synthetic.capture(LOGS / trainer / run, into=tmp_path / "store")
    assert (done.formats, done.runs, done.quarantined) == ([TRAINERS[trainer]], [run], 0)
    assert (done.captured, done.rows) == (
        sum(found["lines"] for found in files.values()),
        sum(len(found["row"]) for found in files.values()),
    )
    got = rows(tmp_path / "store")
    for name, found in files.items():
        wanted = [row for row in found["row"] if not row.pop("again", False)]
        mine = [row for row in got if f"{run}/{row['log_file']}" == name]
        assert len(mine) == len(wanted)
        for row, want in zip(mine, wanted, strict=True):
            want.pop("line")
            assert {key: SAYS[key](row) if key in SAYS else row[key] for key in want} == want


@pytest.mark.parametrize(("trainer", "run"), RUNS)
def test_a_run_and_a_copy_of_it_add_nothing(trainer, run, tmp_path):
    first = synthetic.capture(LOGS / trainer / run, into=tmp_path / "store")
    count = len(rows(tmp_path / "store"))
    again = synthetic.capture(LOGS / trainer / run, into=tmp_path / "store")
    assert (again.captured, again.seen_before, again.rows) == (0, first.captured, 0)
    shutil.copytree(LOGS / trainer / run, tmp_path / "elsewhere" / run)
    synthetic.capture(tmp_path / "elsewhere" / run, into=tmp_path / "store")
    assert len(rows(tmp_path / "store")) == count


def leaves(tree: object, key: str = "") -> Iterator[tuple[str, object]]:
    """Every value that is no list or object, with the name it stands under; JSON in strings taken apart."""
    match tree:
        case dict():
            for name, inner in tree.items():
                if name not in TOKENS:
                    yield from leaves(inner, name)
        case list():
            for inner in tree:
                yield from leaves(inner, key)
        case str() if tree[:2] in ('{"', "[{"):
            try:
                yield from leaves(json.loads(tree), key)
            except ValueError:
                yield key, tree
        case _:
            yield key, tree


@pytest.mark.parametrize(("trainer", "name"), FILES)
def test_every_value_of_a_line_stands_in_its_rows(trainer, name):
    for line, got in lines_of(LOGS / trainer / name):
        held = {value for row in got for _, value in leaves(row)}
        held_text = "".join(m["content"] or "" for row in got for m in row["messages"])
        late = {"advantages", "sample_loss_mask"} if trainer == "nemo_rl" else set()  # taken as late facts
        for key, value in leaves(json.loads(line)):
            if value is None or key in late or (isinstance(value, float) and math.isnan(value)):
                continue
            if key in ITEM and trainer == "nemo_gym" and isinstance(value, str) and value not in held:
                assert key in {"type", "role"} or value in held_text
                continue
            assert value in held, key


@pytest.mark.parametrize(("trainer", "name"), FILES)
def test_a_torn_last_line_waits(trainer, name, tmp_path):
    run = tmp_path / name.partition("/")[0]
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    whole = (LOGS / trainer / name).read_bytes()
    path.write_bytes(whole + whole.split(b"\n")[0][:-9])
    done = synthetic.capture(run, into=tmp_path / "store")
    assert (done.captured, len(done.torn)) == (whole.count(b"\n"), 1)


# ---- what a trainer says in a way of its own


def test_a_batch_that_is_logged_at_two_steps_is_at_the_first(tmp_path):
    done = synthetic.capture(LOGS / "ms_swift" / "grpo", into=tmp_path / "store")
    got = rows(tmp_path / "store")
    assert (done.rows, len(got), [row["step"] for row in got]) == (11, 7, [1, 1, 1, 1, 3, 3, 3])
    assert [row["messages"][-1]["content"] for row in got].count("42") == 2, "equal attempts of a batch are two"
    groups = [row["group_id"] for row in got]
    assert groups == [groups[0]] * 4 + [groups[4]] * 2 + [groups[6]]


def test_an_attempt_of_several_turns_is_cut_where_its_markers_are(tmp_path):
    synthetic.capture(LOGS / "areal" / "trial0" / "rollout", into=tmp_path / "store")
    (row,) = [row for row in rows(tmp_path / "store") if row["num_turns"] == 2]
    assert [(m["role"], m["content"]) for m in row["messages"]] == [
        ("user", "What is 4 × 6?"),
        ("assistant", "It is 20."),
        ("user", "Check it."),
        ("assistant", "24"),
    ]
    assert row["log_file"] == "rollout/4/8.jsonl", "a subfolder belongs to the run above it"


def test_what_failed_in_the_gym_is_not_scored(tmp_path):
    synthetic.capture(LOGS / "nemo_gym" / "collected", into=tmp_path / "store")
    (row,) = [row for row in rows(tmp_path / "store") if not row["ok"]]
    assert (row["reward"], row["rewards"], row["recorded_verdict"]) == (None, None, None)
    assert row["errors"] == [{"type": "judge_failed", "status_code": None, "message": "no answer from [address]"}]


def test_no_address_or_path_of_a_verifiers_words_is_published(tmp_path):
    for trainer, run in (("nemo_gym", "collected"), ("nemo_rl", "exp_001")):
        synthetic.capture(LOGS / trainer / run, into=tmp_path / "store")
    said = " ".join(json.dumps(row["verification_result"]) for row in rows(tmp_path / "store"))
    assert "10.0.0.7" not in said
    assert "/srv" not in said
    assert "[address]" in said


def test_texts_that_nemo_rl_left_empty_are_told(tmp_path):
    path = tmp_path / "exp_001" / "train_data_step1.jsonl"
    path.parent.mkdir()
    path.write_text('{"content": [["", ""]], "rewards": [1.0], "idx": 0}\n', "utf-8")
    done = synthetic.capture(path.parent, into=tmp_path / "store")
    assert done.quarantined == 1
    assert "those of NeMo-Gym's rollouts are in NeMo-Gym's own log" in Path(done.quarantine[0]).read_text("utf-8")


@pytest.mark.parametrize(
    ("trainer", "name", "wrong"),
    [
        ("ms_swift", "grpo/completions.jsonl", {"prompt": ["only one"]}),
        ("ms_swift", "grpo/completions.jsonl", {"completion": [None] * 4}),
        ("roll", "dump/rollout_dump_data.step_1.jsonl", {"scores": ["high"] * 4}),
        ("areal", "trial0/rollout/3/7.jsonl", {"reward": "high"}),
        ("skyrl", "exports/dumped_evals/eval_only/sums_plain.jsonl", {"score": {"of": 1}}),
        ("nemo_rl", "exp_001/train_data_step1.jsonl", {"content": [["a", {"role": "user"}]]}),
        ("nemo_gym", "collected/rollouts.jsonl", {"response": {"output": [7]}}),
        ("nemo_gym", "collected/rollouts.jsonl", {"reward": "high"}),
    ],
)
def test_a_line_that_is_not_what_it_should_be_is_set_aside(trainer, name, wrong, tmp_path):
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    first = (LOGS / trainer / name).read_text("utf-8").split("\n")[0]
    path.write_text(first + "\n" + json.dumps(json.loads(first) | wrong) + "\n", "utf-8")
    done = synthetic.capture(tmp_path / name.partition("/")[0], into=tmp_path / "store")
    assert (done.captured, done.quarantined) == (1, 1)
