"""The logs of a run: found by the formats' words for their names, told apart by what their lines say."""

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from synthetic.errors import UnreadableLog
from synthetic.formats import FORMATS, Source
from synthetic.formats.file import whole_lines

NOT_ROLLOUTS = re.compile(r"metrics\.jsonl(\.gz|\.zst)?|.*\.index\.jsonl")
"""Files that trainers write beside rollouts: none of them is a log, also when it is named by hand."""

LINES_TRIED = 100
"""How many lines may be bad before a log is called by its place alone."""


def find(run: Path, format: str | None = None) -> list[Source]:
    """The logs of a run, in natural order of their names. Raises `UnreadableLog` when there are none."""
    if format is not None and format not in FORMATS:
        raise UnreadableLog(f"no format is called '{format}'; there are {', '.join(FORMATS)}", hint="synthetic formats")
    if not run.exists():
        raise UnreadableLog(f"{run}: no such file or folder")
    tried = [FORMATS[format]] if format else list(FORMATS.values())
    single = run.is_file()
    found, empty = [], 0
    for path in [run.parent.resolve() / run.name] if single else _files(run.resolve()):
        matches = [source for one in tried if (source := one.find(path))]
        # A file named by hand may have any name; then its lines must say what it is.
        by_hand = single and not matches and not NOT_ROLLOUTS.fullmatch(path.name)
        if by_hand:
            called = path.with_name("traces.jsonl")
            matches = [replace(source, path=path) for one in tried if (source := one.find(called))]
        if not matches:
            continue
        lines = 0
        known: list[Source] = []
        for line in islice(whole_lines(path), LINES_TRIED):
            lines += 1
            if known := [source for source in matches if source.format.recognises(line)]:
                break
        if known or not by_hand or not lines:
            found.append((known or matches)[0])
            empty += not lines
    if len(found) == empty:
        looked = "; ".join(f"{one.name}: {one.looked_for}" for one in tried)
        what = "only logs without a whole line" if empty else "no logs"
        raise UnreadableLog(f"{run}: {what} found; looked for {looked}", hint="synthetic formats")
    return found


def _files(folder: Path) -> Iterator[Path]:
    """Regular files below a folder, links not followed, stores left out, `step_10` after `step_9`."""

    def natural(name: str) -> list[tuple[int, str]]:
        return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]

    def is_store(path: Path) -> bool:
        return (path / "shards").is_dir() and (path / "lock").is_file()

    for top, folders, names in os.walk(folder, onerror=_unreadable):
        folders[:] = sorted((name for name in folders if not is_store(Path(top, name))), key=natural)
        for name in sorted(names, key=natural):
            if not (path := Path(top, name)).is_symlink() and path.is_file():
                yield path


def _unreadable(error: OSError) -> None:
    raise UnreadableLog(f"{error.filename}: {error.strerror}") from error
