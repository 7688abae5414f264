"""Processes that take lines apart beside this one: handed stretches of lines, they give back their rows.

A process is `synthetic.worker`, started anew and spoken to over pipes: whoever uses the library needs no `__main__`
guard, and nothing is pickled. Lines and rows go through files in memory, so that no message is larger than a pipe and
nobody ever waits for a reader. What a process gives depends on its lines alone, never on which process it was.
"""

import mmap
import os
import select
import signal
import struct
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any  # JSON values

import msgspec
import pyarrow as pa

from synthetic.errors import WorkerDied
from synthetic.formats import FORMATS, Source
from synthetic.lines import Bad, Line, Lines, Taken
from synthetic.record import kinds

SLOTS = 2
"""Stretches of lines that a process is handed at once: one to work on, and the next."""

LARGEST = 16 * 1024 * 1024
"""Bytes of lines that are handed over at most; what is more is taken apart where it was read."""

MAPPED_BYTES = 32 * 1024 * 1024
"""Bytes of a slot that are mapped; more goes through its file."""

MESSAGE = struct.Struct("<BQQ")
"""Of a request or an answer: in which slot it stands, how long its head is, and how long it is with what follows."""

ALONE = "run again with --workers 1: finished shards are kept, and less memory is needed"

_START = (
    "import os, sys; sys.path.append(sys.argv[1]); os.environ['OPENBLAS_NUM_THREADS'] = '1'; "  # it computes nothing
    "from synthetic.worker import main; main(sys.argv[2:])"
)


class Request(msgspec.Struct):
    """What a process is asked: the head of a slot's file, behind which the lines stand."""

    kind: str
    number: int
    path: str
    root: str
    format: str
    role: Any
    facts: dict[str, Any]
    loose: bool
    header: dict[str, Any]
    lines: list[tuple[int, int | None, int]]
    """Offset, bytes in the slot (None: too long a line), and length."""

    def source(self) -> Source:
        """Where the lines are from."""
        path, root = Path(os.fsdecode(self.path)), Path(os.fsdecode(self.root))
        return Source(path, root, FORMATS[self.format], self.role, self.facts, self.loose, self.header)


class Answer(msgspec.Struct):
    """What a process gives: the head of an answer, behind which its rows stand as Arrow's messages."""

    lines: int
    captured: int
    rows: int
    repaired: int
    bad: list[tuple[int, bytes, str]]
    frames: list[tuple[str, int]]
    """Kind, and bytes in the slot."""


@dataclass
class Ticket:
    """A stretch of lines that was handed over."""

    taken: Taken | None = None


@dataclass
class _Worker:
    process: "subprocess.Popen[bytes]"
    requests: "list[Slot]"
    answers: "list[Slot]"
    ready: bool = False
    asked: deque[tuple[int, Ticket]] = field(default_factory=deque)
    """Slots and tickets of what is not answered yet, in order."""
    free: list[int] = field(default_factory=lambda: list(range(SLOTS)))

    @property
    def input(self) -> int:
        """The descriptor of what it reads."""
        assert self.process.stdin is not None  # noqa: S101 - it is a pipe
        return self.process.stdin.fileno()

    @property
    def output(self) -> int:
        """The descriptor of what it writes."""
        assert self.process.stdout is not None  # noqa: S101 - it is a pipe
        return self.process.stdout.fileno()


class Pool:
    """So many processes."""

    def __init__(self, workers: int) -> None:
        """Start them. Raises `WorkerDied` where the system lets none start."""
        self._workers: list[_Worker] = []
        try:
            for _ in range(workers):
                self._workers.append(_start())
        except OSError as error:
            self.__exit__(OSError, error, None)
            raise WorkerDied(f"no other process could be started ({error.strerror})", hint=ALONE) from error

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        for worker in self._workers:
            if kind is not None:
                worker.process.kill()
            with worker.process:  # closes its pipes, at which it ends, and waits for it
                for slot in (*worker.requests, *worker.answers):
                    slot.file.close()

    @property
    def started(self) -> bool:
        """Whether a process is ready to be handed lines."""
        return any(worker.ready for worker in self._workers)

    @property
    def has_room(self) -> bool:
        """Whether a process can be handed lines now."""
        return any(worker.ready and worker.free for worker in self._workers)

    @property
    def ids(self) -> list[int]:
        """The processes, by their numbers."""
        return [worker.process.pid for worker in self._workers]

    def wait(self) -> None:
        """Wait until all have started. Raises `WorkerDied`."""
        while not all(worker.ready for worker in self._workers):
            self.look(None)

    def takes(self, lines: Lines) -> bool:
        """Whether these lines can be handed over: a map's format that was named by hand is known here alone."""
        source = lines.source
        return FORMATS.get(source.format.name) is source.format and not source.decode and lines.bytes <= LARGEST

    def hand(self, lines: Lines) -> Ticket:
        """Hand lines to the process that has least to do; there must be room."""
        worker = max((each for each in self._workers if each.ready), key=lambda each: len(each.free))
        slot, ticket, source = worker.free.pop(0), Ticket(), lines.source
        head = msgspec.msgpack.encode(
            Request(
                lines.kind,
                lines.number,
                os.fspath(source.path),
                os.fspath(source.root),
                source.format.name,
                source.role,
                dict(source.facts),
                source.loose,
                dict(source.header),
                [(line.offset, None if line.text is None else len(line.text), line.length) for line in lines.lines],
            )
        )
        whole = worker.requests[slot].put([head, *(line.text for line in lines.lines if line.text)])
        worker.asked.append((slot, ticket))
        self._say(worker, MESSAGE.pack(slot, len(head), whole))
        return ticket

    def look(self, seconds: float | None = 0) -> None:
        """Take answers that are there; wait so long for one (None: until there is one). Raises `WorkerDied`."""
        outputs = {worker.output: worker for worker in self._workers}
        for output in select.select(list(outputs), [], [], seconds)[0]:
            self._hear(outputs[output])

    def _hear(self, worker: _Worker) -> None:
        said = os.read(worker.output, MESSAGE.size if worker.ready else 1)
        if len(said) < (MESSAGE.size if worker.ready else 1):
            raise self._died(worker)
        if not worker.ready:
            worker.ready = True
            return
        slot, head, whole = MESSAGE.unpack(said)
        expected, ticket = worker.asked.popleft()
        if slot != expected:
            raise self._died(worker)
        ticket.taken = _answered(worker.answers[slot].get(whole), head)
        worker.free.append(slot)

    def _say(self, worker: _Worker, message: bytes) -> None:
        try:
            os.write(worker.input, message)
        except BrokenPipeError as error:
            raise self._died(worker) from error

    def _died(self, worker: _Worker) -> WorkerDied:
        worker.process.kill()
        code = worker.process.wait()
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        return WorkerDied(
            f"a process that took lines apart {how}",
            hint=ALONE,
        )


def _start() -> _Worker:
    """A new process, which shares the files of its slots."""
    requests, answers = ([Slot(_file()) for _ in range(SLOTS)] for _ in range(2))
    shared = [slot.file.fileno() for slot in (*requests, *answers)]
    found = str(Path(__file__).parent.parent)  # where this package is, also where it is not installed
    process = subprocess.Popen(  # noqa: S603 - this interpreter, and numbers
        [sys.executable, "-P", "-c", _START, found, *map(str, shared)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=shared,
        bufsize=0,
    )
    return _Worker(process, requests, answers)


class Slot:
    """A file in which one process leaves bytes for another. It is mapped: what is written again needs no new memory."""

    def __init__(self, file: FileIO) -> None:
        self.file = file
        if os.fstat(file.fileno()).st_size < MAPPED_BYTES:
            file.truncate(MAPPED_BYTES)  # takes room as it is written
        self._map = mmap.mmap(file.fileno(), MAPPED_BYTES)

    def put(self, parts: Sequence[bytes | memoryview]) -> int:
        """Leave these bytes, one behind the other; give how many they are."""
        whole, at = sum(map(len, parts)), 0
        if whole <= MAPPED_BYTES:
            for part in parts:
                self._map[at : at + len(part)] = part
                at += len(part)
            return whole
        self.file.seek(0)
        for part in parts:
            left = memoryview(part)
            while left:
                left = left[self.file.write(left) or 0 :]
        return whole

    def get(self, size: int) -> memoryview:
        """So many bytes; they stand until others are left."""
        if size <= MAPPED_BYTES:
            return memoryview(self._map)[:size]
        found = memoryview(bytearray(size))
        left = found
        self.file.seek(0)
        while left and (count := self.file.readinto(left)):
            left = left[count:]
        return found


def _file() -> FileIO:
    """A file without a name; in memory, where the system has such files."""
    if hasattr(os, "memfd_create"):
        return FileIO(os.memfd_create("synthetic"), "r+b")
    with tempfile.TemporaryFile(buffering=0) as file:
        return FileIO(os.dup(file.fileno()), "r+b")


def requested(data: memoryview, head: int) -> Lines:
    """The lines that a process was handed."""
    request = msgspec.msgpack.decode(data[:head], type=Request)
    lines = Lines(request.kind, request.source(), request.number)
    at = head
    for offset, size, length in request.lines:
        text = None if size is None else bytes(data[at : at + size])
        lines.lines.append(Line(offset, text, length))
        at += size or 0
    return lines


def answer(taken: Taken) -> tuple[bytes, list[memoryview]]:
    """What lines gave, as a head and what stands behind it."""
    frames = [memoryview(frame.serialize()) for _, frame in taken.frames]
    sizes = [(kind, len(data)) for (kind, _), data in zip(taken.frames, frames, strict=True)]
    counts = (taken.lines, taken.captured, taken.rows, taken.repaired)
    bad = [(each.offset, each.text, each.why) for each in taken.bad]
    return msgspec.msgpack.encode(Answer(*counts, bad, sizes)), frames


def _answered(data: memoryview, head: int) -> Taken:
    said = msgspec.msgpack.decode(data[:head], type=Answer)
    taken = Taken(said.lines, said.captured, said.rows, said.repaired, [Bad(*bad) for bad in said.bad])
    at, whole = 0, pa.allocate_buffer(len(data) - head)
    memoryview(whole).cast("B")[:] = data[head:]
    for kind, size in said.frames:
        taken.frames.append((kind, pa.ipc.read_record_batch(whole.slice(at, size), kinds()[kind].arrow)))
        at += size
    return taken
