"""What a line gave, as rows: with where it stands, keys and hashes.

They have every column; whether values are of their columns' types is not looked at. What no key can be made of raises
`ValueError`, `TypeError`, `AttributeError` or `LookupError`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from synthetic.formats.format import Parsed, Place
from synthetic.record import canonical_json, content_hash, facts, kinds, prompt_key, row_id, text_key

JSON = tuple(column.name for column in facts().columns if column.type == "json")


def traces(parsed: Parsed, place: Place, gone: Mapping[str, str]) -> list[dict[str, Any]]:
    """Rows of the record. `gone` is what was repaired, by JSON pointer; it goes to `extra`."""
    if gone:
        parsed.rows[0]["extra"] = (parsed.rows[0].get("extra") or {}) | {"synthetic:repaired": gone}
    rows, empty, where = [], dict.fromkeys(facts().names), place.columns
    for given, sampled in zip(parsed.rows, parsed.sampled, strict=True):
        row: dict[str, Any] = {**empty, **given, **where}
        messages = row["messages"]
        row["row_id"] = row_id(row["trace_id"], row["branch"])
        row["text_key"] = text_key([messages[i] for i in sampled])
        row["prompt_key"] = prompt_key(messages[: row["num_prompt_messages"] or 0])
        for name in JSON:
            if row[name] is not None:
                row[name] = canonical_json(row[name])
        row["content_hash"] = content_hash(row)
        rows.append(row)
    return rows


def late_facts(parsed: Parsed, place: Place, gone: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """Rows of annotations. What was repaired (`gone`) is no fact and is left out."""
    where = {"log_file": place.log_file, "log_offset": place.log_offset}
    return [
        {"trace_id": trace_id, "branch": branch, "key": key, "value": canonical_json(fact)} | where
        for trace_id, branch, key, fact in parsed.late
    ]


def token_arrays(found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of the side table of tokens."""
    empty = dict.fromkeys(kinds()["tokens"].names)
    return [empty | row for row in found]
