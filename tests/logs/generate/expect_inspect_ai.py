"""Write what a reader must find in inspect_ai's logs, as inspect_ai's own reader finds it.

    VENV/bin/python expect_inspect_ai.py [SAMPLES]

`inspect_ai/expected_rows.json`: for each log, its samples in the file's order. With the folder of the larger sample
logs at hand, `inspect_ai/sample_totals.json` gets their totals. Nothing of the package under test is imported.
"""

from __future__ import annotations

import json
import sys
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

from inspect_ai.log import EvalSample, read_eval_log, read_eval_log_sample

LOGS = Path(__file__).resolve().parent.parent / "inspect_ai"


def samples(path: Path) -> list[EvalSample]:
    """The samples with their attachments resolved; of a zip, in the order of its directory."""
    if path.suffix == ".json":
        return read_eval_log(str(path), resolve_attachments=True).samples or []
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.startswith("samples/")]
    parts = [name.removeprefix("samples/").removesuffix(".json").rsplit("_epoch_", 1) for name in names]
    return [
        read_eval_log_sample(str(path), int(id) if id.isdecimal() else id, int(epoch), resolve_attachments=True)
        for id, epoch in parts
    ]


def expected(sample: EvalSample) -> dict[str, Any]:
    """What must be in the sample's row."""
    said = [message for message in sample.messages if message.role == "assistant"]
    reasoning = [
        part.summary if part.redacted else part.reasoning
        for message in said
        if isinstance(message.content, list)
        for part in message.content
        if part.type == "reasoning"
    ]
    offered = [tool.name for event in sample.events if event.event == "model" for tool in event.tools]
    return {
        "uuid": sample.uuid,
        "id": str(sample.id),
        "epoch": sample.epoch,
        "target": sample.target,
        "roles": [message.role for message in sample.messages],
        "texts": [message.text for message in sample.messages],
        "reasoning": reasoning,
        "tool_calls": [[c.id, c.function, c.arguments] for m in said for c in m.tool_calls or []],
        "sampled": sum(message.source == "generate" for message in said),
        "tools": sorted(set(offered)),
        "values": json.loads(
            json.dumps({k: s.value for k, s in (sample.scores or {}).items()}).replace("NaN", '"NaN"')
        ),
        "stop_reason": sample.output.choices[0].stop_reason if sample.output.choices else None,
        "limit": sample.limit.type if sample.limit else None,
        "failed": sample.error is not None or sample.invalidation is not None,
        "output_tokens": sum(usage.output_tokens for usage in sample.model_usage.values()),
        "started_at": sample.started_at,
    }


def totals(found: list[EvalSample]) -> dict[str, Any]:
    """What must be in the rows of a log that is not in this repository."""
    values = Counter(json.dumps({name: score.value for name, score in sample.scores.items()}) for sample in found)
    return {
        "rows": len(found),
        "values": dict(sorted(values.items())),
        "messages": sum(len(sample.messages) for sample in found),
        "reasoning_characters": sum(
            len(part.reasoning)
            for sample in found
            for message in sample.messages
            if isinstance(message.content, list)
            for part in message.content
            if part.type == "reasoning"
        ),
        "stop_reasons": dict(sorted(Counter(sample.output.choices[0].stop_reason for sample in found).items())),
        "output_tokens": sum(u.output_tokens for sample in found for u in sample.model_usage.values()),
    }


def write(name: str, content: Any) -> None:
    (LOGS / name).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    logs = sorted(path for path in LOGS.glob("*/*") if path.suffix in {".eval", ".json"})
    write("expected_rows.json", {path.parent.name: [expected(one) for one in samples(path)] for path in logs})
    if len(sys.argv) > 1:
        top = Path(sys.argv[1])
        there = sorted(path for path in (top / "other" / "inspect_ai").rglob("*") if path.suffix in {".eval", ".json"})
        write("sample_totals.json", {path.relative_to(top).as_posix(): totals(samples(path)) for path in there})
