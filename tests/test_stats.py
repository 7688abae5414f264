"""The numbers of a release, counted on frames that fit on a screen."""

import json
import tomllib

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from synthetic import expression, stats
from synthetic.errors import RecipeError
from synthetic.record import schema

TRACES = schema("traces-1")
PLAIN = {
    "branch": 0,
    "problem_id": "sum",
    "problem_cluster": "sum",
    "messages": [],
    "verdict": "correct",
    "verdict_rule": "scorer: correct",
    "reward": 1.0,
    "rewards": [{"name": "correct", "score": 1.0, "weight": 1.0}],
    "verifier": "verifiers/adding",
    "verifier_version": "0.4.0",
    "ok": True,
    "is_truncated": False,
    "model": "small-1b",
    "sampling": '{"temperature":1.0}',
    "num_turns": 1,
    "prompt_tokens": 10,
    "completion_tokens": 20,
    "framework": "prime-rl",
    "run_name": "monday",
    "kind": "train",
    "step": 1,
    "policy_start": 0,
    "policy_end": 1,
    "env_id": "adding",
    "text_form": "native",
    "text_key": None,
    "log_file": "traces.jsonl",
    "log_offset": 0,
    "log_digest": "0",
    "content_hash": "0",
    "drops": [],
    "flags": [],
}
WRONG = {"verdict": "incorrect", "reward": 0.0}
CUT = {"is_truncated": True}
GRADED = {"verdict": "undecided", "verdict_rule": "none"}


def traces(*rows):
    """Rows of the config `traces`, each given by what differs from `PLAIN`; named a, b, c, …"""
    ids = [{"row_id": f"{chr(97 + i)}/0", "trace_id": chr(97 + i)} for i in range(len(rows))]
    empty = dict.fromkeys(TRACES.names)
    whole = [empty | PLAIN | id | row for id, row in zip(ids, rows, strict=True)]
    return pl.LazyFrame(whole, schema=TRACES.polars)


def numbers(*rows, **configs):
    return stats.numbers({**configs, "traces": traces(*rows)})


def environment(*rows):
    (only,) = numbers(*rows)["environments"]
    return only


def graded(score, **more):
    return GRADED | {"reward": score, "rewards": [{"name": "score", "score": score, "weight": 1.0}]} | more


# ---- verdicts


def test_the_pass_rate_leaves_out_what_was_cut_off_unless_it_is_correct():
    counted = environment({}, CUT, WRONG, WRONG | CUT, GRADED, {"verdict": "error"})

    assert counted["pass_rate"] == pytest.approx(2 / 3)
    assert counted["attempts"] == 6
    assert [counted[v] for v in ("correct", "incorrect", "undecided", "error")] == [2, 2, 1, 1]
    assert (counted["truncated"], counted["truncated_not_correct"]) == (2, 1)


def test_a_pass_rate_over_nothing_is_unknown():
    assert environment(GRADED, WRONG | CUT)["pass_rate"] is None


def test_problems_are_solved_not_solved_or_not_decided():
    counted = environment({}, WRONG, WRONG | {"problem_id": "product"}, GRADED | {"problem_id": "root"})

    assert (counted["problems"], counted["solved"], counted["unsolved"]) == (3, 1, 1)


def test_evaluations_are_counted_apart():
    kinds = [(e["kind"], e["attempts"]) for e in numbers({}, {}, {"kind": "eval"})["environments"]]
    assert kinds == [("eval", 1), ("train", 2)]


def test_an_environment_without_a_name_is_none_and_stands_last():
    found = numbers({"env_id": None}, {"env_id": None, "env_name": "by-name"}, {"env_id": "adding"})["environments"]
    assert [e["environment"] for e in found] == ["adding", "by-name", None]


def test_rewards_that_are_missing_or_no_numbers_are_not_scored():
    counted = environment({"reward": 0.25}, {"reward": None}, {"reward": float("nan")}, {"reward": float("inf")})

    assert counted["not_scored"] == 3
    assert counted["reward"] == {"min": 0.25, "mean": 0.25, "max": 0.25}


def test_what_decided_is_counted_with_its_verdicts():
    rules = environment({}, WRONG, {"verdict_rule": "recipe: score >= 1"})["verdict_rules"]
    assert [(r["verdict_rule"], r["rows"], r["correct"]) for r in rules] == [
        ("recipe: score >= 1", 1, 1),
        ("scorer: correct", 2, 1),
    ]


# ---- lengths, drops, duplicates, runs


def test_lengths_leave_out_what_is_unknown_and_do_not_wrap():
    rows = [{"completion_tokens": n} for n in (2**31 - 1, 2**31 - 2, 5, None)]
    counted = numbers(*rows)["configs"]["traces"]["completion_tokens"]
    assert counted == {"sum": 2**32 + 2, "median": 2**31 - 2, "p95": 2**31 - 1, "max": 2**31 - 1, "unknown": 1}


def test_quantiles_are_lengths_that_occur_and_that_so_many_rows_do_not_exceed():
    rows = [{"completion_tokens": n} for n in range(1, 25)]
    counted = numbers(*rows)["configs"]["traces"]["completion_tokens"]
    assert (counted["median"], counted["p95"]) == (12, 23)  # 22 are not 95 % of 24


def test_lengths_of_nothing_are_unknown_not_zero():
    counted = numbers({"completion_tokens": None})["configs"]["traces"]["completion_tokens"]
    assert counted == {"sum": None, "median": None, "p95": None, "max": None, "unknown": 1}


def test_the_funnel_counts_rules_and_puts_reasons_that_differ_in_ids_together():
    def dropped(rule, reason):
        return {"drops": [{"config": "sft_verified", "rule": rule, "reason": reason}]}

    found = numbers(
        {},
        dropped("unique", "same text as 4b1f00aa4b1f00aa4b1f00aa4b1f00aa/0"),
        dropped("unique", "same text as 0a0b00aa4b1f00aa4b1f00aa4b1f00aa/1"),
        dropped("at_most", "beyond 4 of problem_id 4b1f00aa4b1f00aa4b1f00aa4b1f00aa"),
    )["funnel"]

    assert found == {
        "sft_verified": {
            "kept": 1,
            "dropped": [
                {
                    "rule": "at_most",
                    "rows": 1,
                    "reasons": [{"reason": "beyond 4 of problem_id …", "rows": 1}],
                    "other_reasons": 0,
                },
                {
                    "rule": "unique",
                    "rows": 2,
                    "reasons": [{"reason": "same text as …", "rows": 2}],
                    "other_reasons": 0,
                },
            ],
        }
    }


def test_the_rarer_reasons_are_counted():
    drops = [{"drops": [{"config": "x", "rule": "where", "reason": f"not {i}"}]} for i in [0, *range(7)]]
    (step,) = numbers(*drops)["funnel"]["x"]["dropped"]
    assert step["reasons"][0] == {"reason": "not 0", "rows": 2}
    assert (len(step["reasons"]), step["other_reasons"]) == (5, 2)


def test_texts_are_duplicates_only_within_a_problem():
    same = {"text_key": "k"}
    assert numbers(same, same, same | {"problem_id": "product"}, {})["duplicates"] == {
        "rows_with_text": 3,
        "distinct_texts": 2,
        "shared_texts": 1,
        "rows_sharing": 2,
        "problems_sharing": 1,
    }


def test_a_run_says_its_steps_policies_and_models():
    (run,) = numbers({"step": 3}, {"step": 7, "policy_start": 5, "policy_end": 6}, {"model": "other"})["runs"]
    assert (run["first_step"], run["last_step"]) == (1, 7)
    assert (run["first_policy"], run["last_policy"]) == (0, 6)
    assert run["models"] == ["other", "small-1b"]


def test_sampling_parameters_are_listed_with_the_commonest_first():
    rows = [{"sampling": f'{{"top_k":{n}}}'} for n in [3, *range(12)]]
    (model,) = numbers(*rows)["models"]
    assert model["sampling"][0] == {"sampling": '{"top_k":3}', "rows": 2}
    assert (len(model["sampling"]), model["other_sampling"]) == (10, 2)


def test_seeds_make_no_variants():
    texts = ['{"n":1,"seed":7}', '{"n":1,"seed":-8}', '{"n":1}', '{"seed":3,"top_k":5}', '{"seed":1}']
    (model,) = numbers(*({"sampling": text} for text in texts))["models"]
    kinds = [(kind["sampling"], kind["rows"]) for kind in model["sampling"]]
    assert kinds == [('{"n":1}', 3), ('{"top_k":5}', 1), ("{}", 1)]


def test_the_truncated_share_is_of_the_rows_whose_log_says_it():
    (model,) = numbers(CUT, {}, {"is_truncated": None})["models"]
    assert model["truncated_share"] == 0.5


def test_late_facts_tell_unknown_from_not_used():
    late = numbers({"trained_on": True}, {"trained_on": False}, {}, {"rewound": True})["late"]
    assert late == {"known": 2, "trained_on": 1, "rewound": 1}


def test_a_config_without_rows_has_zeros_and_unknowns():
    counted = stats.numbers({"traces": traces({}).clear(), "sft_verified": traces({}).clear()})
    assert counted["configs"]["sft_verified"]["rows"] == 0
    assert json.loads(json.dumps(counted, allow_nan=False)) == counted


# ---- the same rows, the same JSON


@settings(max_examples=15, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_of_rows_never_matters(random):
    rows = [
        {"reward": n / 10, "env_id": f"env{n % 3}", "sampling": f"{n % 2}", "row_id": f"{n}/0", "trace_id": f"{n}"}
        | (GRADED if n % 2 else {"reward": -0.0})
        for n in range(24)
    ]
    whole = json.dumps(stats.numbers({"traces": traces(*rows)}))
    random.shuffle(rows)
    assert json.dumps(stats.numbers({"traces": traces(*rows)})) == whole


# ---- undecided environments


def test_an_undecided_environment_shows_its_rewards_and_the_lines_that_would_decide_it():
    (entry,) = stats.undecided(traces(graded(0.0), graded(0.05), graded(0.95), graded(1.0), GRADED | {"reward": None}))

    assert entry["environment"] == "adding"
    assert (entry["rows"], entry["rewards"]["null"]) == (5, 1)
    assert [one["rows"] for one in entry["rewards"]["bins"]] == [2, 0, 0, 0, 0, 0, 0, 0, 0, 2]
    assert entry["rewards"]["bins"][9] == {"from": 0.9, "to": 1.0, "rows": 2}
    assert entry["recipe"] == '[env."adding"]\ncorrect = "score >= 1"'


def test_equal_rewards_make_one_bin():
    (entry,) = stats.undecided(traces(graded(0.5), graded(0.5)))
    assert entry["rewards"]["bins"] == [{"from": 0.5, "to": 0.5, "rows": 2}]


def test_a_histogram_of_the_widest_range_does_not_overflow():
    (entry,) = stats.undecided(traces(graded(-1e308), graded(1e308), graded(0.0)))
    assert [one["rows"] for one in entry["rewards"]["bins"]] == [1, 0, 0, 0, 0, 1, 0, 0, 0, 1]


def test_another_scale_proposes_its_greatest_score():
    (entry,) = stats.undecided(traces(graded(-84.0), graded(0.53)))
    assert entry["recipe"] == '[env."adding"]\ncorrect = "score >= 0.53"'


def test_the_scorer_with_the_most_values_is_proposed():
    def two(style, score):
        return GRADED | {"rewards": [{"name": n, "score": s} for n, s in (("style", style), ("grade", score))]}

    (entry,) = stats.undecided(traces(two(1.0, 0.1), two(1.0, 0.9)))
    assert entry["recipe"] == '[env."adding"]\ncorrect = "grade > 0.7"'


def test_a_scorer_that_is_called_like_a_column_cannot_be_proposed():
    row = GRADED | {"reward": 0.5, "rewards": [{"name": "step", "score": 0.5}]}
    (entry,) = stats.undecided(traces(row))
    assert entry["recipe"] == '[env."adding"]\ncorrect = "reward > 0.7"'


def test_rows_that_nobody_scored_or_trained_propose_nothing():
    (entry,) = stats.undecided(traces(GRADED | {"reward": None, "rewards": None}))
    assert entry["recipe"] is None
    assert stats.undecided(traces(graded(0.5, trainable=False))) == []


@settings(max_examples=60, deadline=None)
@given(st.text(min_size=1, max_size=8), st.text(min_size=1, max_size=8))
@example("adding", "*")
@example("adding", "^a.*$")
def test_proposed_lines_are_toml_that_names_environment_and_scorer_whatever_they_are_called(env, scorer):
    row = GRADED | {"env_id": env, "reward": None, "rewards": [{"name": scorer, "score": 0.5}]}
    (entry,) = stats.undecided(traces(row))
    if scorer == "*" or (scorer.startswith("^") and scorer.endswith("$")):
        assert entry["recipe"] is None  # polars takes it for a pattern of columns, whatever stands around it
    elif scorer not in TRACES.names:
        ((found, table),) = tomllib.loads(entry["recipe"])["env"].items()
        assert found == env
        assert expression.names(table["correct"], "here") == [scorer]
        assert all(c.isprintable() or c == "\n" for c in entry["recipe"])


# ---- by any columns


def test_counts_by_columns():
    rows = stats.by(traces({}, WRONG | {"completion_tokens": None}, {"env_id": None, "reward": None}), ["env_id"])
    assert rows.select("env_id", "rows", "correct", "pass_rate", "mean_reward", "not_scored").rows() == [
        ("adding", 2, 1, 0.5, 0.5, 0),
        (None, 1, 1, 1.0, None, 1),
    ]


def test_counts_by_columns_of_a_store_without_verdicts():
    rows = stats.by(traces({}, {}).drop("verdict", "verdict_rule", "drops"), ["model", "step"])
    assert rows.select("model", "step", "rows", "completion_tokens_median").rows() == [("small-1b", 1, 2, 20)]
    assert "correct" not in rows.columns


def test_counts_by_a_column_that_is_also_counted():
    assert stats.by(traces({}, WRONG), ["verdict", "is_truncated"]).height == 2


@pytest.mark.parametrize("column", ["modle", "messages", "reward"])
def test_counts_by_a_column_that_cannot_be_refuse_it_with_the_choices(column):
    with pytest.raises(RecipeError, match=rf"cannot count by '{column}'; there are \['row_id', "):
        stats.by(traces({}), [column])


def test_what_verified_an_environment_counts_what_it_left_open_and_what_null_means():
    rows = [
        {},
        WRONG | {"verifier_version": None},
        {"verdict": "error", "verdict_rule": "failed", "reward": None, "ok": False},
        {"verdict": "undecided", "verdict_rule": "none", "reward": None},
        {"verdict": "undecided", "verdict_rule": "none", "reward": float("nan")},
    ]
    versioned, unversioned = stats.numbers({"traces": traces(*rows)})["verification"]
    assert versioned == {
        "environment": "adding",
        "kind": "train",
        "verifier": "verifiers/adding",
        "verifier_version": "0.4.0",
        "attempts": 4,
        "undecided": 2,
        "error": 1,
        "null_failed": 1,
        "null_unscored": 2,
        "rules": ["failed", "none", "scorer: correct"],
    }
    assert (unversioned["verifier_version"], unversioned["attempts"], unversioned["null_unscored"]) == (None, 1, 0)
