"""Does memory stay bounded when a run's log is large? A generated log of many gigabytes, captured once.

    python -m benchmarks.large [--gb 20] [--scratch DIR] [--keep DIR]

The log has a value per token in every array, as trainers write it: those arrays are most of its bytes, and what makes a
log large. Against *decode*: the same lines decoded whole with msgspec. One round; the log may be larger than
the page cache, so reading it counts too.
"""

import argparse
from functools import partial

from benchmarks.measure import Cost, Row, in_fresh_process, kept, row, scratch, table

GB = 20.0

LIMIT_MB = 1_500
"""What a capture may hold in memory, however large the log."""

BYTES_PER_TRACE = 139_000
"""Of the log, with what was shipped to the trainer again."""

SCRATCH_PER_BYTE = 1.15
"""The log and its store."""


def rows(gb: float = GB, parent: str | None = None, keep: str | None = None) -> list[Row]:
    """The lines of the table."""
    costs = kept(keep, f"capture-{gb:g}", partial(_measure, gb, parent))
    decode, capture = costs["decode"], costs["capture"]
    command = f"`python -m benchmarks.large --gb {gb:g}`"
    against = [f"{capture.cpu_seconds / decode.cpu_seconds:.1f} × decode of a large log", f"limit {LIMIT_MB:,} MB"]
    return [
        row("decode of a large log", decode, capture.rows, command),
        row("capture of a large log", capture, capture.rows, command, against=against),
    ]


def _measure(gb: float, parent: str | None) -> dict[str, Cost]:
    with scratch(parent, int(gb * 1e9 * SCRATCH_PER_BYTE)) as folder:
        traces = max(1, round(gb * 1e9 / BYTES_PER_TRACE))
        in_fresh_process("benchmarks.cases", "generate", traces, folder, "--tokens")
        costs = {}
        for case in ("decode", "capture"):
            costs[case] = in_fresh_process("benchmarks.cases", case, folder)
            print(f"  log of {gb:g} GB: {case}: {costs[case].text}", flush=True)
    return costs


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure the capture of a large log.")
    parser.add_argument("--gb", type=float, default=GB, help="size of the log, in 10^9 bytes")
    parser.add_argument("--scratch", help="where to put the log and its store")
    parser.add_argument("--keep", help="where what was measured is kept, and found again")
    given = parser.parse_args()
    print(table(rows(given.gb, given.scratch, given.keep)), end="")


if __name__ == "__main__":
    main()
