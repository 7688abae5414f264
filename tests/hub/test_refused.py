"""What a push refuses, before anything of the release has left: rights, visibility, licence, card, secrets."""

import re
import shlex

import pytest
from msgspec.structs import replace

import synthetic
from synthetic import manifest
from synthetic.errors import BrokenRelease, PushRefused, SecretFound
from synthetic.relicense import relicense
from tests.hub.pushing import REPO, released, shards
from tests.releases import attempt, attempts, command, copied

# ---- who may see it


@pytest.mark.parametrize(("public", "visibility"), [(False, "private"), (True, "public")])
def test_the_visibility_stands_in_the_creating_call(hub, push, v1, public, visibility):
    push(v1, public=public)
    create = next(call for call in hub.calls if call.point == "create")
    assert create.json["visibility"] == visibility
    assert hub.repos[REPO].private is not public
    assert "unknown" not in hub.points()  # no call that changes settings


def test_a_public_repository_is_not_written_to_unless_asked(hub, push, v1, v11):
    push(v1, public=True)
    hub.calls.clear()
    with pytest.raises(PushRefused, match="is public") as refused:
        push(v11)
    assert "--public" in str(refused.value.hint)
    assert hub.writes() == []
    assert push(v11, public=True).done == "pushed"


def test_a_private_repository_stays_private(hub, push, v1, v11):
    push(v1)
    done = push(v11, public=True)
    assert hub.repos[REPO].private
    assert "stays so" in done.notes[-1]


# ---- who may write


@pytest.mark.parametrize(
    ("who", "repo", "said"),
    [
        ("nobody", REPO, "401"),
        ("reader", REPO, "may only read"),
        ("writer", "strangers/sums", r"choices|namespaces are \['ana', 'lab'\]"),
    ],
)
def test_rights_are_checked_before_anything_is_sent(hub, push, v1, who, repo, said):
    token = {"nobody": "token-of-nobody", "reader": hub.token(role="read"), "writer": push.token}[who]
    with pytest.raises(PushRefused, match=said) as refused:
        push(v1, repo, token=token)
    assert set(hub.points()) == {"whoami"}
    assert token not in str(refused.value)


def test_an_organisation_of_the_token_is_pushed_to_and_a_broad_token_is_noted(hub, push, v1):
    done = push(v1, "lab/sums")
    assert "lab/sums" in hub.repos
    assert "fine-grained" in done.notes[0]


NO_NAMES = ["sums", "a/b/c", "ana/", "/sums", "ana/s ums", "ana/a--b", "ana/..", "../x", "ana/x.", "ana/x.git", "ana/é"]


@pytest.mark.parametrize("repo", [*NO_NAMES, "-ana/x", f"ana/{97 * 'x'}"])
def test_a_name_that_is_no_repository_is_refused_without_a_call(hub, push, v1, repo):
    with pytest.raises(PushRefused, match="org/name"):
        push(v1, repo)
    assert hub.calls == []


@pytest.mark.parametrize("repo", ["https://hub.example.com/datasets/ana/sums", "datasets/ana/sums/"])
def test_an_address_is_refused_with_the_name_in_it(hub, push, v1, repo):
    with pytest.raises(PushRefused) as refused:
        push(v1, repo)
    assert refused.value.hint == f"synthetic push {v1} ana/sums"


def test_a_store_and_a_folder_that_is_not_there_are_refused_with_what_would_work(hub, push, v1, tmp_path):
    with pytest.raises(BrokenRelease, match="is a store, and a push takes a release") as refused:
        push(v1.parent / "store")
    assert refused.value.hint == f"synthetic release {v1.parent / 'store'} --to my-release"
    with pytest.raises(BrokenRelease, match="there is no such folder"):
        push(tmp_path / "nothing")
    with pytest.raises(BrokenRelease, match="no release here"):
        push(tmp_path)
    assert hub.calls == []


def test_a_hint_can_be_pasted_whatever_the_folder_is_called(hub, push, unlicensed, tmp_path):
    folder = copied(unlicensed, tmp_path / "my 'sums'")
    with pytest.raises(PushRefused) as refused:
        push(folder)
    assert shlex.split(str(refused.value.hint)) == ["synthetic", "push", str(folder), REPO, "--license", "apache-2.0"]


def test_the_hubs_answer_is_shown_without_the_token(hub, push, v1):
    # A fine-grained token: only the Hub knows what it may do, and its words hold the token.
    token = hub.token("bob", role="fineGrained")
    with pytest.raises(PushRefused, match="403") as refused:
        push(v1, "strangers/sums", token=token)
    assert token not in str(refused.value)
    assert hub.writes() == ["create"]


def test_an_address_that_is_none_and_a_token_that_is_none_are_refused_at_once(hub, push, v1):
    with pytest.raises(PushRefused, match="the endpoint is no address") as refused:
        push(v1, endpoint="nonsense")
    assert "HF_ENDPOINT" in str(refused.value.hint)
    with pytest.raises(PushRefused, match="holds a character that no token has") as refused:
        push(v1, token="hf_é")
    assert "hf_é" not in str(refused.value)
    assert (push.waits, hub.calls) == ([], [])


def test_offline_mode_is_told_with_the_way_out_of_it(hub, v1):
    environment = {"HF_ENDPOINT": hub.url, "HF_TOKEN": hub.token(), "HF_HUB_OFFLINE": "1"}
    done = command("push", v1, REPO, env=environment)
    assert done.returncode == 1
    assert "try: unset HF_HUB_OFFLINE" in done.stderr
    assert hub.calls == []


# ---- what may leave


def test_a_release_without_a_licence_is_refused_with_the_fix(hub, push, unlicensed):
    with pytest.raises(PushRefused, match="no licence") as refused:
        push(unlicensed)
    assert refused.value.hint == f"synthetic push {unlicensed} {REPO} --license apache-2.0"
    assert hub.calls == []


def test_a_licence_is_written_into_the_release_which_still_holds(hub, push, unlicensed, tmp_path):
    folder = copied(unlicensed, tmp_path / "sums")
    push(folder, license="cc-by-4.0")
    assert synthetic.check(folder).problems == []
    assert manifest.read(folder).license == "cc-by-4.0"
    assert "license: cc-by-4.0" in hub.repos[REPO].at("v1.0.0").tree["README.md"].content.decode()
    assert shards(folder) == shards(unlicensed)
    assert manifest.read(folder).root == manifest.read(unlicensed).root


def test_a_licence_that_the_hub_does_not_know_is_refused_with_one_near_it(hub, push, unlicensed):
    with pytest.raises(PushRefused, match=r"apache-2\.0"):
        push(unlicensed, license="apache2")
    assert hub.calls == []


@pytest.mark.parametrize("license", ["other", "unknown"])
def test_a_licence_that_says_nothing_is_refused(hub, push, unlicensed, license):
    with pytest.raises(PushRefused, match="tells nobody what they may do"):
        push(unlicensed, license=license)
    assert hub.calls == []


def test_a_card_that_the_hub_refuses_stops_the_push_before_any_upload(hub, push, v1, tmp_path):
    folder = copied(v1, tmp_path / "sums")
    relicense(folder, "isc")  # which this Hub does not know
    with pytest.raises(PushRefused, match='"license" must be one of'):
        push(folder)
    assert hub.writes() == []


@pytest.mark.parametrize(
    ("was", "now", "said"),
    [
        ("license: mit", "license: apache-2.0", "its licence is 'apache-2.0'"),
        ("license: mit", "license: [mit", "cannot be read"),
        ("train-*.parquet", "train-h000*.parquet", "are not the files of"),
        ("num_examples: 24", "num_examples: 3", "3 rows are counted in sft_verified, its files hold 24"),
        ("config_name: traces", "config_name: other", "it has the configs"),
        ("default: true", "default: false", "its default config"),
    ],
)
def test_a_card_that_is_not_the_releases_is_refused_without_a_call(hub, push, v1, tmp_path, was, now, said):
    folder = copied(v1, tmp_path / "sums")
    card = (folder / "README.md").read_text("utf-8")
    assert was in card
    (folder / "README.md").write_text(card.replace(was, now), "utf-8")
    with pytest.raises(PushRefused, match=said):
        push(folder)
    assert hub.calls == []


def test_a_file_that_is_not_the_manifests_is_not_sent(hub, push, v1, tmp_path):
    folder = copied(v1, tmp_path / "sums")
    (folder / "CHANGELOG.md").write_text("edited", "utf-8")
    with pytest.raises(BrokenRelease, match=r"CHANGELOG.md: its bytes are not those of the manifest"):
        push(folder)
    assert hub.writes() == []


def test_a_release_without_its_card_or_a_shard_is_broken(hub, push, v1, tmp_path):
    for path in ("README.md", shards(v1)[0]):
        folder = copied(v1, tmp_path / path.replace("/", "-"))
        (folder / path).unlink()
        with pytest.raises((BrokenRelease, PushRefused), match="cannot be read"):
            push(folder)
    assert hub.calls == []


def test_a_manifest_cannot_name_a_file_outside_of_the_release(hub, push, v1, tmp_path):
    folder = copied(v1, tmp_path / "sums")
    (tmp_path / "private.txt").write_text("NEEDLE")
    made = manifest.read(folder)
    made = replace(made, files=[*made.files, manifest.File("../private.txt", 6, "0" * 64)])
    (folder / manifest.PATH).write_bytes(manifest.encode(made))
    with pytest.raises(BrokenRelease, match="no path within a release"):
        push(folder)
    assert hub.writes() == []


TOKEN = "hf" + "_" + "aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zA1b"


def test_a_secret_in_a_cell_is_named_by_row_and_column_and_never_sent_nor_shown(hub, push, tmp_path):
    row = attempt(50, 1)
    row["messages"][1]["content"] = f"I log in with {TOKEN} now."
    with pytest.raises(SecretFound, match=r"p50-1/0, messages.content: hugging_face_token") as refused:
        push(released(tmp_path, [*attempts(2), row]))
    assert TOKEN not in str(refused.value)
    # A rule cannot help: `traces` holds every row.
    assert "take it out of the logs" in str(refused.value.hint)
    assert not hub.received(TOKEN)
    assert hub.writes() == []


@pytest.mark.parametrize("path", ["README.md", "release/reports/stats.json", f"notes-{TOKEN}.md"])
def test_a_secret_in_a_file_or_its_name_is_never_sent(hub, push, v1, tmp_path, path):
    folder = copied(v1, tmp_path / "sums")
    text = (folder / path).read_text("utf-8") if (folder / path).is_file() else ""
    (folder / path).write_text(text + ("" if TOKEN in path else TOKEN), "utf-8")
    made = manifest.read(folder)
    listed = [file for file in made.files if file.path != path]
    listed.append(manifest.File(path, (folder / path).stat().st_size, manifest.sha256(folder / path)))
    (folder / manifest.PATH).write_bytes(manifest.encode(replace(made, files=listed)))
    with pytest.raises(SecretFound, match="hugging_face_token") as refused:
        push(folder)
    assert TOKEN not in str(refused.value)
    assert not hub.received(TOKEN)


def test_a_row_with_a_secret_is_named_once_though_it_stands_in_two_configs(hub, push, tmp_path):
    leaking = [attempt(number, 1, model=f"as {TOKEN}") for number in range(50, 62)]
    with pytest.raises(SecretFound) as refused:
        push(released(tmp_path, [*attempts(2), *leaking]))
    said = str(refused.value)
    named = re.findall(r"p\d\d-1/0, model: hugging_face_token", said)
    assert len(set(named)) == len(named) == 10
    # Two rows, the problems of rl_tasks, and the lines of card and numbers that list models.
    assert " … and " in said


def test_a_value_of_this_hosts_environment_is_never_sent(hub, push, tmp_path):
    folder = released(tmp_path, [*attempts(2), attempt(50, 1, model="served-by-orange-17")])
    with pytest.raises(SecretFound, match=r"the value of \$SERVICE_PASSWORD") as refused:
        push(folder, secrets={"SERVICE_PASSWORD": "orange-17"})
    assert "orange-17" not in str(refused.value)
    assert "if $SERVICE_PASSWORD is no secret" in str(refused.value.hint)
    assert not hub.received("orange-17")
