"""The output of verifiers' vf-eval before 0.2: `results.jsonl` beside `metadata.json`.

`outputs/evals/<env>--<model>/<8 hex digits>/`, wherever the command was started. The lines say nothing of model,
environment and sampling: `metadata.json` does, and where it is missing or damaged the folder's name does. Its
`base_url` is not read. Scores that it averages are the lines' own.
"""

import re
from pathlib import Path
from typing import Any  # JSON values

from synthetic.errors import UnreadableLog
from synthetic.formats import rollout_output
from synthetic.formats.file import read_beside
from synthetic.formats.format import Format, Parsed, Place, Source, readable
from synthetic.formats.line import fields, repaired, value
from synthetic.formats.private import public_name, public_sampling
from synthetic.record import Json

NAMES = frozenset({"results.jsonl", "results.jsonl.gz", "results.jsonl.zst"})


def find(path: Path) -> Source | None:
    """The source that a `results.jsonl` is, with what `metadata.json` and the folder say of all its lines."""
    if path.name not in NAMES:
        return None
    folder = path.parent
    facts: dict[str, Any] = {"framework": "verifiers", "kind": "eval", "run_name": readable(folder.name)}
    env, between, model = readable(folder.parent.name).partition("--")
    if between and re.fullmatch(r"[0-9a-f]{8}", folder.name):
        facts |= {"run_name": f"{env}--{model}", "run_id": folder.name}
        facts |= {"env_id": env, "model": model.replace("--", "/")}
    return Source(path, folder, FORMAT, facts=facts | _described(folder / "metadata.json"))


def _described(file: Path) -> dict[str, Any]:
    """Environment, model, versions and sampling of an eval; nothing where the file is missing or damaged."""
    try:
        said = value(repaired(read_beside(file))[0]) if file.is_file() else None  # averages may be NaN
    except (ValueError, UnreadableLog, RecursionError):
        return {}
    if not isinstance(said, dict):
        return {}
    versions = given if isinstance(given := said.get("version_info"), dict) else {}
    facts: dict[str, Any] = {
        "env_id": said.get("env_id") or said.get("env"),
        "model": said.get("model"),
        "framework_version": versions.get("vf_version"),
        "verifier_version": versions.get("env_version") or versions.get("vf_version"),
    }
    facts = {column: public_name(text) for column, text in facts.items() if isinstance(text, str) and text}
    if isinstance(sampling := said.get("sampling_args"), dict):
        facts["sampling"] = public_sampling(sampling) or None
    return facts


def parse(line: bytes, source: Source, place: Place) -> Parsed:
    """The row of a line; see `rollout_output`.

    A resumed eval rewrites the file in another order: where a line holds the moment it began, its id is that of the
    line, wherever it stands. Older lines of equal text are two attempts, and their place tells them apart.
    """
    timed = "timing" in fields(line)
    parsed = rollout_output.parse_rollout_output(
        line, source, place._replace(log_offset=0, number=0) if timed else place
    )
    for row in parsed.rows:
        _take_tools(row)
    return parsed


def _take_tools(row: dict[str, Any]) -> None:
    """Tools of versions that wrote them into `info`, as the last step did: `datasets`, which fills every gap with null.

    The column has them without the nulls; `extra` keeps them as they were.
    """
    info = (row.get("verification_info") or {}).get("info")
    if row.get("tools") is None and isinstance(info, dict) and isinstance(tools := info.get("oai_tools"), list):
        del info["oai_tools"]
        row["tools"] = _without_nulls(tools) or None
        row["extra"] = {"info": {"oai_tools": tools}} | (row.get("extra") or {})  # an `info` in text is there whole


def _without_nulls(given: Json) -> Json:
    match given:
        case dict():
            return {key: _without_nulls(value) for key, value in given.items() if value is not None}
        case list():
            return [_without_nulls(value) for value in given]
    return given


FORMAT = Format(
    name="vf-eval-0.1",
    title="verifiers' vf-eval before 0.2",
    detected_by="`prompt`, `completion`, `reward` and `example_id` (to 0.1.5 `id` and `task`) in a line",
    looked_for="results.jsonl",
    find=find,
    recognises=rollout_output.recognises,
    parse=parse,
    by_name=False,
)
