"""Does it go round in circles?"""

import polars as pl

from synthetic.alike.ending import looped
from synthetic.stage import measure


@measure("messages", "num_prompt_messages", gives=("loop_tokens", "loop_repeats", "loop_run"), compiles=True, version=2)
def loop(traces: pl.LazyFrame) -> pl.LazyFrame:
    """What repeats itself: `loop_tokens` and `loop_repeats` at the end, `loop_run` anywhere.

    `loop_tokens` are the tokens of the longest stretch at the end of the text that is one period said at least twice,
    `loop_repeats` how many times it is said (5.5: and a half); both are 0 where nothing repeats. Of the whole text and
    the last message's thinking the longer loop counts. `loop_run` is the longest run of bytes anywhere with a period of
    at most 16 bytes, white space left out, 0 below 128: digits that go on for ever are one token. A loop that counts
    (`Step 1, Step 2, …`) has no period and is not found. Tokens are those of `alike.words`; periods are found with the
    Z-function (Gusfield, 1997), in the last 16,384 tokens.
    """
    return traces.select("row_id", looped().alias("loop")).unnest("loop")
