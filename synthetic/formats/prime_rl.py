"""prime-rl's file monitor, layout A (July and August 2026).

`rollouts/step_N/{train,eval}/{all,effective}/traces.jsonl`: `all` holds every rollout once. `effective` holds
copies of those that were shipped to the trainer (or, for evaluations, counted) and is read for late facts only:
reading both as rollouts would double the rows. A line is an Episode, or until 14 August a Trace that says itself what
episodes say now.
"""

import re
from pathlib import Path

from synthetic.formats import tokens, verifiers
from synthetic.formats.episode import decoded
from synthetic.formats.format import BadLine, Format, Parsed, Place, Source, readable

_FILE = re.compile(r"(.+)/rollouts/step_(\d+)/(train|eval)/(all|effective)/traces\.jsonl(\.gz|\.zst)?", re.DOTALL)


def find(path: Path) -> Source | None:
    """The source that a path of this layout is."""
    if not (match := _FILE.fullmatch(path.as_posix())):
        return None
    root, step, kind, which, _ = match.groups()
    facts = {"framework": "prime-rl", "kind": kind, "run_name": readable(Path(root).name)}
    late = which == "effective"
    # In `effective` N is the step that shipped the trace. In `all` it is the step that it arrived at, for lines of July
    # that do not say when they were dispatched.
    return Source(path, Path(root), FORMAT, "late" if late else "traces", facts | {"step": int(step)})


def parse(line: bytes, source: Source, place: Place) -> Parsed:
    """Rows of a line in `all`, late facts of a line in `effective`."""
    if source.role == "traces":
        return verifiers.parse(line, source, place)
    parsed, whole = Parsed(), decoded(line)
    for trace in whole.get("traces", [whole]):
        trace_id = trace.get("id")
        if not isinstance(trace_id, str) or not trace_id:
            raise BadLine("a trace has no id")
        if source.facts["kind"] == "eval":
            parsed.late.append((trace_id, None, "effective", True))
            continue
        parsed.late.append((trace_id, None, "trained_on", True))
        parsed.late.append((trace_id, None, "ship_step", source.facts["step"]))
        info = trace.get("info", {})
        if not isinstance(info, dict):
            raise BadLine("'info' of a trace is no object")
        advantage = info.get("advantage")
        if isinstance(advantage, int | float) and not isinstance(advantage, bool):
            parsed.late.append((trace_id, None, "advantage", float(advantage)))
    return parsed


FORMAT = Format(
    name="prime-rl",
    title="prime-rl's file monitor, layout A (2026-07 to 2026-08)",
    detected_by="the path; Episode (`traces`) or Trace (`nodes`) lines",
    looked_for="rollouts/step_N/{train,eval}/{all,effective}/traces.jsonl",
    find=find,
    recognises=verifiers.recognises,
    parse=parse,
    tokens=tokens.parse,
    over=frozenset({"vf-eval"}),
    rewinds=True,
)
