"""Write what a reader must find in the flat logs: verifiers 0.1, genesys, the tables of SYNTHETIC-1 and SYNTHETIC-2.

    python expect_attempts.py [SAMPLES]        # needs pyarrow

From the raw files alone, with nothing of the package under test. A row is an attempt. What is decided here:

- verifiers 0.1: `ok` means no error; a rollout whose last reply calls tools at the turn limit is cut. Scorers are the
  functions of the rubric, told by name from what an environment counts. A score that was not a number is null.
- A response of SYNTHETIC-2 has the mean reward as its own only where its model gave no other one.
- A response that a verifier failed on has a null score and a reason, and is not ok.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from expect import LOGS, complete_lines, write

# Any: records and expectations are JSON objects of several generations.
Json = dict[str, Any]

SCORERS = {"correct", "tidy", "correct_answer", "format_reward_func"}


def number(given: Any) -> float | None:
    """The number, or None where it is none."""
    return None if given is None or math.isnan(given) else given


def rollout(line: Json) -> Json:
    """The row of a line of verifiers 0.1."""
    messages = [*(line["prompt"] or []), *(line["completion"] or [])]
    calls = [[json.loads(call) for call in message.get("tool_calls") or []] for message in messages]
    flat = [[call.get("function", call) for call in each] for each in calls]
    cut = line.get("stop_condition") == "max_turns_reached" and bool(calls[-1])
    names = [name for name in (line.get("metrics") or line) if name in SCORERS]
    usage = line.get("token_usage") or {}
    return {
        "problem": line.get("example_id"),
        "roles": [message["role"] for message in messages],
        "texts": [message.get("content") for message in messages],
        "thinking": [message.get("reasoning_content") for message in messages],
        "calls": [[[call["name"], json.loads(call["arguments"])] for call in each] for each in flat],
        "prompt": len(line["prompt"] or []),
        "answer": line.get("answer"),
        "reward": number(line["reward"]),
        "scores": {name: number(line[name]) for name in names},
        "ok": line.get("error") is None,
        "truncated": True if cut else line.get("is_truncated"),
        "stop_condition": line.get("stop_condition"),
        "completion_tokens": usage.get("output_tokens"),
        "tools": len(line.get("tool_defs") or (line.get("info") or {}).get("oai_tools") or []),
        "began": (line.get("timing") or {}).get("start_time"),
    }


def response(line: Json) -> Json:
    """The row of a response: genesys's, or SYNTHETIC-1's."""
    result = line.get("verification_result_info") or {}
    failed = line.get("score") is None and "failure_reason" in str(result)
    return {
        "id": line["response_id"],
        "problem": line["problem_id"],
        "task_type": line["task_type"],
        "source": line["source"],
        "gold": line["gold_standard_solution"],
        "texts": [line["prompt"], line["llm_response"]],
        "model": line.get("model_name"),
        "reward": line.get("score"),
        "ok": not failed,
        "prompt_tokens": len(line["input_ids"]) if "input_ids" in line else None,
        "completion_tokens": len(line["output_ids"]) if "output_ids" in line else None,
    }


def chosen(line: Json) -> Json:
    """The row of a table to train on."""
    return {
        "id": line.get("response_id"),
        "problem": line["problem_id"],
        "task_type": line["task_type"],
        "texts": [message["content"] for message in line["messages"]],
        "reward": line.get("score", line.get("reward")),
    }


def responses(line: Json) -> Iterator[Json]:
    """The rows of a task of SYNTHETIC-2."""
    models = [name.removesuffix("_responses") for name in line if name.endswith("_responses")]
    for model in models:
        texts = line[f"{model}_responses"] or []
        mean = line[f"{model}_avg_reward"]
        for index, text in enumerate(texts):
            yield {
                "problem": line["problem_id"],
                "model": model,
                "index": index,
                "texts": [line["prompt"], text],
                "mean": mean,
                "reward": mean if len(texts) == 1 else None,
            }


def rows_of(line: Json) -> list[Json]:
    """The rows of a line of any of them."""
    if "completion" in line:
        return [rollout(line)]
    if "llm_response" in line:
        return [response(line)]
    return [chosen(line)] if "messages" in line else list(responses(line))


def records(path: Path) -> list[Json]:
    """The records of a file."""
    if path.suffix == ".parquet":
        found: list[Json] = pq.read_table(path).to_pylist()
        return found
    return complete_lines(path)[0]


def expect(path: Path) -> Json:
    """What a reader must find in one file."""
    lines = records(path)
    rows = [row for line in lines for row in rows_of(line)]
    return {"lines": len(lines), "rows": len(rows), "row": rows}


def totals(path: Path) -> Json:
    """The totals of a larger file."""
    rows = [rollout(line) for line in records(path)]
    return {
        "rows": len(rows),
        "ok_false": sum(not row["ok"] for row in rows),
        "truncated": sum(row["truncated"] or False for row in rows),
        "null_reward": sum(row["reward"] is None for row in rows),
        "sum_of_rewards": round(sum(row["reward"] or 0 for row in rows), 6),
        "messages": sum(len(row["roles"]) for row in rows),
        "tool_calls": sum(len(calls) for row in rows for calls in row["calls"]),
        "correct": sum(row["scores"]["correct_answer"] for row in rows),
        "completion_tokens": sum(row["completion_tokens"] for row in rows),
    }


def main() -> None:
    """Write every expectation."""
    for folder in (*(LOGS / "vf_eval_0_1").iterdir(), *(LOGS / "synthetic").iterdir()):
        if folder.is_dir() and folder.name != "synthetic_2_rl":  # it holds tasks and no response
            files = sorted(file for kind in ("*.jsonl", "*.parquet") for file in folder.rglob(kind))
            write(folder / "expected.json", {file.relative_to(folder).as_posix(): expect(file) for file in files})
    if len(sys.argv) > 1:
        samples = Path(sys.argv[1])
        files = sorted((samples / "vf_eval_legacy_0.1.14").rglob("results.jsonl"))
        write(LOGS / "vf_eval_0_1" / "samples.json", {str(f.relative_to(samples)): totals(f) for f in files})


if __name__ == "__main__":
    main()
