"""Expressions: a name is a column, else a scorer, else a metric; one row at a time; nothing but a condition."""

import random

import polars as pl
import pytest

from synthetic import expression
from synthetic.errors import RecipeError
from tests.rows import frame, score, trace

NAN, INF = float("nan"), float("inf")
ODD_NAMES = [
    "a b",
    "a.b",
    "it's",
    'q"q',
    "[0]",
    "select",
    "é",
    "a]b",
    "$",
    "",
    "a\tb",
    "a,b",
    "'",
    "Reward",
    "0",
    "😀",
    "odd 'name'",
    "a\\b",
    "\\'",
    "a'b\"c",
]


def results(text, *rows):
    """What the expression says about each row."""
    traces, found = expression.condition(frame(rows), text, "here")
    return traces.select(it=found).collect()["it"].to_list()


def result(text, **columns):
    return results(text, trace("a", **columns))[0]


def refusal(text):
    with pytest.raises(RecipeError) as caught:
        expression.check(text, "here")
    assert str(caught.value).startswith("here: ")
    return caught.value


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


# ---- names


def test_a_column_comes_before_a_scorer_and_a_scorer_before_a_metric():
    row = {"reward": 1.0, "rewards": [score("reward", 0.0), score("style", 2.0)], "metrics": {"style": 3, "steps": 4}}
    assert result("reward = 1", **row) is True
    assert result("style = 2", **row) is True
    assert result("steps = 4", **row) is True


def test_a_metric_speaks_where_the_scorer_of_its_name_gave_no_score():
    assert result("style = 3", rewards=[score("style", None)], metrics={"style": 3}) is True
    assert result("style = 3", rewards=None, metrics={"style": 3}) is True


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_scorer_or_metric_may_have_any_name(name):
    assert result(f"{quoted(name)} = 0.5", rewards=[score("x", 1.0), score(name, 0.5)]) is True
    assert result(f"{quoted(name)} = 0.5", metrics={name: 0.5, "x": 1}) is True


def test_columns_are_only_those_that_are_needed():
    assert expression.columns("reward > 1 and model = 'x'", "here") == ("reward", "model")
    assert expression.columns("speed > 1 and reward > 1 and style = 2", "here") == ("rewards", "metrics", "reward")
    assert expression.scored("speed > reward", "here") == ["speed"]


def test_a_name_that_nothing_has_is_null():
    assert results("speed > 1", trace("a"), trace("b", rewards=[]), trace("c", metrics={})) == [None, None, None]


def test_a_true_metric_is_1_and_a_word_is_null():
    assert result("passed = 1", metrics={"passed": True}) is True
    assert result("passed = 0", metrics={"passed": False}) is True
    assert result("passed = 1", metrics={"passed": "yes"}) is None
    assert result("passed = 1", metrics={"passed": {"passed": 1}}) is None
    assert result("passed = 1", metrics={"passed": "1"}) is None
    assert result("passed = 1", metrics={"deeper": {"passed": 1}}) is None


def test_of_two_scorers_of_one_name_the_first_is_meant():
    assert result("style = 1", rewards=[score("style", 1.0), score("style", 0.0)]) is True


def test_there_may_be_no_rows():
    assert results("reward > 1 and speed / style > 2") == []


# ---- numbers that are not finite


@pytest.mark.parametrize("value", [NAN, INF, -INF])
def test_a_number_that_is_not_finite_is_null(value):
    assert result("reward >= 1", reward=value) is None
    assert result("reward < 1", reward=value) is None
    assert result("speed >= 1", rewards=[score("speed", value)]) is None
    assert result("problem_pass_rate >= 0", problem_pass_rate=value) is None
    assert result("coalesce(reward, 0) = 0", reward=value) is True


@pytest.mark.parametrize(
    "text", ["right / total >= 0.5", "right / total < 0.5", "right % total >= 0", "1 / (1 / total) < 1"]
)
@pytest.mark.parametrize("right", [0.0, 1.0])
def test_division_by_zero_is_null(text, right):
    assert result(text, rewards=[score("right", right), score("total", 0.0)]) is None
    assert result("right / total >= 0.5", rewards=[score("right", right), score("total", 1.0)]) is (right == 1.0)


@pytest.mark.parametrize(
    "text",
    [
        "exp(reward * 1000) > 1",
        "reward * 1e308 * 1e308 > 1",
        "ln(reward - 2) > 0",
        "sqrt(reward - 2) >= 0",
        "0 / 0 > 1",
    ],
)
def test_arithmetic_beyond_numbers_is_null(text):
    assert result(text, reward=1.0) is None


def test_whole_numbers_of_any_size_compare():
    assert result("completion_tokens < 9999999999999999999999", completion_tokens=5) is True
    assert result("steps > 9223372036854775807", metrics={"steps": 10**30}) is True
    assert result("steps > 1", metrics={"steps": 10**400}) is None
    assert "no expression" in str(refusal("reward < 1" + "0" * 60))


# ---- what is refused


@pytest.mark.parametrize(
    "text", ["", " ", "reward >", "reward = 1; drop table x", "1; drop", "reward >= 1 order by reward", "*", "$1", "?"]
)
def test_a_syntax_error_is_refused_with_an_example(text):
    error = refusal(text)
    assert "is no expression" in str(error)
    assert error.hint is not None


@pytest.mark.parametrize(
    ("text", "kind"),
    [("reward", "Float64"), ("model", "String"), ("speed + 1", "Float64"), ("1", "Int"), ("messages", "List")],
)
def test_what_is_no_condition_is_refused_with_a_hint(text, kind):
    error = refusal(text)
    assert kind in str(error)
    assert error.hint == f"compare it, for example: {text} >= 1"


@pytest.mark.parametrize("text", ["model > 1", "reward = 'high'", "messages = 1", "reward and true", "model ~ '('"])
def test_types_that_do_not_compare_are_refused(text):
    refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        *("reward > avg(reward)", "count(*) > 1", "max(reward) = 1", "first(reward) = 1", "corr(reward, speed) > 0"),
        *("sum(reward) over (partition by problem_id) > 1", "row_number() over () > 1", "unnest(rewards) = 1"),
        *("lag(reward) over (order by step) > 1", '"avg"(reward) > 1', "AVG (reward) > 1", "std(reward) > 1"),
    ],
)
def test_an_expression_cannot_look_at_other_rows(text):
    error = refusal(text)
    assert "an expression looks at one row" in str(error)
    assert error.hint is not None
    assert "coalesce" in error.hint


@pytest.mark.parametrize(
    "text",
    [
        *(
            "(select 1) = 1",
            "reward in (select 1)",
            "exists (select 1)",
            "read_csv('/etc/passwd') = 1",
            "version() = '1'",
        ),
        *("read_parquet('x') is null", "now() > generated_at", "current_date > generated_at::date", "random() > 0.5"),
        *("columns('.*') > 1", '"^r.*$" > 1', '"*" > 1', "reward > (select max(reward) from read_csv('x'))"),
    ],
)
def test_an_expression_reads_no_files_no_clock_and_no_patterns(text):
    refusal(text)


def test_words_within_quotes_are_only_words():
    assert result("model = 'avg(x); select now()'", model="avg(x); select now()") is True
    assert result("model = 'it''s (1)'", model="it's (1)") is True
    assert result('"avg" > 1 and "current_date" > 1', metrics={"avg": 2, "current_date": 2}) is True


@pytest.mark.parametrize(
    ("text", "said"),
    [
        *(("true", True), ("null", None), ("ok", True), ("not ok", False), ("is_truncated is null", False)),
        *(("reward in (1, 2)", True), ("reward between 0 and 1", True), ("model like 'gp%'", True)),
        *(("(reward > 0) and (not (reward > 1))", True), ("case when(reward = 1) then(false) else(true) end", False)),
        *(("length(model) = 3", True), ("try_cast(model as int) = 1", None), ("reward is distinct from 2", True)),
        *(
            ("extract(year from generated_at) = 2025", None),
            ("verdict = 'undecided'", True),
            ("if(ok, reward, 0) = 1", True),
        ),
    ],
)
def test_everyday_sql_works(text, said):
    expression.check(text, "here")
    assert result(text, reward=1.0, model="gpt") is said


@pytest.mark.parametrize("function", sorted(expression.FUNCTIONS))
def test_every_function_looks_at_one_row(function):
    """Whole or row by row, the same comes out."""
    tries = [
        "{}(reward)",
        "{}(reward, 2)",
        "{}(model)",
        "{}(model, 'b')",
        "{}(model, 'b', 'c')",
        "{}(model, 1, 2)",
        "{}(model, 2)",
    ]
    tries += ["{}(model, 'b', 1)", "{}(ok, reward, 2)", "{}('year' from generated_at)", "{}('year', generated_at)"]
    tries += ["{}(year from generated_at)", "{}(reward as int)"]
    chosen = random.Random(0)
    rows = [
        trace(str(i), reward=chosen.choice([None, 0.0, 0.5, 1.0, 3.0]), model=chosen.choice(["abc", "b,b", "", None]))
        for i in range(12)
    ]
    data, worked = frame(rows).collect(), 0
    for form in tries:
        try:
            found = expression.parsed(form.format(function), "here")
            whole = data.select(it=found)["it"]
        except (RecipeError, pl.exceptions.PolarsError):
            continue
        parts = [data[i : i + 1].select(it=found)["it"] for i in range(len(data))]
        assert whole.to_list() == pl.concat(parts).to_list()
        worked += 1
    assert worked, f"'{function}' works in no form"
