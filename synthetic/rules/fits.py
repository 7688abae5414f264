"""Does it fit into a context?"""

import polars as pl

from synthetic.stage import rule

BATCH = 256


@rule("messages", "tools", against="tokenizer", version=1)
def fits(traces: pl.LazyFrame, opened: pl.LazyFrame, *, tokenizer: str, tokens: int = 131_072) -> pl.LazyFrame:
    """Keep rows whose messages and tools are at most `tokens` tokens of the tokenizer in the file `tokenizer`.

    Counted is every text of the conversation (contents, thinking, names and arguments of calls, tool schemas) without
    what a chat template adds: leave it some room. `tokenizer` is any `tokenizer.json`; needs the extra `tokenizers`.
    """
    from tokenizers import Tokenizer

    del tokenizer  # whoever runs the rule has opened it
    known = Tokenizer.from_str(opened.collect()["json"][0])
    call = pl.element().struct.field("function")
    said = [pl.element().struct.field(name) for name in ("content", "reasoning_content")]
    calls = (
        pl.element()
        .struct.field("tool_calls")
        .list.eval(
            pl.concat_str(call.struct.field("name"), call.struct.field("arguments"), separator=" ", ignore_nulls=True)
        )
    )
    messages = pl.concat_str([*said, calls.list.join("\n")], separator="\n", ignore_nulls=True)
    text = pl.concat_str(
        [pl.col("messages").list.eval(messages).list.join("\n"), "tools"], separator="\n", ignore_nulls=True
    )
    # A token is at least a byte, so shorter texts need no counting.
    long = traces.select("row_id", text=text).filter(pl.col("text").str.len_bytes() > tokens).collect()
    counts = []
    for start in range(0, long.height, BATCH):
        batch = long["text"].slice(start, BATCH).to_list()
        counts += [len(one.ids) for one in known.encode_batch_fast(batch, add_special_tokens=False)]
    counted = long.select("row_id").with_columns(tokens=pl.Series(counts, dtype=pl.Int64)).lazy()
    over = counted.filter(pl.col("tokens") > tokens)
    return over.select("row_id", reason=pl.format("{} tokens, more than {}", "tokens", pl.lit(tokens)))
