"""What the rules against copies would drop: how much, how alike, and pairs to look at word by word. Changes nothing."""

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any, Literal  # Any: TOML values

import polars as pl

from synthetic import recipe
from synthetic.alike.text import written
from synthetic.judged import Judged
from synthetic.preview import inline
from synthetic.recipe import Use
from synthetic.rules import RULES
from synthetic.run import Bench
from synthetic.shard import reading
from synthetic.stage import Progress, silent
from synthetic.store import Cache, snapshot

PAIRS, GROUPS = 3, 5
"""So many pairs and groups are shown."""

DIFF_WORDS = 4000
"""Words from the beginning of a text that are compared for showing."""

_NEAR = re.compile(r"like (.*) \(Jaccard ([\d.]+), containment ([\d.]+)\)", re.DOTALL)
_EXACT = re.compile(r"same text as (.*)", re.DOTALL)

Words = list[tuple[str, bool]]
"""Stretches of a text, and whether each stands in this one alone."""


@dataclass(frozen=True)
class Twins:
    """A row that would be dropped, and the one that stays."""

    row: str
    keeper: str
    jaccard: float
    containment: float
    stays: Words
    """Where the keeper's text differs, with a few words around."""
    goes: Words
    """The same of the row's text."""


@dataclass(frozen=True)
class Deduped:
    """What `unique` and `near_unique` would drop of every row of some stores."""

    rows: int
    problems: int
    exact: int
    near: int
    uncompared: int
    """Rows with so many candidates that they were not compared with all; they stay."""
    environments: pl.DataFrame
    """env_id, rows, exact, near."""
    similar: list[tuple[float, int]]
    """Near copies by Jaccard similarity: the lower end of each twentieth, and how many."""
    groups: list[tuple[str, int]]
    """The rows that most others would be dropped for, and for how many."""
    pairs: list[Twins]
    """The near copies least alike, most alike and between, then exact ones."""
    toml: tuple[str, ...]
    """The lines to add to a recipe's `keep`."""


def dedupe(
    *stores: str | Path,
    alike: float = 0.8,
    contained: float = 0.95,
    scope: Literal["answer", "problem", "everything"] = "answer",
    progress: Progress = silent,
) -> Deduped:
    """What `unique` and then `near_unique` with these settings would drop, if every row came to them.

    Verdicts are those of the default recipe. Raises `RecipeError`, `BrokenStore`.
    """
    said: dict[str, Any] = {"alike": alike, "contained": contained, "scope": scope}
    defaults = RULES["near_unique"].defaults
    settings = {key: value for key, value in said.items() if value != defaults[key]}
    RULES["near_unique"].check(settings, "dedupe")
    uses = [Use(RULES["unique"], "unique", {}, "dedupe"), Use(RULES["near_unique"], "near_unique", settings, "dedupe")]
    lines = tuple(inline(use.toml) for use in uses)
    # Nothing is published by looking, so a problem may well lose its last row: its count says so.
    uses[1] = Use(RULES["near_unique"], "near_unique", settings | {"may_empty": True}, "dedupe")
    with ExitStack() as stack:
        stack.enter_context(reading(*stores))
        facts = snapshot(*stores, progress=progress)
        bench = Bench(facts, recipe.read(None, name="dedupe"), Cache.of(Path(stores[0]), stack), progress)
        judged = bench.apply("dedupe", uses)
        found = _found(bench, judged)
        problems = bench.rows(["problem_id"]).select(pl.col("problem_id").n_unique()).collect().item()
        exact, near = judged.steps
        return Deduped(
            rows=sum(facts.rows),
            problems=problems,
            exact=exact.dropped,
            near=near.dropped,
            uncompared=near.flagged,
            environments=_environments(bench, found),
            similar=_similar(found),
            groups=[
                *found.group_by("keeper").len().sort(-pl.col("len").cast(pl.Int64), "keeper").head(GROUPS).iter_rows()
            ],
            pairs=_pairs(bench, found),
            toml=lines,
        )


def _found(bench: Bench, judged: Judged) -> pl.DataFrame:
    """place, row_id, keeper, near, jaccard and containment of what would be dropped, in the store's order."""
    rows = []
    for place in range(len(bench.snapshot.traces)):
        ids = bench.frame(place, ["row_id"]).collect()["row_id"]
        for position, rule, reason in judged.drops(place).select("position", "rule", "reason").iter_rows():
            match = (_NEAR if rule == "near_unique" else _EXACT).fullmatch(reason)
            assert match is not None  # noqa: S101 - the two rules speak so
            alike = (float(match[2]), float(match[3])) if rule == "near_unique" else (1.0, 1.0)
            rows.append((place, ids[position], match[1], rule == "near_unique", *alike))
    schema = {"place": pl.UInt32, "row_id": pl.String, "keeper": pl.String, "near": pl.Boolean}
    return pl.DataFrame(rows, schema=schema | {"jaccard": pl.Float64, "containment": pl.Float64}, orient="row")


def _environments(bench: Bench, found: pl.DataFrame) -> pl.DataFrame:
    near = pl.col("near")
    rows = bench.rows(["row_id", "env_id"]).join(found.lazy().select("row_id", "near"), on="row_id", how="left")
    counted = rows.group_by("env_id").agg(rows=pl.len(), exact=near.eq(False).sum(), near=near.sum())
    return counted.sort("env_id", nulls_last=True).collect()


def _similar(found: pl.DataFrame) -> list[tuple[float, int]]:
    step = (pl.col("jaccard") * 20 + 1e-9).floor().clip(0, 19).cast(pl.Int64).alias("step")
    counted = found.filter("near").group_by(step).len().sort("step")
    return [(number / 20, rows) for number, rows in counted.iter_rows()]


# ---- pairs


def _pairs(bench: Bench, found: pl.DataFrame) -> list[Twins]:
    near, exact = found.filter("near").sort("jaccard", "row_id"), found.filter(~pl.col("near"))
    chosen = near[sorted({0, near.height // 2, near.height - 1})] if near.height else near
    chosen = pl.concat([chosen, exact.head(PAIRS - min(PAIRS, chosen.height))])
    wanted = {*chosen["row_id"], *chosen["keeper"]}
    said: dict[str, str] = {}
    for place in range(len(bench.snapshot.traces)) if wanted else ():
        frame = bench.frame(place, ["row_id", "messages", "num_prompt_messages"]).filter(pl.col("row_id").is_in(wanted))
        said |= dict(frame.select("row_id", written()).collect().iter_rows())
    pairs = []
    for row in chosen.iter_rows(named=True):
        stays, goes = differences(said[row["keeper"]], said[row["row_id"]])
        pairs.append(Twins(row["row_id"], row["keeper"], row["jaccard"], row["containment"], stays, goes))
    return pairs


def differences(one: str, other: str, *, around: int = 8, most: int = 6) -> tuple[Words, Words]:
    """Where two texts differ, word by word: the first `most` places, each with `around` words before and behind it.

    Stretches are told apart by whether they stand in one text alone. Equal texts give how they begin.
    """
    left, right = one.split()[:DIFF_WORDS], other.split()[:DIFF_WORDS]
    steps = SequenceMatcher(None, left, right, autojunk=len(left) > 500).get_opcodes()
    sides = _side(left, [(same == "equal", a, b) for same, a, b, _, _ in steps], around, most)
    others = _side(right, [(same == "equal", a, b) for same, _, _, a, b in steps], around, most)
    return list(sides), list(others)


def _side(
    words: Sequence[str], steps: Sequence[tuple[bool, int, int]], around: int, most: int
) -> Iterator[tuple[str, bool]]:
    shown = 0
    for number, (same, a, b) in enumerate(steps):
        if not same:
            shown += 1
            if shown > most:
                yield "…", False
                return
            if a < b:
                yield " ".join(words[a:b][: 4 * around]) + (" …" if b - a > 4 * around else ""), True
            continue
        begins, ends = number == 0, number == len(steps) - 1
        if b - a <= 2 * around:
            yield " ".join(words[a:b]), False
        elif begins and ends:
            yield " ".join(words[a : a + 4 * around]) + " …", False
        elif begins:
            yield "… " + " ".join(words[b - around : b]), False
        elif ends:
            yield " ".join(words[a : a + around]) + " …", False
        else:
            yield " ".join(words[a : a + around]) + " … " + " ".join(words[b - around : b]), False


# ---- what the settings mean


@dataclass(frozen=True)
class Explained:
    """What near-duplicates are found, by similarity and by how many words were edited."""

    curve: list[tuple[float, float]]
    """Jaccard similarity, and the chance that such a pair is looked at."""
    edits: list[tuple[float, float, float]]
    """Share of tokens that were replaced one by one, the similarity that this leaves, and the chance again."""


def explain() -> Explained:
    """The S-curve of the default bands, and what edits mean.

    Of tokens replaced independently with probability e, a shingle of five survives with (1-e)^5 = s, and the Jaccard
    similarity is s / (2 - s).
    """
    from synthetic.alike.bands import chance
    from synthetic.alike.words import WIDTH

    curve = [(j / 100, chance(j / 100)) for j in (30, 50, 60, 70, 75, 80, 85, 90, 95)]
    survives = [(edit, (1 - edit) ** WIDTH) for edit in (0.01, 0.05, 0.15, 0.30)]
    edits = [(edit, s / (2 - s), chance(s / (2 - s))) for edit, s in survives]
    return Explained(curve, edits)
