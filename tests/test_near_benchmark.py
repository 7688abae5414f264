"""The corpus of known duplicates, the truth about it, and how cases are watched."""

import sys
from pathlib import Path

import polars as pl
import pytest

from benchmarks.dedupe import tables
from benchmarks.near import corpus, short, stored
from benchmarks.near.capped import Stopped, run
from benchmarks.near.floor import clusters, keys
from benchmarks.near.truth import Pair, jaccard, quality, shingles
from synthetic import scan

ROWS = 256


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("corpus")
    assert corpus.write(made, ROWS) > ROWS * 2_000
    return made


def known(folder):
    rows = pl.read_parquet(folder / "texts").join(pl.read_parquet(folder / "rows.parquet"), on="id")
    return {row["id"]: row for row in rows.to_dicts()}


def pairs(folder):
    return [Pair(**row) for row in pl.read_parquet(folder / "truth.parquet").to_dicts()]


def twins(folder):
    """Of each family, all rows but one."""
    families = pl.read_parquet(folder / "rows.parquet").group_by("family").agg(pl.col("id").sort())
    return {id for ids in families["id"] for id in ids[1:]}


def test_similarity_is_that_of_sets_of_five_words():
    one, other = shingles("a b c d e F, g"), shingles("A b C d e (f) x")
    assert one == {tuple("abcde"), tuple("bcdef"), tuple("cdefg")}
    assert jaccard(one, other) == 2 / 4
    assert shingles("Two words") == {("two", "words")}
    assert jaccard(shingles("…"), shingles("")) == 0


def test_a_seed_makes_a_corpus_and_a_larger_one_begins_with_the_smaller():
    few, more = list(corpus.blocks(32, seed=3)), list(corpus.blocks(64, seed=3))
    assert few == more[: len(few)]
    assert few != list(corpus.blocks(32, seed=4))
    assert [len(block) for block in more] == [32, 32]


def test_rows_are_what_they_are_called(folder):
    rows = known(folder)
    assert len(rows) == ROWS
    assert {row["kind"] for row in rows.values()} == set(corpus.KINDS)
    for pair in pairs(folder):
        left, right = rows[pair.left], rows[pair.right]
        assert pair.same == ((left["problem"], left["answer"]) == (right["problem"], right["answer"]))
        assert pair.jaccard == pytest.approx(jaccard(shingles(left["text"]), shingles(right["text"])))
        if pair.kind == "copy":
            assert left["text"] == right["text"]
        if pair.kind == "other answer":
            assert left["problem"] == right["problem"]
            assert not pair.same or {left["kind"], right["kind"]} == {"other answer"}
    assert all(f"\\boxed{{{row['answer']}}}" in row["text"].rpartition("\n")[2] for row in rows.values())


def test_the_more_words_are_edited_the_less_alike_are_the_texts(folder):
    found = {rate: [pair.jaccard for pair in pairs(folder) if pair.rate == rate] for rate in corpus.RATES}
    least = [min(found[rate]) for rate in corpus.RATES]
    assert sorted(least, reverse=True) == least
    assert 0.85 < min(found[0.01]) <= max(found[0.01]) < 1
    assert max(found[0.05]) < 0.8


def test_dropping_all_twins_and_nothing_else_is_right(folder):
    held = quality(folder, frozenset(twins(folder)))
    assert (held.precision, held.blind_precision, held.groups_lost) == (1, 1, 0)
    assert held.recall("1% edited") == held.recall("30% edited") == 1
    alike = [pair for pair in pairs(folder) if pair.same and pair.jaccard >= 0.8]
    assert held.found["alike"][1] == len(alike) > 20
    assert held.found["not alike: other answer"][0] == 0


def test_dropping_nothing_finds_nothing(folder):
    held = quality(folder, frozenset())
    assert (held.drops, held.precision, held.groups_lost) == (0, 1, 0)
    assert held.recall("alike") == 0


def test_a_text_with_another_answer_is_a_mistake_unless_answers_are_not_known(folder):
    row = next(row for row in known(folder).values() if row["kind"] == "other answer")
    held = quality(folder, frozenset([row["id"]]))
    assert (held.drops, held.mistakes, held.blind_mistakes, held.groups_lost) == (1, 1, 0, 1)


def test_a_solution_that_stands_alone_is_a_mistake_for_everyone(folder):
    alike = {id for pair in pairs(folder) if pair.jaccard >= 0.25 for id in (pair.left, pair.right)}
    row = next(row for row in known(folder).values() if row["kind"] == "solution" and row["id"] not in alike)
    held = quality(folder, frozenset([row["id"]]))
    assert (held.mistakes, held.blind_mistakes, held.groups_lost) == (1, 1, 1)


def test_drops_that_are_not_in_the_corpus_are_refused(folder):
    with pytest.raises(SystemExit, match=r"1 dropped rows are not in .*nobody"):
        quality(folder, frozenset(["nobody"]))


def test_the_store_holds_the_texts_of_the_corpus(folder):
    stored.write(folder)
    wrote = pl.col("messages").list.get(1).struct
    text = pl.format("{}\n{}", wrote.field("reasoning_content"), wrote.field("content"))
    rows = scan(folder / "store").select("trace_id", text.alias("text")).collect()
    assert dict(rows.iter_rows()) == {id: row["text"] for id, row in known(folder).items()}
    assert scan(folder / "store").select(pl.col("recorded_verdict").sum()).collect().item() == sum(
        row["right"] for row in known(folder).values()
    )


def test_short_traces_are_eight_to_a_problem_and_some_are_copies(tmp_path):
    copies = short.write(tmp_path, 800)
    rows = scan(tmp_path).select("problem_id", "text_key").collect()
    assert rows.group_by("problem_id").len()["len"].to_list() == [8] * 100
    assert 0 < rows.height - rows["text_key"].n_unique() < copies < 160


def test_clusters_are_the_rows_that_keys_connect():
    made = keys(3_000, 4, seed=1)
    names = list(range(3_000))
    for band in made.tolist():
        first: dict[int, int] = {}
        for row, key in enumerate(band):
            left, right = sorted((names[first.setdefault(key, row)], names[row]))
            names = [left if name == right else name for name in names] if left != right else names
    assert clusters(made).tolist() == names
    assert 2_400 < len(set(names)) < 3_000


def test_a_case_is_stopped_when_its_processes_take_too_much_memory(tmp_path):
    child = "held = bytearray(400_000_000); held[::4096] = b'x' * len(held[::4096]); input()"
    parent = f"""
import subprocess, sys
from pathlib import Path
started = subprocess.Popen([sys.executable, "-c", {child!r}], stdin=subprocess.PIPE)
Path({str(tmp_path / "started")!r}).write_text(str(started.pid))
started.wait()
"""
    with pytest.raises(Stopped, match=r"stopped: more than 0\.2 GB of memory"):
        run([sys.executable, "-c", parent], tmp_path / "log", limit_mb=200)
    status = Path(f"/proc/{(tmp_path / 'started').read_text()}/status")
    assert not status.exists() or "(zombie)" in status.read_text()


def test_a_case_that_fails_says_why(tmp_path):
    with pytest.raises(Stopped, match=r"failed: ValueError: no such text \(-c"):
        run([sys.executable, "-c", "raise ValueError('no such text')"], tmp_path / "log")


def test_ours_is_measured_without_peers(tmp_path):
    made = tables(texts=64, rounds=1, peers=None, parent=str(tmp_path), only=["signatures", "drops"])
    assert [line.split(" | ")[0] for line in made["signatures"].splitlines()[2:]] == [
        "| synthetic",
        "| synthetic, tokens only",
    ]
    head, _, row, store = (line.strip("| ").split(" | ") for line in made["drops"].splitlines())
    for name, cells in (("synthetic", row), ("synthetic, from a store", store)):
        told = dict(zip(head, cells, strict=True))
        assert (told["to drops"], told["precision"], told["J ≥ 0.8"], told["lost"]) == (name, "1.0000", "1.000", "0")
    assert list(tmp_path.iterdir()) == []
