"""Is it new, beside what is published?"""

from typing import Any  # numpy's arrays

import polars as pl

from synthetic.stage import rule


@rule("problem_id", "text_key", "minhash", against="published", compiles=True, version=1)
def unpublished(
    traces: pl.LazyFrame, published: pl.LazyFrame, *, of: str, config: str = "sft_verified", alike: float = 0.8
) -> pl.LazyFrame:
    """Keep rows that the release `of` does not have in `config` ("any": in any config but `traces`).

    It has a row of the same row_id; of the same text, or nearly, at the same problem: the Jaccard similarity that the
    signatures estimate (standard error 0.035 at 0.8) is at least `alike`. Every text of the problem is looked at, so
    none is missed. A row without text is known by its row_id alone. `of` is a release's folder or, on the Hub,
    `org/name@revision`; what it holds comes from its index (`schemas/index-1.toml`).
    """
    held = pl.col("configs").list.len() > 0 if config == "any" else pl.col("configs").list.contains(config)
    there = published.filter(held).select("row_id", "problem_id", "text_key", "minhash")
    ids = traces.join(there, on="row_id", how="semi").select(
        "row_id", reason=pl.lit(f"published in {of}: the same row")
    )
    rest = traces.join(there, on="row_id", how="anti")
    pairs = rest.join(there, on="problem_id", how="inner", suffix=" there").collect()
    estimate = pl.Series("alike", _estimates(pairs["minhash"], pairs["minhash there"]), dtype=pl.Float64)
    same = pl.col("text_key") == pl.col("text_key there")
    found = (
        pairs.lazy()
        .with_columns(estimate, same=same.fill_null(False))
        .filter(pl.col("same") | (pl.col("alike") >= alike))
        .sort("row_id", ~pl.col("same"), -pl.col("alike"), "row_id there", nulls_last=True)
        .unique("row_id", keep="first", maintain_order=True)
    )
    near = pl.format(
        "published in {}: like {} (Jaccard about {})", pl.lit(of), "row_id there", pl.col("alike").round(2)
    )
    exact = pl.format("published in {}: same text as {}", pl.lit(of), "row_id there")
    texts = found.select("row_id", reason=pl.when("same").then(exact).otherwise(near))
    return pl.concat([ids, texts])


def _estimates(one: pl.Series, other: pl.Series) -> Any:
    """The estimated similarity of each pair; 0 where a signature is missing."""
    import numpy as np

    from synthetic.alike.sketch import estimates, matrix

    left, is_left = matrix(one)
    right, is_right = matrix(other)
    rows = np.arange(len(one))
    return np.where(is_left & is_right, estimates(left, right, rows, rows), 0.0).astype(np.float64)
