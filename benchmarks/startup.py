"""How long the command and the package take to start, beside a bare interpreter.

    python -m benchmarks.startup [--rounds 40]

Each start is a fresh process, timed from outside by the wall, and its CPU-seconds, which a busy machine does not change
as much; the three take turns, and the median counts. Nothing is asserted; the limit is shown so that a reader sees how
near it is.
"""

import argparse
import statistics
import subprocess
import sys
import time

from benchmarks.measure import Row, cpu_seconds, table

ROUNDS = 40

LIMIT_MS = 120
"""What `synthetic --help` may take, by the wall of an idle machine."""

CASES = {
    "bare interpreter": ["-c", "pass"],
    "import synthetic": ["-c", "import synthetic"],
    "synthetic --help": ["-c", "from synthetic.cli import main; main(['--help'])"],
}


def _seconds(arguments: list[str]) -> tuple[float, float]:
    """By the wall, and of the CPU."""
    before, start = cpu_seconds(), time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)  # noqa: S603
    return time.perf_counter() - start, cpu_seconds() - before


def rows(rounds: int = ROUNDS) -> list[Row]:
    """The lines of the table."""
    times: dict[str, list[tuple[float, float]]] = {case: [] for case in CASES}
    for turn in range(rounds + 2):
        for case, arguments in CASES.items():
            took = _seconds(arguments)
            if turn >= 2:  # the first ones write bytecode and warm the page cache
                times[case].append(took)
    middle = {case: [statistics.median(part) for part in zip(*each, strict=True)] for case, each in times.items()}
    _, bare = middle["bare interpreter"]
    return [
        Row(
            case=case,
            wall=f"{wall * 1000:.0f} ms",
            cpu=f"{cpu:.3f}",
            against=""
            if cpu == bare
            else f"{cpu / bare:.1f} × bare interpreter"
            + (f"; limit {LIMIT_MS} ms" if case == "synthetic --help" else ""),
            command="`python -m benchmarks.startup`",
        )
        for case, (wall, cpu) in middle.items()
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure start-up.")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    print(table(rows(parser.parse_args().rounds)), end="")


if __name__ == "__main__":
    main()
