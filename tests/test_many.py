"""Several stores and runs in one release: of other trainers, environments and models, with ids that clash."""

from pathlib import Path

import polars as pl
import pytest

import synthetic
from synthetic import manifest
from tests.releases import attempt, command, store

LOGS = Path(__file__).parent / "logs"
RUNS = ("prime_rl_a", "vf_eval_0_4_0", "trl", "inspect_ai")


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A store of each trainer's run, the first with its token arrays; and a release of all."""
    home = tmp_path_factory.mktemp("many")
    stores = [home / name for name in RUNS]
    for name, path in zip(RUNS, stores, strict=True):
        synthetic.capture(LOGS / name, into=path, tokens=name == RUNS[0])
    synthetic.release(*stores, to=home / "r")
    return home, stores


def traces(path):
    return pl.read_parquet(f"{path}/data/traces/*.parquet")


def test_every_row_says_which_run_file_and_line_it_was_read_from(many):
    home, stores = many
    rows = traces(home / "r")
    assert rows.height == sum(synthetic.scan(each).collect().height for each in stores)
    assert {"prime-rl", "verifiers", "trl", "inspect_ai"} <= set(rows["framework"])
    assert rows.select(pl.col("log_file", "log_offset", "log_digest").is_null().any()).row(0) == (False, False, False)
    for each in stores:
        own = synthetic.scan(each).select("row_id", "run_name", "log_file", "log_offset", "log_digest").collect()
        assert rows.select(own.columns).join(own, on=own.columns, how="semi", nulls_equal=True).height == own.height


def test_the_card_has_a_line_for_each_run(many):
    home, _ = many
    card = (home / "r" / "README.md").read_text("utf-8")
    table = card.partition("## How rows were made")[2].partition("\n## ")[0]
    for name in traces(home / "r")["run_name"].unique():
        assert f"| `{name}` |" in table
    assert synthetic.check(home / "r").problems == []


def test_stores_in_another_order_give_the_same_rows(many, tmp_path):
    home, stores = many
    synthetic.release(*reversed(stores), to=tmp_path / "r")
    assert manifest.read(tmp_path / "r").root == manifest.read(home / "r").root


def test_a_run_that_is_in_two_stores_counts_once(many, tmp_path):
    home, stores = many
    synthetic.capture(LOGS / "trl", into=tmp_path / "trl")
    done = synthetic.release(*stores, tmp_path / "trl", to=tmp_path / "r")
    assert done.manifest is not None
    assert done.manifest.root == manifest.read(home / "r").root
    assert done.manifest.repeated > 0
    assert done.manifest.clashes == []


def test_ids_that_clash_are_told_with_both_runs_and_the_first_rows_stay(tmp_path):
    monday = store(tmp_path / "monday", [attempt(1, 0, run_name="monday"), attempt(1, 1, run_name="monday")])
    tuesday = store(tmp_path / "tuesday", [attempt(2, 0, trace_id="p1-0", row_id="p1-0/0", run_name="tuesday")])
    done = synthetic.release(monday, tuesday, to=tmp_path / "r")
    assert done.manifest is not None
    here = "traces.jsonl at 0"
    assert done.manifest.clashes == [manifest.Clash("tuesday", "monday", 1, "p1-0/0", here, here)]
    assert traces(tmp_path / "r")["run_name"].to_list() == ["monday", "monday"]
    told = next(warning for warning in done.warnings if "tuesday" in warning)
    assert told.startswith("1 row of tuesday left out: monday has others under the same ids, with another content")
    assert told.endswith(f"(p1-0/0 in {here}, and before in {here})")
    card = (tmp_path / "r" / "README.md").read_text("utf-8")
    assert f"| `tuesday` | `monday` | 1 | `p1-0/0` | `{here}` | `{here}` |" in card
    assert synthetic.check(tmp_path / "r").problems == []
    other = synthetic.release(tuesday, monday, to=tmp_path / "other")
    assert other.manifest is not None
    assert other.manifest.clashes == [manifest.Clash("monday", "tuesday", 1, "p1-0/0", here, here)]
    said = command("release", monday, tuesday, "--to", tmp_path / "again").stdout
    assert "! 1 row of tuesday left out" in " ".join(said.split())
