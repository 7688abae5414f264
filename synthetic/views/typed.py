"""Rows that a view made of several, in a schema's order and types."""

import polars as pl

from synthetic.record import Schema, canonical_json, digest


def typed(made: pl.DataFrame, schema: Schema) -> pl.DataFrame:
    """The rows in the schema's columns, with `content_hash` made of all the others as canonical JSON."""
    names = [name for name in schema.names if name != "content_hash"]
    rows = made.select(pl.col(name).cast(schema.polars[name]) for name in names)
    hashes = [digest(canonical_json(row)) for row in rows.iter_rows(named=True)]
    return rows.with_columns(content_hash=pl.Series(hashes, dtype=pl.String)).select(schema.names)
