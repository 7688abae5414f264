"""Rows per second and peak memory of capturing and releasing a generated run, beside floors and a peer.

    python -m benchmarks.release [100000 400000 …] [--rounds 1] [--scratch DIR] [--keep DIR] [--profile]

Every case runs in a fresh process and is timed after its imports; cases take turns within a round, and the median over
rounds counts. The page cache is warm. Against what:

- `capture` — *decode*: read the same lines and decode them with msgspec; and *copy*: polars copies the captured shards
  (scan_parquet → sink_parquet, zstd-3), which is what decompressing and compressing those rows costs alone.
- `judge` (a dry run: every measure and rule, nothing written) and `release` (cold, without its cache) — *copy*: polars
  copies the release's own data files, config by config: the same rows, columns, compression and row groups. Compared
  are CPU-seconds, and in brackets wall time, which needs cores that nobody else is using.
- `release again` — the same with its cache, as after a change of version or licence.

With `--profile` only the phases of one release of each size are told (`benchmarks.phases`). All five configs are made:
sft_verified, sft_unverified, rl_tasks, preference and traces.
"""

import argparse
from collections.abc import Sequence
from functools import partial

from benchmarks.cases import CASES
from benchmarks.measure import Cost, Row, fresh, in_fresh_process, kept, middle, row, scratch, table

SIZES = (100_000, 400_000)
ROUNDS = 1
SCRATCH_BYTES_PER_TRACE = 60_000
"""Log (with what was shipped), store, release, its partial files and the copies of both."""

LIMIT_MB = 2_000
"""What a release may hold in memory, whatever its size."""

PEERS = {
    "capture": ("decode", "copy of the store"),
    "judge": ("copy of the release",),
    "release": ("copy of the release",),
    "release again": ("copy of the release",),
}


def rows(
    sizes: Sequence[int] = SIZES, rounds: int = ROUNDS, parent: str | None = None, keep: str | None = None
) -> list[Row]:
    """The lines of the table."""
    costs = {size: kept(keep, f"release-{size}-{rounds}", partial(_measure, size, rounds, parent)) for size in sizes}
    command = f"`python -m benchmarks.release {' '.join(map(str, sizes))} --rounds {rounds}`"
    found = []
    for case in CASES:
        for size in sizes:
            cost, least = costs[size][case], costs[sizes[0]][case]
            against = [
                f"{cost.cpu_seconds / costs[size][peer].cpu_seconds:.1f} × {peer}"
                f" ({cost.wall_seconds / costs[size][peer].wall_seconds:.1f})"
                for peer in PEERS.get(case, ())
            ]
            if case.startswith("release"):
                against.append(f"limit {LIMIT_MB:,} MB")
            per_row = (cost.cpu_seconds / size) / (least.cpu_seconds / sizes[0])
            grows = f"CPU/row {per_row:.2f}, memory {cost.peak_mb / least.peak_mb:.2f}" if size != sizes[0] else ""
            found.append(row(case, cost, size, command, against=against, grows=grows))
    return found


def _measure(size: int, rounds: int, parent: str | None) -> dict[str, Cost]:
    with scratch(parent, size * SCRATCH_BYTES_PER_TRACE) as folder:
        in_fresh_process("benchmarks.cases", "generate", size, folder)
        costs: dict[str, list[Cost]] = {case: [] for case in CASES}
        for turn in range(rounds):
            for case in CASES:
                costs[case].append(in_fresh_process("benchmarks.cases", case, folder))
                print(f"  {size:,} round {turn + 1}: {case}: {costs[case][-1].text}", flush=True)
    return {case: middle(each) for case, each in costs.items()}


def profile(size: int, parent: str | None) -> str:
    """The phases of a release of so many traces."""
    with scratch(parent, size * SCRATCH_BYTES_PER_TRACE) as folder:
        in_fresh_process("benchmarks.cases", "generate", size, folder)
        in_fresh_process("benchmarks.cases", "capture", folder)
        return fresh("benchmarks.phases", folder)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure capture and release.")
    parser.add_argument("sizes", type=int, nargs="*", default=[])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--scratch", help="where to put about 60 KB for each trace")
    parser.add_argument("--keep", help="where what was measured is kept, and found again")
    parser.add_argument("--profile", action="store_true", help="tell where the time of a release goes instead")
    given = parser.parse_args()
    if given.profile:
        print("\n".join(f"{size:,} traces\n\n{profile(size, given.scratch)}" for size in given.sizes or SIZES), end="")
        return
    print(table(rows(given.sizes or SIZES, given.rounds, given.scratch, given.keep)), end="")


if __name__ == "__main__":
    main()
