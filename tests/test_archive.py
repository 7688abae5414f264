"""A zip from anywhere is read member by member: bombs, damage and unsafe names cost that member, never the machine."""

import json
import stat
import sys
import zipfile
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

import synthetic
from synthetic.errors import UnreadableLog
from synthetic.formats.archive import Archive
from tests.episodes import rows

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

START = {"version": 2, "eval": {"task": "sums", "model": "m", "run_id": "r", "eval_id": "e"}, "plan": {}}


def sample(id: str, **more: Any) -> bytes:
    said = [{"role": "user", "content": id}, {"role": "assistant", "content": "2", "source": "generate"}]
    known = {"id": id, "epoch": 1, "input": id, "target": "2", "messages": said, "output": {}, "uuid": f"u-{id}"}
    return json.dumps(known | more).encode()


def log(path: Path, *members: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("_journal/start.json", json.dumps(START))
        for name, data in members:
            archive.writestr(name, data)
    return path


def in_zstd(path: Path, name: str, data: bytes, *, frames: int = 1) -> Path:
    """A zip with one member of method 93, which `zipfile` cannot write before Python 3.14."""
    size = -(-len(data) // frames)
    packed = b"".join(zstd.compress(data[i : i + size]) for i in range(0, len(data), size))
    log(path, (name, packed), method=zipfile.ZIP_STORED)
    raw = bytearray(path.read_bytes())
    for mark, method, crc in ((b"PK\x03\x04", 8, 14), (b"PK\x01\x02", 10, 16)):
        at = raw.rindex(mark)
        raw[at + method : at + method + 2] = (93).to_bytes(2, "little")
        raw[at + crc : at + crc + 4] = zlib.crc32(data).to_bytes(4, "little")
    path.write_bytes(bytes(raw))
    return path


def reasons(done: synthetic.Captured) -> list[str]:
    return [
        json.loads(line)["reason"] for file in done.quarantine for line in Path(file).read_text("utf-8").splitlines()
    ]


def read(path: Path, name: str) -> bytes:
    with path.open("rb") as file:
        return b"".join(Archive(file).chunks(name))


@pytest.mark.parametrize("frames", [1, 3])
def test_members_in_zstd_are_read_frame_by_frame(frames, tmp_path):
    data = sample("a", store={"long": "x" * 100})
    path = in_zstd(tmp_path / "a.eval", "samples/a.json", data, frames=frames)
    assert read(path, "samples/a.json") == data
    assert synthetic.capture(path, into=tmp_path / "store").captured == 1


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_members_are_read_by_their_method(method, tmp_path):
    path = log(tmp_path / "a.eval", ("samples/a.json", sample("a")), method=method)
    assert read(path, "samples/a.json") == sample("a")


@pytest.mark.parametrize("packed", ["deflate", "zstd"])
def test_a_bomb_costs_its_own_sample_only(packed, tmp_path):
    bomb = sample("a", store={"zeros": "0" * 200_000_000})
    if packed == "deflate":
        path = log(tmp_path / "a.eval", ("samples/a.json", bomb), ("samples/b.json", sample("b")))
        captured = 1
    else:
        path, captured = in_zstd(tmp_path / "a.eval", "samples/a.json", bomb), 0
    assert path.stat().st_size < 1_000_000
    done = synthetic.capture(path, into=tmp_path / "store")
    assert (done.captured, done.quarantined) == (captured, 1)
    assert reasons(done) == ["samples/a.json: more than 200 times its compressed size: a bomb"]


def test_a_damaged_member_costs_its_own_sample_only(tmp_path):
    path = log(tmp_path / "a.eval", ("samples/a.json", sample("a")), ("samples/b.json", sample("b")))
    raw = bytearray(path.read_bytes())
    at = raw.index(b"samples/a.json") + len("samples/a.json")
    raw[at + 20 : at + 30] = bytes(10)
    path.write_bytes(bytes(raw))
    done = synthetic.capture(path, into=tmp_path / "store")
    assert (done.captured, done.quarantined) == (1, 1)
    assert reasons(done)[0].startswith("samples/a.json: damaged")


def test_any_changed_byte_gives_the_members_or_says_what_is_wrong(tmp_path):
    whole = log(tmp_path / "a.eval", ("samples/a.json", sample("a"))).read_bytes()
    damaged = 0
    for at in range(len(whole)):
        for changed in (whole[at] ^ 0xFF, 0):
            file = BytesIO(whole[:at] + bytes([changed]) + whole[at + 1 :])
            try:
                archive = Archive(file)
                for name in archive.names:
                    assert sum(map(len, archive.chunks(name))) >= 0
            except ValueError:
                damaged += 1
    assert damaged > len(whole)


def test_a_member_that_needs_a_password_is_set_aside(tmp_path):
    path = log(tmp_path / "a.eval", ("samples/a.json", sample("a")))
    raw = bytearray(path.read_bytes())
    raw[raw.rindex(b"PK\x03\x04") + 6] |= 1
    path.write_bytes(bytes(raw))
    assert reasons(synthetic.capture(path, into=tmp_path / "store")) == ["samples/a.json: encrypted"]


def test_a_method_that_nobody_writes_is_named(tmp_path):
    path = log(tmp_path / "a.eval", ("samples/a.json", sample("a")), method=zipfile.ZIP_BZIP2)
    (why,) = reasons(synthetic.capture(path, into=tmp_path / "store"))
    assert why == "samples/a.json: compressed by method 12; stored, deflate and zstd can be read"


def link() -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("samples/link.json")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


@pytest.mark.parametrize(
    "name", ["../samples/a.json", "/samples/a.json", "samples/../../a.json", "samples\\a.json", link()], ids=str
)
def test_a_member_with_an_unsafe_name_is_left_out_and_told(name, tmp_path):
    path = log(tmp_path / "run.eval", (name, sample("evil")), ("samples/b.json", sample("b")))
    done = synthetic.capture(path, into=tmp_path / "store")
    assert (done.captured, done.quarantined) == (1, 0)
    assert done.warnings == [f"{tmp_path.name}/run.eval: 1 unsafe members were left out"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run.eval", "store"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_of_members_with_one_name_the_last_counts_as_inspect_ai_reads_them(tmp_path):
    twice = [("samples/a.json", sample("a", store={"try": n})) for n in (1, 2)]
    done = synthetic.capture(log(tmp_path / "run.eval", *twice), into=tmp_path / "store")
    assert (done.captured, len(done.warnings)) == (1, 1)
    assert "1 superseded members were left out" in done.warnings[0]
    assert json.loads(rows(tmp_path / "store")["extra"][0])["store"] == {"try": 2}


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"PK\x03\x04" + bytes(100), b"text", b"{}"])
def test_what_is_no_log_is_refused_or_holds_nothing(data, tmp_path):
    (tmp_path / "a.eval").write_bytes(data)
    with pytest.raises(UnreadableLog):
        synthetic.capture(tmp_path, into=tmp_path / "store")
    assert not (tmp_path / "store" / "shards").is_dir() or not list((tmp_path / "store" / "shards").iterdir())


def test_a_run_that_has_no_sample_yet_is_empty(tmp_path):
    with pytest.raises(UnreadableLog, match="only logs without a whole line"):
        synthetic.capture(log(tmp_path / "a.eval"), into=tmp_path / "store")
