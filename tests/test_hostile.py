"""Every class of bad input, and what is decided for it: a case of `hostile_episodes` or `hostile_flat`, or a test.

The cases lie side by side in two run folders, one of episodes and one of flat rows that a map reads, each with a good
log. Each folder is captured twice by the command in a process of its own (`hostile.judged`).
"""

import gzip
import json
import os
import pickle
import re
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from synthetic import capture
from synthetic.errors import UnreadableLog
from synthetic.formats import file
from synthetic.record import record
from tests import hostile
from tests.episodes import rows
from tests.hostile_episodes import BOM, EPISODES, LOG, Case, lines, one, zipped
from tests.hostile_flat import FLAT, FLAT_MAP, Trap, flat

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


# ---- judged


@pytest.mark.parametrize("name", ["episodes", "flat"])
def test_every_case_is_as_decided_and_a_good_log_beside_them_is_taken_whole(tmp_path, name):
    cases = [case for kind in {"episodes": EPISODES, "flat": FLAT}[name].values() for case in kind]
    for case in cases:
        path = tmp_path / "run" / case.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(case.data)
    good = {"episodes": Path("good", LOG), "flat": Path("good.jsonl")}[name]
    (tmp_path / "run" / good).parent.mkdir(exist_ok=True)
    (tmp_path / "run" / good).write_bytes({"episodes": lines("good"), "flat": flat(1, 0, 1)}[name])
    (tmp_path / "map.toml").write_text(FLAT_MAP)
    done = hostile.judged(tmp_path, *(("--format", tmp_path / "map.toml") if name == "flat" else ()))
    wrong = {case.path: found for case in cases if (found := _otherwise(case, done))}
    assert wrong == {}
    assert done.logs[good.parts[-2] if name == "episodes" else "run", good.name] == (3, 0)
    for where in (Path.cwd(), hostile.ROOT, tmp_path):
        assert not (where / "unpickled").exists()


def _otherwise(case: Case, done: hostile.Outcome) -> object:
    """What was done and told of a case, if it is not what is decided."""
    run, _, file = case.path.rpartition("/")
    counts = done.logs.get((run or "run", file.removesuffix(".gz").removesuffix(".zst")), (0, 0))
    said = [what for what in done.said if re.search(rf"(^|/){re.escape(case.path.partition('.')[0])}[./ ]", what)]
    told = any(re.search(case.said, what) for what in said) if case.said else not said
    return None if counts == (case.taken, case.aside) and told else (counts, said)


def test_a_log_has_the_same_ids_and_texts_however_its_lines_end(tmp_path):
    """Also where the rows are captured in two goes."""
    (tmp_path / "map.toml").write_text(FLAT_MAP)
    plain = flat(1, 1) + b"\n" + flat(1, 0.5, 0)
    forms = {
        "lf": plain,
        "crlf": plain.replace(b"\n", b"\r\n"),
        "bom": BOM + plain,
        "both": BOM + plain.replace(b"\n", b"\r\n"),
    }
    found = {}
    for form, data in forms.items():
        for cut in (0, len(data) // 2):
            log, store = tmp_path / f"{form}{cut}" / "run" / "log.jsonl", tmp_path / f"{form}{cut}" / "store"
            log.parent.mkdir(parents=True)
            if cut:
                log.write_bytes(data[:cut])
                capture(log.parent, into=store, format=str(tmp_path / "map.toml"))
            log.write_bytes(data)
            done = capture(log.parent, into=store, format=str(tmp_path / "map.toml"))
            assert (done.seen, done.quarantined) == (5, 0)
            found[form, cut] = rows(store).drop("log_offset").rows()
    assert len({row[0] for row in found["lf", 0]}) == 5
    assert [form for form in found if found[form] != found["lf", 0]] == []


# ---- what is large


def hole(path: Path, size: int, *after: bytes) -> None:
    """Go on with so many NUL bytes, which take no room on the disk."""
    with path.open("ab") as log:
        log.truncate(log.seek(0, 2) + size)
        log.seek(0, 2)
        log.writelines(after)


def test_what_is_large_takes_little_memory(tmp_path):
    """A line of 200 MB, one longer than a line may be, a file of NUL bytes alone, and two compressed bombs."""
    logs = {name: tmp_path / "run" / name / LOG for name in ("long", "longest", "endless", "nul", "gz", "zst")}
    for name, path in logs.items():
        path.parent.mkdir(parents=True)
        path.write_bytes(lines(f"{name} before", 2) if name != "nul" else b"")
    with logs["long"].open("ab") as log:
        begin, end = one("long", pad="PAD").encode().split(b"PAD")
        log.write(begin)
        log.writelines(b"x" * 1_000_000 for _ in range(200))
        log.write(end + b"\n" + lines("long after", 1))
    hole(logs["longest"], file.LONGEST_LINE_BYTES + 1, b"\n", lines("longest after", 1))
    hole(logs["endless"], 300_000_000, b"}")
    hole(logs["nul"], 600_000_000)
    logs["gz"].write_bytes(gzip.compress(lines("gz before", 2) + bytes(100_000_000) + b"\n" + lines("gz after")))
    logs["zst"].write_bytes(zstd.compress(lines("zst before", 2) + b"x" * 100_000_000 + b"\n" + lines("zst after")))
    done = hostile.judged(tmp_path)
    counts = {name: done.logs.get((name, LOG)) for name in logs}
    assert counts == {
        "long": (3, 1),
        "longest": (3, 1),
        "endless": (2, 0),
        "nul": None,
        "gz": (2, 0),
        "zst": (2, 0),
    }
    aside = [
        json.loads(line)
        for name in done.answer["quarantine"]
        for line in Path(name).read_text("utf-8").split("\n")[:-1]
    ]
    assert sorted(line["reason"] for line in aside) == [
        "200 MB of text in one line; more than 64 is no rollout",
        f"{file.LONGEST_LINE_BYTES + 2} bytes are no line",
    ]
    said = "\n".join(done.said)
    for name in ("gz", "zst"):
        assert re.search(rf"{name}/traces.jsonl: .*more than 64 MB came out, over 200 times what went in", said)


# ---- files


NAMES = (
    "-rf.jsonl",
    "new\nline.jsonl",
    "\u202egnp.jsonl",
    "\x1b[2J.jsonl",
    "x" * 240 + ".jsonl",
    " .jsonl",
    ".hidden.jsonl",
)


def test_odd_names_are_fine_and_printed_as_escapes(tmp_path):
    run = tmp_path / "run"
    names = [*NAMES, os.fsdecode(b"\xff\xfe.jsonl"), os.fsdecode(b"\xff\xff.jsonl"), "CON.jsonl"]
    for name in names:
        for folder in (run, run / f"{name}.d"):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(flat(1))
    (run / os.fsdecode(b"torn\n\xff.jsonl")).write_bytes(flat(0) + b"{")
    (tmp_path / "map.toml").write_text(FLAT_MAP)
    options = ("--format", tmp_path / "map.toml")
    done = hostile.judged(tmp_path, *options)
    assert len(done.logs) == 2 * len(names) + 1
    assert set(done.logs.values()) == {(1, 0)}
    told = hostile.synthetic(tmp_path, "capture", run, "--into", tmp_path / "other", *options).told
    assert "torn⏎" in told
    for raw in ("\x1b", "\u202e", "\udcff"):
        assert raw not in told + done.told


def test_links_pipes_and_sockets_are_not_read(tmp_path):
    run, far = tmp_path / "run", tmp_path / "far"
    for folder in (run / "good", run / "bad", far):
        folder.mkdir(parents=True)
    (run / "good" / LOG).write_bytes(lines("good"))
    (far / LOG).write_bytes(lines("far"))
    for name, target in {"out": far, "loop": run, "parent": Path(".."), "dangling": far / "nothing"}.items():
        (run / name).symlink_to(target)
        (run / "good" / f"{name}.jsonl").symlink_to(target / LOG)
    (run / "itself").symlink_to("itself")
    os.mkfifo(run / "bad" / LOG)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(run / "bad" / "x.jsonl"))
        done = hostile.judged(tmp_path)
    assert done.logs == {("good", LOG): (3, 0)}


@pytest.mark.parametrize("name", ["x.pkl", "x.pt", "pipe", "itself", "dangling", "link.jsonl"])
def test_what_is_no_log_is_refused_when_it_is_named_by_hand(tmp_path, name):
    (tmp_path / "log.jsonl").write_bytes(lines("far"))
    (tmp_path / "x.pkl").write_bytes(pickle.dumps(Trap()))
    (tmp_path / "x.pt").write_bytes(zipped("data.pkl"))
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "itself").symlink_to("itself")
    (tmp_path / "dangling").symlink_to("nothing")
    (tmp_path / "link.jsonl").symlink_to("log.jsonl")
    with pytest.raises(UnreadableLog, match=re.escape(name)):
        capture(tmp_path / name, into=tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_a_folder_of_pickles_alone_says_that_they_are_never_opened(tmp_path):
    for name in ("a.pt", "b.pkl"):
        (tmp_path / name).write_bytes(pickle.dumps(Trap()))
    with pytest.raises(UnreadableLog, match="2 pickles or archives, which are never opened"):
        capture(tmp_path, into=tmp_path / "store")


@contextmanager
def as_nobody(folder: Path) -> Iterator[None]:
    """Root may read anywhere: it becomes another user for a while, whom the folder belongs to."""
    if os.geteuid():
        yield
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, 65534, 65534)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("mode", [0o000, 0o444, 0o111])
def test_a_folder_that_may_not_be_read_is_told_and_the_others_are_taken(mode):
    with tempfile.TemporaryDirectory(prefix="hostile-") as temporary:
        folder = Path(temporary)
        for name in ("closed", "good"):
            (folder / "run" / name).mkdir(parents=True)
            (folder / "run" / name / LOG).write_bytes(lines(name))
        capture(folder / "run" / "closed", into=folder / "warm")  # what is imported late may lie where nobody may read
        (folder / "run" / "closed").chmod(mode)
        with as_nobody(folder):
            done = capture(folder / "run", into=folder / "store")
        (folder / "run" / "closed").chmod(0o700)
    assert (done.captured, len(done.refused)) == (3, 1)
    assert "closed" in done.refused[0]
    assert "Permission denied" in done.refused[0]


@pytest.mark.parametrize("change", ["grows", "shrinks", "vanishes"])
def test_a_file_may_change_while_others_are_read(tmp_path, change):
    for name in ("a", "b"):
        (tmp_path / "run" / name).mkdir(parents=True)
        (tmp_path / "run" / name / LOG).write_bytes(lines(name))
    changing = tmp_path / "run" / "b" / LOG
    whole = changing.read_bytes()

    def progress(what: str, done: float, of: float | None) -> None:
        match change:
            case "grows":
                changing.write_bytes(whole + b'{"id": "to')
            case "shrinks":
                changing.write_bytes(whole[:-30])
            case "vanishes":
                changing.unlink(missing_ok=True)

    done = capture(tmp_path / "run", into=tmp_path / "store", progress=progress)
    assert done.captured == {"grows": 6, "shrinks": 5, "vanishes": 3}[change]
    assert len(done.torn) == (change != "vanishes")
    assert len(done.refused) == (change == "vanishes")
    changing.write_bytes(whole)
    again = capture(tmp_path / "run", into=tmp_path / "store")
    assert (again.captured, again.seen) == (6 - done.captured, 6)


def test_no_key_of_a_log_gets_into_a_column_of_ours(tmp_path):
    names = [column.name for column in record().columns]
    forged = dict.fromkeys([*names, "verdict", "verdict_rule", "drops", "quarantine", "synthetic:repaired"], "forged")
    path = tmp_path / "run" / "log.jsonl"
    path.parent.mkdir()
    path.write_bytes(flat(**forged | {"score": 1, "step": 3}))
    (tmp_path / "map.toml").write_text(FLAT_MAP)
    capture(path.parent, into=tmp_path / "store", format=str(tmp_path / "map.toml"))
    (row,) = rows(tmp_path / "store").drop("extra").rows(named=True)
    assert "forged" not in json.dumps(row, default=str)
    assert (row["step"], row["reward"]) == (3, 1.0)


def test_scores_are_read_as_they_are_listed(tmp_path):
    path = tmp_path / "run" / "log.jsonl"
    path.parent.mkdir()
    given = (1, 1.0, True, "1.0", {"score": 1}, -1, 2.5, None, float("nan"), float("inf"), -0.0)
    path.write_bytes(flat(*given) + flat(step="4") + flat(step=5.0) + flat(gold=3))
    (tmp_path / "map.toml").write_text(FLAT_MAP)
    done = capture(path.parent, into=tmp_path / "store", format=str(tmp_path / "map.toml"))
    found = rows(tmp_path / "store").sort("log_offset")
    assert found["reward"].to_list()[:11] == [1, 1, 1, 1, 1, -1, 2.5, None, None, None, 0]
    assert found["step"].to_list()[11:13] == [4, 5]
    assert found["ground_truth"].to_list()[13] == "3"
    assert done.repaired == 2
    assert [json.loads(extra).get("synthetic:repaired") for extra in found["extra"][8:10]] == [
        {"/score": "NaN"},
        {"/score": "Infinity"},
    ]


# ---- the catalogue

ELSEWHERE = {
    "NUL bytes, glued": "test_glued.test_a_hole_of_nul_bytes_before_a_record_is_a_fragment",
    "torn line glued to the next": "test_glued.test_a_record_glued_to_a_torn_one_is_a_row_at_its_own_offset",
    "two objects on a line": "test_glued.test_several_records_on_a_line_are_as_many_rows",
    "torn last line, live": "test_capture.test_a_torn_last_line_waits_for_its_end",
    "no final newline": "test_records.test_a_last_line_without_a_newline_is_taken_when_it_is_whole",
    "huge line": "test_hostile.test_what_is_large_takes_little_memory",
    "gzip bomb": "test_hostile.test_what_is_large_takes_little_memory",
    "duplicate keys": "test_repeated_keys.test_a_line_with_a_key_twice_is_set_aside",
    "missing fields": "test_bad_lines.test_a_bad_line_is_set_aside_with_its_place_and_a_reason",
    "late and changing columns": "test_drift.test_a_capture_keeps_what_drifts",
    "several frameworks in one folder": "test_capture.test_two_formats_in_one_folder",
    "same id, other content": "test_capture.test_the_first_content_of_an_id_stays_and_another_is_a_conflict",
    "front matter, Markdown, HTML, links, Jinja": "test_card.test_nothing_that_a_log_wrote_changes_the_card",
    "backticks": "test_card.test_what_a_log_wrote_is_shown_as_code_on_one_line",
    "terminal escapes": "test_printed.test_what_a_log_says_never_reaches_the_terminal_raw",
    "forged columns, by value": "test_hostile.test_no_key_of_a_log_gets_into_a_column_of_ours",
    "secrets": "test_patterns.test_every_planted_value_is_found",
    "look-alikes of secrets": "test_patterns.test_look_alikes_are_let_through",
    "home paths and hosts": "test_private.test_what_points_into_somebodys_machine_is_masked",
    "archives with unsafe names": "test_archive.test_a_member_with_an_unsafe_name_is_left_out_and_told",
    "bomb in an archive": "test_archive.test_a_bomb_costs_its_own_sample_only",
    "pickles by hand": "test_hostile.test_what_is_no_log_is_refused_when_it_is_named_by_hand",
    "odd names": "test_hostile.test_odd_names_are_fine_and_printed_as_escapes",
    "links, FIFO": "test_hostile.test_links_pipes_and_sockets_are_not_read",
    "damaged row group": "test_records.test_rows_before_a_damaged_row_group_are_taken",
    "a file that changes": "test_hostile.test_a_file_may_change_while_others_are_read",
}
"""Classes whose case is a test of its own. Not of capture: spreadsheet formulas (nothing writes CSV), boxed answers and
hostile code (verifiers), licences (the push)."""


@pytest.mark.parametrize("kind", ELSEWHERE)
def test_the_test_that_has_it_is_there(kind):
    file, name = ELSEWHERE[kind].split(".")
    assert f"def {name}(" in (hostile.ROOT / "tests" / f"{file}.py").read_text("utf-8")
