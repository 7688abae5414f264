"""Rows per second and peak memory of capturing and releasing a generated run, beside floors and a peer.

    python -m benchmarks.release [25000 100000 …] [--rounds 3] [--scratch DIR]

Every case runs in a fresh process and is timed after its imports; cases take turns within a round, and the median over
rounds counts. The page cache is warm. Against what:

- `capture` — *decode*: read the same lines and decode them with msgspec; and *copy*: polars copies the captured shards
  (scan_parquet → sink_parquet, zstd-3), which is what decompressing and compressing those rows costs alone.
- `judge` (a dry run: every measure and rule, nothing written) and `release` (cold, without its cache) — *copy*: polars
  copies the release's own data files: the same rows, columns and compression.
- `release again` — the same with its cache, as after a change of version or licence.
"""

import argparse
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from benchmarks.measure import Cost, Row, in_fresh_process, measured, middle, scratch, table

SIZES = (25_000, 100_000)
ROUNDS = 3
SCRATCH_BYTES_PER_TRACE = 60_000
"""Log (with what was shipped), store, release, its partial files and the copies of both."""


# ---- cases, each in its own process


def _capture(folder: Path) -> Callable[[], int]:
    from synthetic.capture import capture

    shutil.rmtree(folder / "store", ignore_errors=True)
    return lambda: capture(folder / "run", into=folder / "store").rows


def _decode(folder: Path) -> Callable[[], int]:
    def work() -> int:
        lines = 0
        decode = msgspec.json.Decoder().decode
        for log in sorted(folder.glob("run/rollouts/*/*/*/traces.jsonl")):
            with log.open("rb") as file:
                for line in file:
                    decode(line)
                    lines += 1
        return lines

    return work


def _copy(source: Path, folder: Path) -> Callable[[], int]:
    """Copy each folder of Parquet files below `source` to one file."""
    import polars as pl

    folders = sorted({path.parent for path in source.rglob("*.parquet")})
    shutil.rmtree(folder / "copy", ignore_errors=True)
    (folder / "copy").mkdir()

    def work() -> int:
        rows = 0
        for each in folders:
            # Annotations stand beside traces in a store and have other columns.
            kinds: dict[tuple[str, ...], list[Path]] = {}
            for path in sorted(each.glob("*.parquet")):
                kinds.setdefault(tuple(pl.read_parquet_schema(path)), []).append(path)
            for number, paths in enumerate(kinds.values()):
                target = folder / "copy" / f"{each.name}-{number}.parquet"
                pl.scan_parquet(paths).sink_parquet(target, compression="zstd", compression_level=3)
                rows += pl.scan_parquet(target).select(pl.len()).collect().item()
        return rows

    return work


def _release(folder: Path, *, cached: bool = False, dry_run: bool = False) -> Callable[[], int]:
    from synthetic.release import release

    if not cached:
        shutil.rmtree(folder / "store" / "cache", ignore_errors=True)
    if not dry_run:
        shutil.rmtree(folder / "release", ignore_errors=True)

    def work() -> int:
        done = release(folder / "store", to=folder / "release", dry_run=dry_run)
        return len(done.judged) and sum(len(standing) for standing in done.judged["traces"].standing)

    return work


CASES: dict[str, Callable[[Path], Callable[[], int]]] = {
    "decode": _decode,
    "capture": _capture,
    "copy of the store": lambda folder: _copy(folder / "store" / "shards", folder),
    "judge": lambda folder: _release(folder, dry_run=True),
    "release": _release,
    "copy of the release": lambda folder: _copy(folder / "release" / "data", folder),
    "release again": lambda folder: _release(folder, cached=True),
}
"""In the order of a round; what one leaves, the next finds."""

PEERS = {
    "capture": ("decode", "copy of the store"),
    "judge": ("copy of the release",),
    "release": ("copy of the release",),
    "release again": ("copy of the release",),
}


# ---- the table


def rows(sizes: Sequence[int] = SIZES, rounds: int = ROUNDS, parent: str | None = None) -> list[Row]:
    """The lines of the table."""
    costs = {size: _measure(size, rounds, parent) for size in sizes}
    found = []
    for case in CASES:
        for size in sizes:
            cost, least = costs[size][case], costs[sizes[0]][case]
            per_row = (cost.cpu_seconds / size) / (least.cpu_seconds / sizes[0])
            against = (
                f"{cost.cpu_seconds / costs[size][peer].cpu_seconds:.1f} × {peer}" for peer in PEERS.get(case, ())
            )
            found.append(
                Row(
                    case=case,
                    size=f"{size:,}",
                    wall=f"{cost.wall_seconds:.1f} s",
                    cpu=f"{cost.cpu_seconds:.1f}",
                    rate=f"{size / cost.wall_seconds:,.0f}",
                    memory=f"{cost.peak_mb:,.0f}",
                    against=", ".join(against),
                    grows=""
                    if size == sizes[0]
                    else f"CPU/row {per_row:.2f}, memory {cost.peak_mb / least.peak_mb:.2f}",
                    command=f"`python -m benchmarks.release {' '.join(map(str, sizes))} --rounds {rounds}`",
                )
            )
    return found


def _measure(size: int, rounds: int, parent: str | None) -> dict[str, Cost]:
    with scratch(parent, size * SCRATCH_BYTES_PER_TRACE) as folder:
        in_fresh_process("benchmarks.release", "--generate", str(size), folder)
        costs: dict[str, list[Cost]] = {case: [] for case in CASES}
        for turn in range(rounds):
            for case in CASES:
                costs[case].append(in_fresh_process("benchmarks.release", "--case", case, folder))
                said = costs[case][-1]
                print(
                    f"  {size:,} round {turn + 1}: {case}: {said.wall_seconds:.1f} s, {said.cpu_seconds:.1f} CPU-s,"
                    f" {said.peak_mb:,.0f} MB",
                    flush=True,
                )
    return {case: middle(each) for case, each in costs.items()}


def _generate(size: int, folder: Path) -> Callable[[], int]:
    from benchmarks.traces import write_run

    return lambda: write_run(folder / "run", size)


def main() -> None:
    """Measure and print; with --case or --generate, do one thing and print its cost as JSON."""
    parser = argparse.ArgumentParser(description="Measure capture and release.")
    parser.add_argument("sizes", type=int, nargs="*", default=[])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--scratch", help="where to put about 60 KB for each trace")
    parser.add_argument("--case", nargs=2, metavar=("CASE", "FOLDER"), help=argparse.SUPPRESS)
    parser.add_argument("--generate", nargs=2, metavar=("TRACES", "FOLDER"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.case or given.generate:
        work = (
            CASES[given.case[0]](Path(given.case[1]))
            if given.case
            else _generate(int(given.generate[0]), Path(given.generate[1]))
        )
        print(msgspec.json.encode(measured(work)).decode())
    else:
        print(table(rows(given.sizes or SIZES, given.rounds, given.scratch)), end="")


if __name__ == "__main__":
    main()
