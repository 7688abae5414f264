"""Rows that meet, cut into parts: equal values of a column together, each small enough for memory.

A stable hash of the column's value decides which (`part_of`), so a part holds the same rows whatever their order. Where
there are several, rows go shard by shard into files first: every shard is read once.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import xxhash

PART_ROWS = 1_000_000
"""A part has about so many rows at most."""

PART_BYTES = 128 * 1024 * 1024
"""A part has about so many bytes at most, as polars holds them; a single value's rows are never parted."""


def count(rows: int, row_bytes: float, *, part_rows: int = PART_ROWS, part_bytes: int = PART_BYTES) -> int:
    """Into how many parts so many rows of about this size are cut: a power of two."""
    most = max(1, min(part_rows, int(part_bytes / max(row_bytes, 1.0))))
    return 1 << max(0, (rows - 1) // most).bit_length()


def cut(
    places: Sequence[int],
    rows_of: Callable[[int], pl.DataFrame],
    which: Callable[[pl.DataFrame], pl.Series],
    parts: int,
    folder: Path,
) -> Iterator[pl.DataFrame]:
    """The rows of all places in parts, each in the places' order; of several, those that are not empty.

    `which` gives the number of each row's part; `folder` is for scratch files.
    """
    if parts == 1:
        if places:
            yield pl.concat([rows_of(place) for place in places])
        return
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder) as scratch:
        for place in places:
            frame = rows_of(place)
            for (part,), piece in frame.group_by(which(frame).alias("part"), maintain_order=True):
                piece.write_ipc(Path(scratch) / f"{part}-{place:09d}.arrow", compression="lz4")
            del frame
        for number in range(parts):
            if pieces := sorted(Path(scratch).glob(f"{number}-*.arrow")):
                yield pl.concat([pl.read_ipc(piece) for piece in pieces])


def part_of(column: pl.Series, parts: int) -> pl.Series:
    """Which part each value belongs to: a stable hash, equal for equal values; null goes to part 0."""
    # -0.0 equals 0.0, and stays what it is where 0.0 is added: polars leaves that out.
    text = (column.set(column == 0, 0.0) if column.dtype.is_float() else column).cast(pl.String)
    values = text.drop_nulls().unique()
    of = pl.Series([xxhash.xxh3_64_intdigest(value.encode()) % parts for value in values], dtype=pl.UInt32)
    return text.replace_strict(values, of, default=0, return_dtype=pl.UInt32).alias("part")
