"""The schema is the one place that knows columns, and keys mean what their sentences say."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthetic.record import (
    arrow_type,
    canonical_json,
    content_hash,
    digest,
    facts,
    problem_id,
    prompt_key,
    record,
    row_id,
    schema,
    split_thinking,
    text_key,
)

ROOT = Path(__file__).parent.parent
SCHEMAS = sorted(path.stem for path in (ROOT / "schemas").glob("*.toml"))
TEXT = st.text(st.characters(codec="utf-8"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=10,
)


def row(**columns):
    """A row of facts with these columns."""
    given_ = {"trace_id": "t", "branch": 0, "messages": [], "ok": True, "num_turns": 0, "log_offset": 0}
    text = {c.name: "" for c in facts().columns if not c.null and c.type == "string"}
    return dict.fromkeys(facts().names) | text | given_ | columns


# ---- schemas


@pytest.mark.parametrize("id", SCHEMAS)
def test_every_column_has_a_type_and_a_sentence(id):
    columns = schema(id).columns
    assert columns
    for column in columns:
        arrow_type(column.type)
        assert re.fullmatch(r"[`A-Zx].{5,}[.…]", column.doc), column
        assert "\n" not in column.doc


@pytest.mark.parametrize("id", SCHEMAS)
def test_a_schema_names_itself_and_no_column_twice(id):
    assert schema(id).id == id
    assert len(set(schema(id).names)) == len(schema(id).columns)


def test_facts_are_the_record_without_what_is_said_later():
    late = {"trained_on", "advantage", "ship_step", "rewound", "annotations"}
    assert set(record().names) - set(facts().names) == late


def test_only_extra_and_annotations_are_never_published():
    assert [column.name for column in record().columns if not column.publish] == ["extra", "annotations"]


def test_key_columns_are_never_null():
    never = {column.name for column in record().columns if not column.null}
    assert {"row_id", "trace_id", "branch", "problem_id", "content_hash", "log_file"} <= never


@pytest.mark.parametrize(
    ("text", "type_"),
    [
        ("json", pa.string()),
        ("i32", pa.int32()),
        ("timestamp", pa.timestamp("us", "UTC")),
        ("list<string>", pa.list_(pa.field("element", pa.string()))),
        (
            "struct<a: list<struct<b: i64, c: f64>>, d: bool>",
            pa.struct(
                [
                    (
                        "a",
                        pa.list_(pa.field("element", pa.struct([("b", pa.int64()), ("c", pa.float64())]))),
                    ),
                    ("d", pa.bool_()),
                ]
            ),
        ),
    ],
)
def test_types_are_read_as_arrow_names_them(text, type_):
    assert arrow_type(text) == type_


def test_an_unknown_type_names_the_choices():
    with pytest.raises(ValueError, match="'float' is no type; known are string, json, i32"):
        arrow_type("list<float>")


def test_polars_sees_the_same_columns():
    assert list(record().polars) == list(record().names)
    assert record().polars["branch"] == pl.Int32
    assert record().polars["generated_at"] == pl.Datetime("us", "UTC")


# ---- checking a row


def test_a_row_that_fits_is_given_back():
    nothing = dict.fromkeys(("role", "content", "reasoning_content", "tool_calls", "tool_call_id", "name"))
    whole = row(reward=1, step=3, messages=[nothing, None])
    assert facts().checked(whole) == whole
    assert type(facts().checked(whole)["reward"]) is float


@pytest.mark.parametrize(
    ("column", "value", "why"),
    [
        ("step", 2**31, "int.*<= 2147483647.*step"),
        ("step", -(2**31) - 1, "int.*>= -2147483648.*step"),
        ("step", 1.5, "Expected `int | null`, got `float`.*step"),
        ("step", True, "got `bool`.*step"),
        ("finish_reason", ["stop"], "Expected `str | null`, got `array`.*finish_reason"),
        ("trace_id", None, "Expected `str`, got `null`.*trace_id"),
        ("generated_at", datetime(2026, 11, 23), "timezone"),  # noqa: DTZ001 - the point of it
        ("messages", [{"role": 1}], "messages"),
        ("rewards", [{"name": "a", "score": "1", "weight": None}], "got `str`.*score"),
    ],
)
def test_a_value_of_another_type_is_named(column, value, why):
    with pytest.raises(msgspec.ValidationError, match=why):
        facts().checked(row(**{column: value}))


def test_a_moment_with_a_zone_fits():
    moment = datetime(2026, 11, 23, tzinfo=UTC)
    assert facts().checked(row(generated_at=moment))["generated_at"] == moment


# ---- canonical JSON


@settings(max_examples=50, deadline=None)
@given(JSON)
def test_canonical_json_gives_the_value_back(value):
    assert json.loads(canonical_json(value)) == value


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(TEXT, JSON))
def test_the_order_of_keys_does_not_change_canonical_json(table):
    assert canonical_json(dict(reversed(table.items()))) == canonical_json(table)


def test_canonical_json_has_no_spaces_and_no_needless_escapes():
    assert canonical_json({"b": [1, 2.5, None], "a": "é\n\u2028", "c": 10**30}) == (
        '{"a":"é\\n\u2028","b":[1,2.5,null],"c":1000000000000000000000000000000}'
    )


# ---- keys


def test_a_digest_is_32_hexadecimal_digits_of_xxh3():
    assert digest("") == digest(b"") == "99aa06d3014798d86001c324468d497f"


def test_a_row_is_named_by_trace_and_branch():
    assert row_id("t1", 2) == "t1/2"


def problem(**known):
    return problem_id(**{"env": "sums", "episode": "e1"} | known)


def test_a_problem_is_environment_prompt_and_ground_truth():
    same = problem(prompt="2 + 2?", ground_truth="4")
    assert same == problem(prompt="2 + 2?", ground_truth="4", native="k7", group="g9", episode="e2")
    others = [
        problem(prompt="2 + 3?", ground_truth="4"),
        problem(prompt="2 + 2?", ground_truth="5"),
        problem(prompt="2 + 2?"),
        problem(ground_truth="4"),
        problem(env="products", prompt="2 + 2?", ground_truth="4"),
        problem(env=None, prompt="2 + 2?", ground_truth="4"),
        problem(prompt=[{"role": "user", "content": "2 + 2?"}], ground_truth="4"),
    ]
    assert len({same, *others}) == 8


def test_a_problem_without_a_task_is_its_key_then_its_group_then_its_episode():
    native, group, episode = problem(native="k", group="g"), problem(group="g"), problem()
    assert len({native, group, episode}) == 3
    assert native == problem(native="k", group="h", episode="e2")
    assert group == problem(group="g", episode="e2")
    assert episode != problem(episode="e2")


def test_problems_without_a_prompt_that_share_an_answer_are_told_apart_by_their_keys():
    one, other, keyless = (problem(ground_truth="4", native=native) for native in ("k0", "k1", None))
    assert len({one, other, keyless}) == 3
    assert one == problem(ground_truth="4", native="k0", group="g", episode="e2")
    assert keyless == problem(ground_truth="4", group="g", episode="e2")


def test_a_key_is_not_mistaken_for_a_group_of_the_same_name():
    assert len({problem(native="x"), problem(group="x"), problem(episode="x")}) == 3


@pytest.mark.parametrize(
    ("content", "reasoning", "parts"),
    [
        ("4", None, ("", "4")),
        ("4", "two and two", ("two and two", "4")),
        ("<think>two and two</think>4", None, ("two and two", "4")),
        ("\n<think>\n two and two \n</think>\n\n4\n", "", ("two and two", "4")),
        ("<think>a</think>b</think>c", None, ("a", "b</think>c")),
        ("<think>never closed", None, ("", "<think>never closed")),
        ("first <think>a</think>b", None, ("", "first <think>a</think>b")),
        ("<think>a</think>b", "apart", ("apart", "<think>a</think>b")),
        ("<think></think>4", None, ("", "4")),
        (None, None, ("", "")),
        (None, "only thought", ("only thought", "")),
    ],
)
def test_thinking_is_told_from_the_answer(content, reasoning, parts):
    assert split_thinking(content, reasoning) == parts


def said(content=None, reasoning=None, *calls):
    made = [{"id": str(i), "function": {"name": n, "arguments": a}} for i, (n, a) in enumerate(calls)]
    return {"role": "assistant", "content": content, "reasoning_content": reasoning, "tool_calls": made or None}


def test_the_text_key_is_equal_for_inline_and_separate_thinking():
    assert text_key([said("<think>hm</think>4")]) == text_key([said("4", "hm")]) == text_key([said(" 4\n", "hm ")])


def test_the_text_key_tells_texts_calls_and_their_order_apart():
    keys = [
        text_key([said("4", "hm")]),
        text_key([said("4")]),
        text_key([said("4hm")]),
        text_key([said("hm", "4")]),
        text_key([said("4"), said("hm")]),
        text_key([said("hm"), said("4")]),
        text_key([said("4", None, ("add", "{}"))]),
        text_key([said("4", None, ("add", "[]"))]),
        text_key([said("4", None, ("sub", "{}"))]),
    ]
    assert len(set(keys)) == len(keys)


def test_the_text_key_does_not_look_at_ids_of_calls():
    first, second = said("4", None, ("add", "{}")), said("4", None, ("add", "{}"))
    second["tool_calls"][0]["id"] = "another"
    assert text_key([first]) == text_key([second])


@pytest.mark.parametrize("wrote", [[], [said()], [said("", " ")], [said("<think> </think>\n")], [said(), said()]])
def test_who_wrote_nothing_has_no_text_key(wrote):
    assert text_key(wrote) is None


def test_a_call_alone_is_text():
    assert text_key([said(None, None, ("add", "{}"))]) is not None


def test_the_prompt_key_is_null_without_a_prompt():
    assert prompt_key([]) is None
    assert prompt_key([{"role": "user"}]) != prompt_key([{"role": "system"}])


def test_the_content_hash_does_not_see_provenance_keys_and_where_a_trace_was_met():
    same = {"log_file": "b", "log_offset": 9, "log_digest": "d", "extra": "{}", "text_key": "k", "run_name": "r"}
    same |= {"step": 9, "group_id": "g"}
    assert content_hash(row()) == content_hash(row(**same, content_hash="h"))


@pytest.mark.parametrize(
    "change",
    [
        {"reward": 0.0},
        {"reward": 1.0},
        {"ok": False},
        {"stop_condition": ""},
        {"problem_id": "p"},
        {"messages": [{"role": "user", "content": "hi"}]},
        {"generated_at": datetime(2026, 11, 23, tzinfo=UTC)},
    ],
    ids=str,
)
def test_the_content_hash_sees_every_other_change(change):
    assert content_hash(row(**change)) != content_hash(row())


def test_keys_stay_what_they_were():
    call = {"id": "1", "type": "function", "function": {"name": "add", "arguments": '{"a": 2}'}}
    asked = {"role": "user", "content": "Wie viel ist 2 + 2? \u2192", "reasoning_content": None, "tool_calls": None}
    wrote = {"role": "assistant", "content": "<think>zwei\nund</think> 4", "tool_calls": [call], "name": None}
    assert text_key([wrote]) == "32dd1cd5c2c8a21e1b454de2c93bfaf0"
    assert prompt_key([asked]) == "0e95d40a97b4bf20ca75b79b304b33bc"
    assert problem(prompt=[asked], ground_truth="4") == "c36cf4ee0e64a79760291af94d75395c"
    many = row(messages=[asked, wrote], reward=0.25, generated_at=datetime(2026, 11, 23, 1, 2, 3, 450, tzinfo=UTC))
    many |= {"rewards": [{"name": "correct", "score": 0.25, "weight": 1.0}], "verification_info": '{"answer":"4"}'}
    assert content_hash(many) == "db4c202201f14b133f92cad43ced3f5c"
