"""A capture that is killed, has no room, or meets another writer loses nothing and doubles nothing."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

import synthetic
from synthetic import shard
from synthetic.errors import CannotWrite, StoreBusy
from synthetic.store import SCHEMAS, Footer, Overtaken, Store
from tests.episodes import episode, episodes, rows, trace, write

ROOT = Path(__file__).parent.parent

CAPTURE = r"""
import pathlib, re, resource, sys, synthetic
if len(sys.argv) > 4:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[4]), int(sys.argv[4])))
try:
    done = synthetic.capture(sys.argv[1], into=sys.argv[2], shard_bytes=int(sys.argv[3]))
except synthetic.SyntheticError as error:
    sys.exit(f"{type(error).__name__}: {error}")
# Not ru_maxrss: a child process inherits that from the parent it was forked from.
peak = re.search(r"VmHWM:\s+(\d+)", pathlib.Path("/proc/self/status").read_text())
print(done.captured, done.seen_before, int(peak[1]) // 1024 if peak else 0)
"""


def capturing(run: Path, store: Path, *limits: int) -> subprocess.Popen[str]:
    """A capture in a process of its own."""
    command = [sys.executable, "-c", CAPTURE, str(run), str(store), *map(str, limits)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def held(store: Path) -> list[str]:
    """The trace ids in the shards as they lie there, sorted."""
    return sorted(id for one in Store(store).shards() for id in pl.read_parquet(one.path)["trace_id"])


def big(count, size=2000):
    """Episodes of about twice this many bytes, whose text does not compress."""
    return [episode(f"e{i}", trace(f"t{i}", os.urandom(size).hex())) for i in range(count)]


# ---- room


def test_shards_are_cut_where_lines_pass_a_size(tmp_path):
    write(tmp_path / "run" / "traces.jsonl", big(20))
    done = synthetic.capture(tmp_path / "run", into=tmp_path / "store", shard_bytes=20_000)
    found = Store(tmp_path / "store").shards()
    assert len(found) == 5
    assert sum(one.footer.rows for one in found) == done.rows == 20
    ranges = [one.footer.ranges[0] for one in found]
    assert [r.start for r in ranges] == [0, *(r.end for r in ranges[:-1])]
    again = synthetic.capture(tmp_path / "run", into=tmp_path / "store")
    assert (again.captured, again.seen_before) == (0, 20)


def test_many_shards_are_read_as_one(tmp_path):
    write(tmp_path / "run" / "traces.jsonl", episodes(30))
    synthetic.capture(tmp_path / "run", into=tmp_path / "store", shard_bytes=1)
    assert len(Store(tmp_path / "store").shards()) == 30
    assert rows(tmp_path / "store")["trace_id"].to_list() == [f"t{i}" for i in range(30)]


def test_a_log_larger_than_memory_may_be_is_captured_in_little_of_it(tmp_path):
    path = tmp_path / "run" / "traces.jsonl"
    path.parent.mkdir()
    tokens = str(list(range(10**5, 10**5 + 2000)))
    with path.open("w") as log:
        for i in range(1500):
            message = {"role": "assistant", "content": os.urandom(10_000).hex()}
            node = {"sampled": True, "token_ids": "TOKENS", "message": message}
            line = {"id": f"e{i}", "traces": [{"id": f"t{i}", "ok": True, "rewards": {}, "nodes": [node]}]}
            log.write(json.dumps(line).replace('"TOKENS"', tokens) + "\n")
    assert path.stat().st_size > 50_000_000
    process = capturing(tmp_path / "run", tmp_path / "store", 5_000_000)
    out, err = process.communicate()
    captured, _, mb = map(int, out.split())
    assert (captured, err) == (1500, "")
    assert mb < 500


def test_no_room_is_named_and_finished_shards_are_kept(tmp_path):
    write(tmp_path / "run" / "traces.jsonl", [*big(20), *big(3, 100_000), *big(5)])
    process = capturing(tmp_path / "run", tmp_path / "store", 20_000, 100_000)
    _, err = process.communicate()
    assert process.returncode == 1
    assert err.startswith("CannotWrite: ")
    assert "File too large" in err
    kept = held(tmp_path / "store")
    assert kept
    assert [path.suffix for path in (tmp_path / "store" / "shards").iterdir()] == [".parquet"] * len(
        Store(tmp_path / "store").shards()
    )
    done = synthetic.capture(tmp_path / "run", into=tmp_path / "store")
    assert (done.seen_before, done.captured) == (len(kept), 28 - len(kept))
    assert len(held(tmp_path / "store")) == 28


def test_a_store_that_cannot_be_made_is_named(tmp_path):
    write(tmp_path / "run" / "traces.jsonl", episodes(1))
    (tmp_path / "file").write_text("in the way")
    for store in (tmp_path / "file", tmp_path / "file" / "store"):
        with pytest.raises(CannotWrite, match="file"):
            synthetic.capture(tmp_path / "run", into=store)
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "quarantine").write_text("in the way")
    with pytest.raises(CannotWrite, match="store"):
        synthetic.capture(tmp_path / "run", into=tmp_path / "store")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_store_that_may_not_be_written_is_named(tmp_path):
    write(tmp_path / "run" / "traces.jsonl", episodes(1))
    synthetic.capture(tmp_path / "run", into=tmp_path / "store")
    write(tmp_path / "run" / "traces.jsonl", episodes(2))
    (tmp_path / "store" / "shards").chmod(0o500)
    with pytest.raises(CannotWrite, match="Permission denied"):
        synthetic.capture(tmp_path / "run", into=tmp_path / "store")


# ---- crashes


def test_a_capture_killed_at_any_moment_loses_and_doubles_nothing(tmp_path):
    log = write(tmp_path / "run" / "traces.jsonl", [*big(60, 500), "bad"])
    store, end = tmp_path / "store", time.monotonic() + 20
    started = time.monotonic()
    capturing(tmp_path / "run", tmp_path / "unharmed", 10_000).communicate()
    takes = time.monotonic() - started
    moments = random.Random(7)
    kills = 0
    while kills < 3 and time.monotonic() < end:
        process = capturing(tmp_path / "run", store, 10_000)
        try:
            process.wait(moments.uniform(0.4, 0.9) * takes)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.communicate()
        if Store(store).exists():
            kept = held(store)  # what is there can be read at any moment
            assert len(kept) == len(set(kept))
        if process.returncode == 0:
            shutil.rmtree(store)
    done = synthetic.capture(tmp_path / "run", into=store)
    assert done.seen == 61
    assert held(store) == held(tmp_path / "unharmed") == sorted(f"t{i}" for i in range(60))
    assert list(store.rglob("*.tmp")) == []
    assert log.exists()


# ---- two writers


def test_a_second_writer_is_told_to_wait(tmp_path):
    write(tmp_path / "run" / "traces.jsonl", episodes(1))
    store = Store(tmp_path / "store")
    with store.writing(), pytest.raises(StoreBusy, match="another capture is writing to it"):
        synthetic.capture(tmp_path / "run", into=store.path)
    assert synthetic.capture(tmp_path / "run", into=store.path).captured == 1


def finished(store: Store, footer: Footer) -> Path:
    """A shard without rows that claims a footer's ranges, ready to be committed."""
    path: Path = store.shard_folder / "other.tmp"
    shard.write(path, SCHEMAS[footer.kind], [], footer.encoded)
    return path


def racing(tmp_path, moved_by):
    """Capture three lines while another writer, whom the lock did not stop, commits the same range, moved."""
    write(tmp_path / "run" / "traces.jsonl", episodes(3))
    synthetic.capture(tmp_path / "run", into=tmp_path / "twin")
    (twin,) = Store(tmp_path / "twin").shards()
    (range_,) = twin.footer.ranges
    moved = type(range_)(
        **{name: getattr(range_, name) for name in range_.__struct_fields__}
        | {"start": range_.start + moved_by, "end": range_.end + moved_by}
    )
    footer = type(twin.footer)(
        **{name: getattr(twin.footer, name) for name in twin.footer.__struct_fields__} | {"ranges": [moved]}
    )
    store, raced = Store(tmp_path / "store"), list[int]()

    def now():
        if not raced:  # between reading the store and committing
            raced.append(store.commit(finished(store, footer), footer, after=-1))
        return datetime(2026, 11, 23, tzinfo=UTC)

    return synthetic.capture(tmp_path / "run", into=store.path, now=now), store


def test_who_is_overtaken_reads_the_store_anew_and_doubles_nothing(tmp_path):
    done, store = racing(tmp_path, moved_by=0)
    assert (done.captured, done.seen_before) == (0, 3)
    assert [one.number for one in store.shards()] == [0]


def test_who_loses_a_number_but_no_line_takes_the_next(tmp_path):
    done, store = racing(tmp_path, moved_by=10**6)
    assert done.captured == 3
    assert [(one.number, one.footer.rows) for one in store.shards()] == [(0, 0), (1, 3)]
    assert list(store.shard_folder.glob("*.tmp")) == []


def test_a_commit_looks_at_every_shard_since_the_last_that_was_read(tmp_path):
    write(tmp_path / "run" / "traces.jsonl", episodes(2))
    write(tmp_path / "run" / "x" / "traces.jsonl", episodes(2, first=2))
    store = Store(tmp_path / "store")
    synthetic.capture(tmp_path / "run", into=store.path)
    first, second = store.shards()
    with pytest.raises(Overtaken):
        store.commit(finished(store, second.footer), second.footer, after=-1)
    with pytest.raises(Overtaken):
        store.commit(finished(store, first.footer), first.footer, after=-1)
    assert store.commit(finished(store, first.footer), first.footer, after=1) == 2
    assert list(store.shard_folder.glob("*.tmp")) == []
