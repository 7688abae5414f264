"""A row of a trainer's log that holds an attempt as one flat record: a prompt, an answer and scores, and no graph.

What the logs of such trainers have in common: they name no ids, write scores as text, and hold texts where there were
messages. Here is what follows from it, once for all of them.
"""

import math
import re
from collections.abc import Sequence
from typing import Any  # JSON values

from synthetic.formats.format import TEXT_BYTES, BadLine, Parsed, Place, Source
from synthetic.formats.private import masked
from synthetic.record import Json, canonical_json, digest, problem_id, row_id

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_ANSWER = re.compile("answer|gold|parsed|pred|solution|target", re.IGNORECASE)


def derived_id(source: Source, place: Place, index: int = 0) -> str:
    """An id where the log has none: of this line at this place of this run, and of one attempt among those it holds.

    A copy of the run has the same ids, also one with other line ends; two equal lines of one log have two.
    """
    at = place.log_offset if place.number is None else place.number
    return digest(canonical_json([source.facts["framework"], source.run, place.log_file, at, place.log_digest, index]))


def add(
    parsed: Parsed,
    source: Source,
    /,  # `source` is a column, too
    place: Place,
    messages: Sequence[dict[str, Any]],
    num_prompt_messages: int,
    *,
    index: int = 0,
    sampled: Sequence[int] | None = None,
    **columns: Any,
) -> dict[str, Any]:
    """Add an attempt's row to `parsed` and give it: `columns`, and what follows from them.

    `index` tells apart the attempts of one line. Every assistant message behind the prompt is the model's, unless
    `sampled` says which are. Defaults: `trace_id` derived, `ok` true, `text_form` native, the verifier that of the
    framework and environment, `problem_id` from environment, prompt and ground truth.
    """
    row = dict(source.facts) | {"ok": True, "text_form": "native", "branch": 0} | columns
    if not row.get("trace_id"):
        row["trace_id"] = derived_id(source, place, index)
    if sampled is None:
        sampled = [i for i, m in enumerate(messages) if i >= num_prompt_messages and m["role"] == "assistant"]
    prompt = list(messages[:num_prompt_messages])
    row |= {
        "row_id": row_id(row["trace_id"], row["branch"]),
        "messages": list(messages),
        "num_prompt_messages": num_prompt_messages,
        "num_turns": len(sampled),
    }
    env = row.get("env_id")
    row.setdefault("verifier", f"{row['framework']}/{env}" if env else row["framework"])
    row.setdefault(
        "problem_id",
        problem_id(
            env=env or row.get("env_name"),
            prompt=prompt or None,
            ground_truth=row.get("ground_truth"),
            native=row.get("native_problem_id"),
            group=row.get("group_id"),
            episode=row["trace_id"],
        ),
    )
    parsed.rows.append(row)
    parsed.sampled.append(list(sampled))
    return row


def refuse_long(size: int) -> None:
    """Raise `BadLine` for a line with more bytes of text than a rollout has; token arrays are not counted."""
    if size > TEXT_BYTES:
        raise BadLine(f"{size / 1e6:,.0f} MB of text in one line; more than {TEXT_BYTES / 1e6:,.0f} is no rollout")


def message(role: str, content: str | None, **more: Any) -> dict[str, Any]:
    """A message of the record; what is not given is null."""
    empty = dict.fromkeys(("reasoning_content", "tool_calls", "tool_call_id", "name"))
    return {"role": role, "content": content} | empty | more


def score(given: Json) -> float | None:
    """A score as a number: 1, 1.0, true, "1.0" and {"score": 1} are; null and what is not finite are not scored.

    Raises `BadLine` for anything else: words are not guessed at.
    """
    match given:
        case None:
            return None
        case bool() | int() | float():
            number = float(given)
        case str() if _NUMBER.fullmatch(given.strip()):
            number = float(given)
        case str() if given.strip().lower().lstrip("+-") in {"nan", "inf", "infinity"}:
            return None
        case "True" | "False":  # numpy's, as text
            return float(given == "True")
        case {"score": inner}:
            return score(inner)
        case _:
            raise BadLine(f"a score is no number: {canonical_json(given)[:80]}")
    return number if math.isfinite(number) else None


def right(given: Json) -> bool | None:
    """Right or wrong, where a field says just that: true, 1, "True", "1.0" and their opposites; else null."""
    if isinstance(given, str) and given.lower() in {"true", "false"}:
        return given.lower() == "true"
    try:
        number = score(given)
    except BadLine:
        return None
    return bool(number) if number in {0.0, 1.0} else None


def whole(given: Json) -> int | None:
    """A whole number, also written as "4" or 5.0; null where it is none at all. Raises `BadLine` for 5.5."""
    if isinstance(given, bool | dict):
        return None
    if isinstance(given, int):
        return given
    try:
        number = score(given)
    except BadLine:
        return None
    if number is not None and number != int(number):
        raise BadLine(f"no whole number: {canonical_json(given)[:80]}")
    return None if number is None else int(number)


def take_step(left: dict[str, Any]) -> int | None:
    """The step of a line, taken where it is a number; one that is written otherwise stays in `left` too."""
    step = whole(left["step"])
    if type(left["step"]) is int:
        del left["step"]
    return step


def text(given: Json) -> str | None:
    """Text, or JSON as text; null stays null."""
    return given if isinstance(given, str) or given is None else canonical_json(given)


def told(name: str, given: Json) -> Json:
    r"""What a verifier said under a name, as it may be published: texts without paths and addresses.

    What it read in an answer is kept as it is: `\sqrt{3}/2` is no path.
    """
    if _ANSWER.search(name):
        return given
    match given:
        case str():
            return masked(given)
        case list():
            return [told(name, item) for item in given]
        case dict():
            return {key: told(key, item) for key, item in given.items()}
    return given
