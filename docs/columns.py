"""Write docs/columns.md from the schemas: `python docs/columns.py`."""

from pathlib import Path

from synthetic.record import Schema, schema

TITLES = {
    "record-1": "The record: what a store holds and `synthetic.scan` gives",
    "sft-1": "`sft_verified` and `sft_unverified`",
    "rl-tasks-1": "`rl_tasks`",
    "preference-1": "`preference`",
    "traces-1": "`traces`",
    "annotation-1": "Late facts, as shards of annotations hold them",
    "tokens-1": "The side table of tokens: what `capture --tokens` adds and `synthetic.tokens` gives",
    "measured-1": "Measured columns: what expressions and rules may name besides",
    "index-1": "The index of a release",
    "drop-1": "A drop",
}


def page() -> str:
    """The page, as Markdown."""
    parts = ["# Columns\n\nWritten by `docs/columns.py` from `schemas/`. `!` marks columns that are never null.\n"]
    parts += [f"## {title}\n\n{_table(schema(id))}" for id, title in TITLES.items()]
    return "\n".join(parts)


def _table(shown: Schema) -> str:
    rows = [
        f"| `{column.name}`{'' if column.null else ' !'} | {_type(column.type)} | {column.doc}"
        f"{'' if column.publish else ' *Never published.*'} |"
        for column in shown.columns
    ]
    return "\n".join(["| column | type | what it is |", "|-|-|-|", *rows]) + "\n"


def _type(text: str) -> str:
    return f"`{text}`" if len(text) < 40 else f"`{text.partition('<')[0]}<…>`"


if __name__ == "__main__":
    Path(__file__).with_name("columns.md").write_text(page(), "utf-8")
