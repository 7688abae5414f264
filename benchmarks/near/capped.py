"""A case in a fresh process whose memory and time are watched: over its limit it is stopped, and the table says so."""

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from benchmarks.measure import Cost

LIMIT_MB = 6_000
"""Of all processes of a case together."""

LIMIT_SECONDS = 1_800

LOOK_SECONDS = 0.05

PAGE = os.sysconf("SC_PAGE_SIZE")


class Stopped(Exception):
    """A case that did not come to its end, and why."""


def run(
    command: Sequence[str | Path],
    log: Path,
    *,
    limit_mb: float = LIMIT_MB,
    limit_seconds: float = LIMIT_SECONDS,
    env: Mapping[str, str] | None = None,
) -> Cost:
    """Run a command that prints a `Cost` as the last line of its output; its other words go to `log`.

    The peak is that of the process or of its whole tree, whichever is larger; pages that two processes share count
    twice. Linux only: memory is read from /proc. Raises `Stopped`.
    """
    out = log.with_suffix(".out")
    start, peak = time.monotonic(), 0.0
    with out.open("wb") as said, log.open("wb") as errors:
        words = [*map(str, command)]
        process = subprocess.Popen(  # noqa: S603 - our own scripts, in our or the peers' Python
            words, stdout=said, stderr=errors, env={**os.environ, **(env or {})}, start_new_session=True
        )
        try:
            while process.poll() is None:
                peak = max(peak, _session_mb(process.pid))
                if peak > limit_mb:
                    raise Stopped(f"stopped: more than {limit_mb / 1000:g} GB of memory")
                if time.monotonic() - start > limit_seconds:
                    raise Stopped(f"stopped: not done after {limit_seconds:,.0f} s")
                time.sleep(LOOK_SECONDS)
        finally:
            while left := _session(process.pid):  # which it has to itself; gone before the next case begins
                for each in left:
                    with suppress(ProcessLookupError):
                        os.kill(each, signal.SIGKILL)
                time.sleep(LOOK_SECONDS)
            process.wait()
    if process.returncode:
        last = log.read_text("utf-8", "replace").strip().rpartition("\n")[2]
        raise Stopped(f"failed: {last[:160] or process.returncode} ({shlex.join(words[1:4])})")
    cost = msgspec.json.decode(out.read_bytes().splitlines()[-1], type=Cost)
    cost.peak_mb = max(cost.peak_mb, peak)
    return cost


def _session(leader: int) -> list[int]:
    """The processes of a session that live."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            # `pid (name) state parent group session …`; a name may hold anything
            state, _, _, session = (folder / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()[:4]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(session) == leader and state != "Z":
            found.append(int(folder.name))
    return found


def _session_mb(leader: int) -> float:
    """Resident memory of the processes of a session."""
    pages = 0
    for process in _session(leader):
        try:
            pages += int(Path(f"/proc/{process}/statm").read_text().split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    return pages * PAGE / 1e6
