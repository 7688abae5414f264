"""Rows of Parquet files and elements of JSON arrays are lines; a file that no format knows is told, not guessed."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import synthetic
from synthetic.errors import UnreadableLog
from synthetic.formats.file import Text
from synthetic.formats.line import keys
from synthetic.formats.records import Whole, open_log
from tests.episodes import episode, write


def records(path, start=0):
    with open_log(path) as log:
        return [(position, json.loads(line or b"")) for position, line, _ in log.lines(start)]


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "rows.parquet"
    columns = {"n": list(range(200)), "text": [f"row {n}\nsecond" for n in range(200)], "maybe": [None, 0.5] * 100}
    pq.write_table(pa.table(columns), path, row_group_size=70)
    return path


def test_a_row_of_a_parquet_file_is_a_line(table):
    with open_log(table) as log:
        assert isinstance(log, Whole)
    assert records(table)[0] == (0, {"n": 0, "text": "row 0\nsecond", "maybe": None})
    assert [position for position, _ in records(table)] == list(range(200))


@pytest.mark.parametrize("start", [1, 69, 70, 75, 199, 200])
def test_reading_starts_at_any_row(table, start):
    assert [row["n"] for _, row in records(table, start)] == list(range(start, 200))


def test_a_stretch_of_rows_has_one_hash_however_it_is_reached(table):
    with open_log(table) as whole, open_log(table) as short:
        assert whole.skip(0, 201) is None
        assert short.skip(10, 20) is not None
    with open_log(table) as one, open_log(table) as other:
        assert one.skip(10, 20) == other.skip(10, 20)


def test_values_that_json_has_no_word_for_are_written_so_that_nothing_is_lost(tmp_path):
    moment = datetime(2026, 8, 1, 12, tzinfo=UTC)
    row = {"when": moment, "price": Decimal("1.10"), "raw": b"text", "bytes": b"\xff\x00", "score": float("nan")}
    pl.DataFrame([row]).write_parquet(tmp_path / "odd.parquet")
    ((_, read),) = records(tmp_path / "odd.parquet")
    assert read["when"] == "2026-08-01T12:00:00+00:00"
    assert (float(read["price"]), read["raw"], read["bytes"]) == (1.1, "text", "/wA=")
    assert read["score"] != read["score"]


def test_ids_that_parquet_holds_as_such_are_written_as_text(tmp_path):
    id = UUID("2f1b8c9e-0f5a-4f57-9d0e-6c3f1f0a7b11")
    pq.write_table(pa.table({"id": pa.array([id.bytes], pa.uuid())}), tmp_path / "ids.parquet")
    assert records(tmp_path / "ids.parquet") == [(0, {"id": str(id)})]


def test_elements_of_an_array_are_lines_however_it_is_laid_out(tmp_path):
    elements = [{"a": "one\ntwo"}, {"b": [1, {"c": None}]}]
    for name, indent in {"flat.json": None, "pretty.json": 2}.items():
        (tmp_path / name).write_text(json.dumps(elements, indent=indent), "utf-8")
        assert [record for _, record in records(tmp_path / name)] == elements


def test_a_table_that_is_not_whole_is_refused(tmp_path, table):
    whole = table.read_bytes()
    (tmp_path / "cut.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnreadableLog, match=r"cut\.parquet: not a whole file"):
        records(tmp_path / "cut.parquet")


def test_of_an_array_that_is_cut_the_elements_before_the_cut_are_taken(tmp_path):
    whole = json.dumps([{"a": n} for n in range(9)]).encode()
    (tmp_path / "cut.json").write_bytes(whole[:-3])
    with open_log(tmp_path / "cut.json") as log:
        assert [position for position, _, _ in log.lines(0)] == list(range(8))
        assert log.broken == "cut.json: reading stopped before its end (breaks off)"


def test_lines_of_arrays_that_stand_below_each_other_are_text(tmp_path):
    (tmp_path / "pairs.jsonl").write_text("[1, 2]\n[3, 4]\n", "utf-8")
    with open_log(tmp_path / "pairs.jsonl") as log:
        assert isinstance(log, Text)


def test_a_last_line_without_a_newline_is_taken_when_it_is_whole(tmp_path):
    log, store = tmp_path / "run" / "traces.jsonl", tmp_path / "store"
    log.parent.mkdir()
    one, two = (json.dumps(episode(id)) for id in ("e1", "e2"))
    log.write_text(f"{one}\n{two}", "utf-8")
    assert synthetic.capture(log.parent, into=store).captured == 2
    log.write_text(f"{one}\n{two}\n", "utf-8")
    again = synthetic.capture(log.parent, into=store)
    assert (again.captured, again.seen_before, again.warnings) == (0, 2, [])
    log.write_text(f"{one}\n{two}\n{one}\n{two[:-9]}", "utf-8")
    more = synthetic.capture(log.parent, into=store)
    assert (more.captured, more.seen_before, len(more.torn)) == (1, 2, 1)


def test_an_array_of_episodes_is_captured_once(tmp_path):
    path = tmp_path / "episodes.json"
    path.write_text(json.dumps([episode("e1"), episode("e2")], indent=1), "utf-8")
    assert synthetic.capture(path, into=tmp_path / "store").captured == 2
    assert synthetic.capture(path, into=tmp_path / "store").seen_before == 2
    facts = synthetic.scan(tmp_path / "store").collect()
    assert facts["log_offset"].to_list() == [0, 1]


def test_a_file_whose_lines_no_format_knows_is_told_with_its_keys(tmp_path):
    path = tmp_path / "traces.json"
    path.write_text('{"what": 1, "ever": 2}\n', "utf-8")
    with pytest.raises(UnreadableLog, match=r"traces.json: no format knows its lines; their keys are what, ever"):
        synthetic.capture(path, into=tmp_path / "store")


def test_rows_before_a_damaged_row_group_are_taken(tmp_path, table):
    whole = bytearray(table.read_bytes())
    group = pq.read_metadata(table).row_group(1).column(1)
    start = group.dictionary_page_offset or group.data_page_offset
    whole[start : start + group.total_compressed_size] = bytes(group.total_compressed_size)
    (tmp_path / "damaged.parquet").write_bytes(whole)
    with open_log(tmp_path / "damaged.parquet") as log:
        assert [position for position, _, _ in log.lines(0)] == list(range(70))
        assert "damaged.parquet: reading stopped before its end" in (log.broken or "")


@pytest.mark.parametrize("depth", [70, 300, 700, 990])
def test_a_first_line_that_is_deep_and_needs_repair_is_no_harm(tmp_path, depth):
    line = '{"x": ' + "[" * depth + "NaN" + "]" * depth + "}"
    assert keys(line.encode()) == ()
    write(tmp_path / "run" / "traces.jsonl", [line, episode("good")])
    done = synthetic.capture(tmp_path / "run", into=tmp_path / "store")
    assert (done.captured, done.quarantined) == (1, 1)
