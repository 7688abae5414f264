r"""Problems of a release of reasoning traces, as a verifiers taskset: `README.md` beside this package says which.

A reply is right when the answer that it ends on is the right one. Looked for behind the thinking, in this order: the
last `\boxed{…}`, what stands behind `####`, in `<answer>…</answer>`, or behind "answer is" or "answer:". A reply
without an answer scores 0.

The right answer is the same text but for case, spaces and markup, or, where both are mathematics, of the same value
(math-verify, each member of a list in its place). What has words, dates, codes or units in it is no mathematics, and
is compared as text: math-verify multiplies letters and subtracts dates, so that `on` is `no`, and 12 km are 12 m.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import verifiers.v1 as vf
from pydantic import Field

TASKS = Path(__file__).parent / "tasks"
TAIL = 1000
"""An answer without a box is looked for in so many last characters."""

MARKS = (
    re.compile(r".*####[ \t]*([^\n]+)", re.DOTALL),
    re.compile(r".*<answer>(.*?)</answer>", re.DOTALL),
    re.compile(r".*\banswer(?:\s+is)?\s*[:=]?\s*\**\s*(?:is\s+)?([^\n]+)", re.DOTALL | re.IGNORECASE),
)

LONGEST = 500
"""Characters of an answer that is read as mathematics."""

TEXT = re.compile(r"\\(?:text(?:bf|it|rm)?|math(?:rm|bf|sf)|mbox|operatorname)\s*\{([^{}]*)\}")
SPACE = re.compile(r"\\[ ,;:!]|\\q?quad\b|~")
COMMAND = re.compile(r"\\[A-Za-z]+")
WORDS = re.compile(
    r"[^\W\d_]{2}"  # no, AB, H2SO4, 12 km
    r"|[^\W\d_]\s+[^\W\d_]"  # a b
    r"|[^\W\d_]\d"  # e4, x1
    r"|\d\s+\d|\d_"  # 12 13, 1011_2
    r"|\d\s*:\s*\d|\d\s*([-/.])\s*\d+\s*\1\s*\d"  # 12:30, 2024-01-02, 1/2/2024, 1.2.3
    r"|^[-+\d.,]+\s*[^\W\d_]$"  # 12 m
)
"""What makes an answer a text, once LaTeX's commands are out of it."""
UNIT = re.compile(r"(?:\s*\\(?:text|mathrm|mbox)\s*\{[^{}]*\}(?:\^\{?\d\}?)?|(?<=[\d}%°])\s+[A-Za-z]{2,})$")
"""What a reply may say behind a bare number; see `COUNTS`."""
COUNTS = re.compile(r"hundred|thousand|million|billion|trillion|dozen|percent|k\b", re.IGNORECASE)
THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")


class ReleasedData(vf.TaskData):
    """A problem: its `id` is the release's problem_id, its `name` that of the log it was captured from."""

    answer: str
    env_id: str | None = None
    """The environment that scored the release's own attempts."""
    pass_rate: float | None = None
    """Of these attempts, those that were right among those that were decided."""
    difficulty_band: str | None = None


class ReleasedTask(vf.Task[ReleasedData]):
    """Compares answers."""

    @property
    def key(self) -> str:
        """The problem's id, which stays the same in every version of the release."""
        return self.data.id or self.hash

    @vf.reward(weight=1.0)
    async def correct(self, trace: vf.Trace) -> float:
        """1 for the right answer, else 0."""
        return compared(trace.last_reply, self.data.answer)

    async def validate(self, runtime: vf.Runtime) -> bool:
        """Whether the right answer is right."""
        return compared(f"\\boxed{{{self.data.answer}}}", self.data.answer) == 1.0


class ReleasedConfig(vf.TasksetConfig):
    """Which problems to load."""

    split: str = "train"
    bands: list[str] = Field(default_factory=list)
    """Difficulty bands (unsolved, hard, normal, easy, solved); none: all, also problems that have none."""


class ReleasedTaskset(vf.Taskset[ReleasedTask, ReleasedConfig]):
    """The problems in the order of the release."""

    def load(self) -> Iterator[ReleasedTask]:
        """A task for each problem, read a few hundred at a time."""
        for path in sorted(TASKS.glob("*.parquet")):
            if path.name.partition("-")[0] != self.config.split:
                continue
            for batch in pq.ParquetFile(path).iter_batches(batch_size=500):
                for row in batch.to_pylist():
                    if self.config.bands and row["difficulty_band"] not in self.config.bands:
                        continue
                    if [message["role"] for message in row["prompt"]] == ["user"]:
                        row["prompt"] = row["prompt"][0]["content"]  # every harness takes a text
                    yield ReleasedTask(ReleasedData(**row), self.config.task)


def compared(reply: str | None, answer: str) -> float:
    """1 if a reply ends on that answer, else 0."""
    said = last_answer(reply or "")
    if said is None:
        return 0.0
    if plain(said) == plain(answer):
        return 1.0
    if mathematical(answer):
        unit = UNIT.search(said)
        if unit and not COUNTS.search(unit[0]):
            said = said[: unit.start()]
        if mathematical(said):
            return float(equal(members(said), members(answer)))
    return 0.0


def last_answer(reply: str) -> str | None:
    """The answer that a reply ends on; None where there is none, or thinking alone."""
    if "<think>" in reply and "</think>" not in reply:
        return None
    behind = reply.rsplit("</think>", 1)[-1]
    if boxed := vf.extract_boxed_answer(behind, strict=True):
        return boxed
    marked = (mark.match(behind[-TAIL:]) for mark in MARKS)
    return next((found[1] for found in marked if found and plain(found[1])), None)


def plain(text: str) -> str:
    """An answer without what says nothing: case, spaces, and how it is set."""
    text = SPACE.sub(" ", TEXT.sub(r"\1", text))
    text = re.sub(r"(?<=\d)(?=[^\W\d_])", " ", text)
    text = re.sub(r"\s*([,;])\s*", r"\1", " ".join(text.split()))
    text = re.sub(r"_\{(\w+)\}", r"_\1", text).strip(" *.$").casefold()
    return text[1:-1] if re.fullmatch(r"\([a-z]\)", text) else text


def mathematical(answer: str) -> bool:
    """Whether an answer can be read as mathematics, and as nothing else."""
    bare = COMMAND.sub(r"\\", SPACE.sub(" ", TEXT.sub(r" \1 ", answer))).strip(" *.$")
    return len(answer) <= LONGEST and not WORDS.search(bare)


def members(answer: str) -> list[str]:
    """Those of a list without brackets, in its order; else the answer alone."""
    found, depth = [""], 0
    for char in THOUSANDS.sub("", answer):
        depth += (char in "([{") - (char in ")]}")
        if char in ",;" and depth == 0:
            found.append("")
        else:
            found[-1] += char
    return found


def equal(said: list[str], right: list[str]) -> bool:
    """Whether two lists have the same values in the same places."""
    pairs = zip(said, right, strict=False)
    return len(said) == len(right) and all(vf.verify_boxed_math_answer(f"\\boxed{{{a}}}", b) == 1.0 for a, b in pairs)
