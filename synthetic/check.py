"""Does every byte, count and claim hold? Of a release or of a store; answers are re-checked elsewhere.

A release: every file against its hash, every row against its schema and hash, order, buckets and ids, every number of
the card computed again from the shards and the card rendered again from them, and every row of every config read the
way its readers will, through `datasets.load_dataset`. A store: every shard against its footer, ranges against each
other, side files against their names. Problems are collected, not raised: one look tells all.
"""

import re
import tempfile
from dataclasses import dataclass, field
from itertools import pairwise, zip_longest
from pathlib import Path
from typing import Any  # JSON values

import msgspec
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from synthetic import card, manifest, recipe, stats
from synthetic import shard as shards
from synthetic.errors import BrokenRelease, BrokenStore, RecipeError
from synthetic.manifest import Config, Data, Manifest
from synthetic.measures import verdict
from synthetic.recipe import Recipe
from synthetic.record import canonical_json, digest, schema
from synthetic.release import numbers_text, open_configs
from synthetic.shard import RowHash
from synthetic.stage import Progress, silent
from synthetic.store import SCHEMAS, Shard, Store
from synthetic.views import VIEWS

KEYS = ["row_id", "problem_id", "trace_id"]

WIDE = {"messages", "tools", "task_type", "domain", "source", "source_license"}
"""Columns of a config that its view shapes, or that are too wide to be held for all rows."""


@dataclass
class Checked:
    """What was checked, and what does not hold."""

    path: str
    kind: str
    """`release` or `store`."""
    files: int = 0
    rows: int = 0
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What is no mistake but worth knowing."""

    @property
    def holds(self) -> bool:
        """Whether there is no problem."""
        return not self.problems

    def expect(self, holds: bool, problem: str) -> bool:
        """Note a problem unless something holds."""
        if not holds:
            self.problems.append(problem)
        return holds


def check(folder: str | Path, progress: Progress = silent) -> Checked:
    """Check a release or a store. Raises `BrokenRelease` when the folder is neither."""
    path = Path(folder)
    if manifest.is_release(path):
        return _release(path, progress)
    if Store(path).exists():
        return _store(Store(path), progress)
    raise BrokenRelease(f"{path}: neither a release (no {manifest.PATH}) nor a store (no folder 'shards')")


# ---- a release


def _release(path: Path, progress: Progress) -> Checked:
    done = Checked(str(path), "release")
    made = manifest.read(path)
    for file in made.files:
        if done.expect((path / file.path).is_file(), f"{file.path}: is missing"):
            same = manifest.sha256(path / file.path) == file.sha256
            done.expect(same, f"{file.path}: its bytes are not those of the manifest")
    for name, config in made.configs.items():
        before = len(done.problems)
        _config(path, name, config, done, progress)
        if len(done.problems) == before:
            _loads(path, name, config, done, progress)
    for found in manifest.unlisted(path, made):
        done.expect(False, f"{found}: is not in the manifest")
    done.files = 1 + len(made.files) + sum(len(config.files) for config in made.configs.values())
    done.expect(manifest.root(made.configs) == made.root, "manifest: the root hash is not that of its files")
    for needed in ("release/recipe.toml", "release/reports/stats.json"):
        done.expect(needed in {file.path for file in made.files}, f"{needed}: is not in the manifest")
    done.expect("traces" in made.configs, "manifest: there is no config 'traces'")
    left_out = [name for name in VIEWS if name not in made.configs]
    done.expect(left_out == made.left_out, f"manifest: says {made.left_out} are left out; these are: {left_out}")
    if done.holds:
        _claims(path, made, done)
    return done


def _config(path: Path, name: str, config: Config, done: Checked, progress: Progress) -> None:
    """The files of a config: bytes, schema, rows, order, buckets."""
    for number, data in enumerate(config.files):
        file = path / data.path
        if not done.expect(file.is_file(), f"{data.path}: is missing"):
            continue
        if done.expect(manifest.sha256(file) == data.sha256, f"{data.path}: its bytes are not those of the manifest"):
            _data(file, name, config, data, done)
        progress(f"checking {name}", number + 1, len(config.files))
    total = sum(data.rows for data in config.files)
    done.expect(total == config.rows, f"{name}: the manifest says {config.rows} rows, its files hold {total}")
    declared = [{"name": c.name, "type": c.type, "null": c.null, "doc": c.doc} for c in schema(config.schema).columns]
    done.expect(declared == config.columns, f"{name}: its columns are not those of schema {config.schema}")
    if config.funnel:
        dropped = sum(kept.dropped for kept in config.funnel)
        done.expect(
            config.funnel[0].seen - dropped == config.rows, f"{name}: the funnel does not end at {config.rows} rows"
        )
        for one, after in pairwise(config.funnel):
            done.expect(one.seen - one.dropped == after.seen, f"{name}: the funnel breaks after '{one.rule}'")


def _data(file: Path, name: str, config: Config, data: Data, done: Checked) -> None:
    wanted = schema(config.schema).arrow
    row_hash, rows, seen = RowHash(wanted), 0, [pl.DataFrame(schema=dict.fromkeys(KEYS, pl.String))]
    try:
        reader = pq.ParquetFile(file)
        if not done.expect(
            reader.schema_arrow.equals(wanted), f"{data.path}: its columns are not those of {config.schema}"
        ):
            return
        for group in range(reader.num_row_groups):
            table = reader.read_row_group(group)
            for column in wanted:
                nulls = 0 if column.nullable else table.column(column.name).null_count
                done.expect(not nulls, f"{data.path}: {nulls} nulls in {column.name}")
            row_hash.add(table)
            rows += table.num_rows
            keys = pl.from_arrow(table.select(KEYS))
            assert isinstance(keys, pl.DataFrame)  # noqa: S101 - a table gives a frame
            seen.append(keys)
    except (pa.ArrowException, OSError) as error:
        done.expect(False, f"{data.path}: cannot be read ({error})")
        return
    done.rows += rows
    done.expect(rows == data.rows, f"{data.path}: the manifest says {data.rows} rows, it holds {rows}")
    done.expect(row_hash.digest() == data.row_hash, f"{data.path}: its rows are not those of the manifest")
    keys = pl.concat(seen)
    done.expect(not keys["row_id"].is_duplicated().any(), f"{data.path}: a row_id occurs twice")
    branch = pl.col("row_id").str.extract(r"/(\d+)$").cast(pl.Int64)
    order = keys.select("problem_id", "trace_id", branch)
    done.expect(order.equals(order.sort(pl.all())), f"{data.path}: rows are not sorted by problem, trace and branch")
    match = re.search(r"-h(\d+)-of-(\d+)\.parquet$", data.path)
    if done.expect(match is not None, f"{data.path}: is not named by bucket") and match:
        bucket, of = int(match[1]), int(match[2])
        done.expect(of == config.buckets, f"{data.path}: is one of {of} buckets, the manifest says {config.buckets}")
        found = keys["problem_id"].str.head(4).str.to_integer(base=16) * of // 65536
        done.expect(bool((found == bucket).all()), f"{data.path}: holds problems of another bucket")


def _loads(path: Path, name: str, config: Config, done: Checked, progress: Progress) -> None:
    """Read every row of a config the way its readers will."""
    import datasets

    count = 0
    with tempfile.TemporaryDirectory(prefix="synthetic-") as cache:
        try:
            rows = datasets.load_dataset(str(path), name=name, split="train", streaming=True, cache_dir=cache)
            for count, row in enumerate(rows, start=1):
                if count == 1:
                    done.expect(set(row) == set(schema(config.schema).names), f"{name}: datasets gives other columns")
                if count % 10_000 == 0:
                    progress(f"loading {name}", count, config.rows)
        except (datasets.exceptions.DatasetsError, ValueError, OSError, pa.ArrowException) as error:
            done.expect(False, f"{name}: datasets.load_dataset fails: {error}")
            return
    done.expect(count == config.rows, f"{name}: datasets gives {count} rows, not {config.rows}")


def _verdicts(traces: pl.LazyFrame, read: Recipe, done: Checked) -> None:
    """Every verdict, decided again from the row and the recipe."""
    settings = {"correct": read.correct}
    facts = traces.select(verdict.columns(settings))
    again = verdict(facts, **settings).select(pl.col("verdict").alias("wants"), pl.col("verdict_rule").alias("by"))
    both = pl.concat([traces.select("row_id", "verdict", "verdict_rule"), again], how="horizontal")
    differs = pl.col("verdict").ne_missing(pl.col("wants")) | pl.col("verdict_rule").ne_missing(pl.col("by"))
    for row, says, _, wants, by in both.filter(differs).head(3).collect().iter_rows():
        done.expect(False, f"traces: {row} says {says}; its scores and the recipe say {wants} ({by})")


def _claims(path: Path, made: Manifest, done: Checked) -> None:
    """The numbers, and the card that was made of them, computed again from the shards."""
    frames = open_configs(path, made.configs)
    numbers = stats.numbers(frames)
    there = (path / "release/reports/stats.json").read_text("utf-8")
    done.expect(numbers_text(numbers) == there, "release/reports/stats.json: the numbers are not those of the rows")
    dropped = (
        frames["traces"].select("drops").explode("drops").drop_nulls().unnest("drops").group_by("config", "rule").len()
    )
    counted = {(config, rule): rows for config, rule, rows in dropped.collect().iter_rows()}
    for name, config in made.configs.items():
        if config.funnel:
            seen, every = config.funnel[0].seen, made.configs["traces"].rows
            done.expect(seen == every, f"{name}: the funnel begins with {seen} rows, traces holds {every}")
            out = pl.col("drops").list.eval(pl.element().struct.field("config") == name).list.any()
            both = set(frames["traces"].collect_schema()) & set(frames[name].collect_schema()) - WIDE
            narrow = ["row_id", *sorted(both - {"row_id"})]
            wanted = frames["traces"].filter(~out).select(narrow).sort("row_id").collect(engine="streaming")
            here = frames[name].select(narrow).sort("row_id").collect(engine="streaming")
            done.expect(wanted.equals(here), f"{name}: its rows are not those of traces that nothing drops from it")
        for kept in config.funnel:
            rule = kept.rule.partition(" ")[0]
            same = sum(k.dropped for k in config.funnel if k.rule.partition(" ")[0] == rule)
            done.expect(
                counted.get((name, rule), 0) == same, f"{name}: the drops of '{rule}' are not those of the manifest"
            )
    try:
        read = recipe.parse(
            (path / "release/recipe.toml").read_text("utf-8"), where="release/recipe.toml", name=made.name
        )
    except RecipeError as error:
        done.expect(False, str(error))
        return
    _verdicts(frames["traces"], read, done)
    for name, config in made.configs.items():
        rules = [use.text for use in read.rules(name)]
        done.expect([kept.rule for kept in config.funnel] == rules, f"{name}: the funnel's rules are not the recipe's")
        columns = (path / f"release/schema/{name}.json").read_bytes()
        done.expect(
            msgspec.json.decode(columns) == config.columns, f"release/schema/{name}.json: not the config's columns"
        )
    for key in ("name", "version", "license"):
        says, wants = getattr(made, key), getattr(read, key)
        done.expect(says == wants, f"manifest: its {key} is {says!r}, the recipe says {wants!r}")
    done.expect(
        manifest.sha256(path / "release/recipe.toml") == made.recipe,
        "release/recipe.toml: is not the manifest's recipe",
    )
    for file, text in card.texts(made, numbers, read).items():
        written = (path / file).read_text("utf-8") if (path / file).is_file() else ""
        if written != text:
            pairs = enumerate(zip_longest(written.split("\n"), text.split("\n")), 1)
            line, (says, wants) = next(pair for pair in pairs if pair[1][0] != pair[1][1])
            done.expect(False, f"{file}, line {line}: says {says!r}; the rows say {wants!r}")


# ---- a store


def _store(store: Store, progress: Progress) -> Checked:
    done = Checked(str(store.path), "store")
    try:
        found = store.shards()
    except BrokenStore as error:
        done.problems.append(str(error))
        return done
    numbers = sorted(int(p.stem) for p in store.shard_folder.glob("*.parquet"))
    done.expect(numbers == list(range(len(numbers))), f"shards: numbers are missing ({numbers[:3]} … {numbers[-1:]})")
    for number, shard in enumerate(found):
        _shard(shard, done)
        progress("checking shards", number + 1, len(found))
        for name in shard.footer.quarantine:
            side = store.quarantine_folder / name
            if done.expect(side.is_file(), f"{side}: is missing; shard {shard.number} names it"):
                text = side.read_bytes()
                done.expect(digest(text) == side.stem, f"{side}: its bytes are not those it is named by")
                lines, bad = text.count(b"\n"), sum(part.quarantined for part in shard.footer.ranges)
                done.expect(lines == bad, f"{side}: holds {lines} lines, its shard says {bad}")
    spans = [part for shard in found for part in shard.footer.ranges]
    logs: dict[str, list[Any]] = {}
    for part in spans:
        logs.setdefault(canonical_json([*part.log, part.generation]), []).append(part)
        done.expect(part.captured + part.quarantined == part.lines, f"{part.run}/{part.path}: lines do not add up")
    for parts in logs.values():
        ordered = sorted(parts, key=lambda part: part.start)
        done.expect(ordered[0].start == 0, f"{ordered[0].run}/{ordered[0].path}: the beginning is missing")
        for one, after in pairwise(ordered):
            done.expect(
                one.end == after.start, f"{one.run}/{one.path}: bytes {one.end} to {after.start} are missing or doubled"
            )
    done.files = len(found)
    if done.holds:
        conflicts = store.snapshot().conflicts.height
        if conflicts:
            done.notes.append(f"{conflicts} rows came again with the same id and another content; the first is kept")
    return done


def _shard(shard: Shard, done: Checked) -> None:
    wanted = SCHEMAS[shard.footer.kind].arrow
    row_hash, rows = RowHash(wanted), 0
    try:
        reader = pq.ParquetFile(shard.path)
        if not done.expect(
            reader.schema_arrow.equals(wanted), f"{shard.path}: its columns are not those of {shard.footer.schema}"
        ):
            return
        for group in range(reader.num_row_groups):
            table = reader.read_row_group(group)
            row_hash.add(table)
            rows += table.num_rows
    except (pa.ArrowException, OSError) as error:
        done.expect(False, f"{shard.path}: cannot be read ({error})")
        return
    done.rows += rows if shard.footer.kind == "traces" else 0
    whole = done.expect(
        rows == shard.footer.rows, f"{shard.path}: its footer says {shard.footer.rows} rows, it holds {rows}"
    ) and done.expect(row_hash.digest() == shard.footer.row_hash, f"{shard.path}: its rows are not those of its footer")
    if whole and not _same_bytes(shard, reader):
        done.expect(False, f"{shard.path}: its rows hold, but its bytes are not those that they are written as")


def _same_bytes(shard: Shard, reader: Any) -> bool:
    """Whether the rows, written again, give the same file: statistics and indexes, which readers trust, are no rows.

    True, unseen, for a file that another version of pyarrow wrote.
    """
    meta = shards.read_meta(shard.path)
    groups = (pl.DataFrame(pl.from_arrow(reader.read_row_group(group))) for group in range(reader.num_row_groups))
    with tempfile.TemporaryDirectory(prefix="synthetic-") as folder:
        again = Path(folder) / "again.parquet"
        shards.write(again, SCHEMAS[shard.footer.kind], groups, lambda rows, row_hash: meta)
        if pq.read_metadata(again).created_by != reader.metadata.created_by:
            return True
        return manifest.sha256(again) == manifest.sha256(shard.path)
