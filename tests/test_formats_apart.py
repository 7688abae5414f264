"""A log is of one format: no two know the same file, here and in the samples."""

from itertools import islice
from pathlib import Path

import pytest

from synthetic.errors import UnreadableLog
from synthetic.formats import FORMATS
from synthetic.formats.find import LINES_TRIED, find
from synthetic.formats.records import whole_lines
from tests.flat import LOGS
from tests.releases import ROOT

SAMPLES = ROOT.parent / "shared" / "samples"
FILES = [
    path
    for folder in (LOGS, SAMPLES)
    for path in sorted(folder.rglob("*"))
    if path.is_file() and "generate" not in path.parts and path.name != "expected.json"
]


def short(path: Path) -> str:
    return path.relative_to(LOGS.parent if path.is_relative_to(LOGS) else SAMPLES.parent).as_posix()


def knowing(path: Path) -> set[str]:
    """The formats that know the file's name and a line of it, but for those that another is a special case of."""
    known = set()
    for source in filter(None, (format.find(path) for format in FORMATS.values())):
        try:
            lines = islice(whole_lines(source.format.open(path)), LINES_TRIED)
            if any(map(source.format.recognises, lines)):
                known.add(source.format.name)
        except UnreadableLog:
            continue
    return known - {name for one in known for name in FORMATS[one].over}


@pytest.mark.parametrize("path", FILES, ids=short)
def test_no_two_formats_know_one_file(path):
    known = knowing(path)
    assert len(known) <= 1
    for name in known & {"verl", "trl"}:
        assert name in path.parts


@pytest.mark.parametrize("folder", ["verl", "trl"])
def test_all_runs_of_a_trainer_are_found_in_one_folder(folder):
    found = find(LOGS / folder)
    assert {source.format.name for source in found.sources} == {folder}
    assert {source.run for source in found.sources} == {p.name for p in (LOGS / folder).iterdir() if p.is_dir()}
    assert not found.refused
