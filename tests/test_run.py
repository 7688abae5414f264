"""The bench: from facts to drops, each row once, in parts and shards as whole; and what it reads for that."""

import re
from itertools import pairwise

import polars as pl
import pytest

from synthetic import recipe
from synthetic.errors import RecipeError
from synthetic.run import Bench
from synthetic.store import Cache, Store
from tests.benches import BUSY, RECIPE, UNIQUE, Place, many, read, right, whole, wrong
from tests.rows import annotate, score, trace


@pytest.fixture
def at(tmp_path):
    return Place(tmp_path)


# ---- each row once, by the first rule that hits


def test_a_drop_is_the_first_rules_that_hits(at):
    at.store([right("a"), wrong("b", is_truncated=True, kind="eval"), wrong("c", is_truncated=True), wrong("d")])
    bench = at.bench(read())
    assert whole(bench) == {
        "sft_verified": {
            "b/0": ("from_training", "evaluation rollout"),
            "c/0": ("finished", "cut off: a limit"),
            "d/0": ("verified", "incorrect (scorer: acc)"),
        },
        "sft_unverified": {
            "a/0": ("undecided", "correct (scorer: acc)"),
            "b/0": ("from_training", "evaluation rollout"),
            "c/0": ("finished", "cut off: a limit"),
            "d/0": ("undecided", "incorrect (scorer: acc)"),
        },
        "rl_tasks": {"b/0": ("from_training", "evaluation rollout")},
        "preference": {
            "a/0": ("paired", "not scored"),
            "b/0": ("from_training", "evaluation rollout"),
            "c/0": ("finished", "cut off: a limit"),
            "d/0": ("paired", "not scored"),
        },
        "traces": {},
    }


def test_the_funnel_counts_what_each_rule_saw(at):
    at.store([right("a"), right("b", text="the answer of a"), wrong("c"), wrong("d", is_truncated=True)])
    judged = at.bench(read(verified=UNIQUE)).judge_all()["sft_verified"]
    counted = [(step.use.name, step.seen, step.dropped) for step in judged.steps]
    assert counted == [
        ("from_training", 4, 0),
        ("trainable", 4, 0),
        ("well_formed", 4, 0),
        ("finished", 4, 1),
        ("verified", 3, 1),
        ("unique", 2, 1),
    ]
    assert judged.kept == 1
    assert [standing.to_list() for standing in judged.standing] == [[True, False, False, False]]


def test_the_recipes_order_is_the_order(at):
    at.store([wrong("a", reward=0.0)])
    first, second = '{ where = "reward > 0" }, { rule = "verified" }', '{ rule = "verified" }, { where = "reward > 0" }'
    for order, rule in ((first, "where"), (second, "verified")):
        text = RECIPE.format(top="", keep="", verified="", unverified="").replace('{ rule = "verified" }', order)
        bench = at.bench(recipe.parse(text, where="recipe", name="rows"))
        assert whole(bench)["sft_verified"]["a/0"][0] == rule


def test_a_failed_twin_never_displaces_a_good_one(at):
    """`unique` would keep the shorter b, were it still standing."""
    at.store([right("a", text="42", completion_tokens=9), wrong("b", text="42", completion_tokens=1)])
    assert whole(at.bench(read(verified=UNIQUE)))["sft_verified"] == {"b/0": ("verified", "incorrect (scorer: acc)")}


def test_a_twin_of_a_dropped_copy_stays(at):
    """Each rule whose rows meet sees what those before it left."""
    at.store([right("a", text="42", step=1), right("b", text="42", step=2), right("c", text="43", step=2)])
    kept = at.bench(read(verified=UNIQUE + ', { rule = "at_most", count = 1, per = "step" }'))
    assert whole(kept)["sft_verified"] == {"b/0": ("unique", "same text as a/0")}


# ---- shards, stores, parts


@pytest.mark.parametrize("cuts", [[100], [1, 2, 150], [0, 200]])
def test_several_shards_are_as_one(at, cuts):
    rows = many()
    at.store(rows, name="one")
    edges = [0, *cuts, len(rows)]
    at.store(*(rows[a:b] for a, b in pairwise(edges)), name="several")
    one, several = (at.bench(read(**BUSY), Store(at.folder / name)) for name in ("one", "several"))
    assert whole(one) == whole(several)
    columns = ["row_id", "verdict", "verdict_rule", "problem_pass_rate", "reward"]
    assert one.rows(columns).collect().equals(several.rows(columns).collect())


def test_the_order_of_shards_does_not_matter(at):
    rows = many()
    at.store(rows[:90], rows[90:], name="one")
    at.store(rows[90:], rows[:90][::-1], name="other")
    one, other = (at.bench(read(**BUSY), Store(at.folder / name)) for name in ("one", "other"))
    assert whole(one) == whole(other)


def test_several_stores_are_as_one(at):
    rows = many()
    at.store(rows[:50], name="one")
    at.store(rows[50:], name="other")
    at.store(rows, name="both")
    one, other, both = (Store(at.folder / name) for name in ("one", "other", "both"))
    assert whole(at.bench(read(**BUSY), one, other)) == whole(at.bench(read(**BUSY), both))


def test_a_row_that_comes_again_counts_once(at):
    rows = many(60)
    at.store(rows, rows[10:30], rows[:20], name="again")  # the whole second and third shard
    at.store(rows, name="once")
    again, once = (at.bench(read(**BUSY), Store(at.folder / name)) for name in ("again", "once"))
    assert whole(again) == whole(once)
    assert again.snapshot.rows == (60, 0, 0)
    measured = ["row_id", "verdict", "problem_pass_rate"]
    assert again.rows(measured).collect().equals(once.rows(measured).collect())


def test_of_a_row_that_comes_with_another_content_the_first_counts(at):
    at.store([right("a"), wrong("b")], [wrong("c"), wrong("a"), right("b")])
    bench = at.bench(read())
    assert bench.rows(["row_id", "verdict"]).collect().rows() == [
        ("a/0", "correct"),
        ("b/0", "incorrect"),
        ("c/0", "incorrect"),
    ]
    assert whole(bench)["sft_verified"].keys() == {"b/0", "c/0"}


@pytest.mark.parametrize("part_rows", [1, 7, 50, 150, 1000])
def test_in_parts_the_same_is_dropped_as_whole(at, part_rows):
    rows = many()
    at.store(rows[:120], rows[120:])
    expected = at.bench(read(**BUSY), part_rows=10**6)
    parted = Bench(expected.snapshot, read(**BUSY), Cache(at.folder / "other cache"), part_rows=part_rows)
    one, other = expected.judge_all(), parted.judge_all()
    for config, judged in one.items():
        for place in range(2):
            assert judged.drops(place).equals(other[config].drops(place))
    assert expected.rows(["problem_pass_rate"]).collect().equals(parted.rows(["problem_pass_rate"]).collect())
    assert any("part 1 of" in task for task in parted.ran) == (part_rows < 200)
    assert [path.name for path in (at.folder / "other cache").iterdir() if path.suffix != ".parquet"] == []


def test_parts_may_be_cut_by_numbers_and_nulls(at):
    at.store(many())
    by = [
        f', {{ rule = "at_most", count = 2, per = "{column}" }}' for column in ("step", "reward", "verdict", "group_id")
    ]
    for verified in by:
        one = whole(at.bench(read(verified=verified)))
        parted = at.bench(read(verified=verified), part_rows=5)
        parted.cache = Cache(at.folder / "other")
        assert whole(parted) == one


@pytest.mark.parametrize("shards", [[], [[]], [[], []]], ids=["no shard", "one without rows", "two without rows"])
def test_a_store_may_be_empty(at, shards):
    at.store(*shards)
    bench = at.bench(read('[env.e]\ncorrect = "speed > 1"', keep='[[keep]]\nwhere = "style > 1"', verified=UNIQUE))
    assert {config: judged.kept for config, judged in bench.judge_all().items()} == dict.fromkeys(bench.judge_all(), 0)
    empty = bench.rows(["row_id", "verdict", "problem_pass_rate", "advantage"]).collect()
    assert (empty.height, empty.columns) == (0, ["row_id", "verdict", "problem_pass_rate", "advantage"])
    assert empty.schema["problem_pass_rate"] == pl.Float64


def test_a_shard_may_be_empty_beside_others(at):
    at.store([right("a")], [], [wrong("b")])
    assert whole(at.bench(read(verified=UNIQUE)))["sft_verified"].keys() == {"b/0"}


# ---- names in expressions


def test_a_name_that_is_nowhere_is_refused_with_the_choices(at):
    at.store(
        [trace("a", rewards=[score("acc", 1.0)], metrics={"steps": 3, 'odd "name"': 1})], [trace("b", metrics={"é": 1})]
    )
    choices = r"scorers and metrics here are \['acc', 'odd \"name\"', 'steps', 'é'\]"
    with pytest.raises(
        RecipeError, match=rf"recipe, rule 2: no column, scorer or metric is called 'stepps'; {choices}"
    ):
        at.bench(read(keep='[[keep]]\nwhere = "stepps > 1"')).judge_all()
    text = '"odd ""name""" > 1 and steps > 1 and acc = 1 or "é" = 1'
    at.bench(read(keep=f"[[keep]]\nwhere = '{text}'")).judge_all()


def test_without_scorers_there_are_no_choices(at):
    at.store([trace("a")])
    with pytest.raises(RecipeError, match="there are no scorers here"):
        at.bench(read(keep='[[keep]]\nwhere = "acc = 1"')).judge_all()


def test_an_expression_for_an_environment_that_is_not_here_need_not_hold(at):
    at.store([trace("a", env_id="e", env_name="f", rewards=[score("acc", 1.0)])])
    at.bench(read('[env.other]\ncorrect = "speed > 1"')).judge_all()
    for env in ("e", "f"):
        with pytest.raises(RecipeError, match=rf'env."{env}".correct: no column, scorer or metric is called .speed.'):
            at.bench(read(f'[env.{env}]\ncorrect = "speed > 1"')).judge_all()


def test_a_cast_that_fails_says_which_expression_it_was(at):
    at.store([trace("a", ground_truth="four")])
    with pytest.raises(RecipeError, match=r"'where' 'cast\(ground_truth as int\) = 4': .*four") as caught:
        at.bench(read(keep='[[keep]]\nwhere = "cast(ground_truth as int) = 4"')).judge_all()
    assert "try_cast" in (caught.value.hint or "")
    bench = at.bench(read(keep='[[keep]]\nwhere = "try_cast(ground_truth as int) = 4"'))
    assert whole(bench)["sft_verified"]["a/0"][1] == "unknown: try_cast(ground_truth as int) = 4"


# ---- what is read


def test_a_narrow_rule_reads_narrow_columns(at):
    store = at.store(many(20), many(30)[10:])
    annotate(store, ("t001", "advantage", 0.5))
    bench = at.bench(read())
    for place, columns in enumerate((3, 2)):  # the first shard has late facts, which come by trace_id
        plan = bench.frame(place, ["row_id", "verdict", "problem_pass_rate", "completion_tokens"]).explain()
        assert re.findall(r"PROJECT (\d+)/\d\d COLUMNS", plan) == [str(columns)]


def test_a_frame_gives_the_columns_asked_for_in_their_order(at):
    at.store([right("a", env_id="e")])
    bench = at.bench(read())
    columns = ["verdict", "env_id", "problem_pass_rate", "row_id", "advantage"]
    assert bench.frame(0, columns).collect().rows() == [("correct", "e", 1.0, "a/0", None)]
    assert bench.frame(0, columns).collect().columns == columns
    assert bench.frame(0, ["verdict"]).filter(pl.col("verdict") == "correct").collect().height == 1
