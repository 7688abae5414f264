"""Near-duplicates among the texts of any frame: what `near_unique` does, without a store around it."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from synthetic.alike import bands as banded
from synthetic.alike.sets import stars
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
    similarity of 0.8 1.4 % are missed, at 0.85 0.1 %. The columns `within` are read first, since a row that is alone
    in them is not looked at; then rows `part_rows` at a time, and texts twice where they are larger than `kept_bytes`.
    Held are 256 bytes for each row, these columns, and the texts of candidates. Raises `ValueError` for a frame that
    gives its rows in another order the second time, and `polars.exceptions.ColumnNotFoundError`.
    """
    lazy, threads = rows.lazy(), pl.thread_pool_size()
    read = lazy.select(pl.col(text).alias("text"), *(pl.col(name).alias(f"within {name}") for name in within))
    keys = read.drop("text").collect(engine="streaming")
    equal = keys.hash_rows() if within else None
    several = equal.is_duplicated() if equal is not None else None
    signed, texts, size, done = [pl.Series(dtype=pl.Binary)], read.select("text").head(0).collect(), 0, 0
    for part in read.collect_batches(chunk_size=part_rows, maintain_order=True):
        own = part.select("text")
        if several is not None:
            if not part.drop("text").equals(keys.slice(done, part.height)):
                raise ValueError("rows come in another order when they are read again: collect() the frame first")
            own = own.filter(several.slice(done, part.height))
        done += part.height
        signed.append(signatures(own["text"], threads=threads)[0])
        size += int(own["text"].estimated_size())
        texts = pl.concat([texts, own]) if size <= kept_bytes else texts.clear()
    held, there = matrix(pl.concat(signed))
    compared = pl.int_range(done, dtype=pl.UInt32, eager=True)
    compared = compared if several is None else compared.filter(several)
    bits = np.zeros(len(there), np.uint64) if equal is None or several is None else equal.filter(several).to_numpy()
    first = banded.groups(held, there, bits, bands=bands, rows=band_slots)
    grouped = pl.DataFrame({"row": compared, "group": first}).with_row_index("place")
    grouped = grouped.filter(pl.len().over("group") > 1).sort("group", "place")
    at = grouped["place"]
    if size > kept_bytes:
        again = read.select("text").with_row_index("row").filter(pl.col("row").is_in(grouped["row"].implode()))
        texts = again.collect(engine="streaming").sort("row")
        at = texts["row"].search_sorted(grouped["row"])
    places = grouped["place"].to_numpy()
    groups = grouped["group"].rle_id().cast(pl.Int64).to_numpy()
    star = stars(texts["text"], at, groups, held[places], alike=alike, contained=contained, threads=threads)
    dropped = grouped.select(
        "row",
        keeper=grouped["row"].gather(pl.Series(star.keeper).clip(0)),
        jaccard=pl.Series(star.jaccard),
        containment=pl.Series(star.containment),
    )
    return dropped.filter(pl.Series(star.keeper >= 0)).sort("row")
