"""The rows of a store or of a release, to look at: one of them, or counted. Nothing is changed."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any  # a row's values

import polars as pl

from synthetic import manifest, stats
from synthetic import recipe as recipes
from synthetic.counted import open_configs
from synthetic.errors import BrokenRelease, SyntheticError
from synthetic.manifest import Kept
from synthetic.recipe import Recipe
from synthetic.record import record, schema
from synthetic.run import Bench
from synthetic.shard import reading
from synthetic.store import Cache, Store, snapshot


def traces(folder: str | Path) -> pl.LazyFrame:
    """All rows with their verdict: the `traces` config of a release, or a store under the default recipe."""
    path = Path(folder)
    if manifest.is_release(path):
        return open_configs(path, manifest.read(path).configs)["traces"]
    if not Store(path).exists():
        raise BrokenRelease(f"{path}: neither a release (no {manifest.PATH}) nor a store (no folder 'shards')")
    facts = snapshot(path)
    if not facts.traces:
        return pl.LazyFrame(schema=record().polars | {"verdict": pl.String(), "verdict_rule": pl.String()})
    with ExitStack() as stack:
        bench = Bench(facts, recipes.read(None, name="look"), Cache.of(path, stack))
        columns = [*record().names, "verdict", "verdict_rule"]
        return pl.concat([bench.frame(place, columns) for place in range(len(facts.traces))])


def find(folder: str | Path, row: str | None) -> dict[str, Any]:
    """One row with its verdict and `drops`: by row_id, by trace_id, or by how its row_id begins; None: the first one.

    A store has no drops of its own: they are those of the default recipe. Raises `SyntheticError` when there is none.
    """
    path = Path(folder)
    with reading(path):
        rows = traces(path)
        if row is not None:
            rows = rows.filter(pl.col("row_id").str.starts_with(row))
        ids = rows.select("row_id", "trace_id").collect()
        if ids.is_empty():
            what = f"no row whose id begins with '{row}'" if row else "no rows"
            raise SyntheticError(f"{path}: {what}", hint=f"synthetic stats {path}")
        # A whole id comes before one that only begins like it: `t1/0` before `t1/01`, trace `t1` before `t10`.
        whole = ids.filter((pl.col("row_id") == pl.lit(row)) | (pl.col("trace_id") == pl.lit(row)))
        id = (whole if whole.height else ids)["row_id"][0]
        one = rows.filter(pl.col("row_id") == id).collect().row(0, named=True)
    one["also"] = [] if row in (None, id) else [other for other in ids["row_id"].head(6) if other != id][:5]
    if "drops" not in one:
        own = drops(path).filter(pl.col("row_id") == one["row_id"])
        one["drops"] = own.select("config", "rule", "reason").to_dicts()
    return one


def drops(*stores: str | Path, recipe: str | Path | Recipe | None = None) -> pl.DataFrame:
    """Every row that a recipe (None: the default one) keeps out of a config: the columns of `schemas/drop-1.toml`.

    A row stands once for each config, with the first rule that drops it. Raises `RecipeError`, `BrokenStore`.
    """
    read = recipe if isinstance(recipe, Recipe) else recipes.read(recipe, name="look")
    found = [pl.DataFrame(schema=schema("drop-1").polars)]
    with ExitStack() as stack:
        stack.enter_context(reading(*stores))
        facts = snapshot(*stores)
        bench = Bench(facts, read, Cache.of(Path(stores[0]), stack))
        for judged in bench.judge_all().values():
            for place in range(len(facts.traces)):
                ids = bench.frame(place, ["row_id"]).collect()["row_id"]
                said = judged.drops(place)
                found.append(said.select("config", ids.gather(said["position"]), "rule", "reason"))
    return pl.concat(found)


def counted(folder: str | Path, columns: Sequence[str]) -> pl.DataFrame:
    """Counts, verdicts, rewards and lengths by columns. Raises `RecipeError` for a column that is not there."""
    with reading(folder):
        return stats.by(traces(folder), columns)


def funnels(folder: str | Path) -> dict[str, tuple[list[Kept], int]]:
    """For every config that takes rules: its funnel and the rows kept; of a store, under the default recipe."""
    path = Path(folder)
    if manifest.is_release(path):
        configs = manifest.read(path).configs
        return {name: (config.funnel, config.rows) for name, config in configs.items() if config.funnel}
    with ExitStack() as stack:
        stack.enter_context(reading(path))
        bench = Bench(snapshot(path), recipes.read(None, name="look"), Cache.of(path, stack))
        return {
            name: ([Kept(step.use.text, step.seen, step.dropped, step.flagged) for step in judged.steps], judged.kept)
            for name, judged in bench.judge_all().items()
            if judged.steps
        }
