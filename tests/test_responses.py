"""Items of the Responses API become the messages of a chat, and what a message cannot hold stays."""

import pytest

from synthetic.formats.format import BadLine
from synthetic.formats.responses import take_items


def said(text, **more):
    return {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]} | more


def called(id, arguments="{}"):
    return {"type": "function_call", "call_id": id, "name": "add", "arguments": arguments}


def gave(id, output):
    return {"type": "function_call_output", "call_id": id, "output": output}


def thought(text):
    return {
        "type": "reasoning",
        "id": "r",
        "summary": [{"type": "summary_text", "text": text}],
        "encrypted_content": None,
    }


def short(messages):
    """Role, thinking, text and ids of calls of each message."""
    return [
        (
            m["role"],
            m["reasoning_content"],
            m["content"],
            [call["id"] for call in m["tool_calls"] or ()] or m["tool_call_id"],
        )
        for m in messages
    ]


def test_what_the_model_wrote_between_two_results_is_one_message():
    items = [
        thought("hm"),
        thought("so"),
        said("Let me."),
        called("a"),
        called("b"),
        gave("a", "1"),
        gave("b", "2"),
        said("3"),
    ]
    messages, _ = take_items(items)
    assert short(messages) == [
        ("assistant", "hm\n\nso", "Let me.", ["a", "b"]),
        ("tool", None, "1", "a"),
        ("tool", None, "2", "b"),
        ("assistant", None, "3", None),
    ]


def test_reasoning_behind_a_call_is_of_the_same_turn():
    messages, _ = take_items([called("a"), thought("why"), gave("a", "1")])
    assert short(messages) == [("assistant", "why", None, ["a"]), ("tool", None, "1", "a")]


def test_two_texts_in_a_row_are_two_messages():
    messages, left = take_items([said("one"), said("two")])
    assert ([m["content"] for m in messages], left) == (["one", "two"], None)


def test_text_alone_is_a_users():
    messages, left = take_items("hello")
    assert (short(messages), left) == ([("user", None, "hello", None)], None)


def test_what_a_message_cannot_hold_stays():
    image = {"type": "input_image", "image_url": "data:…"}
    items = [
        {"role": "user", "content": [{"type": "input_text", "text": "see"}, image]},
        {"type": "web_search_call", "id": "w", "status": "completed"},
        {**said("found"), "id": "m1", "prompt_token_ids": [1], "content": [{"type": "refusal", "refusal": "no"}]},
    ]
    messages, left = take_items(items)
    assert [m["content"] for m in messages] == ["see", "no"]
    assert left == [
        {"content": [{"type": "input_text", "text": "see"}, image]},
        items[1],
        {"id": "m1", "content": [{"type": "refusal", "refusal": "no"}]},
    ]


@pytest.mark.parametrize(
    "items", [None, {"role": "user"}, ["text"], [{"content": "no role"}], [{"role": 7, "content": ""}]]
)
def test_what_are_no_items_is_told(items):
    with pytest.raises(BadLine):
        take_items(items)
