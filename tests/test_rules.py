"""Rules. What every one of them must keep to, and a small story or two about each."""

import io
import random
from datetime import UTC, datetime
from typing import Any, get_args  # Any: settings

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from synthetic.alike.sketch import signatures
from synthetic.errors import RecipeError
from synthetic.evaluations import ITEMS
from synthetic.expression import types
from synthetic.parts import part_of
from synthetic.record import facts, record, schema
from synthetic.rules import RULES, named
from synthetic.stage import EVERYTHING, rule
from tests.releases import LOGS
from tests.rows import frame, judge, said, score, trace

# ---- every rule: a new one is covered by its line in RULES

EXPRESSIONS = ["reward >= 0.5", "speed / style > 1", "not is_truncated", "verdict = 'correct'", "null", "true"]
WORDS = {
    "verdict": ["correct", "incorrect", "undecided", "error"],
    "kind": ["train", "eval"],
    "finish_reason": ["stop", "length"],
    "malformed": ["the tools are no JSON"],
    "errors": ['[{"type":"Timeout"}]', '[{"type":null}]', "[]", "{}"],
    "metrics": ['{"speed":1}', '{"style":0}', "{}"],
}
TEXTS = ["so it is 4 and not 5 at all", "so it is 4 and not 6 at all"]
SIGNATURES = signatures(pl.Series(TEXTS))[0].to_list()
REFERENCES = {  # what rules are given to compare with
    "published": pl.LazyFrame(
        {
            "row_id": ["0/0", "x/0", "y/0", "z/0"],
            "problem_id": ["a", "a", "b", ""],
            "text_key": ["a", "b", None, "b"],
            "minhash": [SIGNATURES[0], SIGNATURES[1], None, SIGNATURES[0]],
            "configs": [["sft_verified"], ["sft_verified"], ["sft_verified"], []],
        },
        schema=schema("index-1").polars,
    ),
    "tokenizer": pl.LazyFrame({"json": [(LOGS / "open_instruct" / "tokenizer.json").read_text("utf-8")]}),
    "evaluations": pl.LazyFrame({"set": "e", "item": "1", "question": TEXTS[0], "answer": None}, schema=ITEMS),
}
NEVER_NULL = {column.name for column in facts().columns if not column.null}


def values(name):
    """What a column may hold, null included where its schema says so."""
    kind = types()[name]
    some: st.SearchStrategy[object]
    if name == "rewards":
        scores = st.sampled_from([None, 0.0, 1.0, float("nan")])
        some = st.lists(st.none() | st.builds(score, st.sampled_from([None, "speed", "style"]), scores), max_size=2)
    elif name == "messages":
        texts = st.sampled_from([None, "x", *TEXTS])
        some = st.lists(st.builds(said, st.sampled_from(["user", "assistant"]), texts), max_size=2)
    elif name == "minhash":
        some = st.sampled_from([SIGNATURES[0], SIGNATURES[1]])
    elif kind == pl.String:
        some = st.sampled_from(WORDS.get(name, ["a", "b", ""]))
    elif kind == pl.Boolean:
        some = st.booleans()
    elif kind.is_float():
        some = st.sampled_from([0.0, -0.0, 0.5, 1.0, float("nan"), float("inf")])
    elif kind.is_integer():
        some = st.integers(-1, 3)
    else:
        some = st.just(datetime(2025, 1, 1, tzinfo=UTC))
    return some if name in NEVER_NULL else st.none() | some


def settings_of(stage):
    """Settings that fit a rule's signature; a text is an expression, or else names a column."""
    by_type: dict[Any, Any] = {int: st.integers(0, 3), float: st.floats(0, 1), bool: st.booleans()}
    by_name = {"bands": st.integers(1, 18), "band_slots": st.integers(1, 7), "sets": st.just(["e"])}
    columns = st.sampled_from(["problem_id", "env_id", "reward", "step", "verdict", "row_id"])
    drawn = {}
    for name, parameter in stage.parameters.items():
        texts = st.sampled_from(EXPRESSIONS) if name == stage.expressions else columns
        choices = get_args(parameter.annotation)
        own = st.sampled_from(choices) if choices else by_type.get(parameter.annotation, texts)
        own = by_name.get(name, own)
        drawn[name] = own if parameter.default is parameter.empty else own | st.just(parameter.default)
    return st.fixed_dictionaries(drawn)


@st.composite
def cases(draw, stage):
    """Settings of a rule, and rows with the columns that it then reads."""
    chosen = draw(settings_of(stage))
    names = [name for name in stage.all_columns(chosen) if name != "row_id"]
    rows = draw(st.lists(st.fixed_dictionaries({name: values(name) for name in names}), max_size=10))
    typed = {name: types()[name] for name in names}
    ids = pl.Series("row_id", [f"{number}/0" for number in range(len(rows))], dtype=pl.String)
    return chosen, pl.DataFrame(rows, schema=typed).select(ids, *names)


def drops(stage, chosen, *frames):
    """What the rule drops from frames, in one order of rows; and its bytes."""
    others = [REFERENCES[stage.against]] if stage.against else []
    found = pl.concat([stage(frame.lazy(), *others, **chosen).collect() for frame in frames]).sort("row_id")
    if "flag" not in found.columns:
        found = found.with_columns(flag=False)
    written = io.BytesIO()
    found.write_parquet(written)
    return found, written.getvalue()


every_rule = pytest.mark.parametrize("name", sorted(RULES))
thorough = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@every_rule
@thorough
@given(st.data())
def test_every_null_is_decided(name, data):
    stage = RULES[name]
    chosen, rows = data.draw(cases(stage))
    found, _ = drops(stage, chosen, rows)
    assert [*found.schema.items()] == [("row_id", pl.String), ("reason", pl.String), ("flag", pl.Boolean)]
    assert found["flag"].null_count() == 0
    assert found["reason"].null_count() == 0
    assert (found["reason"].str.len_bytes() > 0).all()
    assert found["row_id"].is_unique().all()
    assert set(found["row_id"]) <= set(rows["row_id"])


@every_rule
@thorough
@given(st.data(), st.randoms(use_true_random=False))
def test_row_order_never_matters(name, data, chance: random.Random):
    stage = RULES[name]
    chosen, rows = data.draw(cases(stage))
    order = list(range(len(rows)))
    chance.shuffle(order)
    assert drops(stage, chosen, rows)[1] == drops(stage, chosen, rows[order])[1]


@every_rule
@thorough
@given(st.data())
def test_in_parts_a_rule_gives_the_same_bytes_as_whole(name, data):
    stage = RULES[name]
    chosen, rows = data.draw(cases(stage))
    column = stage.groups.meets(stage.grouping(chosen)) if stage.groups else stage.meets(chosen)
    if column is None:
        cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=3)))
        parts = [rows[a:b] for a, b in zip([0, *cuts], [*cuts, len(rows)], strict=True)]
    elif column != EVERYTHING:
        number = data.draw(st.sampled_from([1, 2, 4, 8]))
        of = part_of(rows[column], number)
        parts = [rows.filter(of == part) for part in range(number)]
    else:
        return
    assert drops(stage, chosen, *parts)[1] == drops(stage, chosen, rows)[1]


@every_rule
def test_there_may_be_no_rows(name):
    stage = RULES[name]
    tries: dict[str, dict[str, Any]] = {
        "at_most": {"count": 1},
        "where": {"matches": "speed > 1"},
        "unpublished": {"of": "r"},
        "unseen": {"sets": ["e"]},
        "fits": {"tokenizer": "t"},
    }
    chosen = tries.get(name, {})
    if missing := {n for n, p in stage.parameters.items() if p.default is p.empty} - chosen.keys():
        pytest.fail(f"say here which {missing} to try")
    assert drops(stage, chosen, frame([]).select(stage.all_columns(chosen)).collect())[0].is_empty()


@every_rule
def test_a_rule_reads_columns_that_there_are_and_says_what_it_does(name):
    stage = RULES[name]
    assert stage.doc.endswith(".") or "," in stage.doc
    assert set(stage.reads) <= types().keys() | {f"{{{setting}}}" for setting in stage.parameters}
    wide = {"messages", "extra", "tools"} & set((stage.groups or stage).reads)  # a grouping's rule may read texts
    assert stage.against or not wide, "wide columns are for measures, if not of few rows"
    assert stage.version >= 1


# ---- from_training, trainable


def test_evaluation_rollouts_are_not_from_training():
    assert judge("from_training", [trace("a"), trace("b", kind="eval")]) == {"b": "evaluation rollout"}


def test_an_agent_that_was_not_trained_is_not_trainable():
    rows = [
        trace("a", trainable=True, agent="solver"),
        trace("b", trainable=False, agent="judge"),
        trace("c", trainable=None),
        trace("d", trainable=False),
    ]
    assert judge("trainable", rows) == {"b": "agent judge was not trained", "d": "agent ? was not trained"}


# ---- finished


def test_finished_names_the_error_the_limit_or_the_emptiness():
    rows = [
        trace("a"),
        trace("b", ok=False, errors='[{"type":"Timeout","message":"…"}]', is_truncated=True),
        trace("c", ok=False),
        trace("d", is_truncated=True, finish_reason="length", stop_condition="max_turns"),
        trace("e", is_truncated=True, finish_reason="stop", stop_condition="max_turns"),
        trace("f", is_truncated=True),
        trace("g", text=""),
        trace("h", text=None),
    ]
    assert judge("finished", rows) == {
        "b": "failed: Timeout",
        "c": "failed: no error recorded",
        "d": "cut off: length",
        "e": "cut off: max_turns",
        "f": "cut off: a limit",
        "g": "empty: the model wrote nothing",
        "h": "empty: the model wrote nothing",
    }


def test_a_log_that_cannot_tell_whether_it_was_cut_is_kept_unless_one_wants_to_be_sure():
    rows = [trace("a", is_truncated=None), trace("b", is_truncated=False)]
    assert judge("finished", rows) == {}
    assert judge("finished", rows, sure=True) == {"a": "unknown: the log has no sign of a cut"}


# ---- verified, undecided


def test_verified_keeps_what_is_correct_and_whole():
    rows = [
        trace("a", verdict="correct", verdict_rule="log"),
        trace("b", verdict="incorrect", verdict_rule="scorer: acc"),
        trace("c"),
        trace("d", verdict="correct", is_truncated=True),
        trace("e", verdict="correct", is_truncated=None),
        trace("f", verdict="correct", ok=False),
        trace("g", verdict="error", verdict_rule="failed", ok=False),
    ]
    assert judge("verified", rows) == {
        "b": "incorrect (scorer: acc)",
        "c": "undecided: nothing says right or wrong",
        "d": "cut off",
        "f": "failed",
        "g": "error (failed)",
    }


def test_undecided_keeps_what_is_neither_right_nor_wrong():
    rows = [trace(verdict, verdict=verdict) for verdict in ("correct", "incorrect", "undecided", "error")]
    assert judge("undecided", rows) == {
        "correct": "correct (none)",
        "incorrect": "incorrect (none)",
        "error": "error (none)",
    }


def test_a_wrong_answer_is_dropped_even_where_nothing_says_why():
    rows = [trace("a", verdict="incorrect", verdict_rule=None), trace("b", verdict=None, verdict_rule=None)]
    assert judge("verified", rows) == {"a": "incorrect (none)", "b": "no verdict (none)"}
    assert judge("undecided", rows) == {"a": "incorrect (none)", "b": "no verdict (none)"}


# ---- unique


def test_of_equal_texts_of_a_problem_the_shortest_stays():
    rows = [
        trace("a", text="42", completion_tokens=9),
        trace("b", text="42", completion_tokens=5),
        trace("c", text="42", completion_tokens=None),
        trace("d", text="43", completion_tokens=9),
        trace("e", text="42", completion_tokens=9, problem_id="other"),
    ]
    assert judge("unique", rows) == {"a": "same text as b/0", "c": "same text as b/0"}


def test_a_tie_stays_with_the_smaller_row_id():
    assert judge("unique", [trace("b", text="42"), trace("a", text="42")]) == {"b": "same text as a/0"}


def test_empty_texts_are_not_equal():
    assert judge("unique", [trace("a", text=""), trace("b", text="")]) == {}


def test_inline_and_separate_thinking_are_one_text():
    apart = said("assistant", "42", reasoning_content="so")
    inline = said("assistant", "<think>\nso\n</think>\n\n42")
    rows = [trace("a", messages=[apart]), trace("b", messages=[inline])]
    assert judge("unique", rows) == {"b": "same text as a/0"}


# ---- at_most


def test_at_most_keeps_a_fixed_choice_of_each_problem():
    """By xxh3-64 the order of their row_ids is d, a, c, b."""
    rows = [trace(name) for name in "abcd"] + [trace("z", problem_id="other")]
    reason = "beyond 2 of problem_id p"
    assert judge("at_most", rows, count=2) == {"c": reason, "b": reason}
    assert judge("at_most", rows, count=3).keys() == {"b"}
    assert judge("at_most", rows, count=4) == {}


def test_more_rows_only_ever_push_out():
    few = [trace(str(i)) for i in range(6)]
    many = [*few, *(trace(str(i)) for i in range(6, 12))]
    assert judge("at_most", few, count=3).keys() <= judge("at_most", many, count=3).keys()


def test_at_most_counts_by_any_column_and_keeps_rows_without_a_value():
    rows = [trace("a", step=1), trace("b", step=1), trace("c"), trace("d"), trace("e", step=2)]
    dropped = judge("at_most", rows, count=1, per="step")
    assert len(dropped) == 1
    assert dropped.keys() <= {"a", "b"}
    assert list(dropped.values()) == ["beyond 1 of step 1"]


def test_at_most_none_keeps_none():
    assert judge("at_most", [trace("a"), trace("b")], count=0) == dict.fromkeys("ab", "beyond 0 of problem_id p")


# ---- where


def test_where_keeps_what_is_true():
    rows = [
        trace("a", reward=1.0),
        trace("b", reward=0.0),
        trace("c", reward=float("nan")),
        trace("d", reward=None),
    ]
    assert judge("where", rows, matches="reward > 0.5") == {
        "b": "not: reward > 0.5",
        "c": "unknown: reward > 0.5",
        "d": "unknown: reward > 0.5",
    }


def test_where_may_always_or_never_hold():
    rows = [trace("a"), trace("b")]
    assert judge("where", rows, matches="true") == {}
    assert judge("where", rows, matches="false") == {"a": "not: false", "b": "not: false"}
    assert judge("where", rows, matches="null") == {"a": "unknown: null", "b": "unknown: null"}


def test_where_reads_scorers_and_metrics_by_name():
    rows = [trace("a", rewards=[score("style", 2.0)]), trace("b", metrics={"style": 1}), trace("c")]
    assert judge("where", rows, matches="style >= 2") == {"b": "not: style >= 2", "c": "unknown: style >= 2"}


# ---- rules by name


def test_a_misspelt_rule_is_refused_with_the_choices():
    with pytest.raises(
        RecipeError, match=r"here: there is no rule 'verfied'; there are \['answered', 'at_most', 'finished',"
    ):
        named("verfied", "here")


@pytest.mark.parametrize(
    "name", ["no_such_package:rule", "json:loads", "json:nothing", ":rule", "json:", "synthetic.measures:verdict"]
)
def test_a_rule_from_outside_must_be_one(name):
    with pytest.raises(RecipeError, match=rf"here: .*'{name}'"):
        named(name, "here")


def test_settings_are_checked_against_the_signature():
    @rule("reward", version=1)
    def odd(traces, *, alike: "float" = 0.5, kinds: list[str], most: int | None = None, free=1):
        return traces

    odd.check({"kinds": ["a"], "alike": 1, "most": None, "free": "anything"}, "here")
    for wrong in ({"kinds": "a"}, {"kinds": [1]}, {"kinds": [], "most": True}, {"kinds": [], "alike": "0.5"}):
        with pytest.raises(RecipeError, match="it takes"):
            odd.check(wrong, "here")


def test_a_rule_that_reads_what_is_no_column_is_refused():
    @rule("tokens", version=1)
    def odd(traces):
        return traces

    with pytest.raises(RecipeError, match="here: 'odd' reads 'tokens'; there are the columns"):
        odd.check({}, "here")
    assert "tokens" not in record().names
