"""near_duplicates: near-copies among the texts of any frame."""

import random

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import synthetic
from synthetic.alike.near import near_duplicates
from tests.test_words import shingles

WORDS = [f"word{n}" for n in range(300)]


def text(seed, words=80):
    return " ".join(random.Random(seed).choices(WORDS, k=words))


def edited(whole, places):
    words = whole.split()
    for place in places:
        words[place % len(words)] = "other"
    return " ".join(words)


def brute(rows, alike=0.8, contained=0.95):
    """The same by plain sets: every row against all earlier ones that stay."""
    kept: list[tuple[int, set[int], object]] = []
    found: list[tuple[int, int, float, float]] = []
    for number, (one, within) in enumerate(rows):
        own = set(shingles(one)) if one else set()
        best = None
        for other, its, same in kept:
            if own and its and same == within:
                both = len(own & its)
                jaccard, containment = both / len(own | its), both / min(len(own), len(its))
                if (jaccard >= alike or containment >= contained) and (best is None or jaccard > best[2]):
                    best = number, other, jaccard, containment
        if best:
            found.append(best)
        else:
            kept.append((number, own, within))
    return found


def test_an_edited_copy_is_found_and_the_earlier_row_stays():
    rows = pl.DataFrame({"text": [text(1), text(2), edited(text(1), [3]), None, "", text(2)]})
    found = near_duplicates(rows)
    assert found.select("row", "keeper").rows() == [(2, 0), (5, 1)]
    assert found["jaccard"].to_list() == [pytest.approx(brute([(text(1), 0), (edited(text(1), [3]), 0)])[0][2]), 1.0]


def test_rows_that_differ_in_a_column_are_not_compared():
    rows = pl.DataFrame({"said": [text(1)] * 4, "answer": ["4", "5", None, None]})
    assert near_duplicates(rows, text="said", within=["answer"])["row"].to_list() == [3]
    assert near_duplicates(rows, text="said")["row"].to_list() == [1, 2, 3]


def test_a_text_column_may_be_one_that_rows_must_agree_in():
    rows = pl.DataFrame({"text": [text(1), text(1), edited(text(1), [3])]})
    assert near_duplicates(rows, within=["text"]).select("row", "keeper").rows() == [(1, 0)]


EDITED = st.tuples(
    st.integers(0, 3),
    st.lists(st.integers(0, 79), max_size=4),
    st.sampled_from([80, 80, 70, 50, 30]),
    st.sampled_from("ab"),
)
"""Which text, the places of its words that are others, how many of its first words are there, and what it is within."""


@given(st.lists(EDITED, max_size=14))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_brute_force_agrees(rows):
    texts = [(" ".join(edited(text(seed), places).split()[:words]), within) for seed, places, words, within in rows]
    frame = pl.DataFrame(texts, schema={"text": pl.String, "within": pl.String}, orient="row")
    wanted = brute(texts)
    # One slot a band: everything that is alike at all is a candidate.
    found = near_duplicates(frame, within=["within"], bands=126, band_slots=1)
    assert found["row"].to_list() == [row for row, *_ in wanted]
    assert found["jaccard"].to_list() == pytest.approx([jaccard for *_, jaccard, _ in wanted])
    assert found["containment"].to_list() == pytest.approx([containment for *_, containment in wanted])


@pytest.mark.parametrize("kept", [0, 10**9])
def test_many_parts_and_a_second_reading_change_nothing(tmp_path, kept):
    texts = [edited(text(number // 3), [number]) for number in range(3000)]
    pl.DataFrame({"text": texts}).write_parquet(tmp_path / "texts.parquet", row_group_size=500)
    whole = near_duplicates(pl.DataFrame({"text": texts}))
    parts = pl.scan_parquet(tmp_path / "texts.parquet")
    assert near_duplicates(parts, part_rows=700, kept_bytes=kept).equals(whole)
    assert whole.height > 1000


def test_an_empty_frame_has_none_and_a_missing_column_is_named():
    assert synthetic.near_duplicates(pl.DataFrame(schema={"text": pl.String})).is_empty()
    with pytest.raises(pl.exceptions.ColumnNotFoundError, match="said"):
        near_duplicates(pl.DataFrame({"text": ["a"]}), text="said")


def test_a_frame_that_gives_other_rows_when_it_is_read_again_is_refused():
    turns = iter(range(9))

    def turned(frame: pl.DataFrame) -> pl.DataFrame:
        return frame.reverse() if next(turns) % 2 else frame

    rows = pl.DataFrame({"text": [text(1), text(2), text(2)], "answer": ["4", "5", "5"]})
    assert near_duplicates(rows, within=["answer"])["row"].to_list() == [2]
    with pytest.raises(ValueError, match="another order"):
        near_duplicates(rows.lazy().map_batches(turned), within=["answer"])
