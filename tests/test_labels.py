"""What a rule's label asks of the bench: to group first, to compare with others, to mark instead of drop."""

import polars as pl
import pytest

import synthetic
from synthetic.errors import RecipeError
from synthetic.judged import Judged
from synthetic.parts import count
from synthetic.recipe import Use, parse
from synthetic.references import Reference
from synthetic.run import Bench
from synthetic.stage import EVERYTHING, Stage, grouping, measure, rule
from tests.benches import MOST, RECIPE, UNIQUE, Place, drops, many, read, right, whole, wrong
from tests.releases import attempt, store
from tests.rows import trace


@pytest.fixture
def at(tmp_path):
    return Place(tmp_path)


EMPTY = dict.fromkeys(("top", "keep", "unverified"), "")


def used(stage: Stage, *, flag: bool = False, **settings) -> Use:
    return Use(stage, stage.name, settings, "recipe, rule 1", flag)


def flags(bench: Bench, judged: Judged) -> list[tuple[str, str, str]]:
    """Row, rule and reason of what was marked."""
    found = []
    for place in range(len(bench.snapshot.traces)):
        ids = bench.frame(place, ["row_id"]).collect()["row_id"]
        said = judged.flags(place).select("position", "rule", "reason")
        found += [(ids[position], rule, reason) for position, rule, reason in said.iter_rows()]
    return found


# ---- groups


@grouping("step", together=EVERYTHING, version=1)
def same_step(traces: pl.LazyFrame, *, least: int = 2) -> pl.LazyFrame:
    """Rows of one step, where there are at least so many."""
    group = pl.format("step {}", "step")
    return traces.filter(pl.len().over("step") >= least).select("row_id", group=group)


@rule("messages", groups=same_step, version=1)
def alone(traces: pl.LazyFrame, *, least: int = 2, word: str = "met") -> pl.LazyFrame:
    """Drop all of a group but the row of least id."""
    met = traces.with_columns(first=pl.col("row_id").min().over("group")).filter(pl.col("row_id") != pl.col("first"))
    return met.select("row_id", reason=pl.format(word + " {}", "first"))


@pytest.mark.parametrize("part_rows", [1, 3, 1000])
def test_rows_that_are_grouped_meet_in_their_groups(at, part_rows):
    rows = [trace(name, step=step) for name, step in zip("abcdef", [1, 1, 2, 3, 3, 3], strict=True)]
    at.store(rows[:4], rows[4:])
    bench = at.bench(read(), part_rows=part_rows)
    found = drops(bench, bench.apply("x", [used(alone, word="beside")]))
    assert found == {"b/0": ("alone", "beside a/0"), "e/0": ("alone", "beside d/0"), "f/0": ("alone", "beside d/0")}


def test_a_grouping_takes_the_settings_that_it_has(at):
    at.store([trace(name, step=step) for name, step in zip("abcde", [1, 1, 2, 2, 2], strict=True)])
    bench = at.bench(read())
    assert drops(bench, bench.apply("x", [used(alone, least=3)])).keys() == {"d/0", "e/0"}


def test_only_standing_rows_are_grouped(at):
    at.store([trace("a", step=1, kind="eval"), trace("b", step=1), trace("c", step=1)])
    bench = at.bench(read())
    before = read().rules("sft_verified")[0]
    assert drops(bench, bench.apply("x", [before, used(alone)]))["c/0"] == ("alone", "met b/0")


def test_what_grouped_rows_gave_is_kept(at):
    at.store([trace("a", step=1), trace("b", step=1)])
    for ran in (["same_step: part 0 of 1", "alone: part 0 of 1"], []):
        bench = at.bench(read())
        bench.apply("x", [used(alone)])
        assert bench.ran == ran


def test_parts_are_as_many_as_rows_and_bytes_ask_for():
    assert [count(100, 1, part_rows=n) for n in (1, 30, 50, 100)] == [128, 4, 2, 1]
    assert [count(100, 10, part_bytes=n) for n in (1, 100, 999, 1000)] == [128, 16, 2, 1]
    assert count(0, 0) == 1


# ---- once


def test_a_measure_may_read_one_row_of_each_value(at):
    seen = []

    @measure("step", together=EVERYTHING, once="problem_id", gives=("problem_pass_rate",), version=1)
    def ranked(traces: pl.LazyFrame) -> pl.LazyFrame:
        frame = traces.collect()
        seen.append(frame.select("row_id", "problem_id").rows())
        return frame.lazy().select("row_id", problem_pass_rate=pl.col("step") / 10)

    at.store(
        [trace("b", problem_id="p", step=1), trace("c", problem_id="q", step=7)], [trace("a", problem_id="p", step=1)]
    )
    bench = at.bench(read())
    found = [bench.measured(ranked, place)["problem_pass_rate"].to_list() for place in range(2)]
    assert found == [[0.1, 0.7], [0.1]]
    assert seen == [[("a/0", "p"), ("c/0", "q")]]
    for damaged in (None, *bench.cache.folder.glob("*.parquet")):
        if damaged:
            damaged.write_bytes(b"torn")
        again = at.bench(read())
        assert [again.measured(ranked, place)["problem_pass_rate"].to_list() for place in range(2)] == found
    assert len(seen) <= 2, "it runs again only where its own result is lost"


# ---- against


@rule("problem_id", against="list", version=1)
def unlisted(traces: pl.LazyFrame, listed: pl.LazyFrame, *, of: str) -> pl.LazyFrame:
    """Drop the problems of a list."""
    return traces.join(listed, on="problem_id", how="semi").select("row_id", reason=pl.lit(f"in {of}"))


def opener(content, opened):
    def open_list(settings, recipe):
        opened.append((settings["of"], recipe.name))
        return Reference(pl.LazyFrame({"problem_id": content}), "-".join(content), {"of": settings["of"]})

    return {"list": open_list}


def test_a_rule_is_handed_what_it_compares_with_and_runs_again_when_that_changes(at):
    at.store([trace("a", problem_id="p"), trace("b", problem_id="q")], [trace("c", problem_id="q")])
    opened: list[tuple[str, str]] = []
    for content, out, ran in ((["p"], {"a/0"}, 2), (["p"], {"a/0"}, 0), (["q", "r"], {"b/0", "c/0"}, 2)):
        bench = at.bench(read(), openers=opener(content, opened))
        assert drops(bench, bench.apply("x", [used(unlisted, of="mine")])).keys() == out
        assert len(bench.ran) == ran
        assert [one.told for one in bench.references.values()] == [{"of": "mine"}]
    assert opened == [("mine", "rows")] * 3, "once for each bench"


# ---- flags


def test_what_is_flagged_stands_on(at):
    at.store([right("a"), right("b", text="the answer of a"), wrong("c")])
    flagging = UNIQUE.replace('"unique"', '"unique", flag = true')
    bench = at.bench(read(verified=flagging + MOST.format(1)))
    judged = bench.judge_all()["sft_verified"]
    assert flags(bench, judged) == [("b/0", "unique", "same text as a/0")]
    assert [(s.use.text, s.dropped, s.flagged) for s in judged.steps[-2:]] == [
        ("unique (flags only)", 0, 1),
        ("at_most count = 1", 1, 0),
    ]
    assert {rule for rule, _ in drops(bench, judged).values()} == {"verified", "at_most"}


def test_a_rule_may_doubt_some_rows_and_drop_others(at):
    @rule("reward", version=1)
    def sure(traces: pl.LazyFrame) -> pl.LazyFrame:
        found = traces.filter(pl.col("reward") < 1)
        return found.select("row_id", reason=pl.format("{}", "reward"), flag=pl.col("reward") > 0)

    at.store(
        [trace("a", reward=0.0), trace("b", reward=0.5), trace("c", reward=1.0), trace("d", reward=0.5, kind="eval")]
    )
    bench = at.bench(read())
    judged = bench.apply("x", [read().rules("sft_verified")[0], used(sure)])
    assert drops(bench, judged) == {"a/0": ("sure", "0.0"), "d/0": ("from_training", "evaluation rollout")}
    assert flags(bench, judged) == [("b/0", "sure", "0.5")], "d no longer stood"


def test_a_flagging_rule_is_written_back_and_is_no_required_rule():
    recipe = read(verified=', { rule = "unique", flag = true }, { where = "step > 1", flag = true }')
    again = parse(recipe.toml(), where="again", name="other")
    assert again.own == recipe.own
    assert [use.flag for use in again.own["sft_verified"]] == [False, True, True]
    with pytest.raises(RecipeError, match="'flag' is 1; it takes true"):
        read(verified=', { rule = "unique", flag = 1 }')
    with pytest.raises(RecipeError, match="its rules must contain 'verified'"):
        parse('[sft_verified]\nkeep = [{ rule = "verified", flag = true }]', where="recipe", name="rows")


def test_a_release_says_what_was_marked_and_check_agrees(tmp_path):
    marking = ', { where = "step > 3", flag = true }'
    recipe = parse(RECIPE.format(verified=marking, **EMPTY), where="r", name="r")
    kept = store(tmp_path / "store", [attempt(1, 0), attempt(1, 1, step=5)])
    synthetic.release(kept, to=tmp_path / "r", recipe=recipe)
    traces = pl.read_parquet(tmp_path / "r/data/traces/*.parquet").sort("row_id")
    marked = {"config": "sft_verified", "rule": "where", "reason": "unknown: step > 3"}
    assert traces["flags"].to_list() == [[marked], []]
    assert "Marked and not dropped" in (tmp_path / "r/README.md").read_text("utf-8")
    assert synthetic.check(tmp_path / "r").problems == []


# ---- nothing vanishes


def test_a_rule_that_must_not_empty_a_problem_is_stopped(at):
    @rule("problem_id", together="problem_id", never_empties=("problem_id", "verdict"), version=1)
    def odd(traces: pl.LazyFrame, *, problem: str, may_empty: bool = False) -> pl.LazyFrame:
        return traces.filter(pl.col("problem_id") == problem).select("row_id", reason=pl.lit("odd"))

    at.store([trace("a", problem_id="p"), trace("b", problem_id="q"), trace("c", problem_id="q")])
    bench = at.bench(read())
    with pytest.raises(RecipeError, match="'odd problem = q' would leave no row of 1 of 2 values of problem_id: q"):
        bench.apply("x", [used(odd, problem="q")])
    allowed = bench.apply("x", [used(odd, problem="q", may_empty=True)])
    assert allowed.kept == 1
    assert bench.apply("x", [used(odd, problem="q", flag=True)]).kept == 3


def test_many_rows_are_judged_alike_in_parts_of_bytes(at):
    rows = many()
    at.store(rows[:120], rows[120:])
    one, other = at.bench(read(verified=UNIQUE)), at.bench(read(verified=UNIQUE), part_bytes=200)
    assert whole(one) == whole(other)
