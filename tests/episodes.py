"""Small episodes as verifiers 0.4 writes them, for tests that need a log of their own."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import polars as pl

import synthetic

Line = dict[str, Any]

QUESTION = "What is 2 + 2?"


def node(role: str, content: str | None = None, *, parent: int | None = None, **more: Any) -> Line:
    """A node of a trace's graph; an assistant's is sampled unless said otherwise."""
    sampled = more.pop("sampled", role == "assistant")
    above = {} if parent is None else {"parent": parent}
    said = {} if content is None else {"content": content}
    return above | {"message": {"role": role} | said | more, "sampled": sampled, "timestamp": 1795430000.5}


def trace(id: str, *replies: str, nodes: list[Line] | None = None, **more: Any) -> Line:
    """A trace whose model gave these replies to a question."""
    if nodes is None:
        nodes = [node("user", QUESTION)]
        for reply in replies or ("<think>two and two</think>4",):
            nodes.append(node("assistant", reply, parent=len(nodes) - 1))
    calls = [
        {
            "node": i,
            "model": "reasoner-1b",
            "sampling": {"temperature": 1.0},
            "finish_reason": "stop",
            "usage": {"prompt_tokens": 10, "completion_tokens": 5},
        }
        for i, one in enumerate(nodes)
        if one["sampled"]
    ]
    return {
        "version": 1,
        "id": id,
        "verifiers": {"version": "0.4.0"},
        "agent": {"name": "solver", "trainable": True, "config": {"model": "reasoner-1b"}},
        "tools": [],
        "nodes": nodes,
        "calls": calls,
        "rewards": {"correct": {"score": 1.0, "weight": 1.0}},
        "metrics": {"length": 3.0},
        "info": {},
        "is_completed": True,
        "ok": True,
        "stop_condition": "agent_completed",
        "errors": [],
        "timing": {"start": 1795430000.0},
    } | more


def task(prompt: str = QUESTION, answer: Any = "4", **data: Any) -> Line:
    """A task with its answer."""
    whole = {"idx": 0, "name": "sums-0", "prompt": prompt, "answer": answer} | data
    return {"type": "Sums", "data": whole, "key": "k0", "hash": "h0"}


def episode(id: str, *traces: Line, **more: Any) -> Line:
    """An episode of a training run with these traces; without any, one whose trace is named after it."""
    whole = {
        "id": id,
        "env": {"id": "sums", "name": "sums-train"},
        "task": task(),
        "group": {"id": "g0"},
        "run": {"type": "train", "id": "r0", "work": {"type": "train", "step": 1, "policy": {"start": 0, "end": 0}}},
        "ok": True,
        "errors": [],
        "traces": list(traces or [trace(f"t-{id}")]),
    } | more
    return {key: value for key, value in whole.items() if value is not ...}


def episodes(count: int, first: int = 0) -> list[Line]:
    """Episodes `e0`, `e1`, …"""
    return [episode(f"e{i}", trace(f"t{i}", f"{i} is the answer")) for i in range(first, first + count)]


def text(lines: Iterable[Line | str]) -> bytes:
    """The lines of a log, as bytes."""
    return "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines).encode()


def write(path: Path, lines: Iterable[Line | str]) -> Path:
    """Write a log; give its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text(lines))
    return path


def log(root: Path, step: int, kind: str = "train", which: str = "all") -> Path:
    """Where prime-rl writes the rollouts of a step."""
    return root / "rollouts" / f"step_{step}" / kind / which / "traces.jsonl"


def rows(*stores: Path) -> pl.DataFrame:
    """All rows of stores."""
    return synthetic.scan(*stores).collect()


def captured(folder: Path, *lines: Line | str) -> pl.DataFrame:
    """The rows of a vf-eval log of these lines, which must all be captured."""
    run = folder / "run"
    write(run / "traces.jsonl", lines)
    done = synthetic.capture(run, into=folder / "store")
    assert done.quarantined == 0, [Path(file).read_text() for file in done.quarantine]
    return rows(folder / "store")


def only(frame: pl.DataFrame) -> Mapping[str, Any]:
    """The one row of a frame."""
    return frame.row(0, named=True) if frame.height == 1 else {"rows": frame.height}
