"""Views: the shape of a config, where thinking stands, and what the recipe says where the log says nothing."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthetic.record import schema, text_key
from synthetic.rules import RULES
from synthetic.views import DEFAULT, VIEWS
from synthetic.views.described import DESCRIBED, described
from tests.rows import frame, said, trace

CALL = {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"think":"<think>"}'}}


def shaped(*messages, thinking="field"):
    """The messages as sft_verified holds them, with only what is said of them."""
    view = VIEWS["sft_verified"]
    rows = view.shape(frame([trace("a", messages=list(messages))]), thinking=thinking, environments={}).collect()
    return rows["messages"][0].to_list()


def assistant(content, reasoning=None, **more):
    return said("assistant", content, reasoning_content=reasoning, **more)


def both(message, thinking="field"):
    """Thinking and answer of a message, shaped."""
    one = shaped(message, thinking=thinking)[0]
    return one["reasoning_content"], one["content"]


# ---- thinking


def test_inline_thinking_goes_into_its_field():
    assert both(assistant("<think>\nhm\n</think>\n\n42")) == ("hm", "42")
    assert both(assistant(" \n<think>a <b> c</think>42 <think>more</think>")) == ("a <b> c", "42 <think>more</think>")


@settings(deadline=None)
@given(st.lists(st.sampled_from([*("<think>", "</think>", "<", " ", "\n", "\u2003", "é", "思", "a")]), max_size=9))
def test_inline_thinking_is_cut_between_whole_letters(pieces):
    content = "".join(pieces)
    opened, tag, rest = content.partition("<think>")
    thought, end, answer = rest.partition("</think>")
    inline = tag and end and not opened.strip() and "</think>" not in opened
    assert both(assistant(content)) == ((thought.strip() or None, answer.strip()) if inline else (None, content))


def test_separate_thinking_goes_inline():
    assert both(assistant("42", "hm"), "inline") == (None, "<think>\nhm\n</think>\n\n42")
    assert both(assistant(None, " hm\n"), "inline") == (None, "<think>\nhm\n</think>\n\n")


@pytest.mark.parametrize("thinking", ["field", "inline"])
@pytest.mark.parametrize("content", ["<think>never ends", "42 <think>late</think>", "</think>42", "", None, "42"])
def test_what_is_no_thinking_at_the_head_stays(thinking, content):
    assert both(assistant(content), thinking) == (None, content)


def test_empty_thinking_is_none():
    assert both(assistant("42", ""), "inline") == (None, "42")
    assert both(assistant("42", " \n"), "inline") == (None, "42")
    assert both(assistant("<think>\n</think>42")) == (None, "42")
    assert both(assistant("<think>hm</think>42", "")) == ("hm", "42")


def test_thinking_that_stands_apart_already_stays():
    assert both(assistant("<think>quoted</think>42", "hm")) == ("hm", "<think>quoted</think>42")
    assert both(assistant("<think>\nhm\n</think>\n\n42"), "inline") == (None, "<think>\nhm\n</think>\n\n42")


@pytest.mark.parametrize("thinking", ["field", "inline"])
def test_only_the_model_thinks(thinking):
    other = [said(role, "<think>x</think>y", reasoning_content="z") for role in ("system", "user", "tool")]
    assert shaped(*other, thinking=thinking) == other


@pytest.mark.parametrize("thinking", ["field", "inline"])
def test_tool_calls_are_not_touched(thinking):
    messages = [
        said("user", "go"),
        assistant(None, tool_calls=[CALL]),
        said("tool", "<think>1</think>", tool_call_id="1", name="f"),
        assistant("done", tool_calls=[]),
    ]
    assert shaped(*messages, thinking=thinking) == messages
    thought = shaped(assistant(None, "hm", tool_calls=[CALL]), thinking=thinking)[0]
    assert thought["tool_calls"] == [CALL]


@pytest.mark.parametrize("thinking", ["field", "inline"])
def test_a_conversation_may_be_empty(thinking):
    assert shaped(thinking=thinking) == []


PIECES = st.lists(st.sampled_from(["<think>", "</think>", "a", " ", "\n"]), max_size=6).map("".join)
ONCE = PIECES.filter(lambda text: text.count("<think>") < 2)  # of thoughts in a row, only the first is moved
THOUGHT = st.none() | st.lists(st.sampled_from(["<think>", "a", "\n"]), max_size=3).map("".join)


@settings(deadline=None)
@given(st.lists(st.tuples(st.none() | ONCE, THOUGHT.filter(lambda text: text is None or text == text.strip()))))
def test_thinking_goes_there_and_back(parts):
    """Moving thinking changes nothing of what the model wrote, as `text_key` sees it."""
    messages = [assistant(content, reasoning) for content, reasoning in parts]
    inline, field = shaped(*messages, thinking="inline"), shaped(*messages)
    assert text_key(inline) == text_key(field) == text_key(messages)
    assert text_key(shaped(*inline)) == text_key(messages)


# ---- descriptions


def test_the_recipe_describes_what_the_log_does_not():
    rows = frame(
        [
            trace("a", env_id="e", env_name="n"),
            trace("b", env_id="other", env_name="n"),
            trace("c", env_id=None, env_name="n", task_type="from the log", domain=""),
            trace("d", env_id="other", env_name=None),
            trace("e"),
        ]
    )
    environments = {
        "e": {"task_type": "math", "source_license": "mit", "correct": "reward = 1"},
        "n": {"task_type": "logic", "domain": "reasoning", "source": "s"},
    }
    found = described(rows, environments).select(DESCRIBED).collect().rows()
    assert found == [
        ("math", "reasoning", "s", "mit"),
        ("logic", "reasoning", "s", None),
        ("from the log", "", "s", None),
        (None, None, None, None),
        (None, None, None, None),
    ]


def test_nothing_said_describes_nothing():
    found = described(frame([trace("a", env_id="e", source="log")]), {}).select(DESCRIBED).collect()
    assert found.rows() == [(None, None, "log", None)]
    assert found.dtypes == [pl.String] * 4


# ---- shapes


def input_of(config, rows):
    drops = pl.List(pl.Struct(dict.fromkeys(("config", "rule", "reason"), pl.String())))
    return (
        frame(rows).with_columns(drops=pl.lit([], drops), flags=pl.lit([], drops))
        if config == "traces"
        else frame(rows)
    )


@pytest.mark.parametrize("thinking", ["field", "inline"])
@pytest.mark.parametrize("config", VIEWS)
@pytest.mark.parametrize("rows", [[], [trace("b"), trace("a", messages=[])]], ids=["no rows", "rows"])
def test_a_view_gives_its_schema_and_every_row_in_its_place(config, thinking, rows):
    view = VIEWS[config]
    found = view.shape(input_of(config, rows), thinking=thinking, environments={"e": {"domain": "math"}}).collect()
    of = schema(view.schema)
    assert found["row_id"].to_list() == [row["row_id"] for row in rows]
    if view.gathers is not None:
        settings = RULES[view.gathers_by].defaults if view.gathers_by else {}
        found = view.gathers(found.lazy(), **settings).collect()
    assert dict(found.schema) == of.polars
    assert found.to_arrow().cast(of.arrow).schema == of.arrow


def test_traces_are_as_the_log_had_them():
    messages = [said("user", "go"), assistant("<think>a</think>b"), assistant("c", "d")]
    rows = input_of("traces", [trace("a", messages=messages)])
    for thinking in ("field", "inline"):
        found = VIEWS["traces"].shape(rows, thinking=thinking, environments={}).collect()
        assert found["messages"][0].to_list() == messages


@pytest.mark.parametrize("config", VIEWS)
def test_a_view_holds_only_what_may_be_published(config):
    assert all(column.publish for column in schema(VIEWS[config].schema).columns)
    assert {*VIEWS[config].requires, *VIEWS[config].always} <= RULES.keys()


def test_the_default_config_is_the_verified_one():
    assert DEFAULT == "sft_verified"
