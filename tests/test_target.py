"""Where a release may be written: in a free folder, or over a release of its name; nothing else is ever replaced."""

import os
import subprocess
import sys

import pytest

import synthetic
from synthetic import manifest
from synthetic.errors import BrokenStore, CannotWrite, NothingKept, TargetTaken
from synthetic.target import building
from tests.releases import ROOT, RUN, attempt, beside, first_shard, recipe, store, tree
from tests.rows import said, store_of

# ---- the target


def test_missing_folders_above_the_target_are_made(tmp_path):
    synthetic.release(store(tmp_path / "store"), to=tmp_path / "a" / "b" / "r")
    assert manifest.is_release(tmp_path / "a" / "b" / "r")


def test_an_empty_folder_is_a_free_target(tmp_path):
    (tmp_path / "r").mkdir()
    synthetic.release(store(tmp_path / "store"), to=tmp_path / "r")
    assert manifest.is_release(tmp_path / "r")


def test_a_link_to_a_folder_stays_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    facts = store(tmp_path / "store")
    for _ in range(2):
        synthetic.release(facts, to=tmp_path / "link", recipe=recipe(tmp_path, ""))
    assert (tmp_path / "link").is_symlink()
    assert manifest.is_release(tmp_path / "real")
    assert beside(tmp_path) == ["link", "r.toml", "real", "store"]


def test_a_folder_that_is_no_release_is_left_alone(tmp_path):
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "thesis.tex").write_text("years of work")
    with pytest.raises(TargetTaken, match="exists and is no release"):
        synthetic.release(store(tmp_path / "store"), to=tmp_path / "r")
    assert (tmp_path / "r" / "thesis.tex").read_text() == "years of work"


def test_a_file_is_no_target(tmp_path):
    (tmp_path / "r").write_text("mine")
    with pytest.raises(TargetTaken, match="exists and is no release"):
        synthetic.release(store(tmp_path / "store"), to=tmp_path / "r")
    assert (tmp_path / "r").read_text() == "mine"


def test_a_release_of_another_name_is_left_alone(tmp_path):
    facts = store(tmp_path / "store")
    synthetic.release(facts, to=tmp_path / "r")
    before = tree(tmp_path / "r")
    with pytest.raises(TargetTaken, match="holds the release 'r', not 'other'"):
        synthetic.release(facts, to=tmp_path / "r", recipe=recipe(tmp_path, 'name = "other"'))
    assert tree(tmp_path / "r") == before


def test_files_that_no_release_wrote_are_never_removed(tmp_path):
    facts = store(tmp_path / "store")
    synthetic.release(facts, to=tmp_path / "r")
    (tmp_path / "r" / "notes.md").write_text("mine")
    with pytest.raises(TargetTaken, match=r"1 files? that no release wrote: notes\.md"):
        synthetic.release(facts, to=tmp_path / "r")
    assert (tmp_path / "r" / "notes.md").read_text() == "mine"


def test_a_store_is_never_inside_its_release(tmp_path):
    facts = store(tmp_path / "r" / "store")
    with pytest.raises(TargetTaken, match="lies in it"):
        synthetic.release(facts, to=tmp_path / "r")
    assert first_shard(facts).is_file()


@pytest.mark.parametrize("to", ["/", ".", "x/..", "store"])
def test_folders_that_cannot_be_replaced_are_refused(tmp_path, monkeypatch, to):
    facts = store(tmp_path / "store")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TargetTaken):
        synthetic.release(facts, to=to)


def test_a_target_below_a_file_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotWrite, match="Not a directory"):
        synthetic.release(store(tmp_path / "store"), to=tmp_path / "file" / "r")


def test_a_name_that_is_too_long_for_the_file_system_cannot_be_written(tmp_path):
    with pytest.raises(CannotWrite, match="too long"):
        synthetic.release(store(tmp_path / "store"), to=tmp_path / ("x" * 300) / "r")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_cannot_be_written(tmp_path):
    facts = store(tmp_path / "store")
    (tmp_path / "ro").mkdir(mode=0o555)
    with pytest.raises(CannotWrite, match="Permission denied"):
        synthetic.release(facts, to=tmp_path / "ro" / "r")


NO_ROOM = """
import resource, sys
from synthetic.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.parametrize("room", [0, 2_000, 9_000, 20_000])
def test_without_room_there_is_one_clear_line_and_the_old_release_stays(tmp_path, room):
    facts = store(tmp_path / "store")
    synthetic.release(facts, to=tmp_path / "r")
    before = tree(tmp_path / "r")
    store_of(facts, [attempt(problem, 8, messages=[said("assistant", os.urandom(600).hex())]) for problem in range(12)])
    line = [sys.executable, "-c", NO_ROOM, str(room), "release", str(facts), "--to", str(tmp_path / "r")]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ")
    assert "File too large" in done.stderr
    assert len(done.stderr.splitlines()) == 2, done.stderr
    assert tree(tmp_path / "r") == before
    synthetic.release(facts, to=tmp_path / "r")
    assert synthetic.check(tmp_path / "r").problems == []
    assert beside(tmp_path) == ["r", "store"]


def test_a_release_stopped_between_two_renames_is_found_again(tmp_path):
    facts = store(tmp_path / "store")
    synthetic.release(facts, to=tmp_path / "r")
    before = tree(tmp_path / "r")
    (tmp_path / "r").rename(tmp_path / ".r.old")
    with pytest.raises(NothingKept):
        synthetic.release(facts, to=tmp_path / "r", recipe=recipe(tmp_path, 'keep = [{ where = "reward > 9" }]', "r"))
    assert tree(tmp_path / "r") == before


def test_no_store_is_made_in_a_release_and_who_takes_one_for_the_other_is_told(tmp_path):
    facts = store(tmp_path / "r.store")
    synthetic.release(facts, to=tmp_path / "r")
    before = tree(tmp_path / "r")
    for into in (tmp_path / "r", tmp_path / "r" / "store"):
        with pytest.raises(TargetTaken, match="is a release, and a store lies beside it"):
            synthetic.capture(RUN, into=into)
    assert tree(tmp_path / "r") == before
    with pytest.raises(BrokenStore, match="is a release, and no store") as refused:
        synthetic.release(tmp_path / "r", to=tmp_path / "again")
    assert str(facts) in str(refused.value.hint)
    facts.rename(tmp_path / "elsewhere")
    with pytest.raises(BrokenStore) as refused:
        synthetic.scan(tmp_path / "r")
    assert refused.value.hint == "name the store that it was made from"


def test_two_releases_into_one_folder_do_not_meet(tmp_path):
    facts = store(tmp_path / "store")
    with building(tmp_path / "r", "a plan"), pytest.raises(TargetTaken, match="another release is being made there"):
        synthetic.release(facts, to=tmp_path / "r")
