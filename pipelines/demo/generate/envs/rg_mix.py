"""Single-turn puzzles and sums from reasoning-gym, scored right or wrong.

Eight reasoning-gym datasets, two problems each. The answer stands in `<answer>` tags;
`correct` is reasoning-gym's own scorer cut at full marks, `format_ok` a small bonus for
the tags. An answer without tags is read from the last line, so it can be correct and
badly formed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import reasoning_gym
import verifiers.v1 as vf
from answers import tagged_answer, visible

DATASETS: dict[str, dict[str, Any]] = {  # Any: each dataset has settings of its own
    "leg_counting": {"min_animals": 4, "max_animals": 7},
    "gcd": {"min_value": 300, "max_value": 4000},
    "simple_equations": {},
    "base_conversion": {"min_value": 200},
    "products": {"min_digits": 3, "max_digits": 4},
    "prime_factorization": {"min_value": 600, "max_value": 6000},
    "letter_counting": {"min_words": 9, "max_words": 13},
    "knights_knaves": {},
}
PER_DATASET = 2
SEED = 2026


def entry(dataset: str, index: int) -> dict[str, Any]:
    """One reasoning-gym entry; the same for the same arguments."""
    source = reasoning_gym.create_dataset(dataset, size=PER_DATASET, seed=SEED, **DATASETS[dataset])
    return source[index]


class RgMixData(vf.TaskData):
    answer: str
    source_dataset: str
    source_index: int


class RgMixTask(vf.Task[RgMixData]):
    @vf.reward(weight=1.0)
    async def correct(self, task: RgMixData, trace: vf.Trace) -> float:
        lines = visible(trace.last_reply).strip().splitlines()
        answer = tagged_answer(trace.last_reply) or (lines[-1].rstrip(".") if lines else "")
        dataset = reasoning_gym.create_dataset(
            task.source_dataset, size=PER_DATASET, seed=SEED, **DATASETS[task.source_dataset]
        )
        score = dataset.score_answer(answer, dataset[task.source_index])
        return 1.0 if score >= 1.0 else 0.0

    @vf.reward(weight=0.2)
    async def format_ok(self, trace: vf.Trace) -> float:
        return 1.0 if tagged_answer(trace.last_reply) is not None else 0.0

    @vf.metric
    async def reply_words(self, trace: vf.Trace) -> float:
        return float(len(trace.last_reply.split()))


class RgMixTaskset(vf.Taskset[RgMixTask]):
    def load(self) -> Iterable[RgMixTask]:
        for dataset in DATASETS:
            for index in range(PER_DATASET):
                found = entry(dataset, index)
                yield RgMixTask(
                    RgMixData(
                        name=f"{dataset}-{index}",
                        system_prompt="Think step by step, then give the final answer in <answer></answer> tags.",
                        prompt=found["question"].strip(),
                        answer=found["answer"],
                        source_dataset=dataset,
                        source_index=index,
                    ),
                    self.config.task,
                )


__all__ = ["RgMixTaskset"]
