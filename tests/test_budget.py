"""How many tokens a release's rows take, by a tokenizer that its recipe names: in its card, and counted again."""

from pathlib import Path

import polars as pl
import pytest
from tokenizers import Tokenizer

import synthetic
from synthetic.errors import RecipeError, SyntheticError
from synthetic.recipe import parse
from tests.releases import attempt, command, store
from tests.rows import said
from tests.test_card_numbers import card_numbers

TOKENIZER = next((Path(__file__).parent / "logs").rglob("tokenizer.json"))
CALL = {"id": "c", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}}
TOOLS = '[{"type":"function","function":{"name":"add","parameters":{"type":"object","properties":{}}}}]'


def rows():
    """Two right answers and a wrong one to a problem, a long one, and one by a tool without a word."""
    right = "the sum is found by counting on from two and that gives four"
    wrong = "nobody ever told me how numbers work here so I will guess it is nine"
    asked = said("user", "2 + 2?")
    return [
        attempt(2, 0, messages=[asked, said("assistant", right, reasoning_content="2 twice")]),
        attempt(2, 1, messages=[asked, said("assistant", wrong)], recorded_verdict=False, reward=0.0),
        attempt(3, 0, messages=[said("user", "Count."), said("assistant", "one two " * 300)]),
        attempt(
            4,
            0,
            messages=[
                asked,
                said("assistant", None, tool_calls=[CALL]),
                said("tool", "4", tool_call_id="c"),
                said("assistant", "4"),
            ],
            tools=TOOLS,
        ),
    ]


def released(tmp_path, tokenizer=TOKENIZER, more="budget = 300"):
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        f"[tokens]\ntokenizer = '{tokenizer}'\n{more}\n[sft_verified]\nkeep = [{{ rule = \"verified\" }}]\n"
    )
    return synthetic.release(store(tmp_path / "s", rows()), to=tmp_path / "r", recipe=recipe)


def by_hand(*messages, tools=None):
    """The tokens of a conversation, its texts joined by lines."""
    texts = []
    for message in messages:
        calls = [
            f"{call['function']['name']} {call['function']['arguments']}" for call in message.get("tool_calls") or ()
        ]
        texts += [text for text in (message["content"], message["reasoning_content"], *calls) if text is not None]
    return len(Tokenizer.from_file(str(TOKENIZER)).encode("\n".join([*texts, *([tools] if tools else [])])).ids)


def test_the_numbers_are_those_of_the_tokenizer(tmp_path):
    numbers = released(tmp_path).numbers["tokens"]
    assert (numbers["tokenizer"], numbers["budget"]) == ("tokenizer.json", 300)
    found = {(row["config"], row["side"]): row for row in numbers["configs"]}
    kept = pl.read_parquet(f"{tmp_path}/r/data/sft_verified/*.parquet").to_dicts()
    counts = sorted(by_hand(*row["messages"], tools=row["tools"]) for row in kept)
    told = found["sft_verified", None]
    assert (told["rows"], told["sum"], told["max"], told["median"]) == (3, sum(counts), counts[2], counts[1])
    assert told["over"] == sum(count > 300 for count in counts) == 1
    (pair,) = pl.read_parquet(f"{tmp_path}/r/data/preference/*.parquet").to_dicts()
    for side in ("chosen", "rejected"):
        assert found["preference", side]["sum"] == by_hand(*pair["prompt"], *pair[side])


def test_the_card_says_it_and_check_counts_it_again(tmp_path):
    copy = tmp_path / "tokenizer.json"
    copy.write_bytes(TOKENIZER.read_bytes())
    numbers = released(tmp_path, copy).numbers["tokens"]
    card = (tmp_path / "r" / "README.md").read_text("utf-8")
    table = card.partition("## Tokens")[2].partition("## ")[0]
    row = numbers["configs"][0]
    assert f"| `sft_verified` | 3 | {row['sum']:,} | {row['median']} | {row['p95']:,} | {row['max']:,} | 1 |" in table
    assert "More than 300" in table
    done = synthetic.check(tmp_path / "r")
    assert (done.problems, done.notes) == ([], [])
    copy.write_text(copy.read_text("utf-8") + "\n")
    assert "is another file now" in synthetic.check(tmp_path / "r").notes[0]
    copy.unlink()
    done = synthetic.check(tmp_path / "r")
    assert done.problems == []
    assert "tokens were not counted again" in done.notes[0]
    assert "no such file" in done.notes[0]


def test_the_script_counts_tokens_where_it_is_given_the_tokenizer(tmp_path, capsys):
    released(tmp_path)
    path = tmp_path / "r"
    assert card_numbers.main(path, TOKENIZER) == card_numbers.main(path) == 0
    assert capsys.readouterr().out.count("tokens were not counted") == 1
    text = (path / "README.md").read_text("utf-8")
    row = next(line for line in text.splitlines() if line.startswith("| `preference`, `rejected` |"))
    (path / "README.md").write_text(text.replace(row, row.replace("| 0 |", "| 1 |")), "utf-8")
    assert card_numbers.wrong(path) == []
    (found,) = card_numbers.wrong(path, TOKENIZER)
    assert "`preference`, `rejected`: says 1, the shards give 0" in found


def test_without_a_tokenizer_the_card_has_no_such_section(tmp_path):
    made = synthetic.release(store(tmp_path / "s", rows()), to=tmp_path / "r")
    assert made.numbers["tokens"] is None
    assert "## Tokens" not in (tmp_path / "r" / "README.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("[tokens]", "'tokenizer' is None"),
        ("tokens = 7", "7 is no table"),
        ('[tokens]\ntokenizer = "t"\nbudget = 0', "'budget' is 0"),
        ('[tokens]\ntokenizer = "t"\nbudget = true', "'budget' is True"),
        ('[tokens]\ntokenizer = "t"\nlimit = 5', "there is no key 'limit'; there are .'tokenizer', 'budget'."),
    ],
)
def test_a_recipe_that_says_it_wrongly_is_refused(said, told):
    with pytest.raises(RecipeError, match=told):
        parse(said, where="recipe", name="r")


def test_a_recipe_says_it_again_as_it_was():
    read = parse('[tokens]\ntokenizer = "a.json"', where="recipe", name="r")
    assert parse(read.toml(), where="recipe", name="r") == read
    assert read.tokens is not None
    assert read.tokens.budget == 131_072


def test_a_file_that_is_no_tokenizer_is_told_before_anything_is_made(tmp_path):
    (tmp_path / "t.json").write_text('{"model": 7}')
    with pytest.raises(SyntheticError, match="no tokenizer"):
        released(tmp_path, tmp_path / "t.json")
    assert not (tmp_path / "r").exists()
    line = ["release", tmp_path / "s", "--to", tmp_path / "r", "--recipe", tmp_path / "recipe.toml"]
    done = command(*line)
    assert done.returncode == 1
    assert "no tokenizer" in done.stderr
    assert "Traceback" not in done.stderr
