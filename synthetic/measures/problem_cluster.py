"""Which problems are one problem, under several ids?"""

from typing import Any  # numpy's arrays

import polars as pl

from synthetic.stage import EVERYTHING, measure

ALIKE = 0.9
"""The least Jaccard similarity of the shingles of two prompts of one cluster."""

COMMON_PROMPTS, COMMON_SHARE = 50, 0.001
"""A shingle of more prompts, and of a larger share of them, is boilerplate and tells no problem from another."""

_BEHIND_WORDS = r"""[.,;:!?"'`*]+(\s|$)"""


@measure(
    "problem_id", "prompt", together=EVERYTHING, once="problem_id", gives=("problem_cluster",), compiles=True, version=1
)
def problem_cluster(traces: pl.LazyFrame) -> pl.LazyFrame:
    """The cluster of the row's problem, named by its smallest problem_id; never null.

    One cluster are problems whose prompts are the same but for case, white space and punctuation behind words, whatever
    their environment, source and answer; and prompts that hold the same numbers and are alike to the cluster's first
    one (Jaccard of 5-token shingles of at least 0.9, counted exactly, without boilerplate: shingles of more than 50
    prompts and 0.1 % of them). A template with other numbers is another problem. A problem without a prompt is its own
    cluster. Candidates are found as for `near_unique`: at 0.9 none are missed.
    """
    import numpy as np

    from synthetic.alike import bands
    from synthetic.alike.sets import keepers, sets
    from synthetic.alike.sketch import matrix, signatures

    asked = pl.col("prompt").str.normalize("NFKC").str.to_lowercase()
    same = asked.str.replace_all(_BEHIND_WORDS, " ").str.replace_all(r"\s+", " ").str.strip_chars().replace("", None)
    rows = traces.select("row_id", "problem_id", same=same).with_row_index("place").sort("problem_id").collect()
    named = rows.with_columns(name=pl.coalesce(pl.col("problem_id").min().over("same"), "problem_id"))
    named = named.with_columns(name=pl.when(pl.col("same").is_null()).then("problem_id").otherwise("name"))
    heads = named.filter(pl.col("same").is_not_null(), pl.col("name") == pl.col("problem_id"))
    if heads.height > 1:
        numbers = pl.col("same").str.extract_all(r"\d+(?:\.\d+)?").list.sort().list.join(" ").alias("numbers")
        within = bands.hashed(heads.select(numbers))
        held, there = matrix(signatures(heads["same"], threads=pl.thread_pool_size())[0])
        roots = bands.groups(held, there, within)
        order = np.argsort(roots, kind="stable")
        found = _without_common(sets(heads["same"].gather(order)), heads.height)
        star = keepers(found, roots[order], held[order], alike=ALIKE, contained=2.0)
        names = heads["name"].gather(order)
        first = names.gather(np.where(star.keeper < 0, np.arange(len(order)), star.keeper))
        named = named.join(pl.DataFrame({"name": names, "first": first}), on="name", how="left")
        named = named.with_columns(name=pl.coalesce("first", "name"))
    return named.lazy().sort("place").select("row_id", problem_cluster="name")


def _without_common(found: Any, prompts: int) -> Any:
    import numpy as np

    from synthetic.alike.sets import Sets

    values, counts = np.unique(found.hashes, return_counts=True)
    common = values[counts > max(COMMON_PROMPTS, COMMON_SHARE * prompts)]
    keep = ~np.isin(found.hashes, common)
    before = np.concatenate([np.zeros(1, np.int64), np.cumsum(keep)])
    return Sets(before[found.starts], found.hashes[keep])
