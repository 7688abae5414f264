"""A line of verifiers or prime-rl, decoded but for its token arrays: an Episode with its traces, or one bare Trace.

Token arrays are most of a training log's bytes. They are cut out first, by looking for the brackets alone. One decoder
then knows the keys that such lines have had and builds what they hold in one scan. If what it found is, written again,
what it was given, byte for byte, then nothing was missed: no key that it does not know, none that stands twice. Any
other line is taken apart level by level, which is slower and knows no keys. Both ways give the same.
"""

import re
from collections.abc import Sequence
from functools import cache
from typing import Any, TypedDict, cast, get_args, get_origin, get_type_hints, is_typeddict  # Any: JSON values

import msgspec

from synthetic.formats.bounds import LARGE_BYTES, too_deep
from synthetic.formats.format import TEXT_BYTES, BadLine
from synthetic.formats.line import Fields, Raw, fields, objects, value


# Members stand in the order that logs have: each is then found in one comparison. `Raw` is skipped.
class _Node(TypedDict, total=False):
    parent: Any
    semantic_parents: Any
    message: Any
    sampled: Any
    timestamp: Any
    token_ids: Raw
    mask: Raw
    is_content: Raw
    logprobs: Raw
    advantages: Raw
    reference_logprobs: Raw
    trainer_logprobs: Raw
    entropies: Raw
    loss_weights: Raw
    finish_reason: Any
    usage: Any
    tools: Any


class _Trace(TypedDict, total=False):
    version: Any
    id: Any
    verifiers: Any
    task: Raw
    agent: Raw
    tools: Any
    nodes: list[_Node]
    calls: Any
    mm_token_type_id_map: Any
    request_rewrites: Any
    response_rewrites: Any
    rewards: Any
    metrics: Any
    info: Any
    extra_usage: Any
    is_completed: Any
    ok: Any
    stop_condition: Any
    is_timeout: Any
    errors: Any
    timing: Any
    num_input_tokens: Any
    num_output_tokens: Any
    num_total_tokens: Any
    run: Raw
    runtime: Any


class _Episode(TypedDict, total=False):
    id: Any
    env: Raw
    task: Raw
    group: Any
    run: Raw
    ok: Any
    is_timeout: Any
    errors: Any
    traces: list[_Trace]
    num_input_tokens: Any
    num_output_tokens: Any
    num_total_tokens: Any


class _Line(_Episode, _Trace, total=False):
    """An Episode, or a Trace alone."""


TOKENS = frozenset(name for name, of in _Node.__annotations__.items() if of is Raw)
"""Members of a node that hold a value per token."""

_FIRST = b',"token_ids":['
_NEXT = re.compile(rb'\],"(?:' + "|".join(sorted(TOKENS)).encode() + rb')":\[')
REPEATED = frozenset({"env", "run", "task"})
"""Members that are the same from line to line: whoever reads lines may remember what they hold."""

OF_TRACES = REPEATED | {"agent"}
"""Such members of traces."""

SHALLOW = 2
"""So deep arrays and objects usually stand within each other in a member."""

DEEPER = {"tools": 7, "message": 4, "calls": 3, "info": 3, "timing": 3}
"""Members in which they stand deeper."""


def _shallow(of: Any, levels: int = SHALLOW) -> Any:
    """The type with so many levels of JSON in place of `Any`: its decoder need not be asked how deep a value goes."""
    if of is Any:
        value: Any = bool | int | float | str | None
        for _ in range(levels):
            value = bool | int | float | str | None | list[value] | dict[str, value]
        return value
    if get_origin(of) is list:
        (inner,) = get_args(of)
        return list[_shallow(inner)]  # type: ignore[misc]
    return _shallow_object(of) if is_typeddict(of) else of


@cache
def _shallow_object(of: Any) -> Any:
    make: Any = TypedDict
    members = get_type_hints(of).items()
    return make(of.__name__, {key: _shallow(hint, DEEPER.get(key, SHALLOW)) for key, hint in members}, total=False)


@cache
def _shallow_line() -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(_shallow(_Line))  # takes 20 ms to make


_line = msgspec.json.Decoder(_Line)
_ONE = Raw(b"[0]")
_encode = msgspec.json.Encoder().encode


def decoded(line: bytes) -> dict[str, Any]:
    """The line without token arrays. `REPEATED` of episodes and `OF_TRACES` are left as they stand (`Raw`).

    `traces`, or `nodes` where the line is a bare trace, are lists of objects. Raises `BadLine` for any other line, for
    a key that stands twice and for too much text, and as msgspec does where strict JSON fails.
    """
    return at_once(line) or level_by_level(line)


def at_once(line: bytes) -> dict[str, Any] | None:
    """The line, if one scan finds all of it; else None."""
    if len(line) > LARGE_BYTES:
        return None
    short, cut = _shortened(line)
    try:
        try:
            found: dict[str, Any] = _shallow_line().decode(short)
        except msgspec.ValidationError:
            found = cast("dict[str, Any]", _line.decode(short))
            if too_deep(found):
                return None
        if _encode(found) != short or ("traces" in found) == ("nodes" in found):
            return None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    for trace in found.get("traces", (found,)):
        for node in trace.get("nodes", ()):
            cut -= node.get("token_ids") == _ONE
            for name in TOKENS & node.keys():
                del node[name]
    return None if cut > 0 else found  # one stood elsewhere, and is no token array


def _shortened(line: bytes) -> tuple[bytes, int]:
    """The line with `[0]` in place of arrays `token_ids` that hold anything and of token arrays right behind them.

    Also, how many `token_ids` there are. What arrays hold is not looked at, but for text, NaN and Infinity.
    """
    parts, start, count, find = [], 0, 0, line.find
    at = find(_FIRST)
    while at >= 0:
        first = begin = at + len(_FIRST)
        if not line.startswith(b"]", begin):
            count += 1
            while True:
                end = find(b"]", begin)
                if end < 0 or find(b'"', begin, end) >= 0:
                    return line, 0
                parts.append(line[start:begin])
                start = end
                if not (follows := _NEXT.match(line, end)):
                    break
                begin = follows.end()
            if find(b"N", first, end) >= 0 or find(b"I", first, end) >= 0:
                return line, 0
        at = find(_FIRST, max(start, begin))
    return b"0".join((*parts, line[start:])), count


def level_by_level(line: bytes) -> dict[str, Any]:
    """The line, whatever its keys and layout. Raises as `decoded`."""
    whole = fields(line)
    if "traces" in whole:
        traces, rest = objects(whole["traces"]), {key: raw for key, raw in whole.items() if key != "traces"}
    elif "nodes" in whole:
        traces, rest = [whole], {}
    else:
        raise BadLine("neither an episode (no 'traces') nor a trace (no 'nodes')")
    if len(line) > TEXT_BYTES:
        _refuse_long(rest, traces)
    values = [_trace(trace) for trace in traces]
    return _values(rest) | {"traces": values} if "traces" in whole else values[0]


def _trace(members: Fields) -> dict[str, Any]:
    found = _values({key: raw for key, raw in members.items() if key != "nodes"}, OF_TRACES)
    if "nodes" in members:
        nodes = objects(members["nodes"])
        found["nodes"] = [{key: value(raw) for key, raw in node.items() if key not in TOKENS} for node in nodes]
    return found


def _values(members: Fields, left: frozenset[str] = REPEATED) -> dict[str, Any]:
    return {key: raw if key in left else value(raw) for key, raw in members.items()}


def _refuse_long(rest: Fields, traces: Sequence[Fields]) -> None:
    """Raise `BadLine` if what is not token arrays is more than a line may hold."""
    size = sum(len(memoryview(raw)) for raw in rest.values())
    for trace in traces:
        size += sum(len(memoryview(raw)) for key, raw in trace.items() if key != "nodes")
        for node in objects(trace["nodes"]) if "nodes" in trace else ():
            size += sum(len(memoryview(raw)) for key, raw in node.items() if key not in TOKENS)
    if size > TEXT_BYTES:
        raise BadLine(f"{size / 1e6:,.0f} MB of text in one line; more than {TEXT_BYTES / 1e6:,.0f} is no rollout")
