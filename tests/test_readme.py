"""What README shows works: every command, every block of Python, the recipe, and the demo's output."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from synthetic import recipe
from synthetic.cli import main

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    """The code blocks of README in that language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with a run in it, in which the demo was run."""
    folder = tmp_path_factory.mktemp("home")
    shutil.copytree(ROOT / "tests" / "logs" / "prime_rl_a", folder / "outputs" / "my-run")
    done = subprocess.run(
        [sys.executable, "-m", "synthetic.cli", "demo"], cwd=folder, capture_output=True, text=True, check=True
    )
    (folder / "demo.txt").write_text(done.stdout, "utf-8")
    return folder


def test_the_commands_of_make_exist():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    commands = [line for block in blocks("sh") for line in block.splitlines() if line.startswith("make ")]
    assert commands == ["make demo", "make test"]
    for command in commands:
        assert f"\n{command.removeprefix('make ')}:" in makefile


def test_the_demo_prints_what_readme_shows(home):
    shown = next(block for block in blocks("text") if block.startswith("captured"))
    assert (home / "demo.txt").read_text("utf-8").startswith(shown)


def test_a_release_holds_the_files_that_readme_lists(home):
    listed = next(block for block in blocks("text") if block.startswith("demo-release/"))
    names = re.findall(r"^ {2}(\S+)", listed, re.MULTILINE)
    assert len(names) == 8
    for name in names:
        assert (home / "demo-release" / name).is_file()


def test_every_synthetic_command_runs(home, monkeypatch):
    monkeypatch.chdir(home)
    commands = [line for block in blocks("sh") for line in block.splitlines() if line.startswith("synthetic ")]
    assert len(commands) == 3
    for command in commands:
        assert main(shlex.split(command, comments=True)[1:]) == 0, command


@pytest.mark.parametrize("number", range(len(blocks("python"))))
def test_every_block_of_python_runs(home, number):
    subprocess.run([sys.executable, "-W", "error", "-c", blocks("python")[number]], cwd=home, check=True, timeout=120)


def test_the_recipe_parses():
    (text,) = blocks("toml")
    read = recipe.parse(text, where="README", name="readme")
    assert [use.name for use in read.rules("sft_verified")][-4:] == ["verified", "unique", "at_most", "where"]
