"""The numbers: everything that a card, `synthetic stats` and the end of an export say, counted from rows.

    numbers(configs)       all that a release's card says, as plain JSON
    by(frame, columns)     rows, verdicts, rewards and lengths by any columns
    tokens(configs, …)     how many tokens of a context their conversations take
    undecided(frame)       environments whose rows no scorer decides, and the recipe lines that would

Equal rows give equal JSON however they are cut into files: lists are sorted, quantiles are values that occur, rewards
are added up exactly, and floats are cut to `DIGITS` significant digits. Each question but that of tokens reads a few
narrow columns, never messages. A name that is missing (of a model, an environment, a run) is None, and so is a number
that cannot be known.
"""

from synthetic.stats.release import numbers
from synthetic.stats.table import DIGITS, by
from synthetic.stats.tokens import tokens
from synthetic.stats.undecided import undecided

__all__ = ["DIGITS", "by", "numbers", "tokens", "undecided"]
