"""Text columns that hold a table, as JSON or as Python prints it: read without running anything, or left alone."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthetic.formats.literal import read

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
TREES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=12)


@given(st.lists(TREES) | st.dictionaries(st.text(), TREES))
def test_a_table_comes_back_from_either_spelling(table):
    assert read(str(table)) == table
    assert read(json.dumps(table)) == table


@given(st.text())
def test_any_text_is_read_or_left_alone(text):
    assert read(text) == text or isinstance(read(text), dict | list)
    assert read("{" + text) == "{" + text or isinstance(read("{" + text), dict)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "42",
        "None",
        "print(1)",
        "{'a': print(1)}",
        "{'a': __import__('os')}",
        "{'a': (1, 2)}",  # a tuple: a list would be another thing
        "{1: 'a'}",
        "{'a'}",
        "{'a': b'x'}",
        "{'a': f'{x}'}",
        "{'a': 1 + 1}",
        "{'a': nan}",
        '{"a": NaN}',
        '{"a": 1e999}',
        '{"a": 1, "a": 2}',
        "{'a': 1, 'a': 2}",
        "{'a': '\\ud83d'}",
        "{'a': '\\q'}",
        "{'a': '\\U00110000'}",
        "{'a': 'torn",
        "{'a': 1}}",
        "{'a': Trueish}",
        "{'a': 1_000}",
        "[" * 100_000,
        "{'a': " * 20_000,
    ],
)
def test_what_no_json_can_say_stays_the_text_that_it_is(text):
    assert read(text) == text


@pytest.mark.parametrize("value", [None, 3, 0.5, True, ["x"], {"a": "{'b': 1}"}])
def test_what_is_no_text_is_given_as_it_is(value):
    assert read(value) == value


def test_an_integer_of_any_size_is_exact():
    assert read("{'n': 123456789012345678901234567890}") == {"n": 123456789012345678901234567890}


@pytest.mark.parametrize(
    "text", ["{'" + "a" * 1_000_000, "{'a': '" + "\\'" * 500_000, "[" + "1, " * 300_000, "{" + " " * 10**6]
)
def test_a_long_text_takes_little_time(text):
    start = time.process_time()
    assert read(text) == text
    assert time.process_time() - start < 5
