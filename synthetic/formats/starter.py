"""A column map to edit, for a log that no format knows: what the names and values of its first line suggest.

It is a guess, and meant to be read: every value that no column was found for stands below as a comment, with its path.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import tomli_w

from synthetic.formats.format import BadLine
from synthetic.formats.line import repaired
from synthetic.record import Json

GUESSES = {
    "messages": "messages conversation conversations traj",
    "prompt": "prompt input question query instruction input_prompt problem arg_0",
    "response": "response output completion generation output_response answer_text responses resps",
    "reasoning": "reasoning_content reasoning thinking",
    "trace_id": "id uid uuid trace_id response_id request_id",
    "native_problem_id": "problem_id question_id task_id doc_id example_id instance_id",
    "group_id": "group_id prompt_id group",
    "sample_index": "sample_index sample_idx sample_id rollout_index trial",
    "reward": "reward score rewards scores total_reward",
    "recorded_verdict": "correct is_correct acc passed verdict success symbolic_correct exact_match resolved",
    "ground_truth": "ground_truth gts gold target expected_answer reference answer label solution",
    "step": "step global_step training_step iteration",
    "env_id": "env env_id env_class environment task dataset data_source",
    "model": "model model_name",
    "finish_reason": "finish_reason stop_reason",
    "completion_tokens": "completion_tokens num_generated_tokens",
    "tools": "tools tool_defs",
    "advantage": "advantage advantages",
}
"""Names that other trainers' logs have for a column, the likeliest first."""

NUMBERS = frozenset("reward recorded_verdict sample_index step completion_tokens advantage".split())
"""Columns that a text of words cannot be."""

EXAMPLE = 40
"""Characters of a value that are shown."""

MOST = 60
"""Values that are shown without a column."""

DEEPEST = 4
"""Members of members that are looked at."""

_STEP = re.compile(r"(?<![a-z])step[_-]?(?=[0-9])")


def starter(line: bytes, path: Path) -> str:
    """A map for a log whose first line is this; empty where that is no object."""
    try:
        row = _decoded(line)
    except (BadLine, msgspec.MsgspecError):
        return ""
    if not isinstance(row, dict):
        return ""
    values = dict(_values(row))
    columns = _guessed(values)
    keys = list(dict.fromkeys(found.split(".")[0] if found not in row else found for found in columns.values()))
    used = set(columns.values())
    lines = [
        *tomli_w.dumps({"name": "my-trainer"}).splitlines(),
        f"keys = {_toml(keys or list(row)[:6])}   # a line that has all of these is of this format",
        "",
        "[columns]   # column = path of its value; docs/logs/maps.md says what else can stand here",
        *(f"{column} = {_toml(found)}   # {shown(values[found])}" for column, found in columns.items()),
    ]
    if not columns.keys() & {"messages", "response"}:
        lines.append('# response = "…"   # needed: where the answer stands, or `messages`')
    if "step" not in columns and (match := _STEP.search(path.as_posix())):
        lines.append(f"step = {{ file = {_toml(match[0] + '([0-9]+)')} }}   # of the log's name")
    left = [f"# {_on_a_line(found)}: {shown(given)}" for found, given in values.items() if found not in used]
    lines += left[:MOST] + [f"# … and {len(left) - MOST} more values"] * (len(left) > MOST)
    return "\n".join(lines)


def _decoded(line: bytes) -> Json:
    try:
        return msgspec.json.decode(line)
    except msgspec.MsgspecError:
        return msgspec.json.decode(repaired(line)[0])


def _on_a_line(text: str) -> str:
    """The text without what would end a comment."""
    return "".join(c if c.isprintable() else "?" for c in text)


def _toml(value: str | list[str]) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return tomli_w.dumps({"x": value}, multiline_strings=False)[4:].strip()


def shown(given: Json) -> str:
    """The type of a value and how it begins."""
    if isinstance(given, list):
        inner = f", {shown(given[0])}" if given and not isinstance(given[0], list | dict) else ""
        return f"list of {len(given)}{inner}"
    if isinstance(given, dict):
        return f"object of {len(given)}"
    kind = {str: "text", bool: "yes or no", int: "number", float: "number"}.get(type(given))
    text = _on_a_line(json.dumps(given, ensure_ascii=False))
    text = text if len(text) <= EXAMPLE else f"{text[: EXAMPLE - 1]}…"
    return f"{kind}, {text}" if kind else text


def _values(inside: Json, path: str = "", deep: int = 0) -> Iterator[tuple[str, Json]]:
    """The paths of all values but objects, outermost first; of a list of lists or objects, its first one's too."""
    members = inside.items() if isinstance(inside, dict) else enumerate(inside[:1])
    inner: list[tuple[str, Json]] = []
    for key, given in members:
        here = f"{path}{key}"
        if not isinstance(given, dict) or not given or deep == DEEPEST:
            yield here, given
        nested = isinstance(given, dict) or (isinstance(given, list) and given and isinstance(given[0], list | dict))
        list_in_list = isinstance(given, list) and isinstance(inside, list)
        if (nested or list_in_list) and deep < DEEPEST and not is_chat(given):
            inner.append((here, given))
    for here, given in inner:
        yield from _values(given, f"{here}.", deep + 1)


def is_chat(given: Json) -> bool:
    """Whether it is a list of messages."""
    return isinstance(given, list) and bool(given) and all(isinstance(one, dict) and "role" in one for one in given)


def _guessed(values: dict[str, Json]) -> dict[str, str]:
    """Columns and the paths that are likely to fill them, by value first and by name then."""
    columns: dict[str, str] = {}
    chats = [path for path, given in values.items() if is_chat(given)]
    talks = [path for path in chats if any(one["role"] == "assistant" for one in values[path])]
    for column, names in GUESSES.items():
        for path in _named(values, names.split()):
            given = values[path]
            if path in columns.values() or not _may_be(column, given):
                continue
            columns[column] = path
            break
    if "response" not in columns and talks:
        columns = {"messages": columns.get("messages", talks[0])} | columns
    if "messages" in columns and columns.keys() & {"prompt", "response"}:
        # Both are there: messages without an answer are the prompt of the response beside them.
        if columns["messages"] in talks or "response" not in columns:
            columns = {column: path for column, path in columns.items() if column not in {"prompt", "response"}}
        else:
            columns = {"prompt": columns.pop("messages")} | {c: p for c, p in columns.items() if c != "prompt"}
    if "messages" in columns:
        columns.pop("reasoning", None)
    return columns


def _named(values: dict[str, Json], names: list[str]) -> Iterator[str]:
    """Paths whose last name is one of these, the outermost first; of a list in a list, the list's name is its own."""
    for outermost in (True, False):
        for name in names:
            for path in values:
                own = re.sub(r"(\.0)+$", "", path)
                if own.rpartition(".")[2].lower() == name and outermost == ("." not in own):
                    yield path


def _may_be(column: str, given: Json) -> bool:
    """Whether a column can take such a value."""
    if column in {"messages", "tools"}:
        return is_chat(given) if column == "messages" else isinstance(given, list | str)
    if column in {"prompt", "response"}:
        return isinstance(given, str) or is_chat(given)
    if column == "ground_truth":
        return given is not None
    if column in NUMBERS:
        return isinstance(given, bool | int | float) or (isinstance(given, str) and given[:1].isdecimal())
    return isinstance(given, str | int) and not isinstance(given, bool)
