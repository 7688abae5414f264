"""The index of a release, `release/index/rows.parquet`: small, and enough to tell which rows another release repeats.

One row for each row of `traces`, in that config's order: its ids, the hash and the signature of its text, and the
configs that hold it. It is made a stretch of problem ids at a time, so that memory is bounded.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import polars as pl

from synthetic import parts, shard
from synthetic.judged import Judged
from synthetic.piles import LEADING, leading
from synthetic.record import schema
from synthetic.run import Bench
from synthetic.stage import Progress
from synthetic.views import VIEWS

SCHEMA = "index-1"

COLUMNS = ("row_id", "problem_id", "text_key", "minhash", "trace_id", "branch")
"""What it is made of."""

ROWS_AT_ONCE = 250_000
"""About so many rows are held and sorted at once: 0.1 GB."""


def write(path: Path, bench: Bench, judged: Mapping[str, Judged], progress: Progress) -> None:
    """Write the index of what is judged. Raises `CannotWrite`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shard.write(path, schema(SCHEMA), frames(bench, judged, progress))


def frames(
    bench: Bench, judged: Mapping[str, Judged], progress: Progress, rows_at_once: int = ROWS_AT_ONCE
) -> Iterator[pl.DataFrame]:
    """The columns of `schemas/index-1.toml`, sorted by problem_id, trace_id and branch as `traces` is."""
    of = 1 << (sum(bench.snapshot.rows) // rows_at_once).bit_length()
    names = schema(SCHEMA).names
    configs = sorted(name for name in judged if name != "traces" and VIEWS[name].texts)

    def rows_of(place: int) -> pl.DataFrame:
        standing = [pl.Series(name, judged[name].standing[place]) for name in configs]
        holding = [pl.when(pl.col(name)).then(pl.lit(name)).alias(f"in {name}") for name in configs]
        held = pl.concat_list(holding).list.drop_nulls().alias("configs")
        return bench.frame(place, COLUMNS).collect().with_columns(standing).select(*COLUMNS, held)

    def stretch(rows: pl.DataFrame) -> pl.Series:
        return rows.select(leading() * of // 2**LEADING).to_series()

    places = range(len(bench.snapshot.traces))
    for number, rows in enumerate(parts.cut(places, rows_of, stretch, of, bench.cache.folder)):
        progress("writing the index", number, of)
        if rows.height:
            yield rows.sort("problem_id", "trace_id", "branch").select(names)
