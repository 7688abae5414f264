"""A verifiers 0.3.0 taskset: short puzzles from `puzzles.json`, with a few tools.

Two rewards, `correct` (weight 1) and `tidy` (weight 0.2). A numeric puzzle reads the
answer with `float`, so a reply in words raises and leaves both rewards null, and the
reply "nan" gives a score that is not a number.
"""

from __future__ import annotations

import json
from pathlib import Path

import verifiers.v1 as vf

PUZZLES = Path(__file__).parents[1] / "puzzles.json"


class PuzzleData(vf.TaskData):
    """One puzzle: its answer as text, and whether that text is a number."""

    answer: str
    numeric: bool = False


class Desk(vf.Toolset[vf.SharedToolsetConfig]):
    """What the solver may use."""

    TOOL_PREFIX = "desk"

    @vf.tool
    def multiply(self, a: int, b: int) -> int:
        """Multiply two whole numbers."""
        return a * b

    @vf.tool
    def look_up(self, word: str) -> str:
        """Look a word up in a very small dictionary."""
        known = {"水": "water (みず)", "naïve": "lacking experience"}
        return known.get(word, f"no entry for {word!r}")


class PuzzleTask(vf.Task[PuzzleData]):
    """Scores the text behind the last "ANSWER:"."""

    @vf.reward(weight=1.0)
    async def correct(self, trace: vf.Trace) -> float:
        answer = trace.last_reply.rsplit("ANSWER:", 1)[-1].strip()
        if not self.data.numeric:
            return float(answer == self.data.answer)
        number = float(answer)
        if number != number:
            return number
        return float(number == float(self.data.answer))

    @vf.reward(weight=0.2)
    async def tidy(self, trace: vf.Trace) -> float:
        return float("ANSWER:" in trace.last_reply)

    @vf.metric
    async def reply_words(self, trace: vf.Trace) -> float:
        return float(len(trace.last_reply.split()))


class PuzzleConfig(vf.TasksetConfig):
    """Which rows of `puzzles.json` to play, by name; none means all."""

    names: tuple[str, ...] = ()
    tools: vf.SharedToolsetConfig = vf.SharedToolsetConfig()


class PuzzleTaskset(vf.Taskset[PuzzleTask, PuzzleConfig]):
    """The puzzles in the order of the file."""

    @classmethod
    def toolsets(cls, config: PuzzleConfig) -> list[vf.Toolset]:
        return [Desk(config.tools)]

    def load(self) -> list[PuzzleTask]:
        rows = json.loads(PUZZLES.read_text(encoding="utf-8"))
        if self.config.names:
            rows = [row for row in rows if row["name"] in self.config.names]
        return [PuzzleTask(PuzzleData(idx=idx, **row), self.config.task) for idx, row in enumerate(rows)]


__all__ = ["PuzzleTaskset"]

if __name__ == "__main__":
    Desk.run()
