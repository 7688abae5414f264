"""prime-rl's file monitor, layout B (since 31 August 2026).

`monitors/file/traces/stream/NNNNN.jsonl`: every rollout once, in order of arrival, in chunks; a full chunk is sealed
as `.jsonl.zst`. `annotations/<producer>/NNNNN.jsonl`: what the orchestrator, the trainer and others said later about a
trace. Until 2 September both were single files, `stream.jsonl` and `annotations/<producer>.jsonl`. The indexes beside
them and the rollouts in flight (`live/`) are no logs.

An annotation is `{"version", "trace_id", "info", "branches"}`. `info` is facts about the trace: `effective` and
`ship.step` say that it was trained on, and when. `branches` holds streams with a value per token: like other token
arrays they are read with `--tokens` only.
"""

import re
from pathlib import Path
from typing import Any  # JSON values

from synthetic.formats import tokens, verifiers
from synthetic.formats.format import BadLine, Format, Parsed, Place, Source, readable
from synthetic.formats.line import Fields, Raw, fields, objects, value
from synthetic.record import Json, canonical_json, record, row_id

_FILE = re.compile(
    r"(.+)/monitors/file/traces/(?:stream(?:/\d+)?|annotations/(?P<producer>[^/]+?)(?:/\d+)?)\.jsonl(\.gz|\.zst)?",
    re.DOTALL,
)

COLUMNS = frozenset(column.name for column in record().columns if column.late)
"""Names that a fact of a producer's own must not have."""


def find(path: Path) -> Source | None:
    """The source that a path of this layout is."""
    if not (match := _FILE.fullmatch(path.as_posix())):
        return None
    root = Path(match[1])
    # Lines say themselves what they were made for; prime-rl counts one that does not as an evaluation.
    facts = {"framework": "prime-rl", "kind": "eval", "run_name": readable(root.name)}
    return Source(path, root, FORMAT, "late" if match["producer"] else "traces", facts)


def recognises(line: bytes) -> bool:
    """Whether a line is an Episode or an annotation."""
    try:
        keys = fields(line).keys()
    except (ValueError, RecursionError):
        return False
    return "traces" in keys or {"trace_id", "info", "branches"} <= keys


def parse(line: bytes, source: Source, place: Place) -> Parsed:
    """Rows of an episode, late facts of an annotation."""
    if source.role == "traces":
        return verifiers.parse(line, source, place)
    annotation = fields(line)
    trace_id = _trace_id(annotation)
    info = value(annotation["info"]) if "info" in annotation else None
    if not isinstance(info, dict | None):
        raise BadLine("'info' of an annotation is no object")
    parsed = Parsed()
    parsed.late += [(trace_id, None, key, said) for key, said in _facts(info or {})]
    for branch in _branches(annotation):
        index = _index(branch)
        said = {key: value(raw) for key, raw in branch.items() if key != "index" and not _is_stream(raw)}
        parsed.late += [(trace_id, index, _own(key), fact) for key, fact in said.items()]
    return parsed


def _facts(info: dict[str, Json]) -> list[tuple[str, Json]]:
    """What the record has a column for, and the rest by its own name."""
    facts: list[tuple[str, Json]] = []
    for key, said in info.items():
        match key, said:
            case "effective", bool():
                facts.append(("trained_on", said))
            case "advantage", int() | float() | None if not isinstance(said, bool):
                facts.append(("advantage", said))
            case "ship", {"step": int(step), **rest} if not isinstance(step, bool):
                facts.append(("ship_step", step))
                if rest:
                    facts.append(("ship", rest))
            case _:
                facts.append((_own(key), said))
    return facts


def _own(key: str) -> str:
    """A producer's own name for a fact, told apart from the record's."""
    return f"info.{key}" if key in COLUMNS else key


def _trace_id(annotation: Fields) -> str:
    trace_id = value(annotation["trace_id"]) if "trace_id" in annotation else None
    if not isinstance(trace_id, str) or not trace_id:
        raise BadLine("an annotation has no trace_id")
    return trace_id


def _branches(annotation: Fields) -> list[Fields]:
    raw = annotation.get("branches")
    return objects(raw) if raw is not None and bytes(raw) != b"null" else []


def _index(branch: Fields) -> int:
    index = value(branch["index"]) if "index" in branch else None
    if not isinstance(index, int) or isinstance(index, bool) or index < 0:
        raise BadLine("a branch of an annotation has no index")
    return index


def _is_stream(raw: Raw) -> bool:
    return memoryview(raw)[0] == ord("[")


def token_arrays(line: bytes, source: Source, place: Place) -> list[dict[str, Any]]:
    """Rows of `tokens-1`: of an episode its arrays, of an annotation its streams, whole, in `other`.

    A stream is as long as its branch's token ids, with null where nothing is known.
    """
    if source.role == "traces":
        return tokens.parse(line, source, place)
    annotation = fields(line)
    rows = []
    for branch in _branches(annotation):
        streams = {key: value(raw) for key, raw in branch.items() if _is_stream(raw)}
        if any(streams.values()):
            named = {"row_id": row_id(_trace_id(annotation), _index(branch))}
            other = {"other": canonical_json({"branch": streams})}
            rows.append(named | other | {"log_file": place.log_file, "log_offset": place.log_offset})
    return rows


FORMAT = Format(
    name="prime-rl-stream",
    title="prime-rl's file monitor, layout B (since 2026-08-31)",
    detected_by="the path; Episode lines (`traces`) and annotations",
    looked_for="monitors/file/traces/{stream,annotations/<producer>}/NNNNN.jsonl",
    find=find,
    recognises=recognises,
    parse=parse,
    tokens=token_arrays,
)
