"""JSON taken apart while it is read gives what a parser of the whole gives, wherever the chunks end."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthetic.formats.pieces import Pieces

TEXT = st.text(st.sampled_from('ab"\\{}[],: \n\u2028é💡'))
TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


def chunks(text: bytes, size: int) -> Iterator[bytes]:
    return (text[i : i + size] for i in range(0, len(text), size))


def members(text: bytes, size: int = 1 << 20) -> dict[str, Any]:
    pieces, found = Pieces(chunks(text, size)), {}
    for name in pieces.members():
        value = bytearray()
        pieces.value(value.extend)
        found[json.loads(f'"{name}"')] = json.loads(bytes(value))
    assert pieces.peek() == b""
    return found


@given(st.dictionaries(TEXT, TREES, max_size=4), st.integers(1, 40), st.sampled_from([None, 1]), st.booleans())
def test_members_are_found_wherever_chunks_end(document, size, indent, ascii):
    text = json.dumps(document, indent=indent, ensure_ascii=ascii).encode()
    assert members(text, size) == document


@given(st.lists(TREES, max_size=5), st.integers(1, 40))
def test_elements_can_be_passed_over(document, size):
    pieces, found = Pieces(chunks(json.dumps(document).encode(), size)), []
    for number in pieces.elements():
        value = bytearray()
        pieces.value(value.extend if number % 2 else None)
        found += [json.loads(bytes(value))] if number % 2 else []
    assert found == document[1::2]


@pytest.mark.parametrize(
    "text", ["", "[1]", '{"a": [1, {"b": "c', '{"a"', '{"a": ', '{"a": 1', '{"a": 1 "b": 2}', "{1: 2}"]
)
def test_a_document_that_breaks_off_says_so(text):
    with pytest.raises(ValueError, match=r"breaks off|must stand|has no name"):
        members(text.encode(), 3)


def test_words_that_python_writes_for_numbers_are_passed_on_as_they_stand():
    pieces, value = Pieces(chunks(b'{"a": [NaN, -Infinity], "b": NaN}', 2)), bytearray()
    for _ in pieces.members():
        pieces.value(value.extend)
    assert value == b"[NaN, -Infinity]NaN"


def test_a_name_without_end_is_refused():
    with pytest.raises(ValueError, match="name is too long"):
        members(b'{"' + b"a" * 3_000_000 + b'": 1}')
