"""Loops and final answers: what is found, and what is honest work that only looks like it."""

import random

import polars as pl
import pytest

from synthetic.measures import MEASURES
from tests.rows import frame, judge, said, trace

CHANCE = random.Random(7)
THOUGHT = " ".join(f"step{CHANCE.randrange(800)}" for _ in range(3000))
CYCLE = " ".join(f"again{CHANCE.randrange(500)}" for _ in range(200))


def measured(name, *rows):
    stage = MEASURES[name]
    return stage(frame(rows).select(stage.columns({}))).collect()


def looped(text) -> dict[str, str]:
    row = trace("a", text=text)
    found = measured("loop", row).row(0, named=True)
    return judge("unlooped", [row | {name: found[name] for name in MEASURES["loop"].gives}])


def answer(content, **more) -> str | None:
    row = trace("a", messages=[said("user", r"\boxed{1}?"), said("assistant", content, **more)], num_prompt_messages=1)
    found: str | None = measured("final_answer", row)["final_answer"][0]
    return found


# ---- loops


@pytest.mark.parametrize(
    "text",
    [
        f"{THOUGHT} " + "Wait, let me check. " * 60,
        f"{THOUGHT} {' '.join([CYCLE] * 4)} again",
        f"{THOUGHT} {' '.join([CYCLE] * 3)} {CYCLE[: len(CYCLE) // 2]}",
        f"{THOUGHT} 3.{'3' * 500}",
        f"{THOUGHT} 0.{'142857' * 100} and so on. {THOUGHT}",
        "\n".join(["So x = 4, which is not 5."] * 40),
        "na " * 1_000_000,
        "哈" * 500,
        f"<think>{THOUGHT} " + "Wait, let me check. " * 60 + r"</think>So it is \boxed{4}.",
    ],
    ids=[
        "sentence",
        "period of 200",
        "cut in the middle",
        "digits",
        "digits inside",
        "lines",
        "one token",
        "characters",
        "thinking before an answer",
    ],
)
def test_a_loop_is_found(text):
    assert looped(text)["a"].startswith("loops: ")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        THOUGHT,
        f"{THOUGHT} {CYCLE} {CYCLE}",
        "\n".join(f"Case {i}: x = {i}, then x^2 = {i * i}, so it does not hold." for i in range(200)),
        "\n".join("| " + " | ".join(str(CHANCE.randrange(10)) for _ in range(8)) + " |" for _ in range(60)),
        "Let A =\n" + "\n".join(["0 0 0 0 0 0 0 0"] * 8) + "\nbe the zero matrix.",
        "2^1000 = " + str(2**1000),
        " + ".join(f"x_{i}" for i in range(300)),
        "-" * 120 + "\n| a | b |\n" + "-" * 120,
        "def f(x):\n" + "\n".join(f"    if x == {i}:\n        return {i * 3 % 7}" for i in range(80)),
        "    " * 400 + "pass",
    ],
    ids="nothing word thought twice cases table zeros power sum rules code indented".split(),
)
def test_honest_work_is_no_loop(text):
    assert looped(text) == {}


def test_a_loop_is_told_with_its_size_and_its_times():
    found = measured("loop", trace("a", text="So it is: " + "one two three four. " * 50)).row(0, named=True)
    assert (found["loop_tokens"], found["loop_repeats"], found["loop_run"]) == (250, 50.0, 0)
    found = measured("loop", trace("a", text="x " + "7" * 199), trace("b", text=None, messages=[]))
    assert found["loop_run"].to_list() == [199, 0]


def test_thinking_of_its_own_field_is_looked_at_too():
    last = said("assistant", r"So it is \boxed{4}.", reasoning_content=f"{THOUGHT} " + "Wait, no. " * 100)
    found = measured("loop", trace("a", messages=[said("user", "?"), last], num_prompt_messages=1)).row(0, named=True)
    assert (found["loop_tokens"], found["loop_repeats"]) == (400, 100.0)


# ---- final answers


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (r"So \boxed{7}.", "7"),
        (r"\boxed{1} no, \boxed{\frac{1}{2}} it is", r"\frac{1}{2}"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        ("\\boxed{ 7\n  m }", "7 m"),
        (r"\boxed{7} and then \boxed{8", "7"),
        (r"\boxed{}", None),
        (r"$\boxed{七}$", "七"),
        ("2 + 2\n#### 4", "4"),
        ("<answer>tuo</answer>", "tuo"),
        ("<answer>a</answer> no <answer>\nb\n</answer>", "b"),
        ("The answer is 42.", "42"),
        ("**Final Answer:** 3/4", "3/4"),
        ("<think>so \\boxed{1}</think>It is \\boxed{2}", "2"),
        ("<think>so \\boxed{1} and", None),
        ("<think>so \\boxed{1}</think>I do not know", None),
        ("def f(): pass", None),
        ("", None),
        (None, None),
    ],
)
def test_the_last_marked_answer_behind_the_thinking_is_the_final_one(content, expected):
    assert answer(content) == expected


def test_thinking_in_its_own_field_and_prompts_are_no_answers():
    assert answer("", reasoning_content=r"\boxed{1}") is None
    assert answer(None, reasoning_content=r"\boxed{1}") is None


def test_a_long_answer_is_cut_and_stays_apart_from_others():
    one, other = (answer(rf"\boxed{{{'x' * 400}{end}}}") for end in "ab")
    assert one is not None
    assert len(one) == 300 + 2 + 16
    assert one != other


def test_answered_keeps_what_marks_an_answer():
    rows = [trace("a", final_answer="7"), trace("b")]
    assert judge("answered", rows) == {"b": "no final answer is marked as one"}


def test_answers_of_many_chunks_stand_in_their_rows():
    rows = [trace(str(i), text=rf"so \boxed{{{i}}}" if i % 3 else "no") for i in range(50)]
    stage = MEASURES["final_answer"]
    whole = frame(rows).select(stage.columns({})).collect()
    found = stage(pl.concat([whole[:7], whole[7:30], whole[30:]], rechunk=False).lazy()).collect()
    assert found["final_answer"].to_list() == [str(i) if i % 3 else None for i in range(50)]
