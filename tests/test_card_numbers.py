"""Numbers of a card, counted again by `pipelines/card_numbers.py`: right ones pass, and a wrong one is named."""

import importlib
import re
import sys

import pytest
from msgspec.structs import replace

import synthetic
from synthetic import manifest
from synthetic.manifest import File
from tests import releases

PIPELINES = releases.ROOT / "pipelines"
sys.path.insert(0, str(PIPELINES))  # scripts, and no package
card_numbers = importlib.import_module("card_numbers")

# Of what the shards do not know; columns, funnels (counted in another way) and histograms of undecided rewards.
NOT_IN_SHARDS = {"Run's folder", "Root hash of the rows", "Version", "Kind of data", "Column", "Rule", "Reward from"}


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    folder = tmp_path_factory.mktemp("numbers")
    (run,) = (PIPELINES / "demo" / "run").iterdir()
    synthetic.capture(run, into=folder / "store")
    synthetic.release(folder / "store", to=folder / "release", recipe=PIPELINES / "demo" / "recipe.toml")
    return folder / "release"


def test_the_numbers_of_the_demo_are_those_of_its_shards(release, capsys):
    assert card_numbers.main(release) == 0
    assert "are those of the shards" in capsys.readouterr().out


def test_every_table_is_counted_again_or_is_of_what_no_shard_knows(release):
    text = (release / "README.md").read_text("utf-8")
    for heading, _ in card_numbers.tables(text.partition("\n---\n")[2]):
        counted = any(heading.startswith(start) for start in card_numbers.TABLES)
        assert counted or heading.partition(" |")[0] in NOT_IN_SHARDS, heading


def test_any_count_of_a_table_that_is_one_more_is_named(release, tmp_path):
    damaged = releases.copied(release, tmp_path / "release")
    card = damaged / "README.md"
    text = card.read_text("utf-8")
    starts = [f"\n| {start}" for start in card_numbers.TABLES]
    for start in starts:
        begin = text.index(start)
        body = text.index("\n", text.index("|\n|", begin) + 2)
        # The last count of its first row.
        row = text[body + 1 : text.index("\n", body + 1)]
        plain = re.sub(r"`[^`]*`", lambda span: "x" * len(span[0]), row)
        number = list(re.finditer(r"(?<=[| ])\d+(?=[ .])", plain))[-1]
        wrong = row[: number.start()] + str(int(number[0]) + 1) + row[number.end() :]
        card.write_text(text[: body + 1] + wrong + text[body + 1 + len(row) :], "utf-8")
        assert any("the table" in found for found in card_numbers.wrong(damaged)), start


@pytest.mark.parametrize(
    ("was", "says", "found"),
    [
        ("| `verified` | 228 | 103 | 125 |", "| `verified` | 228 | 102 | 126 |", "funnel of sft_verified"),
        ("143 correct, 74 incorrect", "144 correct, 73 incorrect", "lacks what the shards give"),
        ("| `orders` | `train` | 36 | 21 |", "| `orders` | `train` | 36 | 22 |", "'orders'|`orders`"),
        ("The 41 pairs: ", "The 42 pairs: ", "The 41 pairs"),
    ],
)
def test_check_finds_a_number_that_somebody_changed_together_with_its_hash(release, tmp_path, was, says, found):
    damaged = releases.copied(release, tmp_path / "release")
    text = (damaged / "README.md").read_text("utf-8")
    assert was in text
    (damaged / "README.md").write_text(text.replace(was, says), "utf-8")
    made = manifest.read(damaged)
    size, digest = (damaged / "README.md").stat().st_size, manifest.sha256(damaged / "README.md")
    files = [File(each.path, size, digest) if each.path == "README.md" else each for each in made.files]
    (damaged / manifest.PATH).write_bytes(manifest.encode(replace(made, files=files)))
    problems = synthetic.check(damaged).problems
    assert [problem for problem in problems if re.search(found, problem)], problems
