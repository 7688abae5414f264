"""The rules, one file each: which rows to drop and why. To add one, write its file and a line here.

A rule from outside is named `my_package:my_rule` in a recipe: it is imported, and must be made with `stage.rule`.
"""

import importlib

from synthetic.errors import RecipeError
from synthetic.rules.answered import answered
from synthetic.rules.at_most import at_most
from synthetic.rules.finished import finished
from synthetic.rules.fits import fits
from synthetic.rules.near_unique import near_unique
from synthetic.rules.one_script import one_script
from synthetic.rules.origin import from_training, trainable
from synthetic.rules.paired import paired
from synthetic.rules.prompted import prompted
from synthetic.rules.suspects import honest, willing
from synthetic.rules.thought_whole import thought_whole
from synthetic.rules.undecided import undecided
from synthetic.rules.unique import unique
from synthetic.rules.unlooped import unlooped
from synthetic.rules.unpublished import unpublished
from synthetic.rules.unseen import unseen
from synthetic.rules.verified import verified
from synthetic.rules.well_formed import well_formed
from synthetic.rules.where import where
from synthetic.stage import Stage

RULES: dict[str, Stage] = {
    stage.name: stage
    for stage in (
        from_training,
        trainable,
        well_formed,
        finished,
        verified,
        undecided,
        prompted,
        paired,
        unique,
        near_unique,
        unlooped,
        answered,
        unpublished,
        unseen,
        thought_whole,
        one_script,
        fits,
        willing,
        honest,
        at_most,
        where,
    )
}


def named(name: str, place: str) -> Stage:
    """The rule of that name. Raises `RecipeError` with the choices."""
    if name in RULES:
        return RULES[name]
    module, colon, attribute = name.partition(":")
    if not colon:
        raise RecipeError(f"{place}: there is no rule '{name}'; there are {sorted(RULES)}")
    try:
        found = getattr(importlib.import_module(module), attribute, None)
    except (ImportError, SyntaxError, ValueError) as error:  # ValueError: nothing before the colon
        raise RecipeError(f"{place}: cannot import the rule '{name}': {error}") from error
    if not isinstance(found, Stage) or found.gives:
        raise RecipeError(f"{place}: '{name}' is no rule; make it one with @synthetic.stage.rule")
    return found


__all__ = ["RULES", "named"]
