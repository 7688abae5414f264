"""What CONTRIBUTING shows works: its files are put into a copy of the package, its lines changed, its commands run.

Nothing of the examples stands here but what their commands must have done.
"""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from tests.pages import ROOT, Block, blocks, read
from tests.releases import command
from tests.test_layers import LAYERS, complaints

PAGE = "CONTRIBUTING.md"


def path(block: Block) -> str:
    """The file that a block is, or changes: named last in the line above it."""
    *_, last = re.finditer(r"`([\w./-]+\.\w+)`", block.before)
    return last[1]


def files() -> dict[str, str]:
    """The files that the page shows whole."""
    return {path(block): block.text for block in blocks(PAGE, "python", "jinja", "toml", "json")}


def changed(text: str, diff: str) -> str:
    """A file with the hunks of a diff applied; `…` stands for the rest of a line."""
    for hunk in diff.split("@@\n")[1:]:
        lines = hunk.splitlines()
        old = "\n".join(line[1:] for line in lines if line[0] in " -")
        new = "\n".join(line[1:] for line in lines if line[0] in " +")
        found = list(re.finditer(f"^{re.escape(old).replace('…', '(.*)')}$", text, re.MULTILINE))
        assert len(found) == 1, f"{len(found)} places for {old!r}"
        for rest in found[0].groups():
            new = new.replace("…", rest, 1)
        text = text[: found[0].start()] + new + text[found[0].end() :]
    return text


@pytest.fixture(scope="module")
def contributed(tmp_path_factory):
    """A copy of the package, with everything that the page adds."""
    folder: Path = tmp_path_factory.mktemp("checkout")
    shutil.copy(ROOT / "pyproject.toml", folder)
    for name in ("synthetic", "schemas", "pipelines", "data_cards"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in files().items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    for diff in blocks(PAGE, "diff"):
        file = folder / path(diff)
        file.write_text(changed(file.read_text("utf-8"), diff.text), "utf-8")
    return folder


@pytest.fixture(scope="module")
def said(contributed):
    """What each command of the page printed, there; those of make are only looked up."""
    printed = {}
    for line in (line for block in blocks(PAGE, "sh") for line in block.text.splitlines()):
        program, *arguments = shlex.split(line, comments=True)
        if program == "make":
            assert f"\n{arguments[0]}:" in read("Makefile")
        elif program == "python":
            run = [sys.executable, *arguments]
            printed[line] = subprocess.run(run, cwd=contributed, capture_output=True, text=True, check=True).stdout
        else:
            assert program == "synthetic", line
            done = command(*arguments, cwd=contributed, env={"PYTHONPATH": str(contributed)})
            assert done.returncode == 0, f"{line}: {done.stderr}"
            printed[line] = done.stdout
    return printed


def test_no_block_is_of_a_kind_that_no_test_looks_at():
    assert {block.kind for block in blocks(PAGE)} <= {"sh", "python", "jinja", "toml", "json", "diff", "text"}


def test_every_file_is_new_and_every_change_is_of_one_that_is_there():
    assert [name for name in files() if (ROOT / name).exists()] == []
    assert [path(diff) for diff in blocks(PAGE, "diff") if not (ROOT / path(diff)).is_file()] == []


def test_the_files_are_formatted_linted_and_import_one_way(contributed):
    shown = [name for name in files() if name.endswith(".py")]
    # What `make format` mends stands between: the order of imports, a table that has grown past a line.
    for line in (["format", "--check", *shown], ["format", "."], ["check", "--fix", "."], ["check", "."]):
        ruff = [sys.executable, "-m", "ruff", *line]
        done = subprocess.run(ruff, cwd=contributed, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
    ours = [name for name in shown if name.startswith("synthetic/")]
    assert [c for name in ours for c in complaints(name[:-3].replace("/", "."), files()[name])] == []


def test_the_diagram_is_the_one_that_is_enforced():
    diagram, commit = blocks(PAGE, "text")
    assert diagram.text == LAYERS.lstrip()
    subject, empty, *body = commit.text.splitlines()
    assert (len(subject) <= 72, empty, bool(body)) == (True, "", True)


def test_the_format_reads_the_line_that_is_shown(contributed, said):
    assert "1 lines seen = 1 captured + 0 quarantined" in said["synthetic export my-quiz --to quiz-release"]
    line = json.loads(files()["my-quiz/quiz.jsonl"])
    (row,) = pl.read_parquet(contributed / "quiz-release" / "data" / "sft_verified").to_dicts()
    assert [message["content"] for message in row["messages"]] == [line["question"], line["answer"]]
    assert (row["framework"], row["verdict"], row["verdict_rule"]) == ("quiz", "correct", "log")
    (fact,) = pl.read_parquet(contributed / "quiz-release.store" / "shards")["extra"]
    assert json.loads(fact) == {"room": line["room"]}


def test_the_map_reads_the_same_as_the_format(contributed, said):
    mapped, read = (
        pl.read_parquet(contributed / name / "data" / "traces") for name in ("mapped-release", "quiz-release")
    )
    same = ["row_id", "problem_id", "messages", "verdict", "verdict_rule", "framework"]
    assert mapped.select(same).equals(read.select(same))
    assert any("--format quiz.toml" in line for line in said)


def test_the_shape_of_a_line_has_its_keys_and_none_of_its_values(said):
    shown = said["python shape.py my-quiz/quiz.jsonl"]
    assert json.loads(shown) == {"id": "str", "question": "str", "answer": "str", "right": "bool", "room": "str"}


def test_the_rule_drops_rows_and_says_why(contributed, said):
    (line,) = (line for line in said if "steady.toml" in line)
    assert re.search(r"^ +steady +\d+ +\d+$", said[line], re.MULTILINE)
    rows = pl.read_parquet(contributed / "steady-release" / "data" / "traces").explode("drops").unnest("drops")
    dropped = rows.filter(pl.col("config") == "sft_verified", pl.col("rule") == "steady")
    moved = (pl.col("policy_end") - pl.col("policy_start")).cast(pl.String)
    assert dropped.height > 0
    assert dropped.filter(pl.col("reason") != pl.format("policy changed {} times", moved)).is_empty()


def test_the_view_is_a_config_that_holds(contributed, said):
    assert said["synthetic check answers-release"].rstrip().endswith("holds")
    data = contributed / "answers-release" / "data"
    answers, thought = pl.read_parquet(data / "answers"), pl.read_parquet(data / "sft_verified")
    assert set(answers["verdict"]) == {"correct"}
    reasoning = pl.col("messages").explode().struct.field("reasoning_content").count()
    assert (answers.select(reasoning).item(), thought.select(reasoning).item() > 0) == (0, True)


def test_the_section_is_in_the_card(contributed, said):
    card = (contributed / "answers-release" / "README.md").read_text("utf-8")
    section = card.partition("\n## When rollouts began\n\n")[2].partition("\n\n## ")[0]
    assert re.fullmatch(r"On `[\d-]+`, UTC\. Of \d+ rows? the log does not say when\.", section)
