"""Does a trainer take it?"""

import polars as pl

from synthetic.stage import rule


@rule("malformed", "mended", "ok", "text_key", version=3)
def well_formed(traces: pl.LazyFrame) -> pl.LazyFrame:
    """Keep conversations that SFT trainers take: known roles, calls with JSON arguments, answers to a call.

    Marks, and does not drop, rows of which the published copy is mended: calls without an id, a type or arguments, and
    tools' answers without an id. Null tools are none. Rows that failed are those of `finished`; a null text_key is a
    row in which the model wrote nothing.
    """
    empty = pl.when(pl.col("text_key").is_null()).then(pl.lit("empty: the model wrote nothing"))
    dropped = pl.coalesce(empty, "malformed")
    return (
        traces.filter("ok")
        .select(
            "row_id",
            reason=pl.coalesce(dropped, pl.format("mended: {}", "mended")),
            flag=dropped.is_null(),
        )
        .filter(pl.col("reason").is_not_null())
    )
