"""`synthetic push`, as a user types it: in a process of its own, with its environment."""

import json
import os
import signal
import subprocess
import sys

import pytest

from tests.hub.pushing import REPO, released, remote_tree, shards
from tests.releases import ROOT, attempt, attempts, command, tree


@pytest.fixture
def environment(hub, push, tmp_path):
    """A user's: with nothing in it that keeps huggingface_hub from telling about this machine."""
    theirs = {"HF_ENDPOINT": hub.url, "HF_TOKEN": push.token, "HF_HOME": str(tmp_path / "home")}
    return os.environ | theirs | {"HF_HUB_DISABLE_TELEMETRY": ""}


@pytest.fixture
def verb(hub, push, environment):
    """Run `synthetic push` against the Hub; give exit code, output and errors."""

    def run(*arguments, **more):
        done = command("push", *arguments, env=environment | more)
        assert push.token not in done.stdout + done.stderr
        assert not {"unknown", "telemetry"} & set(hub.points())
        return done.returncode, done.stdout, done.stderr

    return run


def test_a_push_prints_the_page_the_tag_and_the_line_that_loads_it(hub, verb, transport, small):
    code, out, err = verb(small, REPO, **transport.environment)
    assert (code, err) == (0, "")
    assert f"pushed  →  {hub.url}/datasets/{REPO}" in out
    assert "the repository was made: private" in out
    assert "tag v1.0.0" in out
    assert 'load_dataset("ana/sums", "sft_verified", split="train", revision="v1.0.0")' in out
    assert remote_tree(hub) == tree(small)
    assert transport.send in hub.points()
    code, out, _ = verb(small, REPO, **transport.environment)
    assert out.startswith("unchanged: the Hub holds this release already, nothing was sent")


def test_a_push_after_one_that_was_killed_sends_at_most_one_shard_again(hub, verb, environment, transport, v1):
    line = [sys.executable, "-m", "synthetic.cli", "push", str(v1), REPO]
    killed = subprocess.Popen(line, env=environment | transport.environment, cwd=ROOT)

    def kill_at_the_fifth():
        if len(hub.stored) == 4:
            killed.kill()
        else:
            hub.before[transport.send] = [kill_at_the_fifth]

    hub.before[transport.send] = [kill_at_the_fifth]
    assert killed.wait(timeout=60) == -signal.SIGKILL
    assert len(hub.points(transport.send)) == 5
    assert verb(v1, REPO, **transport.environment)[0] == 0
    assert len(hub.points(transport.send)) <= len(shards(v1)) + 1
    assert hub.points("commit", "tag") == ["commit", "tag"]
    assert remote_tree(hub) == tree(v1)


def test_a_dry_run_prints_the_plan(hub, verb, small):
    code, out, _ = verb(small, REPO, "--dry-run")
    assert code == 0
    assert "the repository is made first: private" in out
    assert "+ data/traces/train-h000-of-001.parquet" in out
    assert "then the tag v1.0.0 on that commit" in out
    assert hub.writes() == []


def test_json_is_one_object_with_the_plan(hub, verb, small):
    code, out, _ = verb(small, REPO, "--json", "--public")
    said = json.loads(out)
    assert (code, said["done"], said["tag"], said["plan"]["public"]) == (0, "pushed", "v1.0.0", True)
    assert {file["path"]: file["sha256"] for file in said["plan"]["add"]} == remote_tree(hub)


def test_a_missing_licence_is_told_with_the_command_that_gives_one(hub, verb, unlicensed):
    code, _, err = verb(unlicensed, REPO)
    assert code == 1
    assert f"try: synthetic push {unlicensed} {REPO} --license=apache-2.0" in err
    assert hub.calls == []


def test_secret_values_of_the_environment_do_not_leave(hub, verb, push, tmp_path):
    folder = released(tmp_path, [*attempts(2), attempt(50, 1, model="orange-17-orange")])
    code, out, err = verb(folder, REPO, SERVICE_API_KEY="orange-17-orange")
    assert code == 1
    assert "p50-1/0, model: the value of $SERVICE_API_KEY" in err
    assert "orange-17-orange" not in out + err
    assert not hub.received("orange-17-orange")


def test_the_token_itself_does_not_leave_in_a_release(hub, verb, push, tmp_path):
    code, _, err = verb(released(tmp_path, [*attempts(2), attempt(50, 1, model=f"as {push.token}")]), REPO)
    assert code == 1
    assert "the value of $HF_TOKEN" in err
    assert not any(push.token.encode() in call.body for call in hub.calls)


def test_no_token_is_told_with_the_way_to_get_one(hub, verb, small):
    code, _, err = verb(small, REPO, HF_TOKEN="")
    assert code == 1
    assert "there is no token for the Hub" in err
    assert "hf auth login" in err
