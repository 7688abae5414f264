"""Write `nemo_gym`: collected rollouts as NeMo-Gym writes them.

    VENV/bin/python nemo_gym.py          # a venv with requirements_nemo_gym.txt

NeMo-Gym cannot be installed from PyPI; its responses are OpenAI's own `Response`, which the `openai` package writes
here. The rows around them follow its sources (07d6b0d0: `rollout_collection.py`, `judge.py` and the resources servers
for mathematics and multiple rewards). Questions, answers and scores are ours.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from openai.types.responses import Response

FOLDER = Path(__file__).resolve().parent.parent / "nemo_gym" / "collected"

TOOL = {
    "type": "function",
    "name": "add",
    "description": "Adds two numbers.",
    "parameters": {"type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "number"}}},
    "strict": True,
}
TOKENS = {"prompt_token_ids": [1, 2, 3], "generation_token_ids": [4, 5], "generation_log_probs": [-0.5, -0.25]}


def said(text: str, number: int, **more: Any) -> dict[str, Any]:
    """A text of the model's."""
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": None}
    return {
        "type": "message",
        "id": f"msg_{number}",
        "role": "assistant",
        "status": "completed",
        "content": [part],
    } | more


def thought(text: str, number: int) -> dict[str, Any]:
    """What the model thought."""
    return {"type": "reasoning", "id": f"rs_{number}", "summary": [{"type": "summary_text", "text": text}]}


def called(arguments: str, number: int) -> dict[str, Any]:
    """A call of the tool."""
    return {"type": "function_call", "call_id": f"call_{number}", "name": "add", "arguments": arguments}


def gave(output: str, number: int) -> dict[str, Any]:
    """What the tool gave back."""
    return {"type": "function_call_output", "call_id": f"call_{number}", "output": output}


def response(items: list[dict[str, Any]], number: int, **more: Any) -> dict[str, Any]:
    """A response as the `openai` package writes it."""
    usage = {"input_tokens": 12, "output_tokens": 7, "total_tokens": 19}
    details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 3}}
    given = {
        "id": f"resp_{number}",
        "created_at": 1795430000.0 + number,
        "model": "fake/reasoner-1b",
        "object": "response",
        "output": items,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [TOOL],
        "status": "completed",
        "usage": usage | details,
    }
    # Items of Gym's own (a tool's output, tokens) are no output items of OpenAI's: they are left as they are.
    return Response.model_construct(**given | more).model_dump(mode="json", warnings=False)


def row(task: int, rollout: int, answer: dict[str, Any] | None, *, tools: bool = False, **more: Any) -> dict[str, Any]:
    """A line."""
    question = "What is 17 + 25?" if task == 0 else [{"type": "input_text", "text": "Name the sum of 2 and 2."}]
    asked = {
        "input": [{"role": "system", "content": "Box it."}, {"role": "user", "content": question, "type": "message"}],
        "tools": [TOOL] if tools else [],
        "parallel_tool_calls": True,
        "temperature": 0.7,
        "max_output_tokens": 256,
    }
    found: dict[str, Any] = {"responses_create_params": asked}
    if answer is not None:
        found["response"] = answer
    agent = {"type": "responses_api_agents", "name": "sums_simple_agent"}
    return found | more | {"_ng_task_index": task, "_ng_rollout_index": rollout, "agent_ref": agent}


def write(name: str, rows: list[dict[str, Any]]) -> None:
    """Rows as lines of JSON, as orjson writes them."""
    text = "".join(json.dumps(one, ensure_ascii=False, separators=(",", ":")) + "\n" for one in rows)
    (FOLDER / name).write_text(text, "utf-8")


def main() -> None:
    """Write the rollouts, the failures and the inputs."""
    shutil.rmtree(FOLDER.parent, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    judged = {"expected_answer": "42", "extracted_answer": "42", "library_reward": 1.0, "is_correct": True}
    wrong = judged | {"extracted_answer": "43", "library_reward": 0.0, "is_correct": False}
    with_tool = [
        thought("I can add.", 1),
        said("Let me add.", 2) | TOKENS,
        called('{"a":17,"b":25}', 3),
        called('{"a":1,', 4),  # no JSON
        gave("42", 3),
        gave("error: /opt/gym/tools/add.py failed", 4),
        thought("So 42.", 5),
        said("\\boxed{42}", 6) | TOKENS,
    ]
    parts = {"correctness": 1.0, "format": 0.0}
    rows = [
        row(0, 0, response([thought("17 + 25", 1), said("\\boxed{42}", 2)], 1), reward=1.0, **judged),
        row(0, 1, response([said("\\boxed{43}", 1)], 2), reward=0.0, **wrong),
        row(0, 2, response(with_tool, 3), tools=True, reward=1.0, **judged),
        row(
            1,
            0,
            response([said("It is fo", 1)], 4, status="incomplete", incomplete_details={"reason": "max_output_tokens"}),
            reward=0.0,
            reference_solution="4",
            judge_output="cut, see http://10.0.0.7:8000/v1",
        ),
        row(1, 1, response([said("4", 1)], 5), reward=1.5, reward_components=parts, reference_solution="4", **parts),
        row(2, 0, response([], 6), reward=0.0, expected_answer="4"),
    ]
    write("rollouts.jsonl", rows)
    failure = {"_ng_failure_class": "judge_failed", "_ng_failure_judge_error": "no answer from http://10.0.0.7:8000"}
    write("rollouts_failures.jsonl", [row(2, 1, response([said("4", 1)], 7), reward=0.0) | failure])
    inputs = [{key: one[key] for key in ("responses_create_params", "_ng_task_index", "agent_ref")} for one in rows]
    write("rollouts_materialized_inputs.jsonl", inputs)


if __name__ == "__main__":
    main()
