"""Expressions in recipes and on the command line: SQL over a row's columns, scorers and metrics, by name.

    correct >= 1 and reward < 2       a column of the record first, else a scorer, else a metric of that name

An expression looks at one row: there are no aggregates, windows, subqueries and clocks. Numbers that are not finite are
null, and so is the result where a number on the way to it is not finite (0 / 0 is greater than everything in polars).
What a null result means is the caller's to say.
"""

import re
from collections.abc import Iterator
from functools import partial
from sys import float_info

import polars as pl
from msgspec import json

from synthetic.errors import RecipeError
from synthetic.record import measured, record

FUNCTIONS = frozenset(
    "abs cast cbrt ceil ceiling char_length coalesce concat concat_ws date_part ends_with exp extract floor greatest "
    "if ifnull initcap least left length ln log log10 log1p log2 lower ltrim mod nullif octet_length pow power "
    "regexp_like replace reverse right round rtrim sign split_part sqrt starts_with strpos substr substring trim "
    "try_cast upper".split()
)
"""What an expression may call. polars has more; those look at other rows, or at the clock, or are not needed."""

_BEFORE_BRACKET = frozenset("and between case else ilike in like not or then when".split())
_BARRED = frozenset("current_date current_time current_timestamp localtime localtimestamp select".split())
_WORD = re.compile(r"""'(?:[^']|'')*'|("(?:[^"]|"")*"|\w+)(\s*\()?""")


def parsed(text: str, where: str) -> pl.Expr:
    """The expression; raises `RecipeError` where it is no SQL expression over one row."""
    for match in _WORD.finditer(text):
        word, called = (match[1] or "").lower(), match[2]
        if word in _BARRED or (called and word not in FUNCTIONS and word not in _BEFORE_BRACKET):
            raise RecipeError(
                f"{where}: {text!r}: there is no '{word}': an expression looks at one row",
                hint=f"it may call {', '.join(sorted(FUNCTIONS))}",
            )
    try:
        found = pl.sql_expr(text)
    except pl.exceptions.PolarsError as error:
        reason = str(error).partition("\n")[0]
        raise RecipeError(
            f"{where}: {text!r} is no expression: {reason}", hint="for example: correct >= 1 and reward < 2"
        ) from error
    if found.meta.has_multiple_outputs():  # polars takes "^a.*$" and "*" for patterns
        raise RecipeError(f"{where}: {text!r} names a pattern of columns; name each one")
    return found


def names(text: str, where: str) -> list[str]:
    """The names in the expression, each once."""
    return list(dict.fromkeys(parsed(text, where).meta.root_names()))


def scored(text: str, where: str) -> list[str]:
    """Those of its names that can only be scorers or metrics."""
    return [name for name in names(text, where) if name not in types()]


def columns(text: str, where: str) -> tuple[str, ...]:
    """The columns that must be read to evaluate it."""
    needed = [column for name in names(text, where) for column in ([name] if name in types() else _SCORES)]
    return tuple(dict.fromkeys(needed))


def types() -> dict[str, pl.DataType]:
    """Every column of a store's rows, measured ones included, with its type."""
    return record().polars | measured().polars


def check(text: str, where: str) -> None:
    """Raise `RecipeError` unless it is a condition."""
    traces, matching = condition(pl.LazyFrame(schema=types()), text, where)
    try:
        traces.select(matching.alias("it")).collect()
    except pl.exceptions.PolarsError as error:
        raise RecipeError(f"{where}: {text!r}: {str(error).partition(chr(10))[0]}") from error


def condition(traces: pl.LazyFrame, text: str, where: str) -> tuple[pl.LazyFrame, pl.Expr]:
    """The frame with what the expression names, and the expression over it, true, false or null.

    Raises `RecipeError` when it is not a condition.
    """
    expression, used = parsed(text, where), names(text, where)
    added = [_number(name).alias(name) for name in used if name not in types()]
    finite = [pl.when(pl.col(n).is_finite()).then(pl.col(n)).alias(n) for n in used if types().get(n) == pl.Float64]
    traces = traces.with_columns(added + finite)
    empty = pl.LazyFrame(schema=traces.collect_schema())
    try:
        found = _type(empty, expression)
        numbers = [part for part in _parts(expression) if _type(empty, part).is_float()]
    except pl.exceptions.PolarsError as error:
        raise RecipeError(f"{where}: {text!r}: {str(error).partition(chr(10))[0]}") from error
    if found not in (pl.Boolean, pl.Null):
        raise RecipeError(
            f"{where}: {text!r} is a {found}, not a condition", hint=f"compare it, for example: {text} >= 1"
        )
    sound = [part.is_finite().fill_null(True) for part in numbers]
    whole = pl.when(pl.all_horizontal(sound)).then(expression) if sound else expression
    return traces, whole.cast(pl.Boolean)


_SCORES = ("rewards", "metrics")


def _type(frame: pl.LazyFrame, expression: pl.Expr) -> pl.DataType:
    return frame.select(expression.alias("it")).collect_schema()["it"]


def _parts(expression: pl.Expr) -> Iterator[pl.Expr]:
    """What is computed on the way to the expression."""
    for part in expression.meta.pop():
        if not part.meta.is_column() and not part.meta.is_literal():
            yield part
            yield from _parts(part)


def _number(name: str) -> pl.Expr:
    """The score or metric of that name; a metric that is true is 1, one that is false 0."""
    named = pl.element().struct.field("name") == name
    score = pl.col("rewards").list.eval(pl.element().filter(named).struct.field("score")).list.first()
    metric = pl.col("metrics").map_batches(partial(_metric, name=name), return_dtype=pl.Float64, is_elementwise=True)
    number = pl.coalesce(score, metric)
    return pl.when(number.is_finite()).then(number)


def _metric(metrics: pl.Series, name: str) -> pl.Series:
    # Not by JSON path: that has no way to write every name, and takes longer.
    tables = [json.decode(text) if text else {} for text in metrics]
    found = [table.get(name) if isinstance(table, dict) else None for table in tables]
    numbers = [float(n) if isinstance(n, int | float) and abs(n) <= float_info.max else None for n in found]
    return pl.Series(numbers, dtype=pl.Float64)
