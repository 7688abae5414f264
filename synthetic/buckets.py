"""The rows of configs into Parquet files: cut by the leading bits of problem_id, each sorted.

Memory is bounded: rows go shard by shard into piles on disk (`piles`), once for all configs. Then each bucket is
written: its piles are read one after the other, and the rows of its config sorted by (problem_id, trace_id, branch) and
put into the shape of its view. So a takedown or an append rewrites few bytes, and the files in order are sorted as a
whole.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from threading import Lock

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from synthetic import manifest, shard
from synthetic.judged import Judged
from synthetic.manifest import Config, Data, Kept
from synthetic.piles import LEADING, Piles, held, leading
from synthetic.recipe import Recipe
from synthetic.record import measured, record, schema
from synthetic.run import Bench
from synthetic.splits import SPLITS, TRAIN
from synthetic.stage import Progress, View

BUCKET_BYTES = 256 * 1024 * 1024
"""Files are cut into the smallest power of two of buckets that are no larger than this (`columns.sizes`), with rows
as they are before a view shapes them."""

PILES = 8
"""Piles for each bucket, about: one of them is sorted at once."""

ROW_BYTES = 1024
"""What a row takes in memory beside its texts, about."""

MOST_PILES = 1024
"""Into so many piles are rows gathered at most."""

MADE_BYTES = 64 * 1024 * 1024
"""So many bytes of piles, about, are read at once to make rows of several."""

SLICE_ROWS = 25_000
"""So many rows of a shard are laid down at once."""

SAID = ("drops", "flags")
"""Columns of what rules said of a row."""

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
        rows = _gathered(bench, views, judged, spill, pool, _piles(bench, cut.bytes), progress)
        # Before anything is written, for memory; then the largest config first: no thread is left alone with it.
        made = _made(bench, [view for view in views if not view.by_row], rows, spill, pool, progress)
        writing = {
            view.config: _Writing(bench, view, made.get(view.config, rows), partial, cut, progress) for view in views
        }
        for each in sorted(writing.values(), key=lambda each: -each.bytes):
            each.begin(pool)
        for view in views:
            yield view.config, writing[view.config].config(judged[view.config])
    finally:
        pool.shutdown(cancel_futures=True)
    shutil.rmtree(spill, ignore_errors=True)


class _Writing:
    """The files of one config, while threads sort and write its buckets."""

    def __init__(self, bench: Bench, view: View, rows: Piles, partial: Path, cut: Cut, progress: Progress) -> None:
        self.recipe, self.view, self.rows, self.partial, self.progress = bench.recipe, view, rows, partial, progress
        self.schema, self.folder = schema(view.schema), partial / "data" / view.config
        sizes = rows.sizes(view.config)
        self.bytes = sum(sizes.values())
        self.buckets = max(cut.least.get(view.config, 1), count(sizes, cut.bytes))
        self.filled = sorted({bits * self.buckets // 2**LEADING for bits in sizes})
        """Buckets that hold rows."""
        self._files: list[Future[list[Data]]] = []

    def begin(self, pool: Executor) -> None:
        """Hand every bucket to the threads."""
        shutil.rmtree(self.folder, ignore_errors=True)  # an interrupted run may have left it
        self.folder.mkdir(parents=True)
        self._files = [pool.submit(self._bucket, bucket) for bucket in self.filled]

    def _bucket(self, bucket: int) -> list[Data]:
        written = []
        for name in SPLITS if self.recipe.split.validation else (TRAIN,):
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
        buckets, piles, view = self.buckets, self.rows.count, self.view
        columns = columns_of(view) if view.by_row else self.schema.names
        own = [held(view.config)] if view.by_row else []
        # As many piles as overlap the bucket: some whole ones, or a part of one.
        for pile in range(bucket * piles // buckets, ((bucket + 1) * piles - 1) // buckets + 1):
            if (frame := self.rows.read(range(pile, pile + 1), [*columns, *own])) is None:
                continue
            # Narrow columns alone are sorted: polars takes a kilobyte for each row of a wide frame.
            place, bits = pl.int_range(pl.len()).alias("place"), leading().alias("bits")
            narrow = frame.select(place, *view.order, bits, "problem_cluster", *own)
            narrow = narrow.filter(*own, pl.col("bits") * buckets // 2**LEADING == bucket).sort(view.order)
            if self.recipe.split.validation:
                narrow = narrow.filter(self.recipe.split.of(narrow["problem_cluster"]) == split)
            for part in shard.frame_parts(frame.select(columns), narrow["place"]):
                yield (shaped(view, self.recipe, part.lazy()).collect() if view.by_row else part).to_arrow()

    def config(self, judged: Judged) -> Config:
        """The config, when its files are whole. Raises `CannotWrite`, `OSError`."""
        files = sorted((data for each in self._files for data in each.result()), key=lambda d: SPLITS.index(d.split))
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
    size = ROW_BYTES * sum(bench.snapshot.rows)
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
) -> Piles:
    """The rows that stand in any of the configs in piles, each with which ones it stands in."""
    found = Piles(spill / "rows", piles, {view.config: schema(view.schema).names for view in views if view.by_row})
    wanted = list(dict.fromkeys(name for view in views for name in reads(view)))
    one_at_a_time = Lock()

    def gather_shard(place: int) -> None:
        rows = bench.snapshot.rows[place]
        with one_at_a_time:  # it may measure first
            lazy = bench.frame(place, wanted)
        said = [_said(judged, place, rows, column) for column in SAID]
        frame = lazy.collect().with_columns(
            *said, *(judged[view.config].standing[place].alias(held(view.config)) for view in views)
        )
        stand = pl.any_horizontal(held(view.config) for view in views)
        for start in range(0, rows, SLICE_ROWS):
            found.add(frame.slice(start, SLICE_ROWS).filter(stand))

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


def columns_of(view: View) -> list[str]:
    """`reads`, and what the view's rows say of drops and flags."""
    return [*reads(view), *(name for name in SAID if name in schema(view.schema).names)]


def shaped(view: View, recipe: Recipe, rows: pl.LazyFrame) -> pl.LazyFrame:
    """Rows in the shape of a view, each at its place."""
    return view.shape(rows, thinking=recipe.thinking, environments=recipe.environments)


def gather(view: View, recipe: Recipe, rows: pl.LazyFrame) -> pl.LazyFrame:
    """The rows of a config, given all shaped rows of some problems: as they are, or what its view makes of them."""
    if view.gathers is None:
        return rows
    by = next((use for use in recipe.rules(view.config) if use.name == view.gathers_by), None)
    return view.gathers(rows, **({**by.stage.defaults, **by.settings} if by else {}))


def _made(
    bench: Bench, views: Sequence[View], rows: Piles, spill: Path, pool: Executor, progress: Progress
) -> dict[str, Piles]:
    """What views make of several rows, some piles at once."""
    found = {v.config: Piles(spill / v.config, rows.count, {v.config: schema(v.schema).names}) for v in views}
    several = max(1, rows.count * MADE_BYTES // (rows.bytes + 1))

    def make(start: int) -> None:
        piles = range(start, min(start + several, rows.count))
        for view in views:
            if (frame := rows.read(piles, [*reads(view), held(view.config)])) is not None:
                own = shaped(view, bench.recipe, frame.lazy().filter(held(view.config)).select(reads(view)))
                found[view.config].add(gather(view, bench.recipe, own).collect())

    if views:
        _each(pool, make, range(0, rows.count, several), f"making {' and '.join(found)}", progress)
    return found


def _said(judged: Mapping[str, Judged], place: int, rows: int, column: str) -> pl.Series:
    """For every row of a shard, the `drops` or the `flags` of the other configs."""
    said = pl.concat([each.drops(place) if column == "drops" else each.flags(place) for each in judged.values()])
    lists = said.group_by("position", maintain_order=True).agg(pl.struct("config", "rule", "reason").alias(column))
    positions = pl.DataFrame({"position": pl.int_range(rows, dtype=pl.UInt32, eager=True)})
    joined = positions.join(lists, on="position", how="left", maintain_order="left")
    return joined.select(pl.col(column).fill_null(pl.lit([], dtype=schema("traces-1").polars[column]))).to_series()
