"""A store: every shard against its footer, ranges against each other, side files against their names."""

import hashlib
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any  # JSON values

import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from synthetic import manifest
from synthetic import shard as shards
from synthetic.check.checked import Checked
from synthetic.errors import BrokenStore
from synthetic.record import canonical_json, digest
from synthetic.shard import RowHash
from synthetic.stage import Progress
from synthetic.store import SCHEMAS, Shard, Store


def check_store(store: Store, progress: Progress) -> Checked:
    """Check a store."""
    done = Checked(str(store.path), "store")
    try:
        found = store.shards()
    except BrokenStore as error:
        done.problems.append(str(error))
        return done
    numbers = sorted(int(p.stem) for p in store.shard_folder.glob("*.parquet"))
    done.expect(numbers == list(range(len(numbers))), f"shards: numbers are missing ({numbers[:3]} … {numbers[-1:]})")
    for number, shard in enumerate(found):
        _shard(shard, done)
        progress("checking shards", number + 1, len(found))
        for name in shard.footer.quarantine:
            side = store.quarantine_folder / name
            if done.expect(side.is_file(), f"{side}: is missing; shard {shard.number} names it"):
                text = side.read_bytes()
                done.expect(digest(text) == side.stem, f"{side}: its bytes are not those it is named by")
                lines, bad = text.count(b"\n"), sum(part.quarantined for part in shard.footer.ranges)
                done.expect(lines == bad, f"{side}: holds {lines} lines, its shard says {bad}")
    spans = [part for shard in found for part in shard.footer.ranges]
    logs: dict[str, list[Any]] = {}
    for part in spans:
        logs.setdefault(canonical_json([*part.log, part.generation]), []).append(part)
        done.expect(part.captured + part.quarantined == part.lines, f"{part.run}/{part.path}: lines do not add up")
    for parts in logs.values():
        ordered = sorted(parts, key=lambda part: part.start)
        done.expect(ordered[0].start == 0, f"{ordered[0].run}/{ordered[0].path}: the beginning is missing")
        for one, after in pairwise(ordered):
            done.expect(
                one.end == after.start, f"{one.run}/{one.path}: bytes {one.end} to {after.start} are missing or doubled"
            )
    done.files = len(found)
    if done.holds:
        conflicts = store.snapshot().conflicts.height
        if conflicts:
            done.notes.append(f"{conflicts} rows came again with the same id and another content; the first is kept")
    return done


def _shard(shard: Shard, done: Checked) -> None:
    wanted = SCHEMAS[shard.footer.kind].arrow
    # Its digits say which hash it is: until November 2026 it was that of releases.
    row_hash, rows = RowHash(wanted, xxhash.xxh3_128 if len(shard.footer.row_hash) == 32 else hashlib.sha256), 0
    try:
        reader = pq.ParquetFile(shard.path)
        if not done.expect(
            reader.schema_arrow.equals(wanted), f"{shard.path}: its columns are not those of {shard.footer.schema}"
        ):
            return
        for group in range(reader.num_row_groups):
            table = reader.read_row_group(group)
            row_hash.add(table)
            rows += table.num_rows
    except (pa.ArrowException, OSError) as error:
        done.expect(False, f"{shard.path}: cannot be read ({error})")
        return
    done.rows += rows if shard.footer.kind == "traces" else 0
    whole = done.expect(
        rows == shard.footer.rows, f"{shard.path}: its footer says {shard.footer.rows} rows, it holds {rows}"
    ) and done.expect(row_hash.digest() == shard.footer.row_hash, f"{shard.path}: its rows are not those of its footer")
    if whole and not (_same_bytes(shard, reader) or _same_bytes(shard, reader, chunked=True)):
        done.expect(False, f"{shard.path}: its rows hold, but its bytes are not those that they are written as")


def _same_bytes(shard: Shard, reader: Any, *, chunked: bool = False) -> bool:
    """Whether the rows, written again, give the same file: statistics and indexes, which readers trust, are no rows.

    True, unseen, for a file that another version of pyarrow wrote. Shards were once written `chunked`.
    """
    meta = shards.read_meta(shard.path)
    with tempfile.TemporaryDirectory(prefix="synthetic-") as folder:
        again = Path(folder) / "again.parquet"
        with shards.Writer(again, SCHEMAS[shard.footer.kind], sys.maxsize, chunked=chunked) as writer:
            for group in range(reader.num_row_groups):
                for batch in reader.read_row_group(group).to_batches():
                    writer.add(batch)
                writer.cut()
            writer.finish(lambda rows, row_hash: meta)
        if pq.read_metadata(again).created_by != reader.metadata.created_by:
            return True
        return manifest.sha256(again) == manifest.sha256(shard.path)
