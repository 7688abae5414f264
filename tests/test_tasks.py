"""Tasks: what is finished is not run again, and a change runs what reads it and nothing else."""

import sys

import polars as pl
import pytest

from synthetic import recipe
from synthetic.parts import part_of
from tests.benches import BUSY, MOST, UNIQUE, Place, many, read, right, whole, wrong
from tests.rows import annotate, trace


@pytest.fixture
def at(tmp_path):
    return Place(tmp_path)


def test_what_is_finished_is_not_run_again(at):
    at.store(many()[:100], many()[100:])
    first = at.bench(read(**BUSY))
    expected = whole(first)
    second = at.bench(read(**BUSY))
    assert whole(second) == expected
    assert second.ran == []


def test_the_tasks_of_a_recipe(at):
    at.store([right("a")], [right("b")])
    assert sorted(at.ran(read(verified=UNIQUE))) == [
        *("conversation: shard 0", "conversation: shard 1"),
        *("finished: shard 0", "finished: shard 1", "from_training: shard 0", "from_training: shard 1"),
        *("minhash: shard 0", "minhash: shard 1", "paired: part 0 of 1", "prompted: shard 0", "prompted: shard 1"),
        *(
            "trainable: shard 0",
            "trainable: shard 1",
            "undecided: shard 0",
            "undecided: shard 1",
            "unique: part 0 of 1",
        ),
        *("verdict: shard 0", "verdict: shard 1", "verified: shard 0", "verified: shard 1"),
        *("well_formed: shard 0", "well_formed: shard 1"),
    ]


def test_configs_that_begin_alike_are_judged_once(at):
    at.store(many())
    ran = at.ran(read(keep='[[keep]]\nrule = "unique"\n[[keep]]\nrule = "at_most"\ncount = 4'))
    assert ran.count("unique: part 0 of 1") == 1
    assert ran.count("at_most: part 0 of 1") == 1


def test_another_setting_of_the_last_rule_runs_that_rule(at):
    at.store(many())
    at.ran(read(verified=UNIQUE + MOST.format(4)))
    assert at.ran(read(verified=UNIQUE + MOST.format(3))) == ["at_most: part 0 of 1"]
    assert at.ran(read(verified=UNIQUE + MOST.format(4))) == []


def test_another_setting_of_a_row_rule_runs_it_and_the_later_rules_that_see_other_rows(at):
    at.store([right("a", is_truncated=None), right("b"), right("c", text="the answer of b")])
    at.ran(read(verified=UNIQUE))
    surer = recipe.parse(
        read(verified=UNIQUE).toml().replace('"finished"', '"finished", sure = true'), where="r", name="r"
    )
    assert at.ran(surer) == ["finished: shard 0", "unique: part 0 of 1", "paired: part 0 of 1"]


def test_a_meeting_rule_that_sees_the_same_rows_is_not_run_again(at):
    at.store([right("a"), right("b"), wrong("c", reward=0.0)])
    at.ran(read(verified=UNIQUE))
    assert at.ran(read(keep='[[keep]]\nwhere = "ok"', verified=UNIQUE)) == ["where: shard 0"]


def test_another_expression_runs_the_verdict_and_what_reads_it(at):
    at.store([trace("a", env_id="e", reward=1.0), trace("b", env_id="e", reward=0.5)])
    looser, stricter = (read(f'[env.e]\ncorrect = "reward >= {n}"', verified=UNIQUE) for n in (0.5, 1))
    at.ran(looser)
    assert at.ran(stricter) == [
        *("verdict: shard 0", "verified: shard 0", "unique: part 0 of 1", "undecided: shard 0", "paired: part 0 of 1")
    ]
    assert at.ran(looser) == []


def test_a_rule_that_reads_pass_rates_is_run_again_where_any_verdict_may_have_changed(at):
    rate = '[[keep]]\nwhere = "problem_pass_rate < 1"'
    at.store([right("a", env_id="e")], [wrong("b", env_id="e")])
    at.ran(read(keep=rate))
    ran = at.ran(read('[env.e]\ncorrect = "reward = 1"', keep=rate))
    assert sorted(ran) == [
        *("problem_pass_rate: part 0 of 1", "undecided: shard 0", "undecided: shard 1", "verdict: shard 0"),
        *("verdict: shard 1", "verified: shard 0", "verified: shard 1", "where: shard 0", "where: shard 1"),
    ]


def test_a_new_shard_runs_its_own_tasks_and_the_meeting_ones(at):
    at.store([right("a")])
    at.ran(read(verified=UNIQUE))
    at.store([right("b")])
    ran = at.ran(read(verified=UNIQUE))
    assert {task for task in ran if "shard 0" in task} == set()
    assert "unique: part 0 of 1" in ran
    assert sum("shard 1" in task for task in ran) == 10


def test_a_row_without_a_part_in_it_leaves_other_parts_finished(at):
    """Sixteen parts of a meeting rule; one new problem changes one of them."""
    rows = [right(f"{i:02d}", problem_id=f"problem {i}") for i in range(64)]
    at.store(rows)
    at.ran(read(verified=UNIQUE), part_rows=4)
    at.store([right("new", problem_id="new")], [])
    ran = [task for task in at.ran(read(verified=UNIQUE), part_rows=5) if task.startswith("unique")]
    assert len(ran) == 1


def test_late_facts_run_only_what_reads_them(at):
    store = at.store([right("a"), right("b")])
    reads_late = read(keep='[[keep]]\nwhere = "trained_on is null or trained_on"', verified=UNIQUE)
    assert whole(at.bench(reads_late))["sft_verified"] == {}
    annotate(store, ("a", "trained_on", False), ("b", "trained_on", True))
    bench = at.bench(reads_late)
    reason = "not: trained_on is null or trained_on"
    assert whole(bench)["sft_verified"] == {"a/0": ("where", reason)}
    assert bench.ran == ["where: shard 0", "unique: part 0 of 1", "paired: part 0 of 1"]


OUTSIDE = """
import polars as pl
from synthetic.stage import rule

@rule("reward", version={version})
def rewarded(traces: pl.LazyFrame) -> pl.LazyFrame:
    return traces.filter(pl.col("reward").fill_null(0.0) {compare} 0.5).select("row_id", reason=pl.lit("{compare} 0.5"))
"""


def test_another_version_of_a_rule_is_another_rule(at):
    at.store([right("a", reward=1.0), right("b", reward=0.0)])

    def installed(version, compare):
        """What the rule drops, and its tasks, with this version of its package installed."""
        folder = at.folder / f"{version}"
        folder.mkdir(exist_ok=True)
        (folder / "outside_rules.py").write_text(OUTSIDE.format(version=version, compare=compare))
        sys.path.insert(0, str(folder))
        try:
            bench = at.bench(read(keep='[[keep]]\nrule = "outside_rules:rewarded"'))
            return whole(bench)["sft_verified"], [task for task in bench.ran if "rewarded" in task]
        finally:
            sys.path.remove(str(folder))
            del sys.modules["outside_rules"]

    rule = "outside_rules:rewarded"
    assert installed(1, "<") == ({"b/0": (rule, "< 0.5")}, ["rewarded: shard 0"])
    assert installed(2, ">") == ({"a/0": (rule, "> 0.5")}, ["rewarded: shard 0"])
    assert installed(1, "<") == ({"b/0": (rule, "< 0.5")}, [])


@pytest.mark.parametrize("left", [0, 4, 100, -1], ids=["empty", "head", "half", "all but a byte"])
def test_a_damaged_result_is_computed_again(at, left):
    at.store(many())
    expected = whole(at.bench(read(**BUSY)))
    results = sorted(at.cache.folder.glob("*.parquet"))
    for path in results:
        path.write_bytes(path.read_bytes()[:left])
    bench = at.bench(read(**BUSY))
    assert whole(bench) == expected
    assert len(bench.ran) == len(results)
    assert at.ran(read(**BUSY)) == []


def test_equal_values_are_in_one_part():
    of = part_of(pl.Series([0.0, -0.0, 1.0, None, 1.0]), 64).to_list()
    assert of[0] == of[1] != of[2] == of[4]
    assert part_of(pl.Series([-0.0]), 64).to_list() == of[:1], "whatever else is there"
