"""Does it fit into a context?"""

import polars as pl

from synthetic import context
from synthetic.stage import rule


@rule("messages", "tools", against="tokenizer", version=2)
def fits(traces: pl.LazyFrame, opened: pl.LazyFrame, *, tokenizer: str, tokens: int = 131_072) -> pl.LazyFrame:
    """Keep rows whose messages and tools are at most `tokens` tokens of the tokenizer in the file `tokenizer`.

    Counted is every text of the conversation (contents, thinking, names and arguments of calls, tool schemas) without
    what a chat template adds: leave it some room. `tokenizer` is any `tokenizer.json`; no truncation or padding that it
    asks for is done. Needs the extra `tokenizers`. A text of more than a million characters is counted in pieces
    that end before white space, until they are too many. 131,072 tokens: the 128K that DeepSeek-R1 and Qwen3 state as
    their context length.
    """
    del tokenizer  # whoever runs the rule has opened it
    known = context.opened(opened.collect()["json"][0])
    # A token is at least a byte, so shorter texts need no counting.
    long = (
        traces.select("row_id", text=context.text("messages")).filter(pl.col("text").str.len_bytes() > tokens).collect()
    )
    counts, whole = context.counts(known, long["text"], most=tokens)
    counted = long.select("row_id").with_columns(tokens=pl.Series(counts, dtype=pl.Int64), whole=pl.Series(whole))
    over = counted.lazy().filter(pl.col("tokens") > tokens)
    number = pl.when("whole").then(pl.format("{}", "tokens")).otherwise(pl.format("at least {}", "tokens"))
    return over.select("row_id", reason=pl.format("{} tokens, more than {}", number, pl.lit(tokens)))
