"""Write `ms_swift`: completions as ms-swift 4.6.0 logs them, by its own writer.

    VENV/bin/python ms_swift_4_6_0.py          # a venv with requirements_ms_swift_4_6_0.txt

The writer and what it does to values are ms-swift's (`swift.utils.io_utils.JsonlWriter`). Its trainers need a model
and a GPU: the tables that they hand to the writer are arranged here, as `GRPOTrainer.log`, the Megatron trainer's
`_build_log_table` and the Ray trainer's `_maybe_log_completions` arrange them. So are prompts and answers.
"""

from __future__ import annotations

import math
import shutil
from collections import deque
from pathlib import Path
from typing import Any

LOGS = Path(__file__).resolve().parent.parent / "ms_swift"
BATCH = 4

SYSTEM = "<|im_start|>system\nThink first.<|im_end|>\n"


def asked(question: str, *, system: str = SYSTEM) -> str:
    """A prompt as the template of Qwen's models renders it."""
    return f"{system}<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n"


def attempt(question: str, answer: str, right: float, form: float, solution: str, **more: Any) -> dict[str, Any]:
    """What the trainer knows of an attempt."""
    return {"prompt": asked(question), "completion": answer, "right": right, "form": form, "solution": solution} | more


SUM = [
    attempt("What is 17 + 25?", "<think>17 + 25 = 42</think>42", 1.0, 1.0, "42", advantages=0.5, num_turns=1),
    attempt("What is 17 + 25?", "<think>17 + 25 = 43</think>43", 0.0, 1.0, "42", advantages=-1.5, num_turns=1),
    attempt("What is 17 + 25?", "42", 1.0, 0.0, "42", advantages=0.5, num_turns=1),
    attempt("What is 17 + 25?", "42", 1.0, 0.0, "42", advantages=0.5, num_turns=1),  # says the same as the one before
]
LETTERS = [
    attempt(
        "Spell «naïve» backwards 🙃\u2028in one word", "<think>e, v, ï</think>evïan", 1.0, 1.0, "evïan", num_turns=2
    ),
    attempt("Spell «naïve» backwards 🙃\u2028in one word", "", 0.0, 0.0, "evïan", num_turns=1),
    attempt("Is 0.1 + 0.2 = 0.3?", "<think>in floats</think>no\n<answer>no</answer>", math.nan, 1.0, "no", num_turns=1),
    attempt("Is 0.1 + 0.2 = 0.3?", 'yes, "roughly"', 0.0, 0.0, "no", num_turns=3),
]


class Buffers:
    """The trainer's buffers of the last batch: what is not replaced is logged again."""

    def __init__(self) -> None:
        self.of: dict[str, deque[Any]] = {}

    def fill(self, batch: list[dict[str, Any]]) -> None:
        """Take a batch."""
        for one in batch:
            for key, value in one.items():
                self.of.setdefault(key, deque(maxlen=BATCH)).append(value)

    def table(self, step: dict[str, Any], *, extras: bool) -> dict[str, list[Any]]:
        """The columns that are logged."""
        table = {key: [value] * len(self.of["prompt"]) for key, value in step.items()}
        table |= {key: list(self.of[key]) for key in ("prompt", "completion")}
        table |= {"MathAccuracy": list(self.of["right"]), "Format": list(self.of["form"])}
        table["advantages"] = list(self.of["advantages"])
        return table | ({key: list(self.of[key]) for key in ("solution", "num_turns")} if extras else {})


def main() -> None:
    """Write all three."""
    from swift.utils.io_utils import JsonlWriter  # what it imports takes seconds

    shutil.rmtree(LOGS, ignore_errors=True)
    second = [one | {"advantages": value} for one, value in zip(LETTERS, (0.75, -0.75, 0.0, 0.0), strict=True)]

    buffers, writer = Buffers(), JsonlWriter(str(LOGS / "grpo" / "completions.jsonl"))
    buffers.fill(SUM)
    writer.append(buffers.table({"step": "1"}, extras=True))
    writer.append(buffers.table({"step": "2"}, extras=True))  # no new batch was generated in between
    buffers.fill(second)
    # Entropies come when tokens are trained on; while a step is under way, the other columns are cut to their number.
    table = buffers.table({"step": "3"}, extras=True) | {"entropy": [0.25, 0.5, 0.125]}
    writer.append({key: column[:3] for key, column in table.items()})

    buffers, writer = Buffers(), JsonlWriter(str(LOGS / "megatron" / "completions.jsonl"), write_on_rank="last")
    buffers.fill(SUM)
    writer.append(buffers.table({"gen_step": 0}, extras=False))

    writer = JsonlWriter(str(LOGS / "ray" / "completions.jsonl"))
    rows = [{"gen_step": 5, "prompt": one["prompt"], "completion": one["completion"]} for one in SUM[:3]]
    rows[2]["prompt"] = "user: What is 17 + 25?\n"  # its fallback where the template fails
    writer.append([row | {"reward": one["right"] + one["form"]} for row, one in zip(rows, SUM, strict=False)])


if __name__ == "__main__":
    main()
