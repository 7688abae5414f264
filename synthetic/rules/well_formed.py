"""Does a trainer take it?"""

import polars as pl

from synthetic.contract import BrokenConversation, check, mended, with_calls
from synthetic.stage import rule


@rule("messages", "tools", "ok", "text_key", version=1)
def well_formed(traces: pl.LazyFrame) -> pl.LazyFrame:
    """Keep conversations that SFT trainers take: known roles, calls with JSON arguments, answers to a call.

    Marks, and does not drop, rows of which the published copy is mended: calls without an id, a type or arguments, and
    tools' answers without an id. Null tools are none. Rows that failed, or in which the model wrote nothing, are
    those of `finished`.
    """
    rows = (
        traces.filter(pl.col("ok") & pl.col("text_key").is_not_null() & with_calls())
        .select("row_id", "messages", "tools")
        .collect()
    )
    found = []
    for row_id, messages, tools in rows.iter_rows():
        made, what = mended(messages)
        try:
            check(made, tools)
        except BrokenConversation as error:
            found.append((row_id, str(error), False))
            continue
        if what:
            found.append((row_id, f"mended: {', '.join(what)}", True))
    schema = {"row_id": pl.String, "reason": pl.String, "flag": pl.Boolean}
    return pl.LazyFrame(found, schema=schema, orient="row")
