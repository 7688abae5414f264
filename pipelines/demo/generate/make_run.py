"""Make the demo run from nothing: serve the scripted model, sample, stamp, write, report.

    python make_run.py [--to ../run] [--at-once 6]

An existing run folder of the same name is replaced once the new one is complete.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
MOST_BYTES = 3_000_000


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Make the bundled demo run.")
    parser.add_argument("--to", type=Path, default=HERE.parent / "run", help="folder for the run")
    parser.add_argument("--at-once", type=int, default=6, help="episodes in flight")
    chosen = parser.parse_args()
    _find_environments()

    import episodes
    import plan
    import server
    from layout import write_run
    from stamp import RUN_NAME, Stamped, stamp

    attempts = plan.attempts()
    with _shared_bytecode(), server.serving(attempts) as base_url:
        records = asyncio.run(episodes.run(attempts, base_url, at_once=chosen.at_once))
    stamped: list[Stamped] = [stamp(records[a.seed], a, base_url) for a in attempts]
    complaints = _surprises(stamped)
    if complaints:
        raise SystemExit("not as planned, nothing written:\n" + "\n".join(complaints))
    fresh = chosen.to / f".{RUN_NAME}.new"
    shutil.rmtree(fresh, ignore_errors=True)
    write_run(stamped, fresh)
    _refuse_private(fresh)
    shutil.rmtree(chosen.to / RUN_NAME, ignore_errors=True)
    fresh.rename(chosen.to / RUN_NAME)
    _report(chosen.to / RUN_NAME)


def _find_environments() -> None:
    """Make our modules and this Python's programs (uv) reachable, also for subprocesses."""
    envs = HERE / "envs"
    sys.path[:0] = [str(HERE), str(envs)]
    os.environ["PYTHONPATH"] = str(envs)
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    os.environ.setdefault("DEMO_API_KEY", "EMPTY")


@contextmanager
def _shared_bytecode() -> Iterator[None]:
    """Keep compiled modules in one temporary folder while the block runs.

    Every episode starts a process that imports openai and mcp; compiling them each time
    takes three seconds of work, reading them compiled less than one. And no cache folder
    is left beside the environments.
    """
    with tempfile.TemporaryDirectory() as folder:
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = folder
        yield


# The lists hold `Stamped`, which can only be imported once the path is set.
def _surprises(stamped: list) -> list[str]:
    """Attempts whose outcome is not the planned one: a scorer, a limit or a timeout moved."""
    truncated = {"cut", "afterthought"}
    failing = {"refused", "overloaded", "stalled", "unreadable"}
    found = []
    for item in stamped:
        attempt, record = item.attempt, item.record
        where = f"{attempt.problem.env} {attempt.problem.index}, seed {attempt.seed}, {attempt.conduct}"
        if record["ok"] is (attempt.conduct in failing):
            found.append(f"{where}: ok is {record['ok']}")
        if not record["ok"] or not record["traces"]:
            continue
        trace = next(t for t in record["traces"] if t["agent"]["trainable"])
        if (trace["calls"][-1].get("finish_reason") == "length") is not (attempt.conduct in truncated):
            found.append(f"{where}: finish reason {trace['calls'][-1].get('finish_reason')}")
        scorer = next((n for n in ("correct", "exact_match", "total_right") if n in trace["rewards"]), None)
        if scorer and attempt.conduct in ("right", "slip", "untagged", "afterthought"):
            want = 0.0 if attempt.conduct == "slip" else 1.0
            if scorer != "correct" and attempt.conduct == "untagged":
                want = 0.0
            if trace["rewards"][scorer]["score"] != want:
                found.append(f"{where}: {scorer} is {trace['rewards'][scorer]['score']}")
    return found


def _refuse_private(run: Path) -> None:
    """Stop where a line names a folder of this machine or the run is too large."""
    size = 0
    machine = {Path.home(), Path(tempfile.gettempdir()), Path(sys.prefix), Path(sys.base_prefix), HERE}
    private = {str(folder.absolute()) for folder in machine}
    for path in run.rglob("*.jsonl"):
        text = path.read_text(encoding="utf-8")
        size += path.stat().st_size
        named = sorted(folder for folder in private if folder in text)
        if named:
            raise SystemExit(f"{path}: names {named}")
    if size > MOST_BYTES:
        raise SystemExit(f"the run has {size} bytes, more than {MOST_BYTES}")


def _report(run: Path) -> None:
    """Print files, lines and bytes."""
    total: Counter[str] = Counter()
    for path in sorted(run.rglob("*.jsonl")):
        lines, size = path.read_text(encoding="utf-8").count("\n"), path.stat().st_size
        total.update(lines=lines, bytes=size)
        print(f"{path.relative_to(run)}: {lines} lines, {size} bytes")
    print(f"{run.name}: {total['lines']} lines, {total['bytes']} bytes")


if __name__ == "__main__":
    main()
