"""What rows are compared with: a frame from outside the stores, with a digest of its content.

A rule's label names a kind of reference (`against`); its opener is found here and given the rule's settings and the
recipe. Rules see the frame alone: what it was read from is told in the manifest.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias  # Any: a recipe's TOML values

import polars as pl

from synthetic.recipe import Recipe
from synthetic.record import Json


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

OPENERS: dict[str, Opener] = {}
"""How each kind is opened."""
