"""A line read by a column map: which attempts it holds, and which of its values go into which columns."""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Literal  # Any: JSON values

import msgspec

from synthetic.formats.attempt import add, message, right, score, text
from synthetic.formats.format import BadLine, Parsed, Place, Source
from synthetic.formats.line import moment, value
from synthetic.formats.messages import NAMES, take_message
from synthetic.formats.private import public_errors, public_name, public_sampling
from synthetic.record import Json, canonical_json, facts

TEXTS = ("prompt", "response", "messages")
"""What a map may fill beside columns of the record: `messages`, or a prompt and a response."""

NOT_FROM_LOGS = {"row_id", "branch", "messages", "num_prompt_messages", "num_turns", "rewards", "metrics", "extra"}
"""Columns that follow from others, or have a table of their own in a map."""

CHOICES = (
    *TEXTS,
    *(c.name for c in facts().columns if c.part not in {"provenance", "keys"} and c.name not in NOT_FROM_LOGS),
)
"""What `columns` may name."""

WAYS = ("path", "file", "template", "value")
"""How a column may be given its value."""


class Value(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Where a column's value stands; exactly one of the first four."""

    path: str | None = None
    """Members and numbers of elements, with dots between."""
    file: str | None = None
    """A regular expression that is searched in the log's name below the run; its first group is the value."""
    template: str | None = None
    """Text with paths in braces; `{index}` is the attempt's number within its line."""
    value: str | int | float | bool | None = None
    """A constant."""
    sum: bool = False
    """A list of numbers, such as a score per token, stands for its sum."""
    right: list[str | int | float | bool] | None = None
    """For recorded_verdict: what means right."""
    wrong: list[str | int | float | bool] | None = None
    """For recorded_verdict: what means wrong; anything else decides nothing."""


class Map(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A map as its TOML says it."""

    name: str
    keys: list[str]
    """Top-level keys that a line must have to be of this format."""
    columns: dict[str, str | Value]
    title: str = "a log by a column map"
    framework: str | None = None
    """Default: the name."""
    kind: Literal["train", "eval"] = "train"
    without: list[str] = []
    """Top-level keys that a line must not have."""
    files: str | None = None
    """A regular expression for the end of a log's path; without it, any file of JSON lines or Parquet may be a log."""
    up: int = 0
    """With `files`: how many folders above a log's own the run's folder is."""
    line: Literal["attempt", "columns"] = "attempt"
    """What a line holds: one attempt, or a column of values for each key, one for each attempt."""
    within: str | None = None
    """The path of a list with one object for each attempt; keys beside it belong to all of them."""
    unwrap: bool = False
    """A list of one element stands for the element."""
    json: list[str] = []
    """Top-level keys whose text is JSON."""
    skip: list[str] = []
    """Top-level keys that are left out, such as token arrays."""
    rewards: dict[str, str] = {}
    """Scorers: name = path."""
    reward_keys: str | None = None
    """A regular expression: top-level keys that match it whole are scorers."""
    reward: Literal["sum"] | None = None
    """`sum`: the total reward is the sum of the scorers."""
    metrics: dict[str, str] = {}
    """Further numbers: name = path."""


def parse(read: Map, line: bytes, source: Source, place: Place) -> Parsed:
    """The rows of a line. Raises `BadLine`."""
    whole = value(line)
    if not isinstance(whole, dict):
        raise BadLine("not an object")
    whole = {key: given for key, given in whole.items() if key not in read.skip}
    for key in read.json:
        if isinstance(whole.get(key), str):
            whole[key] = value(whole[key].encode())
    parsed = Parsed()
    # Texts that the rows hold whole are not kept twice.
    twice = {how for text, how in read.columns.items() if text in TEXTS and isinstance(how, str)} & whole.keys()
    for index, attempt in enumerate(_attempts(read, whole)):
        _row(read, attempt, index, source, place, parsed)
        twice = {key for key in twice if _is_whole(attempt.get(key))}
    if not parsed.rows:
        raise BadLine("the line holds no attempt")
    parsed.rows[0]["extra"] = {key: given for key, given in whole.items() if key not in twice}
    return parsed


def _is_whole(given: Json) -> bool:
    """Whether messages made of it hold all of it."""
    if given is None or isinstance(given, str):
        return True
    if not isinstance(given, list):
        return False
    left = [dict(one) for one in given]
    for one in left:
        take_message(one)
    return not any(left)


def _attempts(read: Map, whole: Mapping[str, Json]) -> Iterator[dict[str, Json]]:
    """The attempts of a line, each as one flat object."""
    if read.line == "columns":
        lengths = {len(given) for given in whole.values() if isinstance(given, list)}
        count = max(lengths, default=0)
        for index in range(count):
            yield {k: v[index] if isinstance(v, list) and len(v) == count else v for k, v in whole.items()}
        return
    if read.unwrap:
        whole = {k: v[0] if isinstance(v, list) and len(v) == 1 else v for k, v in whole.items()}
    if read.within is None:
        yield dict(whole)
        return
    inner = at(whole, read.within)
    if not isinstance(inner, list) or not all(isinstance(one, dict) for one in inner):
        raise BadLine(f"{read.within} is no list of objects")
    for one in inner:
        yield {**whole, **one}


def _row(read: Map, attempt: Mapping[str, Json], index: int, source: Source, place: Place, parsed: Parsed) -> None:
    given = {column: _given(how, attempt, index, place) for column, how in read.columns.items()}
    messages, prompted, form = _messages(given)
    columns: dict[str, Any] = {"text_form": form}
    for column in given.keys() - set(TEXTS):
        columns[column] = _as(column, given[column])
        if column == "recorded_verdict":
            columns[column] = _verdict(read.columns[column], given[column])
    scorers = {name: at(attempt, path) for name, path in read.rewards.items()}
    if read.reward_keys:
        scorers |= {key: attempt[key] for key in attempt if re.fullmatch(read.reward_keys, key)}
    if scorers:
        columns["rewards"] = [{"name": n, "score": score(s), "weight": 1.0} for n, s in scorers.items()]
        parts = [one["score"] for one in columns["rewards"]]
        if read.reward == "sum" and None not in parts:
            columns["reward"] = sum(parts)
    columns["metrics"] = {name: score(at(attempt, path)) for name, path in read.metrics.items()} or None
    columns = {column: found for column, found in columns.items() if found is not None}
    add(parsed, source, place, messages, prompted, index=index, **columns)


def at(inside: Json, path: str) -> Json:
    """The value at a path of members and numbers of elements; null where there is none."""
    for step in path.split("."):
        if isinstance(inside, dict):
            inside = inside.get(step)
        elif isinstance(inside, list) and step.lstrip("-").isdigit() and -len(inside) <= int(step) < len(inside):
            inside = inside[int(step)]
        else:
            return None
    return inside


def _given(how: str | Value, attempt: Mapping[str, Json], index: int, place: Place) -> Json:
    if isinstance(how, str):
        return at(attempt, how)
    if how.file is not None:
        match = re.search(how.file, place.log_file)
        return match[match.re.groups and 1] if match else None
    if how.template is not None:
        parts = re.split(r"\{([^{}]*)\}", how.template)
        values = [index if path == "index" else at(attempt, path) for path in parts[1::2]]
        if None in values:
            return None
        parts[1::2] = [str(text(each)) for each in values]
        return "".join(parts)
    if how.path is None:
        return how.value
    found = at(attempt, how.path)
    return sum(score(each) or 0 for each in found) if how.sum and isinstance(found, list) else found


def _as(column: str, given: Json) -> Any:  # a value of the column's type
    """The value in the column's type; null where it has none of it. Raises `BadLine` for a number that is not one."""
    if column == "errors":
        return _errors(given)
    if column == "sampling":
        return public_sampling(given) if isinstance(given, dict) else None
    convert = _TYPES.get(facts()[column].type)
    found = convert(given) if convert and given is not None else given
    if isinstance(found, str) and column in {*NAMES, "model", "run_name"}:
        return public_name(found)
    return found


def _whole_number(given: Json) -> int | None:
    number = score(given)
    if number is not None and number != int(number):
        raise BadLine(f"no whole number: {canonical_json(given)[:80]}")
    return None if number is None else int(number)


def _time(given: Json) -> datetime | None:
    return datetime.fromisoformat(given).astimezone(UTC) if isinstance(given, str) else moment(given)


_TYPES: Mapping[str, Callable[[Json], Any]] = {
    "string": text,
    "i32": _whole_number,
    "i64": _whole_number,
    "f64": score,
    "bool": right,
    "timestamp": _time,
}
"""How values of a column's type are made; JSON is taken as it is."""


def _verdict(how: str | Value, given: Json) -> bool | None:
    if isinstance(how, str) or (how.right is None and how.wrong is None):
        return right(given)
    if given in (how.right or ()):
        return True
    return False if given in (how.wrong or ()) else None


def _errors(given: Json) -> list[dict[str, Any]] | None:
    found = given if isinstance(given, list) else [given]
    return public_errors(e if isinstance(e, dict) else {"message": text(e)} for e in found if e) or None


def _messages(given: Mapping[str, Json]) -> tuple[list[dict[str, Any]], int, str]:
    """Messages, how many of them are the prompt, and whether the log had them as such."""
    if "messages" in given:
        messages = _chat(given["messages"], "user")
        first = next((i for i, m in enumerate(messages) if m["role"] == "assistant"), len(messages))
        return messages, first, "native"
    prompt, response = _chat(given.get("prompt"), "user"), _chat(given.get("response"), "assistant")
    if given.get("response") is None:
        raise BadLine("it has no response")
    native = isinstance(given.get("prompt"), list) and isinstance(given["response"], list)
    return [*prompt, *response], len(prompt), "native" if native else "parsed"


def _chat(given: Json, role: str) -> list[dict[str, Any]]:
    """Messages from a list of them, one of them, or a text that is one of that role."""
    match given:
        case None:
            return []
        case str():
            return [message(role, given)]
        case dict():
            return [take_message(dict(given))]
        case list() if all(isinstance(one, dict) for one in given):
            return [take_message(dict(one)) for one in given]
    raise BadLine(f"neither text nor messages: {canonical_json(given)[:80]}")
