"""Everything that was captured: every trace with its verdict, and why other configs left it out."""

import polars as pl

from synthetic.record import schema
from synthetic.stage import View
from synthetic.views.described import Environments, described


def shape(traces: pl.LazyFrame, *, thinking: str, environments: Environments) -> pl.LazyFrame:
    """The columns of `schemas/traces-1.toml`; messages stay as the log had them, whatever `thinking` says."""
    del thinking
    return described(traces, environments).select(schema("traces-1").names)


TRACES = View(
    config="traces",
    schema="traces-1",
    shape=shape,
    title="Every trace, failures and evaluations included, with verdict, provenance and drop reasons.",
    takes_rules=False,
)
