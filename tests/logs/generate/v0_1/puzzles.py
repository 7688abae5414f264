"""The puzzles as a verifiers 0.1 environment: `load_environment()`, as every 0.1 release loads one.

Two rewards, `correct` (weight 1) and `tidy` (weight 0.2). A numeric puzzle reads the answer with `float`, so the
reply "nan" gives a score that is not a number; 0.1 scores a reply that it cannot read 0.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import verifiers as vf
from datasets import Dataset

PUZZLES = Path(__file__).parents[1] / "puzzles.json"


def desk_multiply(a: int, b: int) -> int:
    """Multiply two whole numbers.

    Args:
        a: one number
        b: the other
    """
    return a * b


def desk_look_up(word: str) -> str:
    """Look a word up in a very small dictionary.

    Args:
        word: the word
    """
    known = {"水": "water (みず)", "naïve": "lacking experience"}
    return known.get(word, f"no entry for {word!r}")


def last_reply(completion: Any) -> str:
    """The text of the last message: an object from 0.1.10 on, a dict before."""
    message = completion[-1] if completion else {}
    content = message.get("content") if isinstance(message, dict) else message.content
    return content or ""


def correct(completion: Any, answer: str, info: dict[str, Any], **rest: Any) -> float:
    """Whether the text behind the last "ANSWER:" is the answer."""
    given = last_reply(completion).rsplit("ANSWER:", 1)[-1].strip()
    if not info["numeric"]:
        return float(given == answer)
    number = float(given)
    return number if number != number else float(number == float(answer))


def tidy(completion: Any, **rest: Any) -> float:
    """Whether the reply says which part of it is the answer."""
    return float("ANSWER:" in last_reply(completion))


class OneByOne(vf.ToolEnv):
    """Plays one rollout at a time: 0.1.3's command starts all at once, and then the script's order is luck."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.turn = asyncio.Lock()

    async def rollout(self, *given: Any, **named: Any) -> Any:
        async with self.turn:
            return await super().rollout(*given, **named)


def load_environment(names: list[str], max_turns: int = 4) -> vf.Environment:
    """The puzzles of these names, in the order of `puzzles.json`."""
    rows = [row for row in json.loads(PUZZLES.read_text(encoding="utf-8")) if row["name"] in names]
    data = Dataset.from_list(
        [
            {
                "prompt": [
                    {"role": "system", "content": row["system_prompt"]},
                    {"role": "user", "content": row["prompt"]},
                ],
                "answer": row["answer"],
                "info": {"numeric": row.get("numeric", False), "name": row["name"]},
            }
            for row in rows
        ]
    )
    return OneByOne(
        dataset=data,
        eval_dataset=data,
        rubric=vf.Rubric(funcs=[correct, tidy], weights=[1.0, 0.2]),
        tools=[desk_multiply, desk_look_up],
        max_turns=max_turns,
    )
