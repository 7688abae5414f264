"""What capturing a run costs beside readers of JSON lines that people use for it: polars, duckdb and datasets.

    python -m benchmarks.capture [--traces 8000] [--rounds 3] [--scratch DIR]
    python -m benchmarks.capture --cores [--traces 32000]

All read the same generated rollouts of prime-rl's shape and write Parquet with zstd 3; cases take turns in one run,
each in a fresh process, on one thread. Peers write lines as tables; a capture also cuts branches, hashes text, prompt
and content, keeps unknown keys and accounts for every line. With and without token arrays: facts leave these out, and
so does polars with an explicit schema; what others write of them shows in the bytes written.

With `--cores`, what a second core gives: a capture by one process on one core, and one as it is by itself on two. There
wall time counts, so the machine must have nothing else to do: the best of all rounds is told.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any  # types of polars

import msgspec

from benchmarks.measure import Cost, measured, scratch

TRACES, ROUNDS = 8_000, 3
SCRATCH_BYTES_PER_TRACE = 250_000

TOKENS = frozenset("token_ids mask is_content logprobs".split())


class Taken(msgspec.Struct):
    """What a case took and wrote."""

    cost: Cost
    written_mb: float


# ---- cases


def _capture(logs: Sequence[Path], out: Path, *, workers: int | None = 1) -> Callable[[], int]:
    from synthetic.capture import capture

    return lambda: capture(*logs, into=out, workers=workers).rows


def _polars(logs: Sequence[Path], out: Path, *, explicit: bool) -> Callable[[], int]:
    """By the schema that 1,000 lines have, without what has no type there; `explicit` leaves out token arrays."""
    import polars as pl

    seen = pl.scan_ndjson(logs[0], infer_schema_length=1000).collect_schema()
    schema = {name: kept for name, dtype in seen.items() if (kept := _without(dtype, TOKENS if explicit else ()))}

    def work() -> int:
        rows = 0
        for number, log in enumerate(logs):
            target = out / f"{number}.parquet"
            pl.scan_ndjson(log, schema=schema).sink_parquet(target, compression="zstd", compression_level=3)
            rows += pl.scan_parquet(target).select(pl.len()).collect().item()
        return rows

    return work


def _without(dtype: Any, names: Sequence[str] | frozenset[str]) -> Any:
    """The type without members of these names and without structs that have none; None where nothing is left."""
    import polars as pl

    if isinstance(dtype, pl.Struct):
        fields = {f.name: kept for f in dtype.fields if f.name not in names and (kept := _without(f.dtype, names))}
        return pl.Struct(fields) if fields else None
    if isinstance(dtype, pl.List):
        inner = _without(dtype.inner, names)
        return pl.List(inner) if inner else None
    return None if dtype == pl.Null else dtype


def _duckdb(logs: Sequence[Path], out: Path) -> Callable[[], int]:
    import duckdb

    connection = duckdb.connect(config={"threads": 1})

    def work() -> int:
        rows = 0
        for number, log in enumerate(logs):
            read = f"read_json('{log}', format='newline_delimited', maximum_object_size=536870912)"
            target = f"'{out / str(number)}.parquet' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 3)"
            connection.execute(f"COPY (FROM {read}) TO {target}")
            rows += connection.read_parquet(f"{out / str(number)}.parquet").count("*").fetchall()[0][0]
        return rows

    return work


def _datasets(logs: Sequence[Path], out: Path) -> Callable[[], int]:
    import datasets

    datasets.disable_progress_bars()

    def work() -> int:
        files = [str(log) for log in logs]
        loaded = datasets.load_dataset("json", data_files=files, split="train", cache_dir=str(out / "cache"))
        loaded.to_parquet(str(out / "all.parquet"))
        shutil.rmtree(out / "cache")
        return len(loaded)

    return work


def _on(cores: int, logs: Sequence[Path], out: Path) -> Callable[[], int]:
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    return _capture(logs, out, workers=None)


CASES: dict[str, Callable[[Sequence[Path], Path], Callable[[], int]]] = {
    "synthetic capture": _capture,
    "polars, explicit schema": lambda logs, out: _polars(logs, out, explicit=True),
    "polars, inferred schema": lambda logs, out: _polars(logs, out, explicit=False),
    "duckdb": _duckdb,
    "datasets (its own compression)": _datasets,
}

CORES: dict[str, Callable[[Sequence[Path], Path], Callable[[], int]]] = {
    "one core": lambda logs, out: _on(1, logs, out),
    "two cores": lambda logs, out: _on(2, logs, out),
}


# ---- running them


def _logs(folder: Path) -> list[Path]:
    return sorted(folder.glob("run/rollouts/*/*/all/traces.jsonl"))


def _run(case: str, folder: Path) -> None:
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    logs = _logs(folder)
    cost = measured((CASES | CORES)[case](logs, out))
    written = sum(path.stat().st_size for path in out.rglob("*.parquet"))
    print(msgspec.json.encode(Taken(cost, written / 1e6)).decode())


def _taken(case: str, folder: Path) -> Taken | str:
    """What a case took; the last line of its error where it fails."""
    one = {} if case in CORES else {"POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", "benchmarks.capture", "--case", case, str(folder)]
    done = subprocess.run(command, capture_output=True, check=False, env=os.environ | one)  # noqa: S603
    if done.returncode:
        return done.stderr.decode().strip().rpartition("\n")[2][:160]
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=Taken)


def rows(traces: int = TRACES, rounds: int = ROUNDS, parent: str | None = None) -> str:
    """The table, as Markdown."""
    lines = ["| logs | reader | rows/CPU-s | CPU-s | peak MB | written MB | ours / theirs |", "|-|-|-:|-:|-:|-:|-:|"]
    for tokens in (False, True):
        with scratch(parent, traces * SCRATCH_BYTES_PER_TRACE) as folder:
            from benchmarks.traces import write_run

            write_run(folder / "run", traces, tokens=tokens)
            size = sum(log.stat().st_size for log in _logs(folder)) / 1e6
            found: dict[str, list[Taken | str]] = {case: [] for case in CASES}
            for _ in range(rounds):
                for case, said in found.items():
                    said.append(_taken(case, folder))
        name = f"{size:,.0f} MB, {'with' if tokens else 'without'} token arrays"
        lines += _lines(name, found)
    return "\n".join(lines) + "\n"


def cores(traces: int = TRACES, rounds: int = ROUNDS, parent: str | None = None) -> str:
    """What a second core gives, as Markdown."""
    lines = ["| logs | cores | wall s | CPU-s | rows/s | times as fast |", "|-|-|-:|-:|-:|-:|"]
    for tokens in (False, True):
        with scratch(parent, traces * SCRATCH_BYTES_PER_TRACE) as folder:
            from benchmarks.traces import write_run

            write_run(folder / "run", traces // 4 if tokens else traces, tokens=tokens)
            size = sum(log.stat().st_size for log in _logs(folder)) / 1e6
            found: dict[str, list[Cost]] = {case: [] for case in CORES}
            for _ in range(rounds):
                for case, costs in found.items():
                    if isinstance(taken := _taken(case, folder), str):
                        raise SystemExit(taken)
                    costs.append(taken.cost)
        name = f"{size:,.0f} MB, {'with' if tokens else 'without'} token arrays"
        best = {case: min(costs, key=lambda cost: cost.wall_seconds) for case, costs in found.items()}
        one = best["one core"].wall_seconds
        lines += [
            f"| {name} | {case} | {cost.wall_seconds:.2f} | {cost.cpu_seconds:.2f}"
            f" | {cost.rows / cost.wall_seconds:,.0f} | {one / cost.wall_seconds:.2f} |"
            for case, cost in best.items()
        ]
    return "\n".join(lines) + "\n"


def _lines(name: str, found: dict[str, list[Taken | str]]) -> list[str]:
    lines, ours = [], 0.0
    for case, said in found.items():
        taken = [each for each in said if isinstance(each, Taken)]
        if not taken:
            lines.append(f"| {name} | {case} | stops: {said[0]} | | | | |")
            continue
        rate = statistics.median(each.cost.rows / each.cost.cpu_seconds for each in taken)
        ours = ours or rate
        cpu = statistics.median(each.cost.cpu_seconds for each in taken)
        peak = max(each.cost.peak_mb for each in taken)
        ratio = "" if rate == ours else f"{ours / rate:.2f}"
        lines.append(
            f"| {name} | {case} | {rate:,.0f} | {cpu:.2f} | {peak:,.0f} | {taken[0].written_mb:,.1f} | {ratio} |"
        )
    return lines


def main() -> None:
    """Measure and print; with --case, run one case."""
    parser = argparse.ArgumentParser(description="Compare capturing with other readers of JSON lines.")
    parser.add_argument("--traces", type=int, default=TRACES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--scratch", help="where to put the logs and what is written")
    parser.add_argument("--cores", action="store_true", help="measure what a second core gives")
    parser.add_argument("--case", nargs=2, metavar=("CASE", "FOLDER"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.case:
        _run(given.case[0], Path(given.case[1]))
    elif given.cores:
        print(cores(given.traces, given.rounds, given.scratch), end="")
    else:
        print(rows(given.traces, given.rounds, given.scratch), end="")


if __name__ == "__main__":
    main()
