"""What is written about the package is what the package says."""

import argparse
import importlib.util
import re
import tomllib

import pytest

import synthetic
from synthetic import cli
from synthetic.formats import FORMATS
from synthetic.parser import parser
from synthetic.resources import folder
from synthetic.rules import RULES
from tests.releases import ROOT


def verbs() -> dict[str, argparse.ArgumentParser]:
    """The parser of each verb."""
    actions = parser()._actions
    (found,) = [action for action in actions if isinstance(action, argparse._SubParsersAction)]
    return dict(found.choices)


def test_the_page_of_columns_is_what_the_schemas_say():
    spec = importlib.util.spec_from_file_location("columns", ROOT / "docs" / "columns.py")
    assert spec is not None
    assert spec.loader is not None
    columns = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(columns)
    assert (ROOT / "docs" / "columns.md").read_text("utf-8") == columns.page()


def test_the_changelog_knows_this_version():
    assert re.search(rf"^## {re.escape(synthetic.__version__)}\b", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.M)


@pytest.mark.parametrize("verb", verbs())
def test_every_help_says_what_it_does_and_has_an_example_that_parses(verb):
    own = verbs()[verb]
    text = own.format_help()
    example = text.rpartition("example:\n  ")[2].strip()
    assert example.startswith(f"synthetic {verb}")
    assert parser().parse_args(re.findall(r"'[^']*'|\S+", example)[1:]).verb == verb
    assert own.description
    assert "--json" in text
    for action in own._actions:
        assert action.help, f"{verb} {action.option_strings or action.dest} says nothing"


def test_help_shows_where_to_start():
    assert "synthetic demo" in parser().format_help()


def test_every_public_name_is_there_and_described():
    for name in synthetic.__all__:
        assert getattr(synthetic, name).__doc__, name


def test_every_rule_and_format_says_what_it_is():
    for rule in RULES.values():
        assert rule.doc.endswith("."), rule.name
    for one in FORMATS.values():
        assert one.title
        assert one.looked_for
        assert one.detected_by


@pytest.mark.parametrize("path", sorted(folder("schemas").glob("*.toml")), ids=lambda path: path.stem)
def test_every_column_has_a_sentence(path):
    for column in tomllib.loads(path.read_text("utf-8"))["column"]:
        assert column["doc"].endswith((".", "…")), column["name"]


def test_every_verb_of_the_parser_runs_something():
    assert set(verbs()) == set(cli.VERBS)
