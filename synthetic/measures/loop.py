"""Does it go round in circles?"""

import polars as pl

from synthetic.alike.text import written
from synthetic.stage import measure

_GIVEN = pl.Struct({"loop_tokens": pl.Int64(), "loop_repeats": pl.Float64(), "loop_run": pl.Int64()})


@measure("messages", "num_prompt_messages", gives=("loop_tokens", "loop_repeats", "loop_run"), compiles=True, version=2)
def loop(traces: pl.LazyFrame) -> pl.LazyFrame:
    """What repeats itself: `loop_tokens` and `loop_repeats` at the end, `loop_run` anywhere.

    A loop that a model does not leave ends where it was cut off, or where its thinking was ended for it: of the whole
    text and the last message's thinking the longer loop counts. `loop_tokens` are the tokens of the longest stretch at
    the end of the text that is one period said at least twice, `loop_repeats` how many times it is said (5.5: and a
    half); both are 0 where nothing repeats. `loop_run` is the longest run of bytes anywhere with a period of at most
    16 bytes, white space left out, 0 below 128: digits that go on for ever are one token. Tokens are those of
    `alike.words`; periods are found with the Z-function (Gusfield, 1997), in the last 16,384 tokens.
    """
    sampled = pl.col("messages").list.slice(pl.col("num_prompt_messages").fill_null(0))
    last = sampled.list.eval(pl.element().filter(pl.element().struct.field("role") == "assistant")).list.last()
    apart, content = last.struct.field("reasoning_content").replace("", None), last.struct.field("content")
    thought = pl.coalesce(apart, content.str.extract(r"(?s)^(.*)</think>", 1))
    whole, early = (text.map_batches(_looped, return_dtype=_GIVEN) for text in (written(), thought))
    given = traces.select("row_id", whole.alias("whole"), early.alias("early"))
    longer = pl.col("early").struct.field("loop_tokens") > pl.col("whole").struct.field("loop_tokens")
    told = [
        pl.when(longer)
        .then(pl.col("early").struct.field(name))
        .otherwise(pl.col("whole").struct.field(name))
        .alias(name)
        for name in ("loop_tokens", "loop_repeats")
    ]
    return given.select("row_id", *told, pl.col("whole").struct.field("loop_run"))


def _looped(texts: pl.Series) -> pl.Series:
    from synthetic.alike.loops import loops  # numba takes half a second

    tokens, repeats, run = loops(texts, threads=pl.thread_pool_size())
    return pl.DataFrame({"loop_tokens": tokens, "loop_repeats": repeats, "loop_run": run}).to_struct(texts.name)
