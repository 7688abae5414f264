"""NeMo-Gym's collected rollouts: a line with a Responses API request, the response and what the verifier said.

`ng_collect_rollouts` writes `X.jsonl`, and what failed to `X_failures.jsonl`. Every resources server adds keys of its
own beside them; the reward is the total, its scale the server's.
"""

import re
from pathlib import Path
from typing import Any  # JSON values

from synthetic.formats.attempt import add, message, right, score, text, told
from synthetic.formats.format import BadLine, Format, Parsed, Place, Source, anywhere
from synthetic.formats.line import keys, moment, value
from synthetic.formats.messages import take, take_tools
from synthetic.formats.private import public_errors, public_sampling
from synthetic.formats.responses import take_items
from synthetic.record import Json, canonical_json, digest

FAILED = "_ng_failure_class"
"""What a line of the failures file has."""

PROBLEMS = ("problem_id", "instance_id", "question_id", "task_id", "uuid", "id", "_ng_task_index")
"""Keys that servers' data sets name a problem by, the surest first."""

TRUTHS = ("expected_answer", "ground_truth", "reference_solution", "answer")

_FILE = re.compile(r".*\.(jsonl|ndjson)(\.gz|\.zst)?")
_SAID = re.compile(r"(extracted|predicted|parsed|judge|judgement|judgment|verdict|explanation|error_mode)(_.*)?|status")


def find(path: Path) -> Source | None:
    """The source that any file of JSON lines may be: its name is the user's choice."""
    return anywhere(path, _FILE, FORMAT)


def recognises(line: bytes) -> bool:
    """Whether a line has a request, and a response or why there is none; the file of inputs has neither."""
    found = set(keys(line))
    return "responses_create_params" in found and not found.isdisjoint({"response", FAILED})


def parse(line: bytes, source: Source, place: Place) -> Parsed:
    """The row of a line."""
    left = value(line)
    if not isinstance(left, dict) or not isinstance(left.get("responses_create_params"), dict):
        raise BadLine("no request: 'responses_create_params' is no object")
    asked: dict[str, Any] = left["responses_create_params"]
    response: dict[str, Any] = left["response"] if isinstance(left.get("response"), dict) else {}
    prompt, answer = _talk(asked, response)
    columns: dict[str, Any] = _task(left, source, place) | _ending(left, response) | _scored(left)
    columns["tools"] = take_tools(asked)
    limits = {"max_tokens": asked.get("max_output_tokens")}
    columns["sampling"] = public_sampling(asked | limits) or None
    columns["generated_at"] = moment(response.get("created_at"))
    take(response, columns, model="model")
    if "model" not in columns:
        take(asked, columns, model="model")
    usage = ("usage", "input_tokens"), ("usage", "output_tokens")
    take(response, columns, (int,), prompt_tokens=usage[0], completion_tokens=usage[1])
    parsed = Parsed()
    add(parsed, source, place, [*prompt, *answer], len(prompt), extra=left, **columns)
    return parsed


def _talk(asked: dict[str, Any], response: dict[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Messages of the request and of the response, taken."""
    prompt, rest = take_items(asked.pop("input", []))
    if rest is not None:
        asked["input"] = rest
    items = response.pop("output", [])
    if isinstance(items, list) and items and all(isinstance(each, list) for each in items):
        response["output"], items = items, items[-1]  # a list for each turn of all items so far
        answer, _ = take_items(items)
    else:
        answer, rest = take_items(items)
        if rest is not None:
            response["output"] = rest
    if not prompt:  # such agents give the question there, too
        asked_there = next((i for i, said in enumerate(answer) if said["role"] == "assistant"), len(answer))
        prompt, answer = answer[:asked_there], answer[asked_there:]
    if isinstance(instructions := asked.get("instructions"), str):
        prompt = [message("system", instructions), *prompt]
    return prompt, answer


def _task(left: dict[str, Any], source: Source, place: Place) -> dict[str, Any]:
    """Which problem it is, in which group, and whose."""
    columns: dict[str, Any] = {}
    index = left.get("_ng_task_index")
    if isinstance(index, int):
        columns["group_id"] = digest(canonical_json([source.run, place.log_file, index]))
    take(left, columns, (int,), sample_index="_ng_rollout_index")
    found = next((left[key] for key in PROBLEMS if isinstance(left.get(key), str | int)), None)
    columns["native_problem_id"] = text(found)
    columns["ground_truth"] = text(next((left[key] for key in TRUTHS if left.get(key) is not None), None))
    agent = left.get("agent_ref")
    if isinstance(agent, dict) and isinstance(agent.get("name"), str):
        columns["env_id"] = columns["agent"] = agent["name"]
    return {key: given for key, given in columns.items() if given is not None}


def _ending(left: dict[str, Any], response: dict[str, Any]) -> dict[str, Any]:
    """How the answer ended; a failure of the agent or of the verifier is no wrong answer."""
    incomplete = response.get("incomplete_details")
    reason = incomplete.get("reason") if isinstance(incomplete, dict) else None
    status = response.get("status")
    columns: dict[str, Any] = {"finish_reason": text(reason or status)}
    if reason is not None or status == "completed":
        columns["is_truncated"] = reason == "max_output_tokens"
    failed = left.get(FAILED)
    errors = [{"type": failed, "message": text(left.get("_ng_failure_judge_error"))}] if failed else []
    if isinstance(error := response.get("error"), dict):
        errors.append({"type": error.get("code"), "message": error.get("message")})
    if errors or not response:
        columns |= {"ok": False, "errors": public_errors(errors or [{"type": "NoResponse"}])}
    return columns


def _scored(left: dict[str, Any]) -> dict[str, Any]:
    """Reward, its parts, further numbers, and what the verifier said in words."""
    if left.get(FAILED):  # written with a reward of 0, which says nothing about the answer
        return {}
    reward = score(left.get("reward"))
    rewards: list[dict[str, Json]] = [{"name": "reward", "score": reward, "weight": 1.0}] if "reward" in left else []
    if isinstance(parts := left.get("reward_components"), dict):
        rewards += [{"name": name, "score": score(part), "weight": None} for name, part in parts.items()]
    judged = next((right(left[key]) for key in ("is_correct", "correct") if key in left), None)
    numbers = {
        key: score(given)
        for key, given in left.items()
        if isinstance(given, bool | int | float) and key != "reward" and not key.startswith("_ng_")
    }
    said = {
        key: told(key, given)
        for key, given in left.items()
        if _SAID.fullmatch(key) and key not in numbers and (isinstance(given, str) or _are_texts(given))
    }
    return {
        "reward": reward,
        "rewards": rewards or None,
        "metrics": numbers or None,
        "recorded_verdict": judged,
        "verification_result": said or None,
    }


def _are_texts(given: Json) -> bool:
    return isinstance(given, list) and bool(given) and all(isinstance(one, str) for one in given)


FORMAT = Format(
    name="nemo-gym",
    title="NeMo-Gym's collected rollouts",
    detected_by="lines with `responses_create_params`, and `response` or `_ng_failure_class`",
    looked_for="*.jsonl",
    find=find,
    recognises=recognises,
    parse=parse,
    by_name=False,
)
