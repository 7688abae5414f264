"""Does a trainer take it?"""

import polars as pl

from synthetic.stage import rule


@rule("malformed", "mended", "ok", "text_key", version=2)
def well_formed(traces: pl.LazyFrame) -> pl.LazyFrame:
    """Keep conversations that SFT trainers take: known roles, calls with JSON arguments, answers to a call.

    Marks, and does not drop, rows of which the published copy is mended: calls without an id, a type or arguments, and
    tools' answers without an id. Null tools are none. Rows that failed, or in which the model wrote nothing, are
    those of `finished`.
    """
    looked_at = traces.filter(pl.col("ok") & pl.col("text_key").is_not_null())
    return looked_at.select(
        "row_id",
        reason=pl.coalesce("malformed", pl.format("mended: {}", "mended")),
        flag=pl.col("malformed").is_null(),
    ).filter(pl.col("reason").is_not_null())
