"""Token arrays of a line of verifiers or prime-rl: ids, masks, log-probabilities, for each branch.

They are most of a training log's bytes. Facts leave them out; this reads them alone, in a pass of its own, so that they
can also be captured later. Exactly: one list per message, and what has another shape than its column stays JSON.
"""

from collections.abc import Mapping, Sequence
from typing import Any  # JSON values

from synthetic.formats.episode import TOKENS
from synthetic.formats.format import Place, Source
from synthetic.formats.line import Fields, fields, objects, value
from synthetic.formats.verifiers import paths
from synthetic.record import Json, canonical_json, row_id, schema

OF_POLICY = ("token_ids", "mask", "is_content", "logprobs")
"""What is known when a rollout is written; a copy of it that was shipped says it again."""

_COLUMNS = {column.name: column.type for column in schema("tokens-1").columns}
_ITEM: Mapping[str, type | tuple[type, ...]] = {"i32": int, "bool": bool, "f64": (int, float)}


def parse(line: bytes, source: Source, place: Place) -> list[dict[str, Any]]:
    """Rows of `tokens-1`, one for each branch that has any array."""
    episode = fields(line)
    traces = objects(episode["traces"]) if "traces" in episode else [episode]
    wanted = TOKENS.difference(OF_POLICY) if source.role == "late" else TOKENS
    return [row for trace in traces if "nodes" in trace for row in _rows(trace, wanted, place)]


def _rows(trace: Fields, wanted: frozenset[str], place: Place) -> list[dict[str, Any]]:
    nodes = objects(trace["nodes"])
    arrays = [{name: value(node[name]) for name in wanted & node.keys()} for node in nodes]
    tree = [{"parent": value(node["parent"])} if "parent" in node else {} for node in nodes]
    rows = []
    for branch, path in enumerate(paths(tree)):
        found = arrays_of([arrays[node] for node in path])
        if found:
            named = {"row_id": row_id(value(trace["id"]), branch)}
            rows.append(named | found | {"log_file": place.log_file, "log_offset": place.log_offset})
    return rows


def arrays_of(messages: Sequence[Mapping[str, Json]]) -> dict[str, Any]:
    """Columns of `tokens-1` from the arrays of each message; empty where no message has a value."""
    row: dict[str, Any] = {}
    other: dict[str, Json] = {}
    for name in sorted({name for message in messages for name in message}):
        lists = [message.get(name) for message in messages]
        if not any(lists):
            continue
        if name in _COLUMNS and all(_fits(each, _COLUMNS[name]) for each in lists):
            row[name] = lists
        else:
            other[name] = lists
    if other:
        row["other"] = canonical_json(other)
    return row


def _fits(array: Json, column: str) -> bool:
    if array is None:
        return True
    item = column.removeprefix("list<list<").removesuffix(">>")
    if not isinstance(array, list) or item not in _ITEM:
        return False
    for each in array:
        if each is not None and (not isinstance(each, _ITEM[item]) or (item != "bool" and isinstance(each, bool))):
            return False
    return item != "i32" or all(each is None or -(2**31) <= each < 2**31 for each in array)
