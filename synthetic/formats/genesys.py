"""The output of PrimeIntellect's genesys: `out_<uuid>.jsonl` as generated, `out_<uuid>_verified.jsonl` once scored.

The fields are those of SYNTHETIC-1, and what a worker knew besides: model, sampling, tokens, its machine. As
generated, `verification_info` and `metadata` are tables that Python printed (`literal`); once scored they are JSON. A
verifier that ran out of time or failed left a null score and the reason: such a row is neither right nor wrong.
"""

import re
from pathlib import Path
from typing import Any  # JSON values

from synthetic.formats import literal
from synthetic.formats.attempt import add, message, refuse_long, score, text, told
from synthetic.formats.format import BadLine, Format, Parsed, Place, Source, readable
from synthetic.formats.line import Fields, fields, keys, value
from synthetic.formats.private import public_errors, public_name, public_sampling
from synthetic.formats.tokens import arrays_of
from synthetic.record import row_id

NAMES = re.compile(r"(.*_[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(_verified)?(\.jsonl(?:\.gz|\.zst)?)")

SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.zst")

TOKENS = ("input_ids", "output_ids")

TASK = ("task_type", "source", "in_source_id", "hf_dataset_name", "gold_standard_solution")
"""Texts of a task that have a column of the same name."""


def find(path: Path) -> Source | None:
    """The source that a file of this name is; as generated, it is no log of its own once it stands there scored.

    Scoring copies every line and adds to it: read both, and the same responses would be there with and without scores.
    """
    if not (name := NAMES.fullmatch(path.name)):
        return None
    facts = {"framework": "genesys", "kind": "train", "run_name": readable(path.parent.name)}
    scored = not name[2] and any(path.with_name(f"{name[1]}_verified{s}").exists() for s in SUFFIXES)
    return Source(path, path.parent, FORMAT, role="late" if scored else "traces", facts=facts, loose=True)


def recognises(line: bytes) -> bool:
    """Whether a line is a response with the model that gave it."""
    return {"problem_id", "prompt", "llm_response", "response_id", "model_name"} <= set(keys(line))


def parse(line: bytes, source: Source, place: Place) -> Parsed:
    """The row of a line, and nothing of a line that stands scored in another file. Raises `BadLine`."""
    raw = fields(line)
    refuse_long(sum(len(memoryview(member)) for key, member in raw.items() if key not in TOKENS))
    left = {key: value(member) for key, member in raw.items() if key not in TOKENS}
    parsed = Parsed()
    if source.role == "late":
        return parsed
    row = take_task(left) | take_response(left)
    if isinstance(name := left.get("model_name"), str):
        row["model"] = public_name(name)
        if row["model"] == name:
            del left["model_name"]
    row |= _budget(raw, left)
    row["verifier"] = f"genesys/{row['task_type']}" if row.get("task_type") else "genesys"
    add(parsed, source, place, row.pop("messages"), 1, **row)
    parsed.rows[0]["extra"] = left or None
    return parsed


def tokens(line: bytes, source: Source, place: Place) -> list[dict[str, Any]]:
    """The row of `tokens-1` of a line: the prompt's token ids and the response's."""
    raw = fields(line)
    if source.role == "late" or not any(name in raw for name in TOKENS):
        return []
    found = arrays_of([{"token_ids": value(raw[name])} if name in raw else {} for name in TOKENS])
    named = {"row_id": row_id(value(raw["response_id"]), 0)}
    return [named | found | {"log_file": place.log_file, "log_offset": place.log_offset}] if found else []


# ---- what SYNTHETIC-1's table has too


def take_task(left: dict[str, Any]) -> dict[str, Any]:
    """Move what a line says of the task into columns: names, the prompt's problem, what the verifier needs."""
    row: dict[str, Any] = {}
    for name in TASK:
        if isinstance(left.get(name), str):
            row[name] = left.pop(name)
    row["env_name"] = row.get("task_type")  # a task type is scored by one verifier: recipes know it by this name
    if isinstance(problem := left.get("problem_id"), str):
        row |= {"native_problem_id": problem, "group_id": problem}
        del left["problem_id"]
    for name in ("verification_info", "metadata"):
        row[name] = literal.read(left.pop(name, None))
    if isinstance(row["verification_info"], dict):
        row["ground_truth"] = text(row["verification_info"].get("ground_truth"))
    return row


def take_response(left: dict[str, Any]) -> dict[str, Any]:
    """Move the response, its id and its score into columns. Raises `BadLine` where there is no response or no id."""
    trace, prompt, response = left.pop("response_id", None), left.pop("prompt", None), left.pop("llm_response", None)
    if not isinstance(trace, str) or not trace:
        raise BadLine("a response has no response_id")
    if not isinstance(prompt, str) or not isinstance(response, str):
        raise BadLine("'prompt' and 'llm_response' are no texts")
    return {
        "trace_id": trace,
        "messages": [message("user", prompt), message("assistant", response)],
        "text_form": "parsed",
        **take_score(left),
    }


def take_score(left: dict[str, Any], name: str = "score") -> dict[str, Any]:
    """Move a response's score into columns: its task's one verifier gave it. Without the member, nothing scored it.

    A null score with a reason is a scoring that failed.
    """
    row: dict[str, Any] = {"reward": score(left.get(name))}
    if name in left:
        row["rewards"] = [{"name": name, "score": row["reward"], "weight": 1.0}]
        if left[name] is None or left[name] == row["reward"]:
            del left[name]
    if "verification_result_info" in left:
        said = literal.read(left["verification_result_info"])
        why = text(said.get("failure_reason")) if isinstance(said, dict) else None
        if why and row["reward"] is None:
            row |= {"ok": False, "errors": public_errors([{"type": "VerificationFailed", "message": why}])}
        row["verification_result"] = told("verification_result_info", said)  # may name things of the machine
        if row["verification_result"] == said:
            del left["verification_result_info"]
    return row


def _budget(raw: Fields, left: dict[str, Any]) -> dict[str, Any]:
    """Sampling and numbers of tokens; a response as long as it was let is cut, of a shorter one nothing is known."""
    config = given if isinstance(given := left.get("generation_config"), dict) else {}
    most = config.get("max_new_tokens")
    sampling = public_sampling(config | ({"max_tokens": most} if isinstance(most, int) else {}))
    row: dict[str, Any] = {"sampling": sampling or None}
    for name, column in (("input_ids", "prompt_tokens"), ("output_ids", "completion_tokens")):
        ids = value(raw[name]) if name in raw else None
        row[column] = len(ids) if isinstance(ids, list) else None
    if isinstance(most, int) and row["completion_tokens"] is not None and row["completion_tokens"] >= most:
        row["is_truncated"] = True
    return row


FORMAT = Format(
    name="genesys",
    title="genesys, the generator of SYNTHETIC-1",
    detected_by="`llm_response`, `response_id` and `model_name` in a line",
    looked_for="out_<uuid>.jsonl, out_<uuid>_verified.jsonl",
    find=find,
    recognises=recognises,
    parse=parse,
    tokens=tokens,
    by_name=False,
)
