"""Will the Hub's viewer show it? The layout of a release's files against the limits of viewer and Hub.

Limits are those of the dataset viewer and of hub-docs in August 2026. What the writer decides must hold; what rows
bring along (huge cells, a huge problem) is told: no row is lost for the viewer's sake.
"""

import re
from collections import Counter
from pathlib import Path, PurePosixPath

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from synthetic.check.checked import Checked
from synthetic.manifest import Config, Manifest
from synthetic.shard import frame_bytes

GROUP_BYTES = 300_000_000
"""Of a row group in memory; more is read only with a page index."""

FIRST_ROWS, FIRST_BYTES = 100, 1_000_000
"""The rows that the viewer shows first, and their bytes."""

CELL_BYTES = 1_000_000
"""Of one value."""

COLUMNS, COLUMN_NAME = 1_000, 500

FOLDER_FILES, REPO_FILES = 10_000, 100_000

SKEW, SKEW_BYTES = 2.0, 100_000_000
"""How many times the mean the largest file of a config may be, where it has more than so many bytes."""

SPLIT = re.compile(r"\w+(\.\w+)*")


def check_viewer(path: Path, made: Manifest, done: Checked) -> None:
    """Check what the viewer needs of a release whose files can be read."""
    names = [data.path for config in made.configs.values() for data in config.files]
    names += [file.path for file in made.files]
    done.expect(len(names) < REPO_FILES, f"{len(names):,} files: a repository should have fewer than {REPO_FILES:,}")
    for folder, files in Counter(str(PurePosixPath(name).parent) for name in names).items():
        done.expect(files < FOLDER_FILES, f"{folder}: {files:,} files; a folder of the Hub has {FOLDER_FILES:,}")
    for name, config in made.configs.items():
        _config(path, name, config, done)


def _config(path: Path, name: str, config: Config, done: Checked) -> None:
    done.expect(len(config.columns) <= COLUMNS, f"{name}: {len(config.columns)} columns; the viewer shows {COLUMNS:,}")
    for column in config.columns:
        fits = len(column["name"]) <= COLUMN_NAME
        done.expect(fits, f"{name}: a column's name has more than {COLUMN_NAME} characters")
    for split in dict.fromkeys(data.split for data in config.files):
        done.expect(SPLIT.fullmatch(split) is not None, f"{name}: {split!r} is no name of a split")
        files = [data for data in config.files if data.split == split]
        _first_rows(path / files[0].path, f"{name}, {split}", done)
        mean, largest = sum(data.bytes for data in files) / len(files), max(files, key=lambda data: data.bytes)
        if largest.bytes > max(SKEW * mean, SKEW_BYTES):
            done.notes.append(
                f"{largest.path}: {largest.bytes / 1e6:,.0f} MB, {largest.bytes / mean:.1f} times the mean of its"
                " config: a problem with many rows cannot be cut"
            )
    for data in config.files:
        _groups(path / data.path, data.path, done)


def _first_rows(file: Path, where: str, done: Checked) -> None:
    rows = pl.scan_parquet(file, glob=False).head(FIRST_ROWS).collect()
    size = int(frame_bytes(rows).sum())
    if size > FIRST_BYTES:
        done.notes.append(
            f"{where}: its first {rows.height} rows have {size / 1e6:,.1f} MB; the viewer's first page shows 1 MB and"
            " cuts long values"
        )


def _groups(file: Path, name: str, done: Checked) -> None:
    footer = pq.read_metadata(file)
    for number in range(footer.num_row_groups):
        group = footer.row_group(number)
        indexed = all(group.column(column).has_offset_index for column in range(group.num_columns))
        done.expect(indexed, f"{name}: row group {number + 1} has no page index, so the viewer reads it whole")
        fits = group.total_byte_size <= GROUP_BYTES or group.num_rows == 1
        size = f"{group.total_byte_size / 1e6:,.0f} MB"
        done.expect(fits, f"{name}: row group {number + 1} has {size}; the viewer takes {GROUP_BYTES / 1e6:,.0f}")
        for column, cell in _largest(file, number).items():
            if cell > CELL_BYTES:
                done.notes.append(
                    f"{name}: the largest value of {column} has {cell / 1e6:,.1f} MB; the viewer may refuse its page"
                )


def _largest(file: Path, group: int) -> dict[str, int]:
    """The bytes of the largest value of each column that holds text."""
    reader = pq.ParquetFile(file)
    found = {}
    for field in reader.schema_arrow:
        if pa.types.is_nested(field.type) or pa.types.is_string(field.type):
            column = pl.from_arrow(reader.read_row_group(group, columns=[field.name]))
            assert isinstance(column, pl.DataFrame)  # noqa: S101 - a table gives a frame
            found[field.name] = int(frame_bytes(column).max() or 0)  # type: ignore[arg-type]
    return found
