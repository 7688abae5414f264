"""What a crash leaves on one line comes apart again: whole records are rows, the torn fragment is set aside."""

import json
from pathlib import Path

import pytest

import synthetic
from synthetic.formats.glued import Piece, pieces
from tests.episodes import episode, episodes, node, rows, text, trace, write

CALLED = trace(
    "torn",
    nodes=[
        node("user", "q"),
        node("assistant", "a", parent=0, tool_calls=[{"id": "call_1", "name": "f", "arguments": "{}"}]),
        node("assistant", "done ½", parent=1),
    ],
)
TORN = json.dumps(episode("torn", CALLED), ensure_ascii=False).encode()
WHOLE = json.dumps(episode("e0", trace("t0"))).encode()


def capture(folder: Path, data: bytes):
    """Capture a log of these bytes; the balance holds, and a second time adds nothing."""
    path = write(folder / "run" / "traces.jsonl", [])
    path.write_bytes(data)
    done = synthetic.capture(folder / "run", into=folder / "store", tokens=True)
    assert done.seen == done.captured + done.quarantined
    again = synthetic.capture(folder / "run", into=folder / "store", tokens=True)
    assert (again.captured, again.quarantined, again.seen_before) == (0, 0, done.seen)
    assert synthetic.check(folder / "store").problems == []
    aside = [json.loads(line) for file in done.quarantine for line in Path(file).read_text("utf-8").splitlines()]
    return done, rows(folder / "store"), aside


def test_a_record_glued_to_a_torn_one_is_a_row_at_its_own_offset(tmp_path):
    before, after = text(episodes(1, first=7)), text(episodes(1, first=8))
    done, frame, (aside,) = capture(tmp_path, before + TORN[:-60] + WHOLE + b"\n" + after)
    assert (done.seen, done.captured, done.quarantined) == (4, 3, 1)
    assert frame["trace_id"].to_list() == ["t7", "t0", "t8"]
    assert frame["log_offset"].to_list() == [0, len(before) + len(TORN) - 60, len(before + TORN) - 60 + len(WHOLE) + 1]
    assert frame["log_digest"][1] == synthetic.record.digest(WHOLE)
    assert aside["log_offset"] == len(before)
    assert aside["line"] == TORN[:-60].decode()
    assert aside["reason"].startswith("torn: not JSON")


@pytest.mark.parametrize("cut", range(1, len(TORN), 37))
def test_wherever_the_record_was_torn(cut):
    assert pieces(TORN[:cut] + WHOLE) == [Piece(0, TORN[:cut], False), Piece(cut, WHOLE, True)]


def test_a_fragment_may_end_within_a_character():
    cut = TORN.index("½".encode()) + 1
    assert pieces(TORN[:cut] + WHOLE) == [Piece(0, TORN[:cut], False), Piece(cut, WHOLE, True)]


def test_several_records_on_a_line_are_as_many_rows(tmp_path):
    done, frame, aside = capture(
        tmp_path, WHOLE + WHOLE.replace(b"t0", b"t1") + b"  " + WHOLE.replace(b"t0", b"t2") + b"\n"
    )
    assert (done.seen, done.captured, aside) == (3, 3, [])
    assert frame["log_offset"].to_list() == [0, len(WHOLE), 2 * len(WHOLE) + 2]


def test_two_crashes_in_a_row_leave_two_fragments():
    line = TORN[:200] + TORN[:300] + WHOLE + TORN[:100] + WHOLE
    assert [(piece.line, piece.whole) for piece in pieces(line)] == [
        (TORN[:200] + TORN[:300], False),
        (WHOLE, True),
        (TORN[:100], False),
        (WHOLE, True),
    ]


def test_a_hole_of_nul_bytes_before_a_record_is_a_fragment(tmp_path):
    done, frame, (aside,) = capture(tmp_path, b"\0" * 4096 + WHOLE + b"\n")
    assert (done.captured, done.quarantined, frame["log_offset"].to_list()) == (1, 1, [4096])
    assert aside["log_offset"] == 0


def test_any_log_of_text_comes_apart_by_how_its_own_lines_begin():
    first, second = b'{"input": "a", "output": {"input": 1}, "score": 1}', b'{"input": "b", "score": 0.5}'
    assert pieces(first[:30] + second) == [Piece(0, first[:30], False), Piece(30, second, True)]


def test_what_is_whole_within_a_torn_record_is_no_record_of_its_own(tmp_path):
    assert b'{"id": "call_1"' in TORN[:-60]
    assert pieces(TORN[:-60]) == []
    done, frame, (aside,) = capture(tmp_path, TORN[:-60] + b"\n")
    assert (done.captured, frame.height, aside["reason"].startswith("not JSON")) == (0, 0, True)


def test_a_record_that_is_whole_and_bad_is_set_aside_for_its_own_reason(tmp_path):
    done, frame, aside = capture(tmp_path, TORN[:-60] + b'{"id": "bad"}' + WHOLE + b"rubbish\n")
    assert (done.seen, done.captured, frame["trace_id"].to_list()) == (4, 1, ["t0"])
    reasons = [line["reason"].split(" (")[0] for line in aside]
    assert reasons[1] == "neither an episode"
    assert [reason[:14] for reason in (reasons[0], reasons[2])] == ["torn: not JSON"] * 2


@pytest.mark.parametrize(
    "line",
    [
        b'{"id":"' * 100_000,
        b'{"id":' * 100_000,
        b'{"id":[' * 100_000 + WHOLE,
        b"{}" * 20_000,
        b'{"id":"' + b'\\"' * 500_000,
        b'{"id": "\xff"}',
        b"\xef\xbb\xbf" + WHOLE + WHOLE,
        b"[" * 50_000,
        b"",
    ],
    ids=lambda line: line[:20].decode("latin-1"),
)
def test_a_hostile_line_is_split_in_bounded_time_or_not_at_all(line):
    found = pieces(line)
    assert len(found) <= 10_001
    assert b"".join(piece.line for piece in found) in (line.removeprefix(b"\xef\xbb\xbf"), b"")
    assert all(line[piece.offset : piece.offset + len(piece.line)] == piece.line for piece in found)
