"""Stamp verifiers' episode records as a training run would, and make them repeatable.

Adds group, run, work and environment names; replaces ids, times, addresses and folders by
neutral ones drawn from the plan, so two runs of the generator write the same bytes.
Times are arranged (75 tokens a second), not measured.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from random import Random
from typing import Any
from uuid import UUID

from plan import SEED, Attempt

RUN_NAME = "rg-mix+estimates+orders+trips--reasoner-1b--7f3a9c21"
START = datetime(2026, 11, 20, 8, 0, tzinfo=UTC).timestamp()
STEP_SECONDS = 420.0
TOKENS_A_SECOND = 75.0

# Only traces matter here, and JSON has no fixed shape.
Record = dict[str, Any]


@dataclass(frozen=True)
class Stamped:
    attempt: Attempt
    record: Record
    arrival: float
    """When the episode ended, in epoch seconds."""


def fixed_id(what: str) -> UUID:
    """A version 4 UUID that depends on `what` only."""
    return UUID(bytes=blake2b(f"{SEED}/{what}".encode(), digest_size=16).digest(), version=4)


def policy(attempt: Attempt) -> tuple[int, int, int]:
    """Dispatch step, and policy versions at start and end.

    Most groups are fresh; some lag one to three versions, some see an update on the way.
    """
    rng = Random(f"{SEED}/policy/{attempt.group}")
    newest = attempt.step - 1
    if attempt.kind == "eval":
        return attempt.step, newest, newest
    lag = min(newest, rng.choices((0, 1, 2, 3), (0.6, 0.2, 0.12, 0.08))[0])
    late = Random(f"{SEED}/drift/{attempt.seed}").random() < 0.2
    start = newest - lag
    return attempt.step - min(lag, 1), start, start + int(late)


def stamp(record: Record, attempt: Attempt, base_url: str) -> Stamped:
    """One episode record as the run's file monitor would see it."""
    text = json.dumps(record, ensure_ascii=False)
    text = text.replace(base_url, "http://127.0.0.1:8000/v1")
    text = re.sub(r'(?<=["\'])/[^"\']*?/verifiers/runtimes/', "/opt/r/cache/verifiers/runtimes/", text)
    text = re.sub(r'(?<=File \\")[^"]*?/site-packages/', "/opt/r/venv/lib/python3.11/site-packages/", text)
    text = re.sub(r'(?<=File \\")[^"]*?/generate/envs/', "/opt/r/envs/", text)
    text = re.sub(r'(?<=File \\")(?!/opt/r/)[^"]*?/lib/python3', "/opt/r/python/lib/python3", text)
    for trace in record["traces"]:
        name = f"trace/{attempt.seed}/{trace['agent']['name']}"
        text = text.replace(trace["id"], fixed_id(name).hex)
    out: Record = json.loads(text)
    step, start, end = policy(attempt)
    suffix = "-eval" if attempt.kind == "eval" else ""
    stamps: Record = {
        "id": fixed_id(f"episode/{attempt.seed}").hex,
        "env": {"id": out["env"]["id"], "name": attempt.problem.env + suffix},
        "task": out["task"],
        "group": {"id": str(fixed_id(f"group/{attempt.group}"))},
        "run": {
            "type": "train",
            "id": fixed_id("run").hex,
            "name": RUN_NAME,
            "work": {"type": attempt.kind, "step": step, "policy": {"start": start, "end": end}},
        },
    }
    out = {**stamps, **{key: value for key, value in out.items() if key not in stamps}}
    rng = Random(f"{SEED}/clock/{attempt.seed}")
    began = START + STEP_SECONDS * (attempt.step - 1) + rng.uniform(0, 180)
    ends = [_retime(trace, began, rng) for trace in out["traces"]]
    return Stamped(attempt, out, max(ends, default=began + 20.0))


def _retime(trace: Record, began: float, rng: Random) -> float:
    """Give a trace arranged times; gives when it ended."""
    timing = trace["timing"]
    reached = {key: span["end"] > 0 for key, span in timing.items() if isinstance(span, dict)}
    now = round(began, 6)
    timing["start"] = now

    def span(key: str, seconds: float) -> None:
        nonlocal now
        if reached.get(key) and key in timing:
            timing[key]["start"] = now
            now = round(now + seconds, 6)
            timing[key]["end"] = now

    span("boot", 0.004)
    span("setup", 0.35)
    agent_start = now
    now = round(now + 0.8, 6)
    model = 0.0
    seen = 0
    for call in trace["calls"]:
        seconds = 0.05
        if "error" not in call:
            seconds = 0.3 + call["usage"]["completion_tokens"] / TOKENS_A_SECOND
        seconds = round(seconds * rng.uniform(0.9, 1.15), 6)
        call["time"] = {"start": now, "end": round(now + seconds, 6)}
        now, model = round(now + seconds, 6), model + seconds
        for node in trace["nodes"][seen : call.get("node", -1) + 1]:
            node["timestamp"] = now
        seen = max(seen, call.get("node", -1) + 1)
        now = round(now + 0.15, 6)
    for node in trace["nodes"][seen:]:
        node["timestamp"] = now
    if reached.get("agent"):
        now = round(now + 0.4, 6)
        timing["agent"]["start"], timing["agent"]["end"] = agent_start, now
        timing["agent"]["model"] = {"duration": round(model, 6)}
        timing["agent"]["harness"] = {"duration": round(now - agent_start - model, 6)}
    span("finalize", 0.0002)
    span("scoring", 0.003)
    return now
