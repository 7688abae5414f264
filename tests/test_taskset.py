"""The problems of a release as a package: what is in it, and what verifiers makes of it.

Verifiers itself plays it against a scripted server where it is installed (the extra `train`).
"""

import importlib
import importlib.util
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import polars as pl
import pytest

import synthetic
from synthetic.errors import NothingKept, SyntheticError
from synthetic.resources import folder
from tests.logs.generate.server import MODEL, serving
from tests.releases import attempt, command, store, tree
from tests.rows import said

GENERATE = Path(__file__).parent / "logs" / "generate"
RECIPE = '[sft_verified]\nkeep = [{ rule = "verified" }]\n[rl_tasks]\n'

START = "from verifiers.v1.cli.eval.main import main; main()"

needs_verifiers = pytest.mark.skipif(
    importlib.util.find_spec("verifiers") is None, reason="verifiers is not installed: make train"
)


def problem(number, **columns):
    """An attempt at a problem that has a right answer: twice its number."""
    info = {"ground_truth": str(2 * number), "verification_info": json.dumps({"answer": str(2 * number)})}
    return attempt(number, 0, **(info | columns))


def released(tmp_path, rows, recipe=RECIPE, name="r"):
    (tmp_path / "recipe.toml").write_text(recipe, "utf-8")
    synthetic.release(store(tmp_path / f"store of {name}", rows), to=tmp_path / name, recipe=tmp_path / "recipe.toml")
    return tmp_path / name


def tasks(package):
    return pl.read_parquet(sorted(package.glob("*/tasks/*.parquet"))).sort("name")


# ---- what is in it


def test_a_task_is_a_problem_with_its_prompt_its_answer_and_how_hard_it_was(tmp_path):
    asked = [said("system", "Be brief."), said("user", "1 + 1?"), said("assistant", "2")]
    rows = [problem(1, messages=asked, num_prompt_messages=2, native_problem_id="one"), problem(2)]
    made = synthetic.taskset(released(tmp_path, rows), to=tmp_path / "t")
    assert (made.rows, made.left_out, made.name) == (2, {}, "r-tasks")
    one = tasks(tmp_path / "t").filter(pl.col("name") == "one").row(0, named=True)
    assert (one["system_prompt"], one["answer"], one["pass_rate"]) == ("Be brief.", "2", 1.0)
    assert one["prompt"] == [{"role": "user", "content": "1 + 1?"}]
    assert one["difficulty_band"] == "solved"
    project = tomllib.loads((tmp_path / "t" / "pyproject.toml").read_text("utf-8"))
    assert project["project"]["name"] == "r-tasks"
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == ["r_tasks"]


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({"tools": '[{"type":"function","function":{"name":"add","parameters":{}}}]'}, "with tools"),
        ({"ground_truth": None, "verification_info": None}, "without an answer to compare with"),
        ({"ground_truth": "one\ntwo"}, "whose right answer is no single value"),
        ({"ground_truth": "x" * 201}, "whose right answer is no single value"),
        ({"ground_truth": '{"func_name": "validate_word"}'}, "whose right answer is no single value"),
        ({"verification_info": '{"test_cases":[]}'}, "of the shape code_tests"),
        ({"messages": [said("user", None), said("assistant", "2")]}, "whose prompt is not of text alone"),
    ],
)
def test_what_comparing_answers_cannot_score_is_left_out_and_counted(tmp_path, columns, why):
    made = synthetic.taskset(released(tmp_path, [problem(1, **columns), problem(2)]), to=tmp_path / "t")
    assert made.rows == tasks(tmp_path / "t").height == 1
    ((told, count),) = made.left_out.items()
    assert told.startswith(why)
    assert count == 1
    assert f"1 problem {told}" in (tmp_path / "t" / "README.md").read_text("utf-8").replace("`", "")


def test_nothing_that_a_log_wrote_gets_into_code(tmp_path):
    hostile = '"""\nimport os; os.system("x")\n\'\'\' {{ 7*7 }} ]]> <script>'
    rows = [
        problem(1, env_id=hostile, native_problem_id=hostile, messages=[said("user", hostile), said("assistant", "2")])
    ]
    name = "A.B_c-1"
    package = tmp_path / "t"
    made = synthetic.taskset(released(tmp_path, rows, f"name = {json.dumps(name)}\n{RECIPE}"), to=package)
    assert made.name == "a-b-c-1-tasks"
    code = {path.name: path.read_text("utf-8") for path in package.rglob("*.py")}
    assert code["taskset.py"] == (folder("pipelines") / "taskset" / "taskset.py").read_text("utf-8")
    assert all("os.system" not in path.read_text("utf-8") for path in package.rglob("*.*") if path.suffix != ".parquet")
    assert tasks(package)["prompt"].to_list() == [[{"role": "user", "content": hostile}]]


def test_splits_are_kept_apart(tmp_path):
    path = released(tmp_path, [problem(number) for number in range(40)], f"{RECIPE}[split]\nvalidation = 0.3\n")
    synthetic.taskset(path, to=tmp_path / "t")
    split = {part: len(pl.read_parquet(f"{tmp_path}/t/*/tasks/{part}-*.parquet")) for part in ("train", "validation")}
    assert sum(split.values()) == 40
    assert all(split.values())


def test_the_same_release_gives_the_same_bytes_and_another_folder_is_left_alone(tmp_path):
    path = released(tmp_path, [problem(1)])
    synthetic.taskset(path, to=tmp_path / "t")
    before = tree(tmp_path / "t")
    synthetic.taskset(path, to=tmp_path / "t")
    assert tree(tmp_path / "t") == before
    (tmp_path / "mine").mkdir()
    with pytest.raises(SyntheticError, match="is there already"):
        synthetic.taskset(path, to=tmp_path / "mine")


def test_a_release_without_problems_or_without_answers_says_so(tmp_path):
    none = released(tmp_path, [problem(1)], f"{RECIPE}keep = [{{ where = \"problem_id == 'x'\" }}]\n", name="none")
    with pytest.raises(SyntheticError, match="has no rl_tasks"):
        synthetic.taskset(none, to=tmp_path / "t")
    bare = released(tmp_path, [problem(1, ground_truth=None, verification_info=None)], name="bare")
    for _ in range(2):  # what was begun is no obstacle
        with pytest.raises(NothingKept, match="1 without an answer to compare with"):
            synthetic.taskset(bare, to=tmp_path / "t")


def test_the_command_writes_it_beside_the_release_and_says_what_to_type(tmp_path):
    (tmp_path / "recipe.toml").write_text(RECIPE, "utf-8")
    line: list[str | Path] = [
        "release",
        store(tmp_path / "store", [problem(1)]),
        "--to",
        "my",
        "--recipe",
        "recipe.toml",
        "--taskset",
    ]
    done = command(*line, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "my-tasks  1 problem  →  my.taskset" in done.stdout
    assert "pip install ./my.taskset && vf-eval my-tasks" in done.stdout
    assert json.loads(command(*line, "--json", cwd=tmp_path).stdout)["taskset"]["rows"] == 1
    assert json.loads(command(*line[:-1], "--json", cwd=tmp_path).stdout)["taskset"] is None


# ---- what verifiers makes of it


@needs_verifiers
def test_verifiers_plays_it_and_scores_right_and_wrong_answers(tmp_path):
    rows = [problem(number, native_problem_id=f"n{number}") for number in range(1, 6)]
    rows += [attempt(5, 1, recorded_verdict=False, reward=0.0, ground_truth="10", native_problem_id="n5")]
    synthetic.taskset(released(tmp_path, rows), to=tmp_path / "t")
    replies = {
        1: {"text": "So it is \\boxed{2}."},
        2: {"text": "\\boxed{\\frac{8}{2}}"},
        3: {"text": "<think>\\boxed{6}</think> The answer is 7."},
        4: {"text": "I do not know."},
        5: {"text": "The answer is 10", "reasoning": "5 twice"},
    }
    scenes = [{"needle": f"What is {n} + {n}?", "replies": [reply]} for n, reply in replies.items()]
    (tmp_path / "scenes.json").write_text(json.dumps(scenes))
    places = [tmp_path / "t", GENERATE / "v0_4_0"]
    with serving(tmp_path / "scenes.json", "t") as (url, script):
        run = [sys.executable, "-c", START, "r-tasks", "-m", MODEL, "--client.base-url", url]
        run += ["--env.agent.harness.id", "chat", "--env.agent.runtime.type", "subprocess", "--no-push", "--no-rich"]
        run += ["--output-dir", str(tmp_path), "--run.name", "out"]
        env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "OPENAI_API_KEY": "none", "PRIME_RUNS_MODE": "disabled"}
        env["PYTHONPATH"] = ":".join(map(str, places))
        done = subprocess.run(run, env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        assert not script.left_over()
    synthetic.capture(tmp_path / "out", into=tmp_path / "again")
    found = synthetic.scan(tmp_path / "again").select("native_problem_id", "reward", "ground_truth").collect()
    scored = dict(zip(found["ground_truth"], found["reward"], strict=True))
    assert scored == {"2": 1.0, "4": 1.0, "6": 0.0, "8": 0.0, "10": 1.0}


@needs_verifiers
def test_bands_and_splits_choose_what_is_loaded(tmp_path):
    rows = [problem(number) for number in range(1, 5)]
    rows += [attempt(4, 1, recorded_verdict=False, reward=0.0, ground_truth="8")]
    synthetic.taskset(released(tmp_path, rows), to=tmp_path / "t")
    code = """
import sys
import verifiers.v1 as vf
from r_tasks import ReleasedTaskset
from r_tasks.taskset import ReleasedConfig, last_answer
every = list(ReleasedTaskset(ReleasedConfig()))
assert len({task.key for task in every}) == 4
assert all(task.data.prompt.startswith("What is") for task in every)
assert [task.data.answer for task in ReleasedTaskset(ReleasedConfig(bands=["normal"]))] == ["8"]
assert not list(ReleasedTaskset(ReleasedConfig(split="validation")))
assert last_answer("<think>it is 7") is None
assert last_answer("x #### 12") == "12" and last_answer("<answer> b </answer>") == " b "
"""
    run = [sys.executable, "-c", code]
    subprocess.run(run, cwd=tmp_path / "t", check=True, capture_output=True)


RIGHT = [
    ("NO.", "no"),
    ("\\text{cat  dog}", "cat dog"),
    ("12\\text{km}", "12 km"),
    ("(B)", "b"),
    ("1011_{2}", "1011_2"),
    ("2024-01-02", "2024-01-02"),
    ("\\frac{1}{2}", "0.5"),
    ("r^2\\pi", "\\pi r^2"),
    ("1,000", "1000"),
    ("12\\text{ cm}", "12"),
    ("5 apples", "5"),
    ("73", "073"),
    ("2, \\frac{6}{2}", "2,3"),
    ("\\{2,1\\}", "\\{1,2\\}"),
]
WRONG = [
    ("on", "no"),
    ("dog cat", "cat dog"),
    ("BA", "AB"),
    ("b a", "a b"),
    ("x f", "f(x)"),
    ("\\mathrm{OC}", "\\mathrm{CO}"),
    ("2024-01-02", "2024-02-01"),
    ("30:12", "12:30"),
    ("12 km", "12 m"),
    ("12 m", "12 km"),
    ("12\\text{ km}", "12\\text{ m}"),
    ("12\\text{ hours}", "12\\text{ days}"),
    ("5 million", "5"),
    ("e5 e4", "e4 e5"),
    ("OH2", "H2O"),
    ("12a", "a12"),
    ("13 12", "12 13"),
    ("1011", "1011_2"),
    ("3, 2, 1", "1, 2, 3"),
    ("(2,1)", "(1,2)"),
    ("5, 6", "5"),
    ("5 or 6", "5"),
    ("-5", "5"),
    ("9" * 600, "9" * 200),
]


@needs_verifiers
@pytest.mark.parametrize(("pairs", "score"), [(RIGHT, 1.0), (WRONG, 0.0)], ids=["right", "wrong"])
def test_an_answer_is_compared_as_text_unless_it_is_mathematics(pairs, score, monkeypatch):
    monkeypatch.syspath_prepend(str(folder("pipelines") / "taskset"))
    taskset = importlib.import_module("taskset")
    scored = {pair: taskset.compared(f"So \\boxed{{{pair[0]}}}", pair[1]) for pair in pairs}
    assert scored == dict.fromkeys(pairs, score)
