"""Write the fixture folder `inspect_ai`: inspect_ai's own logs of one small task, from its own mock model.

    mkdir -p /opt/r && cd /opt/r && python3 -m venv venv && venv/bin/pip install -r requirements_inspect_ai.txt
    venv/bin/python inspect_ai_logs.py OUT

Run in a neutral folder: tracebacks of the failed sample name it. `plain/` is a `.json` log with one sample called
invalid afterwards; `zipped/` an `.eval` with inspect_ai's compression (zstd), `deflated/` one with that of versions
long ago, `crashed/` one whose process died after three samples. Ids and times are new in every run.
"""

import math
import os
import sys
from pathlib import Path

from inspect_ai import Task, eval, task
from inspect_ai._util.zipfile import zipfile_compress_kwargs
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.log import ProvenanceData, invalidate_samples, read_eval_log, write_eval_log
from inspect_ai.model import (
    ChatMessageAssistant,
    ChatMessageUser,
    ContentImage,
    ContentReasoning,
    ContentText,
    GenerateConfig,
    ModelOutput,
    ModelUsage,
    get_model,
)
from inspect_ai.scorer import Score, accuracy, mean, scorer, stderr
from inspect_ai.solver import generate, solver, system_message, use_tools
from inspect_ai.tool import ToolCall, tool

DOT = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
LONG = "A train leaves at nine and a second one at ten, both on one line of track, both for the same town by the sea. "

SAMPLES = [
    Sample(id="sum", input="What is 2 + 2?", target="4", metadata={"level": 1}),
    Sample(id="trains", input=LONG + "How many trains are there?", target=["2", "two"], metadata={"level": 2}),
    Sample(id=7, input="Use the tool: 6 * 7.", target="42"),
    Sample(id="loop", input="Use the tool until the end.", target="never"),
    Sample(id="broken", input="Raise an error.", target="-"),
    Sample(id="partly", input="Name two primes.", target="2, 3", choices=["2, 3", "4, 6"]),
    Sample(id="silent", input="Say nothing.", target="nothing"),
    Sample(id="cut", input="Count to a hundred.", target="100"),
    Sample(id="sealed", input="What is the capital of France?", target="Paris"),
    Sample(
        id="image",
        input=[
            ChatMessageUser(content="What is 1 + 1?"),
            ChatMessageAssistant(content="2"),
            ChatMessageUser(content=[ContentText(text="And what is this?"), ContentImage(image=DOT)]),
        ],
        target="a dot",
    ),
]


@tool
def multiply():
    async def execute(a: int, b: int) -> int:
        """Multiply two numbers, exactly and without a rest, however large or small either of the two of them may be.

        Args:
            a: The first number.
            b: The second number.
        """
        return a * b

    return execute


@solver
def raises():
    async def solve(state, generate):
        if state.sample_id == "broken":
            raise RuntimeError("no reply from http://10.0.0.7:8000/v1")
        return state

    return solve


@scorer(metrics=[accuracy(), stderr()])
def judge():
    async def score(state, target):
        special = {"partly": "P", "silent": "N"}.get(str(state.sample_id))
        right = any(text in state.output.completion for text in target)
        return Score(
            value=special or ("C" if right else "I"), answer=state.output.completion or None, explanation="said so"
        )

    return score


@scorer(metrics=[mean()])
def brevity():
    async def score(state, target):
        length = len(state.output.completion)
        return Score(value=math.nan if not length else 1 / length, metadata={"length": length})

    return score


@scorer(metrics={"*": [mean()]})
def form():
    async def score(state, target):
        return Score(value={"short": len(state.output.completion) < 9, "letters": 0.5})

    return score


def reply(messages, tools, tool_choice, config):
    """What the model says, by the last question and by how often it was asked."""
    asked = [m.text for m in messages if m.role == "user"][-1]
    turn = sum(m.role == "assistant" and m.source == "generate" for m in messages)
    call = ToolCall(id=f"call_{turn}", function="multiply", arguments={"a": 6, "b": 7})
    stop, calls = "stop", None
    if "until the end" in asked or (asked.startswith("Use the tool") and turn == 0):
        content, calls, stop = (
            [ContentReasoning(reasoning="The tool knows."), ContentText(text="")],
            [call],
            "tool_calls",
        )
    elif asked.startswith("Use the tool"):
        content = "It is 42."
    elif "2 + 2" in asked:
        content = [
            ContentReasoning(reasoning="Two and two: attachment://0123456789abcdef is no attachment."),
            ContentText(text="4"),
        ]
    elif "trains" in asked:
        content = [ContentReasoning(reasoning=LONG * 2), ContentText(text="Three \u2028 trains, 💡.")]
    elif "capital" in asked:
        content = [
            ContentReasoning(reasoning="gAAAAsecret", summary="Thought of France.", redacted=True),
            ContentText(text="Paris"),
        ]
    elif "hundred" in asked:
        content, stop = "1, 2, 3,", "max_tokens"
    else:
        content = {"Name two primes.": "2 and 4", "Say nothing.": ""}.get(asked, "a dot")
    message = ChatMessageAssistant(content=content, tool_calls=calls, source="generate", model="scripted")
    output = ModelOutput.from_message(message, stop_reason=stop)
    output.model = "scripted"
    output.usage = ModelUsage(
        input_tokens=20 + turn, output_tokens=7, total_tokens=27 + turn, input_tokens_cache_read=3
    )
    return output


@task
def puzzles(dies: bool = False):
    @solver
    def may_die():
        async def solve(state, generate):
            if dies and state.sample_id == "loop":
                os._exit(1)
            return state

        return solve

    return Task(
        dataset=MemoryDataset(SAMPLES, name="puzzles"),
        solver=[raises(), may_die(), system_message("Answer in a word."), use_tools(multiply()), generate()],
        scorer=[judge(), brevity(), form()],
        message_limit=6,
        config=GenerateConfig(temperature=0.5, max_tokens=64),
    )


def run(
    folder: Path, log_format: str, *, dies: bool = False, epochs: int = 1, samples: tuple[int, int] | None = None
) -> Path:
    logs = eval(
        puzzles(dies=dies),
        model=get_model("mockllm/scripted", custom_outputs=reply, memoize=False),
        epochs=epochs,
        limit=samples,
        log_dir=str(folder),
        log_format=log_format,
        log_buffer=1,
        max_samples=1,
        fail_on_error=False,
        display="none",
    )
    return Path(logs[0].location)


def main(out: Path) -> None:
    plain = run(out / "plain", "json", samples=(3, 10))
    log = read_eval_log(str(plain))
    uuid = next(sample.uuid for sample in log.samples if sample.id == "sealed")
    why = ProvenanceData(author="reader", reason="the question had leaked to /data/leaks.txt")
    write_eval_log(invalidate_samples(log, [uuid], why), str(plain))
    run(out / "zipped", "eval", epochs=2)
    if not os.fork():
        run(out / "crashed", "eval", dies=True)
    os.wait()
    zipfile_compress_kwargs.update(compression=8)
    run(out / "deflated", "eval")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
