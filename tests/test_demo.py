"""The demo: what `synthetic demo` makes from the bundled run, and what it shows."""

from pathlib import Path

import pytest

import synthetic
from synthetic.demo import demo
from tests.releases import beside, command, config_rows, tree


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    captured, released = demo(folder / "demo-release")
    assert captured.quarantined == 0
    assert captured.seen == captured.captured > 100
    assert released.changed
    return folder


def test_the_demo_makes_a_store_and_a_release_that_hold(made):
    assert beside(made) == ["demo-release", "demo-release.store"]
    assert synthetic.check(made / "demo-release").problems == []
    assert synthetic.check(made / "demo-release.store").problems == []


def test_the_demo_shows_every_config_every_verdict_and_most_kinds_of_drop(made):
    release = made / "demo-release"
    assert beside(release / "data") == ["preference", "rl_tasks", "sft_unverified", "sft_verified", "traces"]
    traces = config_rows(release, "traces")
    assert set(traces["verdict"]) == {"correct", "incorrect", "undecided", "error"}
    rules = set(traces.explode("drops")["drops"].struct.field("rule").drop_nulls())
    assert {"from_training", "finished", "verified", "undecided", "unique"} <= rules


def test_the_demo_twice_changes_nothing(made):
    before = tree(made)
    captured, released = demo(made / "demo-release")
    assert (captured.captured, released.changed) == (0, False)
    assert tree(made) == before


def test_the_command_ends_with_what_to_look_at(tmp_path):
    done = command("demo", "--to", "out/", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert beside(tmp_path) == ["out", "out.store"]
    shown = [line for line in done.stdout.splitlines() if line.startswith("  synthetic show")]
    assert len(shown) == 1
    row = shown[0].split()[3]
    again = command("show", "out", row, cwd=tmp_path)
    assert again.returncode == 0
    assert "not in sft_verified" in again.stdout
