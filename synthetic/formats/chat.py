"""Chat lines as OpenAI's interfaces have them: `messages`, or `prompt` and `completion` as lists of messages.

Nobody's format and everybody's: a line of another format that also holds messages is that one's (`general`, and
`MARKS`). Such files know no training facts; they are taken for rollouts made to train on (`kind = train`).
"""

import re
from pathlib import Path
from typing import Any, TypeGuard  # Any: JSON values

import msgspec

from synthetic.formats.attempt import add, right, score, text, told
from synthetic.formats.format import BadLine, Format, Parsed, Place, Source, anywhere
from synthetic.formats.line import fields, value
from synthetic.formats.messages import take, take_message, take_tools
from synthetic.formats.private import public_name
from synthetic.record import Json

MARKS = frozenset(
    "traces nodes trajectory example_id response_id task_type epoch responses_create_params chat_completions masks"
    " group_index advantage advantages global_step training_step doc_id llm_response prompt_tokens".split()
)
"""Keys that say: this line is of another format, known here or not."""

_NAMED = re.compile(r".*\.(jsonl|ndjson)(\.gz|\.zst)?")


def find(path: Path) -> Source | None:
    """The source that any file of lines may be."""
    return anywhere(path, _NAMED, FORMAT)


def recognises(line: bytes) -> bool:
    """Whether a line holds messages, of which one is a model's, and nothing that marks another format."""
    try:
        members = fields(line)
        if MARKS & members.keys() or {"prompt", "task"} <= members.keys():  # verifiers' first logs have those two
            return False
        said = value(members["completion" if "prompt" in members else "messages"])
        asked = value(members["prompt"]) if "prompt" in members else []
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, KeyError, BadLine):
        return False
    return _are_messages(asked) and _are_messages(said) and any(one["role"] == "assistant" for one in said)


def _are_messages(given: Json) -> TypeGuard[list[dict[str, Any]]]:
    return isinstance(given, list) and all(isinstance(one, dict) and isinstance(one.get("role"), str) for one in given)


def parse(line: bytes, source: Source, place: Place) -> Parsed:
    """The row of a line. Raises `BadLine`, or `ValueError` where strict JSON fails."""
    left: Any = value(line)
    if not isinstance(left, dict):
        raise BadLine("no object")
    row: dict[str, Any] = {}
    messages, num_prompt = _take_messages(left)
    _take_id(left, row, place)
    _take_outcome(left, row)
    row["tools"] = _take_tools(left)
    for name in ("ground_truth", "answer", "expected_answer", "target"):
        if "ground_truth" not in row and left.get(name) is not None:
            row["ground_truth"] = text(left[name])
            if isinstance(left[name], str):
                del left[name]
    if isinstance(left.get("metadata"), dict):
        row["metadata"] = told("metadata", left["metadata"]) or None
        if row["metadata"] == (left["metadata"] or None):
            del left["metadata"]
    take(left, row, env_id="env_id", source="source", domain="domain", finish_reason="finish_reason")
    if "env_id" not in row:
        take(left, row, env_id="environment")
    if isinstance(left.get("model"), str):
        row["model"] = public_name(left["model"])
    usage = left["usage"] if isinstance(left.get("usage"), dict) else {}
    for name in ("prompt_tokens", "completion_tokens"):
        row[name] = usage.get(name) if isinstance(usage.get(name), int) else None
    take(left, row, of=(int,), step="step", sample_index="sample_index")
    row["is_truncated"] = row["finish_reason"] == "length" if "finish_reason" in row else None

    parsed = Parsed()
    add(parsed, source, place, messages, num_prompt, **row)["extra"] = left
    return parsed


def _take_messages(left: dict[str, Any]) -> tuple[list[dict[str, Any]], int]:
    """The messages, and how many of them are the prompt: all before the first that the model wrote."""
    if "prompt" in left:
        asked, said = left.get("prompt"), left.get("completion")
    else:
        asked, said = [], left.get("messages")
    if not _are_messages(asked) or not _are_messages(said):
        raise BadLine("neither `messages` nor `prompt` and `completion` as lists of messages")
    taken = [_take_message(one) for one in (*asked, *said)]
    for name in ("messages", "prompt", "completion"):
        if name in left and not any(left[name]):  # nothing of a message is left that has no column
            del left[name]
    first = next((i for i, one in enumerate(taken) if i >= len(asked) and one["role"] == "assistant"), None)
    if first is None:
        raise BadLine("no message is a model's")
    return taken, first


def _take_message(given: dict[str, Any]) -> dict[str, Any]:
    taken = take_message(given)
    if given.get("tool_calls") == taken["tool_calls"]:
        given.pop("tool_calls", None)
    return taken


def _take_id(left: dict[str, Any], row: dict[str, Any], place: Place) -> None:
    """Ids. A line's `id` may be that of a problem, on several lines: with the line's digest it is the attempt's."""
    given = next((left[name] for name in ("trace_id", "id", "uuid", "custom_id") if left.get(name) is not None), None)
    if isinstance(given, str | int) and given != "":
        row["trace_id"] = f"{given}:{place.log_digest[:12]}"
    for name, column in (("problem_id", "native_problem_id"), ("group_id", "group_id")):
        if isinstance(left.get(name), str | int):
            row[column] = str(left[name])


def _take_outcome(left: dict[str, Any], row: dict[str, Any]) -> None:
    """Reward, scorers and verdict. A reward alone is no verdict; `correct` is one where it is true, false, 1 or 0."""
    for name in ("reward", "score"):
        if name in left and "reward" not in row:
            row["reward"] = score(left[name])
            if type(left[name]) is float:
                del left[name]
    if isinstance(scores := left.get("rewards"), dict) and scores:
        row["rewards"] = [{"name": name, "score": score(one), "weight": None} for name, one in scores.items()]
    for name in ("correct", "is_correct"):
        if row.get("recorded_verdict") is None:
            row["recorded_verdict"] = right(left.get(name))
            if isinstance(left.get(name), bool):
                del left[name]


def _take_tools(left: dict[str, Any]) -> list[Any] | None:
    """The tools in OpenAI's nested form, which is how most such lines have them."""
    tools = left.get("tools")
    if (
        isinstance(tools, list)
        and tools
        and all(isinstance(t, dict) and isinstance(t.get("function"), dict) for t in tools)
    ):
        del left["tools"]
        return tools
    return take_tools(left)


FORMAT = Format(
    name="chat",
    title="chat lines as OpenAI's interfaces have them",
    detected_by="lines with `messages`, or with `prompt` and `completion` as messages, that no other format knows",
    looked_for="*.jsonl",
    selected="Most files of chat lines hold no failures.",
    find=find,
    recognises=recognises,
    parse=parse,
    by_name=False,
    general=True,
)
