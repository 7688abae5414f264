"""The rows of one config into Parquet files: cut by the leading bits of problem_id, each sorted.

Memory is bounded: rows go shard by shard into piles on disk, then each bucket is read, sorted by (problem_id, trace_id,
branch) and written. So a takedown or an append rewrites few bytes, and the files in order are sorted as a
whole.
"""

import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from synthetic import manifest, shard
from synthetic.judged import Judged
from synthetic.manifest import Config, Data, Kept
from synthetic.recipe import Recipe
from synthetic.record import measured, record, schema
from synthetic.run import Bench
from synthetic.splits import SPLITS, TRAIN, Split
from synthetic.stage import Progress, View

BUCKET_BYTES = 256 * 1024 * 1024
"""Files are cut into the smallest power of two of buckets that are no larger than this (`shard.frame_bytes`)."""

LEADING = 16
"""Bits of problem_id that a bucket can be told by."""

MOST_OPEN = 256
"""So many files are open at once while rows are gathered."""

WRITERS = 2
"""Buckets that are sorted and written at the same time."""


@dataclass(frozen=True)
class Cut:
    """How files are cut."""

    bytes: int = BUCKET_BYTES
    least: Mapping[str, int] = field(default_factory=dict)
    """Buckets of each config in an earlier version: never fewer, so that few files change."""


def write_config(
    bench: Bench, view: View, judged: Mapping[str, Judged], partial: Path, cut: Cut, progress: Progress
) -> Config:
    """Write the files of one config below `partial`. Raises `CannotWrite`, `OSError`."""
    rows_schema = schema(view.schema)
    folder, spill = partial / "data" / view.config, partial / "spill"
    for each in (folder, spill):  # an interrupted run may have left them
        shutil.rmtree(each, ignore_errors=True)
        each.mkdir(parents=True)
    piles = _piles(bench, cut.bytes)
    sizes = _spill(bench, view, judged, spill, piles, progress)
    if not view.by_row:
        sizes = _gathered(bench, view, spill, piles, progress)
    buckets = max(cut.least.get(view.config, 1), count(sizes, cut.bytes))

    order = ["sort branch" if name == "branch" else name for name in view.order]

    def write(bucket: int) -> list[Data]:
        # As many piles as overlap the bucket: some whole ones, or a part of one.
        overlapping = range(bucket * piles // buckets, ((bucket + 1) * piles - 1) // buckets + 1)
        # No name is kept for what was read: it would be held while the file is written.
        frame = pl.concat([pl.read_ipc(path) for pile in overlapping if (path := spill / f"{pile}.arrow").is_file()])
        frame = frame.filter(_leading() * buckets // 2**LEADING == bucket)
        frame = frame.sort(order).select(rows_schema.names)
        written = []
        for split, rows_of in _splits(frame, bench.recipe.split):
            path = folder / f"{split}-h{bucket:03d}-of-{buckets:03d}.parquet"
            rows, row_hash = shard.write(path, rows_schema, rows_of)
            name = path.relative_to(partial).as_posix()
            written.append(Data(name, rows, path.stat().st_size, manifest.sha256(path), row_hash))
        progress(f"writing {view.config}", bucket + 1, buckets)
        return written

    with ThreadPoolExecutor(WRITERS) as pool:
        written = pool.map(write, sorted({bits * buckets // 2**LEADING for bits in sizes}))
        files = sorted((data for each in written for data in each), key=lambda data: SPLITS.index(data.split))
    shutil.rmtree(spill)
    funnel = [Kept(step.use.text, step.seen, step.dropped, step.flagged) for step in judged[view.config].steps]
    columns = [{"name": c.name, "type": c.type, "null": c.null, "doc": c.doc} for c in rows_schema.columns]
    rows = sum(data.rows for data in files)
    return Config(view.title, view.schema, columns, rows, judged[view.config].kept, buckets, funnel, files)


def count(sizes: Mapping[int, int], most_bytes: int) -> int:
    """The smallest power of two of buckets of at most `most_bytes`, given the bytes of each value of the leading bits.

    One huge problem may fit into no bucket: there are at most 16 times as many as evenly filled ones would need.
    """
    enough = 1 << (16 * sum(sizes.values()) // most_bytes).bit_length()
    buckets = 1
    while buckets < min(enough, 2**LEADING):
        filled: dict[int, int] = {}
        for bits, size in sizes.items():
            bucket = bits * buckets // 2**LEADING
            filled[bucket] = filled.get(bucket, 0) + size
        if max(filled.values()) <= most_bytes:
            break
        buckets *= 2
    return buckets


def _splits(frame: pl.DataFrame, split: Split) -> Iterator[tuple[str, list[pl.DataFrame]]]:
    """The splits that have rows, each with its rows in their order."""
    if not split.validation:
        yield TRAIN, [frame]
        return
    of = split.of(frame["problem_cluster"])
    for name in SPLITS:
        if (rows := frame.filter(of == name)).height:
            yield name, [rows]


def _leading() -> pl.Expr:
    """The leading bits of problem_id, as a number."""
    return pl.col("problem_id").str.head(LEADING // 4).str.to_integer(base=16, dtype=pl.Int64)


def _piles(bench: Bench, bucket_bytes: int) -> int:
    """Into how many files rows are gathered first: about as many as buckets, whose number is not known yet."""
    size = 0
    for each in bench.snapshot.traces:
        data = pq.read_metadata(each.path)
        size += sum(int(data.row_group(group).total_byte_size) for group in range(data.num_row_groups))
    return min(MOST_OPEN, 1 << (2 * size // bucket_bytes).bit_length())


def _spill(
    bench: Bench, view: View, judged: Mapping[str, Judged], spill: Path, piles: int, progress: Progress
) -> dict[int, int]:
    """Gather a config's rows, in its shape, into `piles` files; give the bytes of each value of the leading bits."""
    wanted = schema(view.schema).names
    read = reads(view)
    sizes: dict[int, int] = {}
    writers: dict[int, pa.ipc.RecordBatchFileWriter] = {}
    with ExitStack() as stack:
        for place, standing in enumerate(judged[view.config].standing):
            frame = bench.frame(place, read)
            if "drops" in wanted:
                said = [_said(judged, place, len(standing), column) for column in ("drops", "flags")]
                frame = pl.concat([frame, *said], how="horizontal")
            kept = frame.collect().filter(standing)
            # Position by position: the view may not reorder or drop rows.
            shaped = view.shape(kept.lazy(), thinking=bench.recipe.thinking, environments=bench.recipe.environments)
            rows = shaped.collect()
            if view.by_row:
                rows = rows.with_columns(kept["branch"].alias("sort branch"))
            bits = rows.select(_leading().alias("bits")).to_series()
            sized = pl.DataFrame({"bits": bits, "bytes": shard.frame_bytes(rows)}).group_by("bits").sum()
            for value, size in sized.iter_rows():
                sizes[value] = sizes.get(value, 0) + size
            for (pile,), piece in rows.group_by((bits * piles // 2**LEADING).alias("pile"), maintain_order=True):
                key = int(pile)
                for table in shard.arrow_parts(piece):
                    if key not in writers:
                        lz4 = pa.ipc.IpcWriteOptions(compression="lz4")
                        writers[key] = stack.enter_context(
                            pa.ipc.new_file(spill / f"{key}.arrow", table.schema, options=lz4)
                        )
                    writers[key].write_table(table)
            progress(f"gathering {view.config}", place + 1, len(judged[view.config].standing))
    return sizes


def reads(view: View) -> list[str]:
    """The columns of the record and measured ones that a view's rows are made of."""
    always = ("row_id", "problem_id", "problem_cluster", "branch", "env_id", "env_name")
    wanted = dict.fromkeys([*(schema(view.schema).names if view.by_row else view.reads), *always])
    return [name for name in wanted if name in record().by_name or name in measured().by_name]


def gather(view: View, recipe: Recipe, shaped: pl.LazyFrame) -> pl.LazyFrame:
    """The rows of a config, given all shaped rows of some problems: as they are, or what its view makes of them."""
    if view.gathers is None:
        return shaped
    by = next((use for use in recipe.rules(view.config) if use.name == view.gathers_by), None)
    return view.gathers(shaped, **({**by.stage.defaults, **by.settings} if by else {}))


def _gathered(bench: Bench, view: View, spill: Path, piles: int, progress: Progress) -> dict[int, int]:
    """Put in each pile's place the rows that are made of it; give the bytes of each value of the leading bits."""
    sizes: dict[int, int] = {}
    for pile in range(piles):
        if (path := spill / f"{pile}.arrow").is_file():
            rows = gather(view, bench.recipe, pl.read_ipc(path).lazy()).collect()
            rows.write_ipc(path, compression="lz4")
            sized = pl.DataFrame({"bits": rows.select(_leading()).to_series(), "bytes": shard.frame_bytes(rows)})
            sizes |= dict(sized.group_by("bits").sum().iter_rows())
        progress(f"making {view.config}", pile + 1, piles)
    return sizes


def _said(judged: Mapping[str, Judged], place: int, rows: int, column: str) -> pl.LazyFrame:
    """For every row of a shard, the `drops` or the `flags` of the other configs."""
    said = pl.concat([each.drops(place) if column == "drops" else each.flags(place) for each in judged.values()])
    lists = said.group_by("position", maintain_order=True).agg(pl.struct("config", "rule", "reason").alias(column))
    positions = pl.LazyFrame({"position": pl.int_range(rows, dtype=pl.UInt32, eager=True)})
    joined = positions.join(lists.lazy(), on="position", how="left", maintain_order="left")
    return joined.select(pl.col(column).fill_null(pl.lit([], dtype=schema("traces-1").polars[column])))
