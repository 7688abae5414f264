"""What SFT trainers take: rows that break the contract are refused or mended; the rest load as prime-rl loads them."""

import json

import pytest
from datasets import load_dataset
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import Environment

import synthetic
from synthetic.contract import mended
from synthetic.measures import MEASURES
from synthetic.rules import RULES
from synthetic.views import VIEWS
from tests.releases import attempt, store
from tests.rows import frame, said, trace

TOOLS = '[{"function":{"name":"add","parameters":{}},"type":"function"}]'


def call(arguments='{"a":1}', id="c1", kind="function", name="add"):
    return {"id": id, "type": kind, "function": {"name": name, "arguments": arguments}}


def talk(*calls, answer="c1"):
    """A question, calls, the tool's answer and the last word."""
    asked, told = said("user", "1 + 1?"), said("tool", "2", tool_call_id=answer)
    return [asked, said("assistant", None, tool_calls=list(calls)), told, said("assistant", "2")]


def judged(*rows):
    """What `well_formed` says of rows, by what the measure `conversation` finds in them."""
    whole, measure = frame(rows), MEASURES["conversation"]
    measured = whole.drop(measure.gives).join(measure(whole), on="row_id", maintain_order="left")
    return RULES["well_formed"](measured).collect()


def refused(messages, tools=None):
    """Why a conversation is left out; None: it is not."""
    found = judged(trace("a", messages=messages, tools=tools, text_key="t"))
    return None if found.is_empty() or found["flag"][0] else found["reason"][0]


def published(row):
    """The messages of a row as sft_verified holds them."""
    shaped = VIEWS["sft_verified"].shape(frame([row]), thinking="field", environments={}).collect()
    return shaped["messages"][0].to_list()


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        (talk(call("{")), "message 2 calls a tool with arguments that are no JSON"),
        (talk(call("[1]")), "message 2 calls a tool with arguments that are no JSON object"),
        (talk(call(name=None)), "message 2 calls a tool without a name"),
        (talk(call(kind="custom")), "message 2 has a call of the type custom, and not function"),
        (talk(call(), answer="c2"), "message 3 is a tool's answer to no call before it"),
        ([said("tool", "2"), said("assistant", "2")], "message 1 is a tool's answer to no call before it"),
        ([said("critic", "no"), said("assistant", "2")], "message 1 has the role critic: no trainer knows it"),
        ([said("user", "go", tool_calls=[call()])], "message 1 calls a tool as user"),
        ([said("user", "1?"), said("assistant", " ")], "message 2 is an assistant's and empty"),
        ([said("user", "1?")], "no assistant's message: nothing to train on"),
    ],
)
def test_a_conversation_that_no_trainer_takes_is_refused_with_its_reason(messages, reason):
    assert refused(messages) == reason


@pytest.mark.parametrize(
    ("tools", "reason"),
    [
        ("add", "the tools are no JSON"),
        ('{"name":"add"}', "the tools are no list of objects"),
        ('[{"type":"function"}]', "a tool has no name"),
        (TOOLS, None),
        ('[{"name":"add"}]', None),
        ("[]", None),
        (None, None),
    ],
)
def test_tools_are_a_list_of_named_ones(tools, reason):
    assert refused(talk(call()), tools) == reason


def test_an_empty_attempt_is_dropped_and_a_failed_one_left_to_finished():
    failed = trace("a", ok=False, messages=[said("user", "1?")], text_key="t")
    empty = trace("b", messages=[said("user", "1?"), said("assistant", "")], text_key=None)
    prefilled = trace("c", messages=[said("user", "1?"), said("assistant", "So")], text_key=None)
    why = "empty: the model wrote nothing"
    assert judged(failed, empty, prefilled).sort("row_id").rows() == [("b/0", why, False), ("c/0", why, False)]


def test_what_a_call_lacks_is_given_and_marked():
    bare = talk(call(None, id=None, kind=None), answer=None)
    row = trace("a", messages=bare)
    said_of = "mended: calls without an id, calls without a type, calls without arguments, tools' answers without an id"
    assert judged(row).rows() == [("a/0", said_of, True)]
    shaped = published(row)
    assert shaped[1]["tool_calls"] == [call("{}", id="call_1_0")]
    assert shaped[2]["tool_call_id"] == "call_1_0"
    assert refused(shaped) is None


def test_answers_without_ids_belong_to_the_calls_of_their_turn_in_order():
    asked = said("assistant", None, tool_calls=[call(id=None), call(id="call_0_0")])
    shaped = published(trace("a", messages=[asked, said("tool", "1"), said("tool", "2"), said("assistant", "3")]))
    assert [each["id"] for each in shaped[0]["tool_calls"]] == ["call_0_0_", "call_0_0"]
    assert [shaped[1]["tool_call_id"], shaped[2]["tool_call_id"]] == ["call_0_0_", "call_0_0"]


calls = st.builds(
    call,
    st.sampled_from([None, "", " ", "\x1c", "{}", ' {"a": 1}']),
    st.sampled_from([None, "", "c1"]),
    st.sampled_from([None, "function"]),
    st.sampled_from([None, "add"]),
)
turns = st.builds(
    lambda role, listed, of: said(role, "2", tool_calls=listed, tool_call_id=of),
    st.sampled_from(["user", "assistant", "tool"]),
    st.none() | st.lists(calls, max_size=2),
    st.sampled_from([None, "", "c1"]),
)


@settings(deadline=None)
@given(st.lists(turns, max_size=4))
def test_what_is_published_lacks_nothing_that_can_be_given(messages):
    assert published(trace("a", messages=messages)) == mended(messages)[0]


def loaded(row):
    """A row as prime-rl's SFT trainer reads it: null keys go, tools and arguments are JSON texts."""
    messages = []
    for message in row["messages"]:
        assert isinstance(message, dict)
        kept = {key: value for key, value in message.items() if value is not None}
        assert kept["role"] in ("system", "developer", "user", "assistant", "tool")
        for each in kept.get("tool_calls", []):
            assert each.keys() == {"id", "type", "function"}
            assert each["function"].keys() == {"name", "arguments"}
            assert isinstance(json.loads(each["function"]["arguments"]), dict)
        messages.append(kept)
    return messages, json.loads(row["tools"]) if row["tools"] is not None else None


@pytest.mark.parametrize("thinking", ["field", "inline"])
def test_a_released_config_is_what_prime_rl_trains_on(tmp_path, thinking):
    kept = attempt(1, 0, messages=talk(call(id=None), answer=None), tools=TOOLS)
    thought = attempt(2, 0)
    broken = attempt(3, 0, messages=talk(call("{")), tools=TOOLS)
    recipe = tmp_path / "r.toml"
    recipe.write_text(f'thinking = "{thinking}"\n[sft_verified]\nkeep = [{{ rule = "verified" }}]\n')
    done = synthetic.release(store(tmp_path / "store", [kept, thought, broken]), to=tmp_path / "r", recipe=recipe)
    assert done.manifest
    steps = {step.rule: (step.dropped, step.flagged) for step in done.manifest.configs["sft_verified"].funnel}
    assert steps["well_formed"] == (1, 1)
    files = str(tmp_path / "r" / "data" / "sft_verified" / "train-*.parquet")
    rows = load_dataset("parquet", data_files=files, split="train", cache_dir=str(tmp_path / "cache"))
    by_id = {row["trace_id"]: loaded(row) for row in rows}
    assert by_id.keys() == {"p1-0", "p2-0"}
    messages, tools = by_id["p1-0"]
    assert messages[1]["tool_calls"] == [call(id="call_1_0")]
    assert messages[2]["tool_call_id"] == "call_1_0"
    assert tools == json.loads(TOOLS)
    last = by_id["p2-0"][0][-1]
    assert ("<think>\n2 twice\n</think>" in last["content"]) == (thinking == "inline")
    assert (last.get("reasoning_content") == "2 twice") == (thinking == "field")
    card = (tmp_path / "r" / "README.md").read_text("utf-8")
    assert "message 2 calls a tool with arguments that are no JSON" in card
    assert "mended: calls without an id, tools' answers without an id" in card
    assert synthetic.check(tmp_path / "r").problems == []


CHAT = """{% for message in messages %}<|im_start|>{{ message.role }}
{% if message.reasoning_content %}<think>
{{ message.reasoning_content }}
</think>

{% endif %}{{ message.content or '' }}{% for call in message.tool_calls or [] %}
<tool_call>{{ call.function.name }} {{ call.function.arguments }}</tool_call>{% endfor %}<|im_end|>
{% endfor %}"""


@pytest.mark.parametrize("thinking", ["field", "inline"])
def test_the_rendered_chat_holds_the_reasoning_once_wherever_it_stands(tmp_path, thinking):
    recipe = tmp_path / "r.toml"
    recipe.write_text(f'thinking = "{thinking}"\n[sft_verified]\nkeep = [{{ rule = "verified" }}]\n')
    inline = attempt(2, 0, messages=[said("user", "2 + 2?"), said("assistant", "<think>2 twice</think>4")])
    synthetic.release(store(tmp_path / "store", [attempt(1, 0), inline]), to=tmp_path / "r", recipe=recipe)
    files = str(tmp_path / "r" / "data" / "sft_verified" / "train-*.parquet")
    rows = load_dataset("parquet", data_files=files, split="train", cache_dir=str(tmp_path / "cache"))
    rendered = {row["trace_id"]: Environment(autoescape=True).from_string(CHAT).render(row) for row in rows}
    said_of = {name: text.replace("&lt;", "<").replace("&gt;", ">") for name, text in rendered.items()}
    assert "<|im_start|>assistant\n<think>\n1 twice\n</think>\n\np1-0: 2<|im_end|>" in said_of["p1-0"]
    assert said_of["p2-0"].count("2 twice") == 1
    assert "<think>" in said_of["p2-0"]
    assert "</think>" in said_of["p2-0"]
