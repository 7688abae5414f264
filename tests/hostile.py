"""What must hold whatever lies in a run folder: the command is run on it as a user would, twice, and looked at.

No traceback, no more than a gigabyte, an end in time, nothing written outside the store, a balance, a store that holds,
and a second capture that adds nothing.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from synthetic.check import check
from synthetic.store import Store, ranges

ROOT = Path(__file__).parent.parent

MOST_MB = 1000
"""Peak of resident memory."""

# Not ru_maxrss: a child process inherits that from the parent it was forked from.
COMMAND = r"""
import pathlib, re, runpy, sys
peak = sys.argv.pop(1)
try:
    runpy.run_module("synthetic.cli", run_name="__main__", alter_sys=True)
finally:
    status = pathlib.Path("/proc/self/status")
    text = status.read_text() if status.exists() else ""
    found = re.search(r"VmHWM:\s+(\d+)", text)
    pathlib.Path(peak).write_text(str(int(found[1]) // 1024 if found else 0))
"""


@dataclass
class Outcome:
    """What one capture of a folder said and did."""

    code: int
    answer: Mapping[str, Any]
    """The JSON object that it printed."""
    told: str
    """What it printed to a reader."""
    peak_mb: int
    seconds: float
    logs: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    """For each run and log: lines captured and lines set aside."""

    @property
    def said(self) -> list[str]:
        """All that it told of files that were not read to their end, or not at all."""
        unknown = [f"{path}: not read; keys are {', '.join(keys)}" for path, keys in self.answer["unknown"].items()]
        return [*self.answer["refused"], *self.answer["warnings"], *self.answer["torn"], *unknown]


def synthetic(folder: Path, *arguments: str | Path, seconds: float = 300) -> Outcome:
    """Run the command in a process of its own. Raises `TimeoutExpired`."""
    peak = folder.with_name(f"{folder.name}.peak")
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, str(peak), *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        timeout=seconds,
        check=False,
    )
    told = (done.stdout + done.stderr).decode("utf-8", "backslashreplace")
    assert "Traceback" not in told, told
    assert done.returncode in {0, 1}, (done.returncode, told)
    answer = json.loads(done.stdout) if "--json" in arguments else {}
    return Outcome(done.returncode, answer, told, int(peak.read_text()), time.monotonic() - began)


def listing(folder: Path, but: Path | None = None) -> dict[str, tuple[int, ...]]:
    """Every name below a folder, with what would tell that it was changed."""
    found = {}
    for top, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if Path(top, name) != but]
        for name in [*folders, *names]:
            about = Path(top, name).lstat()
            changed = () if name in folders else (about.st_size, about.st_mtime_ns)
            found[f"{top}/{name}"] = (about.st_mode, about.st_ino, *changed)
    return found


def judged(folder: Path, *options: str | Path, run: str | Path = "run", seconds: float = 300) -> Outcome:
    """Capture `folder/run` into `folder/store` twice; raise `AssertionError` unless all that must hold does."""
    store = folder / "store"
    before = listing(folder, but=store)
    command = ("capture", folder / run, "--into", store, "--json", *options)
    first = synthetic(folder, *command, seconds=seconds)
    kept = listing(store)
    second = synthetic(folder, *command, seconds=seconds)
    assert listing(folder, but=store) == before, "something was written outside the store"
    assert listing(store) == kept, "the second capture changed the store"
    for each in (first, second):
        assert each.peak_mb < MOST_MB, f"{each.peak_mb} MB"
    assert first.code == second.code
    if first.code:
        assert {"error", "hint"} == first.answer.keys()
        return first
    done, again = first.answer, second.answer
    assert done["seen"] == done["captured"] + done["quarantined"] + done["seen_before"]
    assert (again["captured"], again["quarantined"], again["rows"]) == (0, 0, 0)
    assert again["seen_before"] == done["seen"]
    assert check(store).problems == []
    for part in ranges(Store(store).shards()):
        captured, aside = first.logs.get((part.run, part.path), (0, 0))
        first.logs[part.run, part.path] = (captured + part.captured, aside + part.quarantined)
    assert sum(map(sum, first.logs.values())) == done["seen"]
    return first
