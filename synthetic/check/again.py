"""The rows of a release, made again from its `traces`: content, verdicts, drops and what every config shows.

`traces` holds every row as the log had it, so all that a recipe decides can be decided again without the store: a row's
content against its `content_hash`, its measured columns (verdict, …) against what the measures give, what each rule
drops and marks against `drops` and `flags`, and the rows of each config, whole, against the view of those that nothing
drops. The rows are judged on the same bench as those of a store, in bounded memory.
"""

from collections.abc import Iterator, Mapping
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any  # a row's values

import polars as pl
import pyarrow.parquet as pq

from synthetic import index
from synthetic.buckets import gather, reads, shaped
from synthetic.check.checked import Checked
from synthetic.check.published import Published
from synthetic.counted import open_configs
from synthetic.errors import SyntheticError
from synthetic.judged import Judged
from synthetic.manifest import INDEX, Data, Manifest
from synthetic.piles import LEADING, leading
from synthetic.recipe import Recipe, Use
from synthetic.record import content_hash, measured, schema
from synthetic.run import Bench
from synthetic.stage import Progress
from synthetic.store import Cache
from synthetic.views import VIEWS
from synthetic.views.described import DESCRIBED

MOST = 3
"""Rows that are named for one claim; the rest would say the same."""

BATCH_ROWS = 1000


def check_rows(path: Path, made: Manifest, read: Recipe, done: Checked, progress: Progress) -> None:
    """Check the rows of a release whose files hold."""
    rows = Published(path, made)
    ids = open_configs(path, made.configs)["traces"].select("row_id").collect(engine="streaming").to_series()
    done.expect(ids.n_unique() == len(ids), "traces: a row_id occurs twice")
    done.problems += _contents(path, made, read, progress)
    with TemporaryDirectory(prefix="synthetic-") as scratch:
        bench = Bench(rows, read, Cache(Path(scratch)), progress)
        done.problems += _measured(bench, rows)
        judged = {}
        for name, config in made.configs.items():
            judged[name] = _judged(bench, rows, name, done)
            problems: list[str] = []
            for number, data in enumerate(config.files):
                if len(problems) < MOST:
                    problems += _shown(bench, path, made, name, data)
                progress(f"making {name} again", number + 1, len(config.files))
            done.problems += problems[:MOST]
        done.problems += _index(bench, path, judged, progress)


# ---- content


def _contents(path: Path, made: Manifest, read: Recipe, progress: Progress) -> list[str]:
    """Rows of traces whose content is not that of their hash."""
    wrong = []
    files = made.configs["traces"].files
    for number, data in enumerate(files):
        for row in _rows(path / data.path):
            if not _is_whole(row, read.environments):
                wrong.append(f"traces: {row['row_id']}: its content is not what its content_hash was made of")
                if len(wrong) == MOST:
                    return wrong
        progress("hashing contents", number + 1, len(files))
    return wrong


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    for batch in pq.ParquetFile(file).iter_batches(BATCH_ROWS):
        frame = pl.from_arrow(batch)
        assert isinstance(frame, pl.DataFrame)  # noqa: S101 - a batch gives a frame
        yield from frame.iter_rows(named=True)


def _is_whole(row: Mapping[str, Any], environments: Mapping[str, Mapping[str, str]]) -> bool:
    """Whether a row has the content that its hash was made of."""
    if content_hash(row) == row["content_hash"]:
        return True
    # Where the log said nothing, the recipe did, after the hash was made; which columns that were is not written down.
    said = [environments.get(row[key] or "", {}) for key in ("env_id", "env_name")]
    filled = [n for n in DESCRIBED if row[n] is not None and row[n] in [table.get(n) for table in said]]
    some = (names for count in range(len(filled), 0, -1) for names in combinations(filled, count))
    return any(content_hash({**row, **dict.fromkeys(names)}) == row["content_hash"] for names in some)


# ---- measures


def _measured(bench: Bench, rows: Published) -> list[str]:
    """Rows whose measured columns are not what the measures give."""
    problems: list[str] = []
    columns = [name for name in schema(VIEWS["traces"].schema).names if name in measured().by_name]
    for place in range(len(rows.traces)):
        again = bench.frame(place, ["row_id", *columns]).collect()
        for name in columns:
            here = rows.column(place, name)[name]
            for position in here.ne_missing(again[name]).arg_true().head(MOST - len(problems)):
                row, says, wants = again["row_id"][position], here[position], again[name][position]
                problems.append(f"traces: {row} says {name} is {says}; it should be {wants}")
    return problems


# ---- drops


def _judged(bench: Bench, rows: Published, name: str, done: Checked) -> Judged:
    """What the rules of a config drop and mark, against what traces says and the funnel counts."""
    uses, funnel = bench.recipe.rules(name), rows.made.configs[name].funnel
    known = {}
    for number, use in enumerate(uses):
        if why := _not_known(bench, use, rows.made):
            done.notes.append(f"{name}: the drops of '{use.text}' are taken as they are: {why}")
            known[number] = rows.hits(name, use.name)
    judged = bench.apply(name, uses, known)
    for kept, step in zip(funnel, judged.steps, strict=False):
        if (kept.seen, kept.dropped, kept.flagged) != (step.seen, step.dropped, step.flagged):
            found = f"drops {step.dropped} of {step.seen}" + (f" and marks {step.flagged}" if step.flagged else "")
            done.expect(
                False,
                f"{name}: the drops of '{kept.rule}' are not those of the manifest: it says {kept.dropped} of"
                f" {kept.seen}, the rule {found}",
            )
    for column, found_in in (("drops", judged.drops), ("flags", judged.flags)):
        problems: list[str] = []
        for place in range(len(rows.traces)):
            said = rows.said(place, column).filter(pl.col("config") == name).drop("config")
            problems += _differing(bench, name, place, said, found_in(place).drop("config"), flags=column == "flags")
        done.problems += problems[:MOST]
    return judged


def _not_known(bench: Bench, use: Use, made: Manifest) -> str | None:
    """Why a rule cannot be applied again: columns that it reads are not published, or the recipe may have filled them;
    or what it compared rows with is not there any more.
    """
    described = {name for table in bench.recipe.environments.values() for name in table if name in DESCRIBED}
    there = {*schema(VIEWS["traces"].schema).names, *measured().names} - described
    if unknown := sorted(set(use.stage.all_columns(use.settings)) - there):
        return f"it reads {unknown}, which a release does not hold as the log had it"
    if use.stage.against is None:
        return None
    try:
        found = bench.reference(use.stage, use.settings).digest
    except SyntheticError as error:
        return f"what it compared rows with cannot be opened ({error})"
    if found not in [each["digest"] for each in made.references]:
        return "what it compared rows with has another content now"
    return None


def _differing(
    bench: Bench, name: str, place: int, said: pl.DataFrame, found: pl.DataFrame, *, flags: bool
) -> Iterator[str]:
    """In a sentence, the first rows that are dropped or marked otherwise than they say."""
    keys = ["position", "rule"] if flags else ["position"]
    both = said.join(found, on=keys, how="full", suffix=" again", coalesce=True).sort(keys)
    if flags:
        both = both.with_columns(pl.when(pl.col("reason again").is_not_null()).then("rule").alias("rule again"))
    differs = pl.col("reason").ne_missing(pl.col("reason again"))
    if not flags:
        differs |= pl.col("rule").ne_missing(pl.col("rule again"))
    columns = "position", "rule", "reason", "rule again", "reason again"
    wrong = both.filter(differs).head(MOST).select(columns)
    if not wrong.height:
        return
    ids = bench.frame(place, ["row_id"]).collect()["row_id"]
    out, by, not_out = (
        ("is marked by", "marks it", "is not marked") if flags else ("is left out by", "drops it", "is kept")
    )
    for position, rule, reason, again, why in wrong.iter_rows():
        says = f"{out} '{rule}' ({reason})" if reason else not_out
        wants = f"'{again}' {by} ({why})" if again else f"it {not_out}"
        yield f"{name}: {ids[position]} {says}; by the recipe {wants}"


# ---- index


def _index(bench: Bench, path: Path, judged: Mapping[str, Judged], progress: Progress) -> list[str]:
    """The first rows that the index says otherwise than the rows of traces do."""
    if not (path / INDEX).is_file():
        return [f"{INDEX}: is missing"]
    start = 0
    there = pl.scan_parquet(path / INDEX, glob=False)
    for wants in index.frames(bench, judged, progress):
        here = there.slice(start, wants.height).collect()
        start += wants.height
        if here.schema != wants.schema or here.height != wants.height:
            return [f"{INDEX}: does not hold the rows of traces"]
        for name in wants.columns:
            for position in here[name].ne_missing(wants[name]).arg_true().head(1):
                return [f"{INDEX}: {wants['row_id'][position]}, {name}: is not what the rows give"]
    if start != there.select(pl.len()).collect().item():
        return [f"{INDEX}: holds rows that traces does not"]
    return []


# ---- views


def _shown(bench: Bench, path: Path, made: Manifest, name: str, data: Data) -> list[str]:
    """How one file of a config differs from the view of the rows of traces that nothing drops from it."""
    config, view, read = made.configs[name], VIEWS[name], bench.recipe
    bucket, of = data.path.removesuffix(".parquet").rpartition("-h")[2].split("-of-")
    out = pl.col("drops").list.eval(pl.element().struct.field("config") == name).list.any()
    rows = (
        pl.scan_parquet(_overlapping(path, made, int(bucket), int(of)), glob=False)
        .filter(leading() * int(of) // 2**LEADING == int(bucket), ~out)
        .sort("problem_id", "trace_id", "branch")
    )
    has = rows.collect_schema()
    if more := [n for n in reads(view) if n in measured().by_name and n not in has]:
        rows = rows.join(bench.rows(["row_id", *more]), on="row_id", how="left", maintain_order="left")
    wanted = gather(view, read, shaped(view, read, rows)).collect()
    wanted = wanted.filter(read.split.of(wanted["problem_cluster"]) == data.split)
    if not view.by_row:
        wanted = wanted.sort(view.order)
    here = pl.read_parquet(path / data.path, glob=False)
    if wanted.equals(here):
        return []
    ids, there = set(wanted[view.key]), set(here[view.key])
    for row in [*(row for row in wanted[view.key] if row not in there)][:1]:
        return [f"{name}: {row} is missing, which nothing drops from it"]
    for row in [*(row for row in here[view.key] if row not in ids)][:1]:
        return [f"{name}: holds {row}, which traces drops from it, does not have or has in another split"]
    for column in config.columns:
        differs = (wanted[column["name"]].ne_missing(here[column["name"]])).arg_true()
        if differs.len():
            row = here[view.key][int(differs[0])]
            return [f"{name}: {row}, {column['name']}: is not what the rows of traces give"]
    return [f"{data.path}: its rows are not those of traces that nothing drops from it"]


def _overlapping(path: Path, made: Manifest, bucket: int, of: int) -> list[Path]:
    """The files of traces that hold rows of a bucket of another config."""
    config = made.configs["traces"]
    found = []
    for data in config.files:
        number = int(data.path.rpartition("-h")[2].partition("-of-")[0])
        if number * of < (bucket + 1) * config.buckets and bucket * config.buckets < (number + 1) * of:
            found.append(path / data.path)
    return found
