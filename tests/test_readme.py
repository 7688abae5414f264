"""What README and its pages show works: every command, every block of code, every recipe, every picture."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import synthetic
from synthetic import recipe
from synthetic.formats import FORMATS
from synthetic.rules import RULES
from tests.hub.server import Hub
from tests.pages import ROOT, blocks, read, script, targets
from tests.releases import RUN, command

pictures = script("pictures")

PAGES = ("README.md", "docs/recipes.md", "docs/release.md")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with a run and what the pages tell to save; the demo ran in it, seen as a terminal shows it."""
    folder: Path = tmp_path_factory.mktemp("home")
    shutil.copytree(RUN, folder / "outputs" / "my-run")
    (folder / "demo.txt").write_text(pictures.terminal(folder), "utf-8")
    (folder / "my.toml").write_text(blocks("docs/recipes.md", "toml")[0].text, "utf-8")
    (rule,) = [block for block in blocks("docs/recipes.md", "python") if "@rule" in block.text]
    (folder / "my_package.py").write_text(rule.text, "utf-8")
    return folder


def lines(page):
    """The commands of a page."""
    return [line for block in blocks(page, "sh") for line in block.text.splitlines()]


# ---- commands


@pytest.mark.parametrize("page", PAGES)
def test_no_block_is_of_a_kind_that_no_test_looks_at(page):
    assert {block.kind for block in blocks(page)} <= {"sh", "python", "toml", "text"}
    assert [
        line for line in lines(page) if not re.match(r"(make|pip install|uv (pip|tool) install|synthetic) ", line)
    ] == []


def test_the_commands_of_make_are_two_and_exist():
    commands = [line for line in lines("README.md") if line.startswith("make ")]
    assert commands == ["make demo", "make test"]
    for name in [*commands, "make pictures"]:
        assert f"\n{name.removeprefix('make ')}:" in read("Makefile")


def test_what_is_installed_is_this_package_with_extras_that_it_has():
    project = tomllib.loads(read("pyproject.toml"))["project"]
    commands = [line for line in lines("README.md") if line.startswith(("pip ", "uv "))]
    assert {line.split()[0] for line in commands} == {"pip", "uv"}
    for line in commands:
        wanted = shlex.split(line, comments=True)[-1]
        name, _, extras = wanted.rstrip("]").partition("[")
        assert name == project["name"], line
        assert set(filter(None, extras.split(","))) <= project["optional-dependencies"].keys(), line


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_synthetic_runs(home, page):
    hub = Hub()
    hub.users["ana"].append("org")
    away = {"HF_ENDPOINT": hub.url, "HF_TOKEN": hub.token(), "HF_HOME": str(home / "hf")}
    for line in (line for line in lines(page) if line.startswith("synthetic ")):
        done = command(*shlex.split(line, comments=True)[1:], cwd=home, env=away)
        assert (done.returncode, done.stderr) == (0, ""), line
    hub.close()
    assert list(hub.repos) == (["org/name"] if page == "README.md" else [])


# ---- blocks


@pytest.mark.parametrize(("page", "number"), [(page, i) for page in PAGES for i in range(len(blocks(page, "python")))])
def test_every_block_of_python_runs(home, page, number):
    code = blocks(page, "python")[number].text
    subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=home, check=True, timeout=120)


@pytest.mark.parametrize(("page", "number"), [(page, i) for page in PAGES for i in range(len(blocks(page, "toml")))])
def test_every_recipe_makes_a_release(home, tmp_path, page, number):
    (tmp_path / "shown.toml").write_text(blocks(page, "toml")[number].text, "utf-8")
    line = ["release", "demo-release.store", "--to", tmp_path / "made", "--recipe", tmp_path / "shown.toml"]
    done = command(*line, cwd=home, env={"PYTHONPATH": os.pathsep.join([str(ROOT), str(home)])})
    assert done.returncode == 0, done.stderr
    for use in re.findall(r'rule = "(\S+)"', blocks(page, "toml")[number].text):
        assert re.search(rf"^ +{use}\b", done.stdout, re.MULTILINE), use


@pytest.mark.parametrize("page", PAGES)
def test_a_release_holds_the_files_that_are_listed(home, page):
    for block in blocks(page, "text"):
        top, *listed = re.findall(r"^ *(\S+)", block.text, re.MULTILINE)
        assert top == "demo-release/"
        assert len(listed) > 5
        for name in listed:
            assert (home / top / name).is_file(), name


# ---- claims


@pytest.mark.parametrize("page", [*PAGES, "CONTRIBUTING.md", "SECURITY.md", "benchmarks/README.md"])
def test_what_is_linked_is_there(page):
    for to in targets(page):
        assert (ROOT / page).parent.joinpath(to).exists(), to


def test_as_many_rows_have_a_tick_as_there_are_formats():
    assert read("README.md").count("| ✓ |") == len(FORMATS)


def test_every_rule_and_every_recipe_of_ours_is_named():
    page = read("docs/recipes.md")
    assert [name for name in [*RULES, *recipe.builtin()] if f"`{name}`" not in page] == []


def test_the_benchmark_is_the_one_that_was_measured():
    shown = " ".join(read("README.md").partition("## How fast")[2].partition("\n## ")[0].split())
    table = [line for line in read("benchmarks/README.md").splitlines() if line.startswith("| ")]
    head = [cell.strip() for cell in table[0].split("|")]
    (row,) = (line for line in table if line.startswith("| release | 100,000 |"))
    cells = dict(zip(head, (cell.strip() for cell in row.split("|")), strict=True))
    assert f"{float(cells['CPU-s']):.0f} CPU-seconds" in shown
    assert f"{int(cells['peak MB'].replace(',', '')) / 1000:.1f} GB" in shown
    assert f"{cells['against'].split()[0]} times" in shown
    assert cells["command"] in shown


def test_the_citation_is_of_this_version():
    citation = dict(re.findall(r"^(\S+): (.+)", read("CITATION.cff"), re.MULTILINE))
    project = tomllib.loads(read("pyproject.toml"))["project"]
    assert (citation["title"], citation["version"]) == (project["name"], synthetic.__version__)
    assert (citation["license"], citation["abstract"]) == (project["license"], project["description"])


# ---- pictures


def test_the_picture_of_the_demo_is_what_it_prints(home):
    made = pictures.demo_svg((home / "demo.txt").read_text("utf-8"))
    assert (pictures.PICTURES / "demo.svg").read_text("utf-8") == made, "it prints something else now: make pictures"


def test_the_picture_of_the_demo_cuts_nothing_names_no_machine_and_loads_nothing(home):
    printed = re.sub(r"\x1b\[[\d;]*m", "", (home / "demo.txt").read_text("utf-8"))
    assert max(map(len, printed.splitlines())) <= pictures.COLUMNS
    shown = (pictures.PICTURES / "demo.svg").read_text("utf-8")
    assert re.findall(r"https?://[^\"]+|url\((?!#)|/tmp|/home|/root", shown) == ["http://www.w3.org/2000/svg"]


def test_the_picture_of_the_card_shows_the_card(home):
    png = (pictures.PICTURES / "card.png").read_bytes()
    top = pictures.card_top((home / "demo-release" / "README.md").read_text("utf-8"))
    assert top.startswith("\n# demo-reasoning-traces\n")
    assert "## At a glance" in top
    assert pictures.stamp(png) == pictures.digest(top), "the card says something else now: make pictures, with Chromium"
    assert len(png) <= 300_000


def test_the_pictures_are_in_readme():
    assert {to for to in targets("README.md") if to.startswith("docs/pictures/")} == {
        f"docs/pictures/{path.name}" for path in pictures.PICTURES.iterdir()
    }
