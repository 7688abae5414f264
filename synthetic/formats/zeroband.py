"""The Parquet files of prime-rl's first year (zeroband): INTELLECT-2, and the run that SYNTHETIC-2's tasks trained.

`step_N/<uuid>.parquet`, February to June 2025; a row is an attempt. From June it holds texts beside token ids; such
files are read without the ids. Older ones hold ids alone: their rows have no messages, and `--tokens` takes the ids.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO  # Any: JSON values

from synthetic.formats.attempt import add, message, score
from synthetic.formats.file import Reading
from synthetic.formats.format import BadLine, Format, Parsed, Place, Source, readable
from synthetic.formats.line import fields, keys, value
from synthetic.formats.messages import take
from synthetic.formats.parquet import rows
from synthetic.formats.records import Whole

_FILE = re.compile(r"(.+)/step_(\d+)/[^/]+\.parquet", re.DOTALL)

TOKENS = frozenset({"input_tokens", "output_tokens", "input_logprobs", "output_logprobs"})
"""Columns that hold a value per token."""

MARKS = frozenset({"advantages", "rewards", "length_penalties", "target_lengths"})


def find(path: Path) -> Source | None:
    """The source that a path of this layout may be."""
    if not (match := _FILE.fullmatch(path.as_posix())):
        return None
    root = Path(match[1])
    facts = {"framework": "prime-rl", "kind": "train", "step": int(match[2]), "run_name": readable(root.name)}
    return Source(path, root, FORMAT, facts=facts)


def opened(path: Path) -> Reading:
    """The rows as lines; without token ids where there is text."""
    return Whole(path, _rows)


def _rows(file: BinaryIO, start: int) -> Iterator[bytes]:
    import pyarrow.parquet as pq

    text = {"prompt", "completion"} <= set(pq.read_schema(file).names)
    file.seek(0)
    return rows(file, start, lambda name: not (text and name in TOKENS))


def recognises(line: bytes) -> bool:
    """Whether a line is a row of such a file."""
    return set(keys(line)) >= MARKS


def parse(line: bytes, source: Source, place: Place) -> Parsed:
    """The row of a line, and its advantage as a late fact."""
    left = {key: value(raw) for key, raw in fields(line).items() if key not in TOKENS}
    row: dict[str, Any] = dict(source.facts)
    take(left, row, native_problem_id="problem_id", task_type="task_type")
    if isinstance(version := left.get("step"), int):  # the checkpoint that answered; the folder has the trainer's step
        del left["step"]
        row["policy_start"] = row["policy_end"] = version
    sampling = {key: left.pop(key) for key in ("temperature", "seed") if left.get(key) is not None}
    row["sampling"] = sampling or None
    row["reward"] = score(left.pop("rewards", None))
    row["rewards"] = [{"name": "task_reward", "score": score(left.pop("task_rewards", None)), "weight": None}]
    known = {"length_penalty": left.pop("length_penalties", None), "target_length": left.pop("target_lengths", None)}
    row["metrics"] = {key: said for key, said in known.items() if said is not None} or None
    advantage = score(left.pop("advantages", None))

    messages = []
    for role, column in (("user", "prompt"), ("assistant", "completion")):
        said = left.pop(column, None)
        if not isinstance(said, str | None):
            raise BadLine(f"'{column}' is no text")
        messages += [message(role, said)] if said is not None else []
    parsed = Parsed()
    prompts = sum(each["role"] == "user" for each in messages)
    added = add(parsed, source, place, messages, prompts, text_form="parsed" if messages else None, **row)
    added["extra"] = left or None
    if advantage is not None:
        parsed.late.append((added["trace_id"], None, "advantage", advantage))
    return parsed


def tokens(line: bytes, source: Source, place: Place) -> list[dict[str, Any]]:
    """Ids and log-probabilities of a row without text: of the prompt, and of what the model wrote."""
    raw = fields(line)
    if not TOKENS & raw.keys():
        return []
    said = {key: value(raw[key]) if key in raw else None for key in TOKENS}
    asked, wrote = said["input_tokens"] or [], said["output_tokens"] or []
    row: dict[str, Any] = {
        "row_id": parse(line, source, place).rows[0]["row_id"],
        "token_ids": [asked, wrote],
        "mask": [[False] * len(asked), [True] * len(wrote)],
        "logprobs": [[], said["output_logprobs"]] if said["output_logprobs"] is not None else None,
    }
    return [row | {"log_file": place.log_file, "log_offset": place.log_offset}]


FORMAT = Format(
    name="zeroband",
    title="prime-rl's Parquet rollouts of 2025 (INTELLECT-2, SYNTHETIC-2)",
    detected_by="the columns `rewards`, `advantages`, `length_penalties` and `target_lengths`",
    looked_for="step_N/*.parquet",
    find=find,
    recognises=recognises,
    parse=parse,
    tokens=tokens,
    open=opened,
    by_name=False,
)
