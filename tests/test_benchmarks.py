"""The benchmarks run: tiny sizes of each, whose figures nobody reads."""

import signal
import subprocess
import sys
import time

import msgspec
import pytest

from benchmarks import capture, large, release, startup
from benchmarks.cases import logs
from benchmarks.measure import scratch, table
from benchmarks.traces import write_run
from synthetic.capture import capture as captured

ARRAYS = ("token_ids", "mask", "is_content")


def test_a_large_log_is_made_decoded_and_captured(tmp_path):
    found = {row.case: row for row in large.rows(gb=0.002, parent=str(tmp_path))}
    assert list(found) == ["decode of a large log", "capture of a large log"]
    row = found["capture of a large log"]
    assert int(row.size) == 16  # whole groups of 8
    assert 0.001 < float(row.gb) < 0.004
    assert 20 < int(row.memory) < 600  # of its own, also where the process that started it is larger
    assert row.against.endswith("× decode of a large log; limit 1,500 MB")
    assert table([row]).count("\n") == 3
    assert list(tmp_path.iterdir()) == []


def test_a_capture_stands_beside_its_peers(tmp_path):
    lines = capture.rows(traces=16, rounds=1, parent=str(tmp_path)).splitlines()
    assert len(lines) == 2 + 2 * len(capture.CASES)
    assert [line for line in lines if "stops:" in line] == []
    assert list(tmp_path.iterdir()) == []


def test_starting_costs_more_than_a_bare_interpreter():
    bare, imported, helped = startup.rows(rounds=1)
    assert (bare.case, bare.against) == ("bare interpreter", "")
    assert imported.against.endswith(" × bare interpreter")
    assert helped.against.endswith(" × bare interpreter; limit 120 ms")
    assert float(helped.cpu) > float(bare.cpu) > 0


def test_what_a_second_core_gives_is_told_of_both_kinds_of_logs(tmp_path):
    lines = capture.cores(traces=32, rounds=1, parent=str(tmp_path)).splitlines()
    assert [line.split(" | ")[1] for line in lines[2:]] == ["one core", "two cores"] * 2
    assert lines[2].endswith(" | 1.00 |")


def test_a_run_is_captured_and_released(tmp_path):
    found = release.rows([16], parent=str(tmp_path))
    cases = "decode|capture|copy of the store|judge|release|copy of the release|release again".split("|")
    assert [(row.case, row.size) for row in found] == [(case, "16") for case in cases]
    assert {row.case for row in found if row.against.endswith("limit 2,000 MB")} == {"release", "release again"}
    assert list(tmp_path.iterdir()) == []


def test_a_release_tells_where_its_time_goes(tmp_path):
    lines = release.profile(16, str(tmp_path)).splitlines()
    phases = {cells[1]: cells[2:] for line in lines[2:] if (cells := [cell.strip() for cell in line.split("|")])}
    making = {"gathering rows", "making rl_tasks and preference", "writing traces"}
    assert {"minhash", *making, "drawing the card"} <= phases.keys()
    assert all(float(wall) >= 0 and float(peak.replace(",", "")) > 20 for _, wall, _, peak, _ in phases.values())
    assert list(tmp_path.iterdir()) == []


def test_every_line_with_tokens_is_a_trace_of_its_own(tmp_path):
    write_run(tmp_path / "run", 24, tokens=True)
    lines = [msgspec.json.decode(line) for line in logs(tmp_path)[0].read_bytes().splitlines()]
    assert len({line["traces"][0]["id"] for line in lines}) == 24
    nodes = [node for line in lines for node in line["traces"][0]["nodes"]]
    assert all(len(node[name]) == len(node["token_ids"]) > 0 for node in nodes for name in ARRAYS)
    assert all(len(node["logprobs"]) == node["sampled"] * len(node["token_ids"]) for node in nodes)
    done = captured(tmp_path / "run", into=tmp_path / "store")
    assert (done.rows, done.quarantined) == (24, 0)
    log_bytes, shard_bytes = (
        sum(p.stat().st_size for p in paths) for paths in (logs(tmp_path), (tmp_path / "store/shards").iterdir())
    )
    assert log_bytes > 10 * shard_bytes


def test_what_was_generated_goes_away_when_the_process_is_told_to_end(tmp_path):
    command = [sys.executable, "-m", "benchmarks.large", "--gb", "1", "--scratch", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        deadline = time.monotonic() + 60
        while not any(tmp_path.glob("*/run/rollouts/*")) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert any(tmp_path.glob("*/run/rollouts/*"))
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []


def test_a_disk_without_room_is_refused_before_anything_is_written(tmp_path):
    with (
        pytest.raises(SystemExit, match="1000000000 GB needed; name another: --scratch"),
        scratch(str(tmp_path), 10**18),
    ):
        raise AssertionError("entered")
    assert list(tmp_path.iterdir()) == []
