"""What is it made of? A signature that tells how alike two traces are, and how many tokens it has."""

import polars as pl

from synthetic.alike.text import written
from synthetic.stage import measure

_GIVEN = pl.Struct({"minhash": pl.Binary(), "words": pl.Int64()})


@measure("messages", "num_prompt_messages", gives=("minhash", "words"), compiles=True, version=2)
def minhash(traces: pl.LazyFrame) -> pl.LazyFrame:
    """`minhash`, 256 bytes, null where the model wrote no token; `words`, tokens of what it wrote, never null.

    Of the model's text alone (`alike.text.written`): thinking, answers and tool calls. How they are cut into tokens and
    sketched: `alike.words`, `alike.sketch`.
    """
    signed = written().map_batches(_signed, return_dtype=_GIVEN)
    return traces.select("row_id", signed.alias("given")).unnest("given")


def _signed(texts: pl.Series) -> pl.Series:
    from synthetic.alike.sketch import signatures  # numba takes half a second

    found, tokens = signatures(texts, threads=pl.thread_pool_size())
    given = pl.DataFrame({"minhash": found, "words": tokens.fill_null(0).cast(pl.Int64)})
    return given.to_struct(texts.name)
