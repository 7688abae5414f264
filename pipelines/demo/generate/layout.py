"""Write stamped episodes as prime-rl's file monitor does (layout of summer 2026).

    <run>/rollouts/step_N/{train,eval}/{all,effective}/traces.jsonl   <run>/metrics.jsonl

`all` holds every episode that ended, in order of arrival. `effective` holds what a trainer
would get: traces without errors whose advantage (reward minus the group's mean) is not 0.
"""

from __future__ import annotations

import copy
import json
from collections import defaultdict
from pathlib import Path

from plan import TRAIN_STEPS
from stamp import START, STEP_SECONDS, Record, Stamped

LATE_GROUPS = 4
"""Every n-th group ships one step after it was collected, but for the last step."""


def reward(trace: Record) -> float | None:
    """The weighted sum of a trace's scores; None where nothing or not all was scored."""
    scores = list(trace["rewards"].values())
    if not scores or None in scores:
        return None
    return sum(score["score"] * score["weight"] for score in scores)


def write_run(episodes: list[Stamped], run: Path) -> None:
    """The whole tree below `run`, which must not exist."""
    files: dict[str, list[Record]] = defaultdict(list)
    for episode in sorted(episodes, key=lambda e: (e.arrival, e.attempt.seed)):
        kind, step = episode.attempt.kind, episode.attempt.step
        files[f"rollouts/step_{step}/{kind}/all/traces.jsonl"].append(episode.record)
        if kind == "eval" and (kept := _usable(episode.record)):
            eligible = _holding(episode.record, kept)
            files[f"rollouts/step_{step}/eval/effective/traces.jsonl"].append(eligible)
    for step, record in _shipped(episodes):
        files[f"rollouts/step_{step}/train/effective/traces.jsonl"].append(record)
    files["metrics.jsonl"] = _metrics(episodes)
    for name, records in files.items():
        path = run / name
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = (json.dumps(r, ensure_ascii=False, separators=(",", ":")) for r in records)
        path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def _usable(record: Record) -> list[Record]:
    if not record["ok"]:
        return []
    return [t for t in record["traces"] if t["ok"] and t["agent"]["trainable"]]


def _holding(record: Record, traces: list[Record]) -> Record:
    """A copy of an episode with only these traces, its token counts summed over them."""
    counts = ("num_input_tokens", "num_output_tokens", "num_total_tokens")
    return {**record, "traces": traces, **{c: sum(t[c] for t in traces) for c in counts}}


def _shipped(episodes: list[Stamped]) -> list[tuple[int, Record]]:
    """Train episodes with their advantages, by ship step, then arrival."""
    groups: dict[int, list[Stamped]] = defaultdict(list)
    for episode in episodes:
        if episode.attempt.kind == "train" and _usable(episode.record):
            groups[episode.attempt.group].append(episode)
    shipped = []
    for group, members in groups.items():
        scores = {m.attempt.seed: [reward(t) or 0.0 for t in _usable(m.record)] for m in members}
        every = [score for found in scores.values() for score in found]
        mean = sum(every) / len(every)
        step = members[0].attempt.step
        late = group % LATE_GROUPS == 1 and step < TRAIN_STEPS
        for member in members:
            record = copy.deepcopy(member.record)
            traces = []
            for trace, score in zip(_usable(record), scores[member.attempt.seed], strict=True):
                advantage = round(score - mean, 6)
                if not advantage:
                    continue
                trace["info"]["advantage"] = advantage
                for node in trace["nodes"]:
                    if node["sampled"]:
                        # One value per sampled token; the chat endpoint gave no tokens.
                        node["advantages"] = [advantage] * sum(node["mask"])
                traces.append(trace)
            if traces:
                shipped.append((step + late, member.arrival, member.attempt.seed, _holding(record, traces)))
    shipped.sort(key=lambda item: item[:3])
    return [(step, record) for step, _, _, record in shipped]


def _metrics(episodes: list[Stamped]) -> list[Record]:
    """One row a step with mean rewards and shares, as numbers only."""
    rows = []
    for step in range(1, TRAIN_STEPS + 1):
        row: Record = {"step": step, "time": START + STEP_SECONDS * step}
        for kind in ("train", "eval"):
            chosen = [e for e in episodes if e.attempt.step == step and e.attempt.kind == kind]
            if not chosen:
                continue
            failed = sum(not e.record["ok"] for e in chosen) / len(chosen)
            row[f"{kind}/agg/all/has_error/mean"] = round(failed, 6)
            for env in sorted({e.attempt.problem.env for e in chosen}):
                found = [
                    score
                    for e in chosen
                    if e.attempt.problem.env == env
                    for trace in _usable(e.record)
                    if (score := reward(trace)) is not None
                ]
                if found:
                    row[f"{kind}/{env}/all/reward/mean"] = round(sum(found) / len(found), 6)
        train = [e for e in episodes if e.attempt.step == step and e.attempt.kind == "train"]
        row["progress/rollouts"] = len(train)
        row["progress/tasks"] = len({e.attempt.group for e in train})
        rows.append(row)
    return rows
