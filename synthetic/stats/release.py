"""The numbers of a release, counted from the rows of its configs."""

import math
from collections.abc import Mapping
from typing import Final

import polars as pl
from polars import selectors as cs

from synthetic.record import Json
from synthetic.stats.curves import lag, lengths, rewards
from synthetic.stats.table import (
    ATTEMPT,
    CUT,
    ENVIRONMENT,
    PASS_RATE,
    REWARD,
    RIGHT,
    WRONG,
    Table,
    collected,
    counts,
    flat_lengths,
    grouped,
    nested,
    one,
    short,
    told_apart,
    verdict_counts,
)
from synthetic.stats.tasks import pairs, tasks
from synthetic.stats.undecided import undecided

REASONS: Final = 5
"""How many reasons are given for a rule; the rest are counted."""
VARIANTS: Final = 10
"""How many variants of a model's sampling parameters are given; the rest are counted."""

KEYS = ("environment", "kind")

# A seed differs from row to row and tells nothing of how a model was sampled.
A_SEED = r'"seed":-?\d+,|,?"seed":-?\d+'

# What a reason says of one row alone: `same text as 4b1f…/0`, `beyond 4 of problem_id 9c2e…`.
AN_ID = r"\S*\w{8,}\S*/\d+|[0-9a-f]{16,}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


# What `unseen` says of an item: `item 17 of math-500: 0.93 of it in the prompt: "…"`, or `… of its answer in the …`.
AN_ITEM = r"(?s)^item (.*) of ([A-Za-z0-9._-]+): [01]\.\d\d of (it|its answer) in the (?:prompt|completion): "


def numbers(configs: Mapping[str, pl.LazyFrame]) -> dict[str, Json]:
    """All that a card says of a release whose configs are these frames, in their published schemas.

    `traces` is always among them; a config without a row may be missing.
    """
    traces = configs["traces"]
    present = {name: pl.col(name).count() for name in ("is_truncated", "ground_truth", "source_license")}
    return {
        "configs": {config: _config(frame) for config, frame in configs.items()},
        "difficulty": tasks(configs["rl_tasks"]) if "rl_tasks" in configs else None,
        "pairs": pairs(configs["preference"]) if "preference" in configs else None,
        "tokens": None,  # whoever has a tokenizer counts them: `tokens`
        "traces": one(traces.select(told_apart("trace_id")), pl.col("trace_id").n_unique())["trace_id"],
        "kinds": counts(traces, "kind"),
        "text_forms": counts(traces, "text_form"),
        "environments": _environments(traces),
        "verification": _verification(traces),
        "undecided": undecided(traces),
        "funnel": _funnel(traces),
        "flags": _flags(traces),
        "evaluations": _evaluations(traces),
        "duplicates": _duplicates(traces),
        "runs": _runs(traces),
        "models": _models(traces),
        "sources": counts(traces, "source", "source_license", "hf_dataset_name"),
        "late": one(
            traces,
            known=pl.col("trained_on").count(),
            trained_on=pl.col("trained_on").sum(),
            rewound=pl.col("rewound").sum(),
        ),
        "known": one(traces, **present),
        "with_tools": one(traces, pl.col("tools").count())["tools"],
        "several_turns": one(traces, (pl.col("num_turns") > 1).sum())["num_turns"],
        "not_trained": one(traces, pl.col("trainable").eq(False).sum())["trainable"],
        "generated": _days(traces),
        "lengths": lengths(traces),
        "rewards": rewards(traces),
        "lag": lag(traces),
    }


def _config(frame: pl.LazyFrame) -> dict[str, Json]:
    has = frame.collect_schema()
    lengths = flat_lengths("completion_tokens") if "completion_tokens" in has else []
    row = one(
        frame,
        *lengths,
        rows=pl.len(),
        problems=pl.col("problem_id").hash().n_unique(),
        unique_problems=pl.col("problem_cluster").hash().n_unique(),
        environments=pl.col("env_id").drop_nulls().n_unique(),
        models=_models_of(has).drop_nulls().n_unique(),
    )
    return nested(row, "completion_tokens") if lengths else row


def _models_of(has: pl.Schema) -> pl.Expr:
    """The models of a config's rows, whatever they are called there."""
    if "difficulty" in has:
        return pl.col("difficulty").explode().struct.field("model")
    return pl.col("model") if "model" in has else pl.concat([pl.col("chosen_model"), pl.col("rejected_model")])


def _environments(traces: pl.LazyFrame) -> Table:
    """Attempts, one entry for each environment and kind. A problem neither solved nor unsolved has no decided one."""
    frame = traces.filter(ATTEMPT).with_columns(ENVIRONMENT, REWARD)
    attempts = frame.group_by(KEYS).agg(
        pl.len().alias("attempts"),
        *verdict_counts(),
        PASS_RATE,
        truncated=CUT.sum(),
        truncated_not_correct=(CUT & ~RIGHT).sum(),
        not_scored=pl.col("reward").null_count(),
    )
    each = frame.with_columns(told_apart("problem_id")).group_by(*KEYS, "problem_id")
    problems = each.agg(right=RIGHT.any(), wrong=WRONG.any()).group_by(KEYS)
    right, wrong = pl.col("right"), pl.col("wrong")
    solved = problems.agg(problems=pl.len(), solved=right.sum(), unsolved=(wrong & ~right).sum())
    rules = frame.group_by(*KEYS, "verdict_rule").agg(pl.len().alias("rows"), *verdict_counts())
    verifier = ("verifier", "verifier_version")
    parts = {
        "problems": grouped(collected(solved, *KEYS), *KEYS),
        "rewards": grouped(collected(frame.group_by(*KEYS, "reward").len("rows"), *KEYS, "reward"), *KEYS),
        "verdict_rules": grouped(collected(rules, *KEYS, "verdict_rule"), *KEYS),
        "verifiers": grouped(collected(frame.group_by(*KEYS, *verifier).len("rows"), *KEYS, *verifier), *KEYS),
    }
    found = []
    for row in collected(attempts, *KEYS).to_dicts():
        own = {name: part[row["environment"], row["kind"]] for name, part in parts.items()}
        lists = {name: own[name].to_dicts() for name in ("verdict_rules", "verifiers")}
        found.append(short(row | own["problems"].to_dicts()[0] | {"reward": _spread(own["rewards"])}) | lists)
    return found


def _verification(traces: pl.LazyFrame) -> Table:
    """Attempts of each environment by who scored them: the rules that decided, what stayed open, what null means."""
    keys = (*KEYS, "verifier", "verifier_version")
    null, failed = pl.col("reward").is_null(), pl.col("verdict") == "error"
    # By rule first: a list of all rules of a group would be made of all its rows.
    each = traces.filter(ATTEMPT).with_columns(ENVIRONMENT, REWARD).group_by(*keys, "verdict_rule")
    by_rule = each.agg(
        pl.len().alias("attempts"),
        *(count for count in verdict_counts() if count.meta.output_name() in {"undecided", "error"}),
        null_failed=(null & failed).sum(),
        null_unscored=(null & ~failed).sum(),
    )
    counted = collected(by_rule, *keys, "verdict_rule").group_by(keys, maintain_order=True)
    return counted.agg(cs.numeric().sum(), rules="verdict_rule").to_dicts()


def _spread(rewards: pl.DataFrame) -> dict[str, float | None]:
    """Least, mean and greatest of distinct rewards with their rows."""
    scored = rewards.drop_nulls("reward")
    if not scored.height:
        return {"min": None, "mean": None, "max": None}
    # fsum is exact: the order in which rows were added up does not show in the last digit.
    mean = math.fsum(scored["reward"] * (scored["rows"] / scored["rows"].sum()))
    return {"min": scored["reward"][0], "mean": mean, "max": scored["reward"][-1]}


def _funnel(traces: pl.LazyFrame) -> dict[str, Json]:
    """For each config that leaves a row out: rows kept, and rows dropped by each rule with the commonest reasons."""
    total = one(traces, rows=pl.len())["rows"]
    return {
        config: {"kept": total - sum(step["rows"] for step in steps), "dropped": steps}
        for config, steps in _reasons(traces, "drops").items()
    }


def _flags(traces: pl.LazyFrame) -> dict[str, Table]:
    """For each config with rules that mark rows: rows marked by each, with the commonest reasons."""
    return _reasons(traces, "flags")


def _evaluations(traces: pl.LazyFrame) -> Table:
    """For each evaluation set of which a row holds an item: items hit, rows removed, rows marked for review; and items
    whose answer is quoted, with their rows.
    """
    found = []
    for column, removed in (("drops", True), ("flags", False)):
        said = traces.select("row_id", column).explode(column).drop_nulls().unnest(column)
        parts = pl.col("reason").str.extract_groups(AN_ITEM).struct
        hits = said.filter(pl.col("rule") == "unseen").select(
            "row_id",
            parts.field("1").alias("item"),
            parts.field("2").alias("set"),
            quoted=parts.field("3") == "its answer",
        )
        found.append(hits.with_columns(removed=pl.lit(removed)))
    hits = pl.concat(found).unique()
    counted = hits.group_by("set").agg(
        items=pl.col("item").n_unique(),
        removed=pl.col("row_id").filter("removed").n_unique(),
        flagged=pl.col("row_id").filter(~pl.col("removed")).n_unique(),
        quoted_answers=pl.col("item").filter("quoted").n_unique(),
        quoting_rows=pl.col("row_id").filter("quoted").n_unique(),
    )
    return collected(counted, "set").to_dicts()


def _reasons(traces: pl.LazyFrame, column: str) -> dict[str, Table]:
    said = traces.select(pl.col(column).explode()).drop_nulls().unnest(column)
    reasons = said.with_columns(pl.col("reason").str.replace_all(AN_ID, "…")).group_by("config", "rule", "reason")
    rules: dict[str, Table] = {}
    counted = grouped(collected(reasons.len("rows"), "config", "rule", "reason"), "config", "rule")
    for (config, rule), found in counted.items():
        first = found.sort("rows", descending=True, maintain_order=True).head(REASONS)
        step = {"rule": rule, "rows": int(found["rows"].sum()), "reasons": first.to_dicts()}
        rules.setdefault(config, []).append(step | {"other_reasons": found.height - first.height})
    return rules


def _duplicates(traces: pl.LazyFrame) -> dict[str, Json]:
    """How often the same text was written for the same problem."""
    keys = traces.filter(pl.col("text_key").is_not_null()).select(told_apart("problem_id", "text_key"))
    texts = keys.group_by("problem_id", "text_key").len("rows")
    shared = pl.col("rows") > 1
    return one(
        texts,
        rows_with_text=pl.col("rows").sum(),
        distinct_texts=pl.len(),
        shared_texts=shared.sum(),
        rows_sharing=pl.col("rows").filter(shared).sum(),
        problems_sharing=pl.col("problem_id").filter(shared).n_unique(),
    )


def _runs(traces: pl.LazyFrame) -> Table:
    keys = ("run_name", "framework", "framework_version", "kind")
    runs = traces.group_by(keys).agg(
        rows=pl.len(),
        problems=pl.col("problem_id").hash().n_unique(),
        first_step=pl.col("step").min(),
        last_step=pl.col("step").max(),
        first_policy=pl.col("policy_start").min(),
        last_policy=pl.max_horizontal(pl.col("policy_start").max(), pl.col("policy_end").max()),
    )
    models = collected(traces.select(*keys, "model").unique(), *keys, "model")
    listed = models.group_by(keys, maintain_order=True).agg(models=pl.col("model").drop_nulls())
    return collected(runs, *keys).join(listed, on=keys, nulls_equal=True, maintain_order="left").to_dicts()


def _models(traces: pl.LazyFrame) -> Table:
    keys = ("model", "model_revision")
    models = traces.group_by(keys).agg(
        *flat_lengths("prompt_tokens"),
        *flat_lengths("completion_tokens"),
        rows=pl.len(),
        truncated=pl.col("is_truncated").sum(),
        truncation_known=pl.col("is_truncated").count(),
        truncated_share=pl.col("is_truncated").mean(),
    )
    seedless = traces.with_columns(pl.col("sampling").str.replace(A_SEED, ""))
    variants_of = seedless.group_by(*keys, "sampling").len("rows")
    sampling = grouped(collected(variants_of, *keys, "sampling"), *keys)
    found = []
    for row in collected(models, *keys).to_dicts():
        variants = sampling[row["model"], row["model_revision"]].sort("rows", descending=True, maintain_order=True)
        listed = {"sampling": variants.head(VARIANTS).to_dicts(), "other_sampling": max(0, variants.height - VARIANTS)}
        found.append(short(nested(row, "prompt_tokens", "completion_tokens")) | listed)
    return found


def _days(traces: pl.LazyFrame) -> dict[str, str | None]:
    """The first and the last day (UTC) on which a rollout began."""
    day = pl.col("generated_at").dt.date()
    return one(traces, first=day.min().cast(pl.String), last=day.max().cast(pl.String), known=day.count())
