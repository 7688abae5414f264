"""A store of millions of short traces, some of which are duplicates: what grows with rows, not with text.

    python -m benchmarks.near.short 4000000 STORE [--seed 0]

Eight attempts at a problem, all with its answer, 450 bytes each; of them 5 % copy an earlier attempt and 5 % do so but
for one word (Jaccard similarity 0.8 to 0.95). Written a shard of 200,000 rows at a time: memory does not grow. Seeded;
prints how many rows are such copies.
"""

import argparse
from pathlib import Path
from random import Random

from benchmarks.words import vocabulary

ATTEMPTS = 8
SHARD_ROWS = 200_000


def write(store: Path, rows: int, *, seed: int = 0) -> int:
    """Write so many traces, rounded up to whole problems; give how many are copies, edited or not."""
    import polars as pl

    from benchmarks.near.stored import commit

    words = vocabulary(Random(f"words {seed}"))  # noqa: S311 - meant to be repeatable
    copies = 0
    for begin in range(0, rows, SHARD_ROWS):
        made: list[tuple[str, str, str, str]] = []
        for problem in range(begin // ATTEMPTS, -(-min(rows, begin + SHARD_ROWS) // ATTEMPTS)):
            attempts, more = _problem(Random(f"{seed} {problem}"), words, problem)  # noqa: S311
            made += attempts
            copies += more
        texts = pl.DataFrame(made, schema=["id", "problem", "answer", "text"], orient="row")
        commit(store, texts.with_columns(right=pl.lit(True)))
    return copies


def _problem(random: Random, words: list[str], number: int) -> tuple[list[tuple[str, str, str, str]], int]:
    """The attempts at a problem, and how many of them are copies."""
    answer = str(random.randrange(10**4))
    own: list[list[str]] = []
    made, copies = [], 0
    for attempt in range(ATTEMPTS):
        fate = random.random() if own else 1.0
        if fate < 0.1:
            written = list(random.choice(own))
            if fate < 0.05:
                written[random.randrange(len(written))] = random.choice(words)
            copies += 1
        else:
            drawn = memoryview(random.randbytes(2 * random.randrange(50, 95))).cast("H")
            written = [words[word] for word in drawn]
            own.append(written)
        text = f"{' '.join(written)}\nThe answer is $\\boxed{{{answer}}}$."
        made.append((f"s{number:07d}-{attempt}", f"s{number:07d}", answer, text))
    return made, copies


def main() -> None:
    """Write a store."""
    parser = argparse.ArgumentParser(description="Write a store of short traces.")
    parser.add_argument("rows", type=int)
    parser.add_argument("store", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    copies = write(given.store, given.rows, seed=given.seed)
    print(f"{given.store}: {given.rows:,} traces, {copies:,} of them copies")


if __name__ == "__main__":
    main()
