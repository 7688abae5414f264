"""TRL's completions (GRPO, 1.x): `completions/completions_{step:05d}.parquet`, written with `log_completions=True`.

Each file holds the batch that the trainer held when it logged: batches in between are in no file, and one may be in
several, under another step each. So a trace is known by prompt, completion and scores, without the step, and a batch
that stands in three files is one batch in `scan`, at the step that was captured first. Within one file nothing is
repeated: equal rows are attempts that came out equal, and are counted.
"""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO  # Any: JSON values

from synthetic.formats import template
from synthetic.formats.attempt import add, message, right, take_step, told
from synthetic.formats.file import Reading
from synthetic.formats.format import BadLine, Format, Parsed, Place, Source, readable
from synthetic.formats.line import keys, repaired, value
from synthetic.formats.messages import take, take_message
from synthetic.formats.parquet import rows
from synthetic.formats.records import Whole
from synthetic.record import Json, canonical_json, digest

KEYS = frozenset(("step", "prompt", "completion"))

_FILE = re.compile(r"completions_\d+\.parquet")

REWARD = re.compile(r"reward|accuracy|(?<![a-z])format", re.IGNORECASE)
"""TRL does not say which of its columns are reward functions: those of numbers with such a name are."""

AGAIN = "synthetic:again"
"""Added to a row whose like stands before it in its table: how many do."""

TRUTHS = ("ground_truth", "answer", "solution")
"""Columns that hold the expected answer, the surest first."""


def find(path: Path) -> Source | None:
    """The source that a file of completions is: its run is the trainer's output folder."""
    if not _FILE.fullmatch(path.name):
        return None
    root = path.parent.parent if path.parent.name == "completions" else path.parent
    # Evaluations write to the same names, and nothing in the file tells them apart.
    facts = {"framework": "trl", "kind": "train", "run_name": readable(root.name)}
    return Source(path, root, FORMAT, facts=facts)


def recognises(line: bytes) -> bool:
    """Whether a row has the columns that every table of completions has."""
    return set(keys(line)) >= KEYS


def open_table(path: Path) -> Reading:
    """A table as lines; of equal attempts, all but the first have `AGAIN`."""
    return Whole(path, _counted)


def _counted(file: BinaryIO, start: int) -> Iterator[bytes]:
    before: Counter[str] = Counter()
    for number, line in enumerate(rows(file, 0)):
        again = 0
        with suppress(ValueError, TypeError, AttributeError):  # a row that is set aside is not counted
            row = value(repaired(line)[0])
            scores = {name: row[name] for name in _scorers(row)}
            same = digest(canonical_json([row.get("prompt"), row.get("completion"), scores]))
            again = before[same]
            before[same] += 1
        if number >= start:
            yield line[:-1] + f',"{AGAIN}":{again}}}'.encode() if again else line


def parse(line: bytes, source: Source, place: Place) -> Parsed:
    """The row of a line, and its advantage as a late fact."""
    left = value(line)
    if not isinstance(left, dict) or not left.keys() >= KEYS:
        raise BadLine(f"no row of completions: it needs {', '.join(sorted(KEYS))}")
    prompt, completion = left.pop("prompt"), left.pop("completion")
    rewards = _rewards(left)
    scores = [[scorer["name"], scorer["score"]] for scorer in rewards]
    again = left.pop(AGAIN, 0)
    trace_id = digest(canonical_json(["trl", source.run, prompt, completion, scores, *([again] if again else [])]))
    group = digest(canonical_json(["trl", source.run, prompt, left["step"]]))
    advantage = left.get("advantage")
    if advantage is None or isinstance(advantage, float):
        left.pop("advantage", None)

    asked, begun, unread = _messages(prompt, left, "prompt")
    said = _completion(completion, begun, left)
    given = [scorer["score"] for scorer in rewards if scorer["score"] is not None]
    judged = {right(scorer["score"]) for scorer in rewards if "accuracy" in scorer["name"].lower()} - {None}
    columns: dict[str, Any] = {
        "trace_id": trace_id,
        "group_id": group,
        "step": take_step(left),
        "text_form": "parsed" if unread or isinstance(completion, str) else "native",
        "rewards": rewards or None,
        "reward": sum(given) if given else None,
        "recorded_verdict": judged.pop() if len(judged) == 1 else None,
    }
    columns |= _task(left) | _measured(left)
    parsed = Parsed()
    add(parsed, source, place, [*asked, *said], len(asked), extra=left or None, **columns)
    if isinstance(advantage, float):
        parsed.late.append((trace_id, None, "advantage", advantage))
    return parsed


def _rewards(left: dict[str, Any]) -> list[dict[str, Any]]:
    """The reward columns, taken; null is a function that did not apply."""
    return [{"name": name, "score": left.pop(name), "weight": None} for name in _scorers(left)]


def _scorers(row: dict[str, Any]) -> list[str]:
    return [name for name in row if REWARD.search(name) and (row[name] is None or isinstance(row[name], float))]


def _messages(given: Json, left: dict[str, Any], column: str) -> tuple[list[dict[str, Any]], str, bool]:
    """Messages, how an answer to them begins, and whether they were read out of text."""
    if isinstance(given, str):
        return *template.messages(given), True
    if not isinstance(given, list):
        raise BadLine(f"'{column}' is neither text nor messages")
    told_of = [_message(one) for one in given]
    if any(rest for _, rest in told_of):
        left[column] = [rest for _, rest in told_of]
    return [taken for taken, _ in told_of], "", False


def _completion(given: Json, begun: str, left: dict[str, Any]) -> list[dict[str, Any]]:
    if isinstance(given, str):
        return [message("assistant", begun + given)]
    messages, _, _ = _messages(given, left, "completion")
    if begun and messages and messages[0]["role"] == "assistant":
        messages[0]["content"] = begun + (messages[0]["content"] or "")
    return messages


def _message(given: Json) -> tuple[dict[str, Any], dict[str, Any]]:
    """A message, and what of it has no column.

    Parquet gives every struct of a column all members that any of them has: the nulls are no one's words, also
    within the arguments of a tool call.
    """
    if not isinstance(given, dict):
        raise BadLine("a message is no object")
    rest = _said_only(given)
    taken = take_message(rest)
    if taken["tool_calls"] and all(map(_is_whole, rest["tool_calls"], given["tool_calls"])):
        del rest["tool_calls"]
    elif taken["tool_calls"]:
        rest["tool_calls"] = given["tool_calls"]
    return taken, rest


def _is_whole(call: dict[str, Any], padded: dict[str, Any]) -> bool:
    """Whether a call as the record holds it says all that the log's does."""
    function = call.get("function")
    return (
        call.keys() <= {"id", "type", "function"}
        and isinstance(function, dict)
        and function.keys() <= {"name", "arguments"}
        and function.get("arguments") == padded["function"].get("arguments")
    )


def _said_only(given: Json) -> Json:
    """Without the members that are null."""
    match given:
        case dict():
            return {key: _said_only(item) for key, item in given.items() if item is not None}
        case list():
            return [_said_only(item) for item in given]
    return given


def _task(left: dict[str, Any]) -> dict[str, Any]:
    """The expected answer; of two columns that hold one, the longer way to it is the solution."""
    columns: dict[str, Any] = {}
    for name in TRUTHS:
        if "ground_truth" not in columns:
            take(left, columns, ground_truth=name)
    take(left, columns, gold_standard_solution="solution")
    return columns


def _measured(left: dict[str, Any]) -> dict[str, Any]:
    """What reward functions logged beside their scores: numbers, and words."""
    names = [name for name in sorted(left.keys() - KEYS) if left[name] is not None]
    metrics = {name: left.pop(name) for name in names if isinstance(left[name], int | float)}
    said = {}
    for name in sorted(set(names) - metrics.keys()):
        said[name] = told(name, left[name])
        if said[name] == left[name]:
            del left[name]
    return {"metrics": metrics or None, "verification_result": said or None}


FORMAT = Format(
    name="trl",
    title="TRL's completions, GRPO 1.x",
    detected_by="the name, and rows with `step`, `prompt` and `completion`",
    looked_for="completions/completions_{step}.parquet",
    find=find,
    recognises=recognises,
    parse=parse,
    open=open_table,
    by_name=False,
)
