"""A store: a folder of numbered shards, each its own commit.

    STORE/shards/000000000017.parquet     facts, late facts or tokens; the footer says of which ranges of which logs
    STORE/quarantine/<digest>.jsonl       lines that gave no row, with file, offset and reason
    STORE/cache/<digest>.parquet          results of rules and measures; may be deleted at any time
    STORE/lock                            held while writing

A shard is written under a temporary name, fsynced, re-opened and checked, then hard-linked to the next free
number: the link is the commit, and its failure is the compare-and-swap that two writers need. Recovery is
listing the folder. What a log says later arrives as shards of annotations; `scan` folds them in, newest wins,
and gives each row once.
"""

import errno
import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

import msgspec
import polars as pl

from synthetic import fold, manifest
from synthetic import shard as shards
from synthetic.errors import BrokenStore, CannotWrite, StoreBusy, TargetTaken
from synthetic.record import Schema, canonical_json, digest, kinds, record
from synthetic.stage import Progress, silent
from synthetic.target import store_beside

Log: TypeAlias = tuple[str, str, str, str]
"""Which log: run, path, the digest of its first line, and what is taken from it (`facts` or `tokens`)."""


class Range(msgspec.Struct, frozen=True):
    """A stretch of one log that a shard holds. Offsets count decompressed bytes."""

    run: str
    """Name of the run's folder."""
    path: str
    """The log, relative to the run, without a compression suffix."""
    first: str
    """xxh3-128 of the log's first line: with run and path, which log this is."""
    part: str
    """`facts`, or `tokens`: what was taken from these lines."""
    generation: int
    """Raised when the same log came back with other bytes before `end`."""
    start: int
    end: int
    digest: str
    """xxh3-128 of the bytes from start to end."""
    lines: int
    """captured + quarantined"""
    captured: int
    quarantined: int
    rows: int
    """Rows of the record, or late facts, that the captured lines gave."""
    format: str

    @property
    def log(self) -> Log:
        """Which log this is."""
        return self.run, self.path, self.first, self.part

    def overlaps(self, other: "Range") -> bool:
        """Whether both hold a byte of the same log."""
        same = self.log == other.log and self.generation == other.generation
        return same and self.start < other.end and other.start < self.end


class Footer(msgspec.Struct, frozen=True):
    """All that a commit says."""

    kind: str
    """`traces`, `annotations` or `tokens`."""
    schema: str
    ranges: list[Range]
    quarantine: list[str]
    """Files with the lines of these ranges that gave no row."""
    rows: int
    row_hash: str
    """xxh3-128 of the rows' values (`shard.RowHash`)."""
    captured_at: str
    """For people; no order or identity depends on it."""
    code_version: str
    replaces: list[int] = []
    """Shards that this one holds anew, after compaction."""

    def encoded(self, rows: int, row_hash: str) -> bytes:
        """As JSON, with what is known once the rows are written."""
        return msgspec.json.encode(msgspec.structs.replace(self, rows=rows, row_hash=row_hash))


@dataclass(frozen=True)
class Shard:
    """A committed shard."""

    number: int
    path: Path
    footer: Footer


def _footer(path: Path) -> Footer:
    try:
        return msgspec.json.decode(shards.read_meta(path), type=Footer)
    except msgspec.DecodeError as error:
        raise BrokenStore(f"{path}: its footer is not a shard's ({error})") from error


class Overtaken(StoreBusy):
    """Another writer committed the same lines first; reading the store anew and going on is safe."""


SCHEMAS: Mapping[str, Schema] = kinds()


@dataclass
class Store:
    """A folder of shards."""

    path: Path

    @property
    def shard_folder(self) -> Path:
        """Where shards are."""
        return self.path / "shards"

    @property
    def quarantine_folder(self) -> Path:
        """Where lines are that gave no row."""
        return self.path / "quarantine"

    @property
    def cache_folder(self) -> Path:
        """Where results of rules and measures are."""
        return self.path / "cache"

    def exists(self) -> bool:
        """Whether the folder is a store."""
        return self.shard_folder.is_dir()

    def must_exist(self) -> None:
        """Raise `BrokenStore` where the folder is no store."""
        if not self.exists() and manifest.is_release(self.path):
            beside = Store(store_beside(self.path))
            raise BrokenStore(
                f"{self.path}: is a release, and no store",
                hint=f"name its store: {beside.path}" if beside.exists() else "name the store that it was made from",
            )
        if not self.exists():
            raise BrokenStore(
                f"{self.path}: no store here (no folder 'shards')",
                hint=f"synthetic capture RUN --into {self.path}",
            )

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the store's lock, and clear what dead writers left.

        Raises `TargetTaken` (a release is there), `StoreBusy` or `CannotWrite`.
        """
        whole = self.path.absolute()
        if release := next(filter(manifest.is_release, (whole, *whole.parents)), None):
            raise TargetTaken(
                f"{self.path}: {release} is a release, and a store lies beside it, never inside",
                hint=f"name another folder: {store_beside(release)}",
            )
        try:
            self.shard_folder.mkdir(parents=True, exist_ok=True)
            self.quarantine_folder.mkdir(exist_ok=True)
            lock = (self.path / "lock").open("ab")
        except OSError as error:
            raise CannotWrite(f"{self.path}: {error.strerror}", hint="choose another folder for the store") from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise StoreBusy(
                    f"{self.path}: another capture is writing to it",
                    hint="wait for it to end, then run again",
                ) from error
            for left in (*self.shard_folder.glob("*.tmp"), *self.quarantine_folder.glob("*.tmp")):
                left.unlink(missing_ok=True)
            yield

    def shards(self) -> list[Shard]:
        """The committed shards in order, without those that a later one replaces. Raises `BrokenStore`."""
        found = []
        for path in sorted(self.shard_folder.glob("*.parquet")):
            if not path.stem.isdigit():
                raise BrokenStore(f"{path}: no shard has this name; shards are numbered")
            found.append(Shard(int(path.stem), path, _footer(path)))
        replaced = {number for shard in found for number in shard.footer.replaces}
        return [shard for shard in found if shard.number not in replaced]

    def commit(self, temporary: Path, footer: Footer, *, after: int) -> int:
        """Give a finished file the next free number, and tell it: from here on it is acknowledged.

        `after` is the number of the last shard that the writer has read (-1: none). Every later one is another
        writer's; where it holds the same lines, `Overtaken` is raised.
        """
        number = after + 1
        while True:
            target = self.shard_folder / f"{number:012d}.parquet"
            try:
                os.link(temporary, target)
            except FileExistsError as error:
                # Over NFS a link can succeed although its answer was lost: then the file has two names.
                if not target.samefile(temporary):
                    shards.sync_folder(self.shard_folder)
                    winner = _footer(target)
                    if any(ours.overlaps(theirs) for ours in footer.ranges for theirs in winner.ranges):
                        temporary.unlink()
                        raise Overtaken(f"{self.path}: another writer captured the same lines first") from error
                    number += 1
                    continue
            except OSError as error:
                temporary.unlink(missing_ok=True)
                no_links = error.errno in {errno.EPERM, errno.ENOTSUP}
                why = "the file system has no hard links" if no_links else error.strerror
                raise CannotWrite(f"{target}: {why}", hint="choose another folder for the store") from error
            shards.sync_folder(self.shard_folder)
            temporary.unlink()
            return number

    def snapshot(self, progress: Progress = silent) -> "Snapshot":
        """The store as it stands now."""
        self.must_exist()
        return Snapshot.of(self.shards(), progress)


@dataclass(frozen=True)
class Snapshot:
    """The rows of one or several stores at one moment: each row once, late facts folded in.

    Everything wide is read shard by shard; only ids and late facts are held for all rows.
    """

    traces: tuple[Shard, ...]
    rows: tuple[int, ...]
    """Rows of each shard, without those that an earlier shard has."""
    again: Mapping[int, pl.Series] = field(repr=False)
    """By place of the shard in `traces`: positions of rows that an earlier shard has."""
    conflicts: pl.DataFrame = field(repr=False)
    """Rows that came with the same id and another content, and where they and the first, which is kept, stand."""
    late: Mapping[int, pl.DataFrame] = field(repr=False)
    """By place of the shard: trace_id, branch (null = all) and the folded late facts."""
    annotations: tuple[Shard, ...] = ()

    @classmethod
    def of(cls, found: Sequence[Shard], progress: Progress = silent) -> "Snapshot":
        """Read ids and late facts of these shards, in their order."""
        traces = tuple(shard for shard in found if shard.footer.kind == "traces")
        annotations = tuple(shard for shard in found if shard.footer.kind == "annotations")
        paths = [shard.path for shard in traces]
        again, conflicts = fold.repeated(paths, progress)
        late = fold.late(paths, [shard.path for shard in annotations])
        rows = tuple(shard.footer.rows - len(again.get(i, ())) for i, shard in enumerate(traces))
        return cls(traces, rows, again, conflicts, late, annotations)

    @cached_property
    def row_hashes(self) -> tuple[str, ...]:
        """For each shard, a hash that changes when the rows that count change."""
        return tuple(
            shard.footer.row_hash if i not in self.again else f"{shard.footer.row_hash}-{self.again[i].to_list()}"
            for i, shard in enumerate(self.traces)
        )

    @cached_property
    def late_hash(self) -> str:
        """A hash that changes when late facts do."""
        return digest(canonical_json([shard.footer.row_hash for shard in self.annotations]))

    def lazy(self, place: int) -> pl.LazyFrame:
        """The record's columns of one shard's rows, in the shard's order."""
        again = self.again.get(place)
        position = "position" if again is not None else None
        frame = pl.scan_parquet(self.traces[place].path, glob=False, row_index_name=position)
        if again is not None:
            frame = frame.filter(pl.col("position").is_in(again.implode()).not_())
        late = self.late.get(place)
        folded = [name for name, column in record().by_name.items() if column.late]
        if late is None:
            missing = [pl.lit(None, record().polars[name]).alias(name) for name in folded]
            return frame.with_columns(missing).select(record().names)
        whole = late.filter(pl.col("branch").is_null()).drop("branch").lazy()
        frame = frame.join(whole, on="trace_id", how="left", maintain_order="left")
        if (single := late.filter(pl.col("branch").is_not_null())).height:
            frame = frame.join(
                single.lazy(), on=["trace_id", "branch"], how="left", maintain_order="left", suffix=" own"
            )
            frame = frame.with_columns(pl.coalesce(f"{name} own", name).alias(name) for name in folded)
        return frame.select(record().names)

    def scan(self) -> pl.LazyFrame:
        """All rows, in the order of capture."""
        if not self.traces:
            return pl.LazyFrame(schema=record().polars)
        return pl.concat([self.lazy(place) for place in range(len(self.traces))])


def scan(*stores: str | Path) -> pl.LazyFrame:
    """The rows of one or several stores: the record's columns, late facts folded in, each row once.

    A row_id that occurs again keeps its first content (earliest store, lowest shard). Raises `BrokenStore`.
    """
    return snapshot(*stores).scan()


def snapshot(*stores: str | Path, progress: Progress = silent) -> Snapshot:
    """Several stores as one."""
    return Snapshot.of(_shards(*stores), progress)


def _shards(*stores: str | Path) -> list[Shard]:
    found: list[Shard] = []
    for store in map(Store, map(Path, stores)):
        store.must_exist()
        found += store.shards()
    return found


def tokens(*stores: str | Path) -> pl.LazyFrame:
    """The token arrays of one or several stores, one row per row_id: what `capture(…, tokens=True)` took.

    Where several logs speak of a row, the newest that has an array wins, array by array. Wide: filter by row_id or
    select columns before collecting. Raises `BrokenStore`.
    """
    found = [shard.path for shard in _shards(*stores) if shard.footer.kind == "tokens"]
    return fold.tokens(found, SCHEMAS["tokens"])


def ranges(found: Iterable[Shard]) -> Iterator[Range]:
    """Every range that these shards hold."""
    for shard in found:
        yield from shard.footer.ranges


@dataclass(frozen=True)
class Cache:
    """Results of tasks, each in a file named by the digest of what made it: a file is a finished task."""

    folder: Path

    @classmethod
    def of(cls, store: Path, stack: ExitStack) -> "Cache":
        """The store's own cache; one that goes with the stack where the store cannot be written."""
        folder = store / "cache"
        try:
            folder.mkdir(exist_ok=True)
            if os.access(folder, os.W_OK):
                return cls(folder)
        except OSError:
            pass  # a read-only store is no mistake
        return cls(Path(stack.enter_context(TemporaryDirectory(prefix="synthetic-"))))

    def path(self, key: str) -> Path:
        """Where the result of that key is, or will be."""
        return self.folder / f"{key}.parquet"

    def get(self, key: str) -> pl.DataFrame | None:
        """The result, if the task is finished; a file that is not whole is none."""
        try:
            return pl.read_parquet(self.path(key), glob=False)
        except (FileNotFoundError, pl.exceptions.ComputeError):
            return None

    def put(self, key: str, result: pl.DataFrame) -> None:
        """Keep a result. Raises `CannotWrite`."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            temporary = self.folder / f"{key}.{os.getpid()}.tmp"
            result.write_parquet(temporary, compression="zstd")
            temporary.rename(self.path(key))
        except OSError as error:
            raise CannotWrite(
                f"{self.folder}: {error.strerror or error}",
                hint="make room, then run again: finished tasks are kept",
            ) from error
