"""Is its thinking marked as such, from beginning to end?"""

import polars as pl

from synthetic.stage import measure


@measure("messages", "num_prompt_messages", gives=("thinking",), version=1)
def thinking(traces: pl.LazyFrame) -> pl.LazyFrame:
    """How the last assistant message marks its thinking; null where there is no such message.

    `separate`: in reasoning_content; `inline`: in `<think>…</think>` at its head; `closed_only`: `</think>` alone, as
    where the prompt's template opened it; `empty`: marked, and nothing in it; `unclosed`; `several`: more tags than one
    pair, in another order or beside reasoning_content; `none`.
    """
    sampled = pl.col("messages").list.slice(pl.col("num_prompt_messages").fill_null(0))
    last = sampled.list.eval(pl.element().filter(pl.element().struct.field("role") == "assistant")).list.last()
    content = last.struct.field("content").fill_null("").str.strip_chars()
    apart = last.struct.field("reasoning_content").fill_null("").str.strip_chars() != ""
    opens, closes = (content.str.count_matches(tag, literal=True) for tag in ("<think>", "</think>"))
    said = (
        pl.when(last.is_null()).then(None)
        .when(apart & ((opens > 0) | (closes > 0))).then(pl.lit("several"))
        .when(apart).then(pl.lit("separate"))
        .when((opens == 0) & (closes == 0)).then(pl.lit("none"))
        .when((opens == 0) & (closes == 1)).then(pl.lit("closed_only"))
        .when((opens == 1) & (closes == 0)).then(pl.lit("unclosed"))
        .when(content.str.contains(r"^<think>\s*</think>") & (closes == 1)).then(pl.lit("empty"))
        .when(content.str.starts_with("<think>") & (opens == 1) & (closes == 1)).then(pl.lit("inline"))
        .otherwise(pl.lit("several"))
    )  # fmt: skip
    return traces.select("row_id", said.alias("thinking"))
