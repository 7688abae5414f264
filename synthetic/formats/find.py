"""The logs of a run: found by the formats' words for their names, told apart by what their lines say."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from synthetic.errors import UnreadableLog
from synthetic.formats import FORMATS, Format, Source, maps
from synthetic.formats.format import readable
from synthetic.formats.line import keys
from synthetic.formats.records import open_log, whole_lines
from synthetic.formats.starter import starter

NOT_ROLLOUTS = re.compile(
    r".*/((metrics|aggregated_results|[^/]*_metadata|[^/]*_materialized_inputs)\.jsonl(\.gz|\.zst)?"
    r"|[^/]*\.index\.jsonl|monitors/file/traces/live/.*)",
    re.DOTALL,
)
"""Files that trainers write beside rollouts: none of them is a log, also when it is named by hand."""

LINES = re.compile(r"\.(jsonl|ndjson|parquet)(\.gz|\.zst)?$")
"""Files that may be logs although no format knows their name: their keys are told."""

USUAL = ("traces.jsonl", "results.jsonl")
"""Names under which formats know their logs that a file may have been renamed from."""

CLOSED = frozenset(".pt .pth .pkl .pickle .npz .tar .tgz .zip".split())
"""Files of a run that are never opened, however many rollouts are in them."""

LINES_TRIED = 100
"""How many lines may be bad before a log is called by its place alone."""


@dataclass
class Found:
    """What a folder holds."""

    sources: list[Source] = field(default_factory=list)
    """Logs, in natural order of their names."""
    refused: list[UnreadableLog] = field(default_factory=list)
    """Files that look like logs and cannot be read."""
    unknown: dict[Path, bytes] = field(default_factory=dict)
    """Files of JSON in which no format knows a line: the first."""
    empty: int = 0
    """Logs that have no whole line yet."""
    closed: int = 0
    """Pickles and archives, which are never opened."""


def find(run: Path, format: str | None = None) -> Found:
    """The logs of a run, a folder or a single file; of one format, where it is given by name or as a map's file.

    Raises `UnreadableLog` when there are none, and when two formats know one file.
    """
    tried = [_called(format)] if format else list(FORMATS.values())
    if not run.exists():
        raise UnreadableLog(f"{run}: no such file or folder")
    found = Found()
    if run.is_file():
        path = run.parent.resolve() / run.name
        matches = _named(path, tried)
        by_hand = all(source.loose for source in matches) and not NOT_ROLLOUTS.fullmatch(path.as_posix())
        if by_hand:  # a file named by hand may have any name; then its lines must say what it is
            usual = [source for name in USUAL for source in _named(path.with_name(name), tried)]
            called = {source.format.name: replace(source, path=path) for source in reversed(usual)}
            matches += [source for name, source in called.items() if name not in {one.format.name for one in matches}]
            matches += _by_hand(path, tried, matches)
        if matches or by_hand:
            _look(path, matches, found, by_name=not by_hand)
    else:
        for path in _files(run.resolve(), found):
            may_be = bool(LINES.search(path.name)) and not NOT_ROLLOUTS.fullmatch(path.as_posix())
            matches = [_in(run.resolve(), source) for source in _named(path, tried)]
            if format and not matches and may_be:  # whoever names the format need not have its files' names
                matches = [_in(run.resolve(), source) for source in _by_hand(path, tried, [])]
            if matches or may_be:
                try:
                    _look(path, matches, found)
                except UnreadableLog as error:
                    if error.hint == AMBIGUOUS:
                        raise
                    found.refused.append(error)
    if len(found.sources) == found.empty:
        raise _nothing(run, found, tried)
    return found


AMBIGUOUS = "name one: --format"


def _called(format: str) -> Format:
    if format in FORMATS:
        return FORMATS[format]
    if format.endswith(".toml"):
        return maps.load(Path(format))
    raise UnreadableLog(f"no format is called '{format}'; there are {', '.join(FORMATS)}", hint="synthetic formats")


def _named(path: Path, tried: Sequence[Format]) -> list[Source]:
    if NOT_ROLLOUTS.fullmatch(path.as_posix()):
        return []
    return [source for one in tried if (source := one.find(path))]


def _by_hand(path: Path, tried: Sequence[Format], matches: Sequence[Source]) -> list[Source]:
    """What a file of any name may be besides."""
    known = {source.format.name for source in matches}
    return [one.by_hand(path) for one in tried if one.by_hand and one.name not in known]


def _in(run: Path, source: Source) -> Source:
    """The source, with the folder named by hand as its run where it has no run of its own."""
    return replace(source, root=run, facts={**source.facts, "run_name": readable(run.name)}) if source.loose else source


def _look(path: Path, matches: Sequence[Source], found: Found, *, by_name: bool = True) -> None:
    """Add the file to what was found, as the one format that knows its lines."""
    lines, first = 0, b""
    known: list[Source] = []
    for line in islice(whole_lines((matches[0].format.open if matches else open_log)(path)), LINES_TRIED):
        lines += 1
        first = first or line
        if known := [source for source in matches if source.format.recognises(line)]:
            break
    called = [source for source in matches if source.format.by_name] if by_name or not lines else []
    known = _most_special(known or called)
    if len(known) > 1:
        names = ", ".join(source.format.name for source in known)
        raise UnreadableLog(f"{path}: could be a log of {names}", hint=AMBIGUOUS)
    if known:
        found.sources.append(known[0])
        found.empty += not lines
    elif keys(first):
        found.unknown[path] = first
    elif lines and LINES.search(path.name):
        raise UnreadableLog(f"{path}: no lines of JSON objects; it begins with {first[:40]!r}")


def _most_special(sources: Sequence[Source]) -> list[Source]:
    """The sources without those whose format another one's is a special case of."""
    over = frozenset().union(*(source.format.over for source in sources))
    special = [source for source in sources if source.format.name not in over]
    return [source for source in special if not source.format.general] or special


def _nothing(run: Path, found: Found, tried: Sequence[Format]) -> UnreadableLog:
    if found.refused:
        return found.refused[0]
    if found.unknown:
        path, line = next(iter(found.unknown.items()))
        if known := [one.name for one in tried if one.by_name and one.recognises(line)]:
            return UnreadableLog(
                f"{path}: its lines are known to {', '.join(known)}, its name is not", hint="name the file itself"
            )
        more = f", and {len(found.unknown) - 1} more such files" if len(found.unknown) > 1 else ""
        return UnreadableLog(
            f"{path}: {_unknown_to(tried)}; their keys are {', '.join(keys(line))}{more}",
            hint=f"save this map, edit it, and name it: --format my-map.toml\n\n{starter(line, path)}",
        )
    looked = "; ".join(f"{one.name}: {one.looked_for}" for one in tried)
    what = "only logs without a whole line" if found.empty else "no logs"
    closed = f", and {found.closed} pickles or archives, which are never opened" if found.closed else ""
    return UnreadableLog(f"{run}: {what} found{closed}; looked for {looked}", hint="synthetic formats")


def _unknown_to(tried: Sequence[Format]) -> str:
    if len(tried) > 1:
        return "no format knows its lines"
    return f"{tried[0].name} does not know its lines (it knows {tried[0].detected_by})"


def _files(folder: Path, found: Found) -> Iterator[Path]:
    """Regular files below a folder, links not followed, stores left out, `step_10` after `step_9`.

    What may not be looked into is `refused`; pickles and archives are `closed`.
    """

    def natural(name: str) -> list[tuple[int, str]]:
        return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]

    def is_store(path: Path) -> bool:
        try:
            return (path / "shards").is_dir() and (path / "lock").is_file()
        except OSError:  # it may not be looked into, and is told when it is
            return False

    def refuse(error: OSError) -> None:
        found.refused.append(UnreadableLog(f"{error.filename}: {error.strerror}"))

    for top, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = sorted((name for name in folders if not is_store(Path(top, name))), key=natural)
        for name in sorted(names, key=natural):
            try:
                is_file = not (path := Path(top, name)).is_symlink() and path.is_file()
            except OSError as error:
                refuse(error)
                continue
            found.closed += is_file and path.suffix in CLOSED
            if is_file:
                yield path
