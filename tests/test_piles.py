"""Piles: rows laid on the disk by the leading bits of problem_id, and read back."""

import polars as pl

from synthetic.piles import Piles, held
from tests.rows import frame, trace


def rows(**problems):
    """Rows of these problems, by name."""
    return frame([trace(name, problem_id=problem) for name, problem in problems.items()]).collect()


def test_rows_come_back_from_the_pile_of_their_problem_in_the_order_in_which_they_were_laid_down(tmp_path):
    piles = Piles(tmp_path / "piles", 4, {})
    piles.add(rows(a="0" * 32, b="f" * 32, c="3" * 32))
    piles.add(rows(d="c" * 32, e="0" * 32))
    held = [
        None if (there := piles.read(range(pile, pile + 1), ["trace_id"])) is None else there["trace_id"].to_list()
        for pile in range(4)
    ]
    assert held == [["a", "c", "e"], None, None, ["b", "d"]]
    together = piles.read(range(4), ["trace_id"])
    assert together is not None
    assert together["trace_id"].to_list() == ["a", "c", "e", "b", "d"]


def test_rows_come_back_as_they_were(tmp_path):
    laid = rows(a="0" * 32, b="1" * 32)
    piles = Piles(tmp_path / "piles", 1, {})
    piles.add(laid)
    back = piles.read(range(1), laid.columns)
    assert back is not None
    assert back.equals(laid)


def test_the_sizes_are_those_of_the_rows_by_leading_bits(tmp_path):
    piles = Piles(tmp_path / "piles", 1, {"all": ["problem_id", "text", "absent"]})
    named = pl.DataFrame(
        {"problem_id": ["0001" + "0" * 28, "0001" + "f" * 28, "ffff" + "0" * 28], "text": ["a", "é", ""], "other": 1}
    )
    piles.add(named)
    piles.add(named.head(1))
    assert piles.sizes("all") == {1: 3 * 32 + 1 + 2 + 1, 0xFFFF: 32}


def test_a_row_counts_for_the_configs_that_it_stands_in(tmp_path):
    piles = Piles(tmp_path / "piles", 1, {"one": ["problem_id", "text"], "two": ["text"], "three": ["text"]})
    named = pl.DataFrame({"problem_id": ["0" * 32, "0" * 32, "f" * 32], "text": ["a", "bb", "ccc"]})
    stands = {"one": [True, False, True], "two": [False, True, False], "three": [False] * 3}
    piles.add(named.with_columns(pl.Series(held(name), which) for name, which in stands.items()))
    assert [piles.sizes(name) for name in piles.configs] == [{0: 33, 0xFFFF: 35}, {0: 2}, {}]


def test_no_rows_make_no_pile(tmp_path):
    piles = Piles(tmp_path / "piles", 2, {"all": ["problem_id"]})
    piles.add(rows(a="0" * 32).clear())
    assert (piles.read(range(2), []), piles.sizes("all")) == (None, {})
