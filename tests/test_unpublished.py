"""The index of a release, and a second release that leaves out what the first one has."""

import shutil

import polars as pl
import pytest

import synthetic
from synthetic.errors import BrokenRelease
from synthetic.index import frames
from synthetic.manifest import INDEX
from synthetic.recipe import Recipe, parse
from synthetic.record import schema
from synthetic.run import Bench
from synthetic.stage import silent
from synthetic.store import Cache, snapshot
from tests.releases import attempt, config_rows, copied, store
from tests.rows import said
from tests.test_near import LONG, edited


def wrote(*words):
    return [said("user", "How many?"), said("assistant", " ".join(words))]


def leaving_out(release, **more) -> Recipe:
    settings = "".join(f", {key} = {value}" for key, value in more.items())
    text = f"""
    [sft_verified]
    keep = [{{ rule = "verified" }}, {{ rule = "unpublished", of = '{release}'{settings} }}]
    [sft_unverified]
    keep = [{{ rule = "finished" }}, {{ rule = "undecided" }}]
    """
    return parse(text, where="recipe", name="second")


ROWS = [
    attempt(1, 0, messages=wrote(*LONG)),
    attempt(1, 1, messages=wrote("wrong"), recorded_verdict=False),
    attempt(2, 0, messages=wrote("so it is 4")),
    attempt(3, 0, messages=[], recorded_verdict=None),
]


@pytest.fixture
def first(tmp_path):
    facts = store(tmp_path / "s1", ROWS[:2], ROWS[2:])
    synthetic.release(facts, to=tmp_path / "first")
    return tmp_path / "first"


def out(release) -> dict[str, str]:
    """What `unpublished` left out of a release: reasons by row."""
    drops = config_rows(release, "traces").select("row_id", "drops").explode("drops").unnest("drops")
    return dict(drops.filter(pl.col("rule") == "unpublished").select("row_id", "reason").iter_rows())


def test_an_index_says_of_every_row_what_it_is_and_where_it_stands(first):
    index, traces = pl.read_parquet(first / INDEX), config_rows(first, "traces")
    assert dict(index.schema) == schema("index-1").polars
    assert index["row_id"].equals(traces["row_id"])
    held = dict(index.select("row_id", "configs").iter_rows())
    assert held == {"p1-0/0": ["sft_verified"], "p1-1/0": [], "p2-0/0": ["sft_verified"], "p3-0/0": []}
    assert index["minhash"].bin.size().to_list() == [
        256 if row["messages"] else None for row in traces.iter_rows(named=True)
    ]
    assert synthetic.check(first).problems == []


@pytest.mark.parametrize("rows_at_once", [1, 3, 100])
def test_an_index_is_the_same_however_few_rows_are_held_at_once(tmp_path, rows_at_once):
    rows = [attempt(problem, n, messages=wrote(f"{problem} and {n}")) for n in range(3) for problem in range(1, 9)]
    facts = [store(tmp_path / f"s{n}", rows[n::2]) for n in (0, 1)]
    bench = Bench(snapshot(*facts), Recipe("index"), Cache(tmp_path / "scratch"))
    stretches = list(frames(bench, bench.judge_all(), silent, rows_at_once))
    assert len(stretches) == 1 if rows_at_once == 100 else len(stretches) > 2
    synthetic.release(*facts, to=tmp_path / "whole", recipe=Recipe("index"))
    assert pl.concat(stretches).equals(pl.read_parquet(tmp_path / "whole" / INDEX))


def test_what_is_published_is_left_out_exactly_and_nearly(first, tmp_path):
    new = [
        *ROWS,
        attempt(1, 5, messages=wrote(*LONG)),
        attempt(1, 6, messages=wrote(*edited(LONG, 0.005))),
        attempt(1, 7, messages=wrote("something new")),
        attempt(1, 8, messages=wrote("wrong")),
        attempt(2, 9, messages=wrote(*LONG)),
    ]
    synthetic.release(store(tmp_path / "s2", new), to=tmp_path / "second", recipe=leaving_out(first))
    said_of = out(tmp_path / "second")
    near = said_of.pop("p1-6/0")
    assert near.startswith(f"published in {first}: like p1-0/0 (Jaccard about 0.9")
    assert said_of == {
        "p1-0/0": f"published in {first}: the same row",
        "p2-0/0": f"published in {first}: the same row",
        "p1-5/0": f"published in {first}: same text as p1-0/0",
    }
    kept = config_rows(tmp_path / "second")["row_id"].to_list()
    assert sorted(kept) == ["p1-7/0", "p1-8/0", "p2-9/0"], (
        "the wrong one was not in sft_verified; p2-9 is of another problem"
    )
    assert synthetic.check(tmp_path / "second").problems == []


def test_what_is_published_may_be_marked_instead(first, tmp_path):
    new = [attempt(1, 5, messages=wrote(*LONG)), attempt(1, 7, messages=wrote("something new"))]
    recipe = leaving_out(first, flag="true", alike=1.0)
    done = synthetic.release(store(tmp_path / "s2", new), to=tmp_path / "second", recipe=recipe)
    assert config_rows(tmp_path / "second").height == 2
    flags = config_rows(tmp_path / "second", "traces").explode("flags").drop_nulls("flags").unnest("flags")
    assert flags["row_id"].to_list() == ["p1-5/0"]
    assert done.manifest is not None
    assert [(one["kind"], one["name"]) for one in done.manifest.references] == [("published", "first")]


def test_any_config_counts_where_any_is_asked_for(first, tmp_path):
    new = [attempt(1, 8, messages=wrote("wrong")), attempt(1, 9, messages=wrote("new"))]
    synthetic.release(store(tmp_path / "s2", new), to=tmp_path / "r", recipe=leaving_out(first, config='"any"'))
    assert out(tmp_path / "r") == {}, "a wrong answer is in no config but traces"


def test_where_the_other_release_is_gone_a_check_says_what_it_could_not_do(first, tmp_path):
    new = [attempt(1, 5, messages=wrote(*LONG)), attempt(1, 7, messages=wrote("something new"))]
    synthetic.release(store(tmp_path / "s2", new), to=tmp_path / "second", recipe=leaving_out(first))
    shutil.rmtree(first)
    done = synthetic.check(tmp_path / "second")
    assert done.problems == []
    assert any("what it compared rows with cannot be opened" in note for note in done.notes)


def test_a_release_without_an_index_is_one_clear_error(first, tmp_path):
    facts = store(tmp_path / "s2", [attempt(1, 5)])
    with pytest.raises(BrokenRelease, match="no release here"):
        synthetic.release(facts, to=tmp_path / "r", recipe=leaving_out(tmp_path / "nowhere"))
    broken = copied(first, tmp_path / "broken")
    (broken / INDEX).write_bytes(b"PAR1")
    with pytest.raises(BrokenRelease, match="is not the index that the manifest lists"):
        synthetic.release(facts, to=tmp_path / "r", recipe=leaving_out(broken))


def test_a_changed_index_is_found(first):
    held = pl.read_parquet(first / INDEX)
    held.with_columns(text_key=pl.lit("0" * 32)).write_parquet(first / INDEX)
    assert any(INDEX in problem for problem in synthetic.check(first).problems)
