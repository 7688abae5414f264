"""All benchmarks, and their table in README.md beside this file: `python -m benchmarks`, or `make bench`."""

import argparse
from pathlib import Path

from benchmarks import large, release, startup
from benchmarks.measure import machine, table

README = Path(__file__).parent / "README.md"
BEGIN, END = "<!-- table: python -m benchmarks -->\n", "<!-- end of table -->\n"


def main() -> None:
    """Measure all, rewrite the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure all and rewrite README.md.")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(release.SIZES), help="traces of a generated run")
    parser.add_argument("--rounds", type=int, default=release.ROUNDS)
    parser.add_argument("--gb", type=float, default=large.GB, help="size of the large log, in 10^9 bytes")
    parser.add_argument("--scratch", help="where to put about 60 KB for each trace, and the large log")
    parser.add_argument("--keep", help="where what was measured is kept, and found again: to measure in pieces")
    given = parser.parse_args()
    text = README.read_text("utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{README.name}: the lines that enclose the table are gone: {BEGIN}{END}")
    found = [
        *startup.rows(),
        *release.rows(given.sizes, given.rounds, given.scratch, given.keep),
        *large.rows(given.gb, given.scratch, given.keep),
    ]
    README.write_text(f"{before}{BEGIN}{machine()}.\n\n{table(found)}{END}{after}", "utf-8")
    print(table(found), end="")


if __name__ == "__main__":
    main()
