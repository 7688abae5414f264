"""What a release says of its rows: numbers, card, recipe and manifest, made again from the rows and compared."""

import importlib.util
import re
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import Any  # numbers as JSON

import msgspec

from synthetic import card, manifest, plots, recipe, resources
from synthetic.check.again import check_rows
from synthetic.check.checked import Checked
from synthetic.counted import counted, numbers_text, open_configs
from synthetic.errors import RecipeError, SyntheticError
from synthetic.manifest import Manifest
from synthetic.recipe import Recipe
from synthetic.stage import Progress

RECIPE = "release/recipe.toml"

WORDS = re.compile(r"<text[^>]*>([^<]*)</text>")
"""In a .svg. Places of marks may differ in the last digit where another processor computed them."""


def check_claims(path: Path, made: Manifest, done: Checked, progress: Progress) -> None:
    """Check what a release claims, whose files hold."""
    try:
        read = recipe.parse((path / RECIPE).read_text("utf-8"), where=RECIPE, name=made.name)
    except (RecipeError, UnicodeDecodeError) as error:
        done.expect(False, f"{RECIPE}: {error}")
        return
    there = (path / "release/reports/stats.json").read_text("utf-8")
    numbers, tokenizer = _numbers(path, made, read, there, done)
    done.expect(numbers_text(numbers) == there, "release/reports/stats.json: the numbers are not those of the rows")
    done.problems += _counted_again(path, tokenizer)
    _pictures(path, made, numbers, done)
    _recipe(path, made, read, done)
    try:
        check_rows(path, made, read, done, progress)
    except RecipeError as error:  # an expression that does not fit what the rows hold
        done.expect(False, f"traces: its rows cannot be judged by the recipe ({error})")
    for name, config in made.configs.items():
        columns = path / f"release/schema/{name}.json"
        if done.expect(columns.is_file(), f"release/schema/{name}.json: is missing"):
            same = msgspec.json.decode(columns.read_bytes()) == config.columns
            done.expect(same, f"release/schema/{name}.json: not the config's columns")
    for file, text in card.texts(made, numbers, read).items():
        written = (path / file).read_text("utf-8") if (path / file).is_file() else ""
        if written != text:
            pairs = enumerate(zip_longest(written.split("\n"), text.split("\n")), 1)
            line, (says, wants) = next(pair for pair in pairs if pair[1][0] != pair[1][1])
            done.expect(False, f"{file}, line {line}: says {says!r}; the rows say {wants!r}")


def _numbers(path: Path, made: Manifest, read: Recipe, there: str, done: Checked) -> tuple[dict[str, Any], Path | None]:
    """The numbers of the rows; those of tokens as the release says them, where its tokenizer is not there. And that."""
    configs = open_configs(path, made.configs)
    said = msgspec.json.decode(there).get("tokens")
    try:
        numbers = counted(configs, read)
    except SyntheticError as error:
        done.notes.append(f"tokens were not counted again: {error}")
        return counted(configs, replace(read, tokens=None)) | {"tokens": said}, None
    if not read.tokens:
        return numbers, None
    if said and said["digest"] != numbers["tokens"]["digest"]:
        done.notes.append(f"tokens were not counted again: {read.tokens.tokenizer} is another file now")
        return numbers | {"tokens": said}, None
    return numbers, Path(read.tokens.tokenizer)


def _counted_again(path: Path, tokenizer: Path | None) -> list[str]:
    """What `pipelines/card_numbers.py`, which shares no code with what wrote the card, finds wrong in it."""
    script = resources.folder("pipelines") / "card_numbers.py"
    spec = importlib.util.spec_from_file_location("card_numbers", script)
    assert spec is not None  # noqa: S101 - a path to a script gives a spec
    assert spec.loader is not None  # noqa: S101
    counting = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(counting)
    found: list[str] = counting.wrong(path, tokenizer)
    return found


def _pictures(path: Path, made: Manifest, numbers: Mapping[str, Any], done: Checked) -> None:
    """Whether the pictures are those of the numbers: all of them, and of each the words and numbers in it.

    What they are words of is drawn again where the same versions draw; else it is told that nobody looked.
    """
    there = {file.path for file in made.files if file.path.startswith(f"{plots.FOLDER}/")}
    drew = {name: made.made_with[name] for name in plots.PACKAGES if name in made.made_with}
    shown = plots.of(numbers, made.configs) if drew else []
    wanted = {file for each in shown for file in each.paths}
    done.expect(there == wanted, f"{plots.FOLDER}: holds {sorted(there)}; the numbers give {sorted(wanted)}")
    if drew and drew != plots.versions():
        done.notes.append(f"pictures: by other versions than are here ({drew}), so that nobody drew them again")
    elif drew and there == wanted:
        with tempfile.TemporaryDirectory(prefix="synthetic-") as scratch:
            plots.drawn(shown, Path(scratch))
            for each in shown:
                here, again = ((folder / each.paths[0]).read_text("utf-8") for folder in (path, Path(scratch)))
                same = WORDS.findall(here) == WORDS.findall(again)
                done.expect(same, f"{each.paths[0]}: does not show the numbers of the rows")


def _recipe(path: Path, made: Manifest, read: Recipe, done: Checked) -> None:
    """Whether the recipe in the release is the manifest's."""
    for name, config in made.configs.items():
        rules = [use.text for use in read.rules(name)]
        done.expect([kept.rule for kept in config.funnel] == rules, f"{name}: the funnel's rules are not the recipe's")
    for key in ("name", "version", "license"):
        says, wants = getattr(made, key), getattr(read, key)
        done.expect(says == wants, f"manifest: its {key} is {says!r}, the recipe says {wants!r}")
    done.expect(manifest.sha256(path / RECIPE) == made.recipe, f"{RECIPE}: is not the manifest's recipe")
