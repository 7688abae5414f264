"""Is the answer right? One verdict for every row, and what decided it."""

from collections.abc import Mapping
from typing import Any  # the two types of polars' when-then chains

import polars as pl

from synthetic import expression
from synthetic.stage import measure

# Scorers whose name says that they judge the answer.
JUDGES = ("correct", "correctness", "accuracy", "acc", "is_correct", "exact_match", "pass")

NO_EXPRESSIONS: Mapping[str, str] = {}


@measure(
    *("ok", "recorded_verdict", "rewards", "env_id", "env_name"),
    expressions="correct",
    gives=("verdict", "verdict_rule"),
    version=1,
)
def verdict(traces: pl.LazyFrame, *, correct: Mapping[str, str] = NO_EXPRESSIONS) -> pl.LazyFrame:
    """`correct`, `incorrect`, `undecided` or `error`, by the first that applies.

    1. `ok` is false: generation or scoring failed → error
    2. the log says right or wrong outright (`recorded_verdict`)
    3. `correct`, an expression for the row's environment (by env_id, else env_name); null → undecided
    4. a scorer whose name says that it judges the answer (`JUDGES`), with a score of exactly 1 or 0; undecided where
       such scorers disagree
    5. the only scorer, with a score of exactly 1 or 0
    else undecided. Never by other rows, so new data flips no old verdict; never by the sum of weighted rewards.
    """
    held: list[tuple[pl.Expr, pl.Expr, str]] = []
    for env, text in correct.items():
        traces, right = expression.condition(traces, text, f'env."{env}".correct')
        held.append(((pl.col("env_id") == env).fill_null(False), right, text))
    held += [
        ((pl.col("env_name") == env).fill_null(False), right, text)
        for (_, right, text), env in zip(held, correct, strict=True)
    ]

    score, name = pl.element().struct.field("score"), pl.element().struct.field("name")
    binary = score.is_in([0.0, 1.0])
    judges = pl.col("rewards").list.eval(pl.element().filter(name.is_in(JUDGES) & binary))
    split = judges.list.eval(score).list.n_unique() > 1
    only = pl.when(pl.col("rewards").list.len() == 1).then(
        pl.col("rewards").list.eval(pl.element().filter(binary)).list.first()
    )

    said: Any = pl.when(~pl.col("ok")).then(pl.lit("error"))
    by: Any = pl.when(~pl.col("ok")).then(pl.lit("failed"))
    logged = pl.col("recorded_verdict")
    said, by = said.when(logged.is_not_null()).then(_word(logged)), by.when(logged.is_not_null()).then(pl.lit("log"))
    for here, right, text in held:
        said, by = said.when(here).then(_word(right)), by.when(here).then(pl.lit(f"recipe: {text}"))
    said, by = said.when(split).then(pl.lit("undecided")), by.when(split).then(pl.lit("scorers disagree"))
    for scorer, label in ((judges.list.first(), "scorer: "), (only, "only scorer: ")):
        found = scorer.is_not_null()
        said = said.when(found).then(_word(scorer.struct.field("score") == 1.0))
        by = by.when(found).then(pl.lit(label) + scorer.struct.field("name").fill_null("unnamed"))
    return traces.select(
        "row_id",
        said.otherwise(pl.lit("undecided")).alias("verdict"),
        by.otherwise(pl.lit("none")).alias("verdict_rule"),
    )


def _word(right: pl.Expr) -> pl.Expr:
    return pl.when(right).then(pl.lit("correct")).when(~right).then(pl.lit("incorrect")).otherwise(pl.lit("undecided"))
