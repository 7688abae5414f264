"""The numbers of problems and of pairs: how hard, for whom, counted on how much; and what was set against what."""

from typing import Final

import polars as pl

from synthetic.record import Json
from synthetic.stats.table import ENVIRONMENT, collected, counts, one, short
from synthetic.views.rl_tasks import BANDS, wilson

BINS: Final = 10
"""Bins of the histogram of pass rates, of equal width; a pass rate of 1 is in the last."""

_COUNTS: Final = ("attempts", "correct", "incorrect", "truncated", "errors", "undecided")
_OF_MODEL: Final = ("n_samples", "n_scored", "n_correct", "n_truncated", "n_errors", "n_undecided")


def tasks(frame: pl.LazyFrame) -> dict[str, Json]:
    """Difficulty over the rows of rl_tasks: by band, as a histogram of pass rates, by environment and by model."""
    bands = {row["difficulty_band"]: row["rows"] for row in counts(frame, "difficulty_band")}
    bin_of = (pl.col("pass_rate") * BINS).floor().clip(upper_bound=BINS - 1).cast(pl.Int64).alias("bin")
    filled = {row["bin"]: row["rows"] for row in counts(frame.select(bin_of).drop_nulls(), "bin")}
    whole = frame.with_columns(ENVIRONMENT).group_by("environment", "task_type")
    by_environment = whole.agg(pl.len().alias("problems"), *(pl.col(name).cast(pl.Int64).sum() for name in _COUNTS))
    decided = pl.col("correct") + pl.col("incorrect")
    rated = by_environment.with_columns(decided=decided).with_columns(
        wilson("correct", "decided", "pass_rate", "low", "high")
    )
    per = ("model", "model_revision", "max_tokens", "temperature")
    entries = frame.select(pl.col("difficulty").explode()).drop_nulls().unnest("difficulty")
    models = entries.group_by(per).agg(
        pl.len().alias("problems"),
        *(pl.col(name).cast(pl.Int64).sum() for name in _OF_MODEL),
        policy_first=pl.col("policy_first").min(),
        policy_last=pl.col("policy_last").max(),
    )
    rated_models = models.with_columns(wilson("n_correct", "n_scored", "pass_rate", "low", "high"))
    return {
        "bands": {band: bands.get(band, 0) for band in BANDS} | {"not decided": bands.get(None, 0)},
        "histogram": [filled.get(number, 0) for number in range(BINS)],
        "environments": [short(row) for row in collected(rated, "environment", "task_type").to_dicts()],
        "models": [short(row) for row in collected(rated_models, *per).to_dicts()],
        "verification": counts(frame, "verification_schema"),
        "without_verification": one(frame, pl.col("verification_info").null_count())["verification_info"],
    }


def pairs(frame: pl.LazyFrame) -> dict[str, Json]:
    """What the pairs of preference are made of."""
    longer, shorter = (f("chosen_words", "rejected_words") for f in (pl.max_horizontal, pl.min_horizontal))
    row: dict[str, Json] = one(
        frame,
        rows=pl.len(),
        same_model=pl.col("same_model").sum(),
        other_model=(~pl.col("same_model")).sum(),
        same_policy_version=pl.col("same_policy_version").sum(),
        other_policy_version=(~pl.col("same_policy_version")).sum(),
        policy_version_unknown=pl.col("same_policy_version").null_count(),
        least_margin=pl.col("margin").min(),
        chosen_longer=(pl.col("chosen_words") > pl.col("rejected_words")).sum(),
        greatest_length_ratio=(longer / shorter).max(),
    )
    return {key: short(value) for key, value in row.items()}
