"""verl's dumps of rollouts and validations (0.9, trainers `legacy` and `v1`; agent-lightning writes them too).

`trainer.rollout_data_dir` and `trainer.validation_data_dir` get a file a step, `{step}.jsonl`. Prompts and answers are
text without special tokens, so roles are known only where the text has one reading (`template`). `score` is the sum
of the token scores, or what a reward function returned under that name: its scale is the task's own.
"""

import re
from pathlib import Path
from typing import Any  # JSON values

from synthetic.formats import template
from synthetic.formats.attempt import add, message, right, score, take_step, text, told
from synthetic.formats.format import BadLine, Format, Parsed, Place, Source, readable
from synthetic.formats.line import keys, value
from synthetic.formats.private import public_errors
from synthetic.record import Json, canonical_json, digest

KEYS = frozenset(("input", "output", "score", "step"))

_FILE = re.compile(r"\d+\.jsonl(\.gz|\.zst)?")
_UID = re.compile(r"(.+)_(\d+)_(0|[1-9]\d*)", re.DOTALL)

EVAL = frozenset("val valid validation eval evals evaluation".split())
TRAIN = frozenset("rollout rollouts train training".split())
NEUTRAL = frozenset("data dir dump dumps dumped generation generations sample samples log logs".split())
PLAIN = EVAL | TRAIN | NEUTRAL | {"test"}
"""A folder whose name is made of these words only is named for what it holds; its run is the folder above."""

# numpy's scalars are written as text (`"0.5"`), and so is what a scorer read in an answer (`"280"`): the name tells.
_SCORER = re.compile(r"acc|score|reward|correct|format|match|pass|bonus|penalty|overlong", re.IGNORECASE)
_MEASURE = re.compile(
    r"(^|_)(overlong|timeout|num|len|length|tokens?|turns?|time|seconds|count|index|idx|id|seed)(_|$)", re.IGNORECASE
)


def find(path: Path) -> Source | None:
    """The source that a file named for its step is."""
    if not _FILE.fullmatch(path.name):
        return None
    folder = path.parent
    words = set(re.findall(r"[a-z]+", folder.name.lower()))
    plain = bool(words) and words <= PLAIN
    root = folder.parent if plain and folder.parent.name else folder
    facts = {"framework": "verl", "run_name": readable(root.name)}
    # A run may be called a test (`test-grpo`): only a folder that is named for what it holds means the split.
    kind = "eval" if words & EVAL or (plain and "test" in words) else "train" if words & TRAIN else None
    return Source(path, root, FORMAT, facts=facts | ({"kind": kind} if kind else {}))


def recognises(line: bytes) -> bool:
    """Whether a line has the members that every dump has."""
    return set(keys(line)) >= KEYS


def parse(line: bytes, source: Source, place: Place) -> Parsed:
    """The row of a line: a rollout, or a segment of one whose context was cut into several."""
    left = value(line)
    if not isinstance(left, dict) or not left.keys() >= KEYS:
        raise BadLine(f"not a dump of verl: it needs {', '.join(sorted(KEYS))}")
    asked, answer = left.pop("input"), left.pop("output")
    if not isinstance(asked, str) or not isinstance(answer, str):
        raise BadLine("'input' or 'output' is no text")
    gts = left.pop("gts", None)
    messages, begun = template.messages(asked)
    step = take_step(left)
    repeated = "reward" in left and left["reward"] == left["score"]  # as validations do
    # Training starts at step 1; a validation before it is dumped as step 0.
    kind = "eval" if step == 0 else source.facts.get("kind") or ("eval" if repeated else "train")
    group = digest(canonical_json([source.run, kind, step, asked, gts]))
    columns: dict[str, Any] = {"kind": kind, "step": step, "group_id": group, "ground_truth": text(gts)}
    columns |= _named(left) | _judged(left) | _scored(left) | _said(left)
    parsed = Parsed()
    add(
        parsed,
        source,
        place,
        [*messages, message("assistant", begun + answer)],
        len(messages),
        extra=left or None,
        text_form="parsed",
        **columns,
    )
    return parsed


def _named(left: dict[str, Any]) -> dict[str, Any]:
    """Ids of the `v1` trainer: `{prompt}_{rollout}_{segment}`."""
    uid = left.get("uid")
    if not isinstance(uid, str) or not (match := _UID.fullmatch(uid)):
        return {}
    del left["uid"]
    prompt, rollout, segment = match.groups()
    return {
        "trace_id": f"{prompt}_{rollout}",
        "branch": int(segment),
        "group_id": prompt,
        "sample_index": int(rollout),
    }


def _judged(left: dict[str, Any]) -> dict[str, Any]:
    """The verdict, where `acc` or `is_correct` is one; a scorer that failed or ran out of time gave none."""
    says = {right(left[name]) for name in ("acc", "is_correct") if name in left} - {None}
    verdict = says.pop() if len(says) == 1 else None
    failed = {"error": text(left.get("error")) or "", "timeout": "scoring ran out of time"}
    if not failed["error"].strip():
        del failed["error"]
    if right(left.get("timeout")) is not True:
        del failed["timeout"]
    if not failed or verdict:
        return {"recorded_verdict": verdict}
    # Such a scorer is written with a score of 0, which says nothing about the answer.
    errors = public_errors({"type": type_, "message": said} for type_, said in failed.items())
    return {"recorded_verdict": None, "ok": False, "errors": errors}


def _scored(left: dict[str, Any]) -> dict[str, Any]:
    """Reward, scorers and further numbers. A string that is one stays in `left` too."""
    given = left["score"]
    reward = sum(score(part) or 0.0 for part in given) if isinstance(given, list) else score(given)
    if _is_number(given) or given is None:
        del left["score"]
    if left.get("reward", reward) == reward:  # validations repeat it
        left.pop("reward", None)
    scorers: list[dict[str, Json]] = [{"name": "score", "score": reward, "weight": 1.0}]
    metrics: dict[str, Json] = {}
    for name in sorted(left.keys() - {"score", "step"}):
        given = left[name]
        if not (_is_number(given) or (_SCORER.search(name) and _reads_as_number(given))):
            continue
        if _MEASURE.search(name) and not name.endswith("_reward"):
            metrics[name] = given
        else:
            scorers.append({"name": name, "score": score(given), "weight": None})
        if not isinstance(given, str):
            del left[name]
    return {"reward": reward, "rewards": scorers, "metrics": metrics or None}


def _is_number(given: Json) -> bool:
    return isinstance(given, int | float)


def _reads_as_number(given: Json) -> bool:
    """Whether a text or null stands for a number."""
    try:
        score(given)
    except BadLine:
        return False
    return given is None or isinstance(given, str)


def _said(left: dict[str, Any]) -> dict[str, Any]:
    """What the verifier said in words; ids and what is private stay in `left`."""
    said = {}
    for name in sorted(left.keys() - {"score", "step", "uid", "request_id", "error", "timeout"}):
        if not _SCORER.search(name) and left[name] is not None:
            said[name] = told(name, left[name])
            if said[name] == left[name]:
                del left[name]
    return {"verification_result": said or None}


FORMAT = Format(
    name="verl",
    title="verl's rollout and validation dumps, 0.9 (legacy and v1 trainer)",
    detected_by="a number for a name, and lines with `input`, `output`, `score` and `step`",
    looked_for="{step}.jsonl",
    selected="Where groups are filtered before training (DAPO), their prompts are not dumped.",
    find=find,
    recognises=recognises,
    parse=parse,
    by_name=False,
    rewinds=True,
)
