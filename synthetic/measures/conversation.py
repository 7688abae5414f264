"""Does a trainer take it, and what has to be mended first?"""

import polars as pl

from synthetic.contract import BrokenConversation, check, lacking, mended, with_calls
from synthetic.stage import measure


@measure("messages", "tools", gives=("malformed", "mended"), version=1)
def conversation(traces: pl.LazyFrame) -> pl.LazyFrame:
    """`malformed`: why no SFT trainer takes the conversation; null where they do.

    `mended`: what its published copy is mended in, of calls and tools' answers that lack something; null where nothing
    is, and where it is malformed all the same. Null tools are none.
    """
    rows = traces.with_row_index("place").collect()
    found: list[tuple[int, str | None, str | None]] = []
    told = rows.filter(with_calls()).select("place", "messages", "tools", lacks=lacking())
    for place, messages, tools, lacks in told.iter_rows():
        made, what = mended(messages) if lacks else (messages, [])
        try:
            check(made, tools)
        except BrokenConversation as error:
            found.append((place, str(error), None))
            continue
        if what:
            found.append((place, None, ", ".join(what)))
    said = pl.LazyFrame(
        found, schema={"place": rows.schema["place"], "malformed": pl.String, "mended": pl.String}, orient="row"
    )
    ids = rows.lazy().select("place", "row_id")
    return ids.join(said, on="place", how="left", maintain_order="left").drop("place")
