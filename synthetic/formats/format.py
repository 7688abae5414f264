"""What a log format is: how its logs are found in a folder, and how one line of it becomes rows.

A format gives lines and rows and writes nothing: `capture` reads the lines and hands them over one by one, with
where they stand. A row of a Parquet file is a line too (`records`).
"""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, Literal, NamedTuple, Protocol  # Any: JSON values

from synthetic.formats.file import Reading
from synthetic.formats.records import open_log

TEXT_BYTES = 64_000_000
"""The most text of one line, token arrays not counted; a longer one is set aside."""


class Decode(Protocol):
    """Token ids to text."""

    def __call__(self, ids: Sequence[int], *, special: bool) -> str:
        """The text; `special` keeps the tokens that are no text but mark turns and ends."""


class BadLine(ValueError):
    """A line that gives no row; its text is the reason, and `capture` sets the line aside."""


def readable(name: str) -> str:
    r"""A file's name as text: bytes that are no UTF-8 become `\xff`, so that two names stay two."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


@dataclass(frozen=True)
class Source:
    """One log file of a run."""

    path: Path
    root: Path
    """The folder of the run: log names are relative to it."""
    format: "Format"
    role: Literal["traces", "late"] = "traces"
    """`late`: read only for what it says about traces that another file of the run holds."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Columns of the record that the path says (step, kind), for lines that do not say them."""
    loose: bool = False
    """Such logs may lie anywhere in a run: `root` is a guess, and a folder that is named by hand is the run."""
    header: Mapping[str, Any] = field(default_factory=dict)
    """What else the file says of itself before its lines, for `parse`."""
    decode: Decode | None = None
    """Token ids to text, for a format whose logs hold nothing else."""

    @cached_property
    def name(self) -> str:
        """Path relative to the run, without a compression suffix: sealing a log does not change it."""
        path = PurePosixPath(self.path.relative_to(self.root).as_posix())
        return readable(str(path.with_suffix("") if path.suffix in {".gz", ".zst"} else path))

    @property
    def run(self) -> str:
        """Name of the run's folder."""
        return readable(self.root.name)


class Place(NamedTuple):
    """Where a line stands."""

    log_file: str
    log_offset: int
    """Bytes of text before it; of a Parquet file or a JSON array, records before it."""
    log_digest: str
    """xxh3-128 of the line, without what ends it."""
    number: int | None = None
    """Lines that stand before it in the log, but blank ones: the same however lines end. None where nobody counted."""

    @property
    def columns(self) -> dict[str, Any]:
        """Columns of the record."""
        return {"log_file": self.log_file, "log_offset": self.log_offset, "log_digest": self.log_digest}


@dataclass
class Parsed:
    """What one line gave."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    """Columns of the record; absent is null. `capture` adds provenance, keys and hashes."""
    sampled: list[list[int]] = field(default_factory=list)
    """For each row, which of its messages the model wrote."""
    late: list[tuple[str, int | None, str, Any]] = field(default_factory=list)
    """Late facts: trace_id, branch (None = all), key, value."""


@dataclass(frozen=True)
class Format:
    """One kind of log."""

    name: str
    title: str
    detected_by: str
    """How it is recognised, in words."""
    looked_for: str
    """The file names that `find` looks for, in words."""
    find: Callable[[Path], Source | None]
    """A file's absolute path to a source of this format, judged by the path and what stands beside it."""
    recognises: Callable[[bytes], bool]
    """Whether a line is of this format."""
    parse: Callable[[bytes, Source, Place], Parsed]
    """One line, without its newline, to rows or late facts; raises `BadLine`."""
    tokens: Callable[[bytes, Source, Place], list[dict[str, Any]]] | None = None
    """One line to rows of `tokens-1`; raises as `parse` does. None: its logs hold no token arrays."""
    open: Callable[[Path], Reading] = open_log
    """How a file of this format is read as lines."""
    by_name: bool = True
    """The name alone makes a file a log of this format; else its lines must be recognised."""
    over: frozenset[str] = frozenset()
    """Formats of which this one is a special case: where both know a file, it is of this one."""
    general: bool = False
    """A shape that other formats share: a file that another one knows too is of that one."""
    needs_tokenizer: bool = False
    """Its logs hold token ids and no text: they are read with a tokenizer, or refused."""
    by_hand: Callable[[Path], Source] | None = None
    """A file of any name, for one that is named by hand or of a format that is; None: `find` alone knows its files."""
    text_bytes: int = TEXT_BYTES
    """The most text of one line: more where a line holds many attempts."""
    selected: str | None = None
    """What a run's logs leave out by how it was scored, in a sentence: then pass rates are of a selection."""
    rewinds: bool = False
    """A log that was replaced means that the run was resumed from before it."""


def anywhere(path: Path, names: re.Pattern[str], format: Format) -> Source | None:
    """The source that a file of such a name may be, wherever it lies: its folder is the run, and says no more of it."""
    if not names.fullmatch(path.name):
        return None
    facts = {"framework": format.name, "kind": "train", "run_name": readable(path.parent.name)}
    return Source(path, path.parent, format, facts=facts, loose=True)
