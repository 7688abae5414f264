"""Decontamination: what holds an item of an evaluation set goes, what looks like one is marked, stock phrases stay."""

import json
import math
import random

import polars as pl
import pytest

import synthetic
from synthetic import evaluations
from synthetic.alike import contained
from synthetic.errors import RecipeError, UnreadableLog
from synthetic.recipe import parse
from synthetic.rules import RULES
from tests.releases import attempt, config_rows, store
from tests.rows import frame, said, trace
from tests.test_words import shingles

FARM = (
    "A farmer keeps 17 goats and 23 sheep in a meadow by the river Lune. Each goat eats 3 kg of hay in a day and each"
    " sheep 2 kg. For how many days does a barn with 4850 kg of hay last, when every tenth day is a day of fasting?"
)
STOCK = " can be written as m/n, where m and n are relatively prime positive integers. Find m + n."
DICE = "Two fair dice are thrown until their sum is seven for the third time. The expected number of throws" + STOCK
URNS = "From an urn with nine red balls and four blue ones three are drawn. The chance that all are red" + STOCK
ITEMS = {
    "farm": FARM,
    "dice": DICE,
    "urns": URNS,
    "short": "What is 2+2?",
    "brief": "Name the largest prime below 40 now.",
}


def items(texts=ITEMS, name="mine") -> pl.LazyFrame:
    rows = [{"set": name, "item": item, "question": text, "answer": None} for item, text in texts.items()]
    return pl.LazyFrame(rows, schema=evaluations.ITEMS)


def seen(*prompts: str | None, wrote="I see.", known=None, **settings) -> dict[str, tuple[str, bool]]:
    """What is found of prompts a, b, …: the reason, and whether it only marks."""
    stage = RULES["unseen"]
    rows = [
        trace(
            n,
            messages=[*([said("user", p)] if p is not None else []), said("assistant", wrote)],
            num_prompt_messages=int(p is not None),
            prompt=p,
        )
        for n, p in zip("abcdefgh", prompts, strict=False)
    ]
    given = frame(rows).select(stage.columns({}))
    found = stage(given, items() if known is None else known, **({"sets": ["mine"]} | settings)).collect()
    return {row.removesuffix("/0"): (reason, flag) for row, reason, flag in found.iter_rows()}


# ---- what goes


@pytest.mark.parametrize(
    "prompt",
    [
        FARM,
        FARM.upper().replace(" ", "  "),
        f"You are a careful tutor. Solve this problem.\n\n{FARM}\n\nThink first, then answer in a box.",
        FARM.replace("meadow by the river Lune", "field"),
    ],
    ids=["verbatim", "case and spaces", "within a longer prompt", "a few words changed"],
)
def test_a_prompt_that_holds_an_item_goes_with_set_item_share_and_passage(prompt):
    ((reason, flag),) = seen(prompt).values()
    assert not flag
    assert reason.startswith("item farm of mine: ")
    assert "of it in the prompt: " in reason
    assert "For how many days" in reason


def test_an_item_over_two_messages_is_found():
    row = trace(
        "a", messages=[said("user", FARM[:90]), said("user", FARM[90:]), said("assistant", "x")], num_prompt_messages=2
    )
    asked = prompt_of(row)
    assert asked is not None
    assert seen(asked).keys() == {"a"}


def prompt_of(row) -> str | None:
    from synthetic.measures.prompt import prompt

    found: str | None = prompt(frame([row]).select(prompt.columns({}))).collect()["prompt"][0]
    return found


# ---- what is marked


def test_half_an_item_or_a_long_run_of_it_is_marked():
    half = "Here is something else. " + " ".join(FARM.split()[:30])
    run = "Many words of another kind stand here. " + " ".join(FARM.split()[8:26]) + " and then it goes on elsewhere."
    found = seen(half, run)
    assert [flag for _, flag in found.values()] == [True, True]


def test_a_prompt_that_is_an_item_but_for_a_few_letters_is_marked():
    words = [f"{word}x" if i % 5 == 4 else word for i, word in enumerate(FARM.split())]
    ((reason, flag),) = seen(" ".join(words)).values()
    assert flag
    assert float(reason.split(": ")[1].split()[0]) < 0.5
    assert seen("Quite another text. " * 5 + " ".join(words)) == {}


def test_an_item_in_what_the_model_wrote_is_marked():
    ((reason, flag),) = seen("How many?", wrote=f"I remember: {FARM}").values()
    assert flag
    assert "of it in the completion" in reason


# ---- what stays


ANSWER = (
    "Seventeen goats eat 51 kg and 23 sheep eat 46 kg, so 97 kg go in a day; 4850 / 97 = 50 days of eating, and with"
    " every tenth day left out the hay lasts for 55 days."
)


def with_answer(answer):
    return items().with_columns(answer=pl.when(pl.col("item") == "farm").then(pl.lit(answer)))


def test_an_answer_that_is_quoted_is_marked_apart_from_its_question():
    found = seen("How long does it last?", wrote=f"Let me see. {ANSWER} Done.", known=with_answer(ANSWER))
    reason, flag = found["a"]
    assert reason.startswith("item farm of mine: 1.00 of its answer in the completion: ")
    assert "4850 / 97 = 50 days of eating" in reason
    assert flag


def test_a_short_answer_says_nothing():
    assert (
        seen("How long does it last?", wrote="It lasts for 55 days.", known=with_answer("It lasts for 55 days.")) == {}
    )


def test_a_prompt_counts_before_an_answer_and_half_an_answer_is_none():
    both = seen(FARM, wrote=ANSWER, known=with_answer(ANSWER))
    assert both["a"][0].startswith("item farm of mine: 1.00 of it in the prompt")
    half = " ".join(ANSWER.split()[:18])
    assert seen("How long?", wrote=half, known=with_answer(ANSWER)) == {}


def test_a_release_counts_quoted_answers(tmp_path):
    file = tmp_path / "mine.jsonl"
    file.write_text(json.dumps({"problem": FARM, "solution": ANSWER}), "utf-8")
    rows = [attempt(n, 0, messages=[said("user", f"Problem {n}?"), said("assistant", text)]) for n, text in
            enumerate((ANSWER, "Fifty-five."))]  # fmt: skip
    recipe = recipe_with(file, answer="solution")
    done = synthetic.release(store(tmp_path / "s", rows), to=tmp_path / "r", recipe=recipe)
    assert done.numbers["evaluations"] == [
        {"set": "mine", "items": 1, "removed": 0, "flagged": 1, "quoted_answers": 1, "quoting_rows": 1}
    ]
    assert "| `mine` | 1 | 1 | 0 | 1 | 1 | 1 |" in (tmp_path / "r/README.md").read_text("utf-8")
    assert synthetic.check(tmp_path / "r").problems == []


def test_stock_phrases_and_boilerplate_of_a_set_count_nothing():
    assert seen("The area of the triangle" + STOCK, "The length of the median of ABC" + STOCK) == {}
    rules = "Answer the following question with the number of the right choice and nothing else than that number. "
    many = {str(i): f"{rules} What is {word} like?" for i, word in enumerate("aa bb cc dd ee ff gg hh".split())}
    assert seen(rules + " How tall is a giraffe at birth?", known=items(many)) == {}


def test_short_items_must_be_there_whole():
    found = seen(
        "What is 2+2?", "what is 2+2 ?", "What is 2+2? " + FARM[:20] * 20, "Name the largest prime below 50 now."
    )
    assert found.keys() == {"a", "b"}
    assert seen("So. Name the largest prime below 40 now. Then go.").keys() == {"a"}


def test_nothing_is_found_in_nothing():
    assert seen(None, "", "?") == {}
    assert seen(FARM, known=items({"x": "?"})) == {}


def test_sets_that_are_not_there_are_told():
    with pytest.raises(RecipeError, match=r"no items of \['other'\]"):
        seen(FARM, sets=["mine", "other"])


# ---- brute force


def test_the_share_is_that_of_pythons_sets():
    chance = random.Random(2)
    vocabulary = [f"w{i}" for i in range(60)]
    known = [" ".join(chance.choices(vocabulary, k=chance.randrange(1, 40))) for _ in range(50)]
    texts = [" ".join(chance.choices(vocabulary, k=30) + known[i % 50].split()[: i % 40]) for i in range(200)]
    index = contained.known(pl.Series(known), pl.Series(["w1 w2 w3 w4 w5"], dtype=pl.String), [100.0] * 50)
    found = contained.look(index, pl.Series(texts))
    own = [set(shingles(text)) for text in known]
    held = {h: sum(h in each for each in own) for each in own for h in each}
    stock = set(shingles("w1 w2 w3 w4 w5"))
    weight = {h: 0.0 if h in stock else math.log(50 / n) + 1 / 50 for h, n in held.items()}
    for text, (share, best) in zip(texts, found.select("share", "best").iter_rows(), strict=True):
        has = set(shingles(text))
        shares = [
            sum(weight[h] for h in each & has) / total if (total := sum(weight[h] for h in each)) else 0.0
            for each in own
        ]
        assert share == pytest.approx(max(shares))
        if best >= 0:
            assert shares[best] == pytest.approx(max(shares))


# ---- files


def test_sets_are_read_from_every_kind_of_file(tmp_path):
    rows = [{"problem": FARM, "answer": 7, "key": "f"}, {"problem": None, "answer": 8, "key": "g"}]
    pl.DataFrame(rows).write_parquet(tmp_path / "a.parquet")
    pl.DataFrame(rows).write_csv(tmp_path / "a.csv")
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    (tmp_path / "a.json").write_text(json.dumps(rows), "utf-8")
    for kind in ("parquet", "csv", "jsonl", "json"):
        said_of = {"path": str(tmp_path / f"a.{kind}"), "question": "problem", "answer": "answer", "id": "key"}
        assert evaluations.read("mine", said_of).rows() == [("mine", "f", FARM, "7")]
    assert evaluations.read("math-500", {"path": str(tmp_path / "a.csv"), "id": "key"}).height == 1, "columns are known"
    wrong = {"path": str(tmp_path / "a.csv"), "id": "key", "answer": "solution"}
    with pytest.raises(RecipeError, match="has no column 'solution'"):
        evaluations.read("math-500", wrong)
    assert evaluations.read("mine", {"path": str(tmp_path), "question": "problem"})["item"].to_list() == [
        "0",
        "2",
        "4",
        "6",
    ]


def test_of_a_repository_only_the_files_are_read_that_models_are_tested_on(tmp_path):
    for place, said_of in {
        "main/test-00000-of-00001.parquet": {"question": [FARM], "answer": ["55"]},
        "main/train-00000-of-00001.parquet": {"question": [DICE], "answer": ["9"]},
        "socratic/test-00000-of-00001.parquet": {"question": [URNS], "answer": ["9"]},
        "other.parquet": {"text": ["no question"]},
    }.items():
        (tmp_path / "gsm8k" / place).parent.mkdir(parents=True, exist_ok=True)
        pl.DataFrame(said_of).write_parquet(tmp_path / "gsm8k" / place)
    whole = {"path": str(tmp_path / "gsm8k")}
    assert evaluations.read("gsm8k", whole)["question"].to_list() == [FARM]
    trained = evaluations.read("gsm8k", whole | {"files": "main/*.parquet"})
    assert trained["question"].to_list() == [FARM, DICE]
    assert evaluations.read("gsm8k", {"path": f"{whole['path']}/socratic"})["question"].to_list() == [URNS], (
        "a folder that is laid out otherwise is read whole"
    )
    one = {"path": str(tmp_path / "gsm8k/main/train-00000-of-00001.parquet")}
    assert evaluations.read("gsm8k", one)["question"].to_list() == [DICE]
    with pytest.raises(RecipeError, match="is a file, and `files` names some of a folder"):
        evaluations.read("gsm8k", one | {"files": "*"})
    for wrong in ("", "/etc/*", "../*"):
        with pytest.raises(RecipeError, match="names no files within a folder"):
            evaluations.read("gsm8k", whole | {"files": wrong})
    with pytest.raises(UnreadableLog, match=r"no file to read in it \(.*; files = 'test/\*'\)"):
        evaluations.read("gsm8k", whole | {"files": "test/*"})


def test_what_cannot_be_read_says_what_would_work(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"q": "x", "l": [1]}\n', "utf-8")
    (tmp_path / "b.jsonl").write_text("not json\n", "utf-8")
    (tmp_path / "c.txt").write_text("x", "utf-8")
    for said_of, error, message in (
        ({"path": "a.jsonl", "question": "problem"}, RecipeError, r"has no column 'problem'; it has \['q', 'l'\]"),
        ({"path": "a.jsonl", "question": "l"}, RecipeError, "holds no text: List"),
        ({"path": "b.jsonl", "question": "q"}, UnreadableLog, "cannot be read"),
        ({"path": "c.txt", "question": "q"}, UnreadableLog, "of no known kind"),
        ({"path": "d.jsonl", "question": "q"}, UnreadableLog, "there is no such file"),
        ({"path": "a.jsonl"}, RecipeError, "names no column for the question"),
        ({"question": "q"}, RecipeError, "says no path"),
    ):
        with pytest.raises(error, match=message):
            evaluations.read("mine", {k: str(tmp_path / v) if k == "path" else v for k, v in said_of.items()})


def test_the_common_sets_name_a_repository_and_a_question():
    for name, one in evaluations.common().items():
        assert one.keys() <= evaluations.KEYS.keys() | {"repo"}, name
        assert {"repo", "question"} <= one.keys(), name
        assert one["repo"].count("/") == 1


# ---- in a release


def recipe_with(path, answer=None):
    text = f"""
    [evaluation.mine]
    path = '{path}'
    question = "problem"
    {f"answer = '{answer}'" if answer else ""}
    [sft_verified]
    keep = [{{ rule = "verified" }}, {{ rule = "unseen", sets = ["mine"], held = 0.85 }}]
    [sft_unverified]
    keep = [{{ rule = "finished" }}, {{ rule = "undecided" }}]
    """
    return parse(text, where="recipe", name="r")


def test_a_release_removes_marks_counts_and_holds(tmp_path):
    file = tmp_path / "mine.jsonl"
    file.write_text("\n".join(json.dumps({"problem": text}) for text in ITEMS.values()), "utf-8")
    asked = {"a": FARM, "b": "How much is it? " + " ".join(FARM.split()[:30]), "c": "What is 3 + 3, then?"}
    rows = [
        attempt(number, 0, messages=[said("user", text), said("assistant", "It is 4.")], num_prompt_messages=1)
        for number, text in enumerate(asked.values())
    ]
    recipe = recipe_with(file)
    assert parse(recipe.toml(), where="again", name="r").evaluations == recipe.evaluations
    done = synthetic.release(store(tmp_path / "s", rows), to=tmp_path / "r", recipe=recipe)
    assert config_rows(tmp_path / "r").select("row_id").to_series().sort().to_list() == ["p1-0/0", "p2-0/0"]
    assert done.numbers["evaluations"] == [
        {"set": "mine", "items": 1, "removed": 1, "flagged": 1, "quoted_answers": 0, "quoting_rows": 0}
    ]
    card = (tmp_path / "r/README.md").read_text("utf-8")
    assert "| `mine` | 5 | 1 | 1 | 1 | 0 | 0 |" in card
    assert "is at least 0.85; all of it for items of at most 20 tokens." in card
    assert "paraphrases and translations" in card
    assert synthetic.check(tmp_path / "r").problems == []
    file.write_text(json.dumps({"problem": FARM}), "utf-8")
    checked = synthetic.check(tmp_path / "r")
    assert checked.problems == []
    assert any("has another content now" in note for note in checked.notes)


def test_a_release_without_the_rule_says_that_nothing_was_compared(tmp_path):
    synthetic.release(store(tmp_path / "s", [attempt(1, 0)]), to=tmp_path / "r")
    assert "Not compared with any evaluation set." in (tmp_path / "r/README.md").read_text("utf-8")


def test_a_set_that_the_recipe_does_not_have_is_told_with_the_choices(tmp_path):
    text = recipe_with("x").toml().replace('sets = ["mine"]', 'sets = ["yours"]').replace('"mine",', '"yours",')
    recipe = parse(text, where="recipe", name="r")
    with pytest.raises(RecipeError, match=r"there is no evaluation set 'yours'; the recipe has \['mine'\]"):
        synthetic.release(store(tmp_path / "s", [attempt(1, 0)]), to=tmp_path / "r", recipe=recipe)
    for wrong in ("path = 3", 'where = "x"'):
        with pytest.raises(RecipeError, match="evaluation"):
            parse(f"[evaluation.mine]\n{wrong}", where="recipe", name="r")
