"""Which problems are one under several ids, and what that is used for."""

import polars as pl
import pytest

import synthetic
from synthetic.measures.problem_cluster import problem_cluster
from synthetic.rules import RULES
from tests.benches import Place, drops, read, right, wrong
from tests.releases import attempt, config_rows, store
from tests.rows import said
from tests.test_labels import used

LONG = "A farmer has some sheep in a field with a river on one side and a fence on the other three sides of it"


def clusters(*prompts: str | None) -> list[str]:
    """The clusters of problems p0, p1, …, as letters in the order in which they come."""
    rows = pl.LazyFrame(
        {
            "row_id": [f"{i}/0" for i in range(len(prompts))],
            "problem_id": [f"p{i:05}" for i in range(len(prompts))],
            "prompt": prompts,
        },
        schema={"row_id": pl.String, "problem_id": pl.String, "prompt": pl.String},
    )
    found = problem_cluster(rows).collect().sort("row_id", maintain_order=True)
    assert found["problem_cluster"].null_count() == 0
    names = dict(zip(found["row_id"], found["problem_cluster"], strict=True))
    return [names[f"{i}/0"][1:].lstrip("0") or "0" for i in range(len(prompts))]


def test_case_spaces_and_punctuation_behind_words_make_no_problem():
    assert clusters("What is 2+2?", "what is  2+2", "What is 2+2 ?", "What is 2-2?", "What is 2+3?") == list("00034")
    assert clusters("What is 1.5?", "What is 15?") == ["0", "1"]


def test_a_few_other_words_make_no_problem_but_other_numbers_do():
    whole = LONG + " and he wants to know how long the fence of his field of 30 sheep must be"
    assert clusters(whole * 3, whole * 3 + " please") == ["0", "0"]
    assert clusters(whole * 3, whole * 3 + " 31 please") == ["0", "1"]
    assert clusters(whole.replace("30", "31"), whole) == ["0", "1"]


def test_boilerplate_makes_no_problems_alike():
    """All but the name is the same in 200 prompts: without it their names are all that they are."""
    rules = "Think step by step and put the final answer in a box at the very end of what you write. " * 8
    prompts = [f"{rules} Who was {chr(97 + i % 26)}{chr(97 + i // 26)}?" for i in range(200)]
    assert clusters(*prompts) == [str(i) for i in range(200)]


def test_without_a_prompt_a_problem_is_its_own():
    assert clusters(None, None, "", "?!", "a", "a") == list("012344")
    assert clusters() == []


@pytest.fixture
def at(tmp_path):
    return Place(tmp_path)


def test_pass_rates_and_at_most_count_by_cluster(at):
    asked = [said("user", "What is 2+2?"), said("assistant", "4")]
    same = [said("user", "what is 2+2"), said("assistant", "5")]
    rows = [
        right("a", problem_id="p", messages=asked, num_prompt_messages=1),
        wrong("b", problem_id="q", messages=same, num_prompt_messages=1),
        right(
            "c", problem_id="r", messages=[said("user", "What is 3?"), said("assistant", "3")], num_prompt_messages=1
        ),
    ]
    at.store(rows[:2], rows[2:])
    bench = at.bench(read())
    found = bench.rows(["row_id", "problem_cluster", "problem_pass_rate"]).collect()
    assert found.rows() == [("a/0", "p", 0.5), ("b/0", "p", 0.5), ("c/0", "r", 1.0)]
    most = used(RULES["at_most"], count=1, per="problem_cluster")
    assert len(drops(bench, bench.apply("x", [most]))) == 1
    assert len(drops(bench, bench.apply("x", [used(RULES["at_most"], count=1)]))) == 0


def test_a_release_publishes_clusters_and_counts_unique_problems(tmp_path):
    rows = [attempt(1, 0), attempt(2, 0, messages=attempt(1, 0)["messages"]), attempt(3, 0)]
    synthetic.release(store(tmp_path / "s", rows), to=tmp_path / "r")
    assert config_rows(tmp_path / "r", "traces")["problem_cluster"].n_unique() == 2
    assert config_rows(tmp_path / "r")["problem_cluster"].n_unique() == 2
    assert "at 3 problems, of which 2 are unique" in (tmp_path / "r/README.md").read_text("utf-8")
    assert synthetic.check(tmp_path / "r").problems == []
