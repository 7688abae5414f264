"""How alike texts truly are, and how well a set of drops fits that: nothing here is shared with what is measured.

Words are maximal runs of letters and digits, in lower case; a text is the set of its runs of five words. All is plain
Python sets, so that no hash, sketch or tokeniser of ours or of a peer is trusted.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

ALIKE = 0.8
"""Rows of a problem with the same answer and at least this Jaccard similarity are duplicates."""

SOMEWHAT = 0.25
"""Rows that are less alike than this are never taken for duplicates."""

WORDS = 5

_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class Pair:
    """Two rows, and how they are related."""

    left: str
    right: str
    kind: str
    """What the less original of both is."""
    rate: float | None
    """Of an original and a copy of it: the share of words that were edited; else null."""
    same: bool
    """Whether problem and answer are the same."""
    jaccard: float = 0.0


def shingles(text: str) -> Set[tuple[str, ...]]:
    """The runs of five words of a text; all its words, where there are fewer."""
    words = _WORD.findall(text.lower())
    if len(words) < WORDS:
        return {tuple(words)} if words else set()
    return set(zip(*(words[start:] for start in range(WORDS)), strict=False))


def jaccard(left: Set[tuple[str, ...]], right: Set[tuple[str, ...]]) -> float:
    """Shared over all; of two empty texts 0."""
    shared = len(left & right)
    return shared / (len(left) + len(right) - shared) if shared else 0.0


def pairs(related: Iterable[tuple[Pair, str, str]]) -> Iterator[Pair]:
    """The pairs with their similarity; each text is cut into shingles once."""
    sets: dict[str, Set[tuple[str, ...]]] = {}
    for pair, left, right in related:
        for id, text in ((pair.left, left), (pair.right, right)):
            if id not in sets:
                sets[id] = shingles(text)
        yield replace(pair, jaccard=jaccard(sets[pair.left], sets[pair.right]))


class Quality(msgspec.Struct):
    """How a set of drops fits the truth."""

    drops: int
    mistakes: int
    """Drops for which no duplicate of the same problem and answer stays."""
    blind_mistakes: int
    """Those among them for which no similar text of any problem and answer stays, either: the measure of a tool that
    knows texts only.
    """
    groups_lost: int
    """Texts of which nothing is left that has the same answer."""
    found: dict[str, tuple[int, int]]
    """Of the pairs of a kind: how many are no longer there twice, and how many there are. But for `alike`, only pairs
    that are apart: neither row is somewhat like a third, for which it may have been dropped instead.
    """

    @property
    def precision(self) -> float:
        """Share of the drops that are no mistake; 1 where there are none."""
        return 1 - self.mistakes / self.drops if self.drops else 1.0

    @property
    def blind_precision(self) -> float:
        """The same, of a tool that knows texts only."""
        return 1 - self.blind_mistakes / self.drops if self.drops else 1.0

    def recall(self, kind: str) -> float:
        """Share of the pairs that are no longer there twice; NaN where there are none."""
        found, of = self.found.get(kind, (0, 0))
        return found / of if of else float("nan")


def quality(corpus: Path, dropped: frozenset[str]) -> Quality:
    """How well drops fit the truth about a corpus. Raises `SystemExit` where rows are dropped that are not in it."""
    import pyarrow.parquet as pq

    families: dict[str, list[str]] = {}
    for row in pq.read_table(corpus / "rows.parquet").to_pylist():
        families.setdefault(row["family"], []).append(row["id"])
    if strange := dropped - {id for rows in families.values() for id in rows}:
        raise SystemExit(f"{len(strange):,} dropped rows are not in {corpus}: {sorted(strange)[:3]}")
    known = [Pair(**row) for row in pq.read_table(corpus / "truth.parquet").to_pylist()]
    met = Counter(id for pair in known if pair.jaccard >= SOMEWHAT for id in (pair.left, pair.right))
    excused: set[str] = set()
    blindly: set[str] = set()
    found: dict[str, tuple[int, int]] = {}
    for pair in known:
        gone = {pair.left, pair.right} & dropped
        if len(gone) == 1:
            blindly |= gone if pair.jaccard >= ALIKE or pair.kind in {"copy", "edited"} else set()
            excused |= gone if _duplicates(pair) else set()
        own = pair.jaccard >= SOMEWHAT
        apart = met[pair.left] == met[pair.right] == own
        for kind in _kinds(pair, apart):
            hits, of = found.get(kind, (0, 0))
            found[kind] = hits + bool(gone), of + 1
    return Quality(
        drops=len(dropped),
        mistakes=len(dropped - excused),
        blind_mistakes=len(dropped - blindly),
        groups_lost=sum(dropped.issuperset(rows) and excused.isdisjoint(rows) for rows in families.values()),
        found=found,
    )


def _duplicates(pair: Pair) -> bool:
    return pair.same and (pair.kind in {"copy", "edited"} or pair.jaccard >= ALIKE)


def _kinds(pair: Pair, apart: bool) -> Iterator[str]:
    """What recall is counted for: by similarity, by rate of edits; and what should stay, by kind."""
    if pair.same and pair.jaccard >= ALIKE:
        yield "alike"
    if not apart:
        return
    if pair.same and ALIKE <= pair.jaccard < 1:
        yield "alike, not equal"
    if pair.kind == "edited" and pair.rate:
        yield f"{pair.rate:.0%} edited"
    if not _duplicates(pair):
        yield f"not alike: {pair.kind}"
