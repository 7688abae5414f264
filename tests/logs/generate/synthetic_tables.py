"""Write small tables in the shapes of SYNTHETIC-1 and SYNTHETIC-2, and output in the shape of genesys.

    python synthetic_tables.py          # needs pyarrow (requirements_tables.txt)

Nobody's program writes these tables but the scripts of those who published them: column names, order and types are
those of the cards; tasks and answers are ours. genesys is on no index: the lines have the fields that its `generate.py`
and `verify.py` (bc10edd) give them, in their order, written as it writes them, with `json.dump`. Its tables as text are
`str(table)`, as in the task sets that it loads.
"""

from __future__ import annotations

import base64
import json
import zlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

# Any: rows are JSON objects.
Json = dict[str, Any]

LOGS = Path(__file__).resolve().parent.parent / "synthetic"
R1, R1_8B = "deepseek-ai/DeepSeek-R1-0528", "deepseek-ai/DeepSeek-R1-0528-Qwen3-8B"
Q32, Q4 = "Qwen/Qwen3-32B", "Qwen/Qwen3-4B"
TEXT, FLOAT = pa.string(), pa.float64()
MESSAGES = pa.list_(pa.struct([("content", TEXT), ("role", TEXT)]))

SYNTHETIC_1 = pa.schema(
    [(name, TEXT) for name in "response_id problem_id source in_source_id hf_dataset_name task_type prompt".split()]
    + [(name, TEXT) for name in "gold_standard_solution llm_response verification_info".split()]
    + [("score", FLOAT), ("verification_result_info", TEXT), ("metadata", TEXT)]
)
SYNTHETIC_1_SFT = pa.schema(
    [("response_id", TEXT), ("problem_id", TEXT), ("task_type", TEXT), ("score", FLOAT), ("messages", MESSAGES)]
)
SYNTHETIC_2 = pa.schema(
    [(name, TEXT) for name in ("problem_id", "prompt", "verification_info")]
    + [(f"{model}_responses", pa.list_(TEXT)) for model in (Q32, Q4, R1_8B)]
    + [(f"{model}_avg_reward", FLOAT) for model in (Q32, Q4, R1_8B)]
    + [(f"{R1}_responses", pa.list_(TEXT)), (f"{R1}_avg_reward", FLOAT)]
)
SYNTHETIC_2_SFT = pa.schema([("problem_id", TEXT), ("task_type", TEXT), ("reward", FLOAT), ("messages", MESSAGES)])
SYNTHETIC_2_RL = pa.schema(
    [(name, TEXT) for name in ("problem_id", "prompt", "verification_info")]
    + [(f"{model}_avg_reward", FLOAT) for model in (Q32, Q4, R1_8B)]
)

PRINTED: dict[str, Json] = {}
"""What each text that Python printed says."""


def printed(table: Json) -> str:
    """A table as the task sets hold it: `str`, where JSON was meant."""
    PRINTED[str(table)] = table
    return str(table)


# Tasks as a task set of SYNTHETIC-1 holds them: what is a table is text that Python printed.
TASKS: list[Json] = [
    {
        "problem_id": "vfm_1",
        "source": "olympiads",
        "task_type": "verifiable_math",
        "in_source_id": None,
        "prompt": "What is 17 + 25? Put the answer into \\boxed{}.",
        "gold_standard_solution": "17 + 25 = 42, so \\boxed{42}.",
        "verification_info": printed({"ground_truth": "42"}),
        "metadata": printed({"original_question": "It's 17 + 25?", "level": 1, "easy": True, "tags": [None, "sum\n"]}),
    },
    {
        "problem_id": "vcp_2",
        "source": "taco",
        "task_type": "verifiable_code",
        "in_source_id": "1024",
        "prompt": "Print the double of n.",
        "gold_standard_solution": "print(2 * int(input()))",
        "verification_info": printed(
            {"language": "python", "test_cases": [{"input": "2\n", "output": '4 "four"\n', "type": "stdin_stdout"}]}
        ),
        "metadata": printed({"difficulty": "EASY", "memory_limit": None, "time_limit": 1.5}),
    },
    {
        "problem_id": "stackexchange_3",
        "source": "stackexchange",
        "task_type": "llm_judgeable_groundtruth_similarity",
        "in_source_id": "77",
        "prompt": "Why is the sky blue? naïve 空",
        "gold_standard_solution": "Rayleigh scattering.",
        "verification_info": printed({"judging_instructions": None}),
        "metadata": printed({"site": {"name": "physics", "score": (1, 2)}}),  # a tuple: no JSON can say it
    },
]
HF_NAMES = ["verifiable-math-problems", "verifiable-coding-problems", "stackexchange-question-answering"]

# Which task, the response, how it was scored.
RESPONSES: list[tuple[int, str, Json]] = [
    (0, "<think>\n17 + 25.\n</think>\n\n\\boxed{42}", {"score": 1, "verification_result_info": {}}),
    (0, "<think>\n17 + 25.\n</think>\n\n\\boxed{43}", {"score": 0, "verification_result_info": {}}),
    (1, "```python\nprint(2 * int(input()))\n```", {"score": 0.5, "verification_result_info": {}}),
    (
        1,
        "I have no code.",
        {"score": 0.0, "verification_result_info": {"failure_reason": "no_code_in_response"}},
    ),
    (1, "```python\nwhile True: pass\n```", {"score": None, "verification_result_info": {"failure_reason": "timeout"}}),
    (
        2,
        "<think>\nIt is cut off in the middle of a",
        {"score": 0.85, "verification_result_info": {"judge_explanation": 'Close, but it isn\'t "done".'}},
    ),
]
PRINTED |= {str(how["verification_result_info"]): how["verification_result_info"] for _, _, how in RESPONSES}
MOST_TOKENS = 12


def generated(numbers: list[int]) -> list[Json]:
    """Rows as genesys generates them."""
    rows = []
    for number in numbers:
        task, response, _ = RESPONSES[number]
        words = zlib.crc32(response.encode())
        ids = [words % 50_000 + i for i in range(min(len(response.split()) + number, MOST_TOKENS))]
        if response.endswith(" a"):
            ids = list(range(MOST_TOKENS))
        rows.append(
            {
                **TASKS[task],
                "hf_dataset_name": f"PrimeIntellect/{HF_NAMES[task]}",
                "llm_response": response,
                "response_id": f"{TASKS[task]['problem_id']}_{'aBcD012'}{number}",
                "model_name": "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B",
                "generation_config": {"temperature": 0.6, "top_p": 0.95, "max_new_tokens": MOST_TOKENS},
                "machine_info": {
                    "machine_id": "0" * 32,
                    "num_gpus": 1,
                    "gpu_device_list": ["NVIDIA H200"],
                    "global_ipv4": "192.0.2.7",
                    "global_ipv6": "2001:db8::7",
                },
                "input_ids": [151646, 151644, *range(100, 100 + len(TASKS[task]["prompt"].split()))],
                "output_ids": ids,
                "proof": base64.b64encode(response.encode()[:12]).decode(),
            }
        )
    return rows


def scored(rows: list[Json], numbers: list[int]) -> list[Json]:
    """The rows as genesys leaves them once scored: what was printed is JSON, and tuples are lists."""
    tables = [
        {"verification_info": {"ground_truth": "42"}},
        {"verification_info": {"language": "python", "test_cases": []}},
        {"verification_info": {"judging_instructions": None}},
    ]
    metadata: list[Json] = [{"level": 1}, {"time_limit": 1.5}, {"site": {"name": "physics", "score": [1, 2]}}]
    return [
        {**row, **tables[RESPONSES[n][0]], "metadata": metadata[RESPONSES[n][0]], **RESPONSES[n][2]}
        for row, n in zip(rows, numbers, strict=True)
    ]


def published(rows: list[Json]) -> list[Json]:
    """The rows of SYNTHETIC-1: all texts, and the score."""
    given = []
    for number, row in enumerate(rows):
        result = RESPONSES[number][2]
        said = json.dumps(result["verification_result_info"]) if number % 2 else str(result["verification_result_info"])
        given.append({**row, "score": result["score"], "verification_result_info": said})
    return [{name: row.get(name) for name in SYNTHETIC_1.names} for row in given]


def tasks_2() -> list[Json]:
    """Rows of SYNTHETIC-2: several responses, one, none, a list that is missing, a mean that is missing, no id."""

    def responses(count: int, answer: str) -> list[str]:
        return [f"<think>\ntry {i}\n</think>\n\n\\boxed{{{answer}}}" for i in range(count)]

    rows: list[Json] = [
        {
            "problem_id": "sky_work_math_1",
            "prompt": "What is 6 * 7?",
            "verification_info": json.dumps({"ground_truth": "42"}),
            f"{Q32}_responses": responses(4, "42"),
            f"{Q32}_avg_reward": 0.75,
            f"{Q4}_responses": responses(2, "41"),
            f"{Q4}_avg_reward": 0.0,
            f"{R1_8B}_responses": [],
            f"{R1_8B}_avg_reward": None,
            f"{R1}_responses": responses(1, "42"),
            f"{R1}_avg_reward": 1.0,
        },
        {
            "problem_id": "prime_rl_code_2",
            "prompt": "Print the double of n.",
            "verification_info": json.dumps({"style": "rule-based", "test_cases": json.dumps({"inputs": ["2\n"]})}),
            f"{Q32}_responses": None,
            f"{Q32}_avg_reward": 0.5,
            f"{R1}_responses": ["```python\nprint(2 * int(input()))\n```", "", "cut off"],
        },
        {
            "problem_id": None,  # reasoning_gym and code_output have no id
            "prompt": "Sort: b a\nFinal Answer:",
            "verification_info": json.dumps(
                {"reasoning_gym_dataset": "word_sorting", "reasoning_gym_entry": "{}", "ground_truth": None}
            ),
            f"{Q4}_responses": ["Final Answer: a b"],
            f"{Q4}_avg_reward": 0.6,
            f"{R1}_responses": ["Final Answer: a, b"],
            f"{R1}_avg_reward": None,
        },
    ]
    return [{name: row.get(name) for name in SYNTHETIC_2.names} for row in rows]


def chat(prompt: str, response: str) -> list[Json]:
    """Messages as the tables hold them."""
    return [{"content": prompt, "role": "user"}, {"content": response, "role": "assistant"}]


def table(folder: str, rows: list[Json], schema: pa.Schema) -> None:
    """Write a table the way that datasets names its files."""
    path = LOGS / folder / "data" / "train-00000-of-00001.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path, row_group_size=2)


def lines(path: Path, rows: list[Json]) -> None:
    """Write JSON lines as genesys does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        for row in rows:
            json.dump(row, file)
            file.write("\n")


def main() -> None:
    """Write every file."""
    every = list(range(len(RESPONSES)))
    rows = generated(every)
    out = LOGS / "genesys" / "output"
    lines(out / "out_4f0c9a52-1d1e-4b51-9c39-5d3b6a7e8f90.jsonl", rows)
    lines(out / "out_4f0c9a52-1d1e-4b51-9c39-5d3b6a7e8f90_verified.jsonl", scored(rows, every))
    later = [{**row, "response_id": row["response_id"] + "x"} for row in rows]
    lines(out / "out_9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d.jsonl", later)

    table("synthetic_1", published(rows), SYNTHETIC_1)
    lines(LOGS / "synthetic_1_lines" / "SYNTHETIC-1.jsonl", published(rows))
    answers = [row for row in published(rows) if row["score"] == 1]
    table("synthetic_1_sft", [r | {"messages": chat(r["prompt"], r["llm_response"])} for r in answers], SYNTHETIC_1_SFT)

    table("synthetic_2", tasks_2(), SYNTHETIC_2)
    lines(LOGS / "synthetic_2_lines" / "SYNTHETIC-2.jsonl", tasks_2())
    right = {"task_type": "verifiable_math", "reward": 1.0, "messages": chat("6 * 7?", "<think>\n42\n</think>\n\n42")}
    near = {"task_type": "ascii_tree_formatting", "reward": 0.83, "messages": chat("Draw it.", "a\n|- b")}
    sft = [{"problem_id": "sky_work_math_1", **right}, {"problem_id": None, **near}]
    table("synthetic_2_sft", sft, SYNTHETIC_2_SFT)
    table("synthetic_2_rl", tasks_2(), SYNTHETIC_2_RL)


if __name__ == "__main__":
    main()
