"""Duplicates and drop reasons, by environment and rule, with the biggest groups and rows to look at.

    python pipelines/duplicates.py STORE|RELEASE [--by env_id,model] [--recipe NAME|FILE] [--groups 10] [--json]
    python pipelines/duplicates.py demo-release --plot duplicates.svg

What is counted is a row (a branch). Three things are called alike:

    same_text     rows of one problem in which the model wrote the same
    far_text      the same text at different problems: a refusal, a guess, an answer that ignores its question
    same_prompt   one prompt under several problem_ids: another environment or another expected answer

Texts and prompts are compared by their keys, text_key and prompt_key; a missing key is unknown and like nothing.
Of n rows alike in one problem, n − 1 are `copies`. `kind` is always the first column, and copies are counted within it;
the groups hold rows of both kinds, and say how many of each: a prompt in training and evaluation is worth a look.

Why rows are left out: of a release its `drops`, of a store what the default recipe, or `--recipe`, would say. A row
stands once for each config that leaves it out, under the first rule that does. The functions take and give lazy frames
and read no wide column; `synthetic show STORE|RELEASE ROW` shows a row.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import polars as pl
import report
from pass_rates import check_by, wilson

import synthetic
from synthetic.errors import SyntheticError

EXAMPLES = 3
"""Rows named for each group."""

ALIKE: Mapping[str, tuple[str, ...]] = {
    "same_text": ("problem_id", "text_key"),
    "far_text": ("text_key",),
    "same_prompt": ("prompt_key",),
}
"""What rows of a group have in common; none of it is missing."""


def by_environment(traces: pl.LazyFrame, by: Sequence[str] = ("env_id",)) -> pl.LazyFrame:
    """A row for each kind and value of `by`, sorted.

    rows; no_text (the model wrote nothing); copies and their share of the rows with a text; largest (most rows of one
    text at one problem); far_text (rows whose text stands at another problem too); problems; same_prompt (problems
    whose prompt stands under another problem_id too). Other problems may be of any kind and environment.
    Reads kind, problem_id, text_key, prompt_key and the columns in `by`.
    """
    keys, texts = report.keys(*by), pl.col("text_key").is_not_null()
    far = _spread(traces, "text_key").with_columns(far=True)
    counted = traces.group_by(report.keys(*keys, "problem_id", "text_key")).agg(n=pl.len().cast(pl.Int64))
    rows = (
        counted.join(far, on="text_key", how="left")
        .group_by(keys)
        .agg(
            rows=pl.col("n").sum(),
            no_text=pl.col("n").filter(~texts).sum(),
            copies=(pl.col("n") - 1).filter(texts).sum(),
            largest=pl.col("n").filter(texts).max(),
            far_text=pl.col("n").filter(pl.col("far").fill_null(False)).sum(),
        )
    )
    twice = _spread(traces, "prompt_key").with_columns(twice=True)
    problems = (
        traces.select(report.keys(*keys, "problem_id", "prompt_key"))
        .unique()
        .join(twice, on="prompt_key", how="left")
        .group_by(report.keys(*keys, "problem_id"))
        .agg(pl.col("twice").any())
        .group_by(keys)
        .agg(problems=pl.len(), same_prompt=pl.col("twice").sum())
    )
    said = pl.col("rows") - pl.col("no_text")
    order = ["rows", "no_text", "copies", "copies_share", "largest", "far_text", "problems", "same_prompt"]
    return (
        rows.join(problems, on=keys, how="left", nulls_equal=True)
        .with_columns(copies_share=pl.when(said > 0).then(pl.col("copies") / said))
        .select(*keys, *order)
        .sort(keys, nulls_last=True)
    )


def by_step(traces: pl.LazyFrame, by: Sequence[str] = ("env_id",)) -> pl.LazyFrame:
    """A row for each kind, value of `by` and step: texts (rows with one), copies of them within the step, copies_share
    and its 95 % interval copies_low, copies_high; sorted. A share that grows is a policy that repeats itself.
    """
    keys = report.keys(*by, "step")
    low, high = wilson(pl.col("copies"), pl.col("texts"))
    return (
        traces.filter(pl.col("text_key").is_not_null())
        .group_by(report.keys(*keys, "problem_id", "text_key"))
        .agg(n=pl.len().cast(pl.Int64))
        .group_by(keys)
        .agg(texts=pl.col("n").sum(), copies=(pl.col("n") - 1).sum())
        .with_columns(copies_share=pl.col("copies") / pl.col("texts"), copies_low=low, copies_high=high)
        .sort(keys, nulls_last=True)
    )


def groups(traces: pl.LazyFrame, what: str) -> pl.LazyFrame:
    """The groups of rows that are alike in one of `ALIKE`, the biggest first: its columns, rows, problems, train, eval.

    same_text: of two rows or more; far_text and same_prompt: of two problems or more.
    """
    columns, kind = ALIKE[what], pl.col("kind")
    size = "rows" if what == "same_text" else "problems"
    return (
        traces.filter(pl.all_horizontal(pl.col(columns).is_not_null()))
        .group_by(columns)
        .agg(
            rows=pl.len(),
            problems=pl.col("problem_id").n_unique(),
            train=(kind == "train").sum(),
            eval=(kind == "eval").sum(),
        )
        .filter(pl.col(size) > 1)
        .sort(size, "rows", *columns, descending=[True, True, *(False for _ in columns)])
    )


def named(biggest: pl.LazyFrame, traces: pl.LazyFrame, what: str) -> pl.LazyFrame:
    """Groups, in their order, with env_ids and at most `EXAMPLES` row_ids, of as many problems as there are.

    For a few groups: the ids of all their rows are held in memory.
    """
    columns = list(ALIKE[what])
    members = (
        traces.join(biggest.select(columns), on=columns, how="semi")
        .select(*dict.fromkeys((*columns, "problem_id")), "env_id", "row_id")
        .sort("row_id")
        .with_columns(place=pl.int_range(pl.len()).over(*dict.fromkeys((*columns, "problem_id"))))
        .sort("place", "row_id")
        .group_by(columns, maintain_order=True)
        .agg(env_ids=pl.col("env_id").drop_nulls().unique().sort(), row_ids=pl.col("row_id").head(EXAMPLES))
    )
    return biggest.join(members, on=columns, how="left", maintain_order="left")


def _spread(traces: pl.LazyFrame, key: str) -> pl.LazyFrame:
    """The values of a key that stand at more than one problem."""
    counted = traces.filter(pl.col(key).is_not_null()).group_by(key).agg(n=pl.col("problem_id").n_unique())
    return counted.filter(pl.col("n") > 1).select(key)


# ---- why rows are left out


def published_drops(traces: pl.LazyFrame) -> pl.LazyFrame:
    """A release's `drops` as `synthetic.drops` gives a store's: config, row_id, rule, reason."""
    return (
        traces.select("row_id", "drops")
        .filter(pl.col("drops").list.len() > 0)
        .explode("drops")
        .unnest("drops")
        .select("config", "row_id", "rule", "reason")
    )


def by_rule(drops: pl.LazyFrame, traces: pl.LazyFrame, by: Sequence[str] = ("env_id",)) -> pl.LazyFrame:
    """A row for each config, kind, value of `by` and rule, most dropped first: rows, dropped, share, row_id, reason.

    `rows` are all of that kind and value of `by`, so that `share` adds up to what the config leaves out. `row_id` is
    the first row that the rule drops, in the order of ids, and `reason` its reason.
    """
    keys = report.keys(*by)
    whole = traces.group_by(keys).agg(rows=pl.len())
    counted = (
        drops.join(traces.select("row_id", *keys), on="row_id")
        .group_by("config", *keys, "rule")
        .agg(dropped=pl.len().cast(pl.Int64), reason=pl.col("reason").min_by("row_id"), row_id=pl.col("row_id").min())
    )
    return (
        counted.join(whole, on=keys, how="left", nulls_equal=True)
        .with_columns(share=pl.col("dropped") / pl.col("rows"))
        .select("config", *keys, "rule", "rows", "dropped", "share", "row_id", "reason")
        .sort("config", *keys, pl.col("dropped").neg(), "rule", nulls_last=True)
    )


# ---- charts


def charts(
    steps: pl.DataFrame, rules: pl.DataFrame, whole: pl.DataFrame, by: Sequence[str]
) -> "dict[str, report.Chart]":
    """Copies over steps, and what became of every row; those of them that have something to show."""
    names = [name for name in report.keys(*by) if name != "kind"]
    drawn: dict[str, report.Chart] = {}
    known = report.panels(steps, names).filter(pl.col("step").is_not_null())
    if known.height:
        points = known.select(
            "panel",
            series=pl.col("kind").replace(KINDS),
            x="step",
            middle="copies_share",
            low="copies_low",
            high="copies_high",
        ).sort("series", "panel", "x", descending=[True, False, False])
        drawn["copies"] = report.lines(
            points,
            title="Share of texts that repeat another one of their problem and step, by training step",
            subtitle=f"{known['copies'].sum():,} copies among {known['texts'].sum():,} texts; band: 95 % interval",
            across="training step",
            up="copies",
            alike=True,
            percent=True,
        )
    if rules.height:
        # A config keeps what no rule of it drops, also of an environment without a drop.
        configs = rules.select("config").unique()
        keys = report.keys(*by)
        lost = rules.group_by("config", *keys).agg(pl.col("dropped").sum())
        kept = (
            configs.join(whole.select(*keys, "rows"), how="cross")
            .join(lost, on=["config", *keys], how="left", nulls_equal=True)
            .select(
                "config", *keys, rule=pl.lit("kept"), n=pl.col("rows") - pl.col("dropped").fill_null(0), rows="rows"
            )
        )
        parts = pl.concat(
            [rules.select("config", *keys, "rule", n="dropped", rows="rows"), kept], how="vertical_relaxed"
        )
        parts = report.panels(parts, names).select(
            row=pl.when(pl.col("kind") == "eval").then(pl.col("panel") + " (evaluation)").otherwise("panel"),
            panel="config",
            part="rule",
            share=pl.col("n") / pl.col("rows"),
            rows="n",
        )
        drawn["drops"] = report.bars(
            parts.filter(pl.col("rows") > 0).sort("panel", "row", "part"),
            first="kept",
            title="Rows that each config keeps, and the rules that drop the others",
            subtitle=f"{whole['rows'].sum():,} rows; a row is counted under the first rule that drops it",
        )
    return drawn


KINDS = {"train": "training", "eval": "evaluation"}


# ---- as a command


def show(found: Mapping[str, pl.DataFrame], sizes: Mapping[str, int], path: Path) -> None:
    """A table of duplicates, one of each sort of group, one of drop reasons."""
    screen = report.console()
    report.table(screen, "Duplicates", found["environments"])
    titles = {
        "same_text": "Same text within a problem",
        "far_text": "Same text at different problems",
        "same_prompt": "Same prompt under several problem_ids",
    }
    for what, title in titles.items():
        if sizes[what]:
            report.table(screen, f"{title}: the biggest {found[what].height} of {sizes[what]:,} groups", found[what])
        else:
            screen.print(f"{title}: none\n")
    report.table(screen, "Why rows are left out", found["drops"])
    if example := [row for frame in ("same_text", "far_text", "drops") for row in _row_ids(found[frame])]:
        screen.print(f"One of these rows, whole: synthetic show {path} {example[0]}", markup=False, soft_wrap=True)


def _row_ids(frame: pl.DataFrame) -> list[str]:
    ids = frame["row_ids"].explode() if "row_ids" in frame.columns else frame["row_id"]
    return ids.head(1).to_list()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as a command: 0 done, 1 a problem named with its fix, 2 usage."""
    parser = argparse.ArgumentParser(
        description="Duplicates and drop reasons, by environment and rule.",
        epilog="example: python pipelines/duplicates.py demo-release --groups 3 --plot duplicates.svg",
    )
    parser.add_argument("path", type=Path, metavar="STORE|RELEASE")
    parser.add_argument(
        "--by", default="env_id", metavar="COLUMNS", help="what to tell apart, comma-separated (default: env_id)"
    )
    parser.add_argument("--recipe", metavar="NAME|FILE", help="for a store: the recipe that drops (default: default)")
    parser.add_argument(
        "--groups", type=int, default=10, metavar="COUNT", help="how many groups to name of each sort (default: 10)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--plot", type=Path, metavar="FILE.svg|FILE.png|FOLDER", help="charts, in one file or in many")
    given = parser.parse_args(arguments)
    if given.groups < 0:
        parser.error("--groups: takes a whole number from 0")
    by = [name.strip() for name in given.by.split(",") if name.strip()]
    try:
        report.check_plots(given.plot)
        traces, where = report.read(given.path)
        check_by(traces, by)
        if "row_id" in by:
            raise SyntheticError("--by: 'row_id' is counted", hint="leave it out of --by")
        if where == "store":
            drops = synthetic.drops(given.path, recipe=given.recipe).lazy()
        elif given.recipe is None:
            drops = published_drops(traces)
        else:
            raise SyntheticError(f"{given.path}: a release has its drops", hint="leave out --recipe, or name the store")
        lazy = {"environments": by_environment(traces, by), "steps": by_step(traces, by)}
        lazy |= {"drops": by_rule(drops, traces, by)} | {what: groups(traces, what) for what in ALIKE}
        found = dict(zip(lazy, pl.collect_all(lazy.values(), engine="streaming"), strict=True))
        sizes = {what: found[what].height for what in ALIKE}
        for what in ALIKE:
            biggest = found[what].head(given.groups).lazy()
            found[what] = named(biggest, traces, what).collect(engine="streaming")
        drawn = charts(found["steps"], found["drops"], found["environments"], by) if given.plot else {}
        files = report.save(drawn, given.plot) if given.plot else []
    except SyntheticError as error:
        return report.complain(error)
    if given.json:
        said = {"by": by, "groups": sizes, **{name: frame.to_dicts() for name, frame in found.items()}}
        print(msgspec.json.encode(said | {"plots": [str(file) for file in files]}).decode())
        return 0
    show(found, sizes, given.path)
    for file in files:
        print(f"wrote {file}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
