"""What a push replaces that is no earlier version of the same release: it is said, and stays in the history."""

import pytest

from tests.hub.pushing import REPO, released, remote_tree
from tests.hub.repos import Repo
from tests.releases import attempts, tree

SAID = "overwrites what others wrote on the Hub, which stays in its history: "


def said(done):
    return [note.removeprefix(SAID) for note in done.notes if note.startswith(SAID)]


def test_a_card_that_was_edited_on_the_hub_is_named_before_and_after_it_is_replaced(hub, push, v1, v11):
    push(v1)
    edit = hub.repos[REPO].write("README.md", b"# edited on the Hub")
    planned = push(v11, dry_run=True)
    done = push(v11)
    assert said(planned) == said(done) == ["README.md"]
    assert planned.plan == done.plan
    assert remote_tree(hub) == tree(v11)
    assert hub.repos[REPO].history("main")[1].id == edit
    assert hub.repos[REPO].at(edit).tree["README.md"].content == b"# edited on the Hub"


def test_a_card_that_is_edited_during_the_push_is_named(hub, push, v1, v11):
    push(v1)
    hub.before["commit"] = [lambda: hub.repos[REPO].write("README.md", b"# edited at the last moment")]
    assert said(push(v11)) == ["README.md"]


def test_a_file_that_is_deleted_after_an_edit_is_named(hub, push, v1, v11):
    gone = sorted(tree(v1).keys() - tree(v11).keys())[0]
    push(v1)
    hub.repos[REPO].write(gone, b"PAR1 of somebody else")
    assert said(push(v11)) == [gone]


@pytest.mark.parametrize("path", ["README.md", "CHANGELOG.md"])
def test_a_file_that_was_there_before_the_first_release_is_named(hub, push, v1, path):
    hub.repos[REPO] = Repo(REPO, private=True)
    hub.repos[REPO].write(path, b"mine")
    hub.repos[REPO].write("notes.md", b"mine, and no file of a release")
    assert said(push(v1)) == [path]


def test_nothing_is_named_where_only_releases_wrote(hub, push, v1, v11):
    assert said(push(v1)) == []
    hub.repos[REPO].write("notes.md", b"mine")
    assert said(push(v11)) == []


def test_what_an_untagged_release_lists_counts_as_its_own(hub, push, v1, v11):
    push(v1)
    hub.repos[REPO].tags.clear()
    assert said(push(v11)) == []


IN_PLACE = "takes the place of {}, which stays in the history"


def test_a_newer_version_that_is_replaced_is_named_before_and_after(hub, push, v1, v11):
    push(v11)
    planned, done = push(v1, dry_run=True), push(v1)
    assert planned.notes[-1] == done.notes[-1] == IN_PLACE.format("sums 1.1.0")
    assert not any("takes the place" in note for note in push(v11).notes)  # its tag is there: nothing is sent


def test_another_release_that_is_replaced_is_named(hub, push, v1, tmp_path):
    push(v1)
    other = released(tmp_path, attempts(2), "2.0.0", name="products")
    assert push(other).notes[-1] == IN_PLACE.format("sums 1.0.0")


def test_an_earlier_version_is_replaced_without_a_word(hub, push, v1, v11):
    push(v1)
    assert not any("takes the place" in note for note in push(v11).notes)
