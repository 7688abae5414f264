"""Arrange a small prime-rl run of layout A from the other 0.4.0 fixtures.

    VENV/bin/python prime_rl_a.py        (VENV holds requirements_0_4_0.txt)

The episodes are those of `vf_eval_0_4_0` and `branches_0_4_0` under new ids. What the
orchestrator would add is added by hand: environment names, groups, run stamps, token ids
(one per word, with invented logprobs) and advantages (reward minus the group's mean).
The lines are written as `FileMonitor.log_episodes` of prime-rl 559b447 writes them:
`orjson.dumps(episode.to_record(), default=str)`.

Step 1 holds a right-and-wrong pair twice, a provider error, a group in which all are
right (so none of it is effective), an episode that failed before any trace, and one with
three traces of which two are effective. Step 2 is in flight: its last line is torn.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

import orjson
import verifiers.v1 as vf
from verifiers.v1.episode import PolicySpan, TrainRunInfo, WireEpisode

LOGS = Path(__file__).resolve().parent.parent
HOME = LOGS / "prime_rl_a"
RUN = "puzzles--scribe-1b--5e1f0a2c"
CLOCK = 1795430100.0
TORN_BYTES = 1500

Episode = vf.Episode


def hexes(text: str, length: int = 32) -> str:
    """Hex digits that depend on the text alone."""
    return hashlib.sha256(f"prime_rl_a:{text}".encode()).hexdigest()[:length]


def episodes_of(folder: str, name: str) -> list[Episode]:
    """The episodes of a fixture that play the task of this name, under new ids."""
    found = []
    for line in (LOGS / folder / "traces.jsonl").read_bytes().split(b"\n"):
        if not line or json.loads(line)["task"]["data"]["name"] != name:
            continue
        episode = WireEpisode.model_validate_json(line)
        episode.id = hexes(episode.id)
        for trace in episode.traces:
            trace.id = hexes(trace.id)
            add_tokens(trace)
        found.append(episode)
    return found


def add_tokens(trace: vf.Trace) -> None:
    """Give every node one token per word, as if a renderer had made them."""
    for node in trace.nodes:
        words = json.dumps(node.message.model_dump(exclude_none=True)).split()
        ids = [int(hexes(word, 4), 16) for word in words]
        head = [2, 3] if node.sampled else [1]
        node.token_ids = head + ids
        node.mask = [False] * len(head) + [node.sampled] * len(ids)
        node.is_content = [False] * len(head) + [True] * len(ids)
        node.logprobs = [-(n % 7) / 16 for n in ids] if node.sampled else []


def stamp(
    episodes: Sequence[Episode],
    env: str,
    step: int,
    policy: tuple[int, int],
    work: type[vf.TrainWorkInfo] | type[vf.EvalWorkInfo] = vf.TrainWorkInfo,
) -> list[Episode]:
    """Stamp one group of episodes as the orchestrator does."""
    digits = hexes(f"{env}:{episodes[0].id}")
    cuts = ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))
    group = "-".join(digits[start:end] for start, end in cuts)
    for episode in episodes:
        episode.env.name = env
        episode.group = vf.GroupInfo(id=group)
        span = PolicySpan(start=policy[0], end=policy[1])
        episode.run = TrainRunInfo(id=hexes("run"), name=RUN, work=work(step=step, policy=span))
    return list(episodes)


def effective(group: Sequence[Episode]) -> list[Episode]:
    """Copies that hold the traces with an advantage that is not zero."""
    able = [t for e in group for t in e.traces if t.ok and t.agent.trainable]
    mean = fmean(trace.reward for trace in able)
    copies = []
    for episode in group:
        kept = []
        for trace in episode.traces:
            advantage = round(trace.reward - mean, 4)
            if trace not in able or not advantage:
                continue
            copy = trace.model_copy(deep=True)
            copy.info["advantage"] = advantage
            for node in copy.nodes:
                if node.sampled:
                    node.advantages = [advantage] * sum(node.mask)
            kept.append(copy)
        if kept:
            copies.append(episode.model_copy(update={"traces": kept}))
    return copies


def write(place: str, episodes: Sequence[Episode], torn: Episode | None = None) -> None:
    """Append episodes to a step's file, and the beginning of one more."""
    path = HOME / "rollouts" / place / "traces.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    options = orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY
    with path.open("ab") as file:
        for episode in episodes:
            file.write(orjson.dumps(episode.to_record(), default=str, option=options))
        if torn is not None:
            line = orjson.dumps(torn.to_record(), default=str, option=options)
            file.write(line[:TORN_BYTES])


def main() -> None:
    """Write the run."""
    shutil.rmtree(HOME / "rollouts", ignore_errors=True)
    plain, panel = "vf_eval_0_4_0", "branches_0_4_0/panel"
    chat = "branches_0_4_0/user_sim"
    start = (0, 0)
    groups = [
        stamp(episodes_of(plain, "sum"), "puzzles-train", 1, start),
        stamp(episodes_of(plain, "legs"), "puzzles-train", 1, start),
        stamp(episodes_of(plain, "refused")[:1], "puzzles-train", 1, start),
        stamp(episodes_of(chat, "sum"), "chat", 1, start),
        stamp(episodes_of(panel, "none")[:1], "panel", 1, start),
        stamp(episodes_of(panel, "moons")[:1], "panel", 1, start),
    ]
    write("step_1/train/all", [episode for group in groups for episode in group])
    able = [group for group in groups if any(t.ok for e in group for t in e.traces)]
    shipped = [episode for group in able for episode in effective(group)]
    write("step_1/train/effective", shipped)

    done = stamp(episodes_of(plain, "count"), "puzzles-eval", 1, start, vf.EvalWorkInfo)
    failed = stamp(episodes_of(plain, "refused")[1:], "puzzles-eval", 1, start, vf.EvalWorkInfo)
    write("step_1/eval/all", done + failed)
    write("step_1/eval/effective", done)

    kanji = stamp(episodes_of(plain, "kanji"), "puzzles-train", 1, (0, 1))
    first, second = stamp(episodes_of(plain, "product"), "puzzles-train", 2, (1, 1))
    write("step_2/train/all", [*kanji, first], torn=second)

    rows = [{"step": 1, "time": CLOCK, "progress/rollouts": len(groups)}]
    with (HOME / "metrics.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


if __name__ == "__main__":
    main()
