"""rl_tasks: one row for each problem, its difficulty counted honestly."""

import json
import math
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import synthetic
from synthetic.errors import RecipeError
from synthetic.record import digest
from synthetic.views import VIEWS
from tests.releases import LOGS, attempt, attempts, config_rows, store
from tests.rows import frame, said, trace

VIEW = VIEWS["rl_tasks"]
SMALL = {"model": "small-1b", "sampling": '{"max_tokens":16384,"temperature":0.6}'}
BIG = {"model": "big-70b", "sampling": '{"max_completion_tokens":32768,"temperature":1.0}'}


def made(*rows, environments=None):
    """The rows of rl_tasks that these make."""
    shaped = VIEW.shape(frame(rows), thinking="field", environments=environments or {})
    assert VIEW.gathers
    return VIEW.gathers(shaped).collect().to_dicts()


def tried(id, verdict, problem="p", **columns):
    rewards = {"correct": 1.0, "incorrect": 0.0}
    return trace(id, **({"verdict": verdict, "problem_id": problem, "reward": rewards.get(verdict)} | columns))


def wilson(right, n):
    """The interval by its textbook formula."""
    z, p = 1.959963984540054, right / n
    centre, half = (p + z * z / (2 * n)), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (centre - half) / (1 + z * z / n), (centre + half) / (1 + z * z / n)


def test_truncation_is_no_difficulty_and_no_score_is_no_failure():
    (row,) = made(
        tried("a", "correct"),
        tried("b", "correct", is_truncated=True),
        tried("c", "incorrect"),
        tried("d", "incorrect", is_truncated=True),
        tried("e", "undecided", is_truncated=True),
        tried("f", "undecided"),
        tried("g", "error", is_truncated=True),
        tried("h", "incorrect", is_truncated=None),
    )
    counted = {name: row[name] for name in ("attempts", "correct", "incorrect", "truncated", "errors", "undecided")}
    assert counted == {"attempts": 8, "correct": 2, "incorrect": 2, "truncated": 2, "errors": 1, "undecided": 1}
    assert row["pass_rate"] == 0.5
    assert (row["pass_rate_low"], row["pass_rate_high"]) == pytest.approx(wilson(2, 4))


def test_difficulty_is_of_a_model_and_its_limits():
    (row,) = made(
        *(
            tried(f"s{n}", "correct" if n < 1 else "incorrect", policy_start=n, policy_end=n + 1, **SMALL)
            for n in range(4)
        ),
        *(tried(f"b{n}", "correct", verdict_rule="log", **BIG) for n in range(2)),
        tried("x", "error", **BIG),
    )
    big, small = row["difficulty"]
    assert (big["model"], big["max_tokens"], big["temperature"]) == ("big-70b", 32768, 1.0)
    assert (big["n_samples"], big["n_scored"], big["n_errors"], big["pass_rate"], big["ci_high"]) == (3, 2, 1, 1.0, 1.0)
    assert (small["max_tokens"], small["pass_rate"], small["mean_reward"]) == (16384, 0.25, 0.25)
    assert (small["policy_first"], small["policy_last"], big["verdict_rule"]) == (0, 4, "log")
    assert (row["attempts"], row["pass_rate"]) == (7, 0.5)


def test_the_same_model_under_two_limits_is_two_difficulties():
    (row,) = made(tried("a", "correct", **SMALL), tried("b", "incorrect", **(SMALL | {"sampling": '{"max_tokens":9}'})))
    assert [(each["max_tokens"], each["pass_rate"]) for each in row["difficulty"]] == [(9, 0.0), (16384, 1.0)]


@pytest.mark.parametrize(
    ("right", "wrong", "band"),
    [(0, 4, "unsolved"), (1, 3, "hard"), (2, 6, "hard"), (3, 5, "normal"), (3, 1, "normal"), (7, 1, "easy"),
     (4, 0, "solved"), (0, 0, None)],
)  # fmt: skip
def test_bands(right, wrong, band):
    rows = [tried(f"r{n}", "correct") for n in range(right)] + [tried(f"w{n}", "incorrect") for n in range(wrong)]
    (row,) = made(*rows, tried("u", "undecided"))
    assert row["difficulty_band"] == band
    assert (row["pass_rate"] is None) == (band is None)


def test_only_first_branches_of_trained_agents_are_attempts():
    (row,) = made(
        tried("a", "correct"), tried("a/1", "correct"), tried("b", "incorrect", trainable=False, model="simulator")
    )
    assert (row["attempts"], [each["n_samples"] for each in row["difficulty"]]) == (1, [1])


@pytest.mark.parametrize(
    ("info", "truth", "kind"),
    [
        ('{"test_cases":"[]"}', None, "code_tests"),
        ('{"ground_truth":"x","scrambled":"y"}', "x", "unscramble"),
        ('{"reasoning_gym_dataset":"sums","reasoning_gym_entry":{"a":1}}', "x", "reasoning_gym"),
        ('{"ground_truth":{"func_name":"f"}}', None, "ground_truth"),
        ('{"something":"else"}', None, "other"),
        ('{"answer":"7","kind":"sum"}', "7", "answer"),
        (None, 'a "quoted" \u2028 answer', "ground_truth"),
        (None, None, None),
    ],
)
def test_verification_info_has_a_shape_with_a_name(info, truth, kind):
    (row,) = made(tried("a", "correct", verification_info=info, ground_truth=truth))
    assert row["verification_schema"] == kind
    if info is None and truth is not None:
        assert json.loads(row["verification_info"]) == {"ground_truth": truth}
    else:
        assert row["verification_info"] == info


def test_what_any_attempt_says_of_the_problem_counts():
    (row,) = made(
        tried("a", "correct"), tried("b", "incorrect", ground_truth="4", native_problem_id="n-1", run_name="r")
    )
    assert (row["ground_truth"], row["native_problem_id"], row["run_names"]) == ("4", "n-1", ["r"])
    assert row["prompt"][0]["content"] == "how many p?"


VERDICTS = st.sampled_from(["correct", "incorrect", "undecided", "error"])
ROWS = st.lists(
    st.tuples(st.sampled_from("pq"), VERDICTS, st.booleans(), st.sampled_from([SMALL, BIG])), min_size=1, max_size=30
)


@given(ROWS, st.randoms())
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
def test_counts_add_up_whatever_the_order(rows, random):
    traces = [
        tried(f"t{n}", verdict, problem, is_truncated=cut, **by) for n, (problem, verdict, cut, by) in enumerate(rows)
    ]
    found = made(*traces)
    assert len(found) == len({problem for problem, *_ in rows})
    for row in found:
        mine = [each for each in rows if each[0] == row["problem_id"]]
        parts = ("correct", "incorrect", "truncated", "errors", "undecided")
        assert sum(row[name] for name in parts) == row["attempts"] == len(mine)
        right = sum(verdict == "correct" for _, verdict, _, _ in mine)
        wrong = sum(verdict == "incorrect" and not cut for _, verdict, cut, _ in mine)
        assert row["pass_rate"] == (right / (right + wrong) if right + wrong else None)
        if row["pass_rate"] is not None:
            assert 0 <= row["pass_rate_low"] <= row["pass_rate"] <= row["pass_rate_high"] <= 1
        assert sum(each["n_samples"] for each in row["difficulty"]) == len(mine)
    random.shuffle(traces)
    assert made(*traces) == found


# ---- in a release


def test_a_release_has_a_row_for_each_problem_and_counts_what_other_configs_drop(tmp_path):
    synthetic.release(store(tmp_path / "store"), to=tmp_path / "release")
    rows = config_rows(tmp_path / "release", "rl_tasks")
    assert rows["problem_id"].is_sorted()
    assert rows.height == 12
    assert set(rows.select("attempts", "correct", "incorrect", "truncated", "errors").iter_rows()) == {(6, 3, 1, 1, 1)}
    card = (tmp_path / "release" / "README.md").read_text("utf-8")
    assert "\n| 0 | 0 | 12 | 0 | 0 | 0 |\n\n| Environment |" in card
    assert "| `sums` | *not recorded* | 12 | 72 | 36 | 12 | 12 | 12 | 0 | 75.0 % | 61.2 % to 85.1 % |" in card
    assert synthetic.check(tmp_path / "release").problems == []


def test_problems_without_a_prompt_are_left_out_with_a_reason(tmp_path):
    silent = [attempt(50, n, num_prompt_messages=0, messages=[said("assistant", "2")]) for n in range(2)]
    synthetic.release(store(tmp_path / "store", [*attempts(2), *silent]), to=tmp_path / "release")
    assert config_rows(tmp_path / "release", "rl_tasks").height == 2
    drops = config_rows(tmp_path / "release", "traces")["drops"].explode().drop_nulls().struct.unnest()
    said_of = drops.filter(pl.col("config") == "rl_tasks")
    assert set(said_of.select("rule", "reason").iter_rows()) == {("prompted", "the log has no prompt")}


RECIPE = """
[[keep]]
rule = "finished"
[sft_verified]
keep = [{ rule = "verified" }]
[rl_tasks]
keep = [%s]
"""


def released(folder: Path, rule: str):
    (folder / "recipe.toml").write_text(RECIPE % rule)
    return synthetic.release(store(folder / "store"), to=folder / "release", recipe=folder / "recipe.toml")


def test_a_rule_that_would_bias_pass_rates_is_refused(tmp_path):
    with pytest.raises(RecipeError) as error:
        released(tmp_path, '{ where = "completion_tokens < 12" }')
    assert "pass rates would be of what it left" in str(error.value)
    assert "[rl_tasks], rule 1" in str(error.value)


def test_a_rule_about_problems_is_taken(tmp_path):
    keep = digest("problem 3")
    released(tmp_path, f"{{ where = \"problem_id = '{keep}'\" }}")
    rows = config_rows(tmp_path / "release", "rl_tasks")
    assert (rows["problem_id"].to_list(), rows["attempts"].to_list()) == ([keep], [6])
    assert synthetic.check(tmp_path / "release").problems == []


def test_the_card_says_so_when_logs_were_filtered_before_they_were_written(tmp_path):
    for name in ("verl/legacy", "prime_rl_a"):
        folder = tmp_path / name
        synthetic.capture(LOGS / name, into=folder / "s")
        synthetic.release(folder / "s", to=folder / "r", include_eval=True)
        card = (folder / "r" / "README.md").read_text("utf-8")
        assert ("Where groups are filtered before training (DAPO), their prompts are not dumped." in card) == (
            name == "verl/legacy"
        )
        assert ("these logs were filtered before they were written" in card) == (name == "verl/legacy")
        assert synthetic.check(folder / "r").problems == []
