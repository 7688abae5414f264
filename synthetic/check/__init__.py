"""Does every byte, count and claim hold? Of a release or of a store; answers are re-checked elsewhere.

    release   files: bytes, schemas, rows, order, buckets; loading as readers load
    again     rows: content, verdicts, what each rule drops and what each view shows, made again from `traces`
    claims    numbers, card, recipe and manifest, made again from the rows
    store     shards, ranges and side files

Problems are collected, not raised: one look tells all. What has no second witness in a release cannot be checked there:
the log, the names of its runs, late facts, and the versions that it was made with.
"""

from pathlib import Path

from synthetic import manifest
from synthetic.check.checked import Checked
from synthetic.check.release import check_release
from synthetic.check.store import check_store
from synthetic.errors import BrokenRelease
from synthetic.stage import Progress, silent
from synthetic.store import Store


def check(folder: str | Path, progress: Progress = silent) -> Checked:
    """Check a release or a store. Raises `BrokenRelease` when the folder is neither."""
    path = Path(folder)
    if manifest.is_release(path):
        return check_release(path, progress)
    if Store(path).exists():
        return check_store(Store(path), progress)
    raise BrokenRelease(f"{path}: neither a release (no {manifest.PATH}) nor a store (no folder 'shards')")


__all__ = ["Checked", "check"]
