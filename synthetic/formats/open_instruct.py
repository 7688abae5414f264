"""open-instruct's saved traces (`--save_traces`): `{run}_metadata.jsonl` and `{run}_rollouts_{shard:06d}.jsonl`.

They hold token ids and no text, so they are read with a tokenizer. A prompt's roles are found by the markers of its
chat template; one whose template is not known is a user's single message.
"""

import re
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any  # JSON values

import msgspec

from synthetic.errors import UnreadableLog
from synthetic.formats import rendered
from synthetic.formats.attempt import add, message, score, text
from synthetic.formats.format import TEXT_BYTES, BadLine, Decode, Format, Parsed, Place, Source, readable
from synthetic.formats.line import NULL, fields, keys, value
from synthetic.formats.messages import take
from synthetic.formats.private import public_errors, public_name
from synthetic.formats.records import open_log, whole_lines
from synthetic.formats.tokens import arrays_of
from synthetic.record import row_id

KEYS = frozenset({"step", "sample_idx", "prompt_idx", "prompt_tokens", "response_tokens"})
ARRAYS = frozenset({"prompt_tokens", "response_tokens", "logprobs"})

_FILE = re.compile(r"(.+)_rollouts_\d+\.jsonl(\.gz|\.zst)?")

LINES_TRIED = 1000
"""In so many lines a second prompt must begin, or the size of a group is not known."""


def find(path: Path) -> Source | None:
    """The source that a shard of rollouts is, with what the run's metadata say: model, name, commit."""
    if not (match := _FILE.fullmatch(path.name)):
        return None
    run = readable(match[1])
    head = _metadata(path.with_name(f"{match[1]}_metadata.jsonl"))
    facts: dict[str, Any] = {"framework": "open-instruct", "kind": "train", "run_name": public_name(run)}
    if isinstance(head.get("model_name"), str):
        facts["model"] = public_name(head["model_name"])
    if isinstance(head.get("git_commit"), str):
        facts["framework_version"] = head["git_commit"]
    known: dict[str, Any] = {"metadata": head, "run": run, "size": _group_size(path)}
    return Source(path, path.parent, FORMAT, facts=facts, header=known)


def _metadata(path: Path) -> dict[str, Any]:
    try:
        head = value(next(whole_lines(open_log(path)), b"{}"))
    except (UnreadableLog, ValueError, RecursionError, msgspec.MsgspecError):
        return {}
    return head if isinstance(head, dict) else {}


def _group_size(path: Path) -> int | None:
    """Attempts per prompt: where one prompt ends and the next begins, `sample_idx` is a multiple of it."""
    before: tuple[Any, Any] | None = None
    try:
        for line in islice(whole_lines(open_log(path)), LINES_TRIED):
            members = fields(line)
            step, sample, prompt = (value(members[key]) for key in ("step", "sample_idx", "prompt_idx"))
            if before == (step, prompt - 1):
                return sample // prompt if sample % prompt == 0 else None
            before = (step, prompt)
    except (UnreadableLog, msgspec.MsgspecError):
        pass
    except (ValueError, TypeError, LookupError, ArithmeticError, RecursionError):
        pass
    return None


def recognises(line: bytes) -> bool:
    """Whether a line is a saved rollout."""
    return set(keys(line)) >= KEYS


def parse(line: bytes, source: Source, place: Place) -> Parsed:
    """The row of a rollout, and its advantage. Raises `BadLine`, or `ValueError` where strict JSON fails."""
    if source.decode is None:
        raise BadLine("token ids only, and no tokenizer")
    members = fields(line)
    if not members.keys() >= KEYS:
        raise BadLine(f"no rollout: it needs {', '.join(sorted(KEYS))}")
    if sum(len(memoryview(raw)) for key, raw in members.items() if key not in ARRAYS) > TEXT_BYTES:
        raise BadLine(f"more than {TEXT_BYTES / 1e6:,.0f} MB of text in one line is no rollout")
    asked, wrote = value(members["prompt_tokens"]), value(members["response_tokens"])
    left = {key: value(raw) for key, raw in members.items() if key not in ARRAYS}
    row = _identity(left, source)
    messages, num_prompt = _messages(asked, wrote, source.decode)
    row |= {"prompt_tokens": len(asked), "completion_tokens": len(wrote), "text_form": "detokenized"}
    row |= _outcome(left)
    take(left, row, finish_reason="finish_reason")
    row["is_truncated"] = row["finish_reason"] == "length" if "finish_reason" in row else None

    parsed = Parsed()
    if isinstance(left.get("advantage"), float):
        parsed.late.append((row["trace_id"], None, "advantage", left.pop("advantage")))
    first = {"metadata": source.header["metadata"]} if source.header.get("metadata") and not place.log_offset else {}
    add(parsed, source, place, messages, num_prompt, **row, extra=first | left)
    return parsed


def _identity(left: dict[str, Any], source: Source) -> dict[str, Any]:
    step, sample, prompt = (left.pop(key) for key in ("step", "sample_idx", "prompt_idx"))
    if not all(type(number) is int for number in (step, sample, prompt)):
        raise BadLine("step, sample_idx and prompt_idx are no whole numbers")
    run, size = source.header["run"], source.header["size"]
    row: dict[str, Any] = {
        "trace_id": f"{run}/{step}/{sample}",
        "group_id": f"{run}/{step}/{prompt}",
        "step": step,
    }
    if size and sample // size == prompt:
        row["sample_index"] = sample % size
    else:
        left |= {"sample_idx": sample}
    dataset = left.get("dataset")
    names = dataset if isinstance(dataset, list) else [dataset]
    if len(names) == 1 and isinstance(names[0], str):
        row["env_id"] = public_name(names[0])
        if row["env_id"] == dataset:
            del left["dataset"]
    row["ground_truth"] = text(left.get("ground_truth"))
    if isinstance(left.get("ground_truth"), str):
        del left["ground_truth"]
    return row


def _messages(asked: list[int], wrote: list[int], decode: Decode) -> tuple[list[dict[str, Any]], int]:
    """The conversation, and how many of its messages are the prompt."""
    prompt = decode(asked, special=True)
    before, turns = rendered.turns(prompt)
    if not turns:
        plain = decode(asked, special=False)
        return [message("user", plain), message("assistant", decode(wrote, special=False))], 1
    begun = ""
    if (
        turns[-1].role == "assistant" and not turns[-1].ended
    ):  # the model's turn, which the template opened, and may have begun to think
        begun = turns.pop().content
        begun += "\n" if begun and prompt.endswith("\n") else ""
    messages = [message("system", before)] if before.strip() and not _is_special(before, asked, decode) else []
    messages += [message(turn.role, turn.content) for turn in turns]
    said, more = rendered.turns(decode(wrote, special=True))
    answer = said if more else decode(wrote, special=False)
    told = [message("assistant", begun + answer), *(message(turn.role, turn.content) for turn in more)]
    return messages + told, len(messages)


def _is_special(before: str, asked: list[int], decode: Decode) -> bool:
    """Whether what stands before the first turn is marks only, such as that of a text's beginning."""
    return not decode(asked, special=False).lstrip().startswith(before.strip())


def _outcome(left: dict[str, Any]) -> dict[str, Any]:
    """Reward and what the tools did. Texts that tools gave may hold anything: they stay in `extra`."""
    reward = score(left.get("reward"))
    if reward is not None and type(left["reward"]) is float:
        del left["reward"]
    info = given if isinstance(given := left.get("request_info"), dict) else {}
    counted = {key: one for key, one in info.items() if isinstance(one, bool | int | float)}
    state = given if isinstance(given := info.get("rollout_state"), dict) else {}
    failed = info.get("tool_errors")
    return {
        "reward": reward,
        "rewards": _rewards(state.get("rewards")),
        "verification_result": counted or None,
        "errors": public_errors([{"type": "ToolError", "message": failed}]) if failed else None,
    }


def _rewards(given: Any) -> list[dict[str, Any]] | None:
    """The rewards that an environment gave turn by turn, or by name."""
    named: Mapping[str, Any] = given if isinstance(given, dict) else {}
    if isinstance(given, list):
        named = {f"turn_{i}": one for i, one in enumerate(given)}
    return [{"name": name, "score": score(one), "weight": None} for name, one in named.items()] or None


def tokens(line: bytes, source: Source, place: Place) -> list[dict[str, Any]]:
    """Token ids and log-probabilities of a line: of the prompt, and of the response."""
    members = fields(line)
    asked, wrote, logprobs = (value(members.get(key, NULL)) for key in ("prompt_tokens", "response_tokens", "logprobs"))
    if not isinstance(asked, list) or not isinstance(wrote, list):
        raise BadLine("token ids are no lists")
    arrays = arrays_of(
        [
            {"token_ids": asked, "mask": [False] * len(asked)},
            {"token_ids": wrote, "mask": [True] * len(wrote), "logprobs": logprobs},
        ]
    )
    trace = f"{source.header['run']}/{value(members['step'])}/{value(members['sample_idx'])}"
    return [{"row_id": row_id(trace, 0)} | arrays | {"log_file": place.log_file, "log_offset": place.log_offset}]


FORMAT = Format(
    name="open-instruct",
    title="open-instruct's saved traces, read with --tokenizer",
    detected_by="the path and lines with `prompt_tokens` and `response_tokens`",
    looked_for="RUN_rollouts_NNNNNN.jsonl",
    selected="Prompts whose attempts all had one reward are dropped before saving.",
    find=find,
    recognises=recognises,
    parse=parse,
    tokens=tokens,
    needs_tokenizer=True,
)
"""Token ids are decoded by `Source.decode`, which `capture` sets."""
