"""Environments whose rows no scorer decides: what was scored, and the recipe lines that would decide them."""

from typing import Final

import polars as pl

from synthetic.errors import SyntheticError
from synthetic.expression import names
from synthetic.record import Json, record
from synthetic.stats.table import ENVIRONMENT, REWARD, Table, collected, grouped, short

BINS: Final = 10


def undecided(frame: pl.LazyFrame) -> Table:
    """One entry for each environment with undecided rows.

    `rewards` is a histogram in `BINS` equal bins (one where all rewards are equal), with the rows that have no reward;
    `scorers` holds the range of each scorer; `recipe` is TOML that would decide the rows, None where the log names no
    environment or nothing was scored. Its threshold is a proposal: the greatest score seen, 1 on a scale of 0 to 1.
    Rows of agents that were not trained are left out: no config for training holds them.
    """
    rows = frame.filter(pl.col("verdict") == "undecided")
    if "trainable" in frame.collect_schema():
        rows = rows.filter(pl.col("trainable").fill_null(True))
    rows = rows.select(ENVIRONMENT, REWARD, "rewards")
    scorers = grouped(_scorers(rows), "environment")
    rewards = collected(rows.group_by("environment", "reward").len("rows"), "environment", "reward")
    found = []
    for environment, spread in grouped(rewards, "environment").items():
        own = scorers[environment].to_dicts() if environment in scorers else []
        scored = spread.drop_nulls("reward")
        rows_seen, rows_scored = int(spread["rows"].sum()), int(scored["rows"].sum())
        total = {"name": "reward", "distinct": scored.height}
        total |= {"min": scored["reward"].min(), "max": scored["reward"].max()}
        found.append(
            {
                "environment": environment,
                "rows": rows_seen,
                "rewards": {"bins": _histogram(scored), "null": rows_seen - rows_scored},
                "scorers": [short(scorer) for scorer in own],
                "recipe": _deciding(environment, own, total),
            }
        )
    return found


def _scorers(rows: pl.LazyFrame) -> pl.DataFrame:
    """name, rows, scored, distinct, min and max of each scorer of each environment."""
    scorer = pl.col("rewards").struct
    score = pl.when(scorer.field("score").is_finite()).then(scorer.field("score") + 0.0)
    scores = rows.explode("rewards").select("environment", name=scorer.field("name"), score=score)
    summed = (
        scores.filter(pl.col("name").is_not_null())
        .group_by("environment", "name")
        .agg(
            rows=pl.len(),
            scored=pl.col("score").count(),
            distinct=pl.col("score").drop_nulls().n_unique(),
            min=pl.col("score").min(),
            max=pl.col("score").max(),
        )
    )
    return collected(summed, "environment", "name")


def _histogram(scored: pl.DataFrame) -> Table:
    """Bins over sorted distinct rewards: each holds its lower edge, the last one also its upper."""
    if not scored.height:
        return []
    reward, rows = scored["reward"], scored["rows"]
    low, high = reward[0], reward[-1]
    bins = BINS if high > low else 1
    # Weighted, since high - low may be beyond a float.
    edges = [low * (1 - i / bins) + high * (i / bins) for i in range(bins)] + [high]
    cuts = [0, *(int(reward.search_sorted(edge)) for edge in edges[1:-1]), scored.height]
    return [
        {"from": short(edges[i]), "to": short(edges[i + 1]), "rows": int(rows[cuts[i] : cuts[i + 1]].sum())}
        for i in range(bins)
    ]


def _deciding(environment: str | None, scorers: Table, reward: dict[str, Json]) -> str | None:
    """The lines of a recipe that would decide the environment's rows: by its richest scorer that can be named."""
    if environment is None:
        return None
    richest = sorted(scorers, key=lambda scorer: (-scorer["distinct"], scorer["name"]))
    for scorer in [*richest, reward]:
        name, low, high = scorer["name"], scorer["min"], scorer["max"]
        # In an expression a column comes before a scorer of the same name; the reward is what is meant.
        if high is None or (name in record().by_name and name != "reward"):
            continue
        # A score that never reaches 1 is graded: SYNTHETIC-2 called such tasks right above 0.7.
        graded = low >= 0 and high < 1
        least = 1.0 if low >= 0 and high == 1 else high
        number = str(int(least)) if least.is_integer() and abs(least) < 1e15 else repr(least)
        holds = "> 0.7" if graded else f">= {number}"
        for sql in (name, '"' + name.replace('"', '""') + '"'):
            if _is_name(sql, name):
                return f"[env.{_toml(environment)}]\ncorrect = {_toml(f'{sql} {holds}')}"
    return None


def _is_name(sql: str, name: str) -> bool:
    """Whether SQL reads `sql` as that name; `select` it does not."""
    try:
        return names(f"{sql} >= 1", "proposed") == [name] and (sql != name or name.isidentifier())
    except SyntheticError:
        return False


def _toml(text: str) -> str:
    """A string of TOML in which every character can be seen."""
    shown = []
    for character in text:
        if character.isprintable():
            shown.append(f"\\{character}" if character in '"\\' else character)
        else:
            shown.append(f"\\u{ord(character):04x}" if ord(character) < 0x10000 else f"\\U{ord(character):08x}")
    return f'"{"".join(shown)}"'
