"""Whether a trace goes round in circles: in all that the model wrote, or at the end of its thinking."""

import polars as pl

from synthetic.alike.text import thought, written

LOOP = pl.Struct({"loop_tokens": pl.Int64(), "loop_repeats": pl.Float64(), "loop_run": pl.Int64()})


def looped() -> pl.Expr:
    """A struct `LOOP`: what `loops` gives of the whole text, or of the last message's thinking if that loop is longer.

    A loop that a model does not leave ends where it was cut off, or where its thinking was ended for it. `loop_run` is
    always of the whole text. Reads `messages` and `num_prompt_messages`.
    """
    both = pl.struct(whole=written(), early=thought())
    return both.map_batches(_longer, return_dtype=LOOP)


def _longer(texts: pl.Series) -> pl.Series:
    from synthetic.alike.loops import loops  # numba takes half a second

    found = {}
    for name in ("whole", "early"):
        tokens, repeats, run = loops(texts.struct.field(name), threads=pl.thread_pool_size())
        found[name] = pl.DataFrame({"loop_tokens": tokens, "loop_repeats": repeats, "loop_run": run})
    whole, early = found["whole"], found["early"].with_columns(found["whole"]["loop_run"])
    longer = early["loop_tokens"] > whole["loop_tokens"]
    return early.to_struct().zip_with(longer.fill_null(False), whole.to_struct()).alias(texts.name)
