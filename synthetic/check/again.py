"""The rows of a release, made again from its `traces`: content, verdicts, drops and what every config shows.

`traces` holds every row as the log had it, so all that a recipe decides can be decided again without the store: a row's
content against its `content_hash`, its verdict against its scores, each rule's drops against `drops`, and the rows of
each config, whole, against the view of those that nothing drops. Wide columns are read a file at a time.
"""

from collections.abc import Iterator, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any  # a row's values

import polars as pl
import pyarrow.parquet as pq

from synthetic.check.checked import Checked
from synthetic.manifest import Data, Manifest
from synthetic.measures import problem_pass_rate, verdict
from synthetic.recipe import Recipe, Use
from synthetic.record import content_hash, schema
from synthetic.release import open_configs
from synthetic.stage import Progress
from synthetic.views import VIEWS
from synthetic.views.described import DESCRIBED

MOST = 3
"""Rows that are named for one claim; the rest would say the same."""

BATCH_ROWS = 1000


def check_rows(path: Path, made: Manifest, read: Recipe, done: Checked, progress: Progress) -> None:
    """Check the rows of a release whose files hold."""
    frames = open_configs(path, made.configs)
    traces = frames["traces"]
    ids = traces.select("row_id").collect(engine="streaming").to_series()
    done.expect(ids.n_unique() == len(ids), "traces: a row_id occurs twice")
    done.problems += _contents(path, made, read, progress)
    done.problems += _verdicts(traces, read)
    rates = problem_pass_rate(traces).collect(engine="streaming").lazy()
    for name, config in made.configs.items():
        if VIEWS[name].takes_rules:
            _drops(path, made, read, name, rates, done)
        problems: list[str] = []
        for number, data in enumerate(config.files):
            if len(problems) < MOST:
                problems += _shown(path, made, read, name, data, rates)
            progress(f"making {name} again", number + 1, len(config.files))
        done.problems += problems[:MOST]


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


# ---- verdicts


def _verdicts(traces: pl.LazyFrame, read: Recipe) -> list[str]:
    """Rows whose verdict is another one than their scores and the recipe give."""
    settings = {"correct": read.correct}
    facts = traces.select(verdict.columns(settings))
    again = verdict(facts, **settings).select(pl.col("verdict").alias("wants"), pl.col("verdict_rule").alias("by"))
    both = pl.concat([traces.select("row_id", "verdict", "verdict_rule"), again], how="horizontal")
    differs = pl.col("verdict").ne_missing(pl.col("wants")) | pl.col("verdict_rule").ne_missing(pl.col("by"))
    found = both.filter(differs).head(MOST).collect()
    return [
        f"traces: {row} says {says} ({said}); its scores and the recipe say {wants} ({by})"
        for row, says, said, wants, by in found.iter_rows()
    ]


# ---- drops


def _drops(path: Path, made: Manifest, read: Recipe, name: str, rates: pl.LazyFrame, done: Checked) -> None:
    """What the rules of a config drop, against the drops that traces says and the funnel counts."""
    traces = open_configs(path, made.configs)["traces"]
    listed = traces.select("row_id", "drops").explode("drops").drop_nulls().unnest("drops")
    said = listed.filter(pl.col("config") == name).select("row_id", "rule", "reason").collect(engine="streaming")
    standing = traces.select("row_id").collect(engine="streaming")
    dropped = []
    for number, use in enumerate(read.rules(name)):
        if unknown := _unknown(use, traces, read):
            note = f"{name}: the drops of '{use.text}' are taken as they are: it reads {unknown}, which a release"
            done.notes.append(f"{note} does not hold as the log had it")
            found = said.filter(pl.col("rule") == use.name).select("row_id", "reason")
        else:
            found = pl.concat(_found(path, made, use, standing, rates))
        new = standing.join(found, on="row_id", how="inner").with_columns(rule=pl.lit(use.name))
        kept = made.configs[name].funnel[number] if number < len(made.configs[name].funnel) else None
        if kept and (kept.seen, kept.dropped) != (standing.height, new.height):
            done.expect(
                False,
                f"{name}: the drops of '{kept.rule}' are not those of the manifest: it says {kept.dropped} of"
                f" {kept.seen}, the rule drops {new.height} of {standing.height}",
            )
        dropped.append(new.select("row_id", "rule", "reason"))
        standing = standing.join(found, on="row_id", how="anti")
    done.problems += _differing(name, said, pl.concat(dropped) if dropped else said.clear())


def _unknown(use: Use, traces: pl.LazyFrame, read: Recipe) -> list[str]:
    """The columns a rule reads that are not published, or that the recipe may have filled."""
    filled = {n for table in read.environments.values() for n in table if n in DESCRIBED}
    there = set(traces.collect_schema()) - filled | {"problem_pass_rate"}
    return sorted(set(use.stage.columns(use.settings)) - there)


def _found(path: Path, made: Manifest, use: Use, standing: pl.DataFrame, rates: pl.LazyFrame) -> Iterator[pl.DataFrame]:
    """row_id and reason of what a rule drops: file by file, or of all standing rows where rows meet."""
    columns = use.stage.columns(use.settings)
    files = [path / data.path for data in made.configs["traces"].files]
    meets = use.stage.meets(use.settings) is not None
    for part in [files] if meets else [[file] for file in files]:
        frame = pl.scan_parquet(part, glob=False)
        if "problem_pass_rate" in columns:
            frame = frame.join(rates, on="row_id", how="left", maintain_order="left")
        frame = frame.select(columns)
        if meets:
            frame = frame.join(standing.lazy(), on="row_id", how="semi", maintain_order="left")
        yield use.stage(frame, **use.settings).select("row_id", "reason").collect()


def _differing(name: str, said: pl.DataFrame, found: pl.DataFrame) -> list[str]:
    """In a sentence, the first rows that are dropped otherwise than they say."""
    both = said.join(found, on="row_id", how="full", suffix=" again", coalesce=True).sort("row_id")
    differs = pl.col("rule").ne_missing(pl.col("rule again")) | pl.col("reason").ne_missing(pl.col("reason again"))
    problems = []
    for row, rule, reason, again, why in both.filter(differs).head(MOST).iter_rows():
        says = f"is left out by '{rule}' ({reason})" if rule else "is kept"
        problems.append(
            f"{name}: {row} {says}; by the recipe " + (f"'{again}' drops it ({why})" if again else "it is kept")
        )
    return problems


# ---- views


def _shown(path: Path, made: Manifest, read: Recipe, name: str, data: Data, rates: pl.LazyFrame) -> list[str]:
    """How one file of a config differs from the view of the rows of traces that nothing drops from it."""
    config, view = made.configs[name], VIEWS[name]
    bucket, of = data.path.removesuffix(".parquet").rpartition("-h")[2].split("-of-")
    leading = pl.col("problem_id").str.head(4).str.to_integer(base=16, dtype=pl.Int64) * int(of) // 65536
    out = pl.col("drops").list.eval(pl.element().struct.field("config") == name).list.any()
    rows = (
        pl.scan_parquet(_overlapping(path, made, int(bucket), int(of)), glob=False)
        .filter(leading == int(bucket), ~out)
        .sort("problem_id", "trace_id", "branch")
    )
    if "problem_pass_rate" in schema(view.schema).names:
        rows = rows.join(rates, on="row_id", how="left", maintain_order="left")
    wanted = view.shape(rows, thinking=read.thinking, environments=read.environments).collect()
    here = pl.read_parquet(path / data.path, glob=False)
    if wanted.equals(here):
        return []
    ids, there = set(wanted["row_id"]), set(here["row_id"])
    for row in [*(row for row in wanted["row_id"] if row not in there)][:1]:
        return [f"{name}: {row} is missing, which nothing drops from it"]
    for row in [*(row for row in here["row_id"] if row not in ids)][:1]:
        return [f"{name}: holds {row}, which traces drops from it or does not have"]
    for column in config.columns:
        differs = (wanted[column["name"]].ne_missing(here[column["name"]])).arg_true()
        if differs.len():
            row = here["row_id"][int(differs[0])]
            return [f"{name}: {row}, {column['name']}: is not what the row in traces gives"]
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
