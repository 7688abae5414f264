"""Another licence for a finished release: card, recipe and manifest say it, the data are the same files."""

from contextlib import chdir

import pytest

import synthetic
from synthetic import manifest, recipe
from synthetic.errors import BrokenRelease, RecipeError, TargetTaken
from synthetic.relicense import changed_texts, relicense
from tests.releases import attempts, beside, copied, store, tree


@pytest.fixture(scope="module")
def unlicensed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("unlicensed")
    synthetic.release(store(folder / "store", attempts(3)), to=folder / "sums")
    return folder / "sums"


@pytest.fixture
def folder(unlicensed, tmp_path):
    return copied(unlicensed, tmp_path / "sums")


def test_card_recipe_and_manifest_say_the_licence_and_the_release_holds(folder):
    before = tree(folder)
    made = relicense(folder, "mit")
    assert made.license == manifest.read(folder).license == "mit"
    assert "license: mit" in (folder / "README.md").read_text("utf-8")
    assert recipe.read(folder / "release/recipe.toml", name="sums").license == "mit"
    assert synthetic.check(folder).problems == []
    changed = {path for path, digest in tree(folder).items() if before[path] != digest}
    assert changed == {"README.md", "croissant.json", "release/manifest.json", "release/recipe.toml"}
    assert beside(folder.parent) == ["sums"]


def test_the_texts_are_known_before_they_are_written(folder):
    before, texts = tree(folder), changed_texts(folder, "mit")
    assert tree(folder) == before
    relicense(folder, "mit")
    assert all((folder / path).read_bytes() == text for path, text in texts.items())


def test_a_licence_can_be_replaced_and_the_same_one_changes_nothing(folder):
    relicense(folder, "mit")
    relicense(folder, "apache-2.0")
    assert synthetic.check(folder).problems == []
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert relicense(folder, "apache-2.0").license == "apache-2.0"
    assert changed_texts(folder, "apache-2.0") == {}
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_the_release_is_the_one_that_its_recipe_makes(unlicensed, tmp_path):
    relicense(copied(unlicensed, tmp_path / "sums"), "mit")
    synthetic.release(unlicensed.parent / "store", to=tmp_path / "again" / "sums", license="mit")
    assert tree(tmp_path / "sums") == tree(tmp_path / "again" / "sums")


def test_a_folder_with_a_file_of_somebody_else_is_left_alone(folder):
    (folder / "notes.md").write_text("mine")
    before = tree(folder)
    for change in (relicense, changed_texts):  # also a dry run of a push tells it
        with pytest.raises(TargetTaken, match=r"notes\.md"):
            change(folder, "mit")
    assert tree(folder) == before


def test_the_folder_that_the_command_runs_in_cannot_be_replaced_and_that_is_said_before(folder):
    for change in (relicense, changed_texts):
        with chdir(folder), pytest.raises(TargetTaken, match="is where this command runs") as refused:
            change(".", "mit")
        assert refused.value.hint == "run it from the folder above"


@pytest.mark.parametrize("path", ["README.md", "release/recipe.toml"])
def test_an_edit_by_hand_is_not_lost(folder, path):
    edited = (folder / path).read_text("utf-8") + "\n# my own words\n"
    (folder / path).write_text(edited, "utf-8")
    with pytest.raises(BrokenRelease, match=f"{path}: its bytes are not those of the manifest"):
        relicense(folder, "mit")
    assert (folder / path).read_text("utf-8") == edited


def test_no_identifier_and_no_release_are_refused(folder, tmp_path):
    with pytest.raises(RecipeError, match="no identifier"):
        relicense(folder, "a licence of mine")
    with pytest.raises(BrokenRelease):
        relicense(tmp_path, "mit")
