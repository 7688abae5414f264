"""The files of a release: bytes against hashes, rows against schemas, order, buckets; and loading as readers load."""

import re
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from synthetic import manifest
from synthetic.check.checked import Checked
from synthetic.check.claims import check_claims
from synthetic.check.viewer import check_viewer
from synthetic.manifest import Config, Data, File, Manifest
from synthetic.record import Schema, schema
from synthetic.shard import RowHash
from synthetic.splits import SPLITS
from synthetic.stage import Progress
from synthetic.views import VIEWS

OF_THE_HUB = re.compile(r"\.gitattributes|\.git/.*|\.cache/huggingface/.*", re.DOTALL)
"""What stands beside a release that was downloaded or cloned from the Hub."""


def check_release(path: Path, progress: Progress) -> Checked:
    """Check a release: its files first, and what they claim when all of them hold. Raises `BrokenRelease`."""
    done = Checked(str(path), "release")
    made = manifest.read(path)
    for file in made.files:
        if done.expect((path / file.path).is_file(), f"{file.path}: is missing"):
            same = manifest.sha256(path / file.path) == file.sha256
            done.expect(same, f"{file.path}: its bytes are not those of the manifest")
            _size(path, file, done)
    for name, config in made.configs.items():
        before = len(done.problems)
        if not done.expect(name in VIEWS, f"manifest: there is no config {name!r}; there are {list(VIEWS)}"):
            continue
        wanted = VIEWS[name].schema
        if not done.expect(config.schema == wanted, f"{name}: its schema is {config.schema!r}, not {wanted}"):
            continue
        _config(path, name, config, done, progress)
        if len(done.problems) == before:
            _loads(path, name, config, done, progress)
    for found in manifest.unlisted(path, made):
        done.expect(OF_THE_HUB.fullmatch(found) is not None, f"{found}: is not in the manifest")
    done.files = 1 + len(made.files) + sum(len(config.files) for config in made.configs.values())
    _whole(made, done)
    if done.holds:
        check_viewer(path, made, done)
        check_claims(path, made, done, progress)
    return done


def _size(path: Path, listed: Data | File, done: Checked) -> None:
    size = (path / listed.path).stat().st_size
    done.expect(size == listed.bytes, f"{listed.path}: the manifest says {listed.bytes} bytes, it has {size}")


def _whole(made: Manifest, done: Checked) -> None:
    """Whether the manifest has what every release has."""
    done.expect(manifest.root(made.configs) == made.root, "manifest: the root hash is not that of its files")
    for needed in ("release/recipe.toml", "release/reports/stats.json"):
        done.expect(needed in {file.path for file in made.files}, f"{needed}: is not in the manifest")
    done.expect("traces" in made.configs, "manifest: there is no config 'traces'")
    if "traces" in made.configs:
        came = sum(part.rows for part in made.inputs if part.kind == "traces") - made.repeated
        rows = made.configs["traces"].rows
        done.expect(came == rows, f"manifest: its inputs hold {came} rows that count, traces holds {rows}")
    clashes = sum(each.rows for each in made.clashes)
    done.expect(clashes == made.conflicts, f"manifest: says that {made.conflicts} rows clash, and names {clashes}")
    left_out = [name for name in VIEWS if name not in made.configs]
    done.expect(left_out == made.left_out, f"manifest: says {made.left_out} are left out; these are: {left_out}")


def _config(path: Path, name: str, config: Config, done: Checked, progress: Progress) -> None:
    """The files of a config: bytes, schema, rows, order, buckets."""
    for number, data in enumerate(config.files):
        file = path / data.path
        if not done.expect(file.is_file(), f"{data.path}: is missing"):
            continue
        if done.expect(manifest.sha256(file) == data.sha256, f"{data.path}: its bytes are not those of the manifest"):
            _size(path, data, done)
            _data(file, name, config, data, done)
        progress(f"checking {name}", number + 1, len(config.files))
    total = sum(data.rows for data in config.files)
    done.expect(total == config.rows, f"{name}: the manifest says {config.rows} rows, its files hold {total}")
    done.expect(config.title == VIEWS[name].title, f"{name}: its title is not that of the config")
    declared = [{"name": c.name, "type": c.type, "null": c.null, "doc": c.doc} for c in schema(config.schema).columns]
    done.expect(declared == config.columns, f"{name}: its columns are not those of schema {config.schema}")
    if config.funnel:
        dropped = sum(kept.dropped for kept in config.funnel)
        done.expect(
            config.funnel[0].seen - dropped == config.stood, f"{name}: the funnel does not end at {config.stood} rows"
        )
        for one, after in pairwise(config.funnel):
            done.expect(one.seen - one.dropped == after.seen, f"{name}: the funnel breaks after '{one.rule}'")


def _data(file: Path, name: str, config: Config, data: Data, done: Checked) -> None:
    wanted, view = schema(config.schema), VIEWS[name]
    held = [name for name in dict.fromkeys([view.key, "problem_id", *view.order]) if name in wanted.by_name]
    row_hash, rows, seen = RowHash(wanted.arrow), 0, [pl.DataFrame(schema=dict.fromkeys(held, pl.String))]
    try:
        reader = pq.ParquetFile(file)
        if not reader.schema_arrow.equals(wanted.arrow):
            done.expect(False, f"{data.path}: {_columns(reader.schema_arrow, wanted)}")
            return
        for group in range(reader.num_row_groups):
            table = reader.read_row_group(group)
            for column in wanted.arrow:
                values = table.column(column.name)
                nulls = 0 if column.nullable else values.null_count
                done.expect(not nulls, f"{data.path}: {nulls} nulls in {column.name}")
                for number in _not_finite(values):
                    row = table.column(view.key)[number].as_py()
                    done.expect(False, f"{data.path}: {row}, {column.name}: a number that is not finite; it takes null")
            row_hash.add(table)
            rows += table.num_rows
            keys = pl.from_arrow(table.select(held))
            assert isinstance(keys, pl.DataFrame)  # noqa: S101 - a table gives a frame
            seen.append(keys.select(pl.all().cast(pl.String)))
    except (pa.ArrowException, OSError) as error:
        done.expect(False, f"{data.path}: cannot be read ({error})")
        return
    done.rows += rows
    done.expect(rows == data.rows, f"{data.path}: the manifest says {data.rows} rows, it holds {rows}")
    done.expect(row_hash.digest() == data.row_hash, f"{data.path}: its rows are not those of the manifest")
    keys = pl.concat(seen)
    done.expect(not keys[view.key].is_duplicated().any(), f"{data.path}: a {view.key} occurs twice")
    branch = pl.col("row_id").str.extract(r"/(\d+)$").cast(pl.Int64)
    order = keys.select(branch if column == "branch" else column for column in view.order)
    done.expect(order.equals(order.sort(pl.all())), f"{data.path}: rows are not sorted by {', '.join(view.order)}")
    match = re.fullmatch(rf"data/{name}/({'|'.join(SPLITS)})-h(\d+)-of-(\d+)\.parquet", data.path)
    if done.expect(match is not None, f"{data.path}: is not named data/{name}/SPLIT-hN-of-N.parquet") and match:
        bucket, of = int(match[2]), int(match[3])
        done.expect(of == config.buckets, f"{data.path}: is one of {of} buckets, the manifest says {config.buckets}")
        found = keys["problem_id"].str.head(4).str.to_integer(base=16) * of // 65536
        done.expect(bool((found == bucket).all()), f"{data.path}: holds problems of another bucket")


def _columns(found: pa.Schema, wanted: Schema) -> str:
    """How the columns of a file differ from their schema."""
    unknown, missing = (
        [n for n in found.names if n not in wanted.names],
        [n for n in wanted.names if n not in found.names],
    )
    if unknown:
        return f"has the column {unknown[0]!r}, which {wanted.id} does not have"
    if missing:
        return f"lacks the column {missing[0]!r} of {wanted.id}"
    for column in wanted.arrow:
        if not found.field(column.name).equals(column):
            return f"its column {column.name!r} is {found.field(column.name).type}, in {wanted.id} it is {column.type}"
    return f"its columns are not in the order of {wanted.id}"


def _not_finite(values: pa.ChunkedArray) -> list[int]:
    """The first rows in which a number, at any depth, is NaN or infinite."""
    return sorted(set(_infinite(values.combine_chunks())))[:3]


def _infinite(array: pa.Array, rows: pa.Array | None = None) -> Iterator[int]:
    """The row of each such number; `rows` has the row of each value, None: the values are rows."""
    kind = array.type
    if pa.types.is_floating(kind):
        found = pc.indices_nonzero(pc.fill_null(pc.invert(pc.is_finite(array)), False))
        yield from (found if rows is None else rows.take(found)).to_pylist()
    elif pa.types.is_list(kind):
        parents = pc.list_parent_indices(array)
        yield from _infinite(pc.list_flatten(array), parents if rows is None else rows.take(parents))
    elif pa.types.is_struct(kind):
        for values in array.flatten():
            yield from _infinite(values, rows)


def _loads(path: Path, name: str, config: Config, done: Checked, progress: Progress) -> None:
    """Read every row of a config the way its readers will."""
    import datasets

    for split, wanted in config.splits.items():
        count = 0
        with tempfile.TemporaryDirectory(prefix="synthetic-") as cache:
            try:
                rows = datasets.load_dataset(str(path), name=name, split=split, streaming=True, cache_dir=cache)
                for count, row in enumerate(rows, start=1):
                    if count == 1:
                        same = set(row) == set(schema(config.schema).names)
                        done.expect(same, f"{name}: datasets gives other columns")
                    if count % 10_000 == 0:
                        progress(f"loading {name}", count, wanted)
            except (datasets.exceptions.DatasetsError, ValueError, OSError, pa.ArrowException) as error:
                done.expect(False, f"{name}, {split}: datasets.load_dataset fails: {error}")
                return
        done.expect(count == wanted, f"{name}, {split}: datasets gives {count} rows, not {wanted}")
