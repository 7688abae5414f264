"""Think tags, scripts, refusals, play with the checker, token counts: what is kept, dropped and marked."""

import json

import polars as pl
import pytest

import synthetic
from synthetic.errors import UnreadableLog
from synthetic.recipe import parse
from synthetic.rules import RULES
from tests.releases import LOGS, attempt, config_rows, store
from tests.rows import frame, judge, said, trace
from tests.test_sharp import measured

TOKENIZER = next(LOGS.rglob("tokenizer.json"))


def one(measure, column, content, *, asked="How many?", **more):
    row = trace("a", messages=[said("user", asked), said("assistant", content, **more)], num_prompt_messages=1)
    return measured(measure, row)[column][0]


# ---- thinking


@pytest.mark.parametrize(
    ("content", "apart", "expected"),
    [
        ("<think>so</think>4", None, "inline"),
        ("  <think>\nso\n</think>\n\n4", None, "inline"),
        ("4", "so", "separate"),
        ("so</think>4", None, "closed_only"),
        ("<think> </think>4", None, "empty"),
        ("<think>so and so", None, "unclosed"),
        ("<think>a</think><think>b</think>4", None, "several"),
        ("<think><think>a</think></think>4", None, "several"),
        ("4<think>so</think>", None, "several"),
        ("</think>so<think>", None, "several"),
        ("<think>so</think>4", "so", "several"),
        ("4", None, "none"),
        ("4", " ", "none"),
        (None, None, "none"),
    ],
)
def test_how_thinking_is_marked(content, apart, expected):
    assert one("thinking", "thinking", content, reasoning_content=apart) == expected


def test_thinking_that_does_not_end_is_not_whole():
    kinds = ["separate", "inline", "closed_only", "empty", "unclosed", "several", "none", None]
    rows = [trace(str(kind), thinking=kind) for kind in kinds]
    assert judge("thought_whole", rows) == {"unclosed": "thinking: unclosed", "several": "thinking: several"}
    assert judge("thought_whole", rows, required=True).keys() == {"unclosed", "several", "none", "empty", "None"}
    assert measured("thinking", trace("a", messages=[]))["thinking"][0] is None


# ---- scripts


@pytest.mark.parametrize(
    ("content", "asked", "foreign"),
    [
        ("So it is four.", "How many?", 0.0),
        ("Δ + β = π, naïve café, √2", "How many?", 0.0),
        ("ab 思考", "How many?", 0.5),
        ("ab 思考", "多少?", 0.0),
        ("ab да", "How many?", 0.5),
        ("1 + 1", "How many?", None),
    ],
)
def test_letters_of_scripts_that_nobody_asked_for_are_counted(content, asked, foreign):
    assert one("foreign_share", "foreign_share", content, asked=asked) == foreign


def test_one_script_drops_more_than_a_twentieth():
    rows = [trace("a", foreign_share=0.05), trace("b", foreign_share=0.051), trace("c")]
    assert judge("one_script", rows) == {"b": "5.1 % of its letters are of a script that was not asked for"}


# ---- refusals and play with the checker


@pytest.mark.parametrize(
    ("content", "refuses"),
    [
        ("I'm sorry, but I can't help with that.", True),
        ("I cannot assist with this request.", True),
        ("<think>hm</think>\n\nI apologize, but I am unable to do so.", True),
        ("As an AI language model, I have no opinions.", True),
        ("I cannot simplify it further, so it is 4.", False),
        ("So we can't have x = 3. I'm sorry for the mess.", False),
        ("The answer is 4.", False),
        ("<think>I'm sorry, but I can't do it</think>4", False),
    ],
)
def test_an_answer_that_begins_like_a_refusal_is_marked(content, refuses):
    assert one("suspicions", "refusal", content) is refuses


@pytest.mark.parametrize(
    ("content", "hacks"),
    [
        ("```python\nimport os\nos._exit(0)\n```", "leaves the process"),
        ("```python\nclass A:\n    def __eq__(self, other):\n        return True\n```", "equals everything"),
        ("```python\ndata = open('tests/cases.json').read()\n```", "reads tests or answers"),
        ("with unittest.mock.patch('x'):", "patches tests"),
        ("def run_tests(): pass\nwrite conftest.py", "redefines its checker; writes to a checker's file"),
        ("```python\nimport sys\nprint(sys.stdin.read())\nsys.exit(1)\n```", None),
        ("def check(x): return open('input.txt')", None),
    ],
)
def test_code_that_looks_like_play_with_the_checker_is_marked(content, hacks):
    assert one("suspicions", "hacks", content) == hacks


def test_tool_calls_are_looked_at_too():
    call = {"id": "c", "type": "function", "function": {"name": "bash", "arguments": '{"cmd":"echo > conftest.py"}'}}
    assert one("suspicions", "hacks", "", tool_calls=[call]) == "writes to a checker's file"


def test_suspicions_only_mark():
    rows = [trace("a", hacks="leaves the process", refusal=True), trace("b", refusal=False), trace("c")]
    for name in ("willing", "honest"):
        found = RULES[name](frame(rows)).collect()
        assert found["row_id"].to_list() == ["a/0"]
        assert found["flag"].all()


# ---- tokens


def recipe_with(rule):
    text = f'sft_verified.keep = [{{ rule = "verified" }}, {rule}]\n'
    text += 'sft_unverified.keep = [{ rule = "finished" }, { rule = "undecided" }]'
    return parse(text, where="recipe", name="r")


def test_what_does_not_fit_is_dropped_by_any_tokenizers_file(tmp_path):
    rows = [attempt(1, 0), attempt(1, 1, messages=[said("user", "?"), said("assistant", "four and " * 400)])]
    facts = store(tmp_path / "s", rows)
    recipe = recipe_with(f"{{ rule = \"fits\", tokenizer = '{TOKENIZER}', tokens = 300 }}")
    done = synthetic.release(facts, to=tmp_path / "r", recipe=recipe)
    assert config_rows(tmp_path / "r")["row_id"].to_list() == ["p1-0/0"]
    drops = config_rows(tmp_path / "r", "traces").explode("drops").unnest("drops").filter(pl.col("rule") == "fits")
    assert drops["reason"][0].endswith(" tokens, more than 300")
    assert done.manifest is not None
    assert [one["name"] for one in done.manifest.references] == ["tokenizer.json"]
    assert synthetic.check(tmp_path / "r").problems == []


def fitting(texts, tokens, **settings) -> dict[str, str]:
    """What `fits` says of traces a, b, … with these texts, by a tokenizer whose file has these settings besides."""
    rows = [trace(n, messages=[said("assistant", text)]) for n, text in zip("abcd", texts, strict=False)]
    opened = pl.LazyFrame({"json": [json.dumps(json.loads(TOKENIZER.read_text("utf-8")) | settings)]})
    stage = RULES["fits"]
    given = frame(rows).select(stage.columns({}))
    found = stage(given, opened, tokenizer="t.json", tokens=tokens).collect()
    return {row.removesuffix("/0"): reason for row, reason in found.iter_rows()}


def test_what_a_tokenizers_file_cuts_off_or_fills_up_is_counted_as_it_is():
    texts = ["four and " * 400, "four and " * 40]
    cut = {"direction": "Right", "max_length": 10, "strategy": "LongestFirst", "stride": 0}
    fill = {"strategy": {"Fixed": 5000}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0,
            "pad_type_id": 0, "pad_token": "x"}  # fmt: skip
    plain = fitting(texts, 300)
    assert plain.keys() == {"a"}
    assert fitting(texts, 300, truncation=cut, padding=fill) == plain


def test_a_text_of_any_length_is_counted_in_pieces():
    few, many = "four and " * 111_000, "four and " * 1_000_000
    number = int(fitting([few], 300)["a"].split()[0])
    assert number > 111_000
    assert fitting([few + few], 2 * number - 1) == {"a": f"{2 * number} tokens, more than {2 * number - 1}"}
    found = fitting([many, "x" * 2_500_000, few], 300)
    assert found.keys() == {"a", "b", "c"}
    assert found["a"].startswith("at least ")
    assert found["c"] == f"{number} tokens, more than 300"


def test_a_broken_tokenizer_is_one_clear_error(tmp_path):
    (tmp_path / "t.json").write_text("{}", "utf-8")
    facts = store(tmp_path / "s", [attempt(1, 0)])
    for path, message in ((tmp_path / "t.json", "no tokenizer"), (tmp_path / "no.json", "no such file")):
        with pytest.raises(UnreadableLog, match=message):
            synthetic.release(
                facts, to=tmp_path / "r", recipe=recipe_with(f"{{ rule = \"fits\", tokenizer = '{path}' }}")
            )
