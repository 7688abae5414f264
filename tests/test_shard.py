"""One Parquet file: equal rows give equal bytes and an equal hash, and a cut file is never taken for a whole one."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from synthetic.errors import BrokenStore, CannotWrite
from synthetic.record import Column, Schema
from synthetic.shard import PART_ROWS, ROW_GROUP_BYTES, RowHash, frame_bytes, read_meta, write

MESSAGES = "list<struct<role: string, calls: list<struct<name: string, size: f64>>>>"
SCHEMA = Schema(
    "small-1",
    (
        Column("name", "string", "A name."),
        Column("step", "i32", "A step."),
        Column("score", "f64", "A score."),
        Column("ok", "bool", "Whether."),
        Column("at", "timestamp", "When."),
        Column("messages", MESSAGES, "What was said."),
    ),
)
TEXT = st.text(st.characters(codec="utf-8"), max_size=5)
CALL = st.fixed_dictionaries({"name": st.none() | TEXT, "size": st.none() | st.floats(width=64)})
MESSAGE = st.fixed_dictionaries({"role": st.none() | TEXT, "calls": st.none() | st.lists(st.none() | CALL, max_size=3)})
ROW = st.fixed_dictionaries(
    {
        "name": st.none() | TEXT,
        "step": st.none() | st.integers(-5, 5),
        "score": st.none() | st.floats(),
        "ok": st.none() | st.booleans(),
        "at": st.none() | st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
        "messages": st.none() | st.lists(st.none() | MESSAGE, max_size=3),
    }
)


def table(rows, schema=SCHEMA):
    return pa.Table.from_pylist(rows, schema.arrow)


def hashed(*tables, schema=SCHEMA):
    row_hash = RowHash(schema.arrow)
    for each in tables:
        row_hash.add(each)
    return row_hash.digest()


def column(type_, *values):
    """The hash of a column with these values."""
    of = Schema("one-1", (Column("it", type_, "It."),))
    return hashed(table([{"it": value} for value in values], of), schema=of)


def frame(rows):
    return pl.DataFrame(rows, schema=SCHEMA.polars)


def named(name):
    """A row with this name and nothing else."""
    return dict.fromkeys(SCHEMA.names) | {"name": name}


# ---- the hash of rows


@settings(max_examples=60, deadline=None)
@given(st.lists(ROW, max_size=12), st.data())
def test_the_hash_is_equal_for_any_chunking(rows, data):
    whole = table(rows)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=4)))
    slices = [whole.slice(a, b - a) for a, b in zip([0, *cuts], [*cuts, len(rows)], strict=True)]
    assert hashed(*slices) == hashed(pa.concat_tables(slices)) == hashed(whole)


@settings(max_examples=60, deadline=None)
@given(st.lists(ROW, max_size=8), st.lists(ROW, max_size=8))
def test_the_hash_is_equal_only_for_equal_rows(some, others):
    same = repr(some) == repr(others)
    assert (hashed(table(some)) == hashed(table(others))) == same


@settings(max_examples=30, deadline=None)
@given(st.lists(ROW, max_size=8))
def test_the_hash_is_equal_after_a_trip_through_polars(rows):
    # Polars reads -0.0 and NaN as they are; its own tables have large strings, which must not matter.
    there_and_back = frame(rows).to_arrow().cast(SCHEMA.arrow)
    assert hashed(there_and_back) == hashed(table(rows))


def test_null_and_empty_differ():
    assert column("string", None) != column("string", "")
    assert column("list<string>", None) != column("list<string>", [])
    assert column("list<string>", [None]) != column("list<string>", [""])
    assert column("f64", None) != column("f64", 0.0)
    assert column("bool", None) != column("bool", False)


def test_the_border_between_values_counts():
    assert column("string", "ab", "c") != column("string", "a", "bc")
    assert column("list<string>", ["a", "b"], []) != column("list<string>", ["a"], ["b"])
    assert column("list<list<i32>>", [[1], [2]]) != column("list<list<i32>>", [[1, 2]])
    assert column("list<list<i32>>", [[], [1]]) != column("list<list<i32>>", [[1], []])


def test_the_place_of_a_null_counts():
    assert column("string", "a", None, "b") != column("string", "a", "b", None)
    pair = "struct<a: i32, b: i32>"
    assert column(pair, {"a": 1, "b": None}) != column(pair, {"a": None, "b": 1})
    assert column(pair, None) != column(pair, {"a": None, "b": None})


def test_what_lies_under_a_null_does_not_count():
    of = Schema("one-1", (Column("it", "struct<a: i32>", "It."),))
    under = pa.StructArray.from_arrays([pa.array([1, 7], pa.int32())], ["a"], mask=pa.array([False, True]))
    assert hashed(pa.table({"it": under}), schema=of) == column("struct<a: i32>", {"a": 1}, None)


def test_text_under_a_null_does_not_count():
    held = [place % 3 == 0 and place > PART_ROWS for place in range(3 * PART_ROWS)]
    offsets, text = pa.array(range(len(held) + 1), pa.int32()), pa.py_buffer(b"x" * len(held))
    valid = pa.array(held).buffers()[1]
    under = pa.StringArray.from_buffers(len(held), offsets.buffers()[1], text, valid)
    of = Schema("one-1", (Column("it", "string", "It."),))
    assert hashed(pa.table({"it": under}), schema=of) == column("string", *["x" if one else None for one in held])


def test_the_order_of_rows_and_the_name_of_a_column_count():
    assert column("i32", 1, 2) != column("i32", 2, 1)
    other = Schema("one-1", (Column("that", "i32", "That."),))
    assert hashed(table([{"that": 1}], other), schema=other) != column("i32", 1)


def test_the_hash_is_what_it_always_was():
    # Releases are compared by it: it must not change between versions of pyarrow, or of this package.
    rows = [
        named("a") | {"step": 1, "score": 0.5, "ok": True, "messages": [{"role": "user", "calls": None}]},
        named(None),
    ]
    assert hashed(table(rows)) == "640dfdad858eb22ef11687e1d90421ef453c93c1680634c20b630115494ce0e3"


def test_shards_are_hashed_faster_than_releases_and_as_well_apart():
    def quick(*tables):
        row_hash = RowHash(SCHEMA.arrow, xxhash.xxh3_128)
        for each in tables:
            row_hash.add(each)
        return row_hash.digest()

    rows = [named("a") | {"step": 1, "messages": [{"role": "user", "calls": None}]}, named(None)]
    assert quick(table(rows)) == quick(table(rows[:1]), table(rows[1:])) == "63eaa5179e291f01d67dd92e48084552"
    assert quick(table(rows)) != quick(table(rows[::-1]))


# ---- writing and reading


def test_equal_rows_give_equal_bytes_however_they_come(tmp_path):
    rows = [named(f"n{i}" * 50) | {"step": i} for i in range(300)]
    one, other = tmp_path / "one", tmp_path / "other"
    first = write(one, SCHEMA, [frame(rows)])
    second = write(other, SCHEMA, [frame(rows[:7]), frame([]), frame(rows[7:])])
    assert first == second == (300, hashed(table(rows)))
    assert one.read_bytes() == other.read_bytes()
    assert pl.read_parquet(one).rows(named=True) == rows


def test_row_groups_are_cut_by_bytes(tmp_path):
    half = "x" * (ROW_GROUP_BYTES // 2)
    big = "x" * (ROW_GROUP_BYTES + 1)
    write(tmp_path / "file", SCHEMA, [frame([named(half)]), frame([named(half), named("y"), named(big), named("z")])])
    groups = pq.read_metadata(tmp_path / "file")
    assert [groups.row_group(i).num_rows for i in range(groups.num_row_groups)] == [2, 1, 1, 1]


def test_the_size_of_a_row_is_its_text_and_8_for_any_other_value():
    call = {"name": "añ", "size": None}
    rows = [
        named("abc") | {"step": 1},
        named(None),
        named("")
        | {"messages": [{"role": "u", "calls": [call, call | {"size": 1.0}]}, None, {"role": None, "calls": []}]},
    ]
    assert frame_bytes(frame(rows)).to_list() == [3 + 8, 0, 1 + 3 + 3 + 8]


def test_a_file_has_a_page_index_and_chunks_cut_by_content(tmp_path):
    rows = [named(hashlib.sha256(str(i).encode()).hexdigest() * 20) for i in range(3000)]
    write(tmp_path / "one", SCHEMA, [frame(rows)])
    write(tmp_path / "other", SCHEMA, [frame([named("new"), *rows])])
    column_ = pq.read_metadata(tmp_path / "one").row_group(0).column(0)
    assert column_.has_offset_index
    assert column_.has_column_index
    assert column_.compression == "ZSTD"
    one, other = (tmp_path / "one").read_bytes(), (tmp_path / "other").read_bytes()
    # A row added in front moves the pages behind it, but does not change them.
    middle = one[len(one) // 2 :][:20_000]
    assert middle in other


def test_a_file_of_no_rows_is_a_whole_file(tmp_path):
    rows, row_hash = write(tmp_path / "file", SCHEMA, [], lambda rows, row_hash: f"{rows} {row_hash}".encode())
    assert rows == 0
    assert read_meta(tmp_path / "file") == f"0 {row_hash}".encode()
    assert pl.read_parquet(tmp_path / "file").schema == SCHEMA.polars


def test_the_footer_is_read_back(tmp_path):
    write(tmp_path / "file", SCHEMA, [frame([named("a")])], lambda rows, row_hash: b'{"rows":%d}' % rows)
    assert read_meta(tmp_path / "file") == b'{"rows":1}'


@pytest.mark.parametrize("keep", [0, 3, 4, 100, -1, -8, -100])
def test_a_cut_file_is_refused(tmp_path, keep):
    whole = tmp_path / "whole"
    write(whole, SCHEMA, [frame([named("a" * 500)])], lambda rows, row_hash: b"{}")
    cut = tmp_path / "cut"
    cut.write_bytes(whole.read_bytes()[:keep])
    with pytest.raises(BrokenStore, match="cut: not a whole Parquet file"):
        read_meta(cut)


def test_a_file_of_somebody_else_is_refused(tmp_path):
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "theirs")
    with pytest.raises(BrokenStore, match="was not written by synthetic"):
        read_meta(tmp_path / "theirs")


def test_a_file_that_cannot_be_written_says_why_and_leaves_nothing(tmp_path):
    with pytest.raises(CannotWrite, match="nowhere") as caught:
        write(tmp_path / "nowhere" / "file", SCHEMA, [])
    assert "choose another folder" in str(caught.value.hint)
    assert list(tmp_path.iterdir()) == []


def test_no_room_on_the_disk_leaves_nothing(tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    (tmp_path / "file").symlink_to("/dev/full")
    with pytest.raises(CannotWrite):
        write(tmp_path / "file", SCHEMA, [frame([named("a" * 100_000)])])
    assert list(tmp_path.iterdir()) == []
