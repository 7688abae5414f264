"""Looks at a store or a release: one row, counts, funnels, drops, and what a rule would drop."""

from pathlib import Path

import polars as pl
import pytest

import synthetic
from synthetic import look, preview
from synthetic.dedupe import dedupe
from synthetic.errors import BrokenRelease, BrokenStore, RecipeError, SyntheticError
from tests.releases import attempt, attempts, first_shard, store, tree
from tests.rows import store_of


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("look")
    alike = [attempt(7, 10, row_id="p7-1x/0", trace_id="p7-1x")]
    return store(folder / "store", attempts(3), [*attempts(3)[:1], *alike])


@pytest.fixture(scope="module")
def release(facts: Path) -> Path:
    synthetic.release(facts, to=facts.parent / "r")
    return facts.parent / "r"


@pytest.fixture(params=["store", "release"])
def folder(request: pytest.FixtureRequest, facts: Path, release: Path) -> Path:
    return facts if request.param == "store" else release


# ---- one row


@pytest.mark.parametrize("name", ["p1-3/0", "p1-3"])
def test_a_row_is_found_by_its_id_and_by_its_traces_id(folder, name):
    row = look.find(folder, name)
    assert (row["row_id"], row["verdict"], row["verdict_rule"], row["also"]) == ("p1-3/0", "incorrect", "log", [])
    assert {"config": "sft_verified", "rule": "verified", "reason": "incorrect (log)"} in row["drops"]


def test_a_row_is_found_by_how_its_id_begins_and_the_others_are_named(folder):
    row = look.find(folder, "p1")
    assert row["row_id"].startswith("p1-")
    assert len(row["also"]) == 5


def test_a_whole_id_comes_before_one_that_begins_like_it(tmp_path):
    facts = store(tmp_path / "s", [attempt(1, 10), attempt(1, 1)])
    assert look.find(facts, "p1-1")["row_id"] == "p1-1/0"


def test_without_a_row_the_first_one_is_shown(folder):
    row = look.find(folder, None)
    assert row["row_id"]
    assert row["also"] == []


def test_a_row_that_is_not_there_is_an_error_with_a_hint(folder):
    with pytest.raises(SyntheticError, match="no row whose id begins with 'q'") as caught:
        look.find(folder, "q")
    assert (caught.value.hint or "").startswith("synthetic stats")


def test_a_store_without_rows_says_so(tmp_path):
    with pytest.raises(SyntheticError, match="no rows"):
        look.find(store_of(tmp_path / "s").path, None)


def test_a_folder_that_is_neither_is_an_error(tmp_path):
    with pytest.raises(BrokenRelease, match=r"neither a release .* nor a store"):
        look.find(tmp_path, None)


# ---- counts


def test_a_store_and_its_release_count_alike(facts, release):
    by = ["env_id", "verdict"]
    assert look.counted(facts, by).equals(look.counted(release, by))
    assert dict(look.counted(facts, ["verdict"]).select("verdict", "rows").iter_rows()) == {
        "correct": 10,
        "error": 3,
        "incorrect": 6,
    }


def test_a_column_that_is_not_there_is_an_error_with_the_choices(folder):
    with pytest.raises(RecipeError, match=r"cannot count by 'nope'; there are .*'env_id'"):
        look.counted(folder, ["nope"])


def test_counting_an_empty_store_gives_no_rows(tmp_path):
    assert look.counted(store_of(tmp_path / "s").path, ["env_id"]).is_empty()


def test_a_store_and_its_release_have_the_same_funnels(facts, release):
    told = [
        {name: ([(s.rule, s.seen, s.dropped) for s in steps], kept) for name, (steps, kept) in look.funnels(f).items()}
        for f in (facts, release)
    ]
    assert told[0]["sft_verified"] == told[1]["sft_verified"]
    assert told[0]["sft_verified"][1] == 7
    assert told[0]["sft_unverified"][1] == 0  # the release leaves it out


def test_the_drops_of_a_store_are_those_that_its_release_says(facts, release):
    found = synthetic.drops(facts).filter(pl.col("config") == "sft_verified").select("row_id", "rule", "reason")
    traces = look.traces(release).explode("drops").select("row_id", pl.col("drops").struct.unnest()).collect()
    said = traces.filter(pl.col("config") == "sft_verified").select("row_id", "rule", "reason")
    assert found.sort("row_id").equals(said.sort("row_id"))


def test_a_damaged_shard_is_one_clear_error(tmp_path):
    facts = store(tmp_path / "s")
    data = bytearray(first_shard(facts).read_bytes())
    data[4 : len(data) // 4] = b"\xff" * (len(data) // 4 - 4)
    first_shard(facts).write_bytes(data)
    for looking in (
        lambda: look.find(facts, "p1"),
        lambda: look.counted(facts, ["env_id"]),
        lambda: look.funnels(facts),
        lambda: dedupe(facts),
    ):
        with pytest.raises(BrokenStore) as caught:
            looking()
        assert caught.value.hint == f"synthetic check {facts}"


# ---- what a rule would drop


def test_where_shows_what_it_would_drop_and_its_line(facts):
    seen = preview.filter(facts, where="reward >= 1 and env_id = 'sums'")
    assert (seen.rows, seen.dropped) == (19, 6)
    assert seen.toml == "{ where = \"reward >= 1 and env_id = 'sums'\" }"
    assert seen.environments.rows() == [("sums", 19, 6)]
    assert seen.examples[0] == ("p0-3/0", "not: reward >= 1 and env_id = 'sums'")
    assert seen.examples[1] == ("p0-4/0", "unknown: reward >= 1 and env_id = 'sums'")


def test_the_line_is_toml_that_a_recipe_takes(facts):
    from synthetic import recipe

    where = "env_id != 'it''s \"x\"'"
    line = preview.filter(facts, where=where).toml
    read = recipe.parse(f"keep = [{line}, {{rule='finished'}}]\n{LISTS}", where="x", name="x")
    assert read.keep[0].settings == {"matches": where}


LISTS = 'sft_verified.keep = [{rule = "verified"}]\nsft_unverified.keep = [{rule = "undecided"}]'


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("reward >", "is no expression"),
        ("nope > 1", "no column, scorer or metric is called 'nope'"),
        ("reward", "not a condition"),
        ("env_id > 3", "env_id > 3"),
        ("CAST(env_id AS INT) > 1", "CAST"),
    ],
)
def test_a_bad_expression_is_an_error(facts, where, said):
    with pytest.raises(RecipeError, match=said):
        preview.filter(facts, where=where)


def test_looking_changes_nothing_but_the_cache(facts):
    before = {name: digest for name, digest in tree(facts).items() if not name.startswith("cache")}
    preview.filter(facts, where="reward > 0.5")
    look.find(facts, None)
    assert {name: digest for name, digest in tree(facts).items() if not name.startswith("cache")} == before
