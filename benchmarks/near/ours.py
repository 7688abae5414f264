"""What we do to the same texts, run as the peers are.

    python -m benchmarks.near.ours signatures|tokens|texts|drops|compile|clusters|floor CORPUS OUT

`signatures` and `tokens` take texts that are in memory, on one thread: the measure's kernel, and only its tokeniser.
`texts` goes from the Parquet files to the ids of the rows to drop, as the peers' scripts do, by
`synthetic.near_duplicates` within problem, verdict and answer, which are columns there.
`drops` goes from the store to the ids of the rows that `near_unique` drops, on all cores and without a cache: snapshot,
measures, grouping, exact comparison. `compile` is the first call of every kernel in an empty cache, `clusters` and
`floor` join the rows of `ROWS` × `BANDS` random keys. Imports, and the loading of kernels that are compiled already,
come before the clock; the first case of a machine compiles them.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any  # values of arrays

import msgspec
import polars as pl

from benchmarks.measure import forget_peak, measured
from synthetic import near_duplicates

RULE = "near_unique"

ROWS, BANDS = 5_000_000, 16
"""Of the keys that are clustered."""


def _texts(corpus: Path) -> pl.Series:
    return pl.read_parquet(corpus / "texts", columns=["text"])["text"]


def _signatures(texts: pl.Series) -> Callable[[], int]:
    from synthetic.alike.sketch import signatures

    signatures(texts.head(1))
    return lambda: len(signatures(texts)[0])


def _tokens(texts: pl.Series) -> Callable[[], int]:
    from synthetic.alike.words import count

    count(texts.head(1))

    def work() -> int:
        count(texts)
        return len(texts)

    return work


def _clusters() -> Callable[[], int]:
    import numpy as np

    from benchmarks.near.floor import flatten, keys
    from synthetic.alike.bands import join

    def joined(keys: np.ndarray[Any, np.dtype[np.uint64]]) -> int:
        parents = np.arange(keys.shape[1])
        for band in keys:
            join(band, parents)
        flatten(parents)
        return len(parents)

    joined(keys(1000, BANDS))
    made = keys(ROWS, BANDS)
    forget_peak()
    return lambda: joined(made)


def _floor() -> Callable[[], int]:
    from benchmarks.near.floor import clusters, keys

    clusters(keys(1000, BANDS))
    made = keys(ROWS, BANDS)
    forget_peak()
    return lambda: len(clusters(made))


def _drops(store: Path, dropped: list[str]) -> Callable[[], int]:
    from synthetic.recipe import Recipe, Use
    from synthetic.rules import RULES
    from synthetic.run import Bench
    from synthetic.store import Cache, snapshot

    use = Use(RULES[RULE], RULE, {}, "the benchmark")

    def work() -> int:
        with TemporaryDirectory(dir=store.parent) as cache:
            bench = Bench(snapshot(store), Recipe("benchmark"), Cache(Path(cache)))
            judged = bench.apply("sft_verified", [use])
            for place in range(len(bench.snapshot.traces)):
                rows = bench.frame(place, ["trace_id"]).collect()["trace_id"]
                dropped.extend(rows.gather(judged.drops(place)["position"]))
        return len(dropped)

    return work


def _from_texts(texts: Path, dropped: list[str]) -> Callable[[], int]:
    def work() -> int:
        rows = pl.scan_parquet(texts / "*.parquet")
        found = near_duplicates(rows, within=["problem", "right", "answer"])
        dropped.extend(rows.select("id").collect()["id"].gather(found["row"]))
        return len(dropped)

    return work


def _small(corpus: Path) -> Path:
    """A store of a few rows, which needs every kernel."""
    from benchmarks.near.stored import commit

    store = corpus / "small"
    if not store.exists():
        texts = pl.read_parquet(sorted((corpus / "texts").glob("*.parquet"))[0], n_rows=64)
        commit(store, pl.concat([texts, texts.with_columns(pl.format("{}-again", "id"))]))
    return store


TEXTS: dict[str, Callable[[pl.Series], Callable[[], int]]] = {"signatures": _signatures, "tokens": _tokens}
KEYS: dict[str, Callable[[], Callable[[], int]]] = {"clusters": _clusters, "floor": _floor}


def main() -> None:
    """Run one case and print its `Cost`; of signatures, `log_bytes` is the size of the texts."""
    parser = argparse.ArgumentParser(description="Run one of our cases.")
    parser.add_argument("case", choices=(*TEXTS, *KEYS, "compile", "texts", "drops"))
    parser.add_argument("corpus", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    dropped: list[str] = []
    if given.case in TEXTS:
        texts = _texts(given.corpus)
        cost = measured(TEXTS[given.case](texts), int(texts.str.len_bytes().sum()))
    elif given.case in KEYS:
        cost = measured(KEYS[given.case]())
    elif given.case == "compile":  # into an empty cache, which the caller names by NUMBA_CACHE_DIR
        cost = measured(_drops(_small(given.corpus), dropped))
    else:
        if given.case == "texts":
            near_duplicates(pl.DataFrame({"text": [f"one of {n} texts" for n in (1, 1, 2)]}))  # loads the kernels
            cost = measured(_from_texts(given.corpus / "texts", dropped))
        else:
            _drops(_small(given.corpus), [])()
            cost = measured(_drops(given.corpus / "store", dropped))
        given.out.write_text(json.dumps(sorted(dropped)), "utf-8")
    print(msgspec.json.encode(cost).decode())


if __name__ == "__main__":
    main()
