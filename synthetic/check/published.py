"""The rows that a release holds, to be judged again as those of a store were."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl

from synthetic.judged import Hits
from synthetic.manifest import Data, Manifest
from synthetic.record import record


@dataclass(frozen=True)
class File:
    """One file of `traces`."""

    path: Path


@dataclass(frozen=True)
class Published:
    """The rows of `traces` as rows to judge (`judged.Rows`). What a release does not hold of a row is null."""

    path: Path
    made: Manifest

    @property
    def _files(self) -> list[Data]:
        return self.made.configs["traces"].files

    @cached_property
    def traces(self) -> tuple[File, ...]:
        """The files."""
        return tuple(File(self.path / data.path) for data in self._files)

    @property
    def rows(self) -> tuple[int, ...]:
        """Rows of each file."""
        return tuple(data.rows for data in self._files)

    @property
    def row_hashes(self) -> tuple[str, ...]:
        """The hash of each file's rows."""
        return tuple(data.row_hash for data in self._files)

    @property
    def late_hash(self) -> str:
        """Late facts are among the rows."""
        return ""

    def lazy(self, place: int) -> pl.LazyFrame:
        """The record's columns of one file's rows, in its order."""
        frame = pl.scan_parquet(self.traces[place].path, glob=False)
        there = frame.collect_schema()
        missing = [pl.lit(None, dtype).alias(name) for name, dtype in record().polars.items() if name not in there]
        return frame.with_columns(missing).select(record().names)

    def column(self, place: int, name: str) -> pl.DataFrame:
        """A column of one file's rows, whatever it is."""
        return pl.scan_parquet(self.traces[place].path, glob=False).select(name).collect()

    def hits(self, config: str, rule: str) -> Hits:
        """What the rows themselves say of a rule of a config: in `drops`, and in `flags`."""
        return {place: found for place in range(len(self.traces)) if (found := self._hits(place, config, rule)).height}

    def _hits(self, place: int, config: str, rule: str) -> pl.DataFrame:
        said = []
        for name, flag in (("drops", False), ("flags", True)):
            listed = self.said(place, name).filter(pl.col("config") == config, pl.col("rule") == rule)
            said.append(listed.select("position", "reason", flag=pl.lit(flag)))
        return pl.concat(said).sort("position", maintain_order=True)

    def said(self, place: int, name: str) -> pl.DataFrame:
        """position, config, rule and reason of `drops` or of `flags`, one row for each entry."""
        rows = self.column(place, name).with_row_index("position")
        listed = rows.filter(pl.col(name).list.len() > 0).explode(name).unnest(name)
        return listed.select(pl.col("position").cast(pl.UInt32), "config", "rule", "reason")
