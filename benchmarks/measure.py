"""What every benchmark shares: a row of the table, a case in a fresh process, and what machine it ran on."""

import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

LONGEST_SECONDS = 3600
"""A case that takes longer is stopped."""

PACKAGES = ("polars", "pyarrow", "msgspec", "xxhash", "datasets", "huggingface_hub")


class Cost(msgspec.Struct):
    """What one case took, measured in its own process after its imports."""

    wall_seconds: float
    cpu_seconds: float
    """Of all threads."""
    peak_mb: float
    """Largest resident memory of the process, interpreter and imports included; MB = 10^6 bytes."""
    rows: int


@dataclass(frozen=True)
class Row:
    """A line of the table; every cell is text."""

    case: str
    size: str = ""
    wall: str = ""
    cpu: str = ""
    rate: str = ""
    """Rows per second of wall time."""
    memory: str = ""
    against: str = ""
    """CPU-seconds (start-up: wall) over those of the floor or peer."""
    grows: str = ""
    """Cost per row and memory over those of the smallest size."""
    command: str = ""


HEAD = Row(
    *("case", "rows", "wall", "CPU-s", "rows/s", "peak MB", "against", "growth", "command"),
)


def table(rows: Sequence[Row]) -> str:
    """The rows as Markdown."""
    lines = [HEAD, *rows]
    cells = [[getattr(row, name) for name in Row.__dataclass_fields__] for row in lines]
    cells.insert(1, ["---"] + ["--:"] * 5 + ["---"] * 3)
    return "".join(f"| {' | '.join(row)} |\n" for row in cells)


def machine() -> str:
    """Cores, memory, Python and the packages that do the work."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    system = f"{platform.system()} {platform.machine()}"
    return f"{system}, {cores} cores, {memory:.0f} GB; Python {platform.python_version()}; {packages}"


def measured(work: Callable[[], int]) -> Cost:
    """Do the work, which gives its number of rows, and say what it took."""
    before, start = _cpu_seconds(), time.perf_counter()
    rows = work()
    wall, cpu = time.perf_counter() - start, _cpu_seconds() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Cost(wall, cpu, peak / 1e6, rows)


def _cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def in_fresh_process(module: str, *arguments: str | Path) -> Cost:
    """Run `python -m module …`, which prints a `Cost` as the last line of its output."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=LONGEST_SECONDS)  # noqa: S603
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr.decode()}")
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=Cost)


def middle(costs: Sequence[Cost]) -> Cost:
    """The median of each number."""
    wall, cpu, peak = (
        statistics.median(getattr(cost, name) for cost in costs) for name in ("wall_seconds", "cpu_seconds", "peak_mb")
    )
    return Cost(wall, cpu, peak, costs[0].rows)


@contextmanager
def scratch(parent: str | None, needed_bytes: int) -> Iterator[Path]:
    """A folder that goes away afterwards, where there is room for so much."""
    with TemporaryDirectory(prefix="synthetic-bench-", dir=parent) as folder:
        free = shutil.disk_usage(folder).free
        if free < needed_bytes:
            where = parent or "the folder for temporary files"
            raise SystemExit(
                f"{where}: {free / 1e9:.0f} GB free, about {needed_bytes / 1e9:.0f} GB needed; name another: --scratch"
            )
        yield Path(folder)
