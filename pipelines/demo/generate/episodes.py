"""Run the planned attempts through verifiers and hand back its own episode records.

Each attempt is one `Env.run_slot`: harness, tools, scoring and failure handling are all
verifiers' code. Nothing is stamped here.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import verifiers.v1 as vf
from plan import Attempt
from player import MAX_TOKENS
from server import MODEL, TRAVELLER
from verifiers.v1.clients import EvalClientConfig, ModelContext
from verifiers.v1.configs.cli.eval import EvalConfig
from verifiers.v1.env import Env, RunSlot
from verifiers.v1.types import SamplingConfig
from verifiers.v1.utils.loaders import load_environment

STALL_SECONDS = 20.0
LONG_SECONDS = 600.0
SEAT = {"harness": {"id": "null"}, "runtime": {"type": "subprocess"}}


def environment(taskset: str, *, seconds: float = LONG_SECONDS) -> Env:
    """The environment of a taskset, with a deadline per episode."""
    block: dict[str, Any] = {"taskset": {"id": taskset}, "timeout": {"episode": seconds}}
    if taskset == "trips":
        user = {**SEAT, "model": TRAVELLER, "max_turns": 6}
        block |= {"id": "user-sim", "assistant": SEAT, "user": user}
    else:
        block |= {"agent": SEAT}
    return load_environment(EvalConfig.model_validate({"env": block}).env)


async def run(attempts: list[Attempt], base_url: str, *, at_once: int) -> dict[int, dict[str, Any]]:
    """Episode records by seed, as verifiers writes them.

    A stalled attempt runs under a short deadline; every other one has ten minutes.
    """
    records: dict[int, dict[str, Any]] = {}
    gate = asyncio.Semaphore(at_once)
    client = EvalClientConfig(base_url=base_url, api_key_var="DEMO_API_KEY")

    async def one(env: Env, task: vf.Task, attempt: Attempt) -> None:
        sampling = SamplingConfig(temperature=1.0, max_tokens=MAX_TOKENS, seed=attempt.seed)
        context = ModelContext(client=client, model=MODEL, sampling=sampling)
        episode = await env.run_slot(RunSlot(task), context, gate)
        records[attempt.seed] = episode.to_record()
        print(f"\r{len(records)} of {len(attempts)} episodes", end="", file=sys.stderr)

    for taskset in ("rg-mix", "estimates", "orders", "trips"):
        for stalled in (False, True):
            chosen = [a for a in attempts if a.problem.env == taskset and (a.conduct == "stalled") is stalled]
            if not chosen:
                continue
            env = environment(taskset, seconds=STALL_SECONDS if stalled else LONG_SECONDS)
            tasks = list(env.taskset)
            async with env.serving():
                await asyncio.gather(*(one(env, tasks[a.problem.index], a) for a in chosen))
    print(file=sys.stderr)
    return records
