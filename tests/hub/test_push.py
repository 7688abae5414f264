"""A push, watched request by request: the real clients against a Hub on loopback that keeps the Hub's promises."""

import json

import pytest
from huggingface_hub import HfApi

from synthetic import manifest
from synthetic.errors import PushRefused
from synthetic.relicense import relicense
from tests.hub.pushing import REPO, loaded, released, remote_tree, row_ids, shards
from tests.releases import attempts, copied, tree

# ---- a push


def test_a_push_is_a_creation_uploads_one_commit_and_one_tag(hub, push, transport, v1):
    done = push(v1)
    assert hub.writes() == ["create", *transport.stores * len(shards(v1)), "commit", "tag"]
    assert remote_tree(hub) == tree(v1)
    repo = hub.repos[REPO]
    assert [commit.title for commit in repo.history("main")] == ["Release sums 1.0.0", "initial commit"]
    assert repo.tags == {"v1.0.0": done.commit}
    assert (done.done, done.tag, done.url) == ("pushed", "v1.0.0", f"{hub.url}/datasets/{REPO}")
    assert done.load == 'load_dataset("ana/sums", "sft_verified", split="train", revision="v1.0.0")'


def test_every_commit_names_its_parent_and_shards_are_stored_before_it(hub, push, transport, v1):
    push(v1)
    points = hub.points("validate", "create", "commit", *transport.stores)
    assert points[:2] == ["validate", "create"]
    assert points[-2:] == ["validate", "commit"]
    header = json.loads(next(call for call in hub.calls if call.point == "commit").body.splitlines()[0])
    assert header["value"]["parentCommit"] == hub.repos[REPO].history("main")[1].id
    keys = hub.repos[REPO].at("main").keys
    assert keys.count("lfsFile") == len(shards(v1))


def test_nothing_but_the_releases_own_files_is_sent(hub, push, transport, v1, tmp_path):
    folder = copied(v1, tmp_path / "sums")
    (folder / ".env").write_text("NEEDLE-IN-ENV")
    (folder / "data" / "notes.txt").write_text("NEEDLE-IN-NOTES")
    push(folder)
    assert not hub.received("NEEDLE-IN")
    assert remote_tree(hub) == tree(v1)
    assert hub.stored.keys() <= set(tree(v1).values())


def test_no_token_reaches_the_storage_and_nothing_unasked_is_sent(hub, push, transport, v1):
    push(v1)
    stored = [call for call in hub.calls if call.point in ("get", *transport.stores)]
    assert len(stored) > len(shards(v1))
    assert not any(call.authorized for call in stored)
    assert not {"unknown", "telemetry"} & set(hub.points())


def test_a_pushed_version_loads_by_its_tag_and_so_does_the_one_before(hub, push, transport, v1, v11, tmp_path):
    push(v1)
    push(v11)
    assert remote_tree(hub) == tree(v11)
    now, before = row_ids(v11), row_ids(v1)
    assert loaded(hub, push.token, tmp_path, transport, "v1.1.0", "v1.0.0") == [now, now, before, before]


def test_a_smaller_version_deletes_its_predecessors_files_and_no_others(hub, push, transport, v1, v11):
    push(v1)
    hub.repos[REPO].write("notes/mine.md", b"written on the Hub")
    done = push(v11)
    assert set(done.plan.delete) == set(shards(v1)) - set(shards(v11)) != set()
    assert remote_tree(hub).keys() - tree(v11).keys() == {"notes/mine.md"}
    assert hub.writes().count("commit") == 2


def test_a_file_of_somebody_else_among_the_shards_is_refused(hub, push, v1):
    push(v1)
    hub.repos[REPO].write("data/sft_verified/train-extra.parquet", b"PAR1")
    hub.repos[REPO].tags.clear()
    hub.repos[REPO].write("README.md", b"# another card")
    hub.repos[REPO].commits[hub.repos[REPO].history("main")[2].id].title = "another"
    with pytest.raises(PushRefused, match=r"train-extra\.parquet, which no release of ours listed"):
        push(v1)


def test_a_second_push_does_nothing_and_says_so(hub, push, transport, v1):
    first = push(v1)
    hub.calls.clear()
    again = push(v1)
    assert (again.done, again.commit, again.tag) == ("unchanged", first.commit, "v1.0.0")
    assert hub.writes() == []
    assert again.plan.is_empty
    assert len(again.plan.unchanged) == len(tree(v1))


def test_a_second_push_does_nothing_after_main_went_on(hub, push, v1, v11):
    push(v1)
    push(v11)
    hub.calls.clear()
    assert push(v1).done == "unchanged"
    assert hub.writes() == []


def test_other_content_under_a_tag_is_refused(hub, push, v1, v11, tmp_path):
    push(v1)
    other = released(tmp_path, attempts(4), "1.0.0")
    hub.calls.clear()
    with pytest.raises(PushRefused, match="A tag never changes") as refused:
        push(other)
    for root in (manifest.read(v1).root, manifest.read(other).root):
        assert root in str(refused.value)
    assert "1.1.0" in str(refused.value.hint)
    assert hub.writes() == []


def test_another_licence_under_a_tag_is_refused_as_a_patch(hub, push, v1, tmp_path):
    push(v1)
    other = copied(v1, tmp_path / "sums")
    relicense(other, "apache-2.0")
    with pytest.raises(PushRefused, match="the same rows with another card or licence") as refused:
        push(other)
    assert "1.0.1" in str(refused.value.hint)


# ---- a dry run


def test_a_dry_run_sends_nothing_and_the_real_run_follows_its_plan(hub, push, v1, v11):
    push(v1)
    hub.calls.clear()
    planned = push(v11, dry_run=True)
    assert planned.done == "planned"
    assert {call.method for call in hub.calls} <= {"GET", "HEAD"}
    assert push(v11).plan == planned.plan


def test_a_dry_run_of_a_first_push_creates_nothing(hub, push, v1):
    planned = push(v1, dry_run=True)
    assert planned.plan.creates
    assert len(planned.plan.add) == len(tree(v1))
    assert hub.repos == {}
    assert {call.method for call in hub.calls} == {"GET"}


def test_a_dry_run_with_a_licence_changes_no_file(hub, push, unlicensed, tmp_path):
    folder = copied(unlicensed, tmp_path / "sums")
    before = tree(folder)
    planned = push(folder, license="mit", dry_run=True)
    assert tree(folder) == before
    push(folder, license="mit")
    assert {file.path: file.sha256 for file in planned.plan.add} == remote_tree(hub) == tree(folder)


# ---- pull requests


def test_a_proposal_is_one_pull_request_which_a_second_push_goes_on_with(hub, push, transport, v1, v11):
    push(v1)
    bob = hub.token("bob")
    hub.repos[REPO].private = False
    hub.calls.clear()
    done = push(v11, pr=True, public=True, token=bob)
    assert (done.done, done.tag) == ("proposed", None)
    assert done.url == f"{hub.url}/datasets/{REPO}/discussions/1"
    assert remote_tree(hub, "refs/pr/1") == tree(v11)
    assert remote_tree(hub) == tree(v1)
    again = push(v11, pr=True, public=True, token=bob)
    assert (again.done, again.url) == ("unchanged", done.url)
    assert hub.points("discuss", "commit", "tag") == ["discuss", "commit"]
    hub.repos[REPO].merge(1)
    merged = push(v11, public=True)
    assert (merged.done, merged.tag) == ("tagged", "v1.1.0")
    assert hub.repos[REPO].tags["v1.1.0"] == done.commit


def test_a_proposal_to_a_repository_that_is_not_there_is_refused(hub, push, v1):
    with pytest.raises(PushRefused, match="does not exist"):
        push(v1, "strangers/sums", pr=True)
    assert hub.writes() == []


def test_the_real_client_agrees_with_the_push(hub, push, v1):
    done = push(v1)
    api = HfApi(endpoint=hub.url, token=push.token)
    assert api.dataset_info(REPO, revision="v1.0.0").sha == done.commit
    assert {ref.name: ref.target_commit for ref in api.list_repo_refs(REPO, repo_type="dataset").tags} == {
        "v1.0.0": done.commit
    }
