"""Logs into a store: find a run's logs, read what is new in them, and commit it in shards.

Memory is bounded by a shard's worth of rows. Every line is accounted for: `lines seen = captured +
quarantined + seen before`, checked here and printed by the command line. A line that gives no row is set
aside with its file, offset and reason and never stops a capture; a torn last line is left for the next one.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any  # JSON values

import msgspec

from synthetic import shard as shards
from synthetic.captured import Captured
from synthetic.draft import Draft, Stretch
from synthetic.errors import CannotWrite, SyntheticError, UnreadableLog
from synthetic.formats import FORMATS, BadLine, Format, Parsed, Place, Source, repaired
from synthetic.formats.file import Reading, bare, check_compressed, is_blank
from synthetic.formats.find import find
from synthetic.formats.glued import pieces
from synthetic.formats.line import NotJSON, keys
from synthetic.formats.records import first_line
from synthetic.formats.rows import late_facts, token_arrays, traces
from synthetic.formats.tokenizer import with_text
from synthetic.record import digest
from synthetic.rewind import withdrawn
from synthetic.stage import Progress, silent
from synthetic.store import SCHEMAS, Footer, Log, Overtaken, Range, Store, ranges

SHARD_BYTES = 256 * 1024 * 1024
"""A shard is committed when its lines pass this (decompressed)."""

FRAME_BYTES = 16 * 1024 * 1024
"""Rows are gathered into frames, and given to the writer, when their lines pass this."""

REASONS = 20
"""So many reasons for setting lines aside are counted by name."""

# A log may hold anything, in any place: whatever a format or the record's schema trips over is a bad line.
BAD = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError, msgspec.MsgspecError)


def _utc_now() -> datetime:
    return datetime.now(UTC)


def capture(
    *runs: str | Path,
    into: str | Path,
    format: str | None = None,
    tokens: bool = False,
    tokenizer: str | Path | None = None,
    shard_bytes: int = SHARD_BYTES,
    progress: Progress = silent,
    now: Callable[[], datetime] = _utc_now,
) -> Captured:
    """Read the logs of runs (folders or single files) into the store `into`; make it if it is not there.

    What was captured before is not captured again, so a capture can be repeated and interrupted at any time.
    `format` forces one of `synthetic formats`, or names a column map's file. `tokens` also takes token ids, masks and
    log-probabilities, into a side table that `synthetic.tokens` reads, and also from lines whose facts were captured
    before. `tokenizer` is the `tokenizer.json` with which logs that hold token ids and no text are read.
    Raises `UnreadableLog` (no logs), `TargetTaken` (a release is there), `CannotWrite`, `StoreBusy`.
    """
    found = [find(Path(run), format) for run in runs]
    sources = list({source.path: source for each in found for source in each.sources}.values())
    sources, unread = with_text(sources, tokenizer)
    store = Store(Path(into))
    while True:
        done = Captured(str(into), files=len(sources))
        done.refused = [_told(error) for error in (*(one for each in found for one in each.refused), *unread)]
        done.unknown = {str(path): list(keys(line)) for each in found for path, line in each.unknown.items()}
        try:
            with store.writing():
                _Capture(store, done, tokens, shard_bytes, progress, now).run(sources)
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


# ---- reading and committing


class _Capture:
    """One pass over the logs of some runs, holding the store's lock."""

    def __init__(
        self,
        store: Store,
        done: Captured,
        tokens: bool,
        shard_bytes: int,
        progress: Progress,
        now: Callable[[], datetime],
    ) -> None:
        self.store, self.done, self.progress, self.now = store, done, progress, now
        self.tokens, self.shard_bytes = tokens, shard_bytes
        self.before = store.shards()
        self.last = max((shard.number for shard in self.before), default=-1)
        """Number of the last shard that this pass knows."""
        self.drafts: dict[str, Draft] = {}
        self.held: dict[Log, list[Range]] = {}
        """What is captured of each log, also in this pass: a log may be there twice, plain and sealed."""
        for known in ranges(self.before):
            self.held.setdefault(known.log, []).append(known)

    def run(self, sources: Sequence[Source]) -> None:
        """Capture what is new in the sources."""
        sizes = [_size(source.path) for source in sources]
        self._warn_of_late_only(sources)
        for place, source in enumerate(sources):
            if any(draft.run != source.run for draft in self.drafts.values()):
                self.commit()  # a shard holds one run
            try:
                self.log(source)
            except UnreadableLog as error:
                if len(sources) == 1:
                    raise
                self.done.refused.append(_told(error))
            self.progress("capturing", sum(sizes[: place + 1]), sum(sizes))
        self.commit()
        self.done.runs = sorted({source.run for source in sources})
        self.done.formats = sorted({source.format.name for source in sources})

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
            draft = self._draft("annotations", source)
            rewound = Parsed(late=[(id, None, "rewound", True) for id in ids])
            draft.rows += late_facts(rewound, Place(source.name, 0, ""))
            self.done.warnings.append(
                f"{source.run}/{source.name}: the run was resumed from before it;"
                f" {len(ids)} traces are marked as rewound"
            )

    def _read(self, source: Source, text: Reading, log: Log, kind: str, generation: int, start: int) -> None:
        """Capture the lines from `start` on, where `text` stands."""
        stretch = Stretch(start)
        before = sum(r.lines for r in self.held.get(log, ()) if r.generation == generation)
        # Looked up at each piece: a new stretch begins with each shard.
        for offset, line, length in text.lines(start, lambda piece: stretch.within(piece)):  # noqa: B023, PLW0108
            draft = self._draft(kind, source)
            stretch.add(line, length)
            if line is None:
                self._set_aside(draft, source, offset, b"", f"{length} bytes are no line", stretch)
            elif not is_blank(said := bare(line, offset)):
                place = Place(source.name, offset, digest(said), before + stretch.lines - 1)
                self._line(draft, source, place, said, stretch)
            size = length if line is None else len(line) + 1
            draft.bytes += size
            draft.pending_bytes += size
            if draft.pending_bytes >= FRAME_BYTES:
                draft.gather()
            if draft.bytes >= self.shard_bytes:
                self._hold(draft, stretch, log, generation, source)
                self.commit()
                before += stretch.lines
                stretch = Stretch(stretch.end)
                self.progress(f"capturing {source.name}", stretch.end, None)
        if stretch.lines:
            self._hold(self.drafts[kind], stretch, log, generation, source)
        if kind == "tokens":
            return  # what is wrong with the log was told when its facts were taken
        self.done.warnings += [f"{source.run}/{source.name}: {what}" for what in text.told]
        if text.broken:
            self.done.warnings.append(
                f"{source.run}/{source.name}: {text.broken}; the whole lines before it were taken"
            )
        elif stretch.end < text.at:
            self.done.torn.append(f"{source.run}/{source.name}")

    def _draft(self, kind: str, source: Source) -> Draft:
        """The draft of that kind, begun if need be."""
        if kind not in self.drafts:
            self.drafts[kind] = Draft(kind, source.run)
        return self.drafts[kind]

    def _hold(self, draft: Draft, stretch: Stretch, log: Log, generation: int, source: Source) -> None:
        draft.ranges.append(stretch.range(log, generation, source))
        self.held.setdefault(log, []).append(draft.ranges[-1])

    def _line(self, draft: Draft, source: Source, place: Place, line: bytes, stretch: Stretch) -> None:
        gone: dict[str, str] = {}
        try:
            try:
                given = _given(draft.kind, line, source, place, gone)
            except (msgspec.DecodeError, UnicodeDecodeError):
                mended, gone = repaired(line)
                given = _given(draft.kind, mended, source, place, gone)
        except NotJSON as error:
            self._pieces(draft, source, place, line, str(error), stretch)
            return
        except BAD as error:
            known = isinstance(error, msgspec.MsgspecError) or type(error) is BadLine
            why = str(error) if known else f"{type(error).__name__}: {error}"
            self._set_aside(draft, source, place.log_offset, line, why, stretch)
            return
        for kind, rows in given.items():
            self._draft(kind, source).rows += rows
        stretch.captured += 1
        stretch.rows += len(given[draft.kind])
        self.done.repaired += bool(gone) and draft.kind != "tokens"

    def _pieces(self, draft: Draft, source: Source, place: Place, line: bytes, why: str, stretch: Stretch) -> None:
        """Take a line that is no JSON apart; each record and each fragment of it counts as a line."""
        parts = pieces(line)
        stretch.lines += max(0, len(parts) - 1)
        for number, part in enumerate(parts, start=place.number or 0):
            here = Place(source.name, place.log_offset + part.offset, digest(part.line), number)
            if part.whole:
                self._line(draft, source, here, part.line, stretch)
            else:
                self._set_aside(draft, source, here.log_offset, part.line, f"torn: {why}", stretch)
        if not parts:
            self._set_aside(draft, source, place.log_offset, line, why, stretch)

    def _set_aside(self, draft: Draft, source: Source, offset: int, line: bytes, why: str, stretch: Stretch) -> None:
        stretch.quarantined += 1
        if draft.kind == "tokens":
            return  # it was set aside when its facts were taken
        if why in self.done.reasons or len(self.done.reasons) < REASONS:
            self.done.reasons[why] = self.done.reasons.get(why, 0) + 1
        place = {"run": source.run, "log_file": source.name, "log_offset": offset, "reason": why}
        text = line[:1_000_000].decode("utf-8", "backslashreplace")
        draft.bad.append(msgspec.json.encode(place | {"line": text}) + b"\n")

    def commit(self) -> None:
        """Commit every draft: side files first, then the shard that names them."""
        for kind in sorted(self.drafts):  # annotations first: a capture that stops in between says them again
            draft = self.drafts.pop(kind)
            draft.gather()
            if not draft.ranges and not draft.frames:
                continue
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
            temporary = self.store.shard_folder / f"{os.getpid()}-{kind}.tmp"
            with shards.Writer(temporary, SCHEMAS[kind]) as writer:
                for frame in draft.frames:
                    writer.add(frame)
                writer.finish(footer.encoded)
            self.last = self.store.commit(temporary, footer, after=self.last)
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
        rows = sum(frame.num_rows for frame in draft.frames)
        if draft.kind == "tokens":
            done.token_rows += rows
            return
        done.captured += captured
        done.quarantined += quarantined
        done.rows += rows if draft.kind == "traces" else 0
        done.late_facts += rows if draft.kind == "annotations" else 0
        done.quarantine += [str(self.store.quarantine_folder / name) for name in footer.quarantine]


@cache
def _code_version() -> str:
    return version("synthetic-traces")


def _size(path: Path) -> int:
    """For progress only: a file that is gone is told when it is read."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _told(error: UnreadableLog) -> str:
    return f"{error} ({error.hint})" if error.hint else str(error)


def _log(source: Source) -> Log:
    """Which log this is, for its facts."""
    return source.run, source.name, digest(first_line(source.format.open(source.path)) or b""), "facts"


def _given(
    kind: str, line: bytes, source: Source, place: Place, gone: Mapping[str, str]
) -> dict[str, list[dict[str, Any]]]:
    """What a line gives for shards of that kind, and late facts beside a rollout. Raises one of `BAD`."""
    if len(line) > (most := source.format.text_bytes) and not source.format.tokens:
        raise BadLine(f"{len(line) / 1e6:,.0f} MB in one line; more than {most / 1e6:,.0f} is no rollout")
    if kind == "tokens":
        return {kind: token_arrays(source.format.tokens(line, source, place)) if source.format.tokens else []}
    parsed = source.format.parse(line, source, place)
    late = late_facts(parsed, place, gone)
    if kind == "annotations":
        return {kind: late}
    return {kind: traces(parsed, place, gone)} | ({"annotations": late} if late else {})
