"""Does memory stay bounded, and a row's cost the same, with millions of rows?

Two stores of short traces, one ten times as large as the other, go through text key, near duplicates and release.

    python -m benchmarks.near.growth FOLDER     releases FOLDER/store to FOLDER/release, and prints its `Cost`
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from benchmarks.measure import Cost, measured, scratch
from benchmarks.near.capped import Stopped, run

RECIPE = """
[sft_verified]
keep = [{ rule = "finished" }, { rule = "verified" }, { rule = "unique" }, { rule = "near_unique" }]

[sft_unverified]
keep = [{ rule = "finished" }, { rule = "undecided" }]
"""

LIMIT_MB = 4_000
"""What the release may hold in memory."""

SCRATCH_BYTES_PER_ROW = 2_000
"""Store, cache, the release and what it is made from on the way."""


class Held(msgspec.Struct):
    """What a release of so many rows took, and left on the disk."""

    rows: int
    copies: int
    """Rows that copy another one."""
    cost: Cost | None = None
    """Its rows are those that are kept."""
    stopped: str = ""
    store_mb: float = 0
    cache_mb: float = 0
    release_mb: float = 0


def measure(rows: int, parent: str | None) -> Held:
    """Write a store of so many rows, and release it."""
    from benchmarks.near.short import write

    with scratch(parent, rows * SCRATCH_BYTES_PER_ROW) as folder:
        held = Held(rows, write(folder / "store", rows))
        print(f"  {rows:,} rows written", file=sys.stderr, flush=True)
        (folder / "recipe.toml").write_text(RECIPE, "utf-8")
        command: list[str | Path] = [sys.executable, "-m", "benchmarks.near.growth", folder]
        try:
            held.cost = run(command, folder / "log")
        except Stopped as why:
            held.stopped = str(why)
        held.cache_mb = _megabytes(folder / "store" / "cache")
        held.store_mb = _megabytes(folder / "store") - held.cache_mb
        held.release_mb = _megabytes(folder / "release")
    return held


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def table(sizes: Sequence[Held]) -> str:
    """The sizes as Markdown; growth is against the first."""
    head = "release|rows|copies|dropped|wall s|CPU-s|CPU/row|peak MB|store MB|cache MB|release MB".split("|")
    lines = [f"| {' | '.join(head)} |\n", f"| --- |{' --: |' * 10}\n"]
    first = sizes[0].cost
    for held in sizes:
        if not held.cost:
            lines.append(f"| {held.stopped} | {held.rows:,} |{' |' * 9}\n")
            continue
        cost = held.cost
        per_row = (cost.cpu_seconds / held.rows) / (first.cpu_seconds / sizes[0].rows) if first else float("nan")
        cells = [f"limit {LIMIT_MB:,} MB", f"{held.rows:,}", f"{held.copies:,}", f"{held.rows - cost.rows:,}"]
        cells += [f"{cost.wall_seconds:.0f}", f"{cost.cpu_seconds:.0f}", f"{per_row:.2f}", f"{cost.peak_mb:,.0f}"]
        cells += [f"{size:,.0f}" for size in (held.store_mb, held.cache_mb, held.release_mb)]
        lines.append(f"| {' | '.join(cells)} |\n")
    return "".join(lines)


def main() -> None:
    """Release a store and print what it took."""
    parser = argparse.ArgumentParser(description="Release a store of short traces.")
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    from synthetic.release import release

    def work() -> int:
        return (
            release(folder / "store", to=folder / "release", recipe=folder / "recipe.toml").judged["sft_verified"].kept
        )

    print(msgspec.json.encode(measured(work)).decode())


if __name__ == "__main__":
    main()
