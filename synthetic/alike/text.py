"""What of a trace is compared with others: what the model wrote, and what it was asked."""

import polars as pl


def written() -> pl.Expr:
    """What the model wrote, as one text; empty where it wrote nothing.

    The assistant's messages from `num_prompt_messages` on (null: all), each as its thinking, its answer, and name and
    arguments of its tool calls, on lines of their own. `<think>` and `</think>` are no text: inline and separate
    thinking give the same tokens, as they give the same `text_key`. Prompts are left out: traces are not alike because
    they answer the same question. Reads `messages` and `num_prompt_messages`.
    """
    call = pl.element().struct.field("function")
    calls = _field("tool_calls").list.eval(
        pl.concat_str(call.struct.field("name"), call.struct.field("arguments"), separator="\n", ignore_nulls=True)
    )
    answer = _field("content").str.replace_all("<think>", "\n", literal=True)
    answer = answer.str.replace_all("</think>", "\n", literal=True)
    parts = [_field("reasoning_content"), answer, calls.list.join("\n")]
    said = pl.concat_str(parts, separator="\n", ignore_nulls=True)
    sampled = pl.col("messages").list.slice(pl.col("num_prompt_messages").fill_null(0))
    return sampled.list.eval(said.filter(_field("role") == "assistant")).list.join("\n")


def thought() -> pl.Expr:
    """The thinking of the model's last message, apart or before `</think>`; null where there is none.

    Reads `messages` and `num_prompt_messages`.
    """
    sampled = pl.col("messages").list.slice(pl.col("num_prompt_messages").fill_null(0))
    last = sampled.list.eval(pl.element().filter(_field("role") == "assistant")).list.last()
    inline = last.struct.field("content").str.extract(r"(?s)^(.*)</think>", 1)
    return pl.coalesce(last.struct.field("reasoning_content").replace("", None), inline)


def asked() -> pl.Expr:
    """What the model was asked: the user's messages of the prompt, on lines of their own; null where there are none.

    System messages and tools are left out: they are the same for problems that have nothing else in common. Where the
    log does not say where the prompt ends, it is the user's first message. Reads `messages` and `num_prompt_messages`.
    """
    said = _field("content").filter((_field("role") == "user") & _field("content").is_not_null())
    prompt = pl.col("messages").list.head(pl.col("num_prompt_messages")).list.eval(said).list.join("\n")
    first = pl.col("messages").list.eval(said).list.first()
    return pl.when(pl.col("num_prompt_messages").is_null()).then(first).otherwise(prompt).replace("", None)


def _field(name: str) -> pl.Expr:
    return pl.element().struct.field(name)
