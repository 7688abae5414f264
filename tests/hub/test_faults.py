"""When the Hub or another writer gets in the way: one commit all the same, or an error that says what to do."""

import logging

import pytest

from synthetic.errors import HubFailed, PushRefused
from synthetic.hub.remote import Patience
from tests.hub.pushing import REPO, remote_tree, shards
from tests.hub.repos import Repo
from tests.releases import copied, tree

READS = ["whoami", "info", "refs", "tree", "commits", "resolve", "get"]
WRITES = ["validate", "create", "preupload", "batch", "put", "verify", "commit", "tag"]
CALLS = [("lfs", point) for point in READS + WRITES]
CALLS += [("xet", point) for point in ("access", "known_chunk", "xorb", "register_v2", "register", "commit")]


def assert_pushed_once(hub, release, done):
    """One commit of ours with the whole release, and the tag on it."""
    repo = hub.repos[REPO]
    assert [commit.title for commit in repo.history("main")].count("Release sums 1.0.0") == 1
    assert repo.tags == {"v1.0.0": done.commit}
    assert remote_tree(hub, "v1.0.0").items() >= tree(release).items()


# ---- passing failures


@pytest.mark.parametrize("kind", ["status", "reset"])
@pytest.mark.parametrize(("transport", "point"), CALLS, indirect=["transport"])
def test_one_passing_failure_of_any_call_is_survived(hub, push, transport, small, point, kind):
    hub.fail(point, kind)
    assert_pushed_once(hub, small, push(small))
    assert kind in {call.fault for call in hub.calls if call.point == point}


def test_a_failure_of_every_ninth_call_is_survived(hub, push, transport, small):
    """Not of every seventh or eighth: so many calls a new try takes, and it would always be the commit that fails."""
    hub.fail("any", every=9)
    assert_pushed_once(hub, small, push(small))


@pytest.mark.parametrize("status", [500, 429])
def test_a_commit_that_was_refused_for_now_is_sent_again(hub, push, transport, small, status):
    hub.fail("commit", status=status)
    assert_pushed_once(hub, small, push(small))
    assert hub.points(transport.send, "commit") == [transport.send] * len(shards(small)) + ["commit"] * 2


def test_the_hub_says_how_long_to_wait(hub, push, small):
    hub.fail("commit", status=429, headers={"Retry-After": "7"})
    hub.fail("tag", status=429, headers={"ratelimit": '"api";r=0;t=9'})
    assert_pushed_once(hub, small, push(small))
    assert push.waits == [7, 9]


def test_a_wait_that_is_too_long_ends_the_push_with_the_time_to_come_back(hub, push, small):
    hub.fail("commit", status=429, headers={"Retry-After": "3600"})
    with pytest.raises(HubFailed, match="come back in 3600 s"):
        push(small)
    assert push.waits == []


@pytest.mark.parametrize("point", ["whoami", "validate", "create", "commit", "tag"])
def test_a_failure_that_stays_is_named_after_some_tries(hub, push, small, point):
    hub.fail(point, times=1000)
    with pytest.raises(HubFailed, match=r"the Hub answered 503") as failed:
        push(small)
    assert len(hub.points(point)) == 4
    assert "run the same command again" in str(failed.value.hint)
    hub.faults.clear()
    assert_pushed_once(hub, small, push(small))


# ---- lost answers


@pytest.mark.parametrize("kind", ["lost", "lost_504"])
@pytest.mark.parametrize("point", ["create", "commit", "tag"])
def test_a_lost_answer_is_neither_an_error_nor_a_second_time(hub, push, transport, small, point, kind):
    hub.fail(point, kind)
    assert_pushed_once(hub, small, push(small))
    assert hub.points("commit", "tag") == ["commit", "tag"]


def test_a_commit_that_never_answers_is_looked_for(hub, push, small):
    hub.fail("commit", "stall")
    patience = Patience(tries=4, first_seconds=0.01, answer_seconds=0.5, sleep=push.waits.append)
    assert_pushed_once(hub, small, push(small, patience=patience))
    assert hub.points("commit") == ["commit"]


def test_a_lost_answer_to_a_commit_with_deletions_is_no_second_commit(hub, push, transport, v1, v11):
    push(v1)
    hub.fail("commit", "lost")
    assert push(v11).plan.delete
    assert hub.points("commit") == ["commit", "commit"]
    assert remote_tree(hub) == tree(v11)


def test_a_lost_answer_is_recognised_when_another_writer_was_next(hub, push, small):
    hub.fail("commit", "lost")

    def another():
        if hub.repos[REPO].at("main").title == "initial commit":
            hub.before["commits"] = [another]
        else:
            hub.repos[REPO].write("README.md", b"# edited at once")

    hub.before["commits"] = [another]
    assert_pushed_once(hub, small, push(small))
    assert hub.repos[REPO].at("main").tree["README.md"].content == b"# edited at once"


def test_a_lost_pull_request_is_not_opened_twice(hub, push, v1, v11):
    push(v1)
    hub.fail("discuss", "lost")
    assert push(v11, pr=True).done == "proposed"
    assert len(hub.repos[REPO].pull_requests) == 1


# ---- other writers


def test_another_writers_commit_stays_and_ours_follows_it(hub, push, transport, small):
    hub.before["commit"] = [lambda: hub.repos[REPO].write("notes.md", b"mine")]
    assert_pushed_once(hub, small, push(small))
    titles = [commit.title for commit in hub.repos[REPO].history("main")]
    assert titles == ["Release sums 1.0.0", "another writer", "initial commit"]
    assert "notes.md" in remote_tree(hub)
    assert len(hub.points(transport.send)) == len(shards(small))


def test_a_writer_who_is_always_first_ends_the_push_after_some_tries(hub, push, small):
    def another():
        hub.repos[REPO].write("notes.md", b"%d" % len(hub.calls))
        hub.before["commit"] = [another]

    hub.before["commit"] = [another]
    with pytest.raises(HubFailed, match="412"):
        push(small)
    assert len(hub.points("commit")) == 4
    assert hub.repos[REPO].tags == {}


def test_the_tag_stays_on_our_commit_when_main_moves_before_it(hub, push, small):
    hub.before["tag"] = [lambda: hub.repos[REPO].write("notes.md", b"mine")]
    assert_pushed_once(hub, small, push(small))
    assert hub.repos[REPO].at("main").title == "another writer"


def test_a_tag_that_another_writer_sets_first_is_refused(hub, push, small):
    def another():
        hub.repos[REPO].tags["v1.0.0"] = hub.repos[REPO].history("main")[-1].id

    hub.before["tag"] = [another]
    with pytest.raises(PushRefused, match="was set meanwhile"):
        push(small)


def test_a_repository_that_another_writer_makes_public_first_gets_nothing(hub, push, small):
    hub.before["create"] = [lambda: hub.repos.update({REPO: Repo(REPO, private=False)})]
    with pytest.raises(PushRefused, match="was created meanwhile, public"):
        push(small)
    assert hub.writes() == ["create"]


def test_two_configs_of_different_versions_do_not_mix_when_the_manifest_was_lost(hub, push, v1, v11):
    push(v1)
    hub.repos[REPO].write("release/manifest.json", b"not ours")
    with pytest.raises(PushRefused, match="no release of ours listed"):
        push(v11)
    assert hub.points("commit") == ["commit"]


# ---- interrupted pushes, storage


def test_a_push_that_ended_before_its_tag_only_tags(hub, push, small):
    hub.fail("tag", times=1000)
    with pytest.raises(HubFailed):
        push(small)
    hub.faults.clear()
    hub.calls.clear()
    done = push(small)
    assert done.done == "tagged"
    assert hub.writes() == ["tag"]
    assert_pushed_once(hub, small, done)


def test_a_full_storage_is_named_and_the_next_push_sends_only_the_rest(hub, push, transport, small):
    hub.fail(transport.send, status=507, nth=2, times=1000)
    with pytest.raises(HubFailed, match="507") as failed:
        push(small)
    assert "make room" in str(failed.value.hint)
    assert push.waits == []
    assert len(hub.stored) == 1
    hub.faults.clear()
    hub.calls.clear()
    assert_pushed_once(hub, small, push(small))
    assert hub.points(transport.send, "commit", "tag") == [transport.send] * (len(shards(small)) - 1) + [
        "commit",
        "tag",
    ]


@pytest.mark.parametrize("status", [401, 403])
def test_a_right_that_ends_during_the_push_is_named_at_once(hub, push, transport, small, status):
    hub.fail(transport.ask, status=status, nth=2, times=1000)
    with pytest.raises(PushRefused, match=str(status)):
        push(small)
    assert push.waits == []
    assert hub.points("commit") == []


def test_an_expired_address_is_asked_for_again(hub, push, transport, small):
    hub.fail(transport.send, status=403)
    assert_pushed_once(hub, small, push(small))
    assert len(hub.points(transport.ask)) == len(shards(small)) + 1


def test_bytes_that_rot_in_the_storage_are_noticed_and_get_no_tag(hub, push, transport, small):
    hub.fail(transport.stores[-1], "rot", times=len(shards(small)))
    with pytest.raises(HubFailed, match="reads back with other bytes"):
        push(small)
    assert hub.repos[REPO].tags == {}


def test_a_file_that_changes_during_the_push_is_not_committed(hub, push, transport, v1, tmp_path):
    folder = copied(v1, tmp_path / "sums")
    hub.before["create"] = [lambda: (folder / shards(folder)[0]).write_bytes(b"PAR1 something else PAR1")]
    with pytest.raises(HubFailed, match="changed during the push"):
        push(folder)
    assert hub.points("commit", "tag") == []


# ---- the token


def test_the_token_is_in_no_log_no_output_and_no_error(hub, push, transport, small, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    hub.fail("commit", times=2)
    push(small)
    reader = hub.token(role="read")
    with pytest.raises(PushRefused) as refused:
        push(small, "ana/other", token=reader)
    said = caplog.text + "".join(capfd.readouterr()) + str(refused.value) + repr(refused.value)
    assert push.token not in said
    assert reader not in said
    assert hub.xet.token not in said
    assert not any(push.token.encode() in call.body or push.token in call.path for call in hub.calls)
