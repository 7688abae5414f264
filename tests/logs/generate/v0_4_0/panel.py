"""A verifiers 0.4.0 env with several agents: two solvers and a critic who picks one.

The critic's tokens are never training data, and it has no rewards. A task whose prompt
asks for the impossible ends before any agent has run, so its episode has no traces.
"""

from __future__ import annotations

import verifiers.v1 as vf


class PanelData(vf.TaskData):
    """A question and its answer."""

    answer: str


class PanelTask(vf.Task[PanelData]):
    """Scores the text behind the last "ANSWER:"."""

    @vf.reward(weight=1.0)
    async def correct(self, trace: vf.Trace) -> float:
        answer = trace.last_reply.rsplit("ANSWER:", 1)[-1].strip()
        return float(answer == self.data.answer)


class PanelTaskset(vf.Taskset[PanelTask, vf.TasksetConfig]):
    """Two questions; nobody can play the second."""

    def load(self) -> list[PanelTask]:
        rows = [
            ("moons", "How many moons does Mars have?", "2"),
            ("none", "Impossible: name the last digit of pi.", ""),
        ]
        return [
            PanelTask(PanelData(name=name, prompt=prompt, answer=answer), self.config.task)
            for name, prompt, answer in rows
        ]


class PanelConfig(vf.EnvConfig):
    """The seats."""

    solver: vf.AgentConfig = vf.AgentConfig(harness={"id": "null"})
    critic: vf.AgentConfig = vf.AgentConfig(harness={"id": "null"})


class PanelEnv(vf.Env[PanelConfig]):
    """Solve twice, then let the critic choose."""

    async def setup(self, agents: vf.Agents) -> None:
        agents.critic.trainable = False

    async def run(self, task: vf.Task, agents: vf.Agents) -> None:
        if task.data.prompt_text.startswith("Impossible"):
            raise ValueError("this question has no answer")
        replies = [(await agents.solver.run(task)).last_reply for _ in range(2)]
        choice = vf.Task(
            vf.TaskData(
                prompt="Which is better?\n1: {}\n2: {}".format(*replies),
                system_prompt="You compare two answers.",
            )
        )
        await agents.critic.run(choice)

    async def finalize(self, task: vf.Task, episode: vf.Episode) -> None:
        picked = episode.by_agent["critic"][0].last_reply
        for place, trace in enumerate(episode.by_agent["solver"], 1):
            trace.record_reward("picked", float(picked == str(place)), weight=0.5)


__all__ = ["PanelEnv", "PanelTaskset"]
