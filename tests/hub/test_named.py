"""Releases and evaluation sets by their names on the Hub: `org/name@revision` wherever a folder is read."""

import json

import pytest

from synthetic import manifest
from synthetic.fetch import local, without_revision
from tests.hub.pushing import REPO
from tests.releases import attempt, command, config_rows, store


@pytest.fixture
def ask(hub, push, tmp_path):
    """The command, with this Hub and a cache of its own."""

    def run(*arguments, **more):
        env = {"HF_ENDPOINT": hub.url, "HF_TOKEN": push.token, "HF_HOME": str(tmp_path / "home")} | more
        return command(*arguments, env=env)

    return run


def test_a_release_on_the_hub_is_shown_counted_and_checked_by_its_name(push, ask, small):
    push(small)
    shown = ask("show", f"{REPO}@v1.0.0", "p1-0", "--json")
    assert shown.returncode == 0, shown.stderr
    assert json.loads(shown.stdout)["row_id"] == "p1-0/0"
    assert json.loads(ask("stats", f"{REPO}@v1.0.0", "--json").stdout)["rows"]
    checked = ask("check", f"{REPO}@v1.0.0")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    offline = ask("show", f"{REPO}@v1.0.0", "p1-0", "--json", HF_HUB_OFFLINE="1")
    assert offline.stdout == shown.stdout, "from the cache"


@pytest.fixture
def next_release(ask, tmp_path):
    """Release two rows by a recipe that compares them with a release on the Hub."""
    facts = store(tmp_path / "s", [attempt(1, 0), attempt(1, 9)])
    recipe = tmp_path / "r.toml"

    def made(revision):
        rule = f'{{ rule = "unpublished", of = "{REPO}@{revision}" }}'
        recipe.write_text(f'name = "next"\nsft_verified.keep = [{{ rule = "verified" }}, {rule}]\n', "utf-8")
        return ask("release", facts, "--to", tmp_path / "next", "--recipe", recipe)

    return made


def test_a_recipe_names_a_commit_and_is_told_which(hub, push, small, next_release, tmp_path):
    push(small)
    commit = hub.repos[REPO].tags["v1.0.0"]
    for revision in ("v1.0.0", "main"):
        refused = next_release(revision)
        assert refused.returncode == 1
        assert f"unpublished, of: '{REPO}@{revision}' can become another one" in " ".join(refused.stderr.split())
        assert f'"{REPO}@{commit}"' in refused.stderr.replace("\n", "").replace(" ", "")
    assert not (tmp_path / "next").exists()


def test_a_release_leaves_out_what_one_on_the_hub_has(hub, push, small, next_release, tmp_path):
    push(small)
    done = next_release(hub.repos[REPO].tags["v1.0.0"])
    assert done.returncode == 0, done.stderr
    assert config_rows(tmp_path / "next")["row_id"].to_list() == ["p1-9/0"]
    cached = [path.name for path in (tmp_path / "home").rglob("*.parquet")]
    assert cached == ["rows.parquet"], "no more than the index was downloaded"


def test_an_evaluation_set_on_the_hub_is_read_at_a_commit_and_only_its_files(hub, push, small, ask, tmp_path):
    push(small)
    commit = hub.repos[REPO].tags["v1.0.0"]
    recipe = tmp_path / "r.toml"

    def made(revision):
        where = f'path = "{REPO}@{revision}"\nfiles = "data/sft_verified/*.parquet"\nquestion = "problem_id"'
        rules = '[{ rule = "verified" }, { rule = "unseen", sets = ["theirs"] }]'
        recipe.write_text(f"sft_verified.keep = {rules}\n[evaluation.theirs]\n{where}\n", "utf-8")
        facts = store(tmp_path / f"s {revision}", [attempt(1, 0)])
        return ask("release", facts, "--to", tmp_path / "next", "--recipe", recipe)

    refused = made("main")
    assert refused.returncode == 1
    assert "can become another one; a recipe names a whole commit" in " ".join(refused.stderr.split())
    done = made(commit)
    assert done.returncode == 0, done.stderr
    (told,) = manifest.read(tmp_path / "next").references
    items = config_rows(small).height
    assert [(one["name"], one["items"]) for one in told["sets"]] == [("theirs", items)]
    cached = {path.parent.name for path in (tmp_path / "home").rglob("*.parquet")}
    assert cached == {"sft_verified"}, "nothing else was downloaded"


def test_what_is_not_there_is_one_clear_error(push, ask, small):
    push(small)
    for name, message in (
        (f"{REPO}@v9.9.9", "has no revision 'v9.9.9' on the Hub"),
        ("nobody/nothing@v1.0.0", "the Hub answers 404"),
    ):
        done = ask("show", name)
        assert done.returncode == 1
        assert message in done.stderr
        assert push.token not in done.stderr
    offline = ask("show", "nobody/nothing@v1.0.0", HF_HUB_OFFLINE="1")
    assert "the Hub cannot be reached" in offline.stderr


def test_paths_stay_paths(tmp_path):
    (tmp_path / "org").mkdir()
    odd = tmp_path / "org" / "name@v1"
    odd.mkdir()
    assert local(odd) == odd
    assert str(local("no such folder")) == "no such folder"
    assert without_revision("org/name") == "org/name"
    assert without_revision(tmp_path / "org" / "other") is None
    assert without_revision("a/b/c") is None
