"""What SFT trainers take for a conversation: what is mended before it is published, and what cannot be.

prime-rl's trainer stops at an unknown role and at arguments that are no JSON; chat templates look for the ids and the
type of calls, and at what a tool's answer belongs to. A call without an id gets one, and the tool's answer that stands
in its turn gets the same; nothing that the model wrote is changed.
"""

from collections.abc import Mapping, Sequence
from typing import Any  # messages

import msgspec
import polars as pl

from synthetic.errors import SyntheticError

ROLES = ("system", "developer", "user", "assistant", "tool")


class BrokenConversation(SyntheticError):
    """A conversation that no trainer takes; its text is the reason."""


def with_calls() -> pl.Expr:
    """Whether a row has calls, tools, tools' answers, unknown roles or a turn without a word: all else is plain."""
    message = pl.element().struct
    calls = message.field("tool_calls").list.len().fill_null(0) > 0
    role = message.field("role")
    silent = pl.all_horizontal(
        message.field(n).fill_null("").str.strip_chars() == "" for n in ("content", "reasoning_content")
    )
    odd = calls | (role == "tool") | ~role.is_in(ROLES).fill_null(False) | (silent & (role == "assistant"))
    spoke = pl.col("messages").list.eval((role == "assistant").fill_null(False)).list.any()
    return pl.col("messages").list.eval(odd).list.any() | ~spoke | pl.col("tools").is_not_null()


def lacking() -> pl.Expr:
    """Whether calls or tools' answers of a row lack what `mended` puts in; true also of some that cannot be mended."""
    message, call = pl.element().struct, pl.element().struct
    function = call.field("function").struct
    blank = pl.any_horizontal(
        call.field("id").fill_null("") == "",
        call.field("type").fill_null("") == "",
        ~function.field("arguments").fill_null("").str.contains("{", literal=True),
    )
    answer = (message.field("role") == "tool") & (message.field("tool_call_id").fill_null("") == "")
    lacks = message.field("tool_calls").list.eval(blank).list.any()
    return pl.col("messages").list.eval((answer | lacks).fill_null(False)).list.any().fill_null(False)


def mended(messages: Sequence[Mapping[str, Any]]) -> tuple[list[dict[str, Any]], list[str]]:
    """The messages with what was missing of their calls, and what that was: nothing, where they were whole."""
    made: list[dict[str, Any]] = []
    what: dict[str, None] = {}
    open_calls: list[str] = []
    taken = {call["id"] for message in messages for call in message["tool_calls"] or [] if call["id"]}
    for number, message in enumerate(messages):
        calls = []
        for place, call in enumerate(message["tool_calls"] or []):
            function = call["function"] or {"name": None, "arguments": None}
            named, kind, arguments = call["id"], call["type"], function["arguments"]
            if not named:
                named = f"call_{number}_{place}"
                while named in taken:
                    named += "_"
                taken.add(named)
                what["calls without an id"] = None
            if not kind:
                kind = "function"
                what["calls without a type"] = None
            if arguments is None or not arguments.strip():
                arguments = "{}"
                what["calls without arguments"] = None
            calls.append({"id": named, "type": kind, "function": {"name": function["name"], "arguments": arguments}})
        answers = message["tool_call_id"]
        if message["role"] == "assistant":
            open_calls = [call["id"] for call in calls]
        elif message["role"] == "tool":
            if not answers and open_calls:
                answers = open_calls[0]
                what["tools' answers without an id"] = None
            open_calls = [each for each in open_calls if each != answers]
        made.append(dict(message) | {"tool_calls": calls or message["tool_calls"], "tool_call_id": answers})
    return made, list(what)


def check(messages: Sequence[Mapping[str, Any]], tools: str | None) -> None:
    """Raise `BrokenConversation` where mended messages, or the tools of a row, break the contract."""
    called: set[str] = set()
    spoke = False
    for number, message in enumerate(messages, start=1):
        role = message["role"]
        if role not in ROLES:
            raise BrokenConversation(f"message {number} has the role {role}: no trainer knows it")
        calls = message["tool_calls"] or []
        if calls and role != "assistant":
            raise BrokenConversation(f"message {number} calls a tool as {role}")
        for call in calls:
            _check_call(call, number)
            called.add(call["id"])
        if role == "tool" and message["tool_call_id"] not in called:
            raise BrokenConversation(f"message {number} is a tool's answer to no call before it")
        if role == "assistant":
            if not calls and not any((message[name] or "").strip() for name in ("content", "reasoning_content")):
                raise BrokenConversation(f"message {number} is an assistant's and empty")
            spoke = True
    if not spoke:
        raise BrokenConversation("no assistant's message: nothing to train on")
    if tools is not None:
        _check_tools(tools)


def _check_call(call: Mapping[str, Any], number: int) -> None:
    if call["type"] != "function":
        raise BrokenConversation(f"message {number} has a call of the type {call['type']}, and not function")
    if not call["function"]["name"]:
        raise BrokenConversation(f"message {number} calls a tool without a name")
    try:
        arguments = msgspec.json.decode(call["function"]["arguments"])
    except msgspec.DecodeError as error:
        raise BrokenConversation(f"message {number} calls a tool with arguments that are no JSON") from error
    if not isinstance(arguments, dict):
        raise BrokenConversation(f"message {number} calls a tool with arguments that are no JSON object")


def _check_tools(tools: str) -> None:
    try:
        listed = msgspec.json.decode(tools)
    except msgspec.DecodeError as error:
        raise BrokenConversation("the tools are no JSON") from error
    if not isinstance(listed, list) or not all(isinstance(tool, dict) for tool in listed):
        raise BrokenConversation("the tools are no list of objects")
    for tool in listed:
        said = tool.get("function", tool)
        if not isinstance(said, dict) or not isinstance(said.get("name"), str):
            raise BrokenConversation("a tool has no name")
