"""The output of verifiers' vf-eval, 0.2 to 0.4.

A folder with `traces.jsonl` and the configuration that made it. In June 2026 it was `results.jsonl`, as before 0.2, but
beside `config.toml`.
"""

import json
import tomllib
from pathlib import Path
from typing import Any  # a configuration's values

from synthetic.errors import UnreadableLog
from synthetic.formats import tokens, verifiers
from synthetic.formats.file import read_beside
from synthetic.formats.format import Format, Source, readable
from synthetic.formats.private import public_name


def find(path: Path) -> Source | None:
    """The source that a `traces.jsonl` is, with what its configuration says and its lines may not."""
    name = path.name.removesuffix(".gz").removesuffix(".zst")
    if name != "traces.jsonl" and not (name == "results.jsonl" and (path.parent / "config.toml").is_file()):
        return None
    facts = {"framework": "verifiers", "kind": "eval", "run_name": readable(path.parent.name)}
    return Source(path, path.parent, FORMAT, facts=facts | _configured(path.parent))


def _configured(folder: Path) -> dict[str, Any]:
    """Model and environment as configured, where 0.2 says them nowhere else; nothing where it is damaged."""
    try:
        if (new := folder / "configs" / "resolved" / "eval.json").is_file():
            config = json.loads(read_beside(new))
        elif (old := folder / "config.toml").is_file():
            config = tomllib.loads(read_beside(old).decode())
        else:
            return {}
    except (ValueError, UnreadableLog, RecursionError):
        return {}
    if not isinstance(config, dict):
        return {}
    env = given if isinstance(given := config.get("env"), dict) else {}
    taskset = env.get("taskset") or config.get("taskset")
    env_id = env.get("id") or (taskset.get("id") if isinstance(taskset, dict) else None)
    said = {"model": config.get("model"), "env_id": env_id}
    return {column: public_name(name) for column, name in said.items() if isinstance(name, str) and name}


FORMAT = Format(
    name="vf-eval",
    title="verifiers' vf-eval, 0.2 to 0.4",
    detected_by="Episode (`traces`) or Trace (`nodes`, `rewards`) lines",
    looked_for="traces.jsonl; results.jsonl beside config.toml",
    find=find,
    recognises=verifiers.recognises,
    parse=verifiers.parse,
    tokens=tokens.parse,
)
