"""The rows of one config into Parquet files: cut by the leading bits of problem_id, each sorted.

Memory is bounded: rows go shard by shard into piles on disk (`piles`), then each bucket is written, its piles read and
sorted by (problem_id, trace_id, branch) one after the other. So a takedown or an append rewrites few bytes, and the
files in order are sorted as a whole.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain, product
from pathlib import Path
from threading import Lock

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from synthetic import manifest, shard
from synthetic.judged import Judged
from synthetic.manifest import Config, Data, Kept
from synthetic.piles import LEADING, Piles, leading
from synthetic.recipe import Recipe
from synthetic.record import measured, record, schema
from synthetic.run import Bench
from synthetic.splits import SPLITS, TRAIN
from synthetic.stage import Progress, View

BUCKET_BYTES = 256 * 1024 * 1024
"""Files are cut into the smallest power of two of buckets that are no larger than this (`shard.frame_bytes`)."""

PILES = 8
"""Piles for each bucket, about: one of them is sorted at once."""

MOST_PILES = 1024
"""Into so many piles are rows gathered at most."""

SLICE_ROWS = 25_000
"""So many rows of a shard are put into the shape of a view at once."""

THREADS = 2
"""Shards that are read, piles that are made and buckets that are written at the same time."""


@dataclass(frozen=True)
class Cut:
    """How files are cut."""

    bytes: int = BUCKET_BYTES
    least: Mapping[str, int] = field(default_factory=dict)
    """Buckets of each config in an earlier version: never fewer, so that few files change."""


def write_configs(
    bench: Bench, views: Sequence[View], judged: Mapping[str, Judged], partial: Path, cut: Cut, progress: Progress
) -> Iterator[tuple[str, Config]]:
    """Write the files of some configs below `partial`; give each config, with its name, when its files are whole.

    Every shard is read once for all of them. Raises `CannotWrite`, `OSError`.
    """
    spill = partial / "spill"
    shutil.rmtree(spill, ignore_errors=True)  # an interrupted run may have left it
    pool = ThreadPoolExecutor(THREADS)
    try:
        gathered = _gathered(bench, views, judged, spill, pool, _piles(bench, cut.bytes), progress)
        # Before anything is written, for memory; then the largest config first: no thread is left alone with it.
        for view in views:
            if view.gathers is not None:
                gathered[view.config] = _made(bench, view, gathered[view.config], pool, progress)
        writing = {
            view.config: _Writing(bench, view, gathered[view.config], partial, cut, progress).begun(pool)
            for view in sorted(views, key=lambda view: -sum(gathered[view.config].sizes.values()))
        }
        for view in views:
            yield view.config, writing[view.config].config(judged[view.config])
    finally:
        pool.shutdown(cancel_futures=True)
    shutil.rmtree(spill, ignore_errors=True)


class _Writing:
    """The files of one config, while threads sort and write its buckets."""

    def __init__(self, bench: Bench, view: View, rows: Piles, partial: Path, cut: Cut, progress: Progress) -> None:
        self.split, self.view, self.rows, self.partial, self.progress = (
            bench.recipe.split,
            view,
            rows,
            partial,
            progress,
        )
        self.schema, self.folder = schema(view.schema), partial / "data" / view.config
        self.buckets = max(cut.least.get(view.config, 1), count(rows.sizes, cut.bytes))
        self._files: list[Future[list[Data]]] = []

    def begun(self, pool: Executor) -> "_Writing":
        """Hand every bucket to the threads."""
        shutil.rmtree(self.folder, ignore_errors=True)  # an interrupted run may have left it
        self.folder.mkdir(parents=True)
        filled = sorted({bits * self.buckets // 2**LEADING for bits in self.rows.sizes})
        self._files = [pool.submit(self._bucket, bucket) for bucket in filled]
        return self

    def _bucket(self, bucket: int) -> list[Data]:
        written = []
        for name in SPLITS if self.split.validation else (TRAIN,):
            path = self.folder / f"{name}-h{bucket:03d}-of-{self.buckets:03d}.parquet"
            parts = self._parts(bucket, name)
            if (first := next(parts, None)) is not None:
                height, row_hash = shard.write_parts(path, self.schema, chain([first], parts))
                place = path.relative_to(self.partial).as_posix()
                written.append(Data(place, height, path.stat().st_size, manifest.sha256(path), row_hash))
        self.progress(f"writing {self.view.config}", bucket + 1, self.buckets)
        return written

    def _parts(self, bucket: int, split: str) -> Iterator[pa.Table]:
        """The rows of a split in a bucket, sorted: pile by pile, since piles follow each other as problem ids do."""
        buckets, piles = self.buckets, self.rows.count
        by = ["sort branch" if name == "branch" else name for name in self.view.order]
        # As many piles as overlap the bucket: some whole ones, or a part of one.
        for pile in range(bucket * piles // buckets, ((bucket + 1) * piles - 1) // buckets + 1):
            if (frame := self.rows.read(pile)) is None:
                continue
            # Narrow columns alone are sorted: polars takes a kilobyte for each row of a wide frame.
            place, bits = pl.int_range(pl.len()).alias("place"), leading().alias("bits")
            narrow = frame.select(place, *by, bits, "problem_cluster")
            narrow = narrow.filter(pl.col("bits") * buckets // 2**LEADING == bucket).sort(by)
            if self.split.validation:
                narrow = narrow.filter(self.split.of(narrow["problem_cluster"]) == split)
            yield from shard.arrow_parts(frame.select(self.schema.names), narrow["place"])

    def config(self, judged: Judged) -> Config:
        """The config, when its files are whole. Raises `CannotWrite`, `OSError`."""
        files = sorted((data for each in self._files for data in each.result()), key=lambda d: SPLITS.index(d.split))
        shutil.rmtree(self.rows.folder)
        funnel = [Kept(step.use.text, step.seen, step.dropped, step.flagged) for step in judged.steps]
        columns = [{"name": c.name, "type": c.type, "null": c.null, "doc": c.doc} for c in self.schema.columns]
        height = sum(data.rows for data in files)
        title, named = self.view.title, self.view.schema
        return Config(title, named, columns, height, judged.kept, self.buckets, funnel, files)


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


def _piles(bench: Bench, bucket_bytes: int) -> int:
    """Into how many piles rows are gathered: some for each bucket, the number of which is not known yet."""
    size = 0
    for each in bench.snapshot.traces:
        data = pq.read_metadata(each.path)
        size += sum(int(data.row_group(group).total_byte_size) for group in range(data.num_row_groups))
    return min(MOST_PILES, 1 << (PILES * size // bucket_bytes).bit_length())


def _gathered(
    bench: Bench,
    views: Sequence[View],
    judged: Mapping[str, Judged],
    spill: Path,
    pool: Executor,
    piles: int,
    progress: Progress,
) -> dict[str, Piles]:
    """The rows of each config in the shape of its view, in piles."""
    found = {view.config: Piles(spill / view.config, piles) for view in views}
    read = {view.config: reads(view) for view in views}
    wanted = list(dict.fromkeys(name for names in read.values() for name in names))
    one_at_a_time = Lock()

    def gather_shard(place: int) -> None:
        rows = bench.snapshot.rows[place]
        with one_at_a_time:  # it may measure first
            lazy = bench.frame(place, wanted)
        frame = lazy.collect()
        said = {column: _said(judged, place, rows, column) for column in ("drops", "flags")}
        # In slices, since a view's rows take more memory than its texts where these are short.
        for view, start in product(views, range(0, rows, SLICE_ROWS)):
            own = frame.select(read[view.config])
            own = own.hstack([said[name] for name in said if name in schema(view.schema).names])
            kept = own.slice(start, SLICE_ROWS).filter(judged[view.config].standing[place].slice(start, SLICE_ROWS))
            # Position by position: the view may not reorder or drop rows.
            shaped = view.shape(kept.lazy(), thinking=bench.recipe.thinking, environments=bench.recipe.environments)
            made = shaped.collect()
            found[view.config].add(made.with_columns(kept["branch"].alias("sort branch")) if view.by_row else made)

    _each(pool, gather_shard, range(len(bench.snapshot.rows)), "gathering rows", progress)
    return found


def _each(pool: Executor, work: Callable[[int], None], places: range, what: str, progress: Progress) -> None:
    """Do the work for every place, some at the same time."""
    for done, _ in enumerate(pool.map(work, places), start=1):
        progress(what, done, len(places))


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


def _made(bench: Bench, view: View, shaped: Piles, pool: Executor, progress: Progress) -> Piles:
    """The rows that a view makes of shaped ones, pile by pile."""
    found = Piles(shaped.folder.with_name(f"{view.config} made"), shaped.count)

    def make(pile: int) -> None:
        if (rows := shaped.read(pile)) is not None:
            found.add(gather(view, bench.recipe, rows.lazy()).collect())

    _each(pool, make, range(shaped.count), f"making {view.config}", progress)
    shutil.rmtree(shaped.folder)
    return found


def _said(judged: Mapping[str, Judged], place: int, rows: int, column: str) -> pl.Series:
    """For every row of a shard, the `drops` or the `flags` of the other configs."""
    said = pl.concat([each.drops(place) if column == "drops" else each.flags(place) for each in judged.values()])
    lists = said.group_by("position", maintain_order=True).agg(pl.struct("config", "rule", "reason").alias(column))
    positions = pl.DataFrame({"position": pl.int_range(rows, dtype=pl.UInt32, eager=True)})
    joined = positions.join(lists, on="position", how="left", maintain_order="left")
    return joined.select(pl.col(column).fill_null(pl.lit([], dtype=schema("traces-1").polars[column]))).to_series()
