"""Rows on their way from shards to files: laid in piles on the disk, by the leading bits of problem_id.

A pile is a file of Arrow streams, one behind the other, to which rows are appended as they come, in any order. It is
read by mapping it, so that nothing is copied before it is sorted. Piles are not compressed: lz4 alone took a tenth of a
release's time.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pyarrow as pa

from synthetic.columns import numbers, value_sizes
from synthetic.shard import arrow_parts

if TYPE_CHECKING:
    import numpy.typing as npt

LEADING = 16
"""Bits of problem_id that rows can be told apart by."""


def leading() -> pl.Expr:
    """The leading bits of problem_id, as a number."""
    return pl.col("problem_id").str.head(LEADING // 4).str.to_integer(base=16, dtype=pl.Int64)


def held(config: str) -> str:
    """The column that says whether a row stands in a config."""
    return f"in {config}"


class Piles:
    """Rows of one or several configs, in piles."""

    def __init__(self, folder: Path, count: int, configs: Mapping[str, Sequence[str]]) -> None:
        """So many piles, a power of two, in a folder without any.

        `configs` are those whose rows these are (`held` says which, where there are several), with the columns that
        count for the size of a row.
        """
        folder.mkdir(parents=True)
        self.folder, self.count, self.configs = folder, count, configs
        self._sizes = {config: np.zeros(2**LEADING, np.int64) for config in configs}
        self._lock = Lock()

    @property
    def bytes(self) -> int:
        """How large the piles are on the disk."""
        return sum(path.stat().st_size for path in self.folder.iterdir())

    def sizes(self, config: str) -> dict[int, int]:
        """Bytes (`columns.sizes`) of a config's rows with each value of the leading bits that there is."""
        found = self._sizes[config]
        return {int(bits): int(found[bits]) for bits in np.flatnonzero(found)}

    def add(self, rows: pl.DataFrame) -> None:
        """Lay rows down; several threads may. Raises `OSError`."""
        told = rows.select(leading().alias("bits"), place=pl.int_range(pl.len(), dtype=pl.UInt32))
        told = told.with_columns(pile=pl.col("bits") * self.count // 2**LEADING).sort("pile", "place")
        bits, piles, done = told["bits"].to_numpy(), told["pile"].to_numpy(), 0
        for part in arrow_parts(rows, told["place"]):
            for batch in part.to_batches():
                own = slice(done, done + len(batch))
                done += len(batch)
                self._measure(batch, bits[own])
                cuts = [0, *(np.flatnonzero(np.diff(piles[own])) + 1).tolist(), len(batch)]
                for begin, end in pairwise(cuts):
                    self._append(int(piles[own][begin]), batch.slice(begin, end - begin))

    def _measure(self, rows: pa.RecordBatch, bits: "npt.NDArray[np.int64]") -> None:
        """Add the sizes of rows to those of their configs."""
        names = {name for columns in self.configs.values() for name in columns} & set(rows.schema.names)
        each = {name: value_sizes(rows.column(name)) for name in names}
        for config, columns in self.configs.items():
            size = np.sum([each[name] for name in columns if name in each], axis=0)
            if held(config) in rows.schema.names:
                size = size * numbers(rows.column(held(config)))
            found = np.bincount(bits, size, 2**LEADING).astype(np.int64)
            with self._lock:
                self._sizes[config] += found

    def _append(self, pile: int, rows: pa.RecordBatch) -> None:
        with (
            self._lock,
            pa.OSFile(str(self._path(pile)), "ab") as file,
            pa.ipc.new_stream(file, rows.schema) as stream,
        ):
            stream.write_batch(rows)

    def read(self, piles: range, columns: Sequence[str]) -> pl.DataFrame | None:
        """Columns of the rows of these piles, mapped; None where they have none."""
        found = []
        for path in filter(Path.is_file, map(self._path, piles)):
            with pa.memory_map(str(path)) as file:
                while file.tell() < file.size():
                    found.append(pa.ipc.open_stream(file).read_all().select(columns))
        if not found:
            return None
        rows = pl.from_arrow(pa.concat_tables(found))
        assert isinstance(rows, pl.DataFrame)  # noqa: S101 - a table gives a frame
        return rows

    def _path(self, pile: int) -> Path:
        return self.folder / f"{pile}.arrows"
