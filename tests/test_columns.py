"""Rows become Arrow's columns as pyarrow would make them, and their sizes are told without looking at values."""

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthetic import columns
from tests.test_shard import ROW, SCHEMA, named, table


@settings(max_examples=60, deadline=None)
@given(st.lists(ROW, max_size=12))
def test_rows_are_what_pyarrow_makes_of_them(rows):
    made = columns.batches(SCHEMA.arrow, rows)
    assert repr(pa.Table.from_batches(made, SCHEMA.arrow).to_pylist()) == repr(table(rows).to_pylist())
    for batch in made:
        batch.validate(full=True)


@settings(max_examples=60, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=12), st.data())
def test_the_size_of_rows_does_not_depend_on_where_they_are_cut(rows, data):
    (whole,) = columns.batches(SCHEMA.arrow, rows)
    start = data.draw(st.integers(0, len(rows)))
    cut = whole.slice(start, data.draw(st.integers(0, len(rows) - start)))
    alone = [
        int(columns.sizes(batch).sum()) for row in cut.to_pylist() for batch in columns.batches(SCHEMA.arrow, [row])
    ]
    assert columns.sizes(cut).tolist() == alone


def test_bytes_numbers_at_their_limits_and_moments_are_kept():
    schema = pa.schema({"data": pa.binary(), "wide": pa.int64(), "narrow": pa.int32(), "at": pa.timestamp("us", "UTC")})
    before = datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    rows: list[dict[str, Any]] = [
        {"data": b"\0\xff", "wide": 2**63 - 1, "narrow": -(2**31), "at": before},
        {"data": b"", "wide": -(2**63), "narrow": None, "at": None},
        {"data": None, "wide": None, "narrow": 2**31 - 1, "at": datetime(9999, 12, 31, tzinfo=UTC)},
    ]
    (made,) = columns.batches(schema, rows)
    assert made.to_pylist() == rows


def test_rows_that_are_too_much_for_one_array_come_in_several():
    rows = [named("123456"), named("1234"), named("1"), named(None), named("1234567890")]
    made = columns.batches(SCHEMA.arrow, rows, largest=10)
    assert [row["name"] for batch in made for row in batch.to_pylist()] == ["123456", "1234", "1", None, "1234567890"]
    assert len(made) > 1
    with pytest.raises(OverflowError):
        columns.batches(SCHEMA.arrow, [named("12345678901")], largest=10)


@pytest.mark.parametrize(
    ("type_", "values"),
    [
        (pa.int32(), [1, True]),
        (pa.int32(), [1, 2**31]),
        (pa.int64(), [1, 2**63]),
        (pa.int64(), [1, 1.0]),
        (pa.float64(), [0.5, False]),
        (pa.float64(), [None, "1"]),
        (pa.float64(), [10**400]),
        (pa.bool_(), [True, 1]),
        (pa.string(), [None, 0]),
        (pa.string(), [b"a", "a"]),
        (pa.string(), ["\ud800"]),
        (pa.binary(), [b"a", "a"]),
        (pa.timestamp("us", "UTC"), [datetime(2026, 11, 27)]),  # noqa: DTZ001 - the point of it
        (pa.timestamp("us", "UTC"), [None, 0]),
        (pa.list_(pa.string()), [["a"], "bc"]),
        (pa.list_(pa.string()), [["a", 1]]),
        (pa.list_(pa.string()), [{"a": 1}]),
        (pa.struct({"a": pa.string()}), [{"a": "b"}, {}]),
        (pa.struct({"a": pa.string()}), [None, "a"]),
    ],
)
def test_a_value_of_another_type_is_never_taken_for_one_of_its_column(type_, values):
    with pytest.raises((TypeError, OverflowError, LookupError, UnicodeEncodeError)):
        columns.batches(pa.schema({"name": pa.string(), "of": type_}), [{"name": "", "of": value} for value in values])


def test_null_is_refused_where_there_is_none():
    schema = pa.schema([pa.field("id", pa.string(), nullable=False), pa.field("name", pa.string())])
    with pytest.raises(TypeError, match="null in a column"):
        columns.batches(schema, [{"id": "a", "name": None}, {"id": None, "name": "b"}])
