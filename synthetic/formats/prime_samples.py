"""Samples of a training run as Prime Intellect's platform keeps them: a table, or pages of JSON.

prime-rl uploaded them from February 2026: every tenth step, shipped rollouts only. Columns hold JSON as text, empty
text for null. Until June `prompt` and `completion` are messages, and `problem_id` and `sample_id` may be 0 throughout:
they name nothing. Then `prompt` is empty, `trajectory` holds the messages of each branch, and `task` the task's data.
"""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO  # Any: JSON values

import msgspec

from synthetic.errors import UnreadableLog
from synthetic.formats import rollout_output
from synthetic.formats.attempt import add, score, text
from synthetic.formats.file import Reading, open_regular
from synthetic.formats.format import BadLine, Format, Parsed, Place, Source, readable
from synthetic.formats.line import fields, keys, value
from synthetic.formats.messages import take, take_message
from synthetic.formats.records import Whole, one_line, open_log
from synthetic.formats.verifiers import RUNNING
from synthetic.record import Json

_NAMED = re.compile(r".+\.(parquet|json|jsonl)(\.gz|\.zst)?", re.DOTALL)

MARKS = frozenset({"run_id", "step", "problem_id", "sample_id", "completion", "trajectory"})

TEXTS = ("prompt", "completion", "trajectory", "task", "info", "metrics", "timing", "answer", "tag")
"""Columns that hold JSON or empty text."""

PAGE = ("samples", "rollouts", "data")
"""Members of a page of JSON that may hold the samples."""


def find(path: Path) -> Source | None:
    """The source that a table or a page may be; of a JSON file, when it begins like one."""
    if not _NAMED.fullmatch(path.name) or (path.suffix == ".json" and not _begins_as_samples(path)[0]):
        return None
    facts = {"framework": "prime-rl", "kind": "train", "run_name": readable(path.parent.name)}
    return Source(path, path.parent, FORMAT, facts=facts, loose=True)


def _begins_as_samples(path: Path) -> tuple[bool, bool]:
    """Whether a file begins with samples, and whether they are within an object."""
    try:
        with open_regular(path) as file:
            head = file.read(4096)
    except UnreadableLog:
        return False, False
    return b'"sample_id"' in head and b'"problem_id"' in head, head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")


def opened(path: Path) -> Reading:
    """The rows as lines; of a page, its samples."""
    return Whole(path, _samples) if path.suffix == ".json" and all(_begins_as_samples(path)) else open_log(path)


def _samples(file: BinaryIO, start: int) -> Iterator[bytes]:
    file.seek(0)
    members = msgspec.json.decode(file.read(), type=dict[str, msgspec.Raw])
    if not MARKS - members.keys():
        yield from [one_line(msgspec.json.encode(members))][start:]
    for name in PAGE:
        if name in members:
            for sample in msgspec.json.decode(members[name], type=list[msgspec.Raw])[start:]:
                yield one_line(bytes(sample))
            return


def recognises(line: bytes) -> bool:
    """Whether a line is such a sample."""
    return set(keys(line)) >= MARKS


def parse(line: bytes, source: Source, place: Place) -> Parsed:
    """The rows of a sample, one for each branch of its trajectory where it has branches; and its advantage."""
    left = {key: value(raw) for key, raw in fields(line).items()}
    for column in TEXTS:
        if isinstance(given := left.get(column), str):
            left[column] = _read(given) if column not in {"answer", "tag"} else given or None
            if left[column] is None:
                del left[column]
    branches = left.get("trajectory")
    if isinstance(branches, list) and branches and all(isinstance(b, dict) and "messages" in b for b in branches):
        return _branches(left, branches, source, place)
    parsed = rollout_output.parse_rollout_output(msgspec.json.encode(left), source, place)
    (row,) = parsed.rows
    rest = row["extra"] or {}
    _take_run(rest, row)
    row["extra"] = rest or None
    return parsed


def _read(given: str) -> Json:
    """The object or list that JSON text says; null for empty text, and the text itself where it is neither."""
    if not given:
        return None
    with suppress(ValueError, RecursionError):
        if isinstance(read := json.loads(given), dict | list):
            return read
    return given


def _take_run(left: dict[str, Any], row: dict[str, Any]) -> None:
    """Run, step, environment, and when the sample was made."""
    take(left, row, run_id="run_id", env_name="env_name")
    take(left, row, of=(int,), step="step")
    if row.get("generated_at") is None and isinstance(made := left.get("created_at"), str):
        with suppress(ValueError):
            moment = datetime.fromisoformat(made)
            row["generated_at"] = moment if moment.tzinfo else None


def _branches(left: dict[str, Any], branches: list[dict[str, Any]], source: Source, place: Place) -> Parsed:
    """Rows of a sample that holds the messages of each branch; `completion` repeats those of the last."""
    row = dict(source.facts)
    _take_run(left, row)
    row["trace_id"] = f"{row.get('run_id') or source.run}/{row.get('step')}/{left.get('sample_id')}"
    if isinstance(left.get("problem_id"), int):
        row["native_problem_id"] = str(left.pop("problem_id"))
    task = given if isinstance(given := left.get("task"), dict) else {}
    row["ground_truth"] = text(task.get("answer")) or None
    row["verification_info"] = {key: task.pop(key) for key in task.keys() - RUNNING} or None  # folders, images stay
    row["reward"] = score(left.pop("reward", None))
    row["metrics"] = left.pop("metrics") if isinstance(left.get("metrics"), dict) and left["metrics"] else None
    advantage = score(left.get("advantage"))
    if left.get("completion") == branches[-1]["messages"]:
        del left["completion"]

    parsed = Parsed()
    for number, branch in enumerate(branches):
        if not isinstance(branch["messages"], list) or not all(isinstance(m, dict) for m in branch["messages"]):
            raise BadLine("a branch of a sample has no messages")
        messages = [take_message(each) for each in branch["messages"]]
        if not any(branch["messages"]):
            del branch["messages"]
        prompts = next((i for i, each in enumerate(messages) if each["role"] == "assistant"), len(messages))
        wrote = used if isinstance(used := branch.get("num_output_tokens"), int) else None
        add(parsed, source, place, messages, prompts, **row, completion_tokens=wrote, branch=number)
    parsed.rows[0]["extra"] = left
    if advantage is not None:
        parsed.late.append((row["trace_id"], None, "advantage", advantage))
    return parsed


FORMAT = Format(
    name="prime-samples",
    title="samples of a run from Prime Intellect's platform (2026-02 to 2026-07)",
    detected_by="`run_id`, `step`, `problem_id`, `sample_id`, `completion` and `trajectory`",
    looked_for="*.parquet, *.json and *.jsonl of samples",
    selected="Samples are those that came into a batch: groups that were all right or all wrong may be missing.",
    find=find,
    recognises=recognises,
    parse=parse,
    open=opened,
    by_name=False,
)
