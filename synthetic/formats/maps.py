"""Column maps: a log format in ten lines of TOML, for logs of flat rows that no file here reads.

    name = "my-trainer"
    keys = ["question", "generation", "score"]     # a line that has these is of this format

    [columns]                                      # column of the record = where it stands in the line
    prompt = "question"
    response = "generation"
    reward = "score"
    recorded_verdict = "judge.correct"
    ground_truth = "answer"
    trace_id = { template = "{id}-{sample}" }
    step = { file = "step_([0-9]+)" }

`docs/logs/maps.md` says all that can stand in one. Maps that ship are `pipelines/maps/*.toml`; another one is named
with `--format my-map.toml`.
"""

import re
import tomllib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import msgspec
import tomli_w

from synthetic.errors import UnreadableLog
from synthetic.formats.format import Format, Source, readable
from synthetic.formats.line import keys
from synthetic.formats.mapped import CHOICES, WAYS, Map, Value, parse
from synthetic.resources import folder

NAMED = r"\.(jsonl|ndjson|json|parquet)(\.gz|\.zst)?"
"""Files that may be logs of a map that does not say which."""

GUESSES = {
    "messages": {"messages", "conversation", "conversations"},
    "prompt": {"prompt", "input", "question", "query", "instruction", "input_prompt", "problem"},
    "response": {"response", "output", "completion", "generation", "output_response", "answer_text", "responses"},
    "trace_id": {"id", "uid", "uuid", "trace_id", "response_id", "request_id"},
    "native_problem_id": {"problem_id", "question_id", "task_id", "doc_id", "example_id"},
    "group_id": {"group_id", "prompt_id", "group"},
    "sample_index": {"sample_index", "sample_idx", "sample_id", "rollout_index"},
    "reward": {"reward", "score", "rewards", "scores", "total_reward"},
    "recorded_verdict": {"correct", "is_correct", "acc", "passed", "verdict", "success"},
    "ground_truth": {"ground_truth", "gts", "gold", "target", "expected_answer", "reference", "answer", "label"},
    "step": {"step", "global_step", "training_step", "iteration"},
    "env_id": {"env", "env_id", "env_class", "environment", "task", "dataset", "data_source"},
    "model": {"model", "model_name"},
    "finish_reason": {"finish_reason", "stop_reason"},
    "tools": {"tools", "tool_defs"},
}
"""Names that other trainers' logs have for a column."""


def load(path: Path) -> Format:
    """The format that a map's file describes. Raises `UnreadableLog`, which says what is wrong in it."""
    try:
        read = msgspec.convert(tomllib.loads(path.read_text("utf-8")), Map)
    except (OSError, ValueError) as error:
        raise UnreadableLog(f"{path}: {error}", hint="see docs/logs/maps.md for what a map may hold") from error
    for wrong in _mistakes(read):
        raise UnreadableLog(f"{path}: {wrong}", hint="see docs/logs/maps.md for what a map may hold")
    return _format(read)


def shipped() -> list[Format]:
    """The maps that ship, in the order of their names."""
    return [load(path) for path in sorted((folder("pipelines") / "maps").glob("*.toml"))]


def _format(read: Map) -> Format:
    def find(path: Path) -> Source | None:
        if not (match := re.search(read.files or NAMED, path.as_posix())) or match.end() < len(path.as_posix()):
            return None
        root = path.parents[read.up]
        said = {"framework": read.framework or read.name, "kind": read.kind, "run_name": readable(root.name)}
        return Source(path, root, made, facts=said, loose=read.files is None)

    def recognises(line: bytes) -> bool:
        found = set(keys(line))
        return found.issuperset(read.keys) and found.isdisjoint(read.without)

    without = f", and not {', '.join(read.without)}" if read.without else ""
    made = Format(
        name=read.name,
        title=read.title,
        detected_by=f"lines with {', '.join(read.keys)}{without}",
        looked_for=read.files or "*.jsonl, *.json, *.parquet",
        find=find,
        recognises=recognises,
        parse=partial(parse, read),
        by_name=False,
    )
    return made


def _mistakes(read: Map) -> Iterator[str]:
    """What is wrong in a map beyond its shape."""
    if not read.keys:
        yield "`keys` is empty: every line would be of this format"
    for column, given in read.columns.items():
        if column not in CHOICES:
            yield f"columns.{column} is no column; there are {', '.join(CHOICES)}"
        if isinstance(given, Value):
            ways = [name for name in WAYS if getattr(given, name) is not None]
            if len(ways) != 1:
                yield f"columns.{column} has {' and '.join(ways) or 'no value'}; it takes one of {', '.join(WAYS)}"
            if (given.right is not None or given.wrong is not None) and column != "recorded_verdict":
                yield f"columns.{column} has `right` or `wrong`, which only recorded_verdict takes"
    if "messages" not in read.columns and "response" not in read.columns:
        yield "columns names neither `messages` nor `response`: no text would be read"
    if "messages" in read.columns and read.columns.keys() & {"prompt", "response"}:
        yield "columns names `messages` beside `prompt` or `response`; a log has one or the other"
    patterns = [read.files, read.reward_keys, *(v.file for v in read.columns.values() if isinstance(v, Value))]
    for pattern in patterns:
        try:
            re.compile(pattern or "")
        except re.error as error:
            yield f"{pattern!r} is no regular expression ({error})"


def starter(line: bytes) -> str:
    """A map to edit for a log whose first line is this: what the names of its keys suggest, the rest as comments."""
    try:
        row = msgspec.json.decode(line)
    except msgspec.MsgspecError:
        return ""
    columns: list[str] = []
    left: list[str] = []
    for key, value in row.items():
        column = next((column for column, names in GUESSES.items() if key.lower() in names), None)
        if column and not any(each.startswith(f"{column} ") for each in columns):
            columns.append(f"{column} = {tomli_w.dumps({'x': key})[4:].rstrip()}")
        else:
            left.append(f"# {key}: {type(value).__name__}")
    head = tomli_w.dumps({"name": "my-trainer", "keys": list(row)[:6]}, multiline_strings=False)
    lines = [
        head.rstrip(),
        "",
        "[columns]   # column = path of its value; docs/logs/maps.md says more",
        *columns,
        *left,
    ]
    return "\n".join(lines)
