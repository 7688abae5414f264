"""NeMo-RL's dumps of training and validation batches: `{train,val}_data_step{N}.jsonl`.

A line is a batch of one, so every value is a list of one element. A line of training says no roles: its texts are
the prompt (one text, or two with a system prompt) and then, turn by turn, an answer and what the environment said to
it, also to the last one. So an odd number of texts has a prompt of one. The environment's last word is the verifier's.
"""

import re
from pathlib import Path
from typing import Any  # JSON values

from synthetic.formats.attempt import add, message, score, told
from synthetic.formats.format import BadLine, Format, Parsed, Place, Source, readable
from synthetic.formats.line import keys, value
from synthetic.formats.messages import take_message
from synthetic.formats.rendered import conversation
from synthetic.record import Json

TOKENS = frozenset("token_ids token_loss_mask sample_loss_mask advantages generation_logprobs prev_logprobs".split())
"""Arrays with a value per token, and what is taken from them here."""

ENVIRONMENT = "environment"
"""The role of what answers the model; it becomes a user's."""

VERDICTS = {"Environment: correct": True, "Environment: incorrect": False}
"""What its environments of mathematics, code and images say to an answer."""

_FILE = re.compile(r"(?P<kind>train|val)_data_step(?P<step>\d+)\.jsonl(\.gz|\.zst)?")


def find(path: Path) -> Source | None:
    """The source that a dump is, with the step and the kind that its name says."""
    if not (match := _FILE.fullmatch(path.name)):
        return None
    kind = "eval" if match["kind"] == "val" else "train"
    root = path.parent
    facts = {"framework": "nemo-rl", "kind": kind, "step": int(match["step"]), "run_name": readable(root.name)}
    return Source(path, root, FORMAT, facts=facts)


def recognises(line: bytes) -> bool:
    """Whether a line has what every dump has."""
    return set(keys(line)) >= {"content", "idx"}


def parse(line: bytes, source: Source, place: Place) -> Parsed:
    """The row of a line; of one of training, late facts: it is the batch that was trained on."""
    whole = value(line)
    if not isinstance(whole, dict):
        raise BadLine("not an object")
    one = {key: given[0] if isinstance(given, list) and len(given) == 1 else given for key, given in whole.items()}
    turns, unread = _turns(one.get("content"))
    if not any(turn["content"] for turn in turns):
        raise BadLine("its texts are empty: those of NeMo-Gym's rollouts are in NeMo-Gym's own log")
    last = turns.pop()["content"] if turns[-1]["role"] == ENVIRONMENT else None
    said = told("environment", last)
    asked, messages = _messages(turns)
    left = {key: given for key, given in whole.items() if key not in TOKENS}
    if not unread and said == last and [turn["content"] for turn in turns] == [each["content"] for each in messages]:
        del left["content"]
    reward = score(one.get("rewards"))
    columns: dict[str, Any] = {
        "reward": reward,
        "rewards": [{"name": "reward", "score": reward, "weight": 1.0}] if "rewards" in one else None,
        "recorded_verdict": VERDICTS.get(last) if last else None,
        "verification_result": {"environment": said} if last else None,
        "text_form": "parsed",
    }
    agent = one.get("agent_ref")
    if isinstance(agent, dict) and isinstance(agent.get("name"), str):
        columns["env_id"] = columns["agent"] = agent["name"]
    parsed = Parsed()
    row = add(parsed, source, place, messages, asked, extra=left or None, **columns)
    if source.facts["kind"] == "train":
        late = {"advantage": _advantage(one), "ship_step": source.facts["step"]}
        if (counts := one.get("sample_loss_mask")) is not None:
            late["trained_on"] = bool(score(counts))
        parsed.late += [(row["trace_id"], None, key, fact) for key, fact in late.items() if fact is not None]
    return parsed


def _turns(content: Json) -> tuple[list[dict[str, Any]], bool]:
    """The messages as the log has them, and whether they say more than is read."""
    if not isinstance(content, list) or not content:
        raise BadLine("'content' is no list of texts or of messages")
    if all(isinstance(each, str) for each in content):
        asked = ["user"] if len(content) % 2 else ["system", "user"]
        roles = [*asked, *(["assistant", ENVIRONMENT] * len(content))]
        return [message(role, said) for role, said in zip(roles, content, strict=False)], False
    if not all(isinstance(each, dict) for each in content):
        raise BadLine("'content' mixes texts and messages")
    left = [dict(each) for each in content]
    turns = [take_message(each) for each in left]
    renamed = any(turn["role"] == ENVIRONMENT for turn in turns[:-1])
    return turns, any(left) or renamed


def _messages(turns: list[dict[str, Any]]) -> tuple[int, list[dict[str, Any]]]:
    """How many messages are the prompt, and all messages: the prompt's text taken apart, the environment a user."""
    first = next((i for i, turn in enumerate(turns) if turn["role"] == "assistant"), len(turns))
    prompt: list[dict[str, Any]] = []
    begun = ""
    for turn in turns[:first]:
        told_of = conversation(turn["content"] or "")
        read = [message(each.role, each.content) for each in told_of] if told_of else [turn]
        if told_of and not told_of[-1].ended:  # the answer is opened
            begun = read.pop()["content"]
        prompt += read
    said = [{**turn, "role": "user"} if turn["role"] == ENVIRONMENT else turn for turn in turns[first:]]
    if said:
        said[0] = {**said[0], "content": begun + (said[0]["content"] or "")}
    return len(prompt), [*prompt, *said]


def _advantage(one: dict[str, Json]) -> float | None:
    """The mean advantage of the tokens that are trained on; null where none is."""
    given, mask = one.get("advantages"), one.get("token_loss_mask")
    if not isinstance(given, list) or not isinstance(mask, list):
        return None
    counted = [number for number, is_on in zip(given, mask, strict=False) if is_on and isinstance(number, int | float)]
    return sum(counted) / len(counted) if counted else None


FORMAT = Format(
    name="nemo-rl",
    title="NeMo-RL's dumps of batches",
    detected_by="the name, and lines with `content` and `idx`",
    looked_for="{train,val}_data_step{step}.jsonl",
    find=find,
    recognises=recognises,
    parse=parse,
    by_name=False,
)
