"""What rows are compared with: a frame from outside the stores, with a digest of its content.

A rule's label names a kind of reference (`against`); its opener is found here and given the rule's settings and the
recipe. Rules see the frame alone: what it was read from is told in the manifest.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias  # Any: a recipe's TOML values

import polars as pl

from synthetic import evaluations, manifest
from synthetic.errors import BrokenRelease, RecipeError
from synthetic.fetch import local, pinned, without_revision
from synthetic.formats.tokenizer import decoder
from synthetic.manifest import INDEX
from synthetic.recipe import Recipe
from synthetic.record import Json, digest


@dataclass(frozen=True)
class Reference:
    """Something to compare rows with, opened."""

    frame: pl.LazyFrame
    digest: str
    """Of its content: a result that was made with another one is not used."""
    told: Mapping[str, Json]
    """What a manifest says of it: where it lies, at which revision."""


Opener: TypeAlias = Callable[[Mapping[str, Any], Recipe], Reference]
"""Opens a reference, given a rule's settings (defaults included). Raises `SyntheticError` where it cannot."""


def published(settings: Mapping[str, Any], recipe: Recipe) -> Reference:
    """The index of the release `of`: a folder, or `org/name@<commit>`.

    Raises `BrokenRelease`, `HubFailed`, `RecipeError` for a tag or a branch.
    """
    del recipe
    if name := without_revision(settings["of"]):
        raise BrokenRelease(f"{name}: there is no such folder", hint=f"a release on the Hub: {name}@<commit>")
    folder = local(pinned(settings["of"], "unpublished, of"), ["release/manifest.json", INDEX])
    made = manifest.read(folder)
    held = {file.path: file.sha256 for file in made.files}
    if INDEX not in held:
        raise BrokenRelease(
            f"{folder}: has no index ({INDEX}): it was made by an earlier version",
            hint=f"make it again: synthetic release STORE --to {folder} --recipe {folder}/release/recipe.toml",
        )
    if manifest.sha256(folder / INDEX) != held[INDEX]:
        raise BrokenRelease(
            f"{folder / INDEX}: is not the index that the manifest lists", hint=f"synthetic check {folder}"
        )
    told = {"kind": "published", "name": made.name, "version": made.version, "root": made.root}
    return Reference(pl.scan_parquet(folder / INDEX, glob=False), held[INDEX], told)


def evaluation_items(settings: Mapping[str, Any], recipe: Recipe) -> Reference:
    """The items of the evaluation sets that `sets` names. Raises `RecipeError`, `UnreadableLog`."""
    told, items = [], []
    for name in dict.fromkeys(settings["sets"]):
        if name not in recipe.evaluations:
            raise RecipeError(
                f"unseen: there is no evaluation set '{name}'; the recipe has {sorted(recipe.evaluations)}",
                hint=f'[evaluation."{name}"] path = "…"; columns are known of {sorted(evaluations.common())}',
            )
        found = evaluations.read(name, recipe.evaluations[name])
        items.append(found)
        told.append({"name": name, "items": found.height, "digest": evaluations.content(found)})
    whole = pl.concat(items) if items else pl.DataFrame(schema=evaluations.ITEMS)
    return Reference(whole.lazy(), evaluations.content(whole), {"kind": "evaluations", "sets": told})


def tokenizer(settings: Mapping[str, Any], recipe: Recipe) -> Reference:
    """The file `tokenizer`, a `tokenizer.json`, as text. Raises `UnreadableLog` where it is none."""
    del recipe
    path = Path(settings["tokenizer"])
    decoder(path)
    text = path.read_text("utf-8")
    return Reference(pl.LazyFrame({"json": [text]}), digest(text), {"kind": "tokenizer", "name": path.name})


OPENERS: dict[str, Opener] = {"published": published, "evaluations": evaluation_items, "tokenizer": tokenizer}
"""How each kind is opened."""
