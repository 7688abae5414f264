"""Write what a reader must find in `ms_swift`, `roll`, `areal`, `skyrl`, `nemo_rl` and `nemo_gym`, from the raw files.

    python expect_columns.py          # the standard library is enough

Nothing of the package under test is used. Decided by hand, and written below: which lines fail, and which texts have
no markers. A row is listed where it stands in its file; `same` numbers attempts that are one attempt logged again.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

LOGS = Path(__file__).resolve().parent.parent

Row = dict[str, Any]


def marked(text: str) -> list[tuple[str, str]]:
    """Roles and texts of a text in ChatML; of any other, none."""
    return re.findall(r"<\|im_start\|>(\w+)\n(.*?)(?:<\|im_end\|>|\Z)", text, re.DOTALL)


def talk(prompt: str, response: str) -> Row:
    """Roles and the last answer."""
    turns = marked(prompt + response) or [("user", prompt), ("assistant", response)]
    prompted = prompt.count("<|im_end|>") or 1
    return {"roles": [role for role, _ in turns], "prompted": prompted, "answer": turns[-1][1]}


def finite(number: Any) -> float | None:
    """A score, where it is one."""
    return None if number is None or not math.isfinite(number) else float(number)


def judged(score: float | None) -> bool | None:
    """Right or wrong, where a score says so."""
    return {1.0: True, 0.0: False}.get(score) if score is not None else None


def ms_swift(lines: list[Any], name: str) -> Iterator[Row]:
    """A line holds columns, or one attempt (Ray)."""
    del name
    known: Counter[str] = Counter()
    for number, line in enumerate(lines):
        columns = isinstance(line["completion"], list)
        within: Counter[str] = Counter()
        for i in range(len(line["completion"]) if columns else 1):
            one = {key: value[i] for key, value in line.items()} if columns else line
            text = one["prompt"] + one["completion"]
            within[text] += 1
            same = f"{text}#{within[text]}"
            known[same] += 1
            scores = {name: finite(one[name]) for name in ("MathAccuracy", "Format", "reward") if name in one}
            yield talk(one["prompt"], one["completion"]) | {
                "line": number,
                "again": known[same] > 1,
                "step": int(one.get("step", one.get("gen_step"))),
                "scores": scores,
                "reward": sum(score for score in scores.values() if score is not None),
                "verdict": judged(scores.get("MathAccuracy")),
                "ground_truth": one.get("solution"),
                "advantage": one.get("advantages"),
                "kind": "train",
            }


def roll(lines: list[Any], name: str) -> Iterator[Row]:
    """A line holds a step."""
    for number, line in enumerate(lines):
        for i, answer in enumerate(line["responses"]):
            yield {
                "line": number,
                "roles": [each["role"] for each in json.loads(line["messages"][i])] + ["assistant"],
                "prompted": 2,
                "answer": answer,
                "step": int(re.findall(r"\d+", name)[-1]),
                "scores": {"scores": line["scores"][i]},
                "reward": line["scores"][i],
                "ground_truth": line["ground_truth"][i],
                "native_problem_id": line["id"][i],
                "temperature": json.loads(line["sampling_params"][i])["generation_config"]["temperature"],
                "kind": "train",
            }


def areal(lines: list[Any], name: str) -> Iterator[Row]:
    """A line holds an attempt."""
    for number, line in enumerate(lines):
        yield talk(line["prompt"], line["completion"]) | {
            "line": number,
            "scores": {"reward": line["reward"]},
            "reward": line["reward"],
            "policy_end": int(name.split("/")[1]),
            "sample_index": line["sample_idx"],
            "kind": "eval" if name.startswith("eval-") else "train",
        }


def skyrl(lines: list[Any], name: str) -> Iterator[Row]:
    """A line holds an attempt; its score may be one per token."""
    step = re.search(r"global_step_(\d+)", name)
    for number, line in enumerate(lines):
        score = sum(line["score"]) if isinstance(line["score"], list) else line["score"]
        yield talk(line["input_prompt"], line["output_response"]) | {
            "line": number,
            "scores": {"score": score},
            "reward": score,
            "step": int(step[1]) if step else None,
            "ground_truth": line["env_extras"]["reward_spec"]["ground_truth"],
            "finish_reason": line["stop_reason"],
            "truncated": {"length": True, "stop": False}.get(line["stop_reason"]),
            "kind": "eval",
        }


# Roles of the lines of training, by hand: the log does not say them.
NEMO_TRAIN = {
    "train_data_step1.jsonl": [["user", "assistant"], ["user", "assistant"], ["system", "user", "assistant"]],
    "train_data_step2.jsonl": [["user", "assistant", "user", "assistant"]],
}


def nemo_rl(lines: list[Any], name: str) -> Iterator[Row]:
    """A line is a batch of one; the environment's last word is the verifier's."""
    for number, line in enumerate(lines):
        (content,), train = line["content"], name.startswith("train")
        *said, last = content if train else [each["content"] for each in content]
        named = [] if train else [each["role"].replace("environment", "user") for each in content[:-1]]
        roles = NEMO_TRAIN[name][number] if train else named
        yield {
            "line": number,
            "roles": roles,
            "prompted": roles.index("assistant"),
            "answer": said[-1],
            "last": last,
            "step": int(re.findall(r"\d+", name)[-1]),
            "scores": {"reward": line["rewards"][0]},
            "reward": line["rewards"][0],
            "verdict": {"Environment: correct": True, "Environment: incorrect": False}.get(last),
            "advantage": line["advantages"][0][0] if train else None,
            "trained_on": line["sample_loss_mask"] == [1.0] if train else None,
            "kind": "train" if train else "eval",
        }


# Roles behind the prompt of system and user, by hand.
NEMO_GYM = {
    "rollouts.jsonl": [
        ["assistant"],
        ["assistant"],
        ["assistant", "tool", "tool", "assistant"],
        ["assistant"],
        ["assistant"],
        [],
    ],
    "rollouts_failures.jsonl": [["assistant"]],
}


def nemo_gym(lines: list[Any], name: str) -> Iterator[Row]:
    """A line holds an attempt; one that failed is neither right nor wrong."""
    for number, line in enumerate(lines):
        items = line["response"]["output"]
        texts = [item["content"][0]["text"] for item in items if item["type"] == "message"]
        thoughts = [item["summary"][0]["text"] for item in items if item["type"] == "reasoning"]
        failed = "_ng_failure_class" in line
        scores = {} if failed else {"reward": line["reward"]} | line.get("reward_components", {})
        roles = ["system", "user", *NEMO_GYM[name][number]]
        yield {
            "line": number,
            "roles": roles,
            "prompted": 2,
            "answer": texts[-1] if texts else "Name the sum of 2 and 2.",
            "thoughts": thoughts,
            "calls": [[item["name"], item["arguments"]] for item in items if item["type"] == "function_call"],
            "scores": scores,
            "reward": None if failed else line["reward"],
            "verdict": line.get("is_correct"),
            "ok": not failed,
            "ground_truth": line.get("expected_answer") or line.get("reference_solution"),
            "truncated": line["response"]["status"] == "incomplete",
            "sample_index": line["_ng_rollout_index"],
            "temperature": 0.7,
            "kind": "train",
        }


READERS: dict[str, Callable[[list[Any], str], Iterator[Row]]] = {
    each.__name__: each for each in (ms_swift, roll, areal, skyrl, nemo_rl, nemo_gym)
}
NO_LOGS = ("aggregated_results.jsonl", "rollouts_materialized_inputs.jsonl")


def main() -> None:
    """One `expected.json` for each run."""
    for name, reader in READERS.items():
        for run in sorted(path for path in (LOGS / name).iterdir() if path.is_dir()):
            found = {}
            for path in sorted(run.rglob("*.jsonl")):
                if path.name not in NO_LOGS:
                    lines = [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]
                    short = path.relative_to(run).as_posix()
                    found[short] = {"lines": len(lines), "row": list(reader(lines, short))}
            text = json.dumps(found, indent=1, ensure_ascii=False)
            (run / "expected.json").write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
