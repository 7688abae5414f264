"""Rows of a config on their way from shards to files: laid in piles on the disk, by the leading bits of problem_id.

A pile is a file of Arrow streams, one behind the other, to which rows are appended as they come. It is read by mapping
it, so that nothing is copied before it is sorted. Piles are not compressed: lz4 alone took a tenth of a release's time.
"""

from pathlib import Path

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

    def add(self, rows: pl.DataFrame) -> None:
        """Lay rows down. Raises `OSError`."""
        bits = rows.select(leading().alias("bits")).to_series()
        for (pile,), piece in rows.with_columns(bits).group_by(bits * self.count // 2**LEADING, maintain_order=True):
            taken = piece.drop_in_place("bits")
            found = []
            with self._path(int(pile)).open("ab") as file:
                parts = arrow_parts(piece)
                first = next(parts)
                with pa.ipc.new_stream(file, first.schema) as stream:
                    for table in (first, *parts):
                        found += [sizes(batch) for batch in table.to_batches()]
                        stream.write_table(table)
            sized = pl.DataFrame({"bits": taken, "bytes": np.concatenate(found)}).group_by("bits").sum()
            for value, size in sized.iter_rows():
                self.sizes[value] = self.sizes.get(value, 0) + size

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
