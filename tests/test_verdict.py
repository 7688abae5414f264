"""Verdicts: what decides, in which order, and that nothing else ever does."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthetic.errors import RecipeError
from synthetic.measures import MEASURES
from synthetic.measures.problem_pass_rate import problem_pass_rate
from synthetic.measures.verdict import JUDGES, verdict
from tests.rows import frame, score, trace

NAN, INF = float("nan"), float("inf")
CORRECT, INCORRECT, UNDECIDED, ERROR = "correct", "incorrect", "undecided", "error"


def verdicts(*rows, **correct):
    """Verdict and what decided it, of each row."""
    settings = {"correct": correct.get("correct", {})}
    given = frame(rows).select(verdict.columns(settings))
    found = verdict(given, **settings).collect()
    assert found["row_id"].to_list() == [row["row_id"] for row in rows]
    assert found.null_count().row(0) == (0, 0, 0)
    return list(found.select("verdict", "verdict_rule").iter_rows())


def one(correct=None, **columns):
    return verdicts(trace("a", **columns), correct=correct or {})[0]


# ---- the order


def test_each_deciding_fact_stands_back_for_those_before_it():
    row = {"ok": False, "recorded_verdict": False, "env_id": "e", "reward": 1.0, "rewards": [score("acc", 0.0)]}
    correct = {"e": "reward >= 1"}
    assert one(correct, **row) == (ERROR, "failed")
    row["ok"] = True
    assert one(correct, **row) == (INCORRECT, "log")
    row["recorded_verdict"] = True
    assert one(correct, **row) == (CORRECT, "log")
    row["recorded_verdict"] = None
    assert one(correct, **row) == (CORRECT, "recipe: reward >= 1")
    row["env_id"] = "other"
    assert one(correct, **row) == (INCORRECT, "scorer: acc")
    row["rewards"] = [score("mine", 1.0)]
    assert one(correct, **row) == (CORRECT, "only scorer: mine")
    row["rewards"] = [score("mine", 1.0), score("style", 1.0)]
    assert one(correct, **row) == (UNDECIDED, "none")


def test_a_failed_attempt_is_neither_right_nor_wrong():
    assert one(ok=False, recorded_verdict=True, rewards=[score("correct", 1.0)]) == (ERROR, "failed")


# ---- the recipe's expression


def test_an_expression_that_gives_null_leaves_the_row_undecided():
    """Scorers are not asked: the recipe says what decides in this environment."""
    row = {"env_id": "e", "rewards": [score("correct", 1.0)]}
    assert one({"e": "reward >= 1"}, **row) == (UNDECIDED, "recipe: reward >= 1")
    assert one({"e": "null"}, **row) == (UNDECIDED, "recipe: null")
    assert one({"e": "speed > 1"}, **row) == (UNDECIDED, "recipe: speed > 1")


@pytest.mark.parametrize("reward", [NAN, INF, -INF, None])
@pytest.mark.parametrize("text", ["reward >= 1", "reward <= 1", "not (reward < 1)", "reward != 0"])
def test_a_reward_that_is_no_number_is_never_correct(reward, text):
    assert one({"e": text}, env_id="e", reward=reward) == (UNDECIDED, f"recipe: {text}")


def test_a_ratio_over_zero_is_never_correct():
    row = {"env_id": "e", "rewards": [score("right", 0.0), score("total", 0.0)]}
    assert one({"e": "right / total >= 0.5"}, **row) == (UNDECIDED, "recipe: right / total >= 0.5")


def test_an_environment_is_known_by_its_id_else_by_its_name():
    correct = {"id": "reward >= 1", "name": "reward >= 2"}
    rows = [
        trace("by id", env_id="id", env_name="name", reward=1.0),
        trace("by name", env_id="else", env_name="name", reward=1.0),
        trace("no id", env_id=None, env_name="name", reward=2.0),
        trace("id as name", env_id=None, env_name="id", reward=1.0),
        trace("neither", env_id=None, env_name=None, reward=2.0),
    ]
    first, second = "recipe: reward >= 1", "recipe: reward >= 2"
    expected = [(CORRECT, first), (INCORRECT, second), (CORRECT, second), (CORRECT, first), (UNDECIDED, "none")]
    assert verdicts(*rows, correct=correct) == expected
    backwards = dict(reversed(correct.items()))
    assert verdicts(*rows, correct=backwards) == expected


def test_several_environments_are_judged_each_by_its_own():
    correct = {"a": "reward >= 1", "b": "style > 0.5", 'odd "name"': "reward < 0", "absent": "nothing = 1"}
    rows = [
        trace("1", env_id="a", reward=1.0, rewards=[score("style", 0.0)]),
        trace("2", env_id="b", reward=0.0, rewards=[score("style", 1.0)]),
        trace("3", env_id='odd "name"', reward=1.0),
        trace("4", env_id="c", reward=1.0),
    ]
    assert [said for said, _ in verdicts(*rows, correct=correct)] == [CORRECT, CORRECT, INCORRECT, UNDECIDED]


def test_an_expression_may_use_metrics_and_columns_together():
    row = {"env_id": "e", "reward": 1.0, "metrics": {"tests passed": 3}, "model": "m"}
    assert one({"e": "\"tests passed\" >= 3 and model = 'm' and reward > 0"}, **row)[0] == CORRECT


def test_an_expression_that_is_no_condition_is_refused():
    with pytest.raises(RecipeError, match=r'env."e".correct: .reward. is a Float64, not a condition'):
        one({"e": "reward"}, env_id="e")


# ---- scorers


@pytest.mark.parametrize("name", JUDGES)
def test_a_scorer_that_judges_decides_beside_others(name):
    others = [score("format", 0.0), score("length", 0.3)]
    assert one(rewards=[*others, score(name, 1.0)]) == (CORRECT, f"scorer: {name}")
    assert one(rewards=[score(name, 0.0), *others]) == (INCORRECT, f"scorer: {name}")


@pytest.mark.parametrize("value", [0.999, 1.0000001, 0.001, -1.0, 2.0, 10.0, NAN, INF, None])
def test_a_score_that_is_not_exactly_0_or_1_decides_nothing(value):
    assert one(rewards=[score("correct", value)]) == (UNDECIDED, "none")
    assert one(rewards=[score("mine", value)]) == (UNDECIDED, "none")
    assert one(rewards=[score("correct", value), score("style", 1.0)]) == (UNDECIDED, "none")


def test_minus_zero_is_zero():
    assert one(rewards=[score("mine", -0.0)]) == (INCORRECT, "only scorer: mine")


def test_a_judge_without_a_verdict_leaves_it_to_the_next_judge():
    assert one(rewards=[score("accuracy", 0.5), score("pass", 1.0)]) == (CORRECT, "scorer: pass")


def test_judges_that_disagree_decide_nothing():
    assert one(rewards=[score("acc", 1.0), score("exact_match", 0.0)]) == (UNDECIDED, "scorers disagree")
    assert one(rewards=[score("acc", 1.0), score("exact_match", 1.0)]) == (CORRECT, "scorer: acc")


@pytest.mark.parametrize("name", ["Correct", "correctness_reward", "format", "correct ", ""])
def test_a_scorer_of_another_name_does_not_judge(name):
    assert one(rewards=[score(name, 1.0), score("style", 1.0)]) == (UNDECIDED, "none")


def test_two_scorers_are_not_one():
    assert one(rewards=[score("mine", 1.0), score("yours", None)]) == (UNDECIDED, "none")


def test_a_scorer_without_a_name_is_said_to_have_none():
    assert one(rewards=[score(None, 0.0)]) == (INCORRECT, "only scorer: unnamed")


@pytest.mark.parametrize("reward", [0.0, 1.0, 0.5, 10.0])
def test_a_sum_of_rewards_never_decides(reward):
    weighted = [score("style", 1.0, 0.5), score("length", 1.0, 0.5)]
    assert one(reward=reward, rewards=weighted) == (UNDECIDED, "none")
    assert one(reward=reward, rewards=[]) == (UNDECIDED, "none")
    assert one(reward=reward, rewards=None) == (UNDECIDED, "none")


def test_weights_do_not_matter():
    assert one(reward=0.0, rewards=[score("mine", 1.0, 0.0)]) == (CORRECT, "only scorer: mine")


# ---- frames


def test_there_may_be_no_rows():
    assert verdicts() == []
    assert verdicts(correct={"e": "speed / style > 1 and reward >= 1"}) == []


@pytest.mark.parametrize("rewards", [None, [], [None]])
def test_there_may_be_no_scorers_at_all(rewards):
    rows = [trace(name, rewards=rewards, env_id="e") for name in "abc"]
    assert verdicts(*rows) == [(UNDECIDED, "none")] * 3
    assert verdicts(*rows, correct={"e": "speed > 1"}) == [(UNDECIDED, "recipe: speed > 1")] * 3


SCORES = st.sampled_from([None, 0.0, 1.0, 0.999, NAN, INF])
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "ok": st.booleans(),
            "recorded_verdict": st.sampled_from([None, None, True, False]),
            "env_id": st.sampled_from([None, "e", "f"]),
            "env_name": st.sampled_from([None, "e", "g"]),
            "reward": SCORES,
            "rewards": st.none()
            | st.lists(st.none() | st.builds(score, st.sampled_from([None, "acc", "pass", "x"]), SCORES), max_size=3),
        }
    ),
    max_size=6,
)


@settings(deadline=None)
@given(ROWS)
def test_other_rows_never_matter(columns):
    rows = [trace(str(number), **each) for number, each in enumerate(columns)]
    correct = {"e": "reward >= 1", "g": "x / reward > 0.5"}
    alone = [verdicts(row, correct=correct)[0] for row in rows]
    assert verdicts(*rows, correct=correct) == alone
    assert {said for said, _ in alone} <= {CORRECT, INCORRECT, UNDECIDED, ERROR}


# ---- pass rates


def rates(*rows):
    return dict(problem_pass_rate(frame(rows).select(problem_pass_rate.columns({}))).collect().iter_rows())


def test_a_pass_rate_is_over_what_was_decided():
    rows = [trace("a", verdict=CORRECT), trace("b", verdict=INCORRECT), trace("c", verdict=UNDECIDED)]
    rows += [trace("d", verdict=ERROR), trace("e", verdict=CORRECT), trace("q", verdict=INCORRECT, problem_id="other")]
    assert rates(*rows) == {f"{name}/0": 2 / 3 for name in "abcde"} | {"q/0": 0.0}


def test_what_was_cut_off_is_wrong_only_where_it_is_right():
    """A limit is no difficulty."""
    rows = [trace("a", verdict=CORRECT, is_truncated=True), trace("b", verdict=INCORRECT, is_truncated=True)]
    assert rates(*rows) == {"a/0": 1.0, "b/0": 1.0}
    assert rates(trace("a", verdict=INCORRECT, is_truncated=None)) == {"a/0": 0.0}


def test_a_problem_that_nothing_decided_has_no_pass_rate():
    assert rates(trace("a"), trace("b", verdict=ERROR)) == {"a/0": None, "b/0": None}
    assert rates() == {}


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
def test_a_measure_gives_what_it_says_for_every_row(measure):
    rows = [trace("b"), trace("a", verdict=CORRECT, problem_id="q"), trace("c/1", ok=False)]
    found = measure(frame(rows).select(measure.columns({}))).collect()
    assert set(found.columns) == {"row_id", *measure.gives}
    assert found["row_id"].to_list() == ["b/0", "a/0", "c/1"]
    assert measure(frame([]).select(measure.columns({}))).collect().schema == found.schema
    assert pl.Null not in found.dtypes
