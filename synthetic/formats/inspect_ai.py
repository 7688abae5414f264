"""inspect_ai's evaluation logs, `.eval` and `.json`: a sample is an attempt.

Files are read in `inspect_log`, scores in `inspect_scores`. Texts that stand in a sample's `attachments` are put where
they are referred to.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any  # JSON values

import msgspec

from synthetic.errors import UnreadableLog
from synthetic.formats.attempt import add
from synthetic.formats.format import TEXT_BYTES, BadLine, Format, Parsed, Place, Source, readable
from synthetic.formats.inspect_log import DAMAGED, header, open_inspect
from synthetic.formats.inspect_scores import table, take_scores
from synthetic.formats.line import keys, value
from synthetic.formats.messages import take, take_message
from synthetic.formats.private import public_errors, public_name, public_sampling
from synthetic.record import Json, canonical_json, digest, problem_id

CUT = frozenset({"max_tokens", "model_length"})
"""Stop reasons that mean: a limit cut the model short."""

# What inspect_ai writes first; other JSON files that stand in a folder of logs begin otherwise.
_BEGINNING = re.compile(rb'\s*\{\s*"version":\s*\d+,\s*"status":\s*"(started|success|cancelled|error)"')
_REFERENCE = re.compile(r"attachment://([0-9a-f]{32})")


def find(path: Path) -> Source | None:
    """The source that a log is, with what its header says: task, model, run, dataset."""
    if path.suffix not in {".eval", ".json"} or (path.suffix == ".json" and not _begins_as_log(path)):
        return None
    try:
        head = header(path)
    except (ValueError, UnreadableLog, msgspec.MsgspecError):
        head = {}  # opening it tells what is wrong
    facts = {"framework": "inspect_ai", "kind": "eval", "run_name": readable(path.stem)}
    return Source(path, path.parent, FORMAT, facts=facts | _said(head), header=head)


def _begins_as_log(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return bool(_BEGINNING.match(file.read(200)))
    except OSError:
        return False


def _said(head: Mapping[str, Any]) -> dict[str, Any]:
    """Columns from a log's header."""
    spec, plan = table(head.get("eval")), table(head.get("plan"))
    named = {
        "run_id": spec.get("run_id"),
        "env_id": spec.get("task"),
        "model": _model(str(spec.get("model") or "")),
        "source": table(spec.get("dataset")).get("name"),
        "framework_version": table(spec.get("packages")).get("inspect_ai"),
    }
    said: dict[str, Any] = {
        column: public_name(name) for column, name in named.items() if isinstance(name, str) and name
    }
    said["sampling"] = public_sampling(table(spec.get("model_generate_config")) | table(plan.get("config"))) or None
    said["verifier_version"] = said.get("framework_version")
    return said


def recognises(line: bytes) -> bool:
    """Whether a line is a sample of an evaluation."""
    known = set(keys(line))
    return {"id", "epoch", "input", "target"} <= known or known == {DAMAGED}


def parse(line: bytes, source: Source, place: Place) -> Parsed:
    """The row of a sample. Raises `BadLine`, or `ValueError` where strict JSON fails."""
    left: Any = value(line)
    if not isinstance(left, dict) or not {"id", "epoch", "messages"} <= left.keys():
        raise BadLine(str(left[DAMAGED]) if isinstance(left, dict) and DAMAGED in left else "no sample")
    left = _resolved(left, left.pop("attachments", None) or {})
    row = _identity(left, source)
    _take_task(left, row, source)
    row |= _ending(left)
    row |= take_scores(left, source.header)
    row["tools"] = _take_tools(left)
    raw = left["messages"]
    if not isinstance(raw, list) or not all(isinstance(message, dict) for message in raw):
        raise BadLine("its messages are no list of objects")
    _take_output(left, row, raw)
    sampled = _sampled(raw)
    row |= _usage(left, source.facts.get("model"), len(sampled))
    if any(message.get("role") == "user" and message.get("content") == left.get("input") for message in raw):
        del left["input"]
    messages = [_take_message(message) for message in raw]
    for retried in left.get("error_retries") or []:
        table(retried).pop("events", None)
    num_prompt_messages = sampled[0] if sampled else len(messages)

    parsed = Parsed()
    first = {"header": source.header} if source.header and place.log_offset == 0 else {}
    add(parsed, source, place, messages, num_prompt_messages, sampled=sampled, **row, extra=first | left)
    return parsed


# ---- what the sample is


def _resolved(left: dict[str, Any], attachments: Mapping[str, Json]) -> Any:
    """The sample with the texts in place of the references to them."""
    size = 0

    def text(match: re.Match[str]) -> str:
        nonlocal size
        found = attachments.get(match[1])
        size += len(found) if isinstance(found, str) else 0
        if size > TEXT_BYTES:
            raise BadLine(f"its attachments make more than {TEXT_BYTES / 1e6:,.0f} MB of text")
        return found if isinstance(found, str) else match[0]

    def resolved(tree: Any) -> Any:
        match tree:
            case str():
                return _REFERENCE.sub(text, tree) if "attachment://" in tree else tree
            case list():
                return [resolved(item) for item in tree]
            case dict():
                return {key: resolved(item) for key, item in tree.items()}
        return tree

    return resolved(left) if attachments else left


def _identity(left: dict[str, Any], source: Source) -> dict[str, Any]:
    id, epoch = left["id"], left["epoch"]
    if not isinstance(id, str | int) or isinstance(id, bool) or not isinstance(epoch, int) or epoch < 1:
        raise BadLine("a sample's id is no name or its epoch no number from 1 on")
    row: dict[str, Any] = {"native_problem_id": str(id), "sample_index": left.pop("epoch") - 1}
    take(left, row, native_problem_id="id", trace_id="uuid")
    # Several evaluations of one call share its run id; an evaluation has one of its own.
    spec = table(source.header.get("eval"))
    run = spec.get("eval_id") or spec.get("run_id") or source.facts["run_name"]
    row["group_id"] = f"{run}/{id}"
    if not row.get("trace_id"):  # logs of 2024
        row["trace_id"] = digest(canonical_json(["inspect_ai", run, id, epoch]))
    return row


def _take_task(left: dict[str, Any], row: dict[str, Any], source: Source) -> None:
    """What was asked and what was expected; the problem's identity."""
    target, asked = left.get("target"), left.get("input")
    row["ground_truth"] = target if isinstance(target, str) or target is None else canonical_json(target)
    row["ground_truth"] = row["ground_truth"] or None
    if target:
        del left["target"]
    own = {key: left.pop(key) for key in ("choices", "metadata") if left.get(key)}
    row["verification_info"] = own or None
    prompt: Json = asked
    if isinstance(asked, list):  # ids of messages are new in every run
        prompt = [_take_message(dict(message)) for message in asked if isinstance(message, dict)]
    row["problem_id"] = problem_id(
        env=source.facts.get("env_id"),
        prompt=[prompt, own["choices"]] if "choices" in own else prompt,
        ground_truth=row["ground_truth"],
        native=row["native_problem_id"],
        episode=row["trace_id"],
    )


def _ending(left: Mapping[str, Any]) -> dict[str, Any]:
    """How the sample ended: an error, a limit, or that a person called it invalid."""
    failed = []
    if error := table(left.get("error")):
        message = str(error.get("message") or "")
        kind = re.match(r"(\w+)\(", message)  # inspect_ai writes the repr of an exception
        failed.append({"type": kind[1] if kind else "Error", "message": message})
    if (invalid := left.get("invalidation")) is not None:
        failed.append({"type": "Invalidated", "message": table(invalid).get("reason")})
    limit = table(left.get("limit")).get("type")
    return {
        "ok": not failed,
        "errors": public_errors(failed) or None,
        "stop_condition": f"{limit} limit" if isinstance(limit, str) else None,
        "is_truncated": limit is not None,
        "generated_at": _moment(left.get("started_at")),
    }


def _moment(given: Json) -> datetime | None:
    try:
        moment = datetime.fromisoformat(given) if isinstance(given, str) else None
    except ValueError:
        return None
    return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC) if moment else None


# ---- what was said


def _sampled(raw: Sequence[Mapping[str, Any]]) -> list[int]:
    """Which messages the model wrote: inspect_ai marks them, and those that came with the task."""
    said = [i for i, message in enumerate(raw) if message.get("role") == "assistant"]
    marked = [i for i in said if raw[i].get("source") == "generate"]
    return marked or [i for i in said if raw[i].get("source") is None]


def _take_message(message: dict[str, Any]) -> dict[str, Any]:
    """A message as the record holds it; content that text and thinking make up again is not kept twice."""
    parts, calls = message.get("content"), message.get("tool_calls")
    if isinstance(calls, list) and all(isinstance(call, dict) for call in calls):
        message["tool_calls"] = [_call(call) for call in calls]
    taken = take_message(message)
    take(message, taken, name="function")
    message.pop("tool_calls", None)
    if calls is not None and [_flat(call) for call in taken["tool_calls"] or []] != calls:
        message["tool_calls"] = calls
    if isinstance(parts, list):
        thoughts = [_thought(part) for part in parts if isinstance(part, dict) and part.get("type") == "reasoning"]
        taken["reasoning_content"] = "\n".join(thought for thought in thoughts if thought) or None
        if _parts(taken) == parts:
            message.pop("content", None)
    return taken


def _thought(part: Mapping[str, Any]) -> str | None:
    """What can be read of a reasoning part: of an encrypted one, its summary."""
    given = part.get("summary") if part.get("redacted") else part.get("reasoning")
    return given if isinstance(given, str) else None


def _parts(taken: Mapping[str, Any]) -> list[dict[str, Json]]:
    """The parts that inspect_ai writes for one thought and one text."""
    thought = {"type": "reasoning", "reasoning": taken["reasoning_content"], "redacted": False}
    return [thought, {"type": "text", "text": taken["content"]}]


def _call(call: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": call.get("id"), "type": "function", "name": call.get("function"), "arguments": call.get("arguments")}


def _flat(call: Mapping[str, Any]) -> dict[str, Any]:
    """A tool call as inspect_ai writes one without further remarks."""
    function = call["function"]
    try:
        arguments = msgspec.json.decode(function["arguments"])
    except msgspec.MsgspecError:
        arguments = function["arguments"]
    return {"id": call["id"], "function": function["name"], "arguments": arguments, "type": call["type"]}


def _take_tools(left: dict[str, Any]) -> list[dict[str, Any]] | None:
    """The tools that the model was offered, in OpenAI's nested form; they are all that is left of the events."""
    events = left.pop("events", None)
    offered = [tool for event in events or () for tool in table(event).get("tools") or () if isinstance(tool, dict)]
    wanted = ("name", "description", "parameters")
    nested = [{"type": "function", "function": {k: tool[k] for k in wanted if k in tool}} for tool in offered]
    if any(tool.keys() - set(wanted) for tool in offered):
        left["tools"] = offered
    return nested or None


def _take_output(left: dict[str, Any], row: dict[str, Any], raw: Sequence[Mapping[str, Any]]) -> None:
    """The last call's stop reason and model; its message and text stand among the messages already."""
    output = table(left.get("output"))
    choices = [choice for choice in output.get("choices") or () if isinstance(choice, dict)]
    last = next((message for message in reversed(raw) if message.get("role") == "assistant"), None)
    if choices:
        take(choices[0], row, finish_reason="stop_reason")
        row["is_truncated"] |= row.get("finish_reason") in CUT
    for choice in choices:
        choice.pop("logprobs", None)  # an array over tokens
        if last and choice.get("message") == last:
            content = choice.pop("message").get("content")
            texts = [part for part in content if table(part).get("type") == "text"] if isinstance(content, list) else []
            if output.get("completion") in (content, *(part.get("text") for part in texts if len(texts) == 1)):
                del output["completion"]


def _usage(left: Mapping[str, Any], model: str | None, turns: int) -> dict[str, Any]:
    """Tokens that the model read and wrote.

    Of several calls a log says only what all of them read, so that is null; and what all of them wrote, a scorer's
    calls included where it asked the same model.
    """
    usage = {_model(name): table(used) for name, used in table(left.get("model_usage")).items()}
    used = usage.get(model or "") or (next(iter(usage.values())) if len(usage) == 1 else {})
    if turns == 1:
        used = table(table(left.get("output")).get("usage")) or used
    read = [used.get(key) for key in ("input_tokens", "input_tokens_cache_read", "input_tokens_cache_write")]
    known = [tokens for tokens in read if isinstance(tokens, int)]
    wrote = used.get("output_tokens")
    return {
        "prompt_tokens": sum(known) if known and turns == 1 else None,
        "completion_tokens": wrote if isinstance(wrote, int) else None,
    }


def _model(name: str) -> str:
    """A model's name without the folders of one that is a local path (`vllm//folder/of/it`)."""
    return re.sub("//.*/", "/", public_name(name))


FORMAT = Format(
    name="inspect_ai",
    title="inspect_ai's evaluation logs",
    detected_by="`.eval` and `.json` files with a sample's keys (`id`, `epoch`, `input`, `target`)",
    looked_for="*.eval; *.json that begins with `version` and `status`",
    find=find,
    recognises=recognises,
    parse=parse,
    open=open_inspect,
)
