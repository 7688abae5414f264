"""The problems of a release as a verifiers taskset: a small package that trainers load, and score with.

A folder of its own beside the release: the module `taskset.py` of `pipelines/taskset/` as it is, the problems as
Parquet, and a page that says what is in it. It compares answers, and so holds the problems whose answer can be
compared: one value, asked for in text. What only an environment can check (programs, tools, judges) is left out and
counted. Nothing that a log wrote gets into code. The same release gives the same bytes.
"""

import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from synthetic import card, manifest, shard
from synthetic.errors import CannotWrite, NothingKept, SyntheticError
from synthetic.manifest import Manifest
from synthetic.record import Column, Schema
from synthetic.resources import folder
from synthetic.stage import Progress, silent

CONFIG = "rl_tasks"

LONGEST = 200
"""Characters of an answer that can be compared; a longer one is a text."""

COLUMNS = {
    "id": "string",
    "name": "string",
    "system_prompt": "string",
    "prompt": "list<struct<role: string, content: string>>",
    "answer": "string",
    "env_id": "string",
    "pass_rate": "f64",
    "difficulty_band": "string",
}

MARK = "made-from.txt"
"""Says which release a package was made of, and that we wrote it."""


@dataclass(frozen=True)
class Taskset:
    """What was written."""

    path: str
    name: str
    """By which verifiers knows it, once it is installed."""
    rows: int
    left_out: Mapping[str, int]
    """Problems that comparing answers cannot score, by why."""


def taskset(release: str | Path, *, to: str | Path, progress: Progress = silent) -> Taskset:
    """Write the problems of a release as a package to the folder `to`, which is replaced where we wrote it.

    Raises `SyntheticError` for a folder that is something else and for a release without `rl_tasks`, `BrokenRelease`,
    `NothingKept`, `CannotWrite`.
    """
    path, target = Path(release), Path(to)
    made = manifest.read(path)
    if CONFIG not in made.configs:
        raise SyntheticError(f"{release}: has no {CONFIG}", hint=f"add [{CONFIG}] to its recipe, and release again")
    if target.exists() and not (target / MARK).is_file():
        raise SyntheticError(f"{target}: is there already, and is no such package", hint="name another folder")
    name = _name(made.name)
    module = target / name.replace("-", "_")
    try:
        shutil.rmtree(target, ignore_errors=True)
        (module / "tasks").mkdir(parents=True)
        _write(target / MARK, f"taskset of {made.name} {made.version}, {made.root}\n")
        rows, left_out = _tasks(path, made, module / "tasks", progress)
        if not rows:
            why = "; ".join(f"{count:,} {reason}" for reason, count in left_out.items())
            raise NothingKept(f"{release}: no problem can be scored by comparing answers: {why}")
        _write(module / "taskset.py", (folder("pipelines") / "taskset" / "taskset.py").read_text("utf-8"))
        _write(module / "__init__.py", _INIT)
        _write(target / "pyproject.toml", _PROJECT.format(name=name, module=module.name, version=_version(made)))
        _write(target / "README.md", card.taskset(made, name, rows, left_out))
    except OSError as error:
        raise CannotWrite(
            f"{error.filename or to}: {error.strerror or error}", hint="make room, then run again"
        ) from error
    return Taskset(str(to), name, rows, left_out)


_INIT = '''"""Problems of a release of reasoning traces."""

from .taskset import ReleasedTaskset

__all__ = ["ReleasedTaskset"]
'''

_PROJECT = """[project]
name = "{name}"
version = "{version}"
description = "Problems of a release of reasoning traces, as a verifiers taskset"
requires-python = ">=3.11"
dependencies = ["pyarrow>=17", "verifiers>=0.4"]

[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[tool.hatch.build.targets.wheel]
packages = ["{module}"]
"""


def _write(path: Path, text: str) -> None:
    path.write_text(text, "utf-8", newline="\n")


def _name(release: str) -> str:
    """A package's name from a release's: `-tasks` behind it keeps it apart from every other module."""
    return f"{re.sub('[^a-z0-9]+', '-', release.lower()).strip('-') or 'release'}-tasks"


def _version(made: Manifest) -> str:
    return made.version if re.fullmatch(r"\d+(\.\d+)*", made.version) else "0"


def _tasks(path: Path, made: Manifest, target: Path, progress: Progress) -> tuple[int, dict[str, int]]:
    """Write a file for each one of the release's; give how many problems they hold, and why others are left out."""
    schema = Schema("taskset", tuple(Column(name, type, "") for name, type in COLUMNS.items()))
    rows, left_out = 0, dict[str, int]()
    files = made.configs[CONFIG].files
    for number, each in enumerate(files):
        said = _said(pl.read_parquet(path / each.path, glob=False))
        fit = said.filter(pl.col("why").is_null())
        for why, count in _whys(said):
            left_out[why] = left_out.get(why, 0) + count
        if fit.height:
            name = f"{each.split}-{number:05d}-of-{len(files):05d}.parquet"
            shard.write(target / name, schema, [fit.select(list(COLUMNS))])
            rows += fit.height
        progress("writing tasks", number + 1, len(files))
    return rows, dict(sorted(left_out.items()))


def _whys(said: pl.DataFrame) -> Iterator[tuple[str, int]]:
    yield from said.drop_nulls("why").group_by("why").len().sort("why").iter_rows()


def _said(problems: pl.DataFrame) -> pl.DataFrame:
    """Problems in the columns of a task, and `why` one cannot be scored by comparing answers."""
    each = pl.element().struct
    leading = pl.col("prompt").list.first().struct.field("role") == "system"
    system = pl.when(leading).then(pl.col("prompt").list.first().struct.field("content"))
    asked = pl.when(leading).then(pl.col("prompt").list.slice(1)).otherwise("prompt")
    bare = pl.struct(role=each.field("role"), content=each.field("content"))
    answer = pl.coalesce("ground_truth", pl.col("verification_info").str.json_path_match("$.ground_truth"))
    shaped = problems.select(
        pl.col("problem_id").alias("id"),
        pl.col("native_problem_id").alias("name"),
        system.alias("system_prompt"),
        asked.list.eval(bare).alias("prompt"),
        answer.str.strip_chars().alias("answer"),
        *("env_id", "pass_rate", "difficulty_band", "tools", "verification_schema"),
    )
    text = pl.col("prompt").list.eval(
        each.field("role").is_in(["user", "assistant"]) & each.field("content").is_not_null()
    )
    compared = ["answer", "ground_truth"]
    one = pl.col("answer").str.contains(r"^[^\n]+$") & ~pl.col("answer").str.contains(r"^[\[{].*[\]}]$")
    why = (
        pl.when(pl.col("tools").is_not_null()).then(pl.lit("with tools, which their environment has"))
        .when(~text.list.all() | (pl.col("prompt").list.len() == 0)).then(pl.lit("whose prompt is not of text alone"))
        .when(pl.col("verification_schema").is_null()).then(pl.lit("without an answer to compare with"))
        .when(~pl.col("verification_schema").is_in(compared))
        .then(pl.format("of the shape {}, which their environment alone can check", "verification_schema"))
        .when(~one.fill_null(False) | (pl.col("answer").str.len_chars() > LONGEST))
        .then(pl.lit("whose right answer is no single value"))
    )  # fmt: skip
    return shaped.with_columns(why.alias("why"))
