"""Write what a reader must find in `verl` and `trl`, from the raw files alone.

    VENV/bin/python expect_flat.py          # a venv with pyarrow

Nothing of the package under test is used. Decided by hand, and written below: into which roles a prompt of verl can be
cut without a guess, and which scores are no verdict.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

LOGS = Path(__file__).resolve().parent.parent

CHAT = ["system", "user"]
# Prompts of `legacy/rollout/10.jsonl`: two turns, Llama's template, a role's name in a question, and one without any
# template have more than one reading, or none.
WHOLE = {("legacy/rollout/10.jsonl", line) for line in (0, 1, 2, 8)}
WITHOUT_SYSTEM = {"legacy/rollout/2.jsonl"}
# Its scorer raised an error, and the 0 beside it is no judgement.
FAILED = {("legacy/rollout/10.jsonl", 6)}


def finite(number: Any) -> float | None:
    """A score, where it is one."""
    return None if number is None or not math.isfinite(number) else float(number)


def verl(name: str, path: Path) -> dict[str, Any]:
    """The rows of one dump."""
    *whole, torn = path.read_bytes().split(b"\n")
    rows = []
    for number, raw in enumerate(whole):
        line, at = json.loads(raw), (name, number)
        prompt, rollout, segment = line["uid"].rsplit("_", 2) if "uid" in line else (None, None, None)
        judged = {"True": True, "False": False}.get(str(line.get("acc")))
        # Further segments of v1 have an earlier turn in their prompt.
        roles = ["user"] if at in WHOLE or (segment or "0") != "0" else CHAT[1:] if name in WITHOUT_SYSTEM else CHAT
        rows.append(
            {
                "trace_id": f"{prompt}_{rollout}" if prompt else None,
                "branch": int(segment or 0),
                "group": prompt or [line["step"], line["input"], line["gts"]],
                "sample_index": None if rollout is None else int(rollout),
                "kind": "eval" if "validation" in name else "train",
                "step": line["step"],
                "reward": finite(line["score"]),
                "verdict": None if at in FAILED else judged,
                "ok": at not in FAILED,
                "ground_truth": line["gts"],
                "roles": [*roles, "assistant"],
                "answer": ("<think>\n" if line["input"].endswith("<think>\n") else "") + line["output"],
            }
        )
    return {"lines": len(whole), "torn_bytes": len(torn), "row": rows}


def trl(name: str, path: Path) -> dict[str, Any]:
    """The rows of one table of completions."""
    rows = []
    for line in pq.read_table(path).to_pylist():
        scores = [finite(line["accuracy_reward"]), finite(line["format_reward"])]
        said = [score for score in scores if score is not None]
        prompt, completion = line["prompt"], line["completion"]
        native = isinstance(prompt, list)
        roles = [one["role"] for one in prompt] if native else CHAT if prompt.startswith("<|im_start|>") else ["user"]
        calls = [
            [call["function"]["name"], {k: v for k, v in call["function"]["arguments"].items() if v is not None}]
            for one in (completion if native else [])
            for call in one.get("tool_calls") or []
        ]
        for _, arguments in calls:
            arguments.update({"at": {"page": "sums"}} if "at" in arguments else {})
        last = completion[-1]["content"] if native else completion
        rows.append(
            {
                "step": line["step"],
                "scores": scores,
                "reward": sum(said) if said else None,
                "verdict": None if scores[0] is None else scores[0] == 1,
                "ground_truth": line.get("answer", line["solution"]),
                "advantage": line["advantage"],
                "roles": [*roles, *([one["role"] for one in completion] if native else ["assistant"])],
                "num_prompt_messages": len(roles),
                "answer": (
                    "".join(part["text"] for part in last)
                    if isinstance(last, list)
                    else ("<think>\n" if not native and prompt.endswith("<think>\n") else "") + last
                ),
                "calls": calls,
                "text_form": "native" if native else "parsed",
                "same": json.dumps([prompt, completion, scores]),
            }
        )
    return {"lines": len(rows), "torn_bytes": 0, "row": rows}


for framework, ending, read in (("verl", "jsonl", verl), ("trl", "parquet", trl)):
    for folder in sorted(path for path in (LOGS / framework).iterdir() if path.is_dir()):
        files = sorted(folder.rglob(f"*.{ending}"))
        found = {str(f.relative_to(folder)): read(str(f.relative_to(LOGS / framework)), f) for f in files}
        text = json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        (folder / "expected.json").write_text(text, "utf-8")
