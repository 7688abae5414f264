"""Mutated logs, by the hundred thousand: python -m tests.fuzz --inputs 100000 [--seed N]

Lines of all logs in tests/logs (and of shared samples, where they are) are changed as bytes, as tokens and as trees of
JSON, and whole files as bytes. They are captured in this process, a batch of some hundred at a time, and what must hold
is looked at: nothing but a `SyntheticError` is raised, lines seen are captured, set aside or seen before, the store
holds, a second capture adds nothing, and none takes long. A batch that fails is kept; its seed makes it again.
"""

import argparse
import faulthandler
import gzip
import io
import json
import random
import re
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

import synthetic
from synthetic.check import check
from synthetic.errors import SyntheticError, UnreadableLog
from synthetic.formats import FORMATS
from synthetic.formats.file import Text
from synthetic.formats.find import find
from synthetic.formats.records import whole_lines

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ROOT = Path(__file__).parent.parent
SAMPLES = ROOT.parent / "shared" / "samples"
LOGS_IN_BATCH, LINES_IN_LOG = 10, 40
SECONDS = 60
"""A batch takes less than one; what takes longer than this hangs."""

TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null|[\[\]{},:]')
TOKENS = (
    *b"null true false 0 -0 -0.0 1 -1 5.5 1e999 NaN Infinity -Infinity 1E400".split(),
    *b'0x1 01 .5 1. +1 [] {} [[]] [{}] {"":0}'.split(),
    *(str(2**n + d).encode() for n in (31, 32, 53, 63, 64, 128) for d in (-1, 0)),
    *(b"9" * n for n in (30, 400, 5000)),
    *(
        b'"%b"' % text
        for text in (b"", b" ", b"\\u0000", b"\\ud800", b"\\udfff\\ud800", b"\xff", b"\xed\xa0\x80", b"NaN")
    ),
    *(
        b'"%b"' % text
        for text in (b"\xe2\x80\xa8", b"\x1b[2J", b"\xe2\x80\xae", b"../../x", b"/etc/passwd", b"1.0", b"true")
    ),
    *(b"[" * n + b"]" * n for n in (60, 70, 900, 3000)),
    *(b'{"a":' * n + b"1" + b"}" * n for n in (60, 70, 900)),
    *b'[ ] { } , : " \\ \r \0'.split(b" "),
)
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 5.0, 5.5, 2**31, 2**63, 2**64, 10**30, 1e300, -0.0, float("nan"), float("inf")),
    *(
        "",
        "x",
        "4",
        "1.0",
        "true",
        "NaN",
        "\ud800",
        "\0",
        "\u202e",
        "a/b",
        "x" * 5000,
        "<think>",
        "assistant",
        "</think>",
    ),
    *([], [None], [[]], ["x"], [1, "x", None], [{}], [[[]]] * 9, {}, {"x": {}}, {"id": None}, {"role": "user"}),
    *({"role": "assistant", "content": [{"type": "text"}]}, {"score": {"score": 1}}, [{"function": None}]),
)


@dataclass(frozen=True)
class Log:
    """A log to start from."""

    path: Path
    """Below the folder that its run lies in."""
    lines: tuple[bytes, ...]
    whole: bytes | None
    """The file, where its records are no lines of text."""


def logs(*folders: Path) -> list[Log]:
    """Every log that a format knows, with some of its lines."""
    found = {}
    for folder in folders:
        for path in sorted(p for p in (folder, *folder.rglob("*")) if p.is_dir() or p.suffix in {".json", ".eval"}):
            try:
                sources = find(path).sources
            except SyntheticError:
                continue
            for source in sources:
                if source.path not in found and source.path.stat().st_size < 3_000_000:
                    found[source.path] = source
    starts = []
    for source in found.values():
        with source.format.open(source.path) as reading:
            text = isinstance(reading, Text)
        lines = tuple(islice(whole_lines(source.format.open(source.path)), 60))
        if lines:
            below = source.path.relative_to(source.root.parent)
            starts.append(Log(below, lines, None if text else source.path.read_bytes()))
    return starts


# ---- changes


def as_bytes(line: bytes, chance: random.Random, other: bytes) -> bytes:
    """Some bytes changed, added or taken away."""
    data = bytearray(line)
    for _ in range(chance.choice((1, 1, 2, 8))):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(4):
            case 0:
                data[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                data[at : at + chance.randrange(1, 40)] = b""
            case 2:
                data[at:at] = chance.choice(TOKENS)
            case 3:
                data[at:at] = chance.randbytes(chance.randrange(1, 9))
    return bytes(data)


def as_tokens(line: bytes, chance: random.Random, other: bytes) -> bytes:
    """Some tokens replaced, doubled or taken away."""
    for _ in range(chance.choice((1, 1, 3))):
        found = list(TOKEN.finditer(line))
        if not found:
            break
        token = chance.choice(found)
        new = chance.choice((chance.choice(TOKENS), chance.choice(TOKENS), b"", token[0] * 2, chance.choice(found)[0]))
        line = line[: token.start()] + new + line[token.end() :]
    return line


def as_tree(line: bytes, chance: random.Random, other: bytes) -> bytes:
    """Some values replaced, moved or taken away; some keys renamed."""
    try:
        tree = json.loads(line)
    except (ValueError, RecursionError):
        return as_tokens(line, chance, other)
    for _ in range(chance.choice((1, 1, 2, 5))):
        places = list(_places(tree))
        if not places:
            break
        inside, key = chance.choice(places)
        match chance.randrange(7):
            case 0:
                del inside[key]
            case 1 if isinstance(inside, dict):
                inside[chance.choice(places)[1] if chance.random() < 0.5 else "row_id"] = deepcopy(inside[key])
            case 2:
                from_, name = chance.choice(places)
                inside[key] = deepcopy(from_[name])
            case 3:
                inside[key] = chance.choice((str(inside[key]), [inside[key]], {"x": inside[key]}))
            case 4 if isinstance(inside, list):
                inside.insert(key, deepcopy(chance.choice(inside)))
            case _:
                inside[key] = deepcopy(chance.choice(VALUES))
    return json.dumps(tree, ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")


def _places(tree: Any) -> Any:
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in inner:
        yield tree, key
        yield from _places(value)


def cut(line: bytes, chance: random.Random, other: bytes) -> bytes:
    """The beginning alone."""
    return line[: chance.randrange(len(line) + 1)]


def spliced(line: bytes, chance: random.Random, other: bytes) -> bytes:
    """The beginning of one and the end of another, or both on one line."""
    if chance.random() < 0.4:
        return line[: chance.choice((len(line), chance.randrange(len(line) + 1)))] + other
    return line[: chance.randrange(len(line) + 1)] + other[chance.randrange(len(other) + 1) :]


def key_twice(line: bytes, chance: random.Random, other: bytes) -> bytes:
    """A member said again within its object, with another value."""
    found = list(re.finditer(rb'[{,] ?("(?:[^"\\]|\\.)*"): ?', line))
    if not found:
        return line
    member = chance.choice(found)
    return line[: member.start() + 1] + member[1] + b":" + chance.choice(TOKENS) + b"," + line[member.start() + 1 :]


def unchanged(line: bytes, chance: random.Random, other: bytes) -> bytes:
    """As it was."""
    return line


CHANGES: Sequence[Callable[[bytes, random.Random, bytes], bytes]] = (
    *(as_tree,) * 8,
    *(as_tokens,) * 4,
    *(as_bytes,) * 3,
    *(cut, spliced, spliced, key_twice, unchanged),
)


def text_of(log: Log, starts: Sequence[Log], chance: random.Random) -> tuple[bytes, int]:
    """A log of changed lines, and how many."""
    lines = []
    for _ in range(LINES_IN_LOG):
        other = chance.choice((log, log, chance.choice(starts))).lines
        lines.append(chance.choice(CHANGES)(chance.choice(log.lines), chance, chance.choice(other)))
    end = chance.choice((b"\n", b"\n", b"\n", b"\r\n", b"\n\n"))
    data = end.join(lines) + chance.choice((end, b""))
    match chance.randrange(12):
        case 0:
            data = gzip.compress(data, mtime=0)
        case 1:
            data = zstd.compress(data)
        case 2:
            data = b"\xef\xbb\xbf" + data
        case 3:
            data = as_bytes(gzip.compress(data, 1, mtime=0), chance, b"")
        case 4:
            data = as_bytes(zstd.compress(data, 1), chance, b"")
    return data, len(lines)


def whole_of(log: Log, chance: random.Random) -> tuple[bytes, int]:
    """A file of records, changed as bytes, or a table made of changed rows."""
    data = log.whole or b""
    if data.startswith(b"PAR1") and chance.random() < 0.6:
        rows = []
        for line in log.lines:
            try:
                rows.append(json.loads(as_tree(line, chance, line)))
            except ValueError:
                continue
        try:
            return _table([row for row in rows if isinstance(row, dict)]), len(rows)
        except (pa.ArrowException, ValueError, TypeError, OverflowError):
            pass
    if log.path.suffix == ".json" and chance.random() < 0.7:
        return chance.choice((as_tree, as_tokens, key_twice))(data, chance, b""), 1
    return as_bytes(data, chance, b""), 1


def _table(rows: list[dict[str, Any]]) -> bytes:
    """What pyarrow makes of rows, each column on its own; as text where it makes nothing of them."""
    columns = {}
    for name in {key for row in rows for key in row}:
        values = [row.get(name) for row in rows]
        try:
            columns[name] = pa.array(values)
        except (pa.ArrowException, ValueError, TypeError, OverflowError):
            columns[name] = pa.array([json.dumps(value) for value in values])
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


# ---- what must hold


def judge(folder: Path, done: Counter[str]) -> None:
    """Capture every run of a folder twice. Raises `AssertionError`, or whatever escaped."""
    for run in sorted((folder / "runs").iterdir()):
        for format in (None, *FORMATS):
            store = folder / f"{run.name}.store"
            try:
                first = synthetic.capture(run, into=store, format=format)
            except UnreadableLog as error:
                done["refused"] += 1
                if "could be a log of" in str(error):
                    continue  # then as each of them
                break
            again = synthetic.capture(run, into=store, format=format)
            assert first.seen == first.captured + first.quarantined + first.seen_before
            assert (again.captured, again.quarantined, again.rows) == (0, 0, 0), again
            assert again.seen_before == first.seen, (first.seen, again.seen_before)
            assert check(store).problems == [], check(store).problems
            if first.rows:
                assert synthetic.scan(store).collect().height <= first.rows
            done.update(captured=first.captured, quarantined=first.quarantined, rows=first.rows)
            if format is None:
                break


def batch(number: int, seed: int, starts: Sequence[Log], folder: Path) -> int:
    """Write a batch of changed logs, the same for the same seed; give how many inputs it holds."""
    chance = random.Random(f"{seed}-{number}")
    inputs = 0
    for place in range(LOGS_IN_BATCH):
        log = chance.choice(starts)
        data, count = text_of(log, starts, chance) if log.whole is None else whole_of(log, chance)
        path = folder / "runs" / f"{place // 5}" / f"{place}" / log.path
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
        inputs += count
    return inputs


def fuzz(inputs: int, seed: int, keep: Path, first: int = 0, say: Callable[[str], object] = print) -> list[Path]:
    """Judge at least so many inputs; give the folders of the batches that failed."""
    starts = logs(ROOT / "tests" / "logs", *([SAMPLES] if SAMPLES.is_dir() else []))
    done: Counter[str] = Counter()
    failed: list[Path] = []
    began, number = time.monotonic(), first
    while done["inputs"] < inputs:
        with tempfile.TemporaryDirectory(prefix="fuzz-") as temporary:
            folder = Path(temporary)
            done["inputs"] += batch(number, seed, starts, folder)
            faulthandler.dump_traceback_later(SECONDS, exit=False)
            before = time.monotonic()
            try:
                judge(folder, done)
                assert time.monotonic() - before < SECONDS, "it took too long"
            except Exception:  # noqa: BLE001 - whatever escapes is what is looked for
                failed.append(shutil.copytree(folder, keep / f"{seed}-{number}"))
                say(f"batch {number} of seed {seed}, kept in {failed[-1]}:\n{traceback.format_exc(limit=-8)}")
            faulthandler.cancel_dump_traceback_later()
        number += 1
        if number % 50 == 0:
            say(f"{done['inputs']:,} inputs, {done['inputs'] / (time.monotonic() - began):,.0f}/s, {dict(done)}")
    say(
        f"seed {seed}: {done['inputs']:,} inputs from {len(starts)} logs in {number - first} batches,"
        f" {done['inputs'] / (time.monotonic() - began):,.0f}/s; {done['captured']:,} lines captured,"
        f" {done['quarantined']:,} set aside, {done['refused']:,} runs refused; {len(failed)} batches failed"
    )
    return failed


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="capture mutated logs")
    parser.add_argument("--inputs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--first", type=int, default=0, help="number of the first batch")
    parser.add_argument("--keep", type=Path, default=Path("fuzz-failures"), help="where batches that fail are kept")
    given = parser.parse_args()
    return 1 if fuzz(given.inputs, given.seed, given.keep, given.first) else 0


if __name__ == "__main__":
    sys.exit(main())
