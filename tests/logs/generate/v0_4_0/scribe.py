"""A verifiers 0.4.0 harness whose message graph has several leaves, and its tasks.

The harness runs in this process and calls the model through verifiers' interception
server, which builds the graph. The task says which plan it plays:

- `twice`: ask the model twice from the same prompt, then go on from the second reply.
- `retry`: a tool-less chat that goes back to its first turn and tries again.
- `compact`: summarise the talk in a checkpoint turn that fails, then in one that is
  accepted, and go on from the summary under a new root.
- `expert`: hand a question to a sub-agent (a root of its own) and use what it returns.
- `same`: call the model once, then repeat the very same request; both replies are equal.

Plans `compact` and `expert` declare their links as an ACP harness would: a request id in
a header, and `Trace.add_semantic_edges` for the edges.
"""

from __future__ import annotations

import itertools
from typing import Any

import httpx
import verifiers.v1 as vf
from verifiers.v1.semantic import (
    ACP_MODEL_REQUEST_ID_HEADER,
    SemanticEdge,
    SemanticEdgeSet,
)

# Any: chat messages are JSON objects whose keys the protocol leaves open.
Message = dict[str, Any]

SUMMARISE = "Summarise the talk so far for whoever goes on with it."


def user(text: str) -> Message:
    """A user message."""
    return {"role": "user", "content": text}


class Talk:
    """One rollout's line to the model."""

    def __init__(self, client: httpx.AsyncClient, model: str) -> None:
        self.client = client
        self.model = model
        self.names = (f"turn-{n}" for n in itertools.count(1))

    async def ask(self, messages: list[Message], linked: bool) -> tuple[Message, str]:
        """Send a chat request; gives the reply and, if `linked`, its request id."""
        name = next(self.names)
        headers = {ACP_MODEL_REQUEST_ID_HEADER: name} if linked else {}
        response = await self.client.post(
            "/chat/completions",
            json={"model": self.model, "messages": messages},
            headers=headers,
        )
        response.raise_for_status()
        reply = response.json()["choices"][0]["message"]
        kept = ("role", "content", "reasoning_content")
        return {key: reply[key] for key in kept if reply.get(key) is not None}, name


def link(source: str, target: str, type: str) -> SemanticEdge:
    """An edge between two requests."""
    return SemanticEdge(source_request_id=source, target_request_id=target, type=type)


async def play(talk: Talk, plan: str, system: Message, task: Message) -> list[SemanticEdge]:
    """Play a plan; gives the edges it declares."""
    start = [system, task]
    if plan == "compact":
        first, name_1 = await talk.ask(start, True)
        long = [*start, first, user(SUMMARISE)]
        _, failed = await talk.ask(long, True)
        summary, accepted = await talk.ask(long, True)
        fresh = [system, user("The talk so far: " + summary["content"])]
        _, name_2 = await talk.ask(fresh, True)
        return [
            link(name_1, failed, "compaction_attempt"),
            link(name_1, accepted, "compaction_attempt"),
            link(accepted, name_2, "compaction"),
        ]
    if plan == "expert":
        first, caller = await talk.ask(start, True)
        order = [
            {"role": "system", "content": "You help with one question."},
            user(first["content"]),
        ]
        found, expert = await talk.ask(order, True)
        await talk.ask([*start, first, user("Expert: " + found["content"])], True)
        return [
            link(caller, expert, "subagent_call"),
            link(expert, "turn-3", "subagent_return"),
        ]
    first, _ = await talk.ask(start, False)
    if plan == "retry":
        await talk.ask([*start, first, user("Are you sure?")], False)
        await talk.ask([*start, first, user("Please count once more.")], False)
    if plan == "twice":
        second, _ = await talk.ask(start, False)
        await talk.ask([*start, second, user("Now the answer alone.")], False)
    if plan == "same":
        await talk.ask(start, False)
    return []


class ScribeData(vf.TaskData):
    """A question, its answer, and the plan that plays it."""

    answer: str
    plan: str


class ScribeTask(vf.Task[ScribeData]):
    """Scores the text behind the last "ANSWER:"."""

    @vf.reward(weight=2.0)
    async def correct(self, trace: vf.Trace) -> float:
        answer = trace.last_reply.rsplit("ANSWER:", 1)[-1].strip()
        return float(answer == self.data.answer)


class ScribeHarness(vf.Harness[vf.HarnessConfig]):
    """Plays the plan of the task."""

    APPENDS_SYSTEM_PROMPT = True
    EXECUTES_CODE = False
    NEEDS_CONTAINER = False

    async def launch(
        self,
        ctx: vf.ModelContext,
        trace: vf.Trace,
        runtime: vf.Runtime,
        endpoint: str,
        secret: str,
        mcp_urls: dict[str, str],
        data: vf.TaskData,
    ) -> vf.ProgramResult:
        system, prompt = self.resolve_text_prompt(data)
        async with httpx.AsyncClient(base_url=endpoint, headers={"Authorization": f"Bearer {secret}"}) as client:
            edges = await play(
                Talk(client, ctx.model),
                trace.task.data.plan,
                {"role": "system", "content": system},
                user(prompt or ""),
            )
        if edges:
            trace.add_semantic_edges(SemanticEdgeSet(edges=edges))
        return vf.ProgramResult(exit_code=0, stdout="", stderr="")


SYSTEM = "You count. End with ANSWER: and the number."
ROWS = [
    ("twice", "How many corners does a cube have?", "8"),
    ("retry", "How many edges does a cube have?", "12"),
    ("compact", "How many faces do two cubes have?", "12"),
    ("expert", "How many legs do two spiders have?", "16"),
    ("same", "How many sides does a square have?", "4"),
]


class ScribeTaskset(vf.Taskset[ScribeTask, vf.TasksetConfig]):
    """One task per plan."""

    def load(self) -> list[ScribeTask]:
        return [
            ScribeTask(
                ScribeData(
                    name=plan,
                    plan=plan,
                    prompt=prompt,
                    system_prompt=SYSTEM,
                    answer=answer,
                ),
                self.config.task,
            )
            for plan, prompt, answer in ROWS
        ]


__all__ = ["ScribeHarness", "ScribeTaskset"]
