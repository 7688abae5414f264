"""What was the model asked?"""

import polars as pl

from synthetic.alike.text import asked
from synthetic.stage import measure


@measure("messages", "num_prompt_messages", gives=("prompt",), version=1)
def prompt(traces: pl.LazyFrame) -> pl.LazyFrame:
    """The user's messages of the prompt as one text; null where there are none. System messages are not the problem."""
    return traces.select("row_id", asked().alias("prompt"))
