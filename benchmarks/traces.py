"""A generated run of any size in prime-rl's layout A, with lines of verifiers' 0.4 shape, to measure with.

    python -m benchmarks.traces 25000 my-run [--tokens] [--seed 0]

writes `my-run/rollouts/step_N/train/{all,effective}/traces.jsonl`. Every group of 8 attempts has its own random
numbers, seeded by its number: the same seed gives the same bytes, a longer run begins with the shorter one, and memory
does not grow with the run. Texts are Zipf words with fragments of maths, 2 to 40 KB and 8 KB on average. About 5 % of
the attempts copy an earlier one of their group, 10 % are cut off, 3 % failed, and of the rest each problem has its own
share of right answers. One problem in eight is scored by a rubric from 0 to 1, which decides nothing.
"""

import argparse
import hashlib
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, TypeAlias  # Any: JSON values

import msgspec

from benchmarks.words import length, text, vocabulary

Json: TypeAlias = dict[str, Any]

GROUP = 8
"""Attempts at one problem."""

STEP_GROUPS = 128
"""Groups in one step of the run: a log of about 12 MB."""

START_SECONDS = 1_795_430_000.0
MODEL = "bench/reasoner-1b"
SYSTEM = "You are a careful reasoner."
RULES = {"skills": [], "network_allow": ["*"], "network_block": [], "artifacts": [], "artifact_max_bytes": 33554432}
AGENT: Json = {
    "config": {
        "harness": {"id": "chat", "env": {}, "forward_env": [], "mcp_header_env": {}, "tool_timeout": 600.0},
        "runtime": {"type": "subprocess"},
        "model": MODEL,
        "client": {"base_url": "http://127.0.0.1:8000/v1", "api_key_var": "API_KEY", "headers": {}, "type": "train"},
        "sampling": {"temperature": 1.0, "top_p": None, "reasoning_effort": None, "max_tokens": 12000},
        "max_turns": 4,
        "timeout": {},
        "retries": {"max_retries": 0, "rules": []},
    },
    "runtime": {"id": "/srv/runtimes/subprocess/072b60d88a2d0712", "borrowed": False, "type": "subprocess"},
    "name": "agent",
    "trainable": True,
}

_encode = msgspec.json.Encoder().encode


def write_run(folder: Path, traces: int, *, seed: int = 0, tokens: bool = False) -> int:
    """Write a run of so many traces (rounded up to whole groups) to `folder`; give the bytes written."""
    written = 0
    groups = -(-traces // GROUP)
    words = vocabulary(Random(f"words {seed}"))  # noqa: S311 - meant to be repeatable
    for step, begin in enumerate(range(0, groups, STEP_GROUPS), 1):
        logs = [
            folder / "rollouts" / f"step_{step}" / "train" / which / "traces.jsonl" for which in ("all", "effective")
        ]
        for log in logs:
            log.parent.mkdir(parents=True)
        with logs[0].open("wb") as rollouts, logs[1].open("wb") as shipped:
            for group in range(begin, min(groups, begin + STEP_GROUPS)):
                for episode, advantage in _group(group, step, words, seed, tokens):
                    written += rollouts.write(_encode(episode) + b"\n")
                    if advantage is not None:
                        episode["traces"][0]["info"]["advantage"] = advantage
                        written += shipped.write(_encode(episode) + b"\n")
    return written


def _group(group: int, step: int, words: list[str], seed: int, tokens: bool) -> Iterator[tuple[Json, float | None]]:
    """The attempts at one problem, each with its advantage; None where it was not shipped to the trainer."""
    random = Random(f"{seed} {group}")  # noqa: S311 - meant to be repeatable
    graded = group % 8 == 0
    chance = random.betavariate(0.8, 0.8)
    answer = str(random.randrange(10**6))
    task = _task(group, f"{text(random, words, 300)}\nPut the final answer in <answer></answer>.", answer)
    texts: list[tuple[str, str]] = []
    made: list[tuple[Json, float | None]] = []
    for attempt in range(GROUP):
        right, fate = random.random() < chance, random.random()
        score = round(random.random(), 3) if graded else float(right and fate >= 0.13)
        if texts and random.random() < 0.05:
            thinking, said = random.choice(texts)
        else:
            thinking = text(random, words, length(random))
            said = f"The result follows.\n\n<answer>{answer if right else random.randrange(10**6)}</answer>"
            texts.append((thinking, said))
        ending = "no answer" if fate < 0.015 else "not scored" if fate < 0.03 else "cut" if fate < 0.13 else "whole"
        trace = _trace(random, task, thinking, said, ending, inline=attempt % 4 == 0, start=START_SECONDS + 60.0 * step)
        if ending in {"whole", "cut"}:
            trace["rewards"] = {"rubric" if graded else "correct": {"score": score, "weight": 1.0}}
            trace["rewards"] |= {} if graded else {"format_ok": {"score": float(ending == "whole"), "weight": 0.2}}
        if tokens:
            _add_tokens(random, trace["nodes"])
        made.append((_episode(random, group, step, graded, task, trace), score if ending in {"whole", "cut"} else None))
    scores = [score for _, score in made if score is not None]
    mean = sum(scores) / max(1, len(scores))
    spread = len(set(scores)) > 1  # a group whose scores are equal teaches nothing and is not shipped
    for episode, gained in made:
        yield episode, (round(gained - mean, 6) if spread and gained is not None else None)


def _id(random: Random) -> str:
    return f"{random.getrandbits(128):032x}"


def _task(group: int, prompt: str, answer: str) -> Json:
    own = {"idx": group, "name": f"problem-{group}", "prompt": prompt, "system_prompt": SYSTEM, **RULES}
    key = hashlib.sha256(prompt.encode()).hexdigest()
    data = own | {"timeout": {}, "resources": {}, "answer": answer, "source_dataset": "bench"}
    return {"type": "BenchTask", "data": data, "key": key, "hash": key}


def _episode(random: Random, group: int, step: int, graded: bool, task: Json, trace: Json) -> Json:
    env = "rubric" if graded else "maths"
    usage = {name: trace[name] for name in ("num_input_tokens", "num_output_tokens", "num_total_tokens")}
    work = {"type": "train", "step": step, "policy": {"start": step - 1, "end": step}}
    return {
        "id": _id(random),
        "env": {"id": env, "name": f"{env}-train"},
        "task": task,
        "group": {"id": f"{group:08x}-0000-0000-0000-000000000000"},
        "run": {"type": "train", "id": "e3e70682c2094cac629f6fbed82c07cd", "name": "bench", "work": work},
        "ok": trace["ok"],
        "is_timeout": False,
        "errors": [],
        "traces": [trace],
        **usage,
    }


def _trace(random: Random, task: Json, thinking: str, said: str, ending: str, *, inline: bool, start: float) -> Json:
    """One attempt, not scored yet. `ending`: whole, cut, not scored (the scorer failed), no answer (the model did)."""
    read, wrote = len(task["data"]["prompt"]) // 4, (len(thinking) + len(said)) // 4
    errors: list[Json] = []
    call: Json = {"model": MODEL, "sampling": {}, "endpoint": "/chat/completions"}
    moment = start + random.random() * 50
    span = {"start": moment, "end": moment + 9.5}
    if ending == "no answer":
        nodes, read, wrote = [], 0, 0
        errors = [{"type": "ProviderError", "message": "upstream 503: no worker is free", "status_code": 503}]
        call |= {"time": span, "error": errors[0]}
    else:
        message = {"role": "assistant", "content": said, "reasoning_content": thinking}
        if ending == "cut":
            message = {"role": "assistant", "content": f"<think>\n{thinking}"}
        elif inline:
            message = {"role": "assistant", "content": f"<think>\n{thinking}\n</think>\n\n{said}"}
        prompt = task["data"]["prompt"]
        nodes = [
            _node({"role": "system", "content": SYSTEM}, None, moment),
            _node({"role": "user", "content": prompt}, 0, moment),
            _node(message, 1, moment, sampled=True),
        ]
        usage = {"prompt_tokens": read, "completion_tokens": wrote}
        finish = "length" if ending == "cut" else "stop"
        call |= {"node": 2, "finish_reason": finish, "usage": usage, "time": span}
        if ending == "not scored":
            errors = [{"type": "TaskError", "message": "scoring: RuntimeError: the judge did not answer"}]
    return {
        "version": 1,
        "id": _id(random),
        "verifiers": {"version": "0.4.0"},
        "task": task,
        "agent": AGENT,
        "tools": [],
        "nodes": nodes,
        "calls": [call],
        "mm_token_type_id_map": {},
        "request_rewrites": [],
        "response_rewrites": [],
        "rewards": {},
        "metrics": {"reply_chars": float(len(said))} if nodes else {},
        "info": {},
        "extra_usage": [],
        "is_completed": True,
        "ok": not errors,
        "stop_condition": "agent_completed" if nodes else "provider_error",
        "is_timeout": False,
        "errors": errors,
        "timing": {
            "start": moment,
            "boot": {"start": moment, "end": moment},
            "setup": {"start": moment, "end": moment},
            "agent": span | {"model": {"duration": 9.1}, "harness": {"duration": 0.4}},
            "finalize": {"start": span["end"], "end": span["end"]},
            "scoring": {"start": span["end"], "end": span["end"]},
        },
        "num_input_tokens": read,
        "num_output_tokens": wrote,
        "num_total_tokens": read + wrote,
    }


def _node(message: Json, parent: int | None, moment: float, *, sampled: bool = False) -> Json:
    linked = {} if parent is None else {"parent": parent}
    arrays: Json = {"token_ids": [], "mask": [], "is_content": [], "logprobs": []}
    return linked | {"semantic_parents": [], "message": message, "sampled": sampled, "timestamp": moment} | arrays


def _add_tokens(random: Random, nodes: list[Json]) -> None:
    """A value per token (four characters of text) in every array, as a trainer's log has them."""
    for node in nodes:
        count = sum(len(node["message"].get(part, "")) for part in ("content", "reasoning_content")) // 4
        drawn = memoryview(random.randbytes(2 * count)).cast("H")
        node["token_ids"] = list(drawn)
        node["mask"] = [node["sampled"]] * count
        node["is_content"] = [True] * count
        node["logprobs"] = [-value / 8192 for value in drawn] if node["sampled"] else []


def main() -> None:
    """Write a run."""
    parser = argparse.ArgumentParser(description="Write a generated prime-rl run.")
    parser.add_argument("traces", type=int)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tokens", action="store_true", help="with a value per token, as trainers log them")
    given = parser.parse_args()
    written = write_run(given.folder, given.traces, seed=given.seed, tokens=given.tokens)
    print(f"{given.folder}: {given.traces:,} traces, {written / 1e6:,.0f} MB")


if __name__ == "__main__":
    main()
