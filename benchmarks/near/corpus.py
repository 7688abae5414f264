"""A corpus of reasoning traces whose duplicates are known, and the truth about them.

    python -m benchmarks.near.corpus 25000 FOLDER [--seed 0]

writes `FOLDER/texts/part-*.parquet` (id, problem, answer, right, text: what the peers read), `FOLDER/rows.parquet`
(what each row was made from) and `FOLDER/truth.parquet` (pairs of rows, with the exact Jaccard similarity of their
word 5-grams). Rows come in blocks of four problems with eight attempts each, spread over the parts at random, so that
a copy may stand before what it copies. Of the rows that are no solutions of their own, some are duplicates:

    copy             the same text and answer
    edited           the same, with 1, 2, 5, 15 or 30 % of its words replaced, left out or put in

and some only look like it:

    other answer     the same text with another boxed answer
    other numbers    the same words with other numbers in a share of the lines, at the same problem, with its answer
    template         one text with other numbers, at several problems

Solutions of one problem begin with its statement and share a lemma. A text's numbers stand in Zipf words with maths
and code, 2 to 40 KB, 8 KB on average. Seeded: two machines write the same rows.
"""

import argparse
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.near.truth import Pair, pairs
from benchmarks.words import length, text, vocabulary

PROBLEMS, ATTEMPTS = 4, 8
"""Of a block."""

PARTS = 4
"""Files of texts: a task each for peers that work by file."""

RATES = (0.01, 0.02, 0.05, 0.15, 0.30)

LINES = (0.15, 0.3, 1.0)
"""Shares of the lines whose numbers are others, where words, problem and answer are the same."""

TEMPLATE_LINES = (0.04, 0.08, 0.15)
"""The same, of a template."""

KINDS = {"solution": 0.60, "copy": 0.10, "edited": 0.15, "other answer": 0.05, "other numbers": 0.05, "template": 0.05}
"""Shares of the rows; a problem's first is a solution."""

GROUP_ROWS = 1024

TEXTS = pa.schema(
    [
        ("id", pa.string()),
        ("problem", pa.string()),
        ("answer", pa.string()),
        ("right", pa.bool_()),
        ("text", pa.string()),
    ]
)
ROWS = pa.schema([("id", pa.string()), ("kind", pa.string()), ("family", pa.string())])
TRUTH = pa.schema(
    [
        ("left", pa.string()),
        ("right", pa.string()),
        ("kind", pa.string()),
        ("rate", pa.float64()),
        ("same", pa.bool_()),
        ("jaccard", pa.float64()),
    ]
)


@dataclass(frozen=True)
class Row:
    """An attempt, and what it was made from."""

    id: str
    problem: str
    answer: str
    right: bool
    thinking: str
    kind: str
    root: str
    """The row whose text this one's was made from: itself, for a solution."""
    rate: float = 0.0
    """Share of the words that were edited."""

    @property
    def text(self) -> str:
        """All that the model wrote; the answer stands on the last line."""
        return f"{self.thinking}\nThe answer is $\\boxed{{{self.answer}}}$."

    @property
    def family(self) -> str:
        """Equal for the rows of which one is enough."""
        own = self.kind in {"solution", "other numbers", "template"}
        return f"{self.id if own else self.root} {self.answer}"


def blocks(texts: int, seed: int = 0) -> Iterator[list[Row]]:
    """So many rows, rounded up to whole blocks; a larger corpus begins with the smaller one."""
    words = vocabulary(Random(f"words {seed}"))  # noqa: S311 - meant to be repeatable
    for number in range(-(-texts // (PROBLEMS * ATTEMPTS))):
        yield _block(Random(f"{seed} {number}"), words, number)  # noqa: S311 - meant to be repeatable


def _block(random: Random, words: list[str], number: int) -> list[Row]:
    shared = _thinking(random, words, length(random))
    rows = []
    for of in range(PROBLEMS):
        problem, answer = f"{number:06d}-{of}", str(random.randrange(10**4))
        opening = f"{text(random, words, 300)}\n{text(random, words, 700)}\n"
        chance = random.betavariate(0.8, 0.8)
        made: list[Row] = []
        for attempt in range(ATTEMPTS):
            kind = random.choices(list(KINDS), list(KINDS.values()))[0] if attempt else "solution"
            id = f"{problem}-{attempt}"
            right = random.random() < chance
            own = Row(id, problem, answer if right else str(random.randrange(10**4)), right, "", kind, id)
            made.append(_like(random, words, own, made, opening, shared))
        rows += made
    return rows


def _like(random: Random, words: list[str], own: Row, made: list[Row], opening: str, shared: str) -> Row:
    """The row with its text: its own, or one made from an earlier solution."""
    if own.kind == "solution":
        return replace(own, thinking=opening + _thinking(random, words, length(random)))
    if own.kind == "template":
        return replace(own, thinking=_renumbered(random, shared, random.choice(TEMPLATE_LINES)))
    of = random.choice([row for row in made if row.kind == "solution"])
    like = replace(of, id=own.id, kind=own.kind)
    if own.kind == "copy":
        return like
    if own.kind == "edited":
        rate = random.choice(RATES)
        return replace(like, thinking=_edited(random, words, of.thinking, rate), rate=rate)
    if own.kind == "other numbers":
        return replace(like, thinking=_renumbered(random, of.thinking, random.choice(LINES)))
    return replace(like, answer=str((int(of.answer) + random.randrange(1, 10**4)) % 10**4), right=False)


def _thinking(random: Random, words: list[str], size: int) -> str:
    """Prose with maths in every line, and functions among it."""
    lines: list[str] = []
    for line in text(random, words, max(1_000, size - 1_000)).split("\n"):
        lines.append(line)
        if random.random() < 0.05:
            name, by, start = random.choice(words), random.choice(words), random.randrange(100)
            lines += [
                "```python",
                f"def {name}({by}):",
                f"    total = {start}",
                f"    for k in range({by}):",
                f"        total += k ** 2 % {random.randrange(2, 997)}",
                f"    return total  # {name} of {by}",
                "```",
            ]
    return "\n".join(lines)


def _edited(random: Random, words: list[str], thinking: str, rate: float) -> str:
    """The text with that share of its words replaced, left out or preceded by another one."""
    pieces = re.split(r"(\s+)", thinking)  # words stand at even places
    count = (len(pieces) + 1) // 2
    for word in random.sample(range(count), max(1, round(rate * count))):
        change = random.random()
        if change < 0.6:
            pieces[2 * word] = random.choice(words)
        elif change < 0.8:
            pieces[2 * word] = ""
        else:
            pieces[2 * word] = f"{random.choice(words)} {pieces[2 * word]}"
    return "".join(pieces)


def _renumbered(random: Random, thinking: str, share: float) -> str:
    """The text with other numbers in that share of its lines."""

    def other(found: re.Match[str]) -> str:
        return str(random.randrange(10 ** min(len(found[0]), 9)))

    return "\n".join(re.sub(r"\d+", other, line) if random.random() < share else line for line in thinking.split("\n"))


# ---- files


def write(folder: Path, texts: int, *, seed: int = 0) -> int:
    """Write the corpus and its truth; give the bytes of text."""
    (folder / "texts").mkdir(parents=True)
    spread = Random(f"parts {seed}")  # noqa: S311 - meant to be repeatable
    waiting: list[list[dict[str, object]]] = [[] for _ in range(PARTS)]
    writers = [
        pq.ParquetWriter(folder / "texts" / f"part-{part}.parquet", TEXTS, compression="zstd") for part in range(PARTS)
    ]
    made, known, size = [], [], 0
    for block in blocks(texts, seed):
        for row in block:
            part = spread.randrange(PARTS)
            waiting[part].append({name: getattr(row, name) for name in TEXTS.names})
            size += len(row.text.encode())
            if len(waiting[part]) == GROUP_ROWS:
                writers[part].write_table(pa.Table.from_pylist(waiting[part], TEXTS))
                waiting[part] = []
        made += [{name: getattr(row, name) for name in ROWS.names} for row in block]
        known += [pair.__dict__ for pair in pairs(_related(block))]
    for writer, rows in zip(writers, waiting, strict=True):
        writer.write_table(pa.Table.from_pylist(rows, TEXTS))
        writer.close()
    pq.write_table(pa.Table.from_pylist(made, ROWS), folder / "rows.parquet")
    pq.write_table(pa.Table.from_pylist(known, TRUTH), folder / "truth.parquet")
    return size


def _related(block: list[Row]) -> Iterator[tuple[Pair, str, str]]:
    """Pairs of rows that may be alike, with both texts: those of a problem, and the templates of several."""
    for number, left in enumerate(block):
        for right in block[number + 1 :]:
            templates = left.kind == right.kind == "template"
            if left.problem != right.problem and not templates:
                continue
            same = (left.problem, left.answer) == (right.problem, right.answer)
            kind, rate = "template" if templates else "solution", None
            if left.root == right.root:
                kinds = {left.kind, right.kind} - {"solution"}
                kind = next(each for each in ("other numbers", "other answer", "edited", "copy") if each in kinds)
                if kind == "edited" and len(kinds - {"copy"}) == 1 and 0.0 in {left.rate, right.rate}:
                    rate = max(left.rate, right.rate)
            yield Pair(left.id, right.id, kind, rate, same), left.text, right.text


def main() -> None:
    """Write a corpus."""
    parser = argparse.ArgumentParser(description="Write a corpus with known duplicates.")
    parser.add_argument("texts", type=int)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    size = write(given.folder, given.texts, seed=given.seed)
    print(f"{given.folder}: {size / 1e6:,.0f} MB of text")


if __name__ == "__main__":
    main()
