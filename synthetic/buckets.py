"""The rows of one config into Parquet files: cut by the leading bits of problem_id, each sorted.

Memory is bounded: rows go shard by shard into piles on disk, then each bucket is read, sorted by (problem_id, trace_id,
branch) and written. So a takedown or an append rewrites few bytes, and the files in order are sorted as a
whole.
"""

import shutil
from collections.abc import Mapping
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
from synthetic.record import measured, record, schema
from synthetic.run import Bench
from synthetic.stage import Progress, View

BUCKET_BYTES = 256 * 1024 * 1024
"""Files are cut into the smallest power of two of buckets that are no larger than this (`shard.row_bytes`)."""

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
    buckets = max(cut.least.get(view.config, 1), count(sizes, cut.bytes))

    def write(bucket: int) -> Data:
        # As many piles as overlap the bucket: some whole ones, or a part of one.
        overlapping = range(bucket * piles // buckets, ((bucket + 1) * piles - 1) // buckets + 1)
        # No name is kept for what was read: it would be held while the file is written.
        frame = pl.concat([pl.read_ipc(path) for pile in overlapping if (path := spill / f"{pile}.arrow").is_file()])
        frame = frame.filter(_leading() * buckets // 2**LEADING == bucket)
        frame = frame.sort("problem_id", "trace_id", "sort branch").select(rows_schema.names)
        path = folder / f"train-h{bucket:03d}-of-{buckets:03d}.parquet"
        rows, row_hash = shard.write(path, rows_schema, [frame])
        progress(f"writing {view.config}", bucket + 1, buckets)
        return Data(path.relative_to(partial).as_posix(), rows, path.stat().st_size, manifest.sha256(path), row_hash)

    with ThreadPoolExecutor(WRITERS) as pool:
        files = list(pool.map(write, sorted({bits * buckets // 2**LEADING for bits in sizes})))
    shutil.rmtree(spill)
    funnel = [Kept(step.use.text, step.seen, step.dropped, step.flagged) for step in judged[view.config].steps]
    columns = [{"name": c.name, "type": c.type, "null": c.null, "doc": c.doc} for c in rows_schema.columns]
    return Config(view.title, view.schema, columns, judged[view.config].kept, buckets, funnel, files)


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
    wanted = [*schema(view.schema).names, "branch", "env_id", "env_name"]
    read = [n for n in dict.fromkeys(wanted) if n in record().by_name or n in measured().by_name]
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
            rows = shaped.collect().with_columns(kept["branch"].alias("sort branch"))
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


def _said(judged: Mapping[str, Judged], place: int, rows: int, column: str) -> pl.LazyFrame:
    """For every row of a shard, the `drops` or the `flags` of the other configs."""
    said = pl.concat([each.drops(place) if column == "drops" else each.flags(place) for each in judged.values()])
    lists = said.group_by("position", maintain_order=True).agg(pl.struct("config", "rule", "reason").alias(column))
    positions = pl.LazyFrame({"position": pl.int_range(rows, dtype=pl.UInt32, eager=True)})
    joined = positions.join(lists.lazy(), on="position", how="left", maintain_order="left")
    return joined.select(pl.col(column).fill_null(pl.lit([], dtype=schema("traces-1").polars[column])))
