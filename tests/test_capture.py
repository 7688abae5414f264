"""Every line of a log is accounted for, and no line is captured twice, however often and in whatever shape it comes."""

import gzip
import os
import shutil
import sys
from pathlib import Path

import polars as pl
import pytest

import synthetic
from synthetic.errors import UnreadableLog
from synthetic.formats.find import find
from synthetic.store import Store, snapshot
from tests.episodes import episode, episodes, log, rows, text, trace, write

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def capture(run: Path, store: Path, **settings):
    """Capture, and hold the balance against the lines that are there."""
    done = synthetic.capture(run, into=store, **settings)
    assert done.seen == done.captured + done.quarantined + done.seen_before
    return done


def counts(done):
    return done.captured, done.quarantined, done.seen_before


@pytest.fixture
def run(tmp_path):
    return tmp_path / "run"


@pytest.fixture
def store(tmp_path):
    return tmp_path / "store"


def shards(store: Path) -> list[str]:
    return sorted(path.name for path in (store / "shards").iterdir())


def ids(store: Path) -> list[str]:
    return rows(store)["trace_id"].to_list()


# ---- once


def test_what_was_captured_is_not_captured_again(run, store):
    write(run / "traces.jsonl", [*episodes(3), "not JSON"])
    assert counts(capture(run, store)) == (3, 1, 0)
    before = {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}
    assert counts(capture(run, store)) == (0, 0, 4)
    assert {path: path.read_bytes() for path in store.rglob("*") if path.is_file()} == before


def test_growth_is_picked_up(run, store):
    write(run / "traces.jsonl", episodes(2))
    capture(run, store)
    write(run / "traces.jsonl", episodes(5))
    assert counts(capture(run, store)) == (3, 0, 2)
    assert ids(store) == ["t0", "t1", "t2", "t3", "t4"]
    assert shards(store) == ["000000000000.parquet", "000000000001.parquet"]


def test_a_torn_last_line_waits_for_its_end(run, store):
    whole = text(episodes(3))
    path = write(run / "traces.jsonl", [])
    path.write_bytes(whole[:-20])
    done = capture(run, store)
    assert (counts(done), done.torn) == ((2, 0, 0), ["run/traces.jsonl"])
    path.write_bytes(whole)
    done = capture(run, store)
    assert (counts(done), done.torn) == ((1, 0, 2), [])
    assert ids(store) == ["t0", "t1", "t2"]


def test_a_log_of_one_torn_line_is_seen_beside_others(run, store):
    write(log(run, 1), episodes(1))
    write(log(run, 2), []).write_bytes(text(episodes(1, first=9))[:-5])
    assert capture(run, store).torn == ["run/rollouts/step_2/train/all/traces.jsonl"]


def test_blank_lines_and_both_line_ends_are_fine(run, store, tmp_path):
    lines = episodes(2)
    write(run / "traces.jsonl", ["", *lines, "  ", ""])
    crlf = tmp_path / "crlf" / "run" / "traces.jsonl"
    write(crlf, []).write_bytes(b"\xef\xbb\xbf" + text(lines).replace(b"\n", b"\r\n"))
    assert counts(capture(run, store)) == (2, 0, 0)
    assert counts(capture(crlf.parent, tmp_path / "other")) == (2, 0, 0)
    same = ["row_id", "content_hash", "text_key", "problem_id"]
    assert rows(store).select(same).equals(rows(tmp_path / "other").select(same))


# ---- compression


@pytest.mark.parametrize(("suffix", "compress"), [(".gz", gzip.compress), (".zst", zstd.compress)])
def test_several_members_are_one_log(run, store, suffix, compress):
    run.mkdir()
    data = text(episodes(4))
    parts = [data[:100], data[100:2000], b"", data[2000:]]
    (run / f"traces.jsonl{suffix}").write_bytes(b"".join(map(compress, parts)))
    assert counts(capture(run, store)) == (4, 0, 0)
    assert set(rows(store)["log_file"]) == {"traces.jsonl"}


@pytest.mark.parametrize(("suffix", "compress"), [(".gz", gzip.compress), (".zst", zstd.compress)])
def test_sealing_a_log_adds_nothing(run, store, suffix, compress):
    plain = write(run / "traces.jsonl", episodes(3))
    capture(run, store)
    sealed = run / f"traces.jsonl{suffix}"
    sealed.write_bytes(compress(plain.read_bytes() + text(episodes(1, first=3))))
    both = capture(run, store)
    assert (counts(both), len(shards(store))) == ((1, 0, 3 + 3), 2)
    plain.unlink()
    assert counts(capture(run, store)) == (0, 0, 4)
    assert ids(store) == ["t0", "t1", "t2", "t3"]


def test_a_log_that_is_there_plain_and_sealed_is_captured_once(run, store):
    plain = write(run / "traces.jsonl", episodes(3))
    (run / "traces.jsonl.zst").write_bytes(zstd.compress(plain.read_bytes()))
    assert counts(capture(run, store)) == (3, 0, 3)
    assert pl.read_parquet(store / "shards" / "*.parquet").height == 3


@pytest.mark.parametrize(("suffix", "compress"), [(".gz", gzip.compress), (".zst", zstd.compress)])
def test_a_cut_stream_gives_the_lines_before_the_cut_and_later_the_rest(run, store, suffix, compress):
    run.mkdir()
    lines = [episode(f"e{i}", trace(f"t{i}", os.urandom(3000).hex())) for i in range(60)]
    whole = compress(text(lines[:30])) + compress(text(lines[30:]))
    path = run / f"traces.jsonl{suffix}"
    path.write_bytes(whole[: len(whole) * 3 // 4])
    done = capture(run, store)
    assert 30 <= done.captured < 60
    assert ["reading stopped before its end" in warning for warning in done.warnings] == [True]
    path.write_bytes(whole[: len(whole) * 6 // 10])  # cut even shorter: nothing is read anew
    assert capture(run, store).captured == 0
    path.write_bytes(whole)
    rest = capture(run, store)
    assert (counts(rest), rest.warnings) == ((60 - done.captured, 0, done.captured), [])
    assert ids(store) == [f"t{i}" for i in range(60)]


def test_rubbish_after_a_gzip_member_is_reported(run, store):
    run.mkdir()
    (run / "traces.jsonl.gz").write_bytes(gzip.compress(text(episodes(2))) + b"rubbish")
    done = capture(run, store)
    assert (counts(done), len(done.warnings)) == ((2, 0, 0), 1)


def test_first_bytes_and_not_the_name_say_how_a_log_is_compressed(run, store):
    write(run / "a" / "traces.jsonl", []).write_bytes(gzip.compress(text(episodes(1))))
    write(run / "b" / "traces.jsonl.zst", episodes(1, first=1))
    assert counts(capture(run, store)) == (2, 0, 0)


# ---- which log this is


def test_a_part_of_a_run_belongs_to_the_run_above(run, store):
    for step in (1, 2, 10):
        write(log(run, step), episodes(2, first=step * 2))
    assert counts(capture(log(run, 2), store)) == (2, 0, 0)
    assert counts(capture(run / "rollouts" / "step_10", store)) == (2, 0, 0)
    assert counts(capture(run, store)) == (2, 0, 4)
    assert counts(capture(log(run, 1), store)) == (0, 0, 2)
    assert set(rows(store)["run_name"]) == {"run"}
    assert [source.name.split("/")[1] for source in find(run).sources] == ["step_1", "step_2", "step_10"]


def test_a_run_named_by_a_detour_is_the_same_run(run, store, monkeypatch):
    write(log(run, 1), episodes(1))
    write(run / "eval" / "traces.jsonl", episodes(1, first=1))
    capture(run, store)
    assert counts(capture(run / "rollouts" / "..", store)) == (0, 0, 2)
    (run.parent / "latest").symlink_to("run")
    assert counts(capture(run.parent / "latest", store)) == (0, 0, 2)
    monkeypatch.chdir(run / "eval")
    assert counts(capture(Path(), store)) == (0, 0, 1)


def test_a_run_given_twice_is_read_once(run, store):
    write(run / "traces.jsonl", episodes(2))
    done = synthetic.capture(run, run / "traces.jsonl", into=store)
    assert (counts(done), done.files) == ((2, 0, 0), 1)


def test_a_copy_elsewhere_adds_nothing_to_what_is_read(run, store, tmp_path):
    write(log(run, 1), episodes(3))
    capture(run, store)
    shutil.copytree(run, tmp_path / "copy")
    shutil.copytree(run, tmp_path / "elsewhere" / "run")
    assert counts(capture(tmp_path / "elsewhere" / "run", store)) == (0, 0, 3)
    assert counts(capture(tmp_path / "copy", store)) == (3, 0, 0)
    assert ids(store) == ["t0", "t1", "t2"]
    assert snapshot(store).conflicts.is_empty()


def test_the_first_content_of_an_id_stays_and_another_is_a_conflict(run, store):
    write(run / "traces.jsonl", [episode("a", trace("t", "first")), episode("b", trace("t", "second"))])
    write(run / "x" / "traces.jsonl", [episode("c", trace("t", "third")), episode("d", trace("u"))])
    capture(run, store, shard_bytes=1)
    frame = rows(store)
    assert frame["row_id"].to_list() == ["t/0", "u/0"]
    assert frame["messages"][0][1]["content"] == "first"
    assert snapshot(store).conflicts["row_id"].to_list() == ["t/0", "t/0"]
    # Also where the reader asks for less: what is left out is decided before.
    assert synthetic.scan(store).filter(pl.col("episode_id") != "a").collect()["row_id"].to_list() == ["u/0"]
    assert synthetic.scan(store).tail(1).select("row_id").collect().item() == "u/0"
    assert synthetic.scan(store).select(pl.len()).collect().item() == 2


def test_a_log_that_was_rewritten_is_read_anew(run, store):
    write(run / "traces.jsonl", episodes(4))
    capture(run, store)
    write(run / "traces.jsonl", [*episodes(1), *episodes(2, first=7)])
    done = capture(run, store)
    assert counts(done) == (3, 0, 0)
    assert done.warnings == ["run/traces.jsonl: was rewritten since it was captured; reading it anew"]
    assert ids(store) == ["t0", "t1", "t2", "t3", "t7", "t8"]
    assert counts(capture(run, store)) == (0, 0, 3)


# ---- what is found


def test_links_pipes_and_stores_are_not_followed(run, store, tmp_path):
    write(run / "traces.jsonl", episodes(1))
    write(tmp_path / "far" / "traces.jsonl", episodes(1, first=1))
    (run / "linked").symlink_to(tmp_path / "far")
    (run / "loop").symlink_to(run)
    (run / "a").mkdir()
    (run / "a" / "traces.jsonl").symlink_to(tmp_path / "far" / "traces.jsonl")
    (run / "b").mkdir()
    os.mkfifo(run / "b" / "traces.jsonl")
    capture(run, run / "store")
    write(run / "store" / "quarantine" / "traces.jsonl", episodes(1, first=2))
    assert counts(capture(run, store)) == (1, 0, 0)
    for path in (run / "a" / "traces.jsonl", run / "b" / "traces.jsonl"):
        with pytest.raises(UnreadableLog, match=r"traces\.jsonl"):
            capture(path, store)


def test_two_formats_in_one_folder(run, store):
    write(log(run, 1), episodes(1))
    write(run / "evals" / "first" / "traces.jsonl", episodes(1, first=1))
    done = capture(run, store)
    assert done.formats == ["prime-rl", "vf-eval"]
    assert done.runs == ["first", "run"]
    assert dict(rows(store).select("trace_id", "framework").iter_rows()) == {"t0": "verifiers", "t1": "prime-rl"} or (
        dict(rows(store).select("trace_id", "framework").iter_rows()) == {"t0": "prime-rl", "t1": "verifiers"}
    )


def test_a_file_named_by_hand_may_have_any_name(run, store):
    write(run / "kept-odd name.txt", ["torn from somewhere", *episodes(2)])
    assert counts(capture(run / "kept-odd name.txt", store)) == (2, 1, 0)


def test_odd_folder_names_are_fine(tmp_path, store):
    for name in (b"-dash first", b"new\nline", b"\xff\xfe", "²½".encode(), "step_٣".encode()):
        write(tmp_path / "runs" / os.fsdecode(name) / "traces.jsonl", [episode(repr(name), trace(repr(name)))])
    assert counts(capture(tmp_path / "runs", store)) == (5, 0, 0)
    assert len(set(ids(store))) == 5


def test_who_finds_no_logs_says_what_was_looked_for(run, store):
    with pytest.raises(UnreadableLog, match="run: no such file or folder"):
        capture(run, store)
    run.mkdir()
    with pytest.raises(UnreadableLog, match="no logs found; looked for prime-rl: rollouts/step_N"):
        capture(run, store)
    write(run / "metrics.jsonl", ['{"step": 1}'])
    write(run / "notes.txt", ["no log"])
    for path in (run, run / "metrics.jsonl", run / "notes.txt"):
        with pytest.raises(UnreadableLog, match="no logs found"):
            capture(path, store)
    write(run / "traces.jsonl", [])
    with pytest.raises(UnreadableLog, match="only logs without a whole line found"):
        capture(run, store)
    with pytest.raises(UnreadableLog, match="no format is called 'nothing'; there are prime-rl, "):
        capture(run, store, format="nothing")
    assert not store.exists()


def test_an_empty_log_beside_others_is_no_mistake(run, store):
    write(log(run, 1), episodes(1))
    write(log(run, 2), [])
    assert (counts(capture(run, store)), len(Store(store).shards())) == ((1, 0, 0), 1)


def test_a_pointer_to_a_file_and_another_encoding_are_named(run, store):
    path = write(run / "traces.jsonl", ["version https://git-lfs.github.com/spec/v1"])
    with pytest.raises(UnreadableLog, match="a Git LFS pointer"):
        capture(run, store)
    path.write_bytes(text(episodes(1)).decode().encode("utf-16"))
    with pytest.raises(UnreadableLog, match="UTF-16"):
        capture(run, store)


def test_a_folder_whose_logs_have_other_names_says_to_name_them(run, store):
    write(run / "rollouts.jsonl", [episode("e1")])
    with pytest.raises(
        UnreadableLog, match=r"rollouts.jsonl: its lines are known to .*vf-eval, its name is not"
    ) as told:
        capture(run, store)
    assert told.value.hint == "name the file itself"
    assert capture(run / "rollouts.jsonl", store).captured == 1
