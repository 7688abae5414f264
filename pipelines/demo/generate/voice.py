"""How the scripted model talks: ways to begin, go on, doubt, check and end.

A `Voice` draws every phrase from its own seeded generator, so the same seed gives the
same text. `Working` is what a writer hands back: thinking, answer, and the visible reply.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class Working:
    thinking: str
    answer: str
    reply: str
    """What the reader sees after the thinking, without the answer tags."""


class Voice:
    """Phrases from one seeded generator; moods change how often it doubts and checks."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.mood = rng.choice(("plain", "brisk", "doubting", "tutor"))

    def pick(self, *phrases: str) -> str:
        """One of the phrases."""
        return self.rng.choice(phrases)

    def begin(self, task: str) -> str:
        """An opening that says what is asked; `task` completes "I need to …"."""
        return {
            "plain": self.pick(f"I need to {task}.", f"The job here is to {task}.", f"So I have to {task}."),
            "brisk": self.pick(f"Task: {task}.", f"Okay, {task}. Straight to it.", f"Right: {task}."),
            "doubting": self.pick(
                f"Okay, so I need to {task}. Let me be careful, this is the kind of thing where one slip ruins everything.",
                f"Hmm, I have to {task}. I will go slowly and write every step down.",
                f"Let me {task}. I should not trust my first guess here.",
            ),
            "tutor": self.pick(
                f"We want to {task}. It helps to settle on a method before touching the numbers.",
                f"The question asks us to {task}. Let us lay out the pieces first and then put them together.",
                f"To {task}, we first write down what is given.",
            ),
        }[self.mood]

    def then(self) -> str:
        """A word that leads to the next step."""
        return self.pick("Next,", "Then", "Now", "After that,", "Moving on,")

    def doubt(self) -> str:
        """A phrase before redoing something."""
        return self.pick(
            "Wait, that is not right.",
            "Hold on, let me redo that.",
            "No, I misread my own line.",
            "Hmm, that looks off, let me recompute.",
            "Actually, no.",
        )

    def doubt_whole(self) -> str:
        """A phrase before doing everything again."""
        return self.pick(
            "But am I sure? Let me do the whole thing again from the start.",
            "Hmm, before I answer I want to go through it once more, line by line.",
            "I still do not trust this, so once again.",
            "Wait. Maybe I misread the question. Starting over.",
        )

    def asides(self) -> list[str]:
        """Remarks on how to go about it, in random order, for texts that are short."""
        remarks = [
            "I keep every intermediate result on a line of its own, so that a slip is easy to find, and I only round at the very end.",
            "There may be a clever shortcut, but with numbers of this size the plain method is safer and hardly longer.",
            "I write the steps down rather than doing them in my head, because that is where such questions usually go wrong.",
            "At the end I should give the answer in the form that was asked for and nothing else.",
        ]
        self.rng.shuffle(remarks)
        return remarks

    def settle(self, what: str) -> str:
        """A closing sentence of the thinking around a result."""
        return self.pick(
            f"So the result is {what}.",
            f"That gives {what}.",
            f"I am confident in {what}.",
            f"Everything agrees, so {what} it is.",
            f"I will answer {what}.",
            f"Final value: {what}.",
        )

    def careless(self) -> str:
        """What a wrong attempt says instead of checking."""
        return self.pick(
            "The numbers look reasonable, so I will not go over them again.",
            "I do not see a reason to doubt this.",
            "That seems fine.",
            "A quick glance back over the lines shows nothing strange.",
            "This is roughly the size I expected.",
            "Good, that was quicker than I thought.",
        )

    def checks(self) -> bool:
        """Whether this attempt verifies its result."""
        return self.rng.random() < {"plain": 0.5, "brisk": 0.3, "doubting": 0.9, "tutor": 0.75}[self.mood]

    def reply(self, *variants: str) -> str:
        """The visible text, one of several."""
        return self.pick(*variants)


def several(word: str) -> str:
    """The plural of an English word: boxes, brushes, cups."""
    return word + ("es" if word.endswith(("x", "s", "sh", "ch")) else "s")


def slipped(value: int, rng: Random) -> int:
    """A number one would get from `value` by a common slip: a lost carry, a digit off."""
    steps = [1, -1, 10, -10] if abs(value) >= 30 else [1, -1, 2, -2]
    if abs(value) >= 1000:
        steps += [100, -100, 1000, -90]
    return value + rng.choice(steps)
