"""What several shards say together: each row once, and what was said about it later, the newest wins.

Of traces only ids are read, shard by shard; of all rows at once only a hash of each id is held. Shards are known by
their place in the order in which they count.
"""

import json
from collections.abc import Sequence
from functools import reduce
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from synthetic.record import Json, Schema, canonical_json, record
from synthetic.stage import Progress

PLACE = ("run_name", "log_file", "log_offset")
"""Where a row was read."""

PART_ROWS = 500_000
"""Late facts are folded in parts of about this many: 900,000 at once took 390 MB."""


def repeated(traces: Sequence[Path], progress: Progress) -> tuple[dict[int, pl.Series], pl.DataFrame]:
    """Positions of rows that came before, by shard; and those whose content differs from the first.

    Of these row_id, content_hash and where they stand (`PLACE`); the same of the first, as `kept_…`.
    """
    keys = _twice(traces, progress)
    told = ["content_hash", *PLACE]
    first = keys.unique("row_id", keep="first", maintain_order=True).select("row_id", *told)
    first = first.rename({name: f"kept_{name}" for name in told})
    later = keys.filter(pl.col("row_id").is_first_distinct().not_()).join(first, on="row_id", maintain_order="left")
    again = {int(place[0]): part["position"] for place, part in later.partition_by("place", as_dict=True).items()}
    differs = later.filter(pl.col("content_hash") != pl.col("kept_content_hash"))
    return again, differs.select("row_id", *told, *(f"kept_{name}" for name in told))


def _twice(traces: Sequence[Path], progress: Progress) -> pl.DataFrame:
    """row_id, content_hash, where it stands, place and position of every row whose id may be there twice, in order.

    An id whose hash occurs once is there once: only the others are held as text, 100 bytes for each row instead of 12.
    """
    hashes = []
    for place, path in enumerate(traces):
        hashed = pl.read_parquet(path, columns=["row_id"], glob=False).select(pl.col("row_id").hash().alias("hash"))
        hashes.append(hashed.with_columns(pl.lit(place, pl.UInt32).alias("place")))
        progress("reading ids", place + 1, len(traces))
    every = pl.concat(hashes) if hashes else pl.DataFrame(schema={"hash": pl.UInt64, "place": pl.UInt32})
    twice = every.filter(pl.col("hash").is_duplicated())
    position = pl.int_range(pl.len(), dtype=pl.UInt32).alias("position")
    frames = [
        pl.read_parquet(traces[place], columns=["row_id", "content_hash", *PLACE], glob=False)
        .with_columns(pl.lit(place, pl.UInt32).alias("place"), position)
        .filter(pl.col("row_id").hash().is_in(twice["hash"].unique().implode()))
        for place in twice["place"].unique(maintain_order=True)
    ]
    of = {name: record().polars[name] for name in ("row_id", "content_hash", *PLACE)}
    empty = {**of, "place": pl.UInt32(), "position": pl.UInt32()}
    return pl.concat(frames) if frames else pl.DataFrame(schema=empty)


def late(traces: Sequence[Path], annotations: Sequence[Path], *, part_rows: int = PART_ROWS) -> dict[int, pl.DataFrame]:
    """Late facts folded, newest wins, for each shard that has rows they are about."""
    if not annotations:
        return {}
    said = pl.scan_parquet(list(annotations), glob=False).select("trace_id", "branch", "key", "value")
    # By a hash of the trace: all that is said about one is folded together, in its order.
    parts = 1 + sum(pq.read_metadata(path).num_rows for path in annotations) // part_rows
    part = pl.col("trace_id").hash() % parts
    folded = pl.concat([_folded(said.filter(part == number).collect()) for number in range(parts)])
    found = {}
    for place, path in enumerate(traces):
        ids = pl.read_parquet(path, columns=["trace_id"], glob=False)
        if (about := folded.join(ids, on="trace_id", how="semi")).height:
            found[place] = about
    return found


def _folded(said: pl.DataFrame) -> pl.DataFrame:
    """One row for each trace_id and branch, a column for each late fact."""
    newest = _newest(said)
    of = {column.name: record().polars[column.name] for column in record().columns if column.late}
    named = [name for name in of if name != "annotations"]
    typed = []
    for name in named:
        value = pl.col("value").filter(pl.col("key") == name).last()
        fact = value == "true" if of[name] == pl.Boolean else value.cast(of[name], strict=False)
        typed.append(fact.alias(name))
    others = newest.filter(pl.col("key").is_in(named).not_()).sort("key", maintain_order=True)
    key = pl.struct(k="key").struct.json_encode().str.strip_prefix('{"k":').str.strip_suffix("}")
    table = pl.lit("{") + pl.concat_str(key, pl.lit(":"), "value").str.join(",") + pl.lit("}")
    return (
        newest.group_by("trace_id", "branch", maintain_order=True)
        .agg(typed)
        .join(
            others.group_by("trace_id", "branch", maintain_order=True).agg(table.alias("annotations")),
            on=["trace_id", "branch"],
            how="left",
            nulls_equal=True,
            maintain_order="left",
        )
    )


def _newest(said: pl.DataFrame) -> pl.DataFrame:
    """The newest value of each key; objects are merged, member by member. A branch has its trace's facts too."""
    fact = ["trace_id", "branch", "key"]
    newest = said.unique(fact, keep="last", maintain_order=True)
    tables = newest.filter(pl.col("value").str.starts_with("{")).select(fact)
    again = said.join(tables, on=fact, how="semi", nulls_equal=True, maintain_order="left")
    again = again.filter(pl.struct(fact).is_duplicated()).group_by(fact, maintain_order=True).agg("value")
    if again.height:
        merged = [canonical_json(reduce(_merged, map(json.loads, values))) for values in again["value"].to_list()]
        again = again.select(fact).with_columns(pl.Series("merged", merged, pl.String))
        newest = newest.join(again, on=fact, how="left", nulls_equal=True, maintain_order="left")
        newest = newest.with_columns(pl.coalesce("merged", "value").alias("value")).drop("merged")
    if (own := newest.filter(pl.col("branch").is_not_null())).height:
        whole = newest.filter(pl.col("branch").is_null()).drop("branch")
        of_trace = (
            own.select("trace_id", "branch")
            .unique(maintain_order=True)
            .join(whole, on="trace_id", maintain_order="left")
        )
        others = of_trace.join(own, on=fact, how="anti", maintain_order="left")
        newest = pl.concat([newest, others.select(newest.columns)])
    return newest


def _merged(old: Json, new: Json) -> Json:
    if isinstance(old, dict) and isinstance(new, dict):
        return old | {key: _merged(old.get(key), value) for key, value in new.items()}
    return new


def tokens(paths: Sequence[Path], of: Schema) -> pl.LazyFrame:
    """The token arrays of every row, once: rows that several logs speak of are folded, the newest array wins."""
    if not paths:
        return pl.LazyFrame(schema=of.polars)
    ids = pl.concat([pl.read_parquet(path, columns=["row_id"], glob=False) for path in paths])
    again = ids.filter(pl.col("row_id").is_duplicated()).unique()["row_id"]
    rows = pl.concat([pl.scan_parquet(path, glob=False) for path in paths])
    if again.is_empty():
        return rows
    several = pl.col("row_id").is_in(again.implode())
    newest = pl.exclude("row_id", "other").drop_nulls().last()
    folded = rows.filter(several).group_by("row_id", maintain_order=True).agg(newest, pl.col("other").drop_nulls())
    one = pl.col("other").map_elements(_all_merged, return_dtype=pl.String)
    return pl.concat([rows.filter(several.not_()), folded.with_columns(one).select(of.names)])


def _all_merged(tables: pl.Series) -> str | None:
    return canonical_json(reduce(_merged, map(json.loads, tables))) if len(tables) else None
