"""prime-rl's rollouts of spring 2026 (April to 8 July): a file for each step.

`rollouts/step_N/train_rollouts.jsonl`, and `eval_rollouts.jsonl` or, from June, `eval_rollouts_<env>.jsonl`. Until
22 June a line is a flat rollout of verifiers 0.1 with prime-rl's own fields, then a Trace of verifiers 0.2 that says
neither its group nor its environment. N is the step that shipped the batch. A file is written anew when its step is.
"""

import re
from pathlib import Path
from typing import Any  # JSON values

from synthetic.formats import rollout_output, tokens, verifiers
from synthetic.formats.format import Format, Parsed, Place, Source, readable
from synthetic.formats.line import fields, keys, objects, value
from synthetic.formats.private import public_name
from synthetic.record import canonical_json

_FILE = re.compile(r"(.+)/rollouts/step_(\d+)/(train|eval)_rollouts(?:_([^/]+?))?\.jsonl(\.gz|\.zst)?", re.DOTALL)


def find(path: Path) -> Source | None:
    """The source that a path of this layout is."""
    if not (match := _FILE.fullmatch(path.as_posix())):
        return None
    root, step, kind, env, _ = match.groups()
    facts = {"framework": "prime-rl", "kind": kind, "step": int(step), "run_name": readable(Path(root).name)}
    if env:
        facts["env_name"] = public_name(readable(env))
    return Source(path, Path(root), FORMAT, facts=facts)


def recognises(line: bytes) -> bool:
    """Whether a line is a flat rollout or a Trace."""
    return rollout_output.recognises(line) or {"nodes", "rewards"} <= set(keys(line))


def parse(line: bytes, source: Source, place: Place) -> Parsed:
    """The rows of a line. Where it says that its rollout passed the filters, that it was trained on, and when."""
    raw = fields(line)
    if "nodes" in raw:
        return verifiers.parse(line, source, place)
    parsed = rollout_output.parse_rollout_output(line, source, place)
    (row,) = parsed.rows
    if row["kind"] == "train":
        if "is_filtered" in raw and value(raw["is_filtered"]) is False and row["ok"]:
            parsed.late.append((row["trace_id"], None, "trained_on", True))
            parsed.late.append((row["trace_id"], None, "ship_step", source.facts["step"]))
        if not row.get("group_id") and row.get("native_problem_id"):
            # Before June a group had no id: the attempts at one example in one batch.
            row["group_id"] = f"{source.facts['step']}/{row.get('env_name') or ''}/{row['native_problem_id']}"
    return parsed


def token_arrays(line: bytes, source: Source, place: Place) -> list[dict[str, Any]]:
    """Rows of `tokens-1`: of a Trace its arrays, of a flat rollout those of each model call, in `other`.

    Such a call has ids of its whole prompt, not of each message. prime-rl wrote them until 15 April only.
    """
    raw = fields(line)
    if "nodes" in raw:
        return tokens.parse(line, source, place)
    steps = objects(raw["trajectory"]) if "trajectory" in raw and bytes(raw["trajectory"]) != b"null" else []
    calls = [value(step["tokens"]) if "tokens" in step else None for step in steps]
    if not any(calls):
        return []
    (row,) = rollout_output.parse_rollout_output(line, source, place).rows
    where = {"log_file": place.log_file, "log_offset": place.log_offset}
    return [{"row_id": row["row_id"], "other": canonical_json({"trajectory": calls})} | where]


FORMAT = Format(
    name="prime-rl-rollouts",
    title="prime-rl's rollouts of a step (2026-04 to 2026-07)",
    detected_by="the path; rollouts of verifiers 0.1 (`completion`, `reward`) or Traces (`nodes`)",
    looked_for="rollouts/step_N/{train,eval}_rollouts*.jsonl",
    selected="Rollouts are those that came into a batch: groups that were all right or all wrong may be missing.",
    find=find,
    recognises=recognises,
    parse=parse,
    tokens=token_arrays,
    rewinds=True,
)
