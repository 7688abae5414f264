"""`synthetic dedupe`: what copies there are, and pairs side by side."""

import json

import pytest

import synthetic
from synthetic.dedupe import differences, explain
from tests.releases import attempt, command, store
from tests.rows import said

STEPS = [f"Step {i}: we add {i} to {i * i} and so get {i + i * i}, which we keep." for i in range(40)]


def wrote(*lines):
    return [said("user", "How many?"), said("assistant", "\n".join([*lines, r"So it is \boxed{7}."]))]


@pytest.fixture
def facts(tmp_path):
    other = [*STEPS[:20], "Wait, let me check that once more.", *STEPS[20:]]
    rows = [
        attempt(1, 0, messages=wrote(*STEPS)),
        attempt(1, 1, messages=wrote(*STEPS)),
        attempt(1, 2, messages=wrote(*other), env_id="more"),
        attempt(1, 3, messages=wrote("It is simply so.")),
        attempt(2, 0, messages=wrote(*STEPS)),
    ]
    return store(tmp_path / "s", rows[:2], rows[2:])


def test_copies_and_near_copies_are_counted_with_pairs_to_look_at(facts):
    found = synthetic.dedupe(facts)
    assert (found.rows, found.problems, found.exact, found.near, found.uncompared) == (5, 2, 1, 1, 0)
    assert found.environments.rows() == [("more", 1, 0, 1), ("sums", 4, 1, 0)]
    assert found.similar == [(0.95, 1)]
    assert found.groups == [("p1-0/0", 2)]
    near, exact = found.pairs
    assert (near.keeper, near.row, exact.keeper, exact.row) == ("p1-0/0", "p1-2/0", "p1-0/0", "p1-1/0")
    assert [text for text, alone in near.goes if alone] == ["Wait, let me check that once more."]
    assert not any(alone for _, alone in near.stays)
    assert found.toml == ('{ rule = "unique" }', '{ rule = "near_unique" }')


def test_settings_stand_in_the_line_and_a_problem_that_loses_all_is_counted(facts):
    found = synthetic.dedupe(facts, scope="everything", alike=0.9)
    assert found.toml[1] == '{ rule = "near_unique", alike = 0.9, scope = "everything" }'
    assert found.near == 2


def test_the_command_prints_it_all(facts):
    done = command("dedupe", facts, "--explain")
    assert done.returncode == 0, done.stderr
    assert "2 of 5 rows (40.0%) repeat another, of 2 problems" in done.stdout
    assert "[Wait, let me check that once" in done.stdout
    assert "p1-0/0 stays" in done.stdout
    assert "0.80" in done.stdout
    assert '{ rule = "near_unique" }' in done.stdout
    told = json.loads(command("dedupe", facts, "--json").stdout)
    assert (told["exact"], told["near"], told["pairs"][0]["row"]) == (1, 1, "p1-2/0")
    assert "explained" not in told


def test_a_share_that_is_none_is_refused(facts):
    done = command("dedupe", facts, "--alike", "1.5")
    assert done.returncode == 2
    assert "1.5 is no share" in done.stderr


def test_differences_are_shown_in_place_with_words_around():
    one, other = "a b c d e f g h i j k l m n o p q r s t x", "a b c d e f g h i j K l m n o p q r s t y z"
    left, right = differences(one, other, around=2)
    assert left == [("… i j", False), ("k", True), ("l m … s t", False), ("x", True)]
    assert right == [("… i j", False), ("K", True), ("l m … s t", False), ("y z", True)]
    assert differences("a b", "a b") == ([("a b", False)],) * 2
    assert differences("", "a") == ([], [("a", True)])


def test_what_the_settings_find_follows_from_the_formula():
    told = explain()
    assert dict(told.curve)[0.8] == pytest.approx(0.986, abs=0.001)
    assert [round(similarity, 2) for _, similarity, _ in told.edits] == [0.91, 0.63, 0.29, 0.09]
