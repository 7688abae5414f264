"""Which split of a release a row is in: train or validation, by the cluster of its problem and a salt.

A row's split depends on nothing but `problem_cluster`, the salt and the share: rows that are added later move none that
stands, no problem is in two splits, whatever its ids, and all configs of a release agree. The one exception is a new
problem that is alike to an older one and whose id is smaller: it gives their cluster its name (`problem_cluster`), and
the whole cluster may change sides, still as one.
"""

from dataclasses import dataclass

import polars as pl
import xxhash

TRAIN, VALIDATION = "train", "validation"

SPLITS = (TRAIN, VALIDATION)
"""The splits that there can be, in their order."""


@dataclass(frozen=True)
class Split:
    """How problems are split; the default puts all of them into train."""

    validation: float = 0.0
    """The expected share of problem clusters that are held out, 0 to less than 1."""
    salt: str = ""
    """Another salt holds out other problems."""

    @property
    def names(self) -> tuple[str, ...]:
        """The splits that a release cut like this has, empty ones included."""
        return SPLITS if self.validation else (TRAIN,)

    def of(self, clusters: pl.Series) -> pl.Series:
        """For each problem_cluster (text, never null), the name of its split."""
        if not self.validation:
            return pl.repeat(TRAIN, len(clusters), eager=True)
        names = clusters.unique()
        limit = int(self.validation * 2**64)
        held_out = names.filter(
            pl.Series(
                [xxhash.xxh3_64_intdigest(f"{self.salt}\0{name}".encode()) < limit for name in names], dtype=pl.Boolean
            )
        )
        within = pl.DataFrame({"cluster": clusters}).select(
            pl.when(pl.col("cluster").is_in(held_out.implode())).then(pl.lit(VALIDATION)).otherwise(pl.lit(TRAIN))
        )
        return within.to_series()
