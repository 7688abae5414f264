"""Chat messages, tool calls and tools as the record holds them, taken out of a log's own.

What is *taken* leaves its table; what has no column stays there and becomes `extra`: nothing is lost, and nothing is
stored twice.
"""

from typing import Any  # JSON values

from synthetic.formats.attempt import whole
from synthetic.formats.format import BadLine
from synthetic.formats.private import public_name
from synthetic.record import Json, canonical_json

NAMES = frozenset("env_id env_name run_id agent stop_condition source".split())
"""Columns that a log may fill with a path or an address."""

MESSAGE = ("role", "content", "reasoning_content", "tool_calls", "tool_call_id", "name")
"""Members of a message of the record; all but its tool calls are text."""


def take(
    table: dict[str, Any],
    row: dict[str, Any],
    of: tuple[type, ...] = (str,),
    **columns: str | tuple[str, ...],
) -> None:
    """Move members into columns, when they have the column's type; anything else stays where it is.

    A name with a path or an address gives the column its public part, and stays too; so does a whole number that is
    written as "4" or 5.0. Raises `BadLine` for 5.5 where a whole number must stand.
    """
    for column, path in columns.items():
        inner: Any = table
        if isinstance(path, str):
            last = path
        else:
            *outer, last = path
            for key in outer:
                inner = inner.get(key) if isinstance(inner, dict) else None
        if isinstance(inner, dict) and type(found := inner.get(last)) in of:
            row[column] = shown = public_name(found) if column in NAMES else found
            if shown == found:
                del inner[last]
        elif of == (int,) and isinstance(inner, dict) and (number := whole(inner.get(last))) is not None:
            row[column] = number


def take_message(message: dict[str, Any]) -> dict[str, Any]:
    """A chat message as the record holds it: text of all its parts, tool calls in OpenAI's nested form.

    What has no column stays in `message`. Raises `BadLine` for one without a role.
    """
    taken: dict[str, Any] = {}
    for key in MESSAGE:
        said = message.get(key)
        taken[key] = message.pop(key) if type(said) is str and key != "tool_calls" else None
    if taken["role"] is None:
        raise BadLine("a message has no role")
    if isinstance(parts := message.get("content"), list):
        texts = [part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str)]
        taken["content"] = "\n".join(texts)
    if isinstance(calls := message.get("tool_calls"), list) and calls:
        taken["tool_calls"] = nested = nested_calls(calls)
        flat: list[Json] = [{"id": call["id"], "type": call["type"], **call["function"]} for call in nested]
        if flat == calls:
            del message["tool_calls"]
    return taken


def nested_calls(calls: list[Json]) -> list[dict[str, Json]]:
    """Tool calls in OpenAI's nested form; arguments that are no string become JSON text."""
    nested = []
    for call in calls:
        if not isinstance(call, dict):
            raise BadLine("a tool call is no object")
        inner = call["function"] if isinstance(call.get("function"), dict) else call
        name, arguments = inner.get("name"), inner.get("arguments")
        function = {
            "name": name if isinstance(name, str) else "",
            "arguments": arguments if isinstance(arguments, str) else canonical_json(arguments or {}),
        }
        id, type_ = call.get("id"), call.get("type")
        id, type_ = id if isinstance(id, str) else None, type_ if isinstance(type_, str) else "function"
        nested.append({"id": id, "type": type_, "function": function})
    return nested


def take_tools(left: dict[str, Any]) -> list[dict[str, Any]] | None:
    """The tools in OpenAI's nested form; they stay in `left` too unless flattening gives them back."""
    flat = left.get("tools")
    if not isinstance(flat, list) or not flat or not all(isinstance(tool, dict) for tool in flat):
        return None
    nested: list[dict[str, Json]] = [
        {"type": "function", "function": {k: v for k, v in tool.items() if k not in {"type", "namespace"}}}
        for tool in flat
    ]
    if [{"type": "function", **tool["function"]} for tool in nested] == flat:
        del left["tools"]
    return nested
