"""Write the fixture folder `open_instruct`: saved traces as open-instruct e6c3044a writes them, of a small tokenizer.

    python open_instruct_logs.py

open-instruct is not on PyPI and its trainer needs GPUs, so the rows are arranged here: the dataclass has the fields and
the order of `open_instruct/rl_utils.py`, and a line is its `asdict` as JSON, as there. The tokenizer is a BPE trained on
the texts themselves. `expected_rows.json` holds the messages that were rendered and encoded, from before that: nothing
of the package under test is imported. Needs the package `tokenizers`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

OUT = Path(__file__).resolve().parent.parent / "open_instruct"
RUN = "grpo_sums__1__1764000000"
SYSTEM, QUESTION = ("system", "Answer in a word."), ("user", "What is 2 + 2? Höflich, bitte 🙂.")
LONG = "\n".join(f"{n} is a number." for n in range(8))


@dataclass
class RolloutRecord:
    step: int
    sample_idx: int
    prompt_idx: int
    prompt_tokens: list[int]
    response_tokens: list[int]
    reward: float
    advantage: float
    finish_reason: str
    dataset: str | list[str]
    ground_truth: Any
    request_info: dict[str, Any] | None = None
    logprobs: list[float] | None = None


@dataclass
class Case:
    prompt: list[tuple[str, str]]
    answer: list[tuple[str, str]]
    reward: float = 10.0
    finish_reason: str = "stop"
    dataset: str | list[str] = "sums"
    ground_truth: Any = "4"
    opened: str = ""
    """What the template writes after the mark of the model's turn."""
    rendered: bool = True
    info: dict[str, Any] | None = None


def info(**more: Any) -> dict[str, Any]:
    return {
        "num_calls": 0,
        "timeouts": 0,
        "tool_errors": "",
        "tool_outputs": "",
        "tool_runtimes": 0.0,
        "tool_calleds": False,
        "tool_call_stats": [],
        "rollout_state": {"rewards": [], "step_count": 0, "done": False, "info": {}},
    } | more


TOOL_USE = info(
    num_calls=1, tool_errors="no file /data/sums.txt", tool_outputs="4", tool_runtimes=0.5, tool_calleds=True
)
TURNS = info(rollout_state={"rewards": [0.5, 1.0], "step_count": 2, "done": True, "info": {}})

CASES = [
    Case([SYSTEM, QUESTION], [("assistant", "<think>\nTwo and two.\n</think>\n\n4")], info=info()),
    Case([SYSTEM, QUESTION], [("assistant", "Five.")], reward=0.0, info=info()),
    Case([QUESTION], [("assistant", "Two and two.\n</think>\n\n4")], opened="<think>\n", info=info()),
    Case([QUESTION], [("assistant", LONG)], opened="<think>\n", reward=0.0, finish_reason="length", info=info()),
    Case(
        [QUESTION],
        [("assistant", "<tool_call>add</tool_call>"), ("tool", "4"), ("assistant", "It is 4.")],
        dataset=["sums"],
        ground_truth=["4", "four"],
        info=TOOL_USE,
    ),
    Case([QUESTION], [("assistant", "")], dataset=["sums", "words"], ground_truth=4, reward=0.5, info=TURNS),
    Case([("user", "2 + 2 =")], [("assistant", " 4")], rendered=False),
    Case([("user", "2 + 2 =")], [("assistant", " 5")], rendered=False, reward=0.0),
]


def render(case: Case) -> tuple[str, str]:
    """Prompt and response as one text each, in ChatML."""
    if not case.rendered:
        return case.prompt[0][1], case.answer[0][1] + "<|endoftext|>"
    asked = "".join(f"<|im_start|>{role}\n{content}<|im_end|>\n" for role, content in case.prompt)
    first, *more = case.answer
    said = first[1] + "".join(f"<|im_end|>\n<|im_start|>{role}\n{content}" for role, content in more)
    return f"{asked}<|im_start|>assistant\n{case.opened}", said + ("<|im_end|>" if case.finish_reason == "stop" else "")


def tokenizer(texts: list[str]) -> Tokenizer:
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=340,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(texts, trainer)
    made.add_tokens(
        [AddedToken(text, normalized=False) for text in ("<think>", "</think>", "<tool_call>", "</tool_call>")]
    )
    return made


def main() -> None:
    texts = [render(case) for case in CASES]
    made = tokenizer([text for pair in texts for text in pair])
    OUT.mkdir(exist_ok=True)
    made.save(str(OUT / "tokenizer.json"))
    head = {"run_name": RUN, "git_commit": "e6c3044aa", "model_name": "allenai/Olmo-3-7B-Think-SFT"}
    head["timestamp"] = "2026-11-24T16:00:00.000000+00:00"
    (OUT / f"{RUN}_metadata.jsonl").write_text(json.dumps(head) + "\n", "utf-8")
    lines, expected = [], []
    for i, (case, (asked, said)) in enumerate(zip(CASES, texts, strict=True)):
        step, sample = 1 + i // 4, i % 4
        prompt_ids, response_ids = made.encode(asked).ids, made.encode(said).ids
        record = RolloutRecord(
            step=step,
            sample_idx=sample,
            prompt_idx=sample // 2,
            prompt_tokens=prompt_ids,
            response_tokens=response_ids,
            reward=case.reward,
            advantage=case.reward / 10 - 0.5,
            finish_reason=case.finish_reason,
            dataset=case.dataset,
            ground_truth=case.ground_truth,
            request_info=case.info,
            logprobs=[-0.125 * (n % 7) for n in range(len(response_ids))] if case.info else None,
        )
        lines.append(json.dumps(asdict(record)) + "\n")
        answer = [(case.answer[0][0], case.opened + case.answer[0][1]), *case.answer[1:]]
        expected.append(
            {
                "trace_id": f"{RUN}/{step}/{sample}",
                "group_id": f"{RUN}/{step}/{sample // 2}",
                "sample_index": sample % 2,
                "step": step,
                "messages": [*case.prompt, *answer],
                "num_prompt_messages": len(case.prompt),
                "reward": case.reward,
                "truncated": case.finish_reason == "length",
                "tokens": [len(prompt_ids), len(response_ids)],
            }
        )
    for shard in range(2):
        (OUT / f"{RUN}_rollouts_{shard:06d}.jsonl").write_text("".join(lines[shard * 5 : shard * 5 + 5]), "utf-8")
    (OUT / "expected_rows.json").write_text(json.dumps(expected, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
