"""A line of a log, made again from its rows: the inverse of `synthetic.formats.verifiers`.

What a column holds is put back where it was taken from; the rest is in `extra`. Token arrays alone are not kept.
"""

import json
from collections.abc import Iterator
from typing import Any

from synthetic.formats.episode import TOKENS

Rows = list[dict[str, Any]]


def rebuilt(rows: Rows) -> dict[str, Any]:
    """The line that gave these rows."""
    line: dict[str, Any] = json.loads(rows[0]["extra"])
    first = rows[0]
    if "traces" not in line:
        _put_trace(line, rows)
        return line
    line["id"] = first["episode_id"]
    _put_run(line, first)
    _put(line, ("group", "id"), first["group_id"])
    shared = not any("task" in trace for trace in line["traces"])
    if shared:
        _put_task(line, first)
    left = list(rows)
    for trace in line["traces"]:
        count = len(_paths(trace["nodes"])) or 1
        if shared and "task" in line:
            trace["task"] = line["task"]
        _put_trace(trace, left[:count])
        left = left[count:]
    return line


def without_tokens(line: dict[str, Any]) -> dict[str, Any]:
    """The line as it must come back."""
    for trace in line.get("traces", [line]):
        trace["nodes"] = [{k: v for k, v in node.items() if k not in TOKENS} for node in trace["nodes"]]
    return line


def _put_trace(trace: dict[str, Any], rows: Rows) -> None:
    row = rows[0]
    trace["id"] = row["trace_id"]
    if row["stop_condition"] is not None:
        trace.setdefault("stop_condition", row["stop_condition"])
    _put(trace, ("verifiers", "version"), row["verifier_version"])
    _put(trace, ("agent", "name"), row["agent"])
    _put(trace, ("agent", "trainable"), row["trainable"])
    _put_run(trace, row)
    _put_task(trace, row)
    if row["metrics"] is not None:
        trace.setdefault("metrics", json.loads(row["metrics"]))
    if row["rewards"] is not None:
        trace.setdefault("rewards", dict(_scorers(row["rewards"])))
    if row["tools"] is not None:
        trace.setdefault("tools", [{"type": "function", **tool["function"]} for tool in json.loads(row["tools"])])
    for path, branch in zip(_paths(trace["nodes"]), rows, strict=False):
        for node, message in zip(path, branch["messages"], strict=True):
            _put_message(trace["nodes"][node]["message"], message)


def _put_message(left: dict[str, Any], message: dict[str, Any]) -> None:
    for key in ("role", "content", "reasoning_content", "tool_call_id", "name"):
        if message[key] is not None:
            left.setdefault(key, message[key])
    if message["tool_calls"]:
        flat = [{"id": c["id"], "type": c["type"], **c["function"]} for c in message["tool_calls"]]
        left.setdefault("tool_calls", flat)


def _put_run(line: dict[str, Any], row: dict[str, Any]) -> None:
    _put(line, ("env", "id"), row["env_id"])
    _put(line, ("env", "name"), row["env_name"])
    _put(line, ("run", "id"), row["run_id"])
    _put(line, ("run", "work", "step"), row["step"])
    _put(line, ("run", "work", "policy", "start"), row["policy_start"])
    _put(line, ("run", "work", "policy", "end"), row["policy_end"])


def _put_task(line: dict[str, Any], row: dict[str, Any]) -> None:
    if "data" in line.get("task", ()) and row["verification_info"] is not None:
        line["task"]["data"] = json.loads(row["verification_info"]) | line["task"]["data"]


def _put(table: dict[str, Any], path: tuple[str, ...], given: object) -> None:
    """Put a column back, when what it stood in is there."""
    *outer, last = path
    for key in outer:
        if not isinstance(table.get(key), dict):
            return
        table = table[key]
    if given is not None:
        table.setdefault(last, given)


def _scorers(rewards: list[dict[str, Any]]) -> Iterator[tuple[str, object]]:
    for scorer in rewards:
        missing = scorer["score"] is None and scorer["weight"] is None
        yield scorer["name"], None if missing else {k: scorer[k] for k in ("score", "weight")}


def _paths(nodes: list[dict[str, Any]]) -> list[list[int]]:
    """Root-to-leaf paths, in the order of their leaves."""
    inner = {node.get("parent") for node in nodes}
    paths = []
    for leaf in range(len(nodes)):
        if leaf not in inner:
            path: list[int] = []
            node: int | None = leaf
            while node is not None:
                path.insert(0, node)
                node = nodes[node].get("parent")
            paths.append(path)
    return paths
