"""A row of verifiers 0.1 (`RolloutOutput`), as vf-eval wrote it and prime-rl in spring 2026.

A flat record: the messages of the prompt and of the completion, a reward, and scores by name. Three generations of it:
scores flat among the other members, with times in `…_ms` (to 0.1.9); scores in `metrics` and flat once more (from
0.1.10); and prime-rl's own fields beside them. What has a column is taken; the rest is `extra`, except for token arrays
of the trajectory and for the flat copies of `metrics`.
"""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any  # JSON values

from synthetic.formats.attempt import add, message, score, text
from synthetic.formats.format import BadLine, Parsed, Place, Source
from synthetic.formats.line import fields, keys, moment, objects, value
from synthetic.formats.messages import take, take_message
from synthetic.formats.private import public_errors, public_name
from synthetic.record import Json

OWN = frozenset(
    "id example_id prompt completion task answer info reward error error_chain long_error_chain timing generation_ms"
    " scoring_ms total_ms is_completed is_truncated stop_condition metrics tool_defs token_usage trajectory env_name"
    " group_id policy_version off_policy_steps rollout_id advantage advantages is_filtered filters eval_step"
    " trajectory_id num_input_tokens num_output_tokens sampling_args model state seed temperature".split()
)
"""Members that are no scores, whatever their values."""

MONITOR = re.compile(r"num_turns|total_tool_calls|\w+_calls|\w+_(time|ms|tokens|count)")
"""Scores by name that environments count on their own: they judge nothing."""

IN_TRAJECTORY = frozenset({"tokens", "routed_experts"})
"""Members of a step (and of its response's message) that hold a value per token."""


def recognises(line: bytes) -> bool:
    """Whether a line is such a row: `completion` and `reward` beside `example_id`, or beside `prompt`."""
    known = set(keys(line))
    return {"completion", "reward"} <= known and (
        "example_id" in known or ({"prompt", "task"} <= known and "problem_id" not in known)
    )


def parse_rollout_output(line: bytes, source: Source, place: Place) -> Parsed:
    """A line's row, and its advantage as a late fact. Raises `BadLine`, or `ValueError` where strict JSON fails."""
    raw = fields(line)
    left = {key: value(member) for key, member in raw.items() if key != "trajectory"}
    steps = _steps(raw["trajectory"]) if "trajectory" in raw and bytes(raw["trajectory"]) != b"null" else None
    if "completion" not in left:
        raise BadLine("not a rollout (no 'completion')")

    row = dict(source.facts)
    prompt, form_before = _messages(left, "prompt", "user")
    completion, form = _messages(left, "completion", "assistant")
    row["text_form"] = "parsed" if "parsed" in (form_before, form) else "native"
    _take_names(left, row)
    _take_task(left, row)
    _take_scores(left, row)
    _take_ending(left, row, unanswered=bool(completion and completion[-1]["tool_calls"]))
    _take_model(left, row, steps or [])

    parsed = Parsed()
    advantage = left.get("advantage")
    add(parsed, source, place, [*prompt, *completion], len(prompt), **row)
    if isinstance(advantage, int | float) and not isinstance(advantage, bool):
        parsed.late.append((parsed.rows[0]["trace_id"], None, "advantage", float(advantage)))
    if steps is not None:
        left["trajectory"] = steps
    parsed.rows[0]["extra"] = left or None
    return parsed


# ---- text


def _messages(left: dict[str, Any], key: str, role: str) -> tuple[list[dict[str, Any]], str]:
    """Messages as the record holds them, and whether the log had messages or one text.

    A list of messages stays in `left` as what is left of each; a text is taken whole.
    """
    given = left.get(key)
    match given:
        case None:
            return [], "native"
        case str():
            del left[key]
            return [message(role, given)], "parsed"
        case list() if all(isinstance(each, dict) for each in given):
            taken = [_message(each) for each in given]
            if given and not any(given):
                del left[key]
            return taken, "native"
    raise BadLine(f"'{key}' is neither messages nor text")


def _message(given: dict[str, Any]) -> dict[str, Any]:
    """One message; tool calls that are JSON text, as 0.1 wrote them, are read, and stay as they were."""
    calls = given.get("tool_calls")
    if not isinstance(calls, list) or not any(isinstance(call, str) for call in calls):
        return take_message(given)
    read = given | {"tool_calls": [json.loads(call) if isinstance(call, str) else call for call in calls]}
    taken = take_message(read)
    given.clear()
    given.update(read | {"tool_calls": calls})
    return taken


# ---- columns


def _take_names(left: dict[str, Any], row: dict[str, Any]) -> None:
    """Environment, problem, group and policy."""
    take(left, row, trace_id="rollout_id", group_id="group_id", env_name="env_name")
    take(left, row, (int,), policy_start="policy_version")
    if "env_name" not in row and left.get("task") != "default":
        take(left, row, env_name="task")
    native = left.get("example_id")  # not `id`: to 0.1.5 it counts lines, and one number stands on several problems
    if isinstance(native, int | str) and not isinstance(native, bool):
        row["native_problem_id"] = str(native)
        if isinstance(native, int):
            del left["example_id"]
    if isinstance(left.get("eval_step"), int):
        row["step"] = left["eval_step"]


def _take_task(left: dict[str, Any], row: dict[str, Any]) -> None:
    """The expected answer and what else the task says; an empty answer is none."""
    answer, info = left.get("answer"), left.get("info")
    row["ground_truth"] = text(answer) or None
    if isinstance(info, str):
        info = _read(info)
    known = {"answer": answer or None, "info": info or None}
    row["verification_info"] = {key: said for key, said in known.items() if said is not None} or None
    for key, said in known.items():
        if key in left and left[key] == said and said is not None:
            del left[key]


def _read(given: str) -> Json:
    """What JSON text says, if it is an object or a list; else the text itself."""
    with suppress(ValueError, RecursionError):
        if isinstance(read := json.loads(given), dict | list):
            return read
    return given


def _take_scores(left: dict[str, Any], row: dict[str, Any]) -> None:
    """Reward, scorers (whose weights the log does not say) and what was only counted.

    A score that was not a number is null in the log or repaired to it, and makes the reward null: such a scorer stays
    among the scorers, or the others would judge alone.
    """
    row["reward"] = score(left.get("reward"))
    if _is_number(left.get("reward")):
        del left["reward"]
    metrics = left.get("metrics")
    if isinstance(metrics, dict):
        for name in [name for name in metrics if name in left and name not in OWN and left[name] == metrics[name]]:
            del left[name]
        if metrics:
            del left["metrics"]
    else:
        null = (type(None),) if row["reward"] is None else ()
        metrics = {n: left[n] for n in left if n not in OWN and (_is_number(left[n]) or isinstance(left[n], null))}
        for name in metrics:
            del left[name]
    judged = {
        name: said
        for name, said in metrics.items()
        if (_is_number(said) or said is None) and not MONITOR.fullmatch(name)
    }
    row["rewards"] = [{"name": name, "score": score(said), "weight": None} for name, said in judged.items()] or None
    row["metrics"] = {name: said for name, said in metrics.items() if name not in judged} or None


def _is_number(given: Json) -> bool:
    return isinstance(given, int | float) and not isinstance(given, bool)


def _take_ending(left: dict[str, Any], row: dict[str, Any], unanswered: bool) -> None:
    """How it ended; an error is kept whole in `extra`.

    0.1's `is_truncated` means tokens. Turns cut a rollout too, when the last reply calls tools that never answered; in
    a single-turn environment `max_turns_reached` is the usual end.
    """
    error = left.get("error")
    row["ok"] = not error and left.get("is_completed") is not False
    row["errors"] = public_errors([_error(error)]) if error else None
    take(left, row, stop_condition="stop_condition")
    if row.get("stop_condition") == "max_turns_reached" and unanswered:
        row["is_truncated"] = True
    else:
        take(left, row, (bool,), is_truncated="is_truncated")
    timing = left.get("timing")
    row["generated_at"] = moment(timing.get("start_time")) if isinstance(timing, dict) else None


def _error(given: Json) -> Mapping[str, Json]:
    """Type, status code and message: of an object with the chain of errors, of a name, or of Python's own spelling."""
    if isinstance(given, dict):
        known = ("error_chain_repr", "error_chain_str", "message")  # the last two may be names without a message
        said = next((text(given[key]) for key in known if given.get(key)), None) or ""
        kind = given.get("error")
    else:
        said = text(given) or ""
        name = re.match(r"[\w.]+(?=\(|:|$)", said)
        kind = name[0] if name else "Error"
    status = re.search(r"Error code: (\d{3})\b", said)
    return {"type": kind, "status_code": int(status[1]) if status else None, "message": said}


def _take_model(left: dict[str, Any], row: dict[str, Any], steps: list[dict[str, Any]]) -> None:
    """Model, tools and tokens; the model only where a step of the trajectory names it."""
    tools = left.get("tool_defs")
    if isinstance(tools, list) and tools and all(isinstance(tool, dict) for tool in tools):
        row["tools"] = [{"type": "function", "function": tool} for tool in left.pop("tool_defs")]
    used = given if isinstance(given := left.get("token_usage"), dict) else {}
    row["completion_tokens"] = _whole(used.get("output_tokens"))
    responses = [given for step in steps if isinstance(given := step.get("response"), dict)]
    if responses:
        first, last = responses[0], responses[-1]
        row["model"] = public_name(named) if isinstance(named := last.get("model"), str) else row.get("model")
        if isinstance(usage := first.get("usage"), dict):
            row["prompt_tokens"] = _whole(usage.get("prompt_tokens"))
        said = last.get("message")
        if isinstance(said, dict) and isinstance(said.get("finish_reason"), str):
            row["finish_reason"] = said["finish_reason"]
    elif used.get("input_tokens") == used.get("final_input_tokens"):  # one call: the sum is the first one's
        row["prompt_tokens"] = _whole(used.get("input_tokens"))


def _whole(given: Json) -> int | None:
    return int(given) if _is_number(given) and given == int(given) else None


def _steps(raw: Any) -> list[dict[str, Any]]:
    """The model calls without their token arrays, which are skipped undecoded."""
    steps = []
    for step in objects(raw):
        kept = {key: value(member) for key, member in step.items() if key not in IN_TRAJECTORY | {"response"}}
        if "response" in step:
            kept["response"] = response = value(step["response"])
            if isinstance(response, dict) and isinstance(response.get("message"), dict):
                response["message"] = {k: v for k, v in response["message"].items() if k not in IN_TRAJECTORY}
        steps.append(kept)
    return steps
