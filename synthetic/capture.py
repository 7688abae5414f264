"""Logs into a store: find a run's logs, read what is new in them, and commit it in shards.

Memory is bounded. Every line is accounted for: `lines seen = captured +
quarantined + seen before`, checked here and printed by the command line. A line that gives no row is set
aside with its file, offset and reason and never stops a capture; a torn last line is left for the next one.
"""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any  # of settings

from synthetic.captured import Captured
from synthetic.errors import CannotWrite, UnreadableLog
from synthetic.formats import FORMATS, Format
from synthetic.formats.find import find
from synthetic.formats.line import keys
from synthetic.formats.tokenizer import with_text
from synthetic.intake import Intake, told
from synthetic.stage import Progress, silent
from synthetic.store import Overtaken, Store

SHARD_BYTES = 256 * 1024 * 1024
"""A shard is committed when its lines pass this (decompressed)."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


def capture(
    *runs: str | Path,
    into: str | Path,
    format: str | None = None,
    tokens: bool = False,
    tokenizer: str | Path | None = None,
    workers: int | None = None,
    shard_bytes: int = SHARD_BYTES,
    progress: Progress = silent,
    now: Callable[[], datetime] = _utc_now,
) -> Captured:
    """Read the logs of runs (folders or single files) into the store `into`; make it if it is not there.

    What was captured before is not captured again, so a capture can be repeated and interrupted at any time.
    `format` forces one of `synthetic formats`, or names a column map's file. `tokens` also takes token ids, masks and
    log-probabilities, into a side table that `synthetic.tokens` reads, and also from lines whose facts were captured
    before. `tokenizer` is the `tokenizer.json` with which logs that hold token ids and no text are read. `workers` is
    how many processes take lines apart (1: this one): as many as there are cores, where a log is large. What is written
    does not depend on it.
    Raises `UnreadableLog` (no logs), `TargetTaken` (a release is there), `CannotWrite`, `StoreBusy`, `WorkerDied`.
    """
    found = [find(Path(run), format) for run in runs]
    sources = list({source.path: source for each in found for source in each.sources}.values())
    sources, unread = with_text(sources, tokenizer)
    store = Store(Path(into))
    while True:
        done = Captured(str(into), files=len(sources))
        done.refused = [told(error) for error in (*(one for each in found for one in each.refused), *unread)]
        done.unknown = {str(path): list(keys(line)) for each in found for path, line in each.unknown.items()}
        try:
            with store.writing(), Intake(store, done, tokens, workers, shard_bytes, progress, now) as intake:
                intake.run(sources)
        except Overtaken:
            continue
        except OSError as error:
            raise CannotWrite(
                f"{error.filename or into}: {error.strerror}",
                hint="make room, then run again: finished shards are kept",
            ) from error
        return done


def follow(
    *runs: str | Path,
    into: str | Path,
    every_seconds: float = 10.0,
    wait: Callable[[float], None] = time.sleep,
    **settings: Any,
) -> Iterator[Captured]:
    """Capture again and again what has been written since; runs without logs yet are waited for."""
    while True:
        try:
            yield capture(*runs, into=into, **settings)
        except UnreadableLog:
            if not all(Path(run).exists() for run in runs):
                raise
        wait(every_seconds)


def formats() -> list[Format]:
    """The log formats that can be captured."""
    return list(FORMATS.values())
