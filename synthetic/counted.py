"""The numbers of a release: of its rows, and of their tokens where its recipe names a tokenizer."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any  # numbers as JSON

import msgspec
import polars as pl

from synthetic import context, references, stats
from synthetic.manifest import Config
from synthetic.recipe import Recipe
from synthetic.record import canonical_json


def open_configs(folder: Path, configs: Mapping[str, Config]) -> dict[str, pl.LazyFrame]:
    """The configs of a release as frames."""
    return {
        name: pl.scan_parquet([folder / data.path for data in config.files], glob=False)
        for name, config in configs.items()
    }


def counted(configs: Mapping[str, pl.LazyFrame], recipe: Recipe) -> dict[str, Any]:
    """All numbers of a release with these configs; those of tokens where its recipe names a tokenizer.

    Raises `UnreadableLog` where that is none.
    """
    numbers = stats.numbers(configs)
    if recipe.tokens:
        file = references.tokenizer(asdict(recipe.tokens), recipe)
        known, budget = context.opened(file.frame.collect()["json"][0]), recipe.tokens.budget
        rows = stats.tokens(configs, known, budget)
        numbers["tokens"] = {"tokenizer": file.told["name"], "digest": file.digest, "budget": budget, "configs": rows}
    return numbers


def numbers_text(numbers: Mapping[str, Any]) -> str:
    """The numbers as `release/reports/stats.json` holds them."""
    return msgspec.json.format(canonical_json(numbers), indent=2) + "\n"
