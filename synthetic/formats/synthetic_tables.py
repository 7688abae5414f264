"""The published tables of SYNTHETIC-1 and SYNTHETIC-2, as Parquet or JSON lines.

    SYNTHETIC-1                a response per row, with its task, score and what the verifier said
    SYNTHETIC-1-SFT            response_id, problem_id, task_type, score, messages
    SYNTHETIC-2                a task per row; for each model, `<model>_responses` and `<model>_avg_reward`
    SYNTHETIC-2-SFT-verified   problem_id, task_type, reward, messages

A row of SYNTHETIC-2 becomes one row for each response. The mean reward of a model's responses is no response's own,
except where there is one: it stands in `metrics`, and `reward` is null. SYNTHETIC-2-RL has tasks and mean rewards and
no response: there is nothing in it to capture.
"""

import re
from pathlib import Path
from typing import Any  # JSON values

from synthetic.formats.attempt import add, message, score
from synthetic.formats.format import BadLine, Format, Parsed, Place, Source, anywhere
from synthetic.formats.genesys import take_response, take_score, take_task
from synthetic.formats.line import keys, value
from synthetic.formats.messages import take_message
from synthetic.formats.private import public_name
from synthetic.record import canonical_json, digest

NAMES = re.compile(r".+\.(jsonl|parquet)(\.gz|\.zst)?")

RESPONSES, MEAN = "_responses", "_avg_reward"
"""How the columns of a model end."""

RAW = ("response_id", "problem_id", "task_type", "prompt", "llm_response")
SFT = ("problem_id", "task_type", "messages")
TASK = ("problem_id", "prompt", "verification_info")
SCORES = ("score", "reward")


def find(path: Path) -> Source | None:
    """The source that a file may be: such tables have any name, and lie in any folder of a dataset."""
    return anywhere(path, NAMES, FORMAT)


def recognises(line: bytes) -> bool:
    """Whether a line has the columns of one of the tables."""
    known = set(keys(line))
    wide = known.issuperset(TASK) and any(name.endswith(RESPONSES) for name in known)
    raw = known.issuperset(RAW) and "model_name" not in known
    return wide or raw or (known.issuperset(SFT) and not known.isdisjoint(SCORES))


def parse(line: bytes, source: Source, place: Place) -> Parsed:
    """The rows of a line, by the table that its columns are of. Raises `BadLine`."""
    left = value(line)
    if not isinstance(left, dict):
        raise BadLine("not an object")
    parsed = Parsed()
    if "llm_response" in left:
        _response(left, source, place, parsed)
    elif isinstance(left.get("messages"), list):
        _conversation(left, source, place, parsed)
    else:
        _task(left, source, place, parsed)
    parsed.rows[0]["extra"] = left or None
    return parsed


def _response(left: dict[str, Any], source: Source, place: Place, parsed: Parsed) -> None:
    """A row of SYNTHETIC-1; copies of it that add `messages` say the same twice, and those stay in `left`."""
    row = take_task(left) | take_response(left)
    add(parsed, source, place, row.pop("messages"), 1, framework="synthetic-1", verifier=None, **row)


def _conversation(left: dict[str, Any], source: Source, place: Place, parsed: Parsed) -> None:
    """A row of the tables to train on: a prompt and the answer to it."""
    given = left["messages"]
    if not all(isinstance(each, dict) for each in given):
        raise BadLine("'messages' is no list of messages")
    messages = [take_message(each) for each in given]
    if not any(given):
        del left["messages"]
    prompted = next((i for i, each in enumerate(messages) if each["role"] == "assistant"), len(messages))
    row = take_task(left) | take_score(left, "reward" if "reward" in left else "score")
    if isinstance(left.get("response_id"), str):
        row |= {"framework": "synthetic-1", "trace_id": left.pop("response_id")}
    else:
        row["trace_id"] = _id(row, messages)
    add(parsed, source, place, messages, prompted, **{"framework": "synthetic-2", "verifier": None} | row)


def _task(left: dict[str, Any], source: Source, place: Place, parsed: Parsed) -> None:
    """The responses to a task of SYNTHETIC-2, model by model in the order of the columns."""
    if not isinstance(prompt := left.pop("prompt", None), str):
        raise BadLine("'prompt' is no text")
    task = take_task(left) | {"framework": "synthetic-2", "verifier": None, "text_form": "parsed"}
    for column in [name for name in left if name.endswith(RESPONSES)]:
        model = column.removesuffix(RESPONSES)
        responses = left[column]
        if responses is None or responses == []:
            continue
        if not isinstance(responses, list) or not all(isinstance(each, str | None) for each in responses):
            raise BadLine(f"'{column}' is no list of texts")
        mean = score(left.get(model + MEAN))
        scored: dict[str, Any] = {"metrics": {"avg_reward": mean} if mean is not None else None}
        if len(responses) == 1:
            scored |= {"reward": mean, "rewards": [{"name": "reward", "score": mean, "weight": 1.0}]}
        for index, response in enumerate(responses):
            said = [message("user", prompt), *([] if response is None else [message("assistant", response)])]
            row = task | scored | {"model": public_name(model), "sample_index": index}
            add(parsed, source, place, said, 1, trace_id=_id(row, said), **row)
        del left[column]
        if mean == left.get(model + MEAN):
            left.pop(model + MEAN, None)
    if not parsed.rows:
        raise BadLine("a task without a response of any model")


def _id(row: dict[str, Any], messages: list[dict[str, Any]]) -> str:
    """The id of a response that has none: the same in every copy of the table, however it is cut into files."""
    named = [row.get(column) for column in ("native_problem_id", "model", "sample_index")]
    return digest(canonical_json(["synthetic-2", *named, messages]))


FORMAT = Format(
    name="synthetic-tables",
    title="the tables of SYNTHETIC-1 and SYNTHETIC-2",
    detected_by="the columns of one of them, such as `<model>_responses`",
    looked_for="*.parquet, *.jsonl",
    selected="The tables to train on hold right answers alone.",
    find=find,
    recognises=recognises,
    parse=parse,
    by_name=False,
)
