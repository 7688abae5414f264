"""The recipes and analysis scripts in `pipelines/`: small frames whose rates a reader can work out."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

import synthetic
from synthetic import recipe as recipes
from synthetic.errors import SyntheticError
from synthetic.measures.verdict import verdict
from synthetic.record import record

PIPELINES = Path(__file__).parent.parent / "pipelines"
SCRIPT = PIPELINES / "pass_rates.py"

# pipelines/ holds scripts and is no package.
spec = importlib.util.spec_from_file_location("pass_rates", SCRIPT)
assert spec is not None
assert spec.loader is not None
pass_rates = importlib.util.module_from_spec(spec)
spec.loader.exec_module(pass_rates)


# ---- recipes


@pytest.mark.parametrize("path", sorted(PIPELINES.glob("*.toml")), ids=lambda path: path.stem)
def test_a_recipe_of_ours_parses_and_its_canonical_form_is_the_same_recipe(path):
    recipe = recipes.parse(path.read_text("utf-8"), where=path.name, name="mine")
    again = recipes.parse(recipe.toml(), where=path.name, name="another")
    assert again == recipe
    assert again.toml() == recipe.toml()


@pytest.mark.parametrize(
    ("env", "reward", "said"),
    [
        ("verifiable_math", 1.0, "correct"),
        ("verifiable_math", 0.99, "incorrect"),
        ("prime_rl_code", 0.71, "incorrect"),
        ("reasoning_gym", 0.71, "correct"),
        ("reasoning_gym", 0.7, "incorrect"),
        ("git_diff", 0.0, "incorrect"),
        ("verifiable_math", None, "undecided"),
        ("verifiable_math", float("nan"), "undecided"),
        ("git_diff", float("nan"), "undecided"),
        ("git_diff", float("inf"), "undecided"),
        ("ifeval", 1.0, "correct"),  # no expression: its only scorer decides
        ("ifeval", 0.8, "undecided"),
    ],
)
def test_synthetic_2_is_correct_at_exactly_1_or_above_0_7(env, reward, said):
    correct = recipes.read("synthetic-2", name="mine").correct
    scorers = [{"name": "reward", "score": reward, "weight": 1.0}]
    row = {"row_id": "t/0", "env_id": env, "ok": True, "reward": reward, "rewards": scorers}
    traces = pl.LazyFrame([row], schema=record().polars)
    assert verdict(traces, correct=correct).collect()["verdict"].to_list() == [said]


# ---- the interval


@pytest.mark.parametrize(
    ("correct", "decided", "low", "high"),
    [
        (8, 10, 0.490, 0.943),
        (5, 10, 0.237, 0.763),
        (0, 5, 0.0, 0.434),
        (5, 5, 0.566, 1.0),
        (1, 1, 0.207, 1.0),
        (0, 0, None, None),
        (None, 5, None, None),
        (3, None, None, None),
        (6, 5, None, None),
        (-1, 5, None, None),
        (float("nan"), 5.0, None, None),
        (3.0, float("nan"), None, None),
        (3.0, float("inf"), None, None),
    ],
)
def test_the_interval_of_wilson(correct, decided, low, high):
    frame = pl.DataFrame({"correct": [correct], "decided": [decided]})
    ends = pass_rates.wilson(pl.col("correct"), pl.col("decided"))
    found = frame.select(low=ends[0], high=ends[1])
    assert found.row(0) == (pytest.approx(low, abs=0.0005), pytest.approx(high, abs=0.0005))
    assert found.filter((pl.col("low") < 0) | (pl.col("high") > 1)).height == 0


def test_counts_are_not_subtracted_as_unsigned_numbers():
    frame = pl.DataFrame({"n": [3]}, schema={"n": pl.UInt32})
    low, high = pass_rates.wilson(pl.col("n") - 3, pl.col("n"))
    assert frame.select(low=low.round(3), high=high.round(3)).row(0) == (0.0, 0.561)


# ---- attempts, problems, tasks


def attempts(problem: str, words: str, **columns: object) -> list[dict[str, object]]:
    """Rows of one problem, one for each word: correct, incorrect, undecided, error; `*` after it: cut off."""
    rows = []
    for number, word in enumerate(words.split()):
        trace_id = f"{problem}-{columns.get('kind', 'train')}-{columns.get('model', 'm')}-{number}"
        told = {"verdict": word.rstrip("*"), "is_truncated": word.endswith("*")}
        row = {"row_id": f"{trace_id}/0", "trace_id": trace_id, "branch": 0, "problem_id": problem}
        rows.append(row | {"kind": "train", "env_id": "sums", "model": "m"} | told | columns)
    return rows


def traces(*rows: list[dict[str, object]]) -> pl.LazyFrame:
    columns = {**record().polars, "verdict": pl.String(), "verdict_rule": pl.String()}
    return pl.LazyFrame([row for some in rows for row in some], schema=columns)


def only(frame: pl.LazyFrame) -> dict[str, object]:
    (row,) = frame.collect().to_dicts()
    return row


def counts(row: dict[str, object]) -> list[object]:
    return [row[name] for name in pass_rates.COUNTS]


def test_a_trace_of_an_agent_that_was_not_trained_is_no_attempt():
    rows = (attempts("p", "correct"), attempts("p", "correct", model="user", trainable=False), attempts("q", "error"))
    assert counts(only(pass_rates.by_task(traces(*rows)))) == [2, 1, 0, 0, 0, 1]
    assert traces(attempts("p", "correct", trainable=False)).pipe(pass_rates.by_problem).collect().is_empty()


def test_every_attempt_falls_under_one_heading():
    row = only(pass_rates.by_problem(traces(attempts("p", "correct correct incorrect undecided error"))))
    assert counts(row) == [5, 2, 1, 0, 1, 1]
    assert row["pass_rate"] == 2 / 3


def test_a_cut_off_attempt_counts_only_when_it_is_correct():
    row = only(pass_rates.by_problem(traces(attempts("p", "correct correct* incorrect incorrect* incorrect*"))))
    assert counts(row) == [5, 2, 1, 2, 0, 0]
    assert row["pass_rate"] == 2 / 3


def test_cut_off_undecided_and_failed_attempts_keep_their_heading():
    row = only(pass_rates.by_problem(traces(attempts("p", "undecided* error*"))))
    assert counts(row) == [2, 0, 0, 0, 1, 1]


def test_without_a_decided_attempt_there_is_no_rate_and_no_difficulty():
    row = only(pass_rates.by_problem(traces(attempts("p", "incorrect* undecided error"))))
    assert [row[name] for name in (*pass_rates.RATE, "difficulty")] == [None] * 4


def test_an_unknown_is_truncated_is_not_cut_off_and_a_missing_verdict_is_undecided():
    unknown = attempts("p", "incorrect correct", is_truncated=None)
    row = only(pass_rates.by_problem(traces(unknown, attempts("p", "x", trace_id="y", verdict=None))))
    assert counts(row) == [3, 1, 1, 0, 1, 0]


def test_the_branches_of_a_trace_are_one_attempt():
    first = attempts("p", "incorrect", trace_id="t")
    second = attempts("p", "incorrect*", trace_id="t", branch=1, row_id="t/1")
    other = attempts("p", "correct", trace_id="u")
    for order in ((first, second, other), (other, second, first)):
        assert counts(only(pass_rates.by_problem(traces(*order)))) == [2, 1, 0, 1, 0, 0]


@pytest.mark.parametrize(
    ("right", "wrong", "difficulty"),
    [
        (0, 4, "unsolved"),
        (1, 4, "hard"),
        (1, 3, "hard"),  # 0.25
        (2, 5, "normal"),
        (3, 1, "normal"),  # 0.75
        (4, 1, "easy"),
        (4, 0, "solved"),
    ],
)
def test_the_bands_of_difficulty(right, wrong, difficulty):
    row = only(pass_rates.by_problem(traces(attempts("p", "correct " * right + "incorrect " * wrong))))
    assert row["difficulty"] == difficulty


def test_a_task_sums_its_problems_and_counts_their_difficulty():
    held = traces(
        attempts("a", "correct correct"),
        attempts("b", "correct incorrect"),
        attempts("c", "incorrect incorrect incorrect incorrect*"),
        attempts("d", "undecided"),
    )
    row = only(pass_rates.by_task(held))
    assert counts(row) == [9, 3, 4, 1, 1, 0]
    assert row["pass_rate"] == 3 / 7
    assert row["problems"] == 4
    assert {band: row[band] for band in pass_rates.BANDS} == {
        "solved": 1, "easy": 0, "normal": 1, "hard": 0, "unsolved": 1
    }  # fmt: skip


def test_evaluations_are_never_added_to_training_even_for_one_problem():
    held = traces(attempts("p", "correct"), attempts("p", "incorrect", kind="eval"))
    for found in (pass_rates.by_task(held), pass_rates.by_problem(held), pass_rates.by_task(held, by=[])):
        rates = found.select("kind", "attempts", "pass_rate").collect().rows()
        assert rates == [("eval", 1, 0.0), ("train", 1, 1.0)]


def test_a_task_is_what_by_says_and_a_missing_name_is_a_task_of_its_own():
    held = traces(attempts("p", "correct", model="a"), attempts("p", "incorrect"), attempts("p", "error", model=None))
    by_model = pass_rates.by_task(held, by=["model", "env_id"]).collect()
    assert by_model["model"].to_list() == ["a", "m", None]
    assert by_model["pass_rate"].to_list() == [1.0, 0.0, None]
    assert pass_rates.by_problem(held, by=["model"]).collect()["difficulty"].to_list() == [
        "solved",
        "unsolved",
        None,
    ]


def test_without_traces_there_are_no_tasks():
    assert pass_rates.by_task(traces()).collect().height == 0


# ---- as a command


def line(number: int, reward: float | None, finish: str = "stop") -> str:
    """A trace as verifiers writes it: a question, an answer, a scorer."""
    question = {"parent": None, "message": {"role": "user", "content": "2 + 2?"}, "sampled": False}
    answer = {"parent": 0, "message": {"role": "assistant", "content": f"<b>{number}"}, "sampled": True}
    score = None if reward is None else {"score": reward, "weight": 1.0}
    trace = {
        "id": f"trace-{number}",
        "env": {"id": "[sums]"},
        "task": {"type": "Task", "data": {"idx": 0, "prompt": "2 + 2?", "answer": "4"}},
        "nodes": [question, answer],
        "calls": [{"node": 1, "model": "m-1b", "finish_reason": finish, "usage": None, "error": None}],
        "rewards": {"nearness": score},
        "ok": True,
        "stop_condition": "agent_completed",
        "errors": [],
    }
    return json.dumps(trace) + "\n"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """One problem: right, right, wrong, half right, wrong and cut off, not scored."""
    log = tmp_path / "run" / "traces.jsonl"
    log.parent.mkdir()
    said = [line(0, 1.0), line(1, 1.0), line(2, 0.0), line(3, 0.5), line(4, 0.0, "length"), line(5, None)]
    log.write_text("".join(said), "utf-8")
    done = synthetic.capture(log.parent, into=tmp_path / "store")
    assert (done.captured, done.quarantined) == (6, 0)
    return tmp_path / "store"


def test_the_script_prints_the_rates_of_a_store(store):
    command = [sys.executable, "-W", "error", str(SCRIPT), str(store)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, encoding="utf-8")
    assert (done.returncode, done.stderr) == (0, "")
    # attempts, correct, incorrect, cut off, undecided, error
    (task,) = [line for line in done.stdout.splitlines() if "0.667 [0.208, 0.939]" in line and "normal" not in line]
    assert [cell.strip() for cell in task.strip("│").split("│")][:8] == [
        "eval",
        "[sums]",
        *"6 2 1 1 2 0".split(),
    ]
    assert "Problems, hardest first (1 of 1)" in done.stdout


def test_json_is_one_object_with_every_task_and_problem(store, capsys):
    assert pass_rates.main([str(store), "--by", "env_id, model", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["by"] == ["env_id", "model"]
    (task,), (problem,) = said["tasks"], said["problems"]
    assert (task["model"], task["pass_rate"], task["normal"]) == ("m-1b", 2 / 3, 1)
    assert (problem["difficulty"], problem["undecided"]) == ("normal", 2)


def test_a_recipe_decides_what_a_store_leaves_undecided(store, tmp_path):
    recipe = tmp_path / "mine.toml"
    default = (PIPELINES / "default.toml").read_text("utf-8")
    recipe.write_text(default + '[env."[sums]"]\ncorrect = "nearness >= 0.5"\n', "utf-8")
    assert counts(only(pass_rates.by_task(pass_rates.read(store)))) == [6, 2, 1, 1, 2, 0]
    assert counts(only(pass_rates.by_task(pass_rates.read(store, str(recipe))))) == [6, 3, 1, 1, 1, 0]


def test_a_release_is_read_with_the_verdicts_it_was_published_with(tmp_path):
    files = tmp_path / "data" / "traces"
    files.mkdir(parents=True)
    for bucket, rows in enumerate((attempts("p", "correct incorrect"), attempts("q", "correct"))):
        traces(rows).collect().write_parquet(files / f"train-h{bucket}-of-2.parquet")
    held = pass_rates.read(tmp_path)
    assert only(pass_rates.by_task(held))["pass_rate"] == 2 / 3
    assert pass_rates.by_problem(held).collect()["difficulty"].to_list() == ["normal", "solved"]
    with pytest.raises(SyntheticError, match="a release has its verdicts"):
        pass_rates.read(tmp_path, "default")


@pytest.mark.parametrize("column", ["modell", "messages", "verdict"])
def test_a_column_that_cannot_be_grouped_by_is_refused_with_the_choices(column):
    with pytest.raises(SyntheticError, match=f"cannot group by '{column}'; there are .*'model'"):
        pass_rates.check_by(traces(), ["env_id", column])


def test_a_folder_that_is_neither_a_store_nor_a_release_is_refused(tmp_path, capsys):
    assert pass_rates.main([str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "neither a store (no folder 'shards') nor a release (no data/traces/*.parquet)" in said.err
