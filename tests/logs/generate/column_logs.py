"""Write `roll`, `areal`, `skyrl` and `nemo_rl`: logs arranged by hand in these trainers' own shapes.

    python column_logs.py          # the standard library is enough

None of them can be installed from PyPI, and their writers sit inside trainers that need GPUs. Names, types, nesting
and file names follow their sources: ROLL 8eb27cc2 (`write_to_json_process`), AReaL 4aef98d8 (`_dump_trajectory`),
SkyRL a9564572 (`dump_per_dataset_eval_results`), NeMo-RL 7ea279ab (`log_batched_dict_as_jsonl`). Questions, answers
and scores are ours.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

LOGS = Path(__file__).resolve().parent.parent


def write(path: Path, rows: Iterable[Any], *, ascii_only: bool = True) -> None:
    """Rows as lines of JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=ascii_only) + "\n" for row in rows), "utf-8")


def chat(question: str, *, system: str = "") -> str:
    """A prompt as the template of Qwen's models renders it."""
    head = f"<|im_start|>system\n{system}<|im_end|>\n" if system else ""
    return f"{head}<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n"


# ---- ROLL: a step in a file, in one line, every column a list; messages and settings are JSON in strings

SETTINGS = {"global_step": 1, "generation_config": {"temperature": 0.99, "top_p": 0.95, "max_new_tokens": 512}}


def roll(step: int, rows: list[tuple[str, str, str, str, float]]) -> dict[str, list[Any]]:
    """A step's columns."""
    ids, questions, truths, answers, scores = map(list, zip(*rows, strict=True))
    messages = [
        json.dumps([{"role": "system", "content": "Box the answer."}, {"role": "user", "content": question}])
        for question in questions
    ]
    return {
        "id": ids,
        "source": ["sums"] * len(rows),
        "difficulty": ["0.5"] * len(rows),
        "prompt": questions,
        "messages": messages,
        "ground_truth": truths,
        "case_type": [""] * len(rows),
        "test_case_function": [""] * len(rows),
        "test_cases": [""] * len(rows),
        "tag": ["sums_rule"] * len(rows),
        "domain": ["math_rule"] * len(rows),
        "responses": answers,
        "scores": scores,
        "sampling_params": [json.dumps(SETTINGS | {"global_step": step})] * len(rows),
        "global_step": [step] * len(rows),
    }


def write_roll() -> None:
    """Two steps; the second one holds one attempt."""
    folder = LOGS / "roll" / "dump"
    first = [
        ("11", "What is 6 × 7?", "42", "<think>6 × 7</think>\\boxed{42}", 1.0),
        ("11", "What is 6 × 7?", "42", "\\boxed{41}", 0.0),
        ("12", "Half of 9?", "4.5", "", 0.0),
        ("12", "Half of 9?", "4.5", "\\boxed{9/2}", 1.0),
    ]
    for step, rows in ((1, first), (2, [("13", "List: []", "[]", '["no", "list"]', 0.5)])):
        name = f"rollout_dump_data.step_{step}.jsonl"
        write(folder / name, [roll(step, rows)], ascii_only=False)


# ---- AReaL: a file for each task and version, an attempt in a line, all markers kept


def areal(task: int, index: int, prompt: str, completion: str, reward: float, version: int) -> dict[str, Any]:
    """A dumped trajectory; lengths count words here, not tokens."""
    asked, answered = len(prompt.split()), len(completion.split())
    return {
        "task_id": task,
        "sample_idx": index,
        "seqlen": asked + answered,
        "prompt_len": asked,
        "head_version": -1,
        "tail_version": version,
        "reward": reward,
        "prompt": prompt,
        "completion": completion,
    }


def write_areal() -> None:
    """Two versions, an evaluation, an attempt of two turns whose cut is wrong, and one without any template."""
    trial = LOGS / "areal" / "trial0"
    sums = chat("What is 8 - 3?", system="Be brief.")
    rows = [
        areal(7, 0, sums, "<think>8 - 3</think>5<|im_end|>", 1.0, 3),
        areal(7, 1, sums, "four<|im_end|>", -1.0, 3),
        areal(7, 2, sums, "it is fi", 0.0, 3),  # cut by the limit: no marker
    ]
    write(trial / "rollout" / "3" / "7.jsonl", rows)
    first, again = "It is 20.<|im_end|>\n", "Check it.<|im_end|>\n<|im_start|>assistant\n"
    whole = chat("What is 4 × 6?") + first + f"<|im_start|>user\n{again}" + "24<|im_end|>"
    cut = whole.index("20")  # as many tokens from the end as are trained on: within the first answer
    rows = [
        areal(8, 0, whole[:cut], whole[cut:], 1.0, 4),
        areal(8, 1, "What is 4 × 6? Answer:", " 24", 1.0, 4),
    ]
    write(trial / "rollout" / "4" / "8.jsonl", rows)
    write(trial / "eval-rollout" / "4" / "0.jsonl", [areal(0, 0, sums, "5<|im_end|>", 1.0, 4)])


# ---- SkyRL: a file for each data source of an evaluation


def skyrl(question: str, answer: str, score: Any, stop: str | None, truth: str) -> dict[str, Any]:
    """A dumped evaluation."""
    return {
        "input_prompt": chat(question),
        "output_response": answer,
        "score": score,
        "stop_reason": stop,
        "env_class": "gsm8k",
        "env_extras": {
            "data_source": "sums/plain",
            "reward_spec": {"method": "rule", "ground_truth": truth},
            "extra_info": {"index": 3, "split": "test"},
            "max_turns": 2,
        },
        "data_source": "sums/plain",
    }


def write_skyrl() -> None:
    """An evaluation during training with scores per token, one on its own, and the metrics beside them."""
    folder = LOGS / "skyrl" / "exports" / "dumped_evals"
    turn = "Seven.<|im_end|>\n<|im_start|>user\nAs a digit.<|im_end|>\n<|im_start|>assistant\n#### 7<|im_end|>"
    rows = [
        skyrl("What is 3 + 4?", "<think>3 + 4</think>#### 7<|im_end|>", 1.0, "stop", "7"),
        skyrl("What is 3 + 4?", turn, [0.0, 0.0, 0.25, 0.75], "stop", "7"),
        skyrl("What is 9 × 9?", "nine times nine is nine times", [0.0, 0.0], "length", "81"),
        skyrl("What is 9 × 9?", "80<|im_end|>", 0.0, None, "81"),
    ]
    write(folder / "global_step_5_evals" / "sums_plain.jsonl", rows, ascii_only=False)
    write(folder / "global_step_5_evals" / "aggregated_results.jsonl", [{"eval/all/avg_score": 0.5}])
    write(folder / "eval_only" / "sums_plain.jsonl", rows[:1], ascii_only=False)


# ---- NeMo-RL: a file for each step, a line a batch of one; training says no roles


def nemo_train(index: int, content: list[str], reward: float, advantage: float, counts: float = 1.0) -> dict[str, Any]:
    """A line of a training batch. Tokens are words, padded."""
    words = [word for text in content for word in text.split()]
    turns = content[len(content) % 2 or 2 :: 2]
    mask = [0] * (len(words) - len(turns)) + [1] * len(turns)
    return {
        "content": [content],
        "rewards": [reward],
        "input_lengths": [len(words)],
        "token_ids": [[*range(100, 100 + len(words)), 0, 0]],
        "token_loss_mask": [[*mask, 0, 0]],
        "sample_loss_mask": [counts],
        "advantages": [[advantage] * (len(words) + 2)],
        "generation_logprobs": [[0.0] * len(words) + [0.0, 0.0]],
        "prev_logprobs": [[0.0] * len(words) + [0.0, 0.0]],
        "idx": index,
    }


def write_nemo_rl() -> None:
    """Training with and without a system prompt, and of several turns; a validation."""
    folder = LOGS / "nemo_rl" / "exp_001"
    sums = chat("What is 5 × 5?")
    train = [
        nemo_train(0, [sums, "<think>5 × 5</think>\\boxed{25}", "Environment: correct"], 1.0, 0.5),
        nemo_train(1, [sums, "\\boxed{10}", "Environment: incorrect"], 0.0, -0.5),
        nemo_train(2, ["Use tools.", sums, "\\boxed{25}", "Environment: correct"], 1.0, 0.0, 0.0),
    ]
    write(folder / "train_data_step1.jsonl", train)
    puzzle = ["Slide the tiles: 1 _ 2", "left", "_ 1 2", "right", "Solved at /srv/games/7"]
    write(folder / "train_data_step2.jsonl", [nemo_train(0, puzzle, 1.0, 0.25)])
    talk = [
        {"role": "user", "content": sums},
        {"role": "assistant", "content": "\\boxed{25}"},
        {"role": "environment", "content": "Environment: correct"},
    ]
    again = [{"role": "system", "content": "Be brief."}, *talk[:1], {"role": "assistant", "content": "24?"}]
    again += [{"role": "environment", "content": "No."}, {"role": "assistant", "content": "25"}, talk[2]]
    rows = [{"content": [each], "rewards": [1.0], "idx": i} for i, each in enumerate((talk, again))]
    write(folder / "val_data_step0.jsonl", rows)


def main() -> None:
    """Write all."""
    for name, made in {
        "roll": write_roll,
        "areal": write_areal,
        "skyrl": write_skyrl,
        "nemo_rl": write_nemo_rl,
    }.items():
        shutil.rmtree(LOGS / name, ignore_errors=True)
        made()


if __name__ == "__main__":
    main()
