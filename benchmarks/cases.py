"""What is measured, each case in a process of its own: `python -m benchmarks.cases CASE FOLDER`.

FOLDER holds what the cases share: `run` (the logs), `store`, `release`, `copy`; what one leaves, the next finds. A case
prepares, then does its work between two looks at the clock, and prints a `Cost` as JSON.

    generate TRACES FOLDER [--tokens]   not measured against anything: writes FOLDER/run
"""

import argparse
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec

from benchmarks.measure import measured


def logs(folder: Path) -> list[Path]:
    """The generated logs."""
    return sorted(folder.glob("run/rollouts/*/*/*/traces.jsonl"))


def _capture(folder: Path) -> Callable[[], int]:
    from synthetic.capture import capture

    shutil.rmtree(folder / "store", ignore_errors=True)
    return lambda: capture(folder / "run", into=folder / "store", workers=1).rows  # so that memory is all of it


def _decode(folder: Path) -> Callable[[], int]:
    def work() -> int:
        lines = 0
        decode = msgspec.json.Decoder().decode
        for log in logs(folder):
            with log.open("rb") as file:
                for line in file:
                    decode(line)
                    lines += 1
        return lines

    return work


def _copy(source: Path, folder: Path) -> Callable[[], int]:
    """Copy each Parquet file below `source`, with zstd-3 and row groups of the same number of rows."""
    import polars as pl
    import pyarrow.parquet as pq

    shutil.rmtree(folder / "copy", ignore_errors=True)
    (folder / "copy").mkdir()
    groups = {}
    for path in sorted(source.rglob("*.parquet")):
        data = pq.read_metadata(path)
        groups[path] = max((data.row_group(i).num_rows for i in range(data.num_row_groups)), default=1)

    def work() -> int:
        rows = 0
        for number, (path, group) in enumerate(groups.items()):
            target = folder / "copy" / f"{number}.parquet"
            pl.scan_parquet(path, glob=False).sink_parquet(
                target, compression="zstd", compression_level=3, row_group_size=group
            )
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
"""In the order of a round."""

READING = ("decode", "capture")
"""Cases that read the logs."""


def _generate(folder: Path, traces: int, tokens: bool) -> Callable[[], int]:
    from benchmarks.traces import write_run

    def work() -> int:
        write_run(folder / "run", traces, tokens=tokens)
        return traces

    return work


def main() -> None:
    """Do one thing and print what it took."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cases", description="Run one case.")
    commands = parser.add_subparsers(dest="case", required=True)
    generate = commands.add_parser("generate")
    generate.add_argument("traces", type=int)
    generate.add_argument("folder", type=Path)
    generate.add_argument("--tokens", action="store_true")
    for case in CASES:
        commands.add_parser(case).add_argument("folder", type=Path)
    given = parser.parse_args()
    if given.case == "generate":
        work = _generate(given.folder, given.traces, given.tokens)
    else:
        work = CASES[given.case](given.folder)
    log_bytes = sum(log.stat().st_size for log in logs(given.folder)) if given.case in READING else 0
    print(msgspec.json.encode(measured(work, log_bytes)).decode())


if __name__ == "__main__":
    main()
