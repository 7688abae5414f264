"""One pass over the logs of some runs: what is new in them is read, taken apart and committed in shards.

Lines are read in order and may be taken apart elsewhere; what they gave is added to drafts in that same order
(`turns`), so what is written does not depend on how many processes do it. Memory is bounded by a few row groups.
"""

import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any  # of exceptions

import msgspec
import pyarrow as pa

from synthetic import shard as shards
from synthetic.captured import Captured
from synthetic.columns import batches
from synthetic.draft import Draft, Stretch
from synthetic.errors import SyntheticError, UnreadableLog
from synthetic.formats import Parsed, Place, Source
from synthetic.formats.file import COMPRESSED, Reading, check_compressed
from synthetic.formats.find import find
from synthetic.formats.records import first_line
from synthetic.formats.rows import late_facts
from synthetic.lines import Bad, Line, Lines, Taken, take
from synthetic.pool import Pool
from synthetic.record import digest
from synthetic.rewind import withdrawn
from synthetic.stage import Progress
from synthetic.store import SCHEMAS, Footer, Log, Range, Store, ranges
from synthetic.turns import Turns

TAKEN_BYTES = 8 * 1024 * 1024
"""Lines are taken apart together, and their rows given to the writer, when they pass this."""

WORTH_BYTES = 64 * 1024 * 1024
"""Processes beside this one are started for so many bytes of new lines: starting them takes half a second each."""

TAKEN_LINES = 4096
"""So many lines are taken apart together at most."""

MOST_WORKERS = 4
"""Another process would wait: rows are compressed by one thread."""

REASONS = 20
"""So many reasons for setting lines aside are counted by name."""


@dataclass
class _Part:
    """What is read of one log."""

    source: Source
    log: Log
    generation: int
    kind: str
    number: int
    """Lines before those that are read next, as far as is known."""
    used: int
    """Lines before those whose rows come next."""


class Intake:
    """One pass over the logs of some runs, holding the store's lock."""

    def __init__(
        self,
        store: Store,
        done: Captured,
        tokens: bool,
        workers: int | None,
        shard_bytes: int,
        progress: Progress,
        now: Callable[[], datetime],
    ) -> None:
        self.store, self.done, self.progress, self.now = store, done, progress, now
        self.tokens, self.workers, self.shard_bytes = tokens, workers, shard_bytes
        self.before = store.shards()
        self.last = max((shard.number for shard in self.before), default=-1)
        """Number of the last shard that this pass knows."""
        self.turns, self.open = Turns(), ExitStack()
        self.aside: ThreadPoolExecutor | None = None
        self.new_bytes = 0
        """Bytes of logs that were not read yet, as far as files tell."""
        self.read: dict[str, int] = {}
        """Bytes of lines that were read for the next shard, by its kind."""
        self.run_read = ""
        """The run that they are of."""
        self.drafts: dict[str, Draft] = {}
        self.held: dict[Log, list[Range]] = {}
        """What is captured of each log, also in this pass: a log may be there twice, plain and sealed."""
        self.pending: set[Log] = set()
        """Logs of which more was read than `held` says."""
        for known in ranges(self.before):
            self.held.setdefault(known.log, []).append(known)

    def __enter__(self) -> "Intake":
        return self

    def __exit__(self, *error: Any) -> None:
        for draft in self.drafts.values():
            draft.give_up()
        self.open.__exit__(*error)

    def run(self, sources: Sequence[Source]) -> None:
        """Capture what is new in the sources."""
        sizes = [_size(source.path) for source in sources]
        self._warn_of_late_only(sources)
        new = [self._new_bytes(source, size) for source, size in zip(sources, sizes, strict=True)]
        for place, source in enumerate(sources):
            self.new_bytes = sum(new[place:])
            if self.run_read != source.run:
                self._cut()  # a shard holds one run
            self.run_read = source.run
            try:
                self.log(source)
            except UnreadableLog as error:
                if len(sources) == 1:
                    raise
                self.done.refused.append(told(error))
            self.progress("capturing", sum(sizes[: place + 1]), sum(sizes))
        self._cut()
        self.turns.all()
        self.done.runs = sorted({source.run for source in sources})
        self.done.formats = sorted({source.format.name for source in sources})

    def _new_bytes(self, source: Source, size: int) -> int:
        """How much of a log was not captured yet, about: of a compressed one nobody knows how much stands in it."""
        held = [r.end for found in self.held.values() for r in found if (r.run, r.path) == (source.run, source.name)]
        if source.path.suffix in COMPRESSED:
            return 0 if held else 4 * size
        return max(0, size - max(held, default=0))

    def _warn_of_late_only(self, sources: Sequence[Source]) -> None:
        runs = {role: {s.run for s in sources if s.role == role} for role in ("late", "traces")}
        captured = {shard.footer.kind: {r.run for r in shard.footer.ranges} for shard in self.before}
        for run in sorted(runs["late"] - runs["traces"] - captured.get("traces", set())):
            names = [source.name for source in sources if source.run == run]
            what = f"{names[0]} only adds to rollouts of other logs, and those are not here: name the run's folder"
            self.done.warnings.append(f"{run}: {what}")

    def log(self, source: Source) -> None:
        """Capture what is new in one log: its facts, and its tokens where they are wanted."""
        check_compressed(source.path)
        self.done.logs[f"{source.run}/{source.name}"] = source.format.name
        log = _log(source)
        self._part(source, log, "annotations" if source.role == "late" else "traces")
        if self.tokens and source.format.tokens:
            self._part(source, (*log[:3], "tokens"), "tokens")

    def _part(self, source: Source, log: Log, kind: str) -> None:
        """Capture what is new of one kind."""
        if log in self.pending:
            self.turns.all()
        every = self.held.get(log, ())
        if not every and source.format.rewinds and kind == "traces":
            self._rewind(source)
        # The newest first; but two files may share a name and a first line, and each finds its own again.
        generations = sorted({r.generation for r in every}, reverse=True) or [0]
        for generation in generations:
            held = sorted((r for r in every if r.generation == generation), key=lambda r: r.start)
            with source.format.open(source.path) as text:
                found = text.skip(held[-1].start, held[-1].end) if held else None
                if not held or found == held[-1].digest or text.broken:
                    self.done.seen_before += sum(r.lines for r in held) if kind != "tokens" else 0
                    self._read(source, text, log, kind, generation, held[-1].end if held else 0)
                    return
        # The bytes that were captured are not there any more: the log was replaced, and is read anew.
        if kind != "tokens":
            self.done.warnings.append(
                f"{source.run}/{source.name}: was rewritten since it was captured; reading it anew"
            )
        with source.format.open(source.path) as text:
            self._read(source, text, log, kind, generations[0] + 1, 0)

    def _rewind(self, source: Source) -> None:
        """Mark the rows of an earlier log of this name, if the run was resumed from before their step."""
        if not any((r.run, r.path) == (source.run, source.name) for r in ranges(self.before)):
            return
        ids = withdrawn(source, self.before, {_log(other) for other in find(source.root).sources})
        if ids:
            rewound = Parsed(late=[(id, None, "rewound", True) for id in ids])
            rows = late_facts(rewound, Place(source.name, 0, ""))
            self.turns.then(lambda: self._add("annotations", source, batches(SCHEMAS["annotations"].arrow, rows)))
            self.done.warnings.append(
                f"{source.run}/{source.name}: the run was resumed from before it;"
                f" {len(ids)} traces are marked as rewound"
            )

    def _read(self, source: Source, text: Reading, log: Log, kind: str, generation: int, start: int) -> None:
        """Capture the lines from `start` on, where `text` stands."""
        stretch = Stretch(start)
        before = sum(r.lines for r in self.held.get(log, ()) if r.generation == generation)
        part = _Part(source, log, generation, kind, before, before)
        lines = Lines(kind, source, before)
        # Looked up at each piece: a new stretch begins with each shard.
        for offset, line, length in text.lines(start, lambda piece: stretch.within(piece)):  # noqa: B023, PLW0108
            stretch.add(line, length)
            lines.add(Line(offset, line, length))
            self.read[kind] = self.read.get(kind, 0) + (length if line is None else len(line) + 1)
            full = self.read[kind] >= self.shard_bytes
            if lines.bytes >= TAKEN_BYTES or len(lines.lines) >= TAKEN_LINES or full:
                self._take(part, lines, stretch)
                lines = Lines(kind, source, part.number)
            if full:
                self._hold(part, stretch, full=True)
                self._cut()
                stretch = Stretch(stretch.end)
                self.progress(f"capturing {source.name}", stretch.end, None)
        if lines.lines:
            self._take(part, lines, stretch)
        self._hold(part, stretch, full=False)
        if kind == "tokens":
            return  # what is wrong with the log was told when its facts were taken
        self.done.warnings += [f"{source.run}/{source.name}: {what}" for what in text.told]
        if text.broken:
            self.done.warnings.append(
                f"{source.run}/{source.name}: {text.broken}; the whole lines before it were taken"
            )
        elif stretch.end < text.at:
            self.done.torn.append(f"{source.run}/{source.name}")

    def _take(self, part: _Part, lines: Lines, stretch: Stretch) -> None:
        """Have lines taken apart, here or elsewhere."""
        if self.turns.pool is None and self._are_many():
            self._start()
        part.number += lines.count
        self.turns.lines(lines, lambda taken: self._use(part, lines, taken, stretch))

    def _are_many(self) -> bool:
        return (
            self.workers > 1
            if self.workers is not None
            else self.new_bytes >= WORTH_BYTES and cores() > 1 and bool(sys.executable)
        )

    def _start(self) -> None:
        """From here on, other processes take lines apart, and another thread writes."""
        workers = self.workers or min(cores(), MOST_WORKERS)
        self.aside = self.open.enter_context(ThreadPoolExecutor(1))
        for draft in self.drafts.values():
            draft.aside = self.aside
        pool = self.open.enter_context(Pool(workers))
        if self.workers:  # who asks for them has them from the first line on
            pool.wait()
        self.turns.with_pool(pool, workers)

    def _use(self, part: _Part, lines: Lines, taken: Taken, stretch: Stretch) -> None:
        """Add what lines gave to the drafts."""
        if lines.number != part.used:  # a line before them held several records
            lines.number = part.used
            taken = take(lines)
        part.used += taken.lines
        part.number += taken.lines - lines.count
        stretch.lines += taken.lines
        stretch.captured += taken.captured
        stretch.quarantined += taken.quarantined
        stretch.rows += taken.rows
        for kind, frame in taken.frames:
            self._add(kind, part.source, [frame])
        if part.kind != "tokens":  # else it was told, and set aside, when facts were taken
            self.done.repaired += taken.repaired
            for bad in taken.bad:
                self._set_aside(part, bad)

    def _add(self, kind: str, source: Source, frames: Sequence[pa.RecordBatch]) -> None:
        for frame in frames:
            self._draft(kind, source.run).add(frame)

    def _draft(self, kind: str, run: str) -> Draft:
        """The draft of that kind, begun if need be."""
        if kind not in self.drafts:
            path = self.store.shard_folder / f"{os.getpid()}-{kind}.tmp"
            self.drafts[kind] = Draft(kind, run, path, self.aside)
        return self.drafts[kind]

    def _hold(self, part: _Part, stretch: Stretch, *, full: bool) -> None:
        """Say what was read, when its rows are in the draft."""
        self.pending.add(part.log)

        def hold() -> None:
            if stretch.lines or full:
                draft = self._draft(part.kind, part.source.run)
                draft.ranges.append(stretch.range(part.log, part.generation, part.source))
                self.held.setdefault(part.log, []).append(draft.ranges[-1])

        self.turns.then(hold)

    def _cut(self) -> None:
        """Commit what was read, when its rows are in the drafts."""
        self.read = {}
        self.turns.then(self.commit)

    def _set_aside(self, part: _Part, bad: Bad) -> None:
        if bad.why in self.done.reasons or len(self.done.reasons) < REASONS:
            self.done.reasons[bad.why] = self.done.reasons.get(bad.why, 0) + 1
        place = {
            "run": part.source.run,
            "log_file": part.source.name,
            "log_offset": bad.offset,
            "reason": bad.why,
            "line": bad.text[:1_000_000].decode("utf-8", "backslashreplace"),
        }
        self._draft(part.kind, part.source.run).bad.append(msgspec.json.encode(place) + b"\n")

    def commit(self) -> None:
        """Commit every draft: side files first, then the shard that names them."""
        for kind in sorted(self.drafts):  # annotations first: a capture that stops in between says them again
            draft = self.drafts[kind]
            footer = Footer(
                kind=kind,
                schema=SCHEMAS[kind].id,
                ranges=draft.ranges,
                quarantine=[self._write_quarantine(draft.bad)] if draft.bad else [],
                rows=0,
                row_hash="",
                captured_at=self.now().isoformat(timespec="seconds"),
                code_version=_code_version(),
            )
            draft.finish(footer.encoded)
            self.last = self.store.commit(draft.path, footer, after=self.last)
            del self.drafts[kind]
            self._count(draft, footer)

    def _write_quarantine(self, bad: list[bytes]) -> str:
        data = b"".join(bad)
        name = f"{digest(data)}.jsonl"
        temporary = self.store.quarantine_folder / f"{name}.tmp"
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(self.store.quarantine_folder / name)
        shards.sync_folder(self.store.quarantine_folder)
        return name

    def _count(self, draft: Draft, footer: Footer) -> None:
        done = self.done
        captured = sum(r.captured for r in draft.ranges)
        quarantined = sum(r.quarantined for r in draft.ranges)
        if captured + quarantined != sum(r.lines for r in draft.ranges):
            raise SyntheticError("lines do not add up; this is a mistake in synthetic, please report it")
        if draft.kind == "tokens":
            done.token_rows += draft.rows
            return
        done.captured += captured
        done.quarantined += quarantined
        done.rows += draft.rows if draft.kind == "traces" else 0
        done.late_facts += draft.rows if draft.kind == "annotations" else 0
        done.quarantine += [str(self.store.quarantine_folder / name) for name in footer.quarantine]


@cache
def _code_version() -> str:
    return version("synthetic-traces")


def cores() -> int:
    """How many cores this process may use."""
    if sys.version_info >= (3, 13):
        return os.process_cpu_count() or 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _size(path: Path) -> int:
    """For progress only: a file that is gone is told when it is read."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def told(error: UnreadableLog) -> str:
    """The error and what would work."""
    return f"{error} ({error.hint})" if error.hint else str(error)


def _log(source: Source) -> Log:
    """Which log this is, for its facts."""
    return source.run, source.name, digest(first_line(source.format.open(source.path)) or b""), "facts"
