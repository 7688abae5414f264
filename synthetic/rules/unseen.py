"""Does it repeat what models are tested on?"""

from collections.abc import Iterable, Sequence
from itertools import islice

import polars as pl

from synthetic.alike.text import written
from synthetic.errors import RecipeError
from synthetic.stage import rule

STOCK = (
    "can be written as m/n, where m and n are relatively prime positive integers. Find m + n.",
    "can be written in the form m/n, where m and n are relatively prime positive integers. Find m+n.",
    "can be expressed as m/n, where m and n are relatively prime positive integers. Find $m+n$.",
    "where $m$ and $n$ are relatively prime positive integers. Find $m+n$.",
    r"can be written as $\frac{m}{n}$, where $m$ and $n$ are relatively prime positive integers. Find $m + n$.",
    "Express your answer as a common fraction. Express your answer in simplest radical form.",
    "Find the remainder when N is divided by 1000. Find the remainder when $N$ is divided by $1000$.",
    r"Put your final answer within \boxed{}. Please reason step by step, and put your final answer within \boxed{}.",
    "Write a python function to. Write a function to find. Return the result as a list.",
    "You are given a list of integers. You are given an array of integers nums and an integer k.",
    "Which of the following is correct? Which one of the following statements is true?",
    "None of the above. All of the above.",
)
"""What many problems say that have nothing to do with each other; from AIME, MATH, MBPP and multiple-choice sets."""

SHORT, SHORTEST = 20, 8
"""Tokens: an item of so few must be there whole (allenai/decon); of fewer, it must be the better part of the prompt."""

DOUBTFUL, RUN = 0.5, 13
"""From this share, or so many tokens in a row (GPT-3, EleutherAI), a row is marked for review."""

RATIO = 95
"""A prompt whose letters are so much those of a longer item (Indel ratio, 0 to 100) is marked, as by open-thoughts."""

PASSAGE, EXCERPT = 4, 160
"""A passage is told that has at least so many words, where there is one, and at most so many characters of it."""

ANSWER = "answer"
_PLACES = {"prompt": "it in the prompt", "completion": "it in the completion", ANSWER: "its answer in the completion"}


@rule("prompt", "messages", "num_prompt_messages", against="evaluations", compiles=True, version=2)
def unseen(traces: pl.LazyFrame, items: pl.LazyFrame, *, sets: list[str], held: float = 0.8) -> pl.LazyFrame:
    """Keep rows whose prompt does not hold an item of evaluation sets; what only looks like it is marked.

    Dropped: `held` of the item's words stand in the prompt (containment of 5-token shingles, each weighed by how few
    items have it), all of them for an item of at most 20 tokens; one of fewer than 8 must be at least a third of the
    prompt. Marked: half of an item, or 13 tokens of it in a row, in the prompt; a prompt that is an item of more than
    20 tokens but for a twentieth of its letters; `held` of an item in what the model wrote; or, apart, `held` of an
    item's answer of more than 20 tokens there: whoever solves a like problem writes a shorter one too. Shingles of 3
    items and more than 2 % of a set, and stock phrases, weigh nothing. A reason names item and set, the share, and what
    both say. A null prompt holds nothing. Not found: paraphrases and translations.
    Method: weighted n-gram containment as in allenai/decon (2025); 13-grams as in GPT-3 (Brown et al., 2020).
    """
    from synthetic.alike import contained

    known = items.collect()
    if missing := sorted(set(sets) - set(known["set"])):
        raise RecipeError(f"unseen: no items of {missing}")
    known = known.filter(pl.col("set").is_in(sets)).sort("set", "item", "question")
    most = known.select(pl.max_horizontal(pl.lit(2.0), 0.02 * pl.len().over("set"))).to_series().to_numpy()
    index = contained.known(known["question"], pl.Series(STOCK), most)
    answers = contained.known(known["answer"].fill_null(""), pl.Series(STOCK), most)
    rows = traces.select("row_id", "prompt", written().alias("text")).collect()
    lengths = pl.Series(index.tokens)
    found = []
    for place, column in (("prompt", "prompt"), ("completion", "text")):
        seen = contained.look(index, rows[column]).with_columns(rows["row_id"], text=rows[column])
        seen = seen.filter(pl.col("best") >= 0)
        size = pl.Series("size", lengths.gather(seen["best"]))
        least = pl.when(pl.col("size") <= SHORT).then(max(held, 1.0 - 1e-9)).otherwise(held)
        whole = (pl.col("share") >= least) & ((pl.col("size") >= SHORTEST) | (pl.col("tokens") <= 3 * pl.col("size")))
        doubtful = (pl.col("size") >= SHORTEST) & ((pl.col("share") >= DOUBTFUL) | (pl.col("run") >= RUN))
        near = pl.Series(
            _near(known["question"], seen) if place == "prompt" else [False] * seen.height, dtype=pl.Boolean
        )
        judged = seen.with_columns(size, near=near).with_columns(
            whole=whole, doubtful=doubtful | (pl.col("near") & (pl.col("size") > SHORT)), where=pl.lit(place)
        )
        found.append(
            judged.filter("whole", pl.col("size") >= SHORTEST)
            if place == "completion"
            else judged.filter(pl.col("whole") | pl.col("doubtful"))
        )
    quoted = contained.look(answers, rows["text"]).with_columns(rows["row_id"], text=rows["text"])
    quoted = quoted.filter(pl.col("best") >= 0, pl.col("share") >= held)
    size = pl.Series("size", pl.Series(answers.tokens).gather(quoted["best"]))
    quoted = quoted.with_columns(
        size, near=pl.lit(False), whole=pl.lit(True), doubtful=pl.lit(True), where=pl.lit(ANSWER)
    )
    found.append(quoted.filter(pl.col("size") > SHORT).select(found[0].columns))
    # Of what several places show, the first counts: the prompt, the completion, an answer in it.
    hits = pl.concat(found).unique("row_id", keep="first", maintain_order=True)
    names = known.select(pl.format("item {} of {}", "item", "set")).to_series().gather(hits["best"])
    items_said = known.select("question", "answer")[hits["best"]]
    told = [
        f'{name}: {share:.2f} of {_PLACES[where]}: "{_passage(answer if where == ANSWER else question, text)}"'
        for name, share, where, question, answer, text in zip(
            names, hits["share"], hits["where"], *items_said, hits["text"], strict=True
        )
    ]
    flag = ~hits["whole"] | (hits["where"] != "prompt")
    given = {"row_id": hits["row_id"], "reason": pl.Series(told, dtype=pl.String), "flag": flag}
    return pl.LazyFrame(given, schema={"row_id": pl.String, "reason": pl.String, "flag": pl.Boolean})


def _near(questions: pl.Series, seen: pl.DataFrame) -> list[bool]:
    """Whether each text is nearly the question that it shares words with, letter by letter."""
    from rapidfuzz import fuzz

    pairs = zip(questions.gather(seen["best"]), seen["text"], strict=True)
    return [fuzz.ratio(one.lower(), other.lower(), score_cutoff=RATIO) > 0 for one, other in pairs]


def _passage(question: str, text: str) -> str:
    """The longest run of words that both have, as the question writes it.

    Of words that the question says again, its first place is looked at: so this takes time in proportion to the text.
    """
    asked, said = question.split(), text.lower().split()
    lower = [word.lower() for word in asked]
    found, begins = 0, 0
    for width in (PASSAGE, 1):
        places: dict[tuple[str, ...], int] = {}
        for place, gram in enumerate(_grams(lower, width)):
            places.setdefault(gram, place)
        past = 0
        for at, gram in enumerate(_grams(said, width)):
            if at < past or (place := places.get(gram, -1)) < 0:
                continue
            run = width
            while place + run < len(lower) and at + run < len(said) and lower[place + run] == said[at + run]:
                run += 1
            past = at + run - width + 1
            if run > found:
                found, begins = run, place
        if found:
            break
    passage = " ".join(asked[begins : begins + found])
    return passage if len(passage) <= EXCERPT else passage[:EXCERPT] + "…"


def _grams(words: Sequence[str], width: int) -> Iterable[tuple[str, ...]]:
    return zip(*(islice(words, skipped, None) for skipped in range(width)), strict=False)
