"""Counting on frames: expressions that several numbers share, and frames as plain JSON."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Final, TypeAlias

import polars as pl

from synthetic.errors import RecipeError
from synthetic.record import Json

DIGITS: Final = 6
"""Significant digits of every float."""

Table: TypeAlias = list[dict[str, Json]]

VERDICTS = ("correct", "incorrect", "undecided", "error")

# A log may know an environment by either name, and a recipe may use either.
ENVIRONMENT = pl.coalesce("env_id", "env_name").alias("environment")
# As in the measure `problem_pass_rate`: a trace of an agent that was trained, its first branch standing for all.
ATTEMPT = (pl.col("branch") == 0) & pl.col("trainable").ne_missing(False)
CUT = pl.col("is_truncated").fill_null(False)
RIGHT = pl.col("verdict") == "correct"
# As in the measure `problem_pass_rate`: a limit is no difficulty.
WRONG = (pl.col("verdict") == "incorrect") & ~CUT
# Sums over nothing are 0; a rate over nothing is unknown.
DECIDED = ATTEMPT & (RIGHT | WRONG)
PASS_RATE = pl.when(DECIDED.any()).then((ATTEMPT & RIGHT).sum() / DECIDED.sum()).alias("pass_rate")
# Adding zero makes -0.0 the 0.0 that it equals, whichever of the two came first.
REWARD = pl.when(pl.col("reward").is_finite()).then(pl.col("reward") + 0.0).alias("reward")


def told_apart(*columns: str) -> list[pl.Expr]:
    """Ids or keys as numbers of 64 bits, which count as the texts do in a tenth of the memory.

    That two of four million texts share a number has a probability of 4 in 10 million. Numbers are for counting alone:
    another version of polars gives others.
    """
    return [pl.col(column).hash().alias(column) for column in columns]


def by(frame: pl.LazyFrame, columns: Sequence[str]) -> pl.DataFrame:
    """Rows, verdicts, rewards and lengths for each combination of values of `columns`, sorted, nulls last.

    Works on a release's configs and on a store's scan; what needs a column that the frame does not have is left out.
    Raises `RecipeError` for a column that is not there, or that holds lists, structs or floats.
    """
    types = frame.collect_schema()
    groupable = [name for name, dtype in types.items() if not dtype.is_nested() and not dtype.is_float()]
    for column in columns:
        if column not in groupable:
            near = " or ".join(get_close_matches(column, groupable, n=2, cutoff=0.5))
            raise RecipeError(f"cannot count by '{column}'; there are {groupable}", hint=near or None)
    counted: list[tuple[set[str], pl.Expr]] = [
        ({"problem_id"}, pl.col("problem_id").n_unique().alias("problems")),
        *(({"verdict"}, count) for count in verdict_counts()),
        ({"verdict", "is_truncated", "branch", "trainable"}, PASS_RATE.round_sig_figs(DIGITS)),
        ({"is_truncated"}, CUT.sum().alias("truncated")),
        ({"reward"}, REWARD.is_null().sum().alias("not_scored")),
        ({"reward"}, REWARD.mean().round_sig_figs(DIGITS).alias("mean_reward")),
        *(
            ({tokens}, expression.alias(f"{tokens}_{name}"))
            for tokens in ("prompt_tokens", "completion_tokens")
            for name, expression in lengths(tokens).items()
            if name in {"median", "p95", "max"}
        ),
    ]
    wanted = [pl.len().alias("rows"), *(count for needs, count in counted if needs <= set(types))]
    wanted = [count for count in wanted if count.meta.output_name() not in columns]
    if not columns:
        return frame.select(wanted).collect(engine="streaming")
    return collected(frame.group_by(columns).agg(wanted), *columns)


def verdict_counts() -> list[pl.Expr]:
    """Rows of each verdict."""
    return [(pl.col("verdict") == verdict).sum().alias(verdict) for verdict in VERDICTS]


def lengths(column: str) -> dict[str, pl.Expr]:
    """Sum, quantiles and largest of a column of integers, and the rows without one.

    A quantile is the smallest value that occurs and that so many of the rows do not exceed.
    """
    tokens = pl.col(column)
    return {
        # A sum of Int32 is an Int32, and wraps.
        "sum": pl.when(tokens.count() > 0).then(tokens.cast(pl.Int64).sum()),
        "median": tokens.quantile(0.5, interpolation="equiprobable").cast(pl.Int64),
        "p95": tokens.quantile(0.95, interpolation="equiprobable").cast(pl.Int64),
        "max": tokens.max(),
        "unknown": tokens.null_count(),
    }


def flat_lengths(column: str) -> list[pl.Expr]:
    """`lengths` as columns `<column>.sum` and so on, which `nested` puts together again."""
    return [expression.alias(f"{column}.{name}") for name, expression in lengths(column).items()]


def nested(row: dict[str, Json], *columns: str) -> dict[str, Json]:
    """`<column>.sum`, `<column>.max`, … of a row, put into a table of their own."""
    parts: dict[str, Json] = {}
    for key, value in row.items():
        column, dot, name = key.partition(".")
        if dot and column in columns:
            parts.setdefault(column, {})[name] = value
        else:
            parts[key] = value
    return parts


def one(frame: pl.LazyFrame, *expressions: pl.Expr, **named: pl.Expr) -> dict[str, Json]:
    """The single row of an aggregation."""
    return frame.select(*expressions, **named).collect(engine="streaming").to_dicts()[0]


def counts(frame: pl.LazyFrame, *columns: str) -> Table:
    """Rows of each combination of values."""
    return collected(frame.group_by(columns).len("rows"), *columns).to_dicts()


def collected(frame: pl.LazyFrame, *by: str) -> pl.DataFrame:
    """The frame, sorted, since groups come in any order."""
    return frame.sort(by, nulls_last=True).collect(engine="streaming")


def grouped(frame: pl.DataFrame, *by: str) -> dict[Json, pl.DataFrame]:
    """The frame cut at each value of a column (combination of values of several), in its order."""
    parts = frame.partition_by(by, as_dict=True, maintain_order=True)
    return {key if len(by) > 1 else key[0]: part.drop(by) for key, part in parts.items()}


def short(value: Json) -> Json:
    """Floats, also inside a table, cut to `DIGITS` significant digits."""
    if isinstance(value, dict):
        return {key: short(each) for key, each in value.items()}
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value
