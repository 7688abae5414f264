"""Splits: no problem crosses them, in any config, and what is added moves nothing."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import synthetic
from synthetic.errors import RecipeError
from synthetic.recipe import parse
from synthetic.record import digest
from synthetic.splits import SPLITS, Split
from tests.releases import attempt, attempts, config_rows, store
from tests.rows import said

CONFIGS = ("sft_verified", "rl_tasks", "preference", "traces")
RECIPE = """
[split]
validation = 0.3
salt = "held out"

[[keep]]
rule = "finished"

[sft_verified]
keep = [{ rule = "verified" }]
"""


def split_release(folder, *shards):
    (folder / "recipe.toml").write_text(RECIPE)
    synthetic.release(store(folder / "store", *shards), to=folder / "release", recipe=folder / "recipe.toml")
    return folder / "release"


def clusters(release, config):
    """Which split each problem_cluster is in; a cluster of two splits is there twice."""
    frames = [
        pl.read_parquet(path).select("problem_cluster", split=pl.lit(path.name.partition("-")[0]))
        for path in sorted((release / "data" / config).glob("*.parquet"))
    ]
    return sorted(set(pl.concat(frames).iter_rows()))


def test_no_problem_crosses_and_all_configs_agree(tmp_path):
    # Each problem twice, in two environments: two ids, one cluster.
    asked = [said("user", "What is one and one, and why should anybody believe it at all?")]
    copies = [
        attempt(problem, number, problem_id=digest(f"{env} {problem}"), env_id=env, messages=[
            said("user", f"{asked[0]['content']} Number {problem}."), said("assistant", f"{env} {number}: 2")
        ], recorded_verdict=number < 2, reward=float(number < 2), trace_id=f"{env}-{problem}-{number}",
        row_id=f"{env}-{problem}-{number}/0")
        for env in ("sums", "again") for problem in range(40) for number in range(4)
    ]  # fmt: skip
    release = split_release(tmp_path, copies)
    of = {config: dict(clusters(release, config)) for config in CONFIGS}
    for config in CONFIGS:
        assert len(clusters(release, config)) == len(of[config]) == 40, f"a problem of {config} is in two splits"
    assert of["sft_verified"] == of["rl_tasks"] == of["preference"] == of["traces"]
    assert 4 <= list(of["traces"].values()).count("validation") <= 20
    assert synthetic.check(release).problems == []


def test_rows_that_are_added_move_none_that_stands(tmp_path):
    before = dict(clusters(split_release(tmp_path / "a", attempts(30)), "traces"))
    more = [attempt(problem, 7) for problem in range(60)]
    after = dict(clusters(split_release(tmp_path / "b", attempts(30), more), "traces"))
    assert len(after) == 60
    assert {cluster: after[cluster] for cluster in before} == before


@pytest.fixture(autouse=True)
def folders(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()


def test_without_a_split_all_is_train(tmp_path):
    synthetic.release(store(tmp_path / "store"), to=tmp_path / "release")
    names = {path.name for path in (tmp_path / "release" / "data").rglob("*.parquet")}
    assert names == {"train-h000-of-001.parquet"}


def test_datasets_gives_both_splits(tmp_path):
    import datasets

    release = split_release(tmp_path, attempts(40))
    loaded = datasets.load_dataset(str(release), "rl_tasks", cache_dir=str(tmp_path / "cache"))
    assert sorted(loaded) == ["train", "validation"]
    assert sum(len(split) for split in loaded.values()) == config_rows(release, "rl_tasks").height == 40


@given(st.lists(st.text(min_size=1), min_size=1, unique=True), st.floats(0, 0.99), st.text(max_size=5))
@settings(deadline=None)
def test_a_split_is_a_function_of_cluster_and_salt(names, share, salt):
    clusters = pl.Series(names, dtype=pl.String)
    whole = Split(share, salt).of(clusters)
    assert set(whole) <= set(SPLITS)
    assert [Split(share, salt).of(clusters[i : i + 1])[0] for i in range(len(names))] == whole.to_list()
    wider = Split(min(share + 0.005, 0.999), salt).of(clusters)
    assert not ((whole == "validation") & (wider == "train")).any(), "a greater share holds out what a smaller one does"


def test_shares_are_about_what_was_asked():
    clusters = pl.Series([digest(str(number)) for number in range(20_000)])
    for share in (0.01, 0.1, 0.5):
        held_out = int((Split(share, "x").of(clusters) == "validation").sum()) / 20_000
        assert abs(held_out - share) < 4 * (share * (1 - share) / 20_000) ** 0.5
    other = Split(0.5, "y").of(clusters) == Split(0.5, "x").of(clusters)
    assert 9_000 < other.sum() < 11_000, "another salt is another draw"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("validation = 1.0", "a share of problems, from 0 to below 1"),
        ("validation = true", "a share of problems"),
        ("test = 0.1", "there is no key 'test'; there are ['validation', 'salt']"),
        ("salt = 3", "'salt' is 3; it takes a string"),
    ],
)
def test_a_wrong_split_is_named(line, says):
    with pytest.raises(RecipeError) as error:
        parse(f"[split]\n{line}\n", where="recipe x.toml", name="x")
    assert says in str(error.value)
    assert "[split]" in str(error.value)


def test_a_split_stands_in_the_canonical_recipe():
    read = parse(RECIPE, where="r", name="x")
    assert read.split == Split(0.3, "held out")
    assert parse(read.toml(), where="r", name="x") == read
