"""What a rule would drop: looks, counts, examples. Nothing is changed."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any  # TOML values

import polars as pl
import tomli_w

from synthetic import expression, recipe
from synthetic.judged import Judged
from synthetic.recipe import Use
from synthetic.rules import RULES
from synthetic.run import Bench
from synthetic.shard import reading
from synthetic.stage import Progress, silent
from synthetic.store import Cache, snapshot


@dataclass(frozen=True)
class Preview:
    """What a rule would do to every row of some stores."""

    rule: str
    toml: str
    """The line to add to a recipe's `keep`."""
    rows: int
    dropped: int
    environments: pl.DataFrame
    """env_id, rows, dropped."""
    examples: list[tuple[str, str]]
    """row_id and reason of some rows that would be dropped."""


def filter(*stores: str | Path, where: str, progress: Progress = silent) -> Preview:
    """What `where = "…"` would drop. Raises `RecipeError`."""
    expression.parsed(where, "--where")
    use = Use(RULES["where"], "where", {"matches": where}, "--where")
    return _preview(stores, use, progress)


def _preview(stores: Sequence[str | Path], use: Use, progress: Progress) -> Preview:
    read = recipe.read(None, name="preview")
    with ExitStack() as stack:
        stack.enter_context(reading(*stores))
        facts = snapshot(*stores, progress=progress)
        bench = Bench(facts, read, Cache.of(Path(stores[0]), stack), progress)
        bench.check_names([use])
        judged = bench.apply("preview", [use])
        environments = _by_environment(bench, judged)
        examples = _examples(bench, judged)
    rows = sum(facts.rows)
    return Preview(use.text, inline(use.toml), rows, rows - judged.kept, environments, examples)


def inline(entry: Mapping[str, Any]) -> str:
    """An entry of `keep` as one line of TOML."""
    return "{ " + ", ".join(tomli_w.dumps({key: value}).strip() for key, value in entry.items()) + " }"


def _by_environment(bench: Bench, judged: Judged) -> pl.DataFrame:
    counted = []
    for place, standing in enumerate(judged.standing):
        envs = bench.frame(place, ["env_id"]).collect().with_columns(dropped=~standing)
        counted.append(envs.group_by("env_id").agg(rows=pl.len(), dropped=pl.col("dropped").sum()))
    if not counted:
        return pl.DataFrame(schema={"env_id": pl.String, "rows": pl.UInt32, "dropped": pl.UInt32})
    return pl.concat(counted).group_by("env_id").sum().sort("env_id", nulls_last=True)


def _examples(bench: Bench, judged: Judged, most: int = 3) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for place, hits in judged.steps[0].hits.items():
        ids = bench.frame(place, ["row_id"]).collect()["row_id"]
        found += [(ids[position], reason) for position, reason, _ in hits.head(most - len(found)).iter_rows()]
        if len(found) == most:
            break
    return found
