"""Arrange a small prime-rl run of layout B from the other 0.4.0 fixtures.

    VENV/bin/python prime_rl_b.py        (VENV holds requirements_prime_rl_b.txt)

The episodes, their tokens and their run stamps are made as `prime_rl_a.py` makes them, under
other ids. Lines are written as prime-rl's file monitor of September 2026 writes them:
`orjson.dumps(episode.to_record(), default=str)` into numbered chunks, an index row after each,
full chunks sealed by `pyzstd.SeekableZstdFile`. By hand: when each episode was dispatched and
arrived, what the annotations say, and the numbers in their streams.

Chunk 0 of the stream is sealed. Chunk 1 is live: a crash tore its second record, and the relaunched
run appended to it; its last line is torn as well. The orchestrator shipped two groups, one trace of
them twice, the trainer annotated tokens, and a third producer graded in two steps. One rollout is
in flight, and one episode is pending.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import orjson
import prime_rl_a as a
import pyzstd
import verifiers.v1 as vf

HOME = a.LOGS / "prime_rl_b"
TRACES = HOME / "monitors" / "file" / "traces"
CLOCK = 1795430200.0
OPTIONS = orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY
TORN_BYTES = 1800


def renamed(episodes: list[vf.Episode], step: int) -> list[vf.Episode]:
    """The episodes under ids of this run, with what layout B stamps on their traces."""
    for episode in episodes:
        episode.id = hashlib.sha256(f"b:{episode.id}".encode()).hexdigest()[:32]
        for trace in episode.traces:
            trace.id = hashlib.sha256(f"b:{trace.id}".encode()).hexdigest()[:32]
            kind = "eval" if isinstance(episode.run.work, vf.EvalWorkInfo) else "train"
            trace.info["kind"] = kind
            trace.info["dispatch"] = {"step": step, "time": CLOCK + step}
            trace.info["arrival"] = {"step": step + (kind == "train"), "time": CLOCK + step + 0.5}
    return episodes


class Stream:
    """A folder of chunks and the index beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.number, self.rows = folder, 0, 0
        folder.mkdir(parents=True)
        self.index = folder.with_name(f"{folder.name}.index.jsonl")

    @property
    def path(self) -> Path:
        """The live chunk."""
        return self.folder / f"{self.number:05d}.jsonl"

    def append(self, record: dict[str, Any], row: dict[str, Any], torn: int | None = None) -> None:
        """Write a record and its index row; of a torn one, some bytes and no row."""
        line = orjson.dumps(record, default=str, option=OPTIONS)
        offset = self.path.stat().st_size if self.path.exists() else 0
        with self.path.open("ab") as file:
            file.write(line[:torn])
        if torn is None:
            self.rows += 1
            place = {"line": self.rows, "chunk": self.number, "offset": offset}
            with self.index.open("ab") as file:
                file.write(orjson.dumps(row | place, default=str, option=OPTIONS))

    def seal(self) -> None:
        """Compress the live chunk, and go on with the next."""
        sealed = self.path.with_name(f"{self.path.name}.zst")
        with pyzstd.SeekableZstdFile(sealed, "wb", level_or_option=3, max_frame_content_size=16 << 10) as file:
            file.write(self.path.read_bytes())
        self.path.unlink()
        self.number += 1


def log(stream: Stream, episodes: list[vf.Episode], torn: int | None = None) -> None:
    """Write episodes as they arrive."""
    for episode in episodes:
        record = episode.to_record()
        row = {"id": episode.id, "kind": episode.run.work.type, "trace_ids": [trace.id for trace in episode.traces]}
        stream.append(record, row | {"env": episode.env.name, "group": episode.group.id, "ok": episode.ok}, torn)


def annotate(stream: Stream, trace: vf.Trace, info: dict[str, Any], branches: list[dict[str, Any]]) -> None:
    """Write what a producer has to say about a trace."""
    update = {"version": 1, "trace_id": trace.id, "info": info, "branches": branches}
    stream.append(update, {"trace_id": trace.id, "info": info})


def streams(trace: vf.Trace) -> list[dict[str, Any]]:
    """What a trainer says about the tokens of each branch: as long as its ids, null where it does not know."""
    said = []
    for index, branch in enumerate(trace.branches):
        masks = [mask for node in branch.nodes for mask in node.mask]
        logprobs = [-(i % 5) / 8 if mask else None for i, mask in enumerate(masks)]
        said.append({"index": index, "trainer_logprobs": logprobs, "is_masked": [mask or None for mask in masks]})
    return said


def main() -> None:
    """Write the run."""
    shutil.rmtree(HOME / "monitors", ignore_errors=True)
    plain, panel, start = "vf_eval_0_4_0", "branches_0_4_0/panel", (0, 0)
    sums = renamed(a.stamp(a.episodes_of(plain, "sum"), "puzzles-train", 1, start), 1)
    legs = renamed(a.stamp(a.episodes_of(plain, "legs"), "puzzles-train", 1, start), 1)
    failed = renamed(a.stamp(a.episodes_of(panel, "none")[:1], "panel", 1, start), 1)
    moons = renamed(a.stamp(a.episodes_of(panel, "moons")[:1], "panel", 1, start), 1)
    count = renamed(a.stamp(a.episodes_of(plain, "count"), "puzzles-eval", 1, start, vf.EvalWorkInfo), 1)
    kanji = renamed(a.stamp(a.episodes_of(plain, "kanji"), "puzzles-train", 2, (0, 1)), 2)
    last = renamed(a.stamp(a.episodes_of(plain, "product"), "puzzles-train", 2, (1, 1)), 2)

    stream = Stream(TRACES / "stream")
    log(stream, sums + count + failed)
    stream.seal()
    log(stream, legs[:1])
    log(stream, legs[1:2], torn=TORN_BYTES)  # killed; the relaunched run appends
    log(stream, moons + kanji)
    log(stream, last[:1], torn=TORN_BYTES)

    orch = Stream(TRACES / "annotations" / "orch")
    shipped = [trace for episode in sums + moons for trace in episode.traces if trace.ok and trace.agent.trainable]
    for trace in shipped:
        ship = {"step": 2, "time": CLOCK + 2.5}
        annotate(orch, trace, {"effective": True, "ship": ship, "advantage": round(trace.reward - 0.5, 4)}, [])
    orch.seal()
    ship = {"step": 3, "time": CLOCK + 3.5}
    annotate(orch, shipped[0], {"effective": True, "ship": ship, "advantage": 0.125}, [])

    trainer = Stream(TRACES / "annotations" / "trainer")
    for trace in shipped:
        annotate(trainer, trace, {}, streams(trace))
    annotate(trainer, shipped[1], {"mismatch_kl": 0.25}, [{"index": 0, "clipped": 3}])

    gar = Stream(TRACES / "annotations" / "gar")
    annotate(gar, shipped[0], {"grade": {"style": 0.5, "facts": {"checked": 1}}}, [])
    annotate(gar, shipped[0], {"grade": {"style": 0.75, "facts": {"wrong": 0}}}, [])

    live = TRACES / "live"
    (live / "pending").mkdir(parents=True)
    flight = {"trace": a.hexes("in flight"), "open": {"id": a.hexes("in flight"), "nodes": []}}
    (live / f"{a.hexes('in flight')}.jsonl").write_bytes(orjson.dumps(flight, option=OPTIONS))
    (live / "pending" / "0.json").write_bytes(orjson.dumps({"id": a.hexes("pending"), "kind": "train"}))
    rows = [{"step": 1, "time": CLOCK, "progress/rollouts": stream.rows, "producer": "orch"}]
    with (HOME / "monitors" / "file" / "metrics.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


if __name__ == "__main__":
    main()
