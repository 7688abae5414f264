"""Write `verl/legacy` and `verl/v1` with verl's own dump functions.

    VENV/bin/python verl_0_9_1.py

The modules that hold them import ray, vLLM and a transfer queue, so the functions are taken out of the installed
package's source, as they stand there, and run: `_dump_generations`, `_write_generations` and their executor, of
`RayPPOTrainer` (legacy) and `PPOTrainer` (v1). What a trainer hands to them is made up here as it would be: prompts and
answers without special tokens, numpy values from reward functions, v1's lines sorted by uid. By hand: the cut at the
end of the legacy run's last file.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
import uuid
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

LOGS = Path(__file__).resolve().parent.parent
NAMES = ("_write_generations", "_dump_generations", "_init_dump_executor", "_shutdown_dump_executor")

SYSTEM = "You are a careful solver. End with '####' and the answer."
TASKS = {
    "A crate holds 12 jars. How many jars do 7 crates hold?": ("84", ["12 times 7 is 84.", "12 plus 7 is 19."]),
    "Ida reads 15 pages a day. How many days for 90 pages?": ("6", ["90 / 15 = 6.", "90 - 15 = 75, so 75 days."]),
    "Zoë has 3 coins of 50 c. How much is that in €?": ("1.5", ["3 × 0.50 € = 1.50 €.", "150."]),
}


def writer(source: str) -> Any:
    """An object with the dump functions of the one class in a file of verl that has them."""
    found = find_spec("verl")
    assert found is not None
    assert found.origin is not None
    tree = ast.parse((Path(found.origin).parent / source).read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            body = [part for part in node.body if isinstance(part, ast.FunctionDef) and part.name in NAMES]
            if len(body) == len(NAMES):
                cut = ast.Module([ast.ClassDef("Writer", [], [], body, [])], [])
                names: dict[str, Any] = {"json": json, "np": np, "os": os, "ThreadPoolExecutor": ThreadPoolExecutor}
                exec(compile(ast.fix_missing_locations(cut), source, "exec"), names)
                return names["Writer"]()
    raise SystemExit(f"{source}: no class with {', '.join(NAMES)}")


def rendered(question: str, system: str | None = SYSTEM, begun: str = "") -> str:
    """A prompt of Qwen's template, decoded without special tokens."""
    return (f"system\n{system}\n" if system else "") + f"user\n{question}\nassistant\n{begun}"


def answer(way: str, says: str) -> str:
    """What a model wrote."""
    return f"<think>\n{way}\n</think>\n\n#### {says}"


def ids(name: str, count: int) -> list[str]:
    """Ids counted from a name."""
    return [str(uuid.uuid5(uuid.NAMESPACE_URL, f"verl/{name}/{i}")) for i in range(count)]


def attempts(each: int) -> list[tuple[str, str, str, bool]]:
    """question, truth, answer, right: `each` attempts at every task, one task after the other."""
    rows = []
    for question, (truth, ways) in TASKS.items():
        for i in range(each):
            right = i % 2 == 0
            says = truth if right else str(len(question) + i)
            rows.append((question, truth, answer(ways[i % 2] + " So." * i, says), right))
    return rows


def dump(trainer: Any, step: int, folder: Path, lines: list[tuple[Any, ...]], **extra: Any) -> None:
    """Write one file: lines of input, output, gts and score, and the columns beside them."""
    trainer.global_steps = step
    inputs, outputs, gts, scores = (list(column) for column in zip(*lines, strict=True))
    trainer._dump_generations(inputs, outputs, gts, scores, extra, str(folder))


def legacy(run: Path) -> None:
    """A run of the legacy trainer: its groups are shuffled, and its columns differ between steps."""
    trainer = writer("trainer/ppo/ray_trainer.py")
    trainer._init_dump_executor()
    rows = attempts(4)
    order = np.random.RandomState(7).permutation(len(rows))
    rows = [rows[i] for i in order]
    good = [right for *_, right in rows]

    # A reward dict (DAPO): its `score` overwrites the sum of token scores, which held the penalty too.
    penalty = [-0.5 if i == 3 else 0.0 for i in range(len(rows))]
    lines = [(rendered(q), a, t, (1.0 if r else -1.0) + penalty[i]) for i, (q, t, a, r) in enumerate(rows)]
    extra = {"score": [1.0 if r else -1.0 for r in good], "acc": good, "pred": [a.split()[-1] for _, _, a, _ in rows]}
    extra |= {"overlong_reward": penalty, "overlong": [p < 0 for p in penalty], "request_id": ids("legacy", len(rows))}
    dump(trainer, 1, run / "rollout", lines, **extra)

    # numpy's scalars become text; numbers that JSON has no word for; a column of another length is left out.
    acc = np.array([np.bool_(right) for right in good], dtype=object).tolist()
    close = [np.float32(0.5), np.float64(0.25), np.int64(1)] * 4
    scores = [1.0 if r else 0.0 for r in good]
    scores[0], scores[1] = float("nan"), float("inf")
    lines = [(rendered(q, None), a, [t, f"{t}.0"] if i % 3 else None, scores[i]) for i, (q, t, a, _) in enumerate(rows)]
    dump(trainer, 2, run / "rollout", lines, acc=acc, format_score=close, tokens_seen=[np.int64(9)] * 12, short=[1])

    # What only looks like roles, an opened <think>, a scorer that failed, an empty answer, odd characters.
    q, t, a, _ = attempts(1)[0]
    turns = rendered(q) + "84\nuser\nSure?\nassistant\n"
    llama = f"system\n\n{SYSTEM}user\n\n{q}assistant\n\n"
    quoted = rendered("Who asks?\nuser\nOr is it me?")
    odd = "4\u2028\u0000 é 🙂 </s>"
    lines = [
        (turns, a, t, 1.0),
        (llama, a, t, 1.0),
        (quoted, a, t, 0.0),
        (rendered(q, begun="<think>\n"), a.removeprefix("<think>\n"), t, 1.0),
        (rendered(q), "", t, 0.0),
        (rendered(q), odd, {"value": 84}, 0.0),
        (rendered(q), a, t, 0.0),
        (rendered(q), a + "\nuser\nresult: 84\nassistant\n#### 84", t, 1.0),
        ("A prompt without a template:", a, t, 1.0),
        (rendered(q), a, t, 1.0),
    ]
    trace = 'File "/opt/r/env/lib/score.py", line 3, in score\nTimeoutError'
    failed: list[Any] = [None] * 6 + [trace] + [None] * 3
    accs = [True, True, False, True, False, False, 0.0, True, True, True]
    feedback = ["ok"] * 6 + ["see /opt/r/env/lib/score.py"] + [r"\sqrt{3}/2"] * 3
    dump(trainer, 10, run / "rollout", lines, acc=accs, error=failed, feedback=feedback, pred=[r"\sqrt{3}/2"] * 10)

    few = rows[:3]
    lines = [(rendered(q), a, t, float(r)) for q, t, a, r in few]
    dump(trainer, 0, run / "validation", lines, reward=[float(r) for *_, r in few])
    lines = [(rendered(q), a, t, float(r) - 0.25) for q, t, a, r in few]
    extra = {"reward": [float(r) - 0.25 for *_, r in few], "score": [float(r) for *_, r in few]}
    dump(trainer, 10, run / "validation", lines, **extra)
    trainer._shutdown_dump_executor()
    last = run / "rollout" / "10.jsonl"
    last.write_bytes(last.read_bytes()[:-40])


def v1(run: Path) -> None:
    """A run of the v1 trainer: uids, sorted; of one rollout, the context was cut into three segments."""
    trainer = writer("trainer/ppo/v1/trainer_base.py")
    trainer._init_dump_executor()
    for step in (1, 2):
        keyed = []
        for i, (question, truth, text, right) in enumerate(attempts(2)):
            prompt = ids(f"v1/{step}", len(TASKS))[i // 2]
            segments = 3 if (step, i) == (1, 1) else 1
            for segment in range(segments):
                asked = (
                    rendered(question)
                    if not segment
                    else rendered(question) + f"part {segment}\nuser\nGo on.\nassistant\n"
                )
                keyed.append(((prompt, i % 2, segment), (asked, text, truth, float(right and segment == segments - 1))))
        keyed.sort()
        uids = [f"{prompt}_{rollout}_{segment}" for (prompt, rollout, segment), _ in keyed]
        dump(trainer, step, run / "rollout", [line for _, line in keyed], uid=uids)
    for step in (0, 2):
        keyed = sorted(
            ((prompt, rollout, 0), (rendered(q), a, t, float(r)))
            for (q, t, a, r), (prompt, rollout) in zip(
                attempts(2), [(p, n) for p in ids(f"v1/val/{step}", len(TASKS)) for n in (0, 1)], strict=True
            )
        )
        lines = [line for _, line in keyed]
        # Rollouts whose reward function gave no dict leave holes; numpy's values become JSON's.
        acc: list[Any] = [np.bool_(line[3]) for line in lines]
        acc[0], acc[3] = None, None
        said = [np.array([1, 2]), {"score": np.float32(0.5)}, None, "ok", 3, 0.5]
        uids = [f"{prompt}_{rollout}_{segment}" for (prompt, rollout, segment), _ in keyed]
        extra: dict[str, Any] = {"reward": [line[3] for line in lines], "acc": acc, "uid": uids}
        dump(trainer, step, run / "validation", lines, **extra | ({"detail": said} if step else {}))
    trainer._shutdown_dump_executor()


for name, write in {"legacy": legacy, "v1": v1}.items():
    for folder in ("rollout", "validation"):
        shutil.rmtree(LOGS / "verl" / name / folder, ignore_errors=True)
    write(LOGS / "verl" / name)
