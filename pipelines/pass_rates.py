"""Pass rate and difficulty, by task and by problem, with 95 % intervals.

    python pipelines/pass_rates.py STORE|RELEASE [--by env_id,model] [--recipe NAME|FILE] [--json]

What is counted is an attempt: a trace, however many branches (rows) it has. Its branches share one outcome,
and an interval wants independent trials. Every attempt falls under exactly one heading:

    correct     counts for the rate, also when it was cut off
    incorrect   counts against it
    cut_off     incorrect, but a limit ended it: a limit is no difficulty
    undecided   no scorer said right or wrong
    error       generation or scoring failed

pass_rate = correct / (correct + incorrect), null when both are 0. Training and evaluation rollouts are never
added up: `kind` is always the first column. Traces of agents that the run did not train (user simulators,
frozen opponents) are no attempts, as on the card; where several were trained, `--by env_id,agent` tells them
apart. The functions take and give lazy frames and read no wide
column.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import polars as pl
from rich.console import Console
from rich.table import Table

import synthetic
from synthetic import recipe as recipes
from synthetic.errors import SyntheticError
from synthetic.measures.verdict import verdict

Z_95 = 1.959963984540054
"""How many standard deviations to either side hold 95 % of a normal distribution."""

COUNTS = ("attempts", "correct", "incorrect", "cut_off", "undecided", "error")
BANDS = ("solved", "easy", "normal", "hard", "unsolved")
RATE = ("pass_rate", "pass_rate_low", "pass_rate_high")

OUTCOME = ("trace_id", "branch", "verdict", "is_truncated")
"""Columns that are counted, so that `by` cannot name them."""


def wilson(correct: pl.Expr, decided: pl.Expr, *, z: float = Z_95) -> tuple[pl.Expr, pl.Expr]:
    """The lower and the upper end of the interval for a rate of `correct` in `decided`.

    Null when decided is 0, when either is missing or NaN, and when correct is not between 0 and decided.
    Method: Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", 1927: all rates
    from which `correct` is at most z standard deviations away. Unlike rate ± z·√(rate·(1−rate)/n) it never
    leaves 0…1 and has a width at 0 of n and at n of n.
    """
    right, n = correct.cast(pl.Float64), decided.cast(pl.Float64)
    holds = n.is_finite() & (n > 0) & right.is_between(0, n)
    middle = right + z**2 / 2
    half = z * (right * (n - right) / n + z**2 / 4).sqrt()
    low, high = ((middle - half) / (n + z**2), (middle + half) / (n + z**2))
    # Rounding can leave 0…1 by a last digit.
    return pl.when(holds).then(low.clip(0, 1)), pl.when(holds).then(high.clip(0, 1))


def by_problem(traces: pl.LazyFrame, by: Sequence[str] = ("env_id",)) -> pl.LazyFrame:
    """A row for each problem, kind and value of `by`: `COUNTS`, `RATE`, `difficulty`; sorted by these keys.

    Reads problem_id, trace_id, branch, kind, trainable, verdict, is_truncated and the columns in `by`. An
    attempt has the verdict of its first branch, and is cut off when any branch is. An unknown is_truncated
    counts as not cut off, a missing verdict as undecided, an unknown trainable as trained.
    `difficulty`: unsolved (rate 0), hard (≤ 0.25), normal (≤ 0.75), easy, solved (1); null where no attempt
    is decided.
    """
    keys = _keys(*by, "problem_id")
    trained = traces.filter(pl.col("trainable").ne_missing(False))
    attempts = trained.group_by(*keys, "trace_id").agg(
        pl.col("verdict").fill_null("undecided").min_by("branch"),
        pl.col("is_truncated").fill_null(False).any().alias("cut"),
    )
    said = pl.col("verdict")
    counted = attempts.group_by(keys).agg(
        attempts=pl.len(),
        correct=(said == "correct").sum(),
        incorrect=((said == "incorrect") & ~pl.col("cut")).sum(),
        cut_off=((said == "incorrect") & pl.col("cut")).sum(),
        undecided=(said == "undecided").sum(),
        error=(said == "error").sum(),
    )
    rate = pl.col("pass_rate")
    band = (
        pl.when(rate == 0).then(pl.lit("unsolved"))
        .when(rate <= 0.25).then(pl.lit("hard"))
        .when(rate <= 0.75).then(pl.lit("normal"))
        .when(rate < 1).then(pl.lit("easy"))
        .when(rate == 1).then(pl.lit("solved"))
    )  # fmt: skip
    return _with_rate(counted).with_columns(band.alias("difficulty")).sort(keys, nulls_last=True)


def by_task(traces: pl.LazyFrame, by: Sequence[str] = ("env_id",)) -> pl.LazyFrame:
    """A row for each kind and value of `by`: `COUNTS`, `RATE`, `problems` and how many are in each band.

    The rate is over attempts: a problem with more of them weighs more. The interval takes attempts as
    independent; those at one problem are alike, so it says how sure the rate is for these problems and is too
    narrow for new ones. `problems` minus the `BANDS` is the number of problems without a decided attempt.
    """
    keys = _keys(*by)
    summed = (
        by_problem(traces, by)
        .group_by(keys)
        .agg(
            pl.col(COUNTS).sum(),
            pl.len().alias("problems"),
            *((pl.col("difficulty") == band).sum().alias(band) for band in BANDS),
        )
    )
    order = [*keys, *COUNTS, *RATE, "problems", *BANDS]
    return _with_rate(summed).select(order).sort(keys, nulls_last=True)


def _keys(*columns: str) -> list[str]:
    return list(dict.fromkeys(("kind", *columns)))


def _with_rate(counted: pl.LazyFrame) -> pl.LazyFrame:
    correct, decided = pl.col("correct"), pl.col("correct") + pl.col("incorrect")
    low, high = wilson(correct, decided)
    rate = pl.when(decided > 0).then(correct / decided)
    return counted.with_columns(pass_rate=rate, pass_rate_low=low, pass_rate_high=high)


# ---- reading


def read(path: Path, recipe: str | None = None) -> pl.LazyFrame:
    """The traces of a release with their published verdicts, or of a store with verdicts by `recipe`.

    Raises `SyntheticError` where there is neither, and for a recipe with a release.
    """
    published = sorted((path / "data" / "traces").glob("*.parquet"))
    if published:
        if recipe is not None:
            raise SyntheticError(f"{path}: a release has its verdicts", hint="leave out --recipe, or name the store")
        return pl.scan_parquet(published, glob=False)
    if not (path / "shards").is_dir():
        raise SyntheticError(f"{path}: neither a store (no folder 'shards') nor a release (no data/traces/*.parquet)")
    correct = {} if recipe is None else recipes.read(recipe, name="pass-rates").correct
    traces = synthetic.scan(path)
    return traces.join(verdict(traces, correct=correct), on="row_id", how="left")


def check_by(traces: pl.LazyFrame, by: Sequence[str]) -> None:
    """Raise `SyntheticError` unless the traces can be grouped by these columns."""
    # A list or a struct has no place in a line of a table.
    schema = traces.collect_schema()
    fit = [name for name, type in schema.items() if not type.is_nested() and name not in OUTCOME]
    for name in by:
        if name not in fit:
            raise SyntheticError(f"--by: cannot group by '{name}'; there are {fit}")


# ---- showing


def show(tasks: pl.DataFrame, problems: pl.DataFrame, *, at_most: int, console: Console) -> None:
    """Three tables: pass rates by task, difficulty by task, and the problems with the lowest rates."""
    keys = tasks.columns[: tasks.columns.index(COUNTS[0])]
    rate = "pass rate, 95 % interval"
    console.print(_table("Pass rate by task", tasks, keys, COUNTS, rate))
    console.print(_table("Problems by difficulty", tasks, keys, ("problems", *BANDS)))
    hardest = problems.sort("pass_rate", *_keys(*keys, "problem_id"), nulls_last=True).head(at_most)
    if at_most > 0:
        title = f"Problems, hardest first ({hardest.height} of {problems.height})"
        console.print(_table(title, hardest, [*keys, "problem_id"], COUNTS, rate, "difficulty"))
    console.print("Not in the rate: cut_off (incorrect, ended by a limit), undecided, error.")


def _table(title: str, frame: pl.DataFrame, keys: Sequence[str], numbers: Sequence[str], *last: str) -> Table:
    table = Table(title=title, title_justify="left")
    for key in dict.fromkeys(keys):
        table.add_column(key, overflow="fold")
    for number in numbers:
        table.add_column(number, justify="right")
    for name in last:
        table.add_column(name)
    for row in frame.iter_rows(named=True):
        cells = [
            *(_cell(row[key]) for key in dict.fromkeys(keys)),
            *(f"{row[number]:,}" for number in numbers),
        ]
        if last:
            cells.append(_interval(*(row[name] for name in RATE)))
        cells += [_cell(row[name]) for name in last[1:]]
        table.add_row(*cells)
    return table


def _cell(value: object) -> str:
    # Rich would read [brackets] in a name as markup.
    return "–" if value is None else str(value).replace("[", r"\[")


def _interval(rate: float | None, low: float | None, high: float | None) -> str:
    return "–" if rate is None else f"{rate:.3f} \\[{low:.3f}, {high:.3f}]"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as a command: 0 done, 1 a problem named with its fix, 2 usage."""
    parser = argparse.ArgumentParser(description="Pass rate and difficulty, by task and by problem.")
    parser.add_argument("path", type=Path, metavar="STORE|RELEASE")
    parser.add_argument(
        "--by", default="env_id", metavar="COLUMNS", help="what a task is, comma-separated (default: env_id)"
    )
    parser.add_argument("--recipe", metavar="NAME|FILE", help="for a store: the recipe whose `correct` decides")
    parser.add_argument(
        "--problems", type=int, default=20, metavar="COUNT", help="how many problems to list (default: 20)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object with every task and every problem")
    given = parser.parse_args(arguments)
    by = [name.strip() for name in given.by.split(",") if name.strip()]
    try:
        traces = read(given.path, given.recipe)
        check_by(traces, by)
        lazy = by_task(traces, by), by_problem(traces, by)
        tasks, problems = pl.collect_all(lazy, engine="streaming")
    except SyntheticError as error:
        print(error if error.hint is None else f"{error}\n  {error.hint}", file=sys.stderr)
        return 1
    if given.json:
        said = {"by": by, "tasks": tasks.to_dicts(), "problems": problems.to_dicts()}
        print(msgspec.json.encode(said).decode())
        return 0
    console = Console()
    if not console.is_terminal:
        console = Console(width=200)  # a file or a pipe has no width to fit
    show(tasks, problems, at_most=given.problems, console=console)
    return 0


if __name__ == "__main__":
    sys.exit(main())
