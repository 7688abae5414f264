"""What a column map may say: the words of its TOML, and what is wrong in one.

`docs/logs/maps.md` shows them on one page; `mapped` reads lines by them.
"""

import re
from collections.abc import Iterator
from typing import Literal, TypeAlias

import msgspec

from synthetic.record import facts, record

TEXTS = ("prompt", "response", "reasoning", "messages")
"""What a map may fill beside columns of the record: `messages`, or a prompt and a response and its reasoning."""

LATE = tuple(c.name for c in record().columns if c.late and c.name not in {"rewound", "annotations"})
"""Columns that become late facts: what the trainer did with the trace."""

NOT_FROM_LOGS = {"row_id", "branch", "messages", "num_prompt_messages", "num_turns", "rewards", "metrics", "extra"}
"""Columns that follow from others, or have a table of their own in a map."""

CHOICES = (
    *TEXTS,
    *(c.name for c in facts().columns if c.part not in {"provenance", "keys"} and c.name not in NOT_FROM_LOGS),
    *LATE,
)
"""What `columns` may name."""

WAYS = ("path", "file", "template", "hash", "value")
"""How a column may be given its value."""


class Value(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Where a column's value stands; exactly one of the first five."""

    path: str | list[str] | None = None
    """Members and numbers of elements, with dots between; of several such paths, the first that is not null."""
    file: str | None = None
    """A regular expression that is searched in the log's name below the run; its first group is the value."""
    template: str | None = None
    """Text with paths in braces; `{index}` is the attempt's number within its line. A null in it makes it null."""
    hash: list[str] | None = None
    """Paths whose values, with the run's name, make an id: the same ones give the same id wherever they stand.

    So a batch that a trainer logs again at a later step is one batch. As `trace_id`, equal attempts of one line have
    different ids. `{file}` among the paths is the log's name.
    """
    value: str | int | float | bool | None = None
    """A constant."""
    sum: bool = False
    """A list of numbers, such as a score per token, stands for its sum."""
    right: list[str | int | float | bool] | None = None
    """For a column of yes or no, such as `recorded_verdict` and `is_truncated`: what means yes."""
    wrong: list[str | int | float | bool] | None = None
    """The same for no. With either list, any other value is null."""


Given: TypeAlias = str | list[str] | Value
"""A column's value: a path, several of which the first that is not null counts, or a table."""


class Map(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A map as its TOML says it."""

    name: str
    keys: list[str | list[str]]
    """Top-level keys that a line must have to be of this format; of a list of keys, one at least."""
    columns: dict[str, Given]
    title: str = "a log by a column map"
    selected: str | None = None
    """What its logs leave out by how it was scored, in a sentence: pass rates are of a selection then."""
    framework: str | None = None
    """Default: the name."""
    kind: Literal["train", "eval"] = "train"
    """Of lines that do not say it: `columns` may name `kind` too."""
    without: list[str] = []
    """Top-level keys that a line must not have."""
    files: str | None = None
    """A regular expression for the end of a log's path, from the beginning of a name, `.gz` or `.zst` left out; without
    it, any file of JSON lines or Parquet may be a log."""
    named: str | None = None
    """The same in words, for people."""
    up: int = 0
    """With `files`: how many folders above a log's own the run's folder is."""
    line: Literal["attempt", "columns"] = "attempt"
    """What a line holds: one attempt, or a column of values for each key, one for each attempt.

    There, a list of another length than the response's belongs to no attempt; a line whose response is no list is one.
    """
    within: str | None = None
    """The path of a list with one object for each attempt; keys beside it belong to all of them."""
    unwrap: bool = False
    """A list of one element stands for the element."""
    json: list[str] = []
    """Top-level keys whose text is JSON; text that is none stays text."""
    skip: list[str] = []
    """Top-level keys that are left out, such as token arrays."""
    rendered: bool = False
    """Prompt and response are one text with the markers of a chat template, which are read as messages (`rendered`)."""
    rewards: dict[str, Given] = {}
    """Scorers: name = path, or a table as in `columns`. Without any, the column `reward` is the only one."""
    reward_keys: str | None = None
    """A regular expression: top-level keys that match it whole are scorers, where a number or null stands there."""
    reward: Literal["sum", "sum of given"] | None = None
    """`sum`: the total reward is the sum of the scorers, null if one of them is; they count with weight 1.

    `sum of given`: a null scorer did not apply. Weights are not known then, nor where the log says the total itself.
    """
    metrics: dict[str, Given] = {}
    """Further numbers, likewise."""


def mistakes(read: Map) -> Iterator[str]:
    """What is wrong in a map beyond its shape."""
    if not read.keys:
        yield "`keys` is empty: every line would be of this format"
    for column, given in read.columns.items():
        if column not in CHOICES:
            yield f"columns.{column} is no column; there are {', '.join(CHOICES)}"
        elif isinstance(given, Value):
            ways = [name for name in WAYS if getattr(given, name) is not None]
            if len(ways) != 1:
                yield f"columns.{column} has {' and '.join(ways) or 'no value'}; it takes one of {', '.join(WAYS)}"
            if (given.right is not None or given.wrong is not None) and not is_yes_or_no(column):
                choices = ", ".join(name for name in CHOICES if is_yes_or_no(name))
                yield f"columns.{column} has `right` or `wrong`, which only {choices} take"
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


def is_yes_or_no(column: str) -> bool:
    """Whether a column is a bool."""
    return column not in TEXTS and record()[column].type == "bool"
