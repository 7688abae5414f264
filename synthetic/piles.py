"""Rows of a config on their way from shards to files: laid in piles on the disk, by the leading bits of problem_id.

A pile is a file of Arrow streams, one behind the other, to which rows are appended as they come, in any order. It is
read by mapping it, so that nothing is copied before it is sorted. Piles are not compressed: lz4 alone took a tenth of a
release's time.
"""

from itertools import pairwise
from pathlib import Path
from threading import Lock

import numpy as np
import polars as pl
import pyarrow as pa

from synthetic.columns import sizes
from synthetic.shard import arrow_parts

LEADING = 16
"""Bits of problem_id that rows can be told apart by."""


def leading() -> pl.Expr:
    """The leading bits of problem_id, as a number."""
    return pl.col("problem_id").str.head(LEADING // 4).str.to_integer(base=16, dtype=pl.Int64)


class Piles:
    """The rows of one config, in piles."""

    def __init__(self, folder: Path, count: int) -> None:
        """So many piles, a power of two, in a folder without any."""
        folder.mkdir(parents=True)
        self.folder, self.count = folder, count
        self.sizes: dict[int, int] = {}
        """Bytes (`columns.sizes`) of the rows with each value of the leading bits."""
        self._lock = Lock()

    def add(self, rows: pl.DataFrame) -> None:
        """Lay rows down; several threads may. Raises `OSError`."""
        told = rows.select(leading().alias("bits"), place=pl.int_range(pl.len(), dtype=pl.UInt32))
        told = told.with_columns(pile=pl.col("bits") * self.count // 2**LEADING).sort("pile", "place")
        piles, found, done = told["pile"].to_numpy(), [], 0
        for part in arrow_parts(rows, told["place"]):
            for batch in part.to_batches():
                found.append(sizes(batch))
                own = piles[done : done + len(batch)]
                done += len(batch)
                cuts = [0, *(np.flatnonzero(np.diff(own)) + 1).tolist(), len(own)]
                for begin, end in pairwise(cuts):
                    self._append(int(own[begin]), batch.slice(begin, end - begin))
        if found:
            sized = pl.DataFrame({"bits": told["bits"], "bytes": np.concatenate(found)}).group_by("bits").sum()
            with self._lock:
                for value, size in sized.iter_rows():
                    self.sizes[value] = self.sizes.get(value, 0) + size

    def _append(self, pile: int, rows: pa.RecordBatch) -> None:
        with (
            self._lock,
            pa.OSFile(str(self._path(pile)), "ab") as file,
            pa.ipc.new_stream(file, rows.schema) as stream,
        ):
            stream.write_batch(rows)

    def read(self, pile: int) -> pl.DataFrame | None:
        """The rows of a pile, mapped; None where it has none."""
        if not self._path(pile).is_file():
            return None
        found = []
        with pa.memory_map(str(self._path(pile))) as file:
            while file.tell() < file.size():
                found.append(pa.ipc.open_stream(file).read_all())
        rows = pl.from_arrow(pa.concat_tables(found))
        assert isinstance(rows, pl.DataFrame)  # noqa: S101 - a table gives a frame
        return rows

    def _path(self, pile: int) -> Path:
        return self.folder / f"{pile}.arrows"
