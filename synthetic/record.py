"""The row, its schema and its keys.

Schemas are data: `schemas/<name>-<version>.toml` holds a type and a sentence for every column, and everything
that needs to know a column (writers, validation, the card, the docs) reads it from there through `schema()`.

Keys are xxh3-128 over UTF-8 bytes, as 32 hexadecimal digits. Each function below defines one of them.
"""

import json
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, cached_property
from operator import itemgetter
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypedDict

import msgspec
import pyarrow as pa
import xxhash

from synthetic.resources import folder

if TYPE_CHECKING:
    import polars as pl

Json: TypeAlias = Any
"""Any JSON value."""

PRIMITIVES: Mapping[str, pa.DataType] = {
    "string": pa.string(),
    "json": pa.string(),
    "i32": pa.int32(),
    "i64": pa.int64(),
    "f64": pa.float64(),
    "bool": pa.bool_(),
    "timestamp": pa.timestamp("us", "UTC"),
    "binary": pa.binary(),
}

CHECKED: Mapping[str, Any] = {  # types, as msgspec reads them
    "string": str,
    "json": str,
    "i32": Annotated[int, msgspec.Meta(ge=-(2**31), lt=2**31)],
    "i64": int,  # msgspec reads no larger ones
    "f64": float,
    "bool": bool,
    "timestamp": Annotated[datetime, msgspec.Meta(tz=True)],
    "binary": bytes,
}


@dataclass(frozen=True)
class Column:
    """A column as its schema declares it."""

    name: str
    type: str
    """As written in the TOML: a primitive, `list<…>` or `struct<name: …, …>`."""
    doc: str
    part: str = ""
    """The group of columns it is shown in."""
    null: bool = True
    publish: bool = True
    late: bool = False

    @property
    def arrow(self) -> pa.Field:
        """The column as an Arrow field."""
        return pa.field(self.name, arrow_type(self.type), nullable=self.null)


@dataclass(frozen=True)
class Schema:
    """The columns of one kind of row, in order."""

    id: str
    """`<name>-<version>`: a released version never changes."""
    columns: tuple[Column, ...]

    def __getitem__(self, name: str) -> Column:
        return self.by_name[name]

    @cached_property
    def by_name(self) -> dict[str, Column]:
        """The columns by name, in order."""
        return {column.name: column for column in self.columns}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The column names, in order."""
        return tuple(self.by_name)

    @cached_property
    def arrow(self) -> pa.Schema:
        """As Arrow writes it. List items are named `element`, as Parquet wants them."""
        return pa.schema([column.arrow for column in self.columns])

    @cached_property
    def polars(self) -> dict[str, "pl.DataType"]:
        """As polars reads it."""
        import polars as pl  # here, because who only takes lines apart does without (0.2 s)

        return dict(pl.Schema(self.arrow))

    @cached_property
    def _checked(self) -> Any:
        make: Any = TypedDict
        types = {column.name: _checked_type(column.type) for column in self.columns}
        return make(self.id, {c.name: types[c.name] | None if c.null else types[c.name] for c in self.columns})

    def checked(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The row, which must have every column, with values of the columns' types.

        Raises `msgspec.ValidationError`, which names the first value that has another.
        """
        checked: dict[str, Any] = msgspec.convert(row, self._checked)
        return checked

    def only(self, columns: Iterable[Column]) -> "Schema":
        """The same schema with these columns."""
        return Schema(self.id, tuple(columns))


@cache
def schema(id: str) -> Schema:
    """The schema in `schemas/<id>.toml`; columns that it only names are those of the record it points to."""
    table = tomllib.loads((folder("schemas") / f"{id}.toml").read_text("utf-8"))
    own = {column["name"]: Column(**column) for column in table["column"]}
    names = table.get("columns", list(own))
    record = schema(table["record"]).by_name if "record" in table else {}
    return Schema(id, tuple(own[name] if name in own else record[name] for name in names))


RECORD = "record-1"


def record() -> Schema:
    """The record as `scan` gives it, late facts included."""
    return schema(RECORD)


@cache
def measured() -> Schema:
    """The columns that measures add to the record."""
    return schema("measured-1")


@cache
def facts() -> Schema:
    """The record as a shard of traces holds it: what was true when the log was written."""
    return record().only(column for column in record().columns if not column.late)


@cache
def kinds() -> Mapping[str, Schema]:
    """The rows that a store's shards hold, by what they are called there."""
    return {"traces": facts(), "annotations": schema("annotation-1"), "tokens": schema("tokens-1")}


def arrow_type(text: str) -> pa.DataType:
    """The Arrow type that `text` names, such as `list<struct<name: string, score: f64>>`."""
    text = text.strip()
    if text in PRIMITIVES:
        return PRIMITIVES[text]
    if match := re.fullmatch(r"list<(.*)>", text):
        return pa.list_(pa.field("element", arrow_type(match[1])))
    if match := re.fullmatch(r"struct<(.*)>", text):
        members = [member.split(":", 1) for member in _members(match[1])]
        return pa.struct([pa.field(name.strip(), arrow_type(type)) for name, type in members])
    raise ValueError(f"{text!r} is no type; known are {', '.join(PRIMITIVES)}, list<…>, struct<…>")


def _checked_type(text: str) -> Any:
    """The Python type that `text` names. Within lists and structs anything may be null."""
    text = text.strip()
    if match := re.fullmatch(r"list<(.*)>", text):
        return list[_checked_type(match[1]) | None]  # type: ignore[misc]
    if match := re.fullmatch(r"struct<(.*)>", text):
        make: Any = TypedDict
        members = [member.split(":", 1) for member in _members(match[1])]
        return make("struct", {name.strip(): _checked_type(type) | None for name, type in members})
    return CHECKED[text]


def _members(text: str) -> list[str]:
    """`text` cut at the commas that no bracket encloses."""
    members, depth = [""], 0
    for character in text:
        depth += {"<": 1, ">": -1}.get(character, 0)
        if character == "," and depth == 0:
            members.append("")
        else:
            members[-1] += character
    return members


# ---- text and keys

_encoder = msgspec.json.Encoder(order="sorted")


def canonical_json(value: Json) -> str:
    """JSON text with sorted keys, no spaces and no needless escapes: equal values, equal text."""
    return _canonical(value).decode()


def _canonical(value: Json) -> bytes:
    try:
        return _encoder.encode(value)
    except (OverflowError, ValueError, TypeError):  # integers beyond 64 bits
        text = json.dumps(
            value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_unwritten
        )
        return text.encode()


def written(value: Json) -> msgspec.Raw:
    """The value as canonical JSON holds it, for one that stands in many."""
    return msgspec.Raw(_canonical(value))


def _unwritten(value: Json) -> Json:
    if isinstance(value, msgspec.Raw):
        return json.loads(bytes(value))
    raise TypeError(f"{type(value).__name__} is no JSON")


def digest(data: bytes | str) -> str:
    """xxh3-128 of bytes, or of a text's UTF-8, as 32 hexadecimal digits."""
    return xxhash.xxh3_128_hexdigest(data.encode() if isinstance(data, str) else data)


def row_id(trace_id: str, branch: int) -> str:
    """The row's name everywhere."""
    return f"{trace_id}/{branch}"


def problem_id(
    *,
    env: str | None,
    prompt: Json = None,
    ground_truth: str | None = None,
    native: str | None = None,
    group: str | None = None,
    episode: str,
) -> str:
    """The problem that an attempt is at: hash of environment, prompt (text or messages) and ground truth.

    Where the model's partner opens the talk there is no prompt, and many problems share an answer: such a task is known
    by its native key too. A task without prompt and ground truth is known by that key alone; a log without a task by
    the group, and where there is none either, every episode is its own problem.
    """
    if prompt is not None:
        known = ["task", env, prompt, ground_truth]
    elif ground_truth is not None:
        known = ["task", env, None, ground_truth] + ([native] if native is not None else [])
    elif native is not None:
        known = ["native", env, native]
    elif group is not None:
        known = ["group", env, group]
    else:
        known = ["episode", env, episode]
    return digest(_canonical(known))


def split_thinking(content: str | None, reasoning: str | None) -> tuple[str, str]:
    """Thinking and answer of one assistant message, stripped; missing is empty.

    Thinking may stand apart, or inline in `<think>…</think>`. An unclosed `<think>` is no thinking: the text
    is left as it is.
    """
    content = content or ""
    if not (reasoning or "").strip() and (opened := content.lstrip()).startswith("<think>"):
        inside, closed, after = opened.removeprefix("<think>").partition("</think>")
        if closed:
            reasoning, content = inside, after
    return (reasoning or "").strip(), content.strip()


def text_key(sampled: Sequence[Mapping[str, Any]]) -> str | None:
    """Hash of what the model wrote: thinking, answer, and name and arguments of tool calls, in order.

    Equal for inline and separate thinking. None when all of it is empty.
    """
    wrote = [
        [
            *split_thinking(message.get("content"), message.get("reasoning_content")),
            [[call["function"]["name"], call["function"]["arguments"]] for call in message.get("tool_calls") or ()],
        ]
        for message in sampled
    ]
    if not any(any(parts) for parts in wrote):
        return None
    return digest(_canonical(wrote))


def prompt_key(leading: Sequence[Mapping[str, Any]]) -> str | None:
    """Hash of the messages before the model's first one; None when there are none."""
    return digest(_canonical(leading)) if leading else None


# A run's name may be that of its folder, which a copy elsewhere has another one of; and a trainer that logs one batch
# at several steps (TRL) says the same of it each time.
WHERE = frozenset(("run_name", "step", "group_id"))
"""Columns that say where a trace was met, not what it is."""


@cache
def _hashed() -> tuple[Callable[[Mapping[str, Any]], tuple[Any, ...]], int]:
    """What gives the hashed values of a row, in the schema's order; and where among them is when it was made."""
    published = (c for c in facts().columns if c.publish and c.part not in {"provenance", "keys"})
    names = [column.name for column in published if column.name not in WHERE]
    return itemgetter(*names), names.index("generated_at")


def content_hash(row: Mapping[str, Any]) -> str:
    """Hash of a row's publishable content: all but provenance, keys, late facts and where it was met (`WHERE`)."""
    take, generated = _hashed()
    values = list(take(row))
    values[generated] = str(values[generated])
    return digest(_canonical(values))
