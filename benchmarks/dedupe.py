"""What near-duplicates cost and how well they are found, beside other tools.

    python -m benchmarks.dedupe [--texts 25000] [--rounds 3] [--peers FOLDER] [--scratch DIR] [--keep DIR]
                                [--only signatures drops clusters] [--large 4000000]

makes an environment for the peers in FOLDER (1.5 GB, three minutes, once), writes a corpus whose duplicates are known
(`benchmarks.near.corpus`) and measures three things, every case in a fresh process, in turns:

- `signatures`: texts in memory to MinHash signatures, one thread, per CPU-second; and our tokeniser alone.
- `drops`: from Parquet files, or from a store of the same rows, to the ids of the rows to drop, on all cores, by the
  wall; how many true duplicates are found, and how many drops are mistakes.
- `clusters`: rows with 16 random keys each to groups of rows that share one; and a bare partitioned hash.

With `--large`, and instead: releases of a store of so many short traces and of one a tenth as large, once
(`benchmarks.near.growth`).

A case that takes more than 6 GB or half an hour is stopped, and the table says so. What is compared is in
`benchmarks.near.peers` and `benchmarks.near.ours`.
"""

import argparse
import shutil
import statistics
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import msgspec

from benchmarks.measure import Cost, scratch
from benchmarks.near import environment, growth
from benchmarks.near.capped import Stopped, run
from benchmarks.near.peers import DROPS, SIGNATURES
from benchmarks.near.truth import Quality, quality

TEXTS, ROUNDS = 25_000, 3
SCRATCH_BYTES_PER_TEXT = 60_000
"""Corpus and store, and what the peers write: datasets keeps several copies of the texts."""

OURS, FROM_STORE = "synthetic", "synthetic, from a store"
ROOT = Path(__file__).parent.parent
THREADS = "OMP OPENBLAS MKL NUMBA POLARS RAYON".split()


class Round(msgspec.Struct):
    """What a case took, once; or why it did not come to its end."""

    cost: Cost | None = None
    stopped: str = ""
    quality: Quality | None = None


Rounds = dict[str, list[Round]]


# ---- running


def _case(folder: Path, python: str | Path, module: str, *words: str, threads: int | None = None) -> Round:
    """Run a case of a module in that Python."""
    out = folder / "out" / "drops.json"
    out.parent.mkdir(exist_ok=True)
    env = {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1"}
    if threads:
        env |= {f"{name}_{'MAX' if name == 'POLARS' else 'NUM'}_THREADS": str(threads) for name in THREADS}
    command = [python, "-m", module, *words, folder / "corpus", out]
    try:
        cost = run(command, folder / "out" / "log", env=env)
        dropped = msgspec.json.decode(out.read_bytes(), type=list[str]) if out.exists() else None
        found = None if dropped is None else quality(folder / "corpus", frozenset(dropped))
        return Round(cost, quality=found)
    except Stopped as why:
        return Round(stopped=str(why))
    finally:
        _empty(out.parent)


def _empty(folder: Path) -> None:
    shutil.rmtree(folder)


def _turns(cases: dict[str, Callable[[], Round]], rounds: int) -> Rounds:
    """Run the cases in turns; one that was stopped is not tried again."""
    found: Rounds = {case: [] for case in cases}
    for turn in range(rounds):
        for case, do in cases.items():
            if found[case] and found[case][-1].stopped:
                continue
            found[case].append(do())
            last = found[case][-1]
            said = last.cost.text if last.cost else last.stopped
            print(f"  round {turn + 1}: {case}: {said}", file=sys.stderr, flush=True)
    return found


def _signatures(folder: Path, peers: Path) -> dict[str, Callable[[], Round]]:
    ours = partial(_case, folder, sys.executable, "benchmarks.near.ours", threads=1)
    theirs = partial(_case, folder, peers, "benchmarks.near.peers", threads=1)
    return {
        OURS: partial(ours, "signatures"),
        f"{OURS}, tokens only": partial(ours, "tokens"),
        **{peer: partial(theirs, "signatures", peer) for peer in SIGNATURES},
    }


def _drops(folder: Path, peers: Path) -> dict[str, Callable[[], Round]]:
    ours = partial(_case, folder, sys.executable, "benchmarks.near.ours", "drops")
    theirs = partial(_case, folder, peers, "benchmarks.near.peers")
    texts = partial(_case, folder, sys.executable, "benchmarks.near.ours", "texts")
    return {OURS: texts, FROM_STORE: ours, **{peer: partial(theirs, "drops", peer) for peer in DROPS}}


def _clusters(folder: Path, peers: Path) -> dict[str, Callable[[], Round]]:
    del peers
    ours = partial(_case, folder, sys.executable, "benchmarks.near.ours", threads=1)
    return {OURS: partial(ours, "clusters"), "bare hash and union-find": partial(ours, "floor")}


# ---- tables


def _spread(values: Sequence[float], digits: int) -> str:
    """The median, with the least and the most where there are several."""
    middle = f"{statistics.median(values):,.{digits}f}"
    return middle if len(values) < 2 else f"{middle} ({min(values):,.{digits}f}–{max(values):,.{digits}f})"


def _costs(rounds: Sequence[Round]) -> list[Cost]:
    return [each.cost for each in rounds if each.cost]


def _peak(rounds: Sequence[Round]) -> str:
    return f"{max(cost.peak_mb for cost in _costs(rounds)):,.0f}"


def _lines(found: Rounds, head: Sequence[str], cells: Callable[[str, Sequence[Round]], Sequence[str]]) -> str:
    lines = [[*head], ["---", *["--:"] * (len(head) - 1)]]
    for case, rounds in found.items():
        whole = rounds and not rounds[-1].stopped
        lines.append([case, *cells(case, rounds)] if whole else [case, rounds[-1].stopped, *[""] * (len(head) - 2)])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _ratio(found: Rounds, case: str, value: Callable[[Cost], float]) -> str:
    """How many times theirs ours is; of medians."""
    if case == OURS or not (ours := _costs(found[OURS])):
        return ""
    own, its = (statistics.median(map(value, costs)) for costs in (ours, _costs(found[case])))
    return f"{own / its:.2f}" if own < its else f"{own / its:,.1f}"


def _signature_table(found: Rounds) -> str:
    def speed(cost: Cost) -> float:
        return cost.log_bytes / 1e6 / cost.cpu_seconds

    def cells(case: str, rounds: Sequence[Round]) -> Sequence[str]:
        costs = _costs(rounds)
        return [
            f"{costs[0].rows:,}",
            _spread([speed(cost) for cost in costs], 1),
            _peak(rounds),
            _ratio(found, case, speed),
        ]

    return _lines(found, ["signatures", "texts", "MB/CPU-s", "peak MB", "ours / theirs"], cells)


RECALL = ("alike", "alike, not equal", "5% edited", "15% edited")


def _drop_table(found: Rounds) -> str:
    def cells(case: str, rounds: Sequence[Round]) -> Sequence[str]:
        costs, held = _costs(rounds), rounds[-1].quality
        assert held is not None  # noqa: S101 - every case of this table writes its drops
        return [
            _spread([cost.wall_seconds for cost in costs], 2),
            # Workers that nobody waits for are not counted.
            "" if case == "datatrove" else f"{statistics.median(cost.cpu_seconds for cost in costs):.1f}",
            _peak(rounds),
            _ratio(found, case, lambda cost: 1 / cost.wall_seconds),
            f"{held.drops:,}",
            *(f"{held.recall(kind):.3f}" for kind in RECALL),
            f"{held.precision:.4f}",
            f"{held.blind_precision:.4f}",
            f"{held.groups_lost:,}",
        ]

    head = ["to drops", "wall s", "CPU-s", "peak MB", "ours / theirs", "drops", "J ≥ 0.8", "0.8 ≤ J < 1"]
    head += ["5 %", "15 %", "precision", "blind", "lost"]
    return _lines(found, head, cells)


def _cluster_table(found: Rounds) -> str:
    def cells(case: str, rounds: Sequence[Round]) -> Sequence[str]:
        costs = _costs(rounds)
        return [
            f"{costs[0].rows:,}",
            _spread([cost.cpu_seconds for cost in costs], 2),
            _peak(rounds),
            _ratio(found, case, lambda cost: cost.cpu_seconds),
        ]

    return _lines(found, ["clusters", "rows", "CPU-s", "peak MB, with the keys", "ours / theirs"], cells)


PARTS: dict[str, tuple[Callable[[Path, Path], dict[str, Callable[[], Round]]], Callable[[Rounds], str]]] = {
    "signatures": (_signatures, _signature_table),
    "drops": (_drops, _drop_table),
    "clusters": (_clusters, _cluster_table),
}


# ---- all of it


def tables(
    texts: int, rounds: int, peers: Path | None, parent: str | None, only: Sequence[str], keep: str | None = None
) -> dict[str, str]:
    """A table for each part, as Markdown."""
    with scratch(parent, texts * SCRATCH_BYTES_PER_TEXT) as folder:
        python = environment.python(peers) if peers else Path()
        _write_corpus(folder / "corpus", texts)
        made = {}
        for part in only:
            cases, table = PARTS[part]
            kept = Path(keep, f"dedupe-{part}-{texts}-{rounds}.json") if keep else None
            if kept and kept.is_file():
                found = msgspec.json.decode(kept.read_bytes(), type=Rounds)
            else:
                wanted = cases(folder, python)
                if not peers:
                    wanted = {case: do for case, do in wanted.items() if case not in DROPS}
                found = _turns(wanted, rounds)
            if kept:
                kept.parent.mkdir(parents=True, exist_ok=True)
                kept.write_bytes(msgspec.json.encode(found))
            made[part] = table(found)
    return made


def _write_corpus(folder: Path, texts: int) -> None:
    from benchmarks.near import corpus, stored

    size = corpus.write(folder, texts)
    stored.write(folder)
    print(f"  corpus: {size / 1e6:,.0f} MB of text", file=sys.stderr, flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Compare near-duplicate removal with other tools.")
    parser.add_argument("--texts", type=int, default=TEXTS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument(
        "--peers", type=Path, help="the peers' environment, made when it is not there; none: ours alone"
    )
    parser.add_argument("--scratch", help="where to put about 60 KB for each text")
    parser.add_argument("--keep", help="where what was measured is kept, and found again")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--large", type=int, metavar="ROWS", help="release a store of so many short traces, instead")
    given = parser.parse_args()
    if given.large:
        sizes = [given.large // 10, given.large]
        print(growth.table([growth.measure(rows, given.scratch) for rows in sizes]), end="")
        return
    made = tables(given.texts, given.rounds, given.peers, given.scratch, given.only, given.keep)
    if given.peers:
        of = environment.python(given.peers)
        print(", ".join(f"{name} {version}" for name, version in environment.versions(of).items()), end=".\n\n")
    print("\n".join(made.values()), end="")


if __name__ == "__main__":
    main()
