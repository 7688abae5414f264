"""What the recipe says about environments, put where the logs say nothing."""

from collections.abc import Mapping

import polars as pl

DESCRIBED = ("task_type", "domain", "source", "source_license")

Environments = Mapping[str, Mapping[str, str]]


def described(traces: pl.LazyFrame, environments: Environments) -> pl.LazyFrame:
    """Fill task_type, domain and source where they are null, and add source_license, by env_id, else env_name."""
    filled = []
    for column in DESCRIBED:
        said = {env: table[column] for env, table in environments.items() if column in table}
        by_env = [
            pl.col(key).replace_strict(said, default=None, return_dtype=pl.String) if said else pl.lit(None, pl.String)
            for key in ("env_id", "env_name")
        ]
        known = [] if column == "source_license" else [pl.col(column)]
        filled.append(pl.coalesce(*known, *by_env).alias(column))
    return traces.with_columns(filled)
