"""Write what a reader must find in the fixtures, from the raw JSON alone.

    python expect.py [SAMPLES]

Each folder gets an `expected.json`; with the folder of the larger sample logs at hand,
`samples_expected.json` gets their totals. Written from `log-formats.md`, sections 2.3
and 3, with nothing of the package under test, so that both can be wrong only by
accident, not together. What the reference leaves open is decided here:

- A row is a root-to-leaf branch; a trace without nodes or an episode without traces is
  one row with `branch` 0 and no messages. Branches are numbered by their leaf's index.
- `ok`, `truncated`, `reward`, `finish_reason`, `num_turns` and `tool_calls` are facts of
  the trace and repeat on each of its branches, save `tool_calls`, which counts the calls
  in the branch's own messages. A row without a trace takes `ok` from its episode.
- A trace's `ok` does not look at its episode: `episode_ok` stands beside it.
- In 0.2.0, ok means completed without errors, and `harness_timeout` truncates too.
- A score that was not a number is written as null and makes the reward null.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

# Any: records and expectations are JSON objects of several generations.
Json = dict[str, Any]

LOGS = Path(__file__).resolve().parent.parent
FOLDERS = [
    "vf_eval_0_2_0",
    "vf_eval_0_3_0",
    "vf_eval_0_4_0",
    "branches_0_4_0",
    "prime_rl_a",
]
SAMPLES = [
    "prime_rl_run_v040",
    "vf_eval_v030",
    "vf_eval_v040_singleturn",
    "vf_eval_v040_tools",
    "vf_eval_v040_errors",
]
LIMITS = {
    "max_turns",
    "max_input_tokens",
    "max_output_tokens",
    "max_total_tokens",
    "compaction_failed",
    "context_length",
}


def reward_of(trace: Json) -> float | None:
    """The sum of the weighted scores, or None if there is none or one is missing."""
    rewards = trace.get("rewards") or {}
    values = []
    for reward in rewards.values():
        if isinstance(reward, dict):
            if reward.get("score") is None:
                return None
            values.append(reward["score"] * reward["weight"])
        elif reward is None:
            return None
        else:
            values.append(reward)
    return round(sum(values), 9) if values else None


def finish_of(trace: Json) -> str | None:
    """The finish reason of the last call without an error; in 0.2.0, of the last reply."""
    if "calls" in trace:
        good = [call for call in trace["calls"] if call.get("error") is None]
    else:
        good = [node for node in trace["nodes"] if node.get("sampled")]
    return good[-1].get("finish_reason") if good else None


def truncated(trace: Json) -> bool:
    """Whether a limit of the framework or of the model cut the trace short."""
    limits = LIMITS if "calls" in trace else LIMITS | {"harness_timeout"}
    return trace.get("stop_condition") in limits or finish_of(trace) == "length"


def branches_of(nodes: list[Json]) -> list[list[int]]:
    """The root-to-leaf paths as node indexes, in the order of the leaves."""
    parents = {node["parent"] for node in nodes if node.get("parent") is not None}
    paths = []
    for leaf in range(len(nodes)):
        if leaf in parents:
            continue
        path = [leaf]
        while (parent := nodes[path[0]].get("parent")) is not None:
            path.insert(0, parent)
        paths.append(path)
    return paths


def rows_of(trace: Json) -> list[Json]:
    """The rows of one trace."""
    nodes = trace.get("nodes") or []
    shared = {
        "trace_id": trace["id"],
        "ok": trace.get("ok", trace["is_completed"] and not trace["errors"]),
        "truncated": truncated(trace),
        "reward": reward_of(trace),
        "finish_reason": finish_of(trace),
        "stop_condition": trace.get("stop_condition"),
        "num_turns": sum(1 for node in nodes if node.get("sampled")),
    }
    rows = []
    for branch, path in enumerate(branches_of(nodes) or [[]]):
        messages = [nodes[index]["message"] for index in path]
        rows.append(
            {
                **shared,
                "branch": branch,
                "nodes": path,
                "messages": len(messages),
                "roles": [message["role"] for message in messages],
                "sampled": [nodes[index].get("sampled", False) for index in path],
                "tool_calls": sum(len(m.get("tool_calls") or []) for m in messages),
            }
        )
    return rows


def episode_rows(record: Json) -> list[Json]:
    """The rows of one line: an episode, or in 0.2.0 a bare trace."""
    if "nodes" in record:
        return rows_of(record)
    shared = {
        "episode_id": record["id"],
        "episode_ok": record["ok"],
        "env": record["env"].get("name") or record["env"]["id"],
    }
    rows = [row for trace in record["traces"] for row in rows_of(trace)]
    if not rows:
        rows = [
            {
                "trace_id": record["id"],
                "ok": record["ok"],
                "truncated": False,
                "reward": None,
                "finish_reason": None,
                "stop_condition": None,
                "num_turns": 0,
                "branch": 0,
                "nodes": [],
                "messages": 0,
                "roles": [],
                "sampled": [],
                "tool_calls": 0,
            }
        ]
    return [{**shared, **row} for row in rows]


def complete_lines(path: Path) -> tuple[list[Json], int]:
    """The records of a file's complete lines, and the bytes of a torn last one."""
    # bytes.split, not str.splitlines: U+2028 and U+0085 occur inside strings.
    *lines, rest = path.read_bytes().split(b"\n")
    return [json.loads(line) for line in lines if line.strip()], len(rest)


def count(rows: list[Json]) -> Json:
    """The counts over some rows."""
    return {
        "rows": len(rows),
        "ok_false": sum(not row["ok"] for row in rows),
        "truncated": sum(row["truncated"] for row in rows),
        "null_reward": sum(row["reward"] is None for row in rows),
    }


def expect_file(path: Path) -> Json:
    """What a reader must find in one file."""
    records, torn_bytes = complete_lines(path)
    rows = [row for record in records for row in episode_rows(record)]
    episodes = [record for record in records if "traces" in record]
    return {
        "lines": len(records),
        "torn_bytes": torn_bytes,
        "episodes": len(episodes),
        "traces": sum(len(record.get("traces", [1])) for record in records),
        **count(rows),
        "advantages": {
            trace["id"]: trace["info"]["advantage"]
            for record in episodes
            for trace in record["traces"]
            if "advantage" in trace["info"]
        },
        "row": rows,
    }


def expect_sample(path: Path) -> Json:
    """The totals of one larger file."""
    records, torn_bytes = complete_lines(path)
    rows = [row for record in records for row in episode_rows(record)]
    envs: dict[str, int] = {}
    for row in rows:
        envs[row["env"]] = envs.get(row["env"], 0) + 1
    rewards = [row["reward"] for row in rows if row["reward"] is not None]
    advantages = [
        trace["info"]["advantage"] for record in records for trace in record["traces"] if "advantage" in trace["info"]
    ]
    effective = "effective" in path.parts
    return {
        "lines": len(records),
        "torn_bytes": torn_bytes,
        **count(rows),
        "sum_of_rewards": round(sum(rewards), 6),
        "messages": sum(row["messages"] for row in rows),
        "tool_calls": sum(row["tool_calls"] for row in rows),
        "rows_by_env": dict(sorted(envs.items())),
        "effective_lines": len(records) if effective else 0,
        "sum_of_advantages": round(sum(advantages), 6) if advantages else None,
    }


def write(path: Path, expected: dict[str, Json]) -> None:
    """Write the expectations with one row to a line."""
    marks: dict[str, str] = {}

    def marked(file: Json) -> Json:
        rows = []
        for row in file.get("row", []):
            rows.append(f"@{len(marks)}@")
            marks[f'"{rows[-1]}"'] = json.dumps(row, ensure_ascii=False)
        return {**file, "row": rows} if rows else file

    whole = {name: marked(file) for name, file in expected.items()}
    text = json.dumps(whole, indent=1, ensure_ascii=False)
    for mark, row in marks.items():
        text = text.replace(mark, row)
    path.write_text(text + "\n", encoding="utf-8")


def main() -> None:
    """Write every expectation."""
    for folder in FOLDERS:
        home = LOGS / folder
        files = sorted(home.rglob("traces.jsonl"))
        if files:
            expected = {str(f.relative_to(home)): expect_file(f) for f in files}
            write(home / "expected.json", expected)
    if len(sys.argv) > 1:
        samples = Path(sys.argv[1])
        files = [f for s in SAMPLES for f in sorted((samples / s).rglob("traces.jsonl"))]
        write(
            LOGS / "samples_expected.json",
            {str(f.relative_to(samples)): expect_sample(f) for f in files},
        )


if __name__ == "__main__":
    main()
