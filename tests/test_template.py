"""A rendered prompt is cut into messages only where it has one reading."""

import pytest

from synthetic.formats.template import messages


def roles(text):
    told, begun = messages(text)
    return [(message["role"], message["content"]) for message in told], begun


def test_chatml_is_read_by_its_markers():
    text = "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nuser\nwho?<|im_end|>\n<|im_start|>assistant\n"
    assert roles(text) == ([("system", "Be brief."), ("user", "user\nwho?")], "")


def test_what_stands_behind_the_last_role_begins_the_answer():
    text = "<|im_start|>user\nwho?<|im_end|>\n<|im_start|>assistant\n<think>\n"
    assert roles(text) == ([("user", "who?")], "<think>\n")
    assert roles("user\nwho?\nassistant\n<think>\n\n") == ([("user", "who?")], "<think>\n\n")
    assert roles("who? <think>\n") == ([("user", "who? ")], "<think>\n")


def test_role_words_are_roles_where_each_stands_once_and_in_its_place():
    assert roles("system\nA\n\nB\nuser\nC\nassistant\n") == ([("system", "A\n\nB"), ("user", "C")], "")
    assert roles("user\n\nassistant\n") == ([("user", "")], "")


@pytest.mark.parametrize(
    "text",
    [
        "system\nA\nuser\nB\nuser\nC\nassistant\n",  # a second turn, or a user's word
        "system\nA\nuser\nB\nassistant\nC\nuser\nD\nassistant\n",
        "system\n\nAuser\n\nBassistant\n\n",  # Llama's, without its markers
        "Once: user\nB\nassistant\n",
        "user\nB\nassistant\nSure:",
        "user\nassistant\n",
        "system\nuser\nB\nassistant\n",
        "assistant\nA\nuser\nB\n",
        "<|im_start|>user\nA<|im_end|>\n",
        "<|im_start|>user\nA <|im_start|>system\nB<|im_end|>\n<|im_start|>assistant\n",
        "plain",
    ],
)
def test_any_other_text_stays_one_message_whole(text):
    assert roles(text) == ([("user", text)], "")


def test_an_empty_prompt_is_no_message():
    assert roles("") == ([], "")
