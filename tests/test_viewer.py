"""What the Hub's viewer needs of a release: named where it does not hold."""

import pyarrow.parquet as pq
import pytest
from msgspec.structs import replace

import synthetic
from synthetic import manifest
from synthetic.check import viewer
from synthetic.check.checked import Checked
from tests.releases import attempt, attempts, store
from tests.rows import said


def released(folder, rows):
    synthetic.release(store(folder / "store", rows), to=folder / "r")
    return folder / "r"


def looked(release, **changed):
    """What is found, with a manifest of whose config traces something is changed."""
    made = manifest.read(release)
    done = Checked(str(release), "release")
    configs = made.configs | {"traces": replace(made.configs["traces"], **changed)}
    viewer.check_viewer(release, replace(made, configs=configs), done)
    return done


def test_a_small_release_has_nothing_to_tell(tmp_path):
    done = synthetic.check(released(tmp_path, attempts(4)))
    assert (done.problems, done.notes) == ([], [])


def test_a_huge_value_is_told_with_its_column_and_is_no_problem(tmp_path):
    huge = attempt(1, 0, messages=[said("user", "?"), said("assistant", "so it is " * 130_000)])
    done = synthetic.check(released(tmp_path, [huge, *attempts(2)]))
    assert done.problems == []
    assert any(
        "traces/train-h000-of-001.parquet: the largest value of messages has 1.2 MB" in note for note in done.notes
    )
    assert any(note.startswith("traces, train: its first 12 rows have 1.2 MB") for note in done.notes)


def test_a_file_without_a_page_index_is_named(tmp_path):
    release = released(tmp_path, attempts(2))
    file = release / manifest.read(release).configs["traces"].files[0].path
    pq.write_table(pq.read_table(file), file)
    assert any("row group 1 has no page index" in problem for problem in looked(release).problems)


def test_a_file_far_larger_than_the_others_is_told(tmp_path):
    release = released(tmp_path, attempts(2))
    data = manifest.read(release).configs["traces"].files[0]
    files = [replace(data, bytes=2_000_000)] * 3 + [replace(data, bytes=150_000_000)]
    (note,) = looked(release, files=files).notes
    assert "150 MB, 3.8 times the mean of its config" in note


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ([{"name": f"c{n}"} for n in range(1001)], "1001 columns; the viewer shows 1,000"),
        ([{"name": "c" * 501}], "a column's name has more than 500 characters"),
    ],
)
def test_columns_that_the_viewer_cannot_show_are_named(tmp_path, columns, says):
    assert any(says in problem for problem in looked(released(tmp_path, attempts(1)), columns=columns).problems)


def test_a_split_with_a_dash_is_named(tmp_path):
    release = released(tmp_path, attempts(1))
    data = manifest.read(release).configs["traces"].files[0]
    odd = replace(data, path=data.path.replace("train", "held.out!"))
    (release / data.path).rename(release / odd.path)
    assert "traces: 'held.out!' is no name of a split" in looked(release, files=[odd]).problems
