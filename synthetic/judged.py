"""What judging takes and gives: rows in pieces, and for each config which of them are dropped or marked, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeAlias

import polars as pl

from synthetic.recipe import Use

Hits: TypeAlias = Mapping[int, pl.DataFrame]
"""By place of the shard: position, reason and flag of the rows that a rule drops or (flag) only marks."""


class Piece(Protocol):
    """A Parquet file of rows."""

    @property
    def path(self) -> Path:
        """Where it is."""


class Rows(Protocol):
    """Rows to judge, in pieces: those of stores (`store.Snapshot`), or those that a release holds."""

    @property
    def traces(self) -> Sequence[Piece]:
        """The pieces."""

    @property
    def rows(self) -> Sequence[int]:
        """Rows of each piece."""

    @property
    def row_hashes(self) -> Sequence[str]:
        """For each piece, a hash that changes when its rows change."""

    @property
    def late_hash(self) -> str:
        """A hash that changes when late facts do."""

    def lazy(self, place: int) -> pl.LazyFrame:
        """The record's columns of one piece's rows, in its order."""


@dataclass(frozen=True)
class Step:
    """One rule of a config, applied."""

    use: Use
    seen: int
    dropped: int
    hits: Hits = field(repr=False)
    flagged: int = 0
    """Rows that it marked and let stand."""


@dataclass(frozen=True)
class Judged:
    """One config, judged."""

    config: str
    steps: tuple[Step, ...]
    standing: tuple[pl.Series, ...] = field(repr=False)
    """For each shard, whether each row is kept."""
    first: tuple[pl.Series, ...] = field(repr=False)
    """For each shard, the number of the step that dropped each row; null = kept."""

    @property
    def kept(self) -> int:
        """Rows of the config."""
        return sum(int(standing.sum()) for standing in self.standing)

    def drops(self, place: int) -> pl.DataFrame:
        """position, config, rule, reason of the rows of one shard that the config leaves out, in their order."""
        return self._said(place, flag=False)

    def flags(self, place: int) -> pl.DataFrame:
        """The same of the rows that stood when a rule marked them; a row may be marked by several."""
        return self._said(place, flag=True)

    def _said(self, place: int, *, flag: bool) -> pl.DataFrame:
        frames = []
        for number, step in enumerate(self.steps):
            first = self.first[place]
            standing = (first.is_null() | (first > number)) if flag else first == number
            if place in step.hits and (positions := standing.arg_true()).len():
                hits = step.hits[place].lazy().filter(pl.col("flag") == flag)
                rule = [pl.lit(self.config).alias("config"), pl.lit(step.use.name).alias("rule")]
                found = hits.filter(pl.col("position").is_in(positions.implode()))
                frames.append(found.select("position", *rule, "reason"))
        empty = {"position": pl.UInt32, "config": pl.String, "rule": pl.String, "reason": pl.String}
        if not frames:
            return pl.DataFrame(schema=empty)
        return pl.concat(frames).sort("position", maintain_order=True).collect()
