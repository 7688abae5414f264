"""Near-duplicates: which of two twins stays, who is no twin, and that a brute force over exact sets agrees."""

import random
import re
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import synthetic
from synthetic.alike import bands
from synthetic.alike import sets as exact
from synthetic.alike.sets import keepers, sets, stars
from synthetic.alike.sketch import matrix, signatures
from synthetic.alike.text import written
from synthetic.errors import RecipeError
from synthetic.recipe import Use
from synthetic.rules import RULES
from synthetic.rules.near_unique import candidates
from synthetic.run import Bench
from synthetic.store import Store
from tests.benches import Place, drops, read
from tests.rows import said, trace
from tests.test_words import shingles

SAMPLES = Path(__file__).parent.parent.parent / "shared" / "samples"
CHANCE = random.Random(5)
LONG = [f"word{CHANCE.randrange(900)}" for _ in range(400)]


def edited(words, share, seed=0):
    """A share of the words replaced."""
    chance = random.Random(seed)
    return [f"new{chance.randrange(10**6)}" if chance.random() < share else word for word in words]


def text(words, answer="7"):
    return " ".join(words) + f" so the answer is \\boxed{{{answer}}}"


@pytest.fixture
def at(tmp_path):
    return Place(tmp_path)


def dropped(at, rows, *, shards=1, **options) -> dict[str, str]:
    """What near_unique drops of a store's rows: reasons by row."""
    more = {key: options.pop(key) for key in ("part_rows",) if key in options}
    size = -(-len(rows) // shards)
    name = f"store {len(list(at.folder.iterdir()))}"
    at.store(*(rows[i : i + size] for i in range(0, len(rows), size)), name=name)
    bench: Bench = at.bench(read(), at.store(name=name), **more)
    judged = bench.apply("x", [Use(RULES["near_unique"], "near_unique", options, "recipe, rule 1")])
    return {row.removesuffix("/0"): reason for row, (_, reason) in drops(bench, judged).items()}


# ---- twins


def test_of_twins_the_reason_names_the_one_that_stays_and_how_alike_they_are(at):
    rows = [trace("a", text=text(LONG)), trace("b", text=text(edited(LONG, 0.01))), trace("c", text="something else")]
    found = dropped(at, rows)
    assert found.keys() == {"b"}
    assert found["b"].startswith("like a/0 (Jaccard 0.9")


def test_traces_that_differ_in_the_boxed_answer_are_no_twins(at):
    rows = [trace("a", text=text(LONG, "7")), trace("b", text=text(LONG, "8")), trace("c", text=text(LONG, " 7 "))]
    assert dropped(at, rows).keys() == {"c"}
    assert dropped(at, rows, scope="problem").keys() == {"b", "c"}


def test_a_wrong_twin_neither_goes_nor_stays_for_a_right_one(at):
    rows = [
        trace("a", text=text(LONG), recorded_verdict=False),
        trace("b", text=text(LONG), recorded_verdict=True, step=1),
        trace("c", text=text(edited(LONG, 0.005)), recorded_verdict=True, step=9),
    ]
    assert dropped(at, rows).keys() == {"c"}
    found = dropped(at, rows, scope="problem", may_empty=True)
    assert found.keys() == {"a", "c"}, "the right one of the earliest step stays"
    assert all(reason.startswith("like b/0 ") for reason in found.values())


def test_other_problems_are_compared_on_request_alone_and_none_is_emptied_silently(at):
    rows = [trace("a", text=text(LONG), problem_id="p"), trace("b", text=text(LONG), problem_id="q")]
    assert dropped(at, rows) == {}
    with pytest.raises(RecipeError, match="would leave no row of 1 of 2 values of problem_id: q"):
        dropped(at, rows, scope="everything")
    assert dropped(at, rows, scope="everything", may_empty=True).keys() == {"b"}


@pytest.mark.parametrize(
    ("worse", "why"),
    [
        ({"ok": False}, "failed"),
        ({"is_truncated": True}, "cut off"),
        ({"text": text(LONG) + " and so on and on" * 60}, "loops"),
        (
            {"text": f"<think>{text(LONG)}{' and so on and on' * 60}</think> It is \\boxed{{7}}."},
            "loops in its thinking",
        ),
        ({"step": 5}, "later"),
        ({"step": None}, "of an unknown step"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_better_twin_stays(at, worse, why):
    """`a` would stay by its id."""
    good = {"text": text(LONG), "step": 2}
    rows = [trace("a", **(good | worse)), trace("b", **good)]
    assert dropped(at, rows, scope="problem", may_empty=True).keys() == {"a"}, why


def test_of_equals_the_one_of_median_length_stays(at):
    rows = [trace(name, text=text(LONG[: 400 - less])) for name, less in (("a", 40), ("b", 20), ("c", 0))]
    assert dropped(at, rows, contained=0.9).keys() == {"a", "c"}


def test_a_text_that_was_cut_off_lies_in_the_whole_one(at):
    """Two thirds of a text are like it in no other way: their Jaccard similarity is below 0.7."""
    rows = [trace("a", text=text(LONG)), trace("b", text=" ".join(LONG[:270]), is_truncated=True)]
    sure = {"scope": "problem", "bands": 64, "band_slots": 2}
    found = dropped(at, rows, **sure)
    assert found == {"b": found["b"]}
    assert found["b"].startswith("like a/0 (Jaccard 0.6")
    assert "containment 1.00" in found["b"]
    assert dropped(at, rows, contained=1.01, **sure) == {}


def test_a_chain_is_no_cluster(at):
    """B is like a and c like b, but c is not like a: it stays."""
    chain = [LONG, edited(LONG, 0.025, 1), edited(edited(LONG, 0.025, 1), 0.025, 2)]
    rows = [trace(name, text=text(words), step=i) for i, (name, words) in enumerate(zip("abc", chain, strict=True))]
    exact = [set(shingles(text(words))) for words in chain]
    alike = [len(x & y) / len(x | y) for x, y in [*pairwise(exact), (exact[0], exact[2])]]
    low, high = alike[2], min(alike[:2])
    assert low < high
    assert dropped(at, rows, alike=(low + high) / 2, bands=60, band_slots=2).keys() == {"b"}


def test_inline_and_separate_thinking_are_the_same_text(at):
    apart = said("assistant", text(LONG[200:]), reasoning_content=" ".join(LONG[:200]))
    inline = said("assistant", "<think>\n" + " ".join(LONG[:200]) + "\n</think>\n\n" + text(LONG[200:]))
    rows = [trace("a", messages=[said("user", "?"), apart]), trace("b", messages=[said("user", "!"), inline])]
    assert dropped(at, rows) == {"b": "like a/0 (Jaccard 1.00, containment 1.00)"}


def test_a_shared_prompt_makes_nothing_alike(at):
    prompt = said("user", " ".join(LONG))
    rows = [trace(n, messages=[prompt, said("assistant", f"{n} says {n}{n}")], num_prompt_messages=1) for n in "ab"]
    assert dropped(at, rows) == {}


# ---- what may come


def test_texts_without_a_word_are_left_alone(at):
    rows = [
        trace("a", text=""),
        trace("b", text=" "),
        trace("c", messages=[]),
        trace("d", text="x"),
        trace("e", text="x"),
    ]
    assert dropped(at, rows).keys() == {"e"}


def test_of_many_equal_rows_one_stays(at):
    rows = [trace(f"{i:04}", text="na " * 300) for i in range(3000)]
    found = dropped(at, rows)
    assert len(found) == 2999
    assert "0000" not in found


def test_bands_that_do_not_fit_are_refused(at):
    for wrong in ({"bands": 20, "band_slots": 7}, {"bands": 0}):
        with pytest.raises(RecipeError, match="do not fit a signature of 128"):
            dropped(at, [trace("a")], **wrong)
    with pytest.raises(RecipeError, match=r"it takes one of \['answer', 'problem', 'everything'\]"):
        RULES["near_unique"].check({"scope": "all"}, "here")


# ---- against brute force


def brute(rows, alike=0.8, contained=0.95) -> dict[str, str]:
    """The kept row that each row is dropped for: every pair looked at, in the written order."""
    own = {row["row_id"]: set(shingles(row["messages"][-1]["content"])) for row in rows}
    lengths = {row["row_id"]: len(own[row["row_id"]]) for row in rows}
    kept: list[str] = []
    found = {}
    for row in sorted(rows, key=lambda row: (row["step"], row["row_id"])):
        id = row["row_id"]
        best = (-1.0, "")
        for other in kept:
            both = len(own[id] & own[other])
            jaccard = both / len(own[id] | own[other])
            if (jaccard >= alike or both / min(lengths[id], lengths[other]) >= contained) and jaccard > best[0]:
                best = (jaccard, other)
        if best[1]:
            found[id] = best[1]
        else:
            kept.append(id)
    return found


def corpus(seed, number=60):
    """Each row a new text or an edited copy of an earlier one, which may be cut off."""
    chance = random.Random(seed)
    texts, rows = [LONG], []
    for i in range(number):
        words = edited(chance.choice(texts), chance.choice([0.0, 0.005, 0.01, 0.02, 0.05, 1.0]), chance.random())
        if chance.random() < 0.2:
            words = words[: -chance.randrange(len(words) // 2)] or words
        texts.append(words)
        rows.append(trace(f"{i:03}", text=" ".join(words), step=chance.randrange(5)))
    return rows


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6))
def test_a_brute_force_over_all_pairs_agrees(seed):
    """With bands that miss nothing: 64 of two slots."""
    rows = corpus(seed)
    frame = pl.DataFrame(
        [{"row_id": r["row_id"], "text": r["messages"][-1]["content"], "step": r["step"]} for r in rows]
    )
    frame = frame.sort("step", "row_id")
    held, there = matrix(signatures(frame["text"])[0])
    roots = bands.groups(held, there, np.zeros(len(rows), np.uint64), bands=64, rows=2)
    order = frame.with_columns(root=pl.Series(roots)).with_row_index().sort("root", "index")["index"].to_numpy()
    star = keepers(sets(frame["text"].gather(order)), roots[order], held[order], alike=0.8, contained=0.95)
    ids = frame["row_id"].gather(order)
    found = {ids[i]: ids[int(k)] for i, k in enumerate(star.keeper) if k >= 0}
    assert found == brute(rows)
    assert not star.cut.any()


@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize("part_rows", [7, 10**6])
def test_the_order_of_rows_their_shards_and_parts_change_nothing(at, shards, part_rows):
    rows = corpus(11) + [trace(f"q{i}", problem_id="q", text="so it is " + "4 " * i, step=i) for i in range(20)]
    expected = dropped(at, rows)
    shuffled = random.Random(shards).sample(rows, len(rows))
    found = dropped(at, shuffled, shards=shards, part_rows=part_rows)
    assert found == expected
    stay = {row["trace_id"] for row in rows} - found.keys()
    assert {reason.split()[1].removesuffix("/0") for reason in found.values()} <= stay, "a keeper is always there"


def test_a_row_that_is_not_compared_with_all_stays_and_is_counted():
    texts = pl.Series([" ".join(edited(LONG, 1.0, i)) for i in range(6)] + [" ".join(edited(LONG, 1.0, 5))])
    held = matrix(signatures(texts)[0])[0]
    star = keepers(sets(texts), np.zeros(7, np.int64), held, alike=0.8, contained=0.95, most=3)
    assert star.keeper.tolist() == [-1] * 7, "the sixth, its twin, is beyond the first three"
    assert star.cut.tolist() == [False] * 4 + [True] * 3
    assert keepers(sets(texts), np.zeros(7, np.int64), held, alike=0.8, contained=0.95).keeper[6] == 5


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 9), st.integers(1, 3))
def test_keepers_found_piece_by_piece_are_those_of_the_whole(seed, piece_rows, threads):
    chance = random.Random(seed)
    bases = [" ".join(chance.choices(LONG, k=60)) for _ in range(4)]
    said = [" ".join(edited(chance.choice(bases).split(), chance.choice([0, 0.02, 0.5]), n)) for n in range(30)]
    texts = pl.Series([*said, *[bases[0]] * 5, None, ""])
    groups = np.sort(np.array([chance.randrange(4) for _ in texts]))  # so that two of the five meet
    at = pl.Series(chance.sample(range(len(texts)), len(texts)))
    held = matrix(signatures(texts.gather(at))[0])[0]
    whole = keepers(sets(texts.gather(at)), groups, held, alike=0.8, contained=0.95)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact, "PIECE_ROWS", piece_rows)
        star = stars(texts, at, groups, held, alike=0.8, contained=0.95, threads=threads)
    assert (whole.keeper >= 0).any()
    for name in ("keeper", "jaccard", "containment", "cut"):
        assert getattr(star, name).tolist() == getattr(whole, name).tolist()


@settings(deadline=None)
@given(st.lists(st.integers(0, 4), max_size=40), st.integers(1, 3))
def test_rows_of_equal_keys_are_of_one_group(values, within):
    """Every slot of a row has its value: rows of one value and one `within` agree in all bands, others in none."""
    held = np.array([[value] * 128 for value in values], np.uint16).reshape(-1, 128)
    own = np.arange(len(values), dtype=np.uint64) % np.uint64(within)
    found = bands.groups(held, np.array([value > 0 for value in values], bool), own)
    first: dict[tuple[int, int], int] = {}
    for row, value in enumerate(values):
        expected = first.setdefault((value, int(own[row])), row) if value else row
        assert found[row] == expected


def test_the_s_curve_is_that_of_the_formula():
    assert [round(bands.chance(j), 3) for j in (0.3, 0.5, 0.7, 0.8, 0.9)] == [0.004, 0.132, 0.787, 0.986, 1.0]


def test_candidates_are_named_by_the_smallest_id_of_their_group():
    texts = pl.Series([text(LONG)] * 3)
    rows = [
        trace(n, problem_id="p", minhash=m, words=w)
        for n, m, w in zip("cab", signatures(texts)[0], (9, 5, 7), strict=True)
    ]
    from tests.rows import frame

    found = candidates(frame(rows).select(candidates.columns({}))).collect().sort("row_id")
    assert found.rows() == [("a/0", "a/0", 2.0), ("b/0", "a/0", 0.0), ("c/0", "a/0", 2.0)]


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the samples are not beside this checkout")
@pytest.mark.parametrize("run", ["prime_rl_run_v040", "vf_eval_v040_tools", "vf_eval_v030"])
def test_on_real_logs_every_pair_is_as_pythons_sets_say(run, tmp_path):
    """Dropped rows are like the row that they name, and no two that stay are like each other."""
    synthetic.capture(SAMPLES / run, into=tmp_path / "s")
    options = {"scope": "problem", "bands": 64, "band_slots": 2, "may_empty": True}
    bench = Place(tmp_path).bench(read(), Store(tmp_path / "s"))
    judged = bench.apply("x", [Use(RULES["near_unique"], "near_unique", options, "recipe, rule 1")])
    gone = {row: re.fullmatch(r"like (\S+) .*", reason) for row, (_, reason) in drops(bench, judged).items()}
    rows = synthetic.scan(tmp_path / "s").select("row_id", "problem_id", written().alias("text")).collect()
    own = {row: set(shingles(text)) for row, _, text in rows.iter_rows()}

    def alike(one: str, other: str) -> bool:
        both, small = len(own[one] & own[other]), min(len(own[one]), len(own[other]))
        return both / len(own[one] | own[other]) >= 0.8 or both / small >= 0.95

    assert all(match and match[1] not in gone and alike(row, match[1]) for row, match in gone.items())
    for _, of in rows.filter(~pl.col("row_id").is_in(gone.keys()), pl.col("text") != "").group_by("problem_id"):
        assert not any(alike(one, other) for one, other in combinations(of["row_id"], 2))
