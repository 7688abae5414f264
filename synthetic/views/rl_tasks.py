"""Problems to train on by reward: one row for each, what verifies an answer, and how hard it was for which model."""

import math
import tomllib
from functools import cache
from typing import Any  # a row's values

import polars as pl

from synthetic.record import record, schema
from synthetic.resources import folder
from synthetic.stage import View
from synthetic.views.described import Environments, described
from synthetic.views.typed import typed

HARD, NORMAL = 0.25, 0.75
"""The greatest pass rates of the bands hard and normal: prime-rl's own pools."""

BANDS = ("unsolved", "hard", "normal", "easy", "solved")
"""From the hardest on."""

Z = 1.959963984540054
"""Of a 95 % interval."""

_TASK = (
    *("native_problem_id", "task_type", "domain", "tools", "env_id", "env_name", "verifier", "verifier_version"),
    *("verification_info", "ground_truth", "source", "source_license", "in_source_id", "hf_dataset_name", "metadata"),
)
"""What attempts say of their problem: the first that says it counts, in the order of row_id."""

_ATTEMPT = ("model", "model_revision", "sampling", "verdict_rule", "policy_start", "policy_end", "reward", "run_name")

READS = (
    *("row_id", "branch", "messages", "num_prompt_messages", "trainable", "verdict", "is_truncated"),
    *(name for name in (*_TASK, *_ATTEMPT) if name in record().by_name or name == "verdict_rule"),
)

_CAP = ("max_tokens", "max_completion_tokens", "max_new_tokens")


def shape(traces: pl.LazyFrame, *, thinking: str, environments: Environments) -> pl.LazyFrame:
    """What `gathers` needs of each row; the prompt only of a problem's first one, since all have the same."""
    del thinking
    first = pl.col("row_id") == pl.col("row_id").min().over("problem_id")
    prompt = pl.col("messages").list.head(pl.col("num_prompt_messages").fill_null(0))
    cut = pl.col("is_truncated").fill_null(False)
    said = pl.col("verdict")
    outcome = (
        pl.when(said.is_in(["correct", "error"])).then(said)
        .when(cut).then(pl.lit("truncated"))
        .otherwise(said)
    )  # fmt: skip
    attempt = (pl.col("branch") == 0) & pl.col("trainable").ne_missing(False)
    cap = pl.coalesce(_number(name, pl.Int32) for name in _CAP)
    return described(traces, environments).select(
        *("problem_id", "problem_cluster", "row_id", *_TASK, *_ATTEMPT),
        prompt=pl.when(first).then(prompt),
        outcome=pl.when(attempt).then(outcome),
        max_tokens=cap,
        temperature=_number("temperature", pl.Float64),
    )


def _number(key: str, dtype: type[pl.DataType]) -> pl.Expr:
    said = pl.col("sampling").str.json_path_match(f"$.{key}").cast(pl.Float64, strict=False)
    return pl.when(said.is_finite()).then(said).cast(dtype, strict=False)


def gathers(shaped: pl.LazyFrame) -> pl.LazyFrame:
    """The columns of `schemas/rl-tasks-1.toml`, one row for each problem, sorted by problem_id."""
    rows = shaped.sort("problem_id", "row_id")
    attempts = rows.filter(pl.col("outcome").is_not_null())
    first = rows.group_by("problem_id", maintain_order=True).agg(
        pl.col("problem_cluster").first(),
        *(pl.col(name).drop_nulls().first() for name in (*_TASK, "prompt")),
        run_names=pl.col("run_name").filter(pl.col("outcome").is_not_null()).drop_nulls().unique().sort(),
    )
    whole = attempts.group_by("problem_id", maintain_order=True).agg(
        pl.len().cast(pl.Int32).alias("attempts"), *_counts()
    )
    per = ("model", "model_revision", "max_tokens", "temperature")
    decided = pl.col("outcome").is_in(["correct", "incorrect"])
    policies = pl.col("policy_start"), pl.coalesce("policy_end", "policy_start")
    models = (
        attempts.group_by("problem_id", *per, maintain_order=True)
        .agg(
            *_counts(),
            pl.len().cast(pl.Int32).alias("n_samples"),
            policy_first=policies[0].min(),
            policy_last=policies[1].max(),
            mean_reward=pl.col("reward").drop_nulls(),
            verdict_rule=pl.col("verdict_rule").filter(decided).drop_nulls().unique().sort().str.join(" | "),
        )
        .rename({"correct": "n_correct", "truncated": "n_truncated", "errors": "n_errors", "undecided": "n_undecided"})
        .with_columns(
            pl.col("verdict_rule").replace("", None),
            pl.col("mean_reward").map_elements(_mean, return_dtype=pl.Float64, skip_nulls=False),
            n_scored=pl.col("n_correct") + pl.col("incorrect"),
        )
        .with_columns(wilson("n_correct", "n_scored", "pass_rate", "ci_low", "ci_high"))
        .sort("problem_id", *per, nulls_last=True)
    )
    fields = [name.partition(":")[0].strip() for name in _members()]
    listed = models.group_by("problem_id", maintain_order=True).agg(pl.struct(fields).alias("difficulty"))
    joined = first.join(whole, on="problem_id", how="left", maintain_order="left").join(
        listed, on="problem_id", how="left", maintain_order="left"
    )
    none = pl.lit([], dtype=schema("rl-tasks-1").polars["difficulty"])
    counted = ("attempts", "correct", "incorrect", "truncated", "errors", "undecided")
    filled = joined.with_columns(*(pl.col(name).fill_null(0) for name in counted), pl.col("difficulty").fill_null(none))
    scored = filled.with_columns(decided=pl.col("correct") + pl.col("incorrect")).with_columns(
        wilson("correct", "decided", "pass_rate", "pass_rate_low", "pass_rate_high")
    )
    rate = pl.col("pass_rate")
    band = (
        pl.when(rate.is_null()).then(None)
        .when(rate == 0).then(pl.lit("unsolved"))
        .when(rate <= HARD).then(pl.lit("hard"))
        .when(rate <= NORMAL).then(pl.lit("normal"))
        .when(rate < 1).then(pl.lit("easy"))
        .otherwise(pl.lit("solved"))
    )  # fmt: skip
    made = scored.with_columns(
        difficulty_band=band,
        verification_info=pl.coalesce("verification_info", _from_ground_truth()),
    ).with_columns(verification_schema=_kind())
    return made.map_batches(lambda frame: typed(frame, schema("rl-tasks-1")), schema=schema("rl-tasks-1").polars)


def _mean(rewards: pl.Series) -> float | None:
    """Added up exactly: the order in which rows come, or how they are cut, does not show in the last digit."""
    return math.fsum(rewards) / len(rewards) if len(rewards) else None


def _counts() -> list[pl.Expr]:
    of = {"correct": "correct", "incorrect": "incorrect", "truncated": "truncated"}
    of |= {"errors": "error", "undecided": "undecided"}
    return [(pl.col("outcome") == said).sum().cast(pl.Int32).alias(name) for name, said in of.items()]


def wilson(right: str, decided: str, rate: str, low: str, high: str) -> list[pl.Expr]:
    """A share and its 95 % interval (Wilson, 1927); null where nothing is decided."""
    n, share = pl.col(decided), pl.col(right) / pl.col(decided)
    middle, square = share + Z * Z / (2 * n), Z * ((share * (1 - share) + Z * Z / (4 * n)) / n).sqrt()
    whole = 1 + Z * Z / n
    known = n > 0
    return [
        pl.when(known).then(share).alias(rate),
        # At the ends the interval ends with the share itself, which rounding must not pass.
        pl.when(known).then(pl.when(share == 0).then(0.0).otherwise((middle - square) / whole)).alias(low),
        pl.when(known).then(pl.when(share == 1).then(1.0).otherwise((middle + square) / whole)).alias(high),
    ]


def _from_ground_truth() -> pl.Expr:
    truth = pl.struct(ground_truth=pl.col("ground_truth")).struct.json_encode()
    return pl.when(pl.col("ground_truth").is_not_null()).then(truth)


@cache
def _kinds() -> list[dict[str, Any]]:
    table = tomllib.loads((folder("pipelines") / "verification" / "shapes.toml").read_text("utf-8"))
    kinds: list[dict[str, Any]] = table["kind"]
    return kinds


def _kind() -> pl.Expr:
    """The name of the first shape whose keys are all in verification_info."""
    info = pl.col("verification_info")
    chain: Any = pl.when(info.is_null()).then(pl.lit(None, pl.String))
    for kind in _kinds():
        # Canonical JSON: a member that is null is no answer to compare with.
        there = pl.all_horizontal(info.str.json_path_match(f"$.{key}").is_not_null() for key in kind["keys"])
        chain = chain.when(there).then(pl.lit(kind["name"]))
    named: pl.Expr = chain.otherwise(pl.lit("other"))
    return named.alias("verification_schema")


def _members() -> list[str]:
    """The members of a row's `difficulty`."""
    inner = schema("rl-tasks-1")["difficulty"].type.removeprefix("list<struct<").removesuffix(">>")
    return inner.split(",")


RL_TASKS = View(
    config="rl_tasks",
    schema="rl-tasks-1",
    shape=shape,
    title="One row for each problem: its prompt, what verifies an answer, and how hard it was for which model.",
    always=("from_training", "trainable", "prompted"),
    prefix=False,
    reads=READS,
    gathers=gathers,
    whole="problem_id",
    texts=False,
    unit=("problem", "problems"),
    key="problem_id",
    order=("problem_id",),
)
