"""What a measure, a rule and a view are: pure functions on frames, with a label that says what they need.

A **measure** adds columns to facts. A **rule** names the rows to drop and why. A **view** shapes one config
of a release. None of them knows files, the network or the clock. The label is what caching, resume and
scheduling need:

    reads      the columns it is given
    together   None: row by row, one task per shard · a column: rows with equal values meet, one task per hash part of
               it · EVERYTHING: all rows meet, narrow columns only
    groups     a stage on narrow columns that puts rows into groups first; only grouped rows meet, group by group, so
               wide columns of the others are never read
    once       only one row of each value of this column is read; what is found goes to all of them
    against    what the rows are compared with, opened by whoever runs the stage and handed in as a frame
    version    raised when the same input would give another output; cached results of other versions are not used

Settings are the function's keyword-only parameters: there are no config classes.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, get_args  # Any: a recipe's TOML values, and functions with settings of their own

import msgspec
import polars as pl

from synthetic import expression
from synthetic.errors import RecipeError

EVERYTHING = "*"

GROUP = "group"
"""The column that a grouping gives: rows with equal values meet."""

Progress: TypeAlias = Callable[[str, int, int | None], None]
"""Told what is being done, how much of it is done, and of how much (None: not known)."""


def silent(what: str, done: int, of: int | None) -> None:
    """Progress that nobody watches."""


Frames: TypeAlias = Callable[..., pl.LazyFrame]

Meets: TypeAlias = Callable[[Mapping[str, Any]], str]
"""The column whose equal values meet, or EVERYTHING, given all settings."""


@dataclass(frozen=True)
class Stage:
    """A function on frames and its label."""

    name: str
    function: Frames
    reads: tuple[str, ...]
    together: "str | Meets | None"
    version: int
    gives: tuple[str, ...] = ()
    """Columns that a measure adds, beside row_id."""
    expressions: str | None = None
    """The setting that holds an expression, or expressions by name: it reads what they name."""
    groups: "Stage | None" = None
    """Puts rows into groups before a rule sees them; takes those of the rule's settings that it has."""
    once: str | None = None
    """A column: of a measure whose rows all meet, one row of each of its values is read, the one of least row_id."""
    against: str | None = None
    """A kind of reference (`references`): what the rows are compared with, the function's second argument."""
    compiles: bool = False
    """Its kernels are compiled when they are first used on a machine, which takes seconds."""
    never_empties: tuple[str, ...] = ()
    """Columns whose every standing value must keep a row, unless the setting `may_empty` allows it."""

    def __call__(self, traces: pl.LazyFrame, *others: pl.LazyFrame, **settings: Any) -> pl.LazyFrame:
        """Apply the function, to rows that were grouped before or are grouped now."""
        if self.groups is not None and GROUP not in traces.collect_schema():
            grouped = self.groups(traces, **self.grouping(settings))
            traces = traces.join(grouped, on="row_id", how="inner", maintain_order="left")
        return self.function(traces, *others, **settings)

    def grouping(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Those of its settings that the stage which groups its rows has, too."""
        held = {**self.defaults, **settings}
        return {name: held[name] for name in self.groups.parameters} if self.groups else {}

    @property
    def doc(self) -> str:
        """The first line of the function's docstring."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0]

    def columns(self, settings: Mapping[str, Any]) -> tuple[str, ...]:
        """The columns that it reads under these settings: `{per}` in a declared name stands for that
        setting. What its grouping reads is not among them, nor what that gives.
        """
        filled = {**self.defaults, **settings}
        named = [name.format_map(filled) for name in self.reads]
        for text in self.texts(settings).values():
            named += expression.columns(text, self.name)
        if (column := self.meets(settings)) not in (None, EVERYTHING, GROUP):
            named.append(column)
        if self.once is not None:
            named.append(self.once)
        return tuple(dict.fromkeys(named))

    def all_columns(self, settings: Mapping[str, Any]) -> tuple[str, ...]:
        """The columns that it and its grouping read under these settings."""
        before = self.groups.columns(self.grouping(settings)) if self.groups else ()
        return tuple(dict.fromkeys([*self.columns(settings), *before]))

    def texts(self, settings: Mapping[str, Any]) -> dict[str, str]:
        """The expressions in these settings, by name (of the environment, or of the setting)."""
        if self.expressions is None:
            return {}
        held = {**self.defaults, **settings}[self.expressions]
        return {self.expressions: held} if isinstance(held, str) else dict(held)

    def meets(self, settings: Mapping[str, Any]) -> str | None:
        """The column whose equal values meet under these settings."""
        if self.groups is not None:
            return GROUP
        held = {**self.defaults, **settings}
        if callable(self.together):
            return self.together(held)
        return self.together.format_map(held) if self.together else None

    @property
    def parameters(self) -> dict[str, inspect.Parameter]:
        """The settings by name."""
        signature = inspect.signature(self.function, eval_str=True)
        return {n: p for n, p in signature.parameters.items() if p.kind is inspect.Parameter.KEYWORD_ONLY}

    @property
    def defaults(self) -> dict[str, Any]:
        """The settings that have a default."""
        return {n: p.default for n, p in self.parameters.items() if p.default is not p.empty}

    def check(self, settings: Mapping[str, Any], where: str) -> None:
        """Raise `RecipeError` unless the settings fit the function's signature, and the columns that it then reads are
        there.
        """
        known = self.parameters
        for name, value in settings.items():
            if name not in known:
                choices = f"it has {sorted(known)}" if known else "it has none"
                raise RecipeError(f"{where}: '{self.name}' has no setting '{name}'; {choices}")
            wanted = known[name].annotation
            try:
                msgspec.convert(value, Any if wanted is inspect.Parameter.empty else wanted)
            except msgspec.ValidationError as error:
                takes = TAKES.get(wanted) or (f"one of {list(get_args(wanted))}" if get_args(wanted) else wanted)
                raise RecipeError(f"{where}: '{name}' of '{self.name}' is {value!r}; it takes {takes}") from error
        for name, parameter in known.items():
            if parameter.default is parameter.empty and name not in settings:
                raise RecipeError(
                    f"{where}: '{self.name}' needs '{name}'", hint=f'{{ rule = "{self.name}", {name} = … }}'
                )
        for text in self.texts(settings).values():
            expression.check(text, where)
        there = expression.types()
        for column in self.all_columns(settings):
            if column not in there:
                raise RecipeError(f"{where}: '{self.name}' reads '{column}'; there are the columns {sorted(there)}")
        if there.get(self.meets(settings) or "", pl.String()).is_nested():
            raise RecipeError(f"{where}: '{self.name}' cannot compare whole '{self.meets(settings)}'")


TAKES = {int: "a whole number", float: "a number", str: "a string", bool: "true or false"}
"""Types of settings, in words."""


def rule(
    *reads: str,
    together: str | None = None,
    expressions: str | None = None,
    groups: Stage | None = None,
    against: str | None = None,
    never_empties: tuple[str, ...] = (),
    compiles: bool = False,
    version: int,
) -> Callable[[Frames], Stage]:
    """Make a function a rule: it gives `row_id` and `reason` of the rows to drop, each at most once.

    A column `flag` (boolean, never null) may say of which rows it only has doubts: these stay, and are marked.
    """

    def made(function: Frames) -> Stage:
        return Stage(
            function.__name__,
            function,
            ("row_id", *reads),
            together,
            version,
            expressions=expressions,
            groups=groups,
            against=against,
            never_empties=never_empties,
            compiles=compiles,
        )

    return made


def grouping(
    *reads: str, together: str | Meets, gives: tuple[str, ...] = (), version: int
) -> Callable[[Frames], Stage]:
    """Make a function a grouping: it gives `row_id` and `group` (text) of the rows that have others to meet.

    `gives` names columns that it finds out besides, for the rule.
    """

    def made(function: Frames) -> Stage:
        return Stage(function.__name__, function, ("row_id", *reads), together, version, gives=(GROUP, *gives))

    return made


def measure(
    *reads: str,
    gives: tuple[str, ...],
    together: str | None = None,
    expressions: str | None = None,
    once: str | None = None,
    compiles: bool = False,
    version: int,
) -> Callable[[Frames], Stage]:
    """Make a function a measure: it gives `row_id` and the columns in `gives`, for every row that it reads."""

    def made(function: Frames) -> Stage:
        named = function.__name__
        return Stage(
            named, function, ("row_id", *reads), together, version, gives, expressions, once=once, compiles=compiles
        )

    return made


@dataclass(frozen=True)
class View:
    """One config of a release: which rows it must never hold, and the shape of those it holds."""

    config: str
    schema: str
    """Id of the schema of its rows."""
    shape: Frames
    """Gives the rows, one for each it is given and in their order, in the columns of the schema or in those that
    `gathers` takes; takes `thinking` and `environments`, which the recipe says."""
    title: str
    """What the config is, in a sentence, for the card."""
    requires: tuple[str, ...] = ()
    """Rules that the recipe's list for this config must contain, whatever else it keeps."""
    always: tuple[str, ...] = ()
    """Rules applied first, whether or not the recipe lists them."""
    takes_rules: bool = True
    prefix: bool = True
    """The rules that all configs for training begin with, `[[keep]]`, are applied to it too."""
    reads: tuple[str, ...] = ()
    """Columns of the record and measured ones that `shape` needs, where `gathers` makes the columns of the schema."""
    gathers: Frames | None = None
    """Makes rows of the schema of shaped rows that stand; it is given all rows of some problems at once, in any order.
    None: each row that stands is a row of the config."""
    gathers_by: str | None = None
    """The rule whose settings `gathers` takes."""
    whole: str | None = None
    """A column: the recipe's rules must leave out all rows of a value or none, since its rows are counted."""
    texts: bool = True
    """Its rows hold what the model wrote."""
    unit: tuple[str, str] = ("row", "rows")
    """What a row of it is, one and many, in words."""
    key: str = "row_id"
    """The column that tells its rows apart."""
    order: tuple[str, ...] = ("problem_id", "trace_id", "branch")
    """Columns by which its rows are sorted in a file."""

    @property
    def by_row(self) -> bool:
        """Whether each of its rows is one that stands."""
        return self.gathers is None
