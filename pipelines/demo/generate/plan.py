"""What is sampled at every step: problems, groups, and how each attempt will go.

The plan is a pure function of `SEED`. Solve rates differ by problem and rise slowly with
the step; on top of that some attempts are fixed by hand (duplicates, failures, cut texts).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

SEED = 20261120
TRAIN_STEPS = 6
EVAL_STEPS = (2, 5)


@dataclass(frozen=True)
class Problem:
    env: str
    """The taskset: rg-mix, estimates, orders or trips."""
    index: int
    """Position in the taskset."""
    at_first: float
    """Chance of a right answer at step 1; 0 and 1 never change."""


@dataclass(frozen=True)
class Attempt:
    problem: Problem
    kind: str
    """train or eval."""
    step: int
    group: int
    sample: int
    seed: int
    """Sent as the sampling seed; tells the scripted server which attempt it plays."""
    words: int
    """Seed of the text; equal for duplicates."""
    conduct: str
    """right, slip, rough, fair, cut, afterthought, empty, untagged, unreadable, refused,
    overloaded or stalled."""
    edited: bool = False
    """A few words are swapped: a near-duplicate of the text with the same `words`."""
    inline: bool = True
    """Thinking stands in the content as <think>…</think>, else in reasoning_content."""


# Index in rg_mix.DATASETS order, two problems each. The rest is held out for eval.
RG_TRAIN = (
    (0, 0.55), (1, 0.7), (2, 0.45), (3, 1.0), (4, 0.6), (5, 0.35),
    (7, 0.5), (8, 0.0), (9, 0.4), (10, 0.65), (12, 1.0), (14, 0.3),
)  # fmt: skip
RG_EVAL = ((6, 0.6), (11, 0.4), (13, 0.8), (15, 0.35))
ESTIMATE_TRAIN = ((0, 0.5), (1, 0.35), (2, 0.3), (3, 0.6), (4, 0.4), (5, 0.25))
ORDER_TRAIN = ((0, 0.6), (1, 0.3), (2, 0.75))
ORDER_EVAL = ((3, 0.5),)
TRIP_TRAIN = ((0, 0.5), (1, 0.45), (2, 0.6))

# (env, step, nth group of that env in the step, sample) -> changes to the attempt.
# A `like` copies the text of another sample of the same group.
FIXED: dict[tuple[str, int, int, int], dict[str, object]] = {
    ("rg-mix", 1, 0, 3): {"conduct": "cut"},
    ("rg-mix", 1, 1, 4): {"like": 1},
    ("rg-mix", 1, 2, 2): {"like": 0, "edited": True},
    ("rg-mix", 1, 3, 1): {"conduct": "refused"},
    ("rg-mix", 2, 0, 5): {"conduct": "empty"},
    ("rg-mix", 2, 1, 2): {"conduct": "untagged"},
    ("rg-mix", 2, 1, 5): {"like": 0, "inline": False},
    ("rg-mix", 2, 2, 1): {"conduct": "cut"},
    ("rg-mix", 2, 3, 3): {"conduct": "stalled"},
    ("rg-mix", 3, 0, 6): {"like": 2},
    ("rg-mix", 3, 0, 7): {"like": 2, "edited": True},
    ("rg-mix", 3, 1, 0): {"conduct": "afterthought"},
    ("rg-mix", 3, 2, 3): {"conduct": "overloaded"},
    ("rg-mix", 3, 3, 2): {"conduct": "cut"},
    ("rg-mix", 4, 0, 1): {"conduct": "untagged"},
    ("rg-mix", 4, 1, 3): {"like": 2, "edited": True},
    ("rg-mix", 4, 2, 4): {"conduct": "empty"},
    ("rg-mix", 4, 2, 5): {"inline": False},
    ("rg-mix", 4, 3, 0): {"conduct": "cut"},
    ("rg-mix", 5, 0, 4): {"like": 3},
    ("rg-mix", 5, 1, 1): {"conduct": "refused"},
    ("rg-mix", 5, 2, 2): {"conduct": "afterthought"},
    ("rg-mix", 5, 3, 3): {"conduct": "cut"},
    ("rg-mix", 6, 0, 2): {"like": 1, "edited": True},
    ("rg-mix", 6, 1, 5): {"like": 4, "inline": False},
    ("rg-mix", 6, 2, 0): {"conduct": "untagged"},
    ("rg-mix", 6, 3, 1): {"conduct": "stalled"},
    ("estimates", 1, 1, 2): {"conduct": "cut"},
    ("estimates", 2, 0, 3): {"conduct": "empty"},
    ("estimates", 3, 1, 1): {"like": 0},
    ("estimates", 4, 0, 2): {"like": 1, "edited": True},
    ("estimates", 5, 1, 3): {"conduct": "cut"},
    ("estimates", 6, 0, 0): {"conduct": "refused"},
    ("orders", 1, 0, 3): {"conduct": "unreadable"},
    ("orders", 2, 0, 5): {"like": 2},
    ("orders", 3, 0, 1): {"conduct": "cut"},
    ("orders", 4, 0, 2): {"conduct": "unreadable"},
    ("orders", 5, 0, 4): {"conduct": "stalled"},
    ("orders", 6, 0, 0): {"conduct": "overloaded"},
    ("trips", 3, 0, 2): {"like": 1},
    ("trips", 5, 0, 1): {"conduct": "refused"},
}


def attempts() -> list[Attempt]:
    """Every attempt of the run, train and eval, by step."""
    made: list[Attempt] = []
    groups = 0
    for step in range(1, TRAIN_STEPS + 1):
        nth: dict[str, int] = {}
        for problem, size in _train_groups(step):
            place = nth.setdefault(problem.env, 0)
            nth[problem.env] += 1
            made += _group(problem, "train", step, groups, size, place)
            groups += 1
        if step in EVAL_STEPS:
            for problem in _eval_problems():
                made += _group(problem, "eval", step, groups, 2, -1)
                groups += 1
    return made


def _train_groups(step: int) -> list[tuple[Problem, int]]:
    """Problems of one train step with their group sizes; each comes back later on."""
    first = 4 * (step - 1)
    rg = [Problem("rg-mix", *RG_TRAIN[(first + i * (5 if step > 3 else 1)) % 12]) for i in range(4)]
    estimates = [Problem("estimates", *ESTIMATE_TRAIN[(2 * (step - 1) + i) % 6]) for i in range(2)]
    sizes = (8, 6, 6, 4)
    return [
        *zip(rg, sizes, strict=True),
        *((problem, 4) for problem in estimates),
        (Problem("orders", *ORDER_TRAIN[(step - 1) % 3]), 6),
        (Problem("trips", *TRIP_TRAIN[(step - 1) % 3]), 4),
    ]


def _eval_problems() -> list[Problem]:
    return [Problem("rg-mix", *p) for p in RG_EVAL] + [Problem("orders", *p) for p in ORDER_EVAL]


def _group(problem: Problem, kind: str, step: int, group: int, size: int, place: int) -> list[Attempt]:
    members: list[Attempt] = []
    for sample in range(size):
        rng = Random(f"{SEED}/{problem.env}/{problem.index}/{kind}/{step}/{sample}")
        chance = problem.at_first
        if 0 < chance < 1:
            chance = min(0.95, chance + 0.06 * (step - 1))
        conduct = "right" if rng.random() < chance else "slip"
        if problem.env == "estimates" and conduct == "slip":
            conduct = rng.choice(("slip", "rough", "rough", "fair"))
        attempt = Attempt(
            problem=problem,
            kind=kind,
            step=step,
            group=group,
            sample=sample,
            seed=1000 * (group + 1) + sample,
            words=rng.randrange(2**31),
            conduct=conduct,
            inline=problem.env == "rg-mix",
        )
        changes = dict(FIXED.get((problem.env, step, place, sample), {}))
        if "like" in changes:
            twin = members[int(str(changes.pop("like")))]
            attempt = replace(attempt, words=twin.words, conduct=twin.conduct)
        # `changes` holds field names of Attempt only, by construction of FIXED.
        members.append(replace(attempt, **changes))  # type: ignore[arg-type]
    return members
