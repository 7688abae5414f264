"""Does it say an answer in the end?"""

import polars as pl

from synthetic.stage import rule


@rule("final_answer", version=1)
def answered(traces: pl.LazyFrame) -> pl.LazyFrame:
    r"""Keep rows that end on an answer that is marked as one: `\boxed{…}`, `####`, `<answer>…</answer>`, "answer is".

    For tasks whose prompt asks for such a mark; what is answered by prose or code has none, and is dropped.
    """
    reason = pl.lit("no final answer is marked as one")
    return traces.filter(pl.col("final_answer").is_null()).select("row_id", reason=reason)
