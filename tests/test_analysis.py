"""The scripts `training.py` and `duplicates.py` in `pipelines/`: frames of a few rows, and the bundled run."""

import importlib
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any  # JSON

import polars as pl
import pytest

import synthetic
from synthetic import recipe as recipes
from synthetic.record import record

PIPELINES = Path(__file__).parent.parent / "pipelines"

# pipelines/ holds scripts and is no package: Python puts the folder of a script on the path, and so do we.
sys.path.insert(0, str(PIPELINES))
training = importlib.import_module("training")
duplicates = importlib.import_module("duplicates")
report = importlib.import_module("report")

DROPS = pl.List(pl.Struct({"config": pl.String, "rule": pl.String, "reason": pl.String}))


def rows(*given: Mapping[str, object]) -> pl.LazyFrame:
    """Traces of one branch, named t0, t1, … where they do not say otherwise."""
    told = []
    for number, columns in enumerate(given):
        row = {"trace_id": f"t{number}", "branch": 0, "kind": "train", "env_id": "sums", "problem_id": "p", **columns}
        told.append({"row_id": f"{row['trace_id']}/{row['branch']}", **row})
    return pl.LazyFrame(told, schema={**record().polars, "drops": DROPS})


def only(frame: pl.LazyFrame) -> dict[str, object]:
    (row,) = frame.collect().to_dicts()
    return row


# ---- training


def test_a_group_of_attempts_in_numbers():
    told = [(0.0, 100, False), (1.0, 200, False), (1.0, 300, True), (0.0, 400, False)]
    row = only(
        training.curves(
            rows(*({"step": 3, "reward": r, "completion_tokens": n, "is_truncated": cut} for r, n, cut in told))
        )
    )
    assert (row["kind"], row["env_id"], row["step"], row["attempts"]) == ("train", "sums", 3, 4)
    assert (row["reward_mean"], row["reward_median"], row["reward_p95"]) == (0.5, 0.5, 1.0)
    assert (row["length_median"], row["length_p95"]) == (250, 400)
    assert (row["truncated"], row["truncated_share"]) == (1, 0.25)
    assert row["truncated_low"] == pytest.approx(0.046, abs=0.0005)  # Wilson's interval of 1 in 4
    assert row["truncated_high"] == pytest.approx(0.699, abs=0.0005)
    # t = 3.182 of four values; their standard deviation is 0.577
    assert row["reward_high"] == pytest.approx(0.5 + 3.182 * 0.57735 / 2, abs=0.001)


@pytest.mark.parametrize(("count", "t"), [(3, 4.3027), (4, 3.1824), (5, 2.7764), (10, 2.2622), (31, 2.0423)])
def test_the_interval_of_a_mean_is_students(count, t):
    values = pl.DataFrame({"v": [float(n) for n in range(count)]})
    low, high = training.mean_interval(pl.col("v"))
    found = values.select(low=low, high=high, half=pl.col("v").std() / count**0.5).row(0, named=True)
    assert (found["high"] - found["low"]) / 2 / found["half"] == pytest.approx(t, rel=0.008)


def test_one_or_two_values_have_a_mean_and_no_interval():
    row = only(training.totals(rows({"reward": 1.0}, {"reward": 0.0})))
    assert (row["reward_mean"], row["reward_low"], row["reward_high"]) == (0.5, None, None)


def test_p95_is_the_smallest_value_that_95_percent_do_not_exceed():
    row = only(training.totals(rows(*({"completion_tokens": n} for n in range(1, 21)))))
    assert (row["length_median"], row["length_p95"]) == (10.5, 19)


def test_staleness_counts_from_the_policy_that_the_batch_trained_and_drift_from_the_start():
    # Begun by version 3, ended by 5, shipped at step 7, whose batch trains version 6.
    row = only(training.totals(rows({"policy_start": 3, "policy_end": 5, "ship_step": 7})))
    assert (row["staleness_median"], row["drift_median"]) == (3, 2)
    fresh = only(training.totals(rows({"policy_start": 6, "policy_end": 6, "ship_step": 7})))
    assert (fresh["staleness_median"], fresh["drift_median"]) == (0, 0)


def test_what_is_unknown_is_no_zero_and_is_counted_beside():
    known = {
        "reward": 4.0, "completion_tokens": 10, "is_truncated": True, "policy_start": 0, "policy_end": 1, "ship_step": 3
    }  # fmt: skip
    row = only(training.totals(rows(known, {}, {})))
    assert row["attempts"] == 3
    for name, value in {"reward": 4.0, "length": 10, "staleness": 2, "drift": 1}.items():
        assert (row[f"{name}_known"], row[f"{name}_median"], row[f"{name}_p95"]) == (1, value, value)
    assert (row["truncated_known"], row["truncated"], row["truncated_share"]) == (1, 1, 1.0)


def test_where_nothing_is_known_there_are_no_numbers():
    row = only(training.totals(rows({"reward": float("nan")}, {"ship_step": 4}, {"policy_start": 1})))
    counts = {name: value for name, value in row.items() if name.endswith("_known")}
    assert set(counts.values()) == {0}
    numbers = [name for names in training.MEASURES.values() for name in names if name not in counts]
    assert {row[name] for name in numbers} == {None}


def test_the_branches_of_a_trace_are_one_attempt():
    first = {"trace_id": "t", "reward": 1.0, "completion_tokens": 10, "policy_start": 0, "is_truncated": False}
    second = first | {"branch": 1, "completion_tokens": 30, "ship_step": 2, "is_truncated": None}
    for order in ((first, second), (second, first)):
        row = only(training.totals(rows(*order)))
        assert (row["attempts"], row["length_median"], row["staleness_median"]) == (1, 30, 1)
        assert (row["truncated_known"], row["truncated"]) == (0, None)  # one branch is not, of the other it is unknown
    row = only(training.totals(rows(first, second | {"is_truncated": True, "completion_tokens": None})))
    assert (row["truncated"], row["length_known"]) == (1, 0)


def test_evaluations_are_kept_apart_and_an_unknown_step_has_a_row_of_its_own():
    held = rows({"step": 1, "reward": 1.0}, {"step": 1, "reward": 0.0, "kind": "eval"}, {"reward": 0.5})
    found = training.curves(held).select("kind", "step", "attempts", "reward_mean").collect()
    assert found.rows() == [("eval", 1, 1, 0.0), ("train", 1, 1, 1.0), ("train", None, 1, 0.5)]


def test_agents_that_are_not_trained_and_rewound_steps_are_left_out_and_counted():
    held = rows(
        {"trainable": True, "rewound": False},
        {"trainable": None, "rewound": None},
        {"trainable": False},
        {"trainable": False, "rewound": True},
        {"rewound": True},
    )
    assert only(training.totals(held))["attempts"] == 2
    assert only(training.left_out(held)) == {"not_trained": 2, "rewound": 1}


def test_attempts_are_laid_out_over_policy_versions_several_in_a_row():
    held = rows(*({"policy_start": version, "policy_end": version + 1} for version in (0, 1, 4, 5, 6)))
    found = training.curves(held, "policy_start", every=5).select("policy_start", "attempts", "drift_median")
    assert found.collect().rows() == [(0, 3, 1.0), (5, 2, 1.0)]


# ---- duplicates


def test_copies_are_counted_within_a_problem_and_a_missing_text_is_like_nothing():
    held = rows(
        *({"problem_id": "p", "text_key": key} for key in ("a", "a", "a", "b", None, None)),
        {"problem_id": "q", "text_key": "b"},
    )
    row = only(duplicates.by_environment(held))
    assert (row["rows"], row["no_text"], row["copies"], row["largest"]) == (7, 2, 2, 3)
    assert row["copies_share"] == 2 / 5
    assert row["far_text"] == 2  # b, once at p and once at q


def test_copies_are_counted_within_training_and_within_evaluation():
    held = rows({"text_key": "a"}, {"text_key": "a", "kind": "eval"}, {"text_key": "a", "kind": "eval"})
    found = duplicates.by_environment(held).select("kind", "rows", "copies").collect()
    assert found.rows() == [("eval", 2, 1), ("train", 1, 0)]
    assert only(duplicates.groups(held, "same_text")) == {
        "problem_id": "p", "text_key": "a", "rows": 3, "problems": 1, "train": 1, "eval": 2
    }  # fmt: skip


def test_without_a_text_there_is_no_share_and_without_rows_no_environment():
    row = only(duplicates.by_environment(rows({"env_id": None})))
    assert (row["env_id"], row["copies"], row["copies_share"], row["largest"]) == (None, 0, None, None)
    assert row["problems"] == 1
    assert duplicates.by_environment(rows()).collect().height == 0


def test_one_prompt_under_two_problem_ids_is_named_and_an_unknown_prompt_is_not():
    held = rows(
        {"problem_id": "p", "prompt_key": "x"},
        {"problem_id": "p", "prompt_key": "x"},
        {"problem_id": "q", "prompt_key": "x", "env_id": "other"},
        {"problem_id": "r"},
        {"problem_id": "s"},
    )
    groups = duplicates.groups(held, "same_prompt")
    (group,) = duplicates.named(groups, held, "same_prompt").collect().to_dicts()
    assert (group["rows"], group["problems"], group["env_ids"]) == (3, 2, ["other", "sums"])
    assert group["row_ids"] == ["t0/0", "t2/0", "t1/0"]  # one of each problem first
    found = duplicates.by_environment(held).select("env_id", "problems", "same_prompt").collect()
    assert found.rows() == [("other", 1, 1), ("sums", 3, 1)]


def test_the_biggest_groups_come_first_with_three_rows_to_look_at():
    held = rows(*({"text_key": key} for key in "bbaaaac"))
    found = duplicates.named(duplicates.groups(held, "same_text"), held, "same_text").collect()
    assert found.select("text_key", "rows").rows() == [("a", 4), ("b", 2)]
    assert found["row_ids"].to_list() == [["t2/0", "t3/0", "t4/0"], ["t0/0", "t1/0"]]


def test_a_text_at_different_problems_is_a_group_and_one_at_a_single_problem_is_not():
    held = rows({"problem_id": "p", "text_key": "a"}, {"problem_id": "q", "text_key": "a"}, {"text_key": "b"})
    assert duplicates.groups(held, "far_text").collect()["text_key"].to_list() == ["a"]
    assert duplicates.groups(held, "same_text").collect().height == 0


def test_copies_over_steps_are_those_within_a_step():
    held = rows(*({"step": step, "text_key": "a"} for step in (1, 1, 2)))
    found = duplicates.by_step(held).select("step", "texts", "copies", "copies_share").collect()
    assert found.rows() == [(1, 2, 1, 0.5), (2, 1, 0, 0.0)]


def test_drops_are_counted_by_config_environment_and_rule_with_a_row_and_its_reason():
    def drop(config: str, rule: str, reason: str) -> dict[str, str]:
        return {"config": config, "rule": rule, "reason": reason}

    held = rows(
        {"drops": [drop("sft", "verified", "incorrect"), drop("other", "finished", "cut off")]},
        {"drops": [drop("sft", "verified", "error")]},
        {"drops": []},
        {"drops": [drop("sft", "unique", "same text as t2/0")]},
    )
    found = duplicates.by_rule(duplicates.published_drops(held), held).collect()
    assert found.select("config", "rule", "rows", "dropped", "share", "row_id", "reason").rows() == [
        ("other", "finished", 4, 1, 0.25, "t0/0", "cut off"),
        ("sft", "verified", 4, 2, 0.5, "t0/0", "incorrect"),
        ("sft", "unique", 4, 1, 0.25, "t3/0", "same text as t2/0"),
    ]


# ---- the recipe


def test_sft_short_keeps_rows_up_to_its_limit_and_none_of_unknown_length():
    keep = recipes.read("sft-short", name="mine").rules("sft_verified")
    (limit,) = [use for use in keep if use.name == "where"]
    held = rows({"completion_tokens": 2048}, {"completion_tokens": 2049}, {})
    assert limit.stage(held, **limit.settings).collect().rows() == [
        ("t1/0", "not: completion_tokens <= 2048"),
        ("t2/0", "unknown: completion_tokens <= 2048"),
    ]


# ---- as commands


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """The bundled run."""
    (run,) = (PIPELINES / "demo" / "run").iterdir()
    folder = tmp_path_factory.mktemp("analysis")
    assert synthetic.capture(run, into=folder / "store").quarantined == 0
    return folder / "store"


@pytest.fixture(scope="module")
def release(store):
    synthetic.release(store, to=store.parent / "release")
    return store.parent / "release"


def run(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", str(PIPELINES / f"{script}.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, encoding="utf-8")


def said(*arguments: object) -> dict[str, Any]:
    done = run(*map(str, arguments), "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_training_prints_a_line_for_the_run_and_one_for_each_step(store):
    done = run("training", store)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split("│")[1:-1] for line in done.stdout.splitlines() if "│ estimates" in line]
    assert [line[2].strip() for line in lines] == ["48", "1", "2", "3", "4", "5", "6"]
    assert "Left out: 24 traces of agents not trained, 0 of rewound steps." in done.stdout


def test_training_counts_every_trace_of_the_store_once_at_steps_and_at_policies(store):
    traces = synthetic.scan(store).filter(pl.col("trainable").ne_missing(False)).collect()
    for over in ("step", "policy_start"):
        found = said("training", store, "--over", over)
        assert sum(row["attempts"] for row in found["curves"]) == traces["trace_id"].n_unique()
        shipped = traces.filter(pl.col("ship_step").is_not_null() & pl.col("policy_start").is_not_null())
        assert sum(row["staleness_known"] for row in found["totals"]) == shipped.height


def test_a_store_and_its_release_say_the_same(store, release):
    assert said("training", store, "--every", "2") == said("training", release, "--every", "2")
    assert said("duplicates", store, "--by", "env_id,agent") == said("duplicates", release, "--by", "env_id,agent")


def test_duplicates_agrees_with_the_rule_unique(store):
    found = said("duplicates", store, "--groups", "2")
    assert found["groups"]["same_text"] > 2 == len(found["same_text"])
    assert found["same_text"][0]["rows"] >= found["same_text"][1]["rows"] > 1
    (estimates,) = [row for row in found["environments"] if row["env_id"] == "estimates"]
    (unique,) = [row for row in found["drops"] if (row["env_id"], row["rule"]) == ("estimates", "unique")]
    assert estimates["copies"] == unique["dropped"] == 1


def test_duplicates_of_a_store_follow_the_recipe_that_is_named(store, tmp_path):
    recipe = tmp_path / "mine.toml"
    short = (PIPELINES / "sft-short.toml").read_text("utf-8")
    recipe.write_text(short.replace("<= 2048", "<= 200"), "utf-8")
    found = said("duplicates", store, "--recipe", recipe)
    wide = [row for row in found["drops"] if row["rule"] == "where"]
    assert {row["config"] for row in wide} == {"sft_verified", "sft_unverified", "preference"}
    assert {row["reason"] for row in wide} == {"not: completion_tokens <= 200"}
    printed = run("duplicates", store, "--recipe", recipe)
    assert (printed.returncode, printed.stderr) == (0, "")
    assert "not: completion_tokens <= 200" in printed.stdout


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["training", "{empty}"], "neither a store"),
        (["duplicates", "{empty}"], "neither a store"),
        (["training", "{store}", "--by", "messages"], "cannot group by 'messages'"),
        (["training", "{store}", "--by", "step"], "leave them out of --by"),
        (["duplicates", "{store}", "--by", "row_id"], "'row_id' is counted"),
        (["duplicates", "{release}", "--recipe", "default"], "a release has its drops"),
        (["duplicates", "{store}", "--plot", "chart.pdf"], "a chart is a .svg or .png file"),
    ],
)
def test_what_cannot_be_done_is_said_with_what_can(store, release, tmp_path, arguments, complaint):
    done = run(*(text.format(store=store, release=release, empty=tmp_path) for text in arguments))
    assert (done.returncode, done.stdout) == (1, "")
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr
