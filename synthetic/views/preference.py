"""Pairs of answers to one prompt, the better one verified: what DPO and reward models are trained on."""

import polars as pl

from synthetic.pairs import READS as PAIRING
from synthetic.pairs import pairs
from synthetic.record import canonical_json, digest, schema
from synthetic.stage import View
from synthetic.views.described import Environments, described
from synthetic.views.sft import ALWAYS, whole, with_thinking
from synthetic.views.typed import typed

_TASK = ("problem_cluster", "task_type", "domain", "tools", "env_id", "source", "source_license")
_SIDE = ("reward", "words", "completion_tokens", "model", "model_revision", "policy_start", "said")


def shape(traces: pl.LazyFrame, *, thinking: str, environments: Environments) -> pl.LazyFrame:
    """The rows with what decides pairs, their prompt and what followed it, reasoning where `thinking` says."""
    asked = pl.col("num_prompt_messages")
    return with_thinking(whole(described(traces, environments)), thinking).select(
        *dict.fromkeys(["row_id", *PAIRING, *_TASK, "completion_tokens"]),
        prompt=pl.col("messages").list.head(asked),
        said=pl.col("messages").list.slice(asked),
    )


def gathers(shaped: pl.LazyFrame, *, margin: float, length_ratio: float, per_problem: int) -> pl.LazyFrame:
    """The columns of `schemas/preference-1.toml`, one row for each pair, by the settings of the rule `paired`."""
    rows = shaped.collect()
    made = pairs(
        rows.lazy().select("row_id", *PAIRING), margin=margin, length_ratio=length_ratio, per_problem=per_problem
    )
    for side in ("chosen", "rejected"):
        own = rows.select(row_id="row_id", **{f"{side} {name}": pl.col(name) for name in _SIDE})
        made = made.join(own, left_on=side, right_on="row_id", how="left", maintain_order="left")
    task = rows.select("row_id", "prompt", *_TASK)
    made = made.join(task, left_on="chosen", right_on="row_id", how="left", maintain_order="left")

    def same(*names: str) -> pl.Expr:
        equal = [pl.col(f"chosen {name}").eq_missing(pl.col(f"rejected {name}")) for name in names]
        known = pl.col(f"chosen {names[0]}").is_not_null() & pl.col(f"rejected {names[0]}").is_not_null()
        return pl.when(known).then(pl.all_horizontal(equal))

    rule = f"margin >= {margin:g}, length ratio <= {length_ratio:g}, at most {per_problem} of a problem"
    named = made.select(
        *("problem_id", "prompt", *_TASK),
        pair_id=pl.struct("chosen", "rejected").map_elements(_pair_id, return_dtype=pl.String),
        chosen="chosen said",
        rejected="rejected said",
        chosen_row_id="chosen",
        rejected_row_id="rejected",
        margin=pl.col("chosen reward") - pl.col("rejected reward"),
        same_model=same("model", "model_revision"),
        same_policy_version=same("policy_start", "model", "model_revision"),
        pair_rule=pl.format(f"{rule}; alike {{}}", pl.col("alike").round(2)),
        **{
            f"{side}_{name}": f"{side} {name}"
            for side in ("chosen", "rejected")
            for name in ("reward", "words", "model")
        },
        **{f"{side}_tokens": f"{side} completion_tokens" for side in ("chosen", "rejected")},
    )
    return typed(named, schema("preference-1")).lazy()


def _pair_id(pair: dict[str, str]) -> str:
    return digest(canonical_json([pair["chosen"], pair["rejected"]]))


PREFERENCE = View(
    config="preference",
    schema="preference-1",
    shape=shape,
    title="A right answer and a wrong one to the same prompt: what to train preferences on.",
    requires=("paired",),
    always=ALWAYS,
    reads=(*PAIRING, *_TASK[:-1], "num_prompt_messages", "messages", "completion_tokens"),
    gathers=gathers,
    gathers_by="paired",
    unit=("pair", "pairs"),
    key="pair_id",
    order=("problem_id", "chosen_row_id", "rejected_row_id"),
)
