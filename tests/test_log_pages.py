"""The pages on logs: every format is in one, every page is in the index, and the example of maps is read as it says."""

import re
import shlex

import synthetic
from synthetic.cli import main
from synthetic.formats import FORMATS
from synthetic.formats.column_map import WAYS, Map, Value
from tests.pages import ROOT, blocks, read

FOLDER = ROOT / "docs" / "logs"
PAGES = {page.name: page.read_text("utf-8") for page in sorted(FOLDER.glob("*.md"))}
INDEX = PAGES.pop("README.md")


def listed() -> dict[str, list[str]]:
    """The formats of each page, as the index has them."""
    rows = re.findall(r"^\| \[([\w.-]+)\]\(([\w.-]+)\) \| (.+) \|$", INDEX, re.MULTILINE)
    assert all(name == target for name, target, _ in rows)
    return {name: formats.split(", ") for name, _, formats in rows}


def test_every_format_is_in_the_index_and_named_on_its_page():
    where = {name: page for page, formats in listed().items() for name in formats}
    assert set(FORMATS) - set(where) == set()
    for name in FORMATS:
        assert re.search(rf"\b{re.escape(name)}\b", PAGES[where[name]], re.IGNORECASE), f"{where[name]} names no {name}"


def test_every_page_is_in_the_index():
    assert set(listed()) == set(PAGES)


def test_a_page_is_short_and_says_what_to_type():
    for name, text in PAGES.items():
        assert len(text.splitlines()) <= (120 if name == "maps.md" else 60), name
        assert "synthetic capture " in text, name


def test_the_example_of_maps_is_read_as_the_page_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (log,) = blocks("docs/logs/maps.md", "jsonl")
    (text,) = blocks("docs/logs/maps.md", "toml")
    (command,) = blocks("docs/logs/maps.md", "sh")
    (tmp_path / "run" / "step_3").mkdir(parents=True)
    (tmp_path / "run" / "step_3" / "part.jsonl").write_text(log.text, "utf-8")
    (tmp_path / "my-map.toml").write_text(text.text, "utf-8")
    assert main(shlex.split(command.text)[1:]) == 0
    first, second = synthetic.scan(tmp_path / "my-store").collect().sort("trace_id").to_dicts()
    wanted = {"trace_id": "q1-0", "reward": 1.0, "recorded_verdict": True, "ground_truth": "2", "step": 3}
    assert {name: first[name] for name in wanted} == wanted
    assert (second["trace_id"], second["reward"], second["recorded_verdict"]) == ("q1-1", 0.0, False)
    assert (first["domain"], first["framework"], first["messages"][0]["role"]) == ("math", "my-trainer", "user")


def test_the_page_of_maps_names_all_that_a_map_may_say():
    page = read("docs/logs/maps.md")
    for name in (*Map.__struct_fields__, *Value.__struct_fields__, *WAYS):
        assert re.search(rf"[|,] {name}[ ,]|\b{name} = ", page), name
