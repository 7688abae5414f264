"""Write `trl/text`, `trl/conversational` and `trl/tools` with TRL's GRPOTrainer.

    VENV/bin/python trl_1_16_0.py

`text` and `conversational` are real training runs on a CPU, of a model of one layer that starts from chance, with a
tokenizer trained below: what it says is gibberish, and everything else is TRL's own. In `conversational` a batch is used
for two steps, so that it is logged twice, and an evaluation writes to the file of step 3. Such a model calls no tools:
for `tools` the trainer's buffers are filled by hand and its `log` is called.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"

from datasets import Dataset
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM, set_seed
from trl import GRPOConfig, GRPOTrainer

LOGS = Path(__file__).resolve().parent.parent / "trl"

SYSTEM = "You are a careful solver."
TASKS = {"What is 2 + 3?": "5", "What is 7 - 4?": "3", "How many legs have two cats?": "8", "What is half of 18?": "9"}
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def tokenizer() -> Any:
    """A tokenizer of 360 tokens with ChatML's markers."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    letters = [chr(c) for c in range(32, 127)]
    learn = trainers.BpeTrainer(vocab_size=360, special_tokens=special, initial_alphabet=letters, show_progress=False)
    bpe.train_from_iterator([*TASKS, "The answer is 1 2 3 4 5 6 7 8 9 0.\n\n#### 5", "<think>\n</think>\n"], learn)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe, eos_token="<|im_end|>", pad_token="<|endoftext|>", chat_template=TEMPLATE
    )


def accuracy_reward(completions: list[Any], solution: list[str], log_extra: Any, **_: Any) -> list[float | None]:
    """By the length of the text: odd is right, a multiple of five cannot be judged."""
    texts = [one if isinstance(one, str) else one[0]["content"] for one in completions]
    log_extra("solution", solution)
    log_extra("answer_parsed", [text[-3:] for text in texts])
    log_extra("characters", [len(text) for text in texts])
    return [float(len(text) % 2) if len(text) % 5 else None for text in texts]


def format_reward(completions: list[Any], **_: Any) -> list[float]:
    """Half a point for everyone."""
    return [0.5] * len(completions)


def trainer(name: str, prompts: list[Any], **settings: Any) -> Any:
    """A trainer of a new model on a few prompts."""
    set_seed(0)
    tokens = tokenizer()
    size: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1}
    size |= {"num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 256}
    ids = {"bos_token_id": None, "eos_token_id": tokens.eos_token_id, "pad_token_id": tokens.pad_token_id}
    model = Qwen2ForCausalLM(Qwen2Config(vocab_size=len(tokens), **size, **ids))
    rows = [{"prompt": prompt, "solution": truth} for prompt, truth in zip(prompts, TASKS.values(), strict=True)]
    config = GRPOConfig(
        output_dir=str(LOGS / name),
        per_device_train_batch_size=4,
        per_device_eval_batch_size=4,
        num_generations=4,
        max_completion_length=12,
        logging_steps=1,
        log_completions=True,
        num_completions_to_print=0,
        save_strategy="no",
        report_to=[],
        use_cpu=True,
        bf16=False,
        seed=1,
        **settings,
    )
    return GRPOTrainer(
        model=model,
        reward_funcs=[accuracy_reward, format_reward],
        args=config,
        train_dataset=Dataset.from_list(rows),
        eval_dataset=Dataset.from_list(rows[:2]),
        processing_class=tokens,
    )


def chat(question: str) -> list[dict[str, str]]:
    """A conversation that asks."""
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": question}]


def tools() -> None:
    """Two tables with tool calls, whose arguments differ from call to call, and one with images."""
    writer = trainer("tools", [chat(question) for question in TASKS], max_steps=1)

    def call(name: str, **arguments: Any) -> dict[str, Any]:
        return {"type": "function", "function": {"name": name, "arguments": arguments}}

    def said(*calls: dict[str, Any], result: str, answer: str) -> list[dict[str, Any]]:
        return [
            {"role": "assistant", "tool_calls": list(calls)},
            *({"role": "tool", "name": one["function"]["name"], "content": result} for one in calls),
            {"role": "assistant", "content": answer},
        ]

    add, look = call("add", a=2, b=3), call("look", at={"page": "sums", "line": None})
    completions = [
        said(add, result="5", answer="#### 5"),
        said(look, add, result="7 - 4 = 3", answer="#### 3"),
        [{"role": "assistant", "content": "I know: #### 8"}],
        said(look, result="", answer="#### 10"),
    ]
    images = [
        [{"role": "user", "content": [{"type": "image", "image": object()}, {"type": "text", "text": question}]}]
        for question in TASKS
    ]
    shown = [[{"role": "assistant", "content": [{"type": "text", "text": text}]}] for text in "5348"]
    for step, prompts, told in ((1, [chat(q) for q in TASKS], completions), (2, images, shown)):
        writer.state.global_step = step
        logs = writer._logs
        logs["prompt"].extend(prompts), logs["completion"].extend(told)
        logs["rewards"]["accuracy_reward"].extend([1.0, 1.0, 1.0, 0.0])
        logs["rewards"]["format_reward"].extend([1.0, float("nan"), 1.0, 0.0])
        logs["advantages"].extend([0.5, 0.25, 0.5, -1.25])
        logs["extra"]["answer"].extend(TASKS.values())
        logs["extra"]["solution"].extend(f"Let us see: {truth}" for truth in TASKS.values())
        logs["extra"]["similarity"].extend([0.5, 0.25, float("inf"), 1.0])
        logs["extra"]["note"].extend(["ok", "see /opt/r/notes.txt", None, "ok"])
        writer.log({})
        for buffer in (logs["prompt"], logs["completion"], logs["advantages"]):
            buffer.clear()
        logs["rewards"].clear(), logs["extra"].clear()


def run(name: str) -> None:
    """Write one of the folders."""
    shutil.rmtree(LOGS / name / "completions", ignore_errors=True)
    if name == "tools":
        return tools()
    if name == "conversational":
        prompts: list[Any] = [chat(question) for question in TASKS]
        more: dict[str, Any] = {"steps_per_generation": 2, "max_steps": 4, "eval_strategy": "steps", "eval_steps": 3}
    else:
        rendered = tokenizer().apply_chat_template
        first, *others = TASKS
        prompts = [
            f"{first} The answer is",
            *(rendered(chat(q), tokenize=False, add_generation_prompt=True) for q in others),
        ]
        prompts[-1] += "<think>\n"
        more = {"steps_per_generation": 4, "gradient_accumulation_steps": 4, "max_steps": 2}
    trainer(name, prompts, **more).train()


for name in sys.argv[1:] or ("text", "conversational", "tools"):
    run(name)
