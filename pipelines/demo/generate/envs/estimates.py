"""Numbers to estimate by hand, scored by how close the answer comes.

Square roots, cube roots and compound growth: no answer in decimals is exact, so the one
scorer, `closeness`, lies strictly between 0 and 1 for every number given. What counts as
right is for a reader's recipe to say (`closeness > 0.7` is a fair line).
The weight is 10, so rewards run from 0 to 10.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import verifiers.v1 as vf
from answers import tagged_answer

NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
CLOSE = 150.0
"""A relative error of 1/150 halves the score."""


@dataclass(frozen=True)
class Estimate:
    name: str
    kind: str
    """square_root, cube_root or growth."""
    values: tuple[float, ...]
    prompt: str
    truth: float


def _root(kind: str, number: int) -> Estimate:
    what, power = ("square root", 2) if kind == "square_root" else ("cube root", 3)
    return Estimate(
        name=f"{kind}-{number}",
        kind=kind,
        values=(float(number),),
        prompt=f"Estimate the {what} of {number} by hand, as exactly as you can. "
        "Give a decimal number in <answer></answer> tags.",
        truth=number ** (1 / power),
    )


def _growth(start: int, percent: float, years: int, what: str) -> Estimate:
    return Estimate(
        name=f"growth-{start}-{percent}-{years}",
        kind="growth",
        values=(float(start), percent, float(years)),
        prompt=f"{what} of {start} grows by {percent} % a year. How large is it after {years} "
        "years? Work by hand, as exactly as you can, and give a decimal number in "
        "<answer></answer> tags.",
        truth=start * (1 + percent / 100) ** years,
    )


ESTIMATES = (
    _root("square_root", 4187),
    _root("cube_root", 1911),
    _growth(2350, 3.7, 6, "A town’s meadow-bird count"),
    _root("square_root", 731),
    _growth(640, 5.3, 5, "A savings plan"),
    _root("cube_root", 30500),
)


def tagged_number(text: str) -> float | None:
    """The number in the last `<answer>` tags, or None."""
    tagged = tagged_answer(text)
    found = NUMBER.search(tagged.replace(",", "")) if tagged else None
    return float(found.group()) if found else None


class EstimateData(vf.TaskData):
    answer: float
    kind: str


class EstimateTask(vf.Task[EstimateData]):
    @vf.reward(weight=10.0)
    async def closeness(self, task: EstimateData, trace: vf.Trace) -> float:
        given = tagged_number(trace.last_reply)
        if given is None:
            return 0.0
        return round(1.0 / (1.0 + CLOSE * abs(given - task.answer) / task.answer), 6)

    @vf.metric
    async def relative_error(self, task: EstimateData, trace: vf.Trace) -> float:
        given = tagged_number(trace.last_reply)
        return 1.0 if given is None else round(abs(given - task.answer) / task.answer, 8)


class EstimateTaskset(vf.Taskset[EstimateTask]):
    def load(self) -> Iterable[EstimateTask]:
        for item in ESTIMATES:
            yield EstimateTask(
                EstimateData(name=item.name, prompt=item.prompt, answer=round(item.truth, 8), kind=item.kind),
                self.config.task,
            )


__all__ = ["EstimateTaskset"]
