"""preference: a right answer and a wrong one, and never what only looks wrong."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import synthetic
from synthetic.measures import MEASURES
from synthetic.pairs import pairs
from synthetic.rules import RULES
from tests.releases import attempt, attempts, config_rows, store
from tests.rows import frame, trace

LIMITS = {"margin": 0.5, "length_ratio": 2.0, "per_problem": 4}
WORDS = [f"word{n}" for n in range(400)]


def text(seed, words=60):
    return " ".join(random.Random(seed).choices(WORDS, k=words))


def tried(id, verdict, problem="p", *, words=60, seed=None, **columns):
    """An attempt with a text of its own, and what `minhash` measures of it."""
    rewards = {"correct": 1.0, "incorrect": 0.0}
    row = trace(
        id,
        **({"verdict": verdict, "problem_id": problem, "reward": rewards.get(verdict)} | columns),
        text=text(seed or id, words),
    )
    measured = MEASURES["minhash"](frame([row])).collect().to_dicts()[0]
    return row | {name: measured[name] for name in ("minhash", "words")}


def paired(*rows, **limits):
    """Pairs of row names."""
    found = pairs(frame(rows), **(LIMITS | limits))
    return [(a.removesuffix("/0"), b.removesuffix("/0")) for a, b in found.select("chosen", "rejected").iter_rows()]


def reasons(*rows, **limits):
    found = RULES["paired"](frame(rows), **(LIMITS | limits)).collect()
    return {row.removesuffix("/0"): reason for row, reason in found.select("row_id", "reason").iter_rows()}


def test_a_right_and_a_wrong_answer_are_a_pair():
    rows = [tried("a", "correct"), tried("b", "incorrect")]
    assert paired(*rows) == [("a", "b")]
    assert reasons(*rows) == {}


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"is_truncated": True}, "cut off: not wrong by itself"),
        ({"verdict": "undecided"}, "undecided: neither right nor wrong"),
        ({"verdict": "error"}, "failed: neither right nor wrong"),
        ({"ok": False}, "failed"),
        ({"reward": None}, "not scored"),
        ({"prompt_key": None}, "the log has no prompt"),
        ({"minhash": None}, "empty: the model wrote nothing"),
        ({"reward": 0.6}, "no partner left within the limits of a pair"),
        ({"prompt_key": "another"}, "no partner left within the limits of a pair"),
    ],
)
def test_what_only_looks_wrong_is_never_rejected(other, reason):
    rows = [tried("a", "correct"), tried("b", "incorrect") | other]
    assert paired(*rows) == []
    assert reasons(*rows)["b"] == reason


def test_without_an_opposite_the_reason_says_so():
    assert reasons(tried("a", "correct")) == {"a": "no wrong attempt to set it against"}
    assert reasons(tried("a", "incorrect")) == {"a": "no right attempt to set it against"}


def test_near_duplicates_are_no_pair():
    base = tried("a", "correct", seed="same")
    twin = tried("b", "incorrect", seed="same")
    assert paired(base, twin) == []
    assert paired(base, twin, tried("c", "incorrect")) == [("a", "c")]


def test_lengths_are_bounded():
    rows = [tried("a", "correct", words=60), tried("b", "incorrect", words=121)]
    assert paired(*rows) == []
    assert paired(*rows, length_ratio=3.0) == [("a", "b")]


def test_one_policy_comes_first_then_the_nearest_length():
    mine = {"model": "m", "policy_start": 3}
    right = tried("a", "correct", **mine)
    assert paired(
        right, tried("b", "incorrect", model="m", policy_start=4), tried("c", "incorrect", words=100, **mine)
    ) == [("a", "c")]
    assert paired(right, tried("b", "incorrect", words=90, **mine), tried("c", "incorrect", words=70, **mine)) == [
        ("a", "c")
    ]


def test_a_row_is_in_one_pair_and_a_problem_gives_a_few():
    rows = [tried(f"r{n}", "correct") for n in range(8)] + [tried(f"w{n}", "incorrect") for n in range(5)]
    found = paired(*rows, per_problem=9)
    assert len(found) == 5
    assert len({name for pair in found for name in pair}) == 10
    assert len(paired(*rows, per_problem=2)) == 2


SIDES = st.lists(
    st.tuples(
        st.sampled_from("pq"), st.sampled_from(["correct", "incorrect", "undecided"]), st.integers(0, 5),
        st.sampled_from([30, 50, 70, 140]), st.sampled_from([0.0, 0.4, 1.0]), st.integers(0, 1),
    ),
    max_size=16,
)  # fmt: skip


@given(SIDES, st.randoms(), st.integers(1, 4))
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
def test_the_rows_of_pairs_give_the_same_pairs_in_any_order(sides, random, per_problem):
    rows = [
        tried(f"t{n}", verdict, problem, seed=f"{seed}", words=words, reward=reward, policy_start=policy)
        for n, (problem, verdict, seed, words, reward, policy) in enumerate(sides)
    ]
    found = paired(*rows, per_problem=per_problem)
    of = {row["trace_id"]: row for row in rows}
    for chosen, rejected in found:
        assert of[chosen]["reward"] - of[rejected]["reward"] >= 0.5
        assert (of[chosen]["verdict"], of[rejected]["verdict"]) == ("correct", "incorrect")
    within = {name for pair in found for name in pair}
    assert within.isdisjoint(gone := reasons(*rows, per_problem=per_problem))
    assert within | set(gone) == set(of)
    random.shuffle(rows)
    assert paired(*rows, per_problem=per_problem) == found
    assert paired(*(row for row in rows if row["trace_id"] in within), per_problem=per_problem) == found


# ---- in a release


def test_a_release_holds_pairs_whose_rows_traces_knows(tmp_path):
    done = synthetic.release(store(tmp_path / "store"), to=tmp_path / "release")
    rows = config_rows(tmp_path / "release", "preference")
    assert rows.height == 12
    traces = config_rows(tmp_path / "release", "traces")
    for side, verdict in (("chosen", "correct"), ("rejected", "incorrect")):
        of = rows.join(traces, left_on=f"{side}_row_id", right_on="row_id", how="left", suffix="_there")
        assert set(of["verdict"]) == {verdict}
        assert of["messages"].list.slice(1).to_list() == of[side].to_list()
        assert of["messages"].list.head(1).to_list() == of["prompt"].to_list()
    assert done.manifest
    assert done.manifest.configs["preference"].stood == 24
    assert synthetic.check(tmp_path / "release").problems == []


def test_thinking_stands_where_the_recipe_says(tmp_path):
    (tmp_path / "r.toml").write_text(
        'thinking = "inline"\n[[keep]]\nrule = "finished"\n[sft_verified]\nkeep = [{rule = "verified"}]\n'
    )
    synthetic.release(store(tmp_path / "store"), to=tmp_path / "release", recipe=tmp_path / "r.toml")
    for side in ("chosen", "rejected"):
        said_here = config_rows(tmp_path / "release", "preference")[side].explode().struct.unnest()
        assert said_here["content"].str.starts_with("<think>\n").all()
        assert said_here["reasoning_content"].is_null().all()


def test_a_store_without_wrong_answers_leaves_preference_out(tmp_path):
    right = [attempt(problem, 0) for problem in range(3)]
    done = synthetic.release(store(tmp_path / "store", right), to=tmp_path / "release")
    assert done.manifest
    assert done.manifest.left_out == ["sft_unverified", "preference"]


def test_parts_and_shards_do_not_show(tmp_path):
    rows = attempts(9)
    for name, shards in (("one", [rows]), ("two", [rows[::2], rows[1::2]])):
        synthetic.release(store(tmp_path / name, *shards), to=tmp_path / f"{name}-release", bucket_bytes=4000)
    one, two = (config_rows(tmp_path / f"{name}-release", "preference") for name in ("one", "two"))
    assert one.equals(two)
    assert one.height == 9
