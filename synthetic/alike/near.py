"""Near-duplicates among the texts of any frame: what `near_unique` does, without a store around it."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from synthetic.alike import bands as banded
from synthetic.alike.sets import keepers, sets
from synthetic.alike.sketch import matrix, signatures

PART_ROWS = 10_000
"""Rows whose texts are held at once while they are signed."""

KEPT_BYTES = 512 * 1024 * 1024
"""Texts that are no larger are kept, and not read again."""


def near_duplicates(
    rows: pl.LazyFrame | pl.DataFrame,
    *,
    text: str = "text",
    within: Sequence[str] = (),
    alike: float = 0.8,
    contained: float = 0.95,
    bands: int = banded.BANDS,
    band_slots: int = banded.ROWS,
    part_rows: int = PART_ROWS,
    kept_bytes: int = KEPT_BYTES,
) -> pl.DataFrame:
    """The rows whose text is nearly that of an earlier row which stays.

    Gives `row` and `keeper` (places in `rows`, unsigned 32-bit), `jaccard` and `containment` (of their sets of 5-token
    shingles, counted exactly), sorted by row. Earlier is better: sort the frame so. A row is dropped where it has a
    Jaccard similarity of at least `alike` with a row that stays, or the smaller of the two sets lies within the larger
    by at least `contained`; with the first 1,000 of its group at most. Only rows that are equal in the columns `within`
    are compared (null equals null): name those that make two texts different although they look alike, such as the
    problem and the final answer. A null text, or one without a token, is nobody's copy.

    Candidates come from `bands` bands of `band_slots` slots of the signatures (`alike.sketch`), so that of pairs at a
    similarity of 0.8 1.4 % are missed, at 0.85 0.1 %. Rows are read `part_rows` at a time, and twice where their texts
    are larger than `kept_bytes`: held are 256 bytes for each row, and the texts and shingles of candidates. Raises
    `polars.exceptions.ColumnNotFoundError`.
    """
    lazy, threads = rows.lazy(), pl.thread_pool_size()
    read = lazy.select(pl.col(text).alias("text"), *(pl.col(name).alias(f"within {name}") for name in within))
    signed, keys, texts, size = [pl.Series(dtype=pl.Binary)], [], read.select("text").head(0).collect(), 0
    for part in read.collect_batches(chunk_size=part_rows, maintain_order=True):
        signed.append(signatures(part["text"], threads=threads)[0])
        keys.append(part.drop("text"))
        size += int(part["text"].estimated_size())
        texts = pl.concat([texts, part.select("text")]) if size <= kept_bytes else texts.clear()
    held, there = matrix(pl.concat(signed))
    equal = banded.hashed(pl.concat(keys)) if within and keys else np.zeros(len(there), np.uint64)
    first = banded.groups(held, there, equal, bands=bands, rows=band_slots)
    grouped = pl.DataFrame({"row": pl.int_range(len(first), dtype=pl.UInt32, eager=True), "group": first})
    grouped = grouped.filter(pl.len().over("group") > 1).sort("group", "row")
    again = (texts.lazy() if size <= kept_bytes else read.select("text")).with_row_index("row")
    wanted = again.filter(pl.col("row").is_in(grouped["row"].implode())).collect(engine="streaming")
    grouped = grouped.join(wanted, on="row", how="left", maintain_order="left")
    places = grouped["row"].to_numpy()
    groups = grouped["group"].rle_id().cast(pl.Int64).to_numpy()
    # The shingles of a text that several rows have are counted once.
    same = grouped.with_row_index("place").select(pl.col("place").first().over("text")).to_series().to_numpy()
    distinct, of = np.unique(same, return_inverse=True)
    found = sets(grouped["text"].gather(distinct), threads=threads)
    star = keepers(found, groups, held[places], alike=alike, contained=contained, of=of)
    dropped = grouped.select(
        "row",
        keeper=grouped["row"].gather(pl.Series(star.keeper).clip(0)),
        jaccard=pl.Series(star.jaccard),
        containment=pl.Series(star.containment),
    )
    return dropped.filter(pl.Series(star.keeper >= 0)).sort("row")
