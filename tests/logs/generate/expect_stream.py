"""Write what a reader must find in `prime_rl_b`, from its indexes and the raw JSON alone.

    VENV/bin/python expect_stream.py [SAMPLES]     (VENV holds requirements_prime_rl_b.txt)

Like `expect.py`, with nothing of the package under test. Records are found as prime-rl's own
dashboard finds them: by the chunk and offset that their index row names. What lies between them
is what crashes tore. Annotations are folded as `log-formats.md` section 2.1 says: in write order,
`info` merged member by member. With the folder of the larger sample logs at hand, whose index is
not complete, `samples_expected_stream.json` gets totals of its lines.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import expect
import pyzstd

Json = dict[str, Any]

HOME = expect.LOGS / "prime_rl_b"
TRACES = "monitors/file/traces"


def chunk(folder: Path, number: int) -> bytes:
    """The text of a chunk, whether live or sealed."""
    plain = folder / f"{number:05d}.jsonl"
    if plain.exists():
        return plain.read_bytes()
    with pyzstd.SeekableZstdFile(plain.with_name(f"{plain.name}.zst"), "rb") as file:
        return file.read()


def lines_of(path: Path) -> list[Json]:
    """The records of a file of whole lines."""
    return [json.loads(line) for line in path.read_bytes().split(b"\n") if line]


def records(stream: Path) -> list[tuple[int, int, bytes]]:
    """Chunk, offset and text of every record that the index names."""
    found = []
    for row in lines_of(stream.with_name(f"{stream.name}.index.jsonl")):
        text = chunk(stream, row["chunk"])
        found.append((row["chunk"], row["offset"], text[row["offset"] : text.index(b"\n", row["offset"])]))
    return found


def torn(stream: Path) -> list[Json]:
    """The bytes between records: chunk, offset, length, and whether more of the file comes after them."""
    found = []
    for number in sorted({number for number, _, _ in records(stream)}):
        text, at = chunk(stream, number), 0
        for offset, line in [(o, r) for n, o, r in records(stream) if n == number]:
            if offset > at:
                found.append({"chunk": number, "offset": at, "bytes": offset - at, "last": False})
            at = offset + len(line) + 1
        if at < len(text):
            found.append({"chunk": number, "offset": at, "bytes": len(text) - at, "last": True})
    return found


def merged(old: Any, new: Any) -> Any:
    """`info` of two annotations."""
    if isinstance(old, dict) and isinstance(new, dict):
        return {**old, **{key: merged(old.get(key), value) for key, value in new.items()}}
    return new


def annotations(folder: Path) -> tuple[dict[str, Json], dict[str, Json]]:
    """What producers said of each trace, and of the tokens of each of its branches."""
    info: dict[str, Json] = {}
    streams: dict[str, Json] = {}
    for producer in sorted(path for path in folder.iterdir() if path.is_dir()):
        for _, _, line in records(producer):
            update = json.loads(line)
            info[update["trace_id"]] = merged(info.get(update["trace_id"], {}), update["info"])
            for branch in update["branches"]:
                name = f"{update['trace_id']}/{branch.pop('index')}"
                streams[name] = {**streams.get(name, {}), **branch}
    return info, streams


def rows_of(records: list[tuple[str, int, Json]]) -> list[Json]:
    """The rows of episodes, with where they stand and what their traces were made for."""
    found = []
    for file, offset, episode in records:
        kinds = {trace["id"]: trace["info"].get("kind") for trace in episode["traces"]}
        for row in expect.episode_rows(episode):
            kind = kinds.get(row["trace_id"]) or episode["run"]["work"]["type"]
            place = {"log_file": file, "log_offset": offset, "kind": kind, "step": episode["run"]["work"]["step"]}
            found.append({**row, **place})
    return found


def main() -> None:
    """Write every expectation."""
    stream = HOME / TRACES / "stream"
    named = [(f"{TRACES}/stream/{n:05d}.jsonl", offset, json.loads(line)) for n, offset, line in records(stream)]
    info, streams = annotations(HOME / TRACES / "annotations")
    rows = rows_of(named)
    told = {"info": info, "streams": {name: json.dumps(said) for name, said in streams.items()}}
    expected = {"episodes": len(named), **expect.count(rows), "torn": torn(stream), **told, "row": rows}
    expect.write(HOME / "expected.json", {"run": expected})
    if len(sys.argv) > 1:
        (home,) = (Path(sys.argv[1]) / "prime_rl_newlayout").iterdir()
        texts = [chunk(home / TRACES / "stream", number) for number in range(3)]
        lines = [json.loads(line) for text in texts for line in text.split(b"\n")[:-1]]
        rows = rows_of([("", 0, episode) for episode in lines])
        info, _ = annotations(home / TRACES / "annotations")
        totals = {
            "lines": len(lines),
            "torn_bytes": [len(text.split(b"\n")[-1]) for text in texts],
            **expect.count(rows),
            "ids": len({(row["trace_id"], row["branch"]) for row in rows}),
            "kinds": {kind: sum(row["kind"] == kind for row in rows) for kind in ("eval", "train")},
            "sum_of_rewards": round(sum(row["reward"] or 0 for row in rows), 6),
            "annotated": len(info),
            "sum_of_advantages": round(sum(said["advantage"] for said in info.values()), 6),
        }
        expect.write(expect.LOGS / "samples_expected_stream.json", {"prime_rl_newlayout": totals})


if __name__ == "__main__":
    main()
