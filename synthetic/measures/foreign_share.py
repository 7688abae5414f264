"""How much of it is in a script that nobody asked for?"""

import polars as pl

from synthetic.alike.text import asked, written
from synthetic.stage import measure

SCRIPTS = {
    "East Asian": r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}]",
    "Cyrillic": r"\p{Cyrillic}",
    "Arabic": r"\p{Arabic}",
    "Hebrew": r"\p{Hebrew}",
    "Devanagari": r"\p{Devanagari}",
    "Thai": r"\p{Thai}",
}
"""Scripts whose letters are counted. Greek is left out: mathematics is full of it."""

ASCII = r"[\x00-\x7f]+"


@measure("messages", "num_prompt_messages", gives=("foreign_share",), version=1)
def foreign_share(traces: pl.LazyFrame) -> pl.LazyFrame:
    """Letters of scripts of which the prompt has none, over all letters; null where the model wrote no letter.

    Scripts are East Asian ones together, Cyrillic, Arabic, Hebrew, Devanagari and Thai.
    """
    # Most text is ASCII, and none of these letters are: they are looked for in what is left.
    rest, prompt = written().str.replace_all(ASCII, ""), asked().fill_null("").str.replace_all(ASCII, "")
    latin = written().str.count_matches("[A-Za-z]")
    foreign = [
        pl.when(prompt.str.contains(script)).then(0).otherwise(rest.str.count_matches(script))
        for script in SCRIPTS.values()
    ]
    letters = latin + rest.str.count_matches(r"\p{L}")
    share = pl.when(letters > 0).then(pl.sum_horizontal(foreign) / letters)
    return traces.select("row_id", share.alias("foreign_share"))
