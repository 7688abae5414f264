"""What every benchmark shares: a row of the table, a case in a fresh process, and what machine it ran on."""

import os
import platform
import resource
import shutil
import signal
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
    log_bytes: int = 0
    """Size of the logs that it read."""

    @property
    def text(self) -> str:
        """In a few words, for whoever watches."""
        return f"{self.wall_seconds:.1f} s, {self.cpu_seconds:.1f} CPU-s, {self.peak_mb:,.0f} MB"


@dataclass(frozen=True)
class Row:
    """A line of the table; every cell is text."""

    case: str
    size: str = ""
    gb: str = ""
    """Size of the logs that are read, in 10^9 bytes."""
    wall: str = ""
    cpu: str = ""
    rate: str = ""
    """Rows per second of wall time."""
    speed: str = ""
    """Megabytes of logs per CPU-second."""
    memory: str = ""
    against: str = ""
    """CPU-seconds over those of the floor or peer; what it may take at most."""
    grows: str = ""
    """Cost per row and memory over those of the smallest size."""
    command: str = ""


HEAD = Row(
    *("case", "rows", "GB", "wall", "CPU-s", "rows/s", "MB/CPU-s", "peak MB", "against", "growth", "command"),
)


def row(
    case: str,
    cost: Cost,
    size: int,
    command: str,
    *,
    against: Sequence[str] = (),
    grows: str = "",
) -> Row:
    """What a case took for `size` rows, as a line of the table."""
    return Row(
        case=case,
        size=f"{size:,}",
        gb=f"{cost.log_bytes / 1e9:.3g}" if cost.log_bytes else "",
        wall=f"{cost.wall_seconds:.1f} s",
        cpu=f"{cost.cpu_seconds:.1f}",
        rate=f"{size / cost.wall_seconds:,.0f}",
        speed=f"{cost.log_bytes / 1e6 / cost.cpu_seconds:,.0f}" if cost.log_bytes else "",
        memory=f"{cost.peak_mb:,.0f}",
        against="; ".join(against),
        grows=grows,
        command=command,
    )


def table(rows: Sequence[Row]) -> str:
    """The rows as Markdown."""
    lines = [HEAD, *rows]
    cells = [[getattr(row, name) for name in Row.__dataclass_fields__] for row in lines]
    cells.insert(1, ["---"] + ["--:"] * 7 + ["---"] * 3)
    return "".join(f"| {' | '.join(row)} |\n" for row in cells)


def machine() -> str:
    """Cores, memory, Python and the packages that do the work."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    system = f"{platform.system()} {platform.machine()}"
    return f"{system}, {cores} cores, {memory:.0f} GB; Python {platform.python_version()}; {packages}"


def measured(work: Callable[[], int], log_bytes: int = 0) -> Cost:
    """Do the work, which gives its number of rows, and say what it took."""
    before, start = cpu_seconds(), time.perf_counter()
    rows = work()
    wall, cpu = time.perf_counter() - start, cpu_seconds() - before
    return Cost(wall, cpu, peak_bytes() / 1e6, rows, log_bytes)


def peak_bytes() -> int:
    """The largest resident memory of this process so far, or since `forget_peak`."""
    status = Path("/proc/self/status")
    if status.is_file():  # Linux, whose ru_maxrss begins with that of the process that started this one
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def forget_peak() -> None:
    """Let the peak of memory begin anew, after input was made that took more than the work will; Linux only."""
    clear = Path("/proc/self/clear_refs")
    if clear.is_file():
        clear.write_text("5")


def cpu_seconds() -> float:
    """Of this process and of those it has waited for, so far."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def fresh(module: str, *arguments: str | int | Path) -> str:
    """What `python -m module …` prints."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=LONGEST_SECONDS)  # noqa: S603
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr.decode()}")
    return done.stdout.decode()


def in_fresh_process(module: str, *arguments: str | int | Path) -> Cost:
    """Run `python -m module …`, which prints a `Cost` as the last line of its output."""
    return msgspec.json.decode(fresh(module, *arguments).splitlines()[-1], type=Cost)


def middle(costs: Sequence[Cost]) -> Cost:
    """The median of each number."""
    wall, cpu, peak = (
        statistics.median(getattr(cost, name) for cost in costs) for name in ("wall_seconds", "cpu_seconds", "peak_mb")
    )
    return Cost(wall, cpu, peak, costs[0].rows, costs[0].log_bytes)


def kept(folder: str | None, name: str, measure: Callable[[], dict[str, Cost]]) -> dict[str, Cost]:
    """What is measured, by case; from `folder`, when an earlier call has put it there."""
    path = Path(folder, f"{name}.json") if folder else None
    if path and path.is_file():
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Cost])
    costs = measure()
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.encode(costs))
    return costs


@contextmanager
def scratch(parent: str | None, needed_bytes: int) -> Iterator[Path]:
    """A folder that goes away afterwards, also when the process is told to end; where there is room for so much."""
    if parent:
        Path(parent).mkdir(parents=True, exist_ok=True)
    with _ending_tidily(), TemporaryDirectory(prefix="synthetic-bench-", dir=parent) as folder:
        free = shutil.disk_usage(folder).free
        if free < needed_bytes:
            where = parent or "the folder for temporary files"
            raise SystemExit(
                f"{where}: {free / 1e9:.0f} GB free, about {needed_bytes / 1e9:.0f} GB needed; name another: --scratch"
            )
        yield Path(folder)


@contextmanager
def _ending_tidily() -> Iterator[None]:
    """Turn signals that would end the process at once into exceptions, which clean up on their way."""

    def leave(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    before = {each: signal.signal(each, leave) for each in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
