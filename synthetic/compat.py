"""A release in the columns of Prime Intellect's published tables, for code that reads those.

    synthetic-2        a problem a row: `<model>_responses` and `<model>_avg_reward` for each model that tried it
    synthetic-2-sft    problem_id, task_type, reward, messages: the rows of sft_verified
    synthetic-1        a response a row, in thirteen columns

A folder of its own beside the release, with a card that says what those columns cannot hold. Rows that they cannot hold
(tools, several turns, a system message) are left out and counted. What is written is made of the release's files alone,
bucket by bucket: the same release gives the same bytes.
"""

import math
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import polars as pl
import pyarrow.parquet as pq

from synthetic import card, manifest, shard
from synthetic.counted import open_configs
from synthetic.errors import CannotWrite, NothingKept, SyntheticError
from synthetic.manifest import Manifest
from synthetic.record import Column, Schema
from synthetic.splits import SPLITS
from synthetic.stage import Progress, silent
from synthetic.views.sft import with_thinking

Kind: TypeAlias = Literal["synthetic-2", "synthetic-2-sft", "synthetic-1"]

RESPONSES, MEAN = "_responses", "_avg_reward"

UNNAMED = "unknown"
"""The model of rows whose log names none."""

MESSAGES = "list<struct<content: string, role: string>>"

SFT = {"problem_id": "string", "task_type": "string", "reward": "f64", "messages": MESSAGES}

_ONE = (
    "response_id problem_id source in_source_id hf_dataset_name task_type prompt gold_standard_solution llm_response"
    " verification_info score verification_result_info metadata"
)
ONE = {name: "f64" if name == "score" else "string" for name in _ONE.split()}
"""SYNTHETIC-1's thirteen."""


@dataclass(frozen=True)
class Compat:
    """What was written."""

    path: str
    kind: str
    rows: int
    left_out: Mapping[str, int]
    """Rows of the release that the columns cannot hold, by why."""


def compat(release: str | Path, kind: Kind, *, to: str | Path, progress: Progress = silent) -> Compat:
    """Write a release in the columns of a published table to the folder `to`, which is replaced where we wrote it.

    Raises `SyntheticError` for a folder that is something else, `BrokenRelease`, `NothingKept`, `CannotWrite`.
    """
    path, target = Path(release), Path(to)
    made = manifest.read(path)
    config = "sft_verified" if kind == "synthetic-2-sft" else "traces"
    if target.exists() and not (target / MARK).is_file():
        raise SyntheticError(f"{target}: is there already, and is no such table", hint="name another folder")
    try:
        shutil.rmtree(target, ignore_errors=True)
        (target / "data").mkdir(parents=True)
        (target / MARK).write_text(f"{kind} of {made.name} {made.version}, {made.root}\n", "utf-8", newline="\n")
        columns, shape = _shape(kind, open_configs(path, made.configs)[config])
        files, left_out = _write(path, made, config, columns, shape, target, progress)
        rows = sum(pq.read_metadata(file).num_rows for file in files)
        if not rows:
            why = "; ".join(f"{count:,} {reason}" for reason, count in left_out.items())
            raise NothingKept(f"{release}: no row fits the columns of {kind}: {why}", hint="push the release itself")
        text = card.compat(made, kind, columns, rows, left_out, splits=_splits(files))
        (target / "README.md").write_text(text, "utf-8", newline="\n")
    except OSError as error:
        raise CannotWrite(
            f"{error.filename or to}: {error.strerror or error}", hint="make room, then run again"
        ) from error
    return Compat(str(to), kind, rows, left_out)


MARK = "made-from.txt"
"""Says which release a table was made of, and that we wrote it."""

Shape: TypeAlias = Callable[[pl.DataFrame], tuple[pl.DataFrame, dict[str, int]]]
"""Rows of a release to rows of a table, and why others fit none."""


def _splits(files: list[Path]) -> list[str]:
    there = {file.name.partition("-")[0] for file in files}
    return [split for split in SPLITS if split in there]


def _write(
    path: Path, made: Manifest, config: str, columns: Mapping[str, str], shape: Shape, target: Path, progress: Progress
) -> tuple[list[Path], dict[str, int]]:
    """Write a file for each one of the config that holds rows which fit; give the files, and what fits none."""
    schema = Schema("compat", tuple(Column(name, type, "") for name, type in columns.items()))
    left_out: dict[str, int] = {}
    written = []
    data = made.configs[config].files
    for number, each in enumerate(data):
        table, out = shape(pl.read_parquet(path / each.path, glob=False))
        for why, count in out.items():
            left_out[why] = left_out.get(why, 0) + count
        if table.height:
            name = target / "data" / f"{each.split}-{number:05d}-of-{len(data):05d}.parquet"
            shard.write(name, schema, [table.select(list(columns))])
            written.append(name)
        progress("writing the table", number + 1, len(data))
    return written, left_out


# ---- shapes


def _shape(kind: Kind, rows: pl.LazyFrame) -> tuple[dict[str, str], Shape]:
    if kind == "synthetic-2-sft":
        return SFT, _conversations
    if kind == "synthetic-1":
        return ONE, _responses
    named = rows.select(pl.col("model").fill_null(UNNAMED).unique().sort()).collect().to_series().to_list()
    wide = {"problem_id": "string", "prompt": "string", "verification_info": "string"}
    for model in named:
        wide |= {f"{model}{RESPONSES}": "list<string>", f"{model}{MEAN}": "f64"}
    return wide, lambda frame: _problems(frame, named)


def _id() -> pl.Expr:
    """The name that the log gives a problem, as the published tables have it; else ours."""
    return pl.coalesce("native_problem_id", "problem_id")


def _conversations(frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, int]]:
    calls = pl.col("messages").list.eval(pl.element().struct.field("tool_calls").list.len() > 0).list.any()
    tools = (pl.col("tools").is_not_null() | calls).fill_null(False)
    plain = frame.filter(~tools)
    said = pl.element().struct
    pairs = pl.struct(content=said.field("content"), role=said.field("role"))
    shaped = with_thinking(plain.lazy(), "inline").select(
        "problem_id", "task_type", "reward", messages=pl.col("messages").list.eval(pairs)
    )
    return shaped.collect(), _why({"with tools, which have no column": frame.height - plain.height})


def _single(frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, int]]:
    """Attempts of a trained agent that are one user message and at most one answer: `prompt` and `response`."""
    attempts = frame.filter(pl.col("trainable").ne_missing(False), pl.col("branch") == 0)
    roles = pl.col("messages").list.eval(pl.element().struct.field("role")).list.join(" ")
    calls = pl.col("messages").list.last().struct.field("tool_calls").list.len().fill_null(0) > 0
    one = attempts.filter(roles.is_in(["user", "user assistant"]) & ~calls)
    content = pl.element().struct.field("content")
    shaped = with_thinking(one.lazy(), "inline").with_columns(
        prompt=pl.col("messages").list.eval(content).list.first(),
        response=pl.when(pl.col("messages").list.len() > 1).then(pl.col("messages").list.eval(content).list.last()),
    )
    others = {
        "of agents that were not trained, or branches of a trace": frame.height - attempts.height,
        "of several turns, with tools or a system message": attempts.height - one.height,
    }
    return shaped.collect(), _why(others)


def _why(counts: Mapping[str, int]) -> dict[str, int]:
    return {why: count for why, count in counts.items() if count}


def _responses(frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, int]]:
    shaped, out = _single(frame)
    texts = shaped.select(
        *("source", "in_source_id", "hf_dataset_name", "task_type", "prompt", "gold_standard_solution"),
        *("verification_info", "metadata"),
        response_id="trace_id",
        problem_id=_id(),
        llm_response="response",
        score="reward",
        verification_result_info="verification_result",
    )
    return texts, out


def _problems(frame: pl.DataFrame, models: list[str]) -> tuple[pl.DataFrame, dict[str, int]]:
    shaped, out = _single(frame)
    rows = shaped.with_columns(
        pl.col("model").fill_null(UNNAMED),
        # A published table has no response's own reward where there are several, but their mean.
        told=pl.col("metrics").str.json_path_match("$.avg_reward").cast(pl.Float64, strict=False),
    ).sort("problem_id", "sample_index", "trace_id", nulls_last=True)
    problems = rows.group_by("problem_id", maintain_order=True).agg(
        _id().first().alias("named"),
        pl.col("prompt").first(),
        pl.col("verification_info").drop_nulls().first(),
    )
    of = rows.group_by("problem_id", "model", maintain_order=True).agg(
        responses=pl.col("response"), rewards=pl.col("reward").drop_nulls(), told=pl.col("told").first()
    )
    mean = pl.col("rewards").map_elements(_mean, return_dtype=pl.Float64, skip_nulls=False)
    of = of.with_columns(mean=pl.coalesce(mean, "told"))
    for model in models:
        own = of.filter(pl.col("model") == model)
        columns = {f"{model}{RESPONSES}": pl.col("responses"), f"{model}{MEAN}": pl.col("mean")}
        problems = problems.join(
            own.select("problem_id", **columns), on="problem_id", how="left", maintain_order="left"
        )
    return problems.drop("problem_id").rename({"named": "problem_id"}), out


def _mean(rewards: pl.Series) -> float | None:
    return math.fsum(rewards) / len(rewards) if len(rewards) else None
