"""The scripted model: an attempt and the conversation so far give the next reply.

Everything it needs is in the attempt's seeds and the problem, so the same request always
gets the same reply. It writes genuine working for the actual problem (see `write_*`).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cache
from hashlib import blake2b
from random import Random
from typing import Any

import write_arithmetic
import write_puzzles
from estimates import ESTIMATES
from orders import ORDERS
from plan import Attempt
from rg_mix import DATASETS, PER_DATASET, entry
from trips import TRIPS
from voice import Voice, Working
from write_estimates import estimate
from write_orders import Turn, order_turns
from write_trips import desk, traveller

TOKEN = re.compile(r"\w+|[^\w\s]")
MAX_TOKENS = 600
SWAPS = (
    ("Next", "Then"), ("together", "altogether"), ("gives", "yields"), ("So the", "Thus the"),
    ("I need to", "I have to"), ("remainder", "rest"), ("Check", "Proof"), ("because", "since"),
    ("Running total", "Sum so far"), ("which is", "that is"), ("Adding", "Summing"), ("good", "fine"),
)  # fmt: skip


@dataclass(frozen=True)
class Reply:
    content: str
    thinking: str | None = None
    calls: list[tuple[str, str]] = field(default_factory=list)
    """Tool calls as (id, expression)."""
    finish_reason: str = "stop"


@dataclass(frozen=True)
class Fault:
    status: int
    message: str


@dataclass(frozen=True)
class Stall:
    """The provider never answers."""


# Any: chat messages as they come over the wire.
def respond(attempt: Attempt, role: str, messages: list[dict[str, Any]]) -> Reply | Fault | Stall:
    """The next reply; `role` is policy or traveller."""
    said = [m for m in messages if m["role"] == "assistant"]
    if role == "traveller":
        heard = [str(m["content"]) for m in messages if m["role"] == "user"]
        rng = Random(f"{attempt.words}/traveller/{len(said)}")
        return Reply(traveller(TRIPS[attempt.problem.index], heard, rng))
    if attempt.conduct == "stalled":
        return Stall()
    if attempt.conduct == "refused":
        return Fault(400, "prompt was refused: no free slot in the prefix cache")
    if attempt.conduct == "overloaded":
        return Fault(500, "engine core died while sampling")
    if attempt.conduct == "empty":
        return Reply("")
    voice = Voice(Random(attempt.words))
    if attempt.problem.env == "orders":
        turns, last = _order(attempt, voice)
        if len(said) < len(turns):
            return _call(attempt, turns[len(said)], len(said))
    elif attempt.problem.env == "trips":
        asks, last = desk(TRIPS[attempt.problem.index], voice, slip=_slips(attempt))
        if len(said) < len(asks):
            return Reply(asks[len(said)].reply, asks[len(said)].thinking)
    else:
        last = _single(attempt, attempt.words)
    return _final(attempt, last)


def _slips(attempt: Attempt) -> bool:
    return attempt.conduct == "slip"


def _single(attempt: Attempt, words: int) -> Working:
    """The working of a single-turn attempt, at least about a hundred words long."""
    voice = Voice(Random(words))
    if attempt.problem.env == "estimates":
        care = {"rough": 0, "fair": 1}.get(attempt.conduct, 2)
        working = estimate(ESTIMATES[attempt.problem.index], voice, care=care, slip=_slips(attempt))
    else:
        dataset = list(DATASETS)[attempt.problem.index // PER_DATASET]
        writer = getattr(write_arithmetic, dataset, None) or getattr(write_puzzles, dataset)
        working = writer(_entry(dataset, attempt.problem.index % PER_DATASET), voice, slip=_slips(attempt))
    thinking = working.thinking
    asides = voice.asides()
    while len(thinking.split()) < 100 and asides:
        first, rest = thinking.split("\n", 1)
        thinking = f"{first} {asides.pop()}\n{rest}"
    return Working(thinking, working.answer, working.reply)


@cache
def _entry(dataset: str, index: int) -> dict[str, Any]:
    return entry(dataset, index)


def _order(attempt: Attempt, voice: Voice) -> tuple[list[Turn], Working]:
    order = ORDERS[attempt.problem.index]
    return order_turns(order, voice, slip=_slips(attempt), mend=attempt.words % 5 == 0)


def _call(attempt: Attempt, turn: Turn, number: int) -> Reply:
    calls = []
    for position, expression in enumerate(turn.calls):
        digest = blake2b(f"{attempt.seed}/{number}/{position}".encode(), digest_size=6).hexdigest()
        calls.append((f"call_{digest}", json.dumps({"expression": expression}, ensure_ascii=False)))
    return Reply("", turn.thinking, calls, "tool_calls")


def _final(attempt: Attempt, working: Working) -> Reply:
    """The closing message: thinking and answer, bent as the attempt's conduct asks."""
    thinking, answer = working.thinking, f"\n<answer>{working.answer}</answer>"
    text = working.reply
    if attempt.edited:
        thinking, text = _edit(thinking, attempt.seed), _edit(text, attempt.seed)
    if attempt.conduct == "untagged":
        answer = f"\n{working.answer}"
    if attempt.conduct == "unreadable":
        answer = f"\n<answer>€{working.answer.replace('.', ',')}</answer>"
    if attempt.conduct in ("cut", "afterthought"):
        more = _rambling(attempt, thinking)
        if attempt.conduct == "cut":
            thinking = f"{thinking}\n{more}"
        else:
            answer += f"\n\nFor completeness, a second way to see it:\n{more}"
    content = f"{text}{answer}"
    if attempt.inline:
        content = f"<think>\n{thinking}\n</think>\n\n{content}"
        kept = clip(content, MAX_TOKENS)
        return Reply(kept, None, [], "stop" if kept == content else "length")
    kept_thinking = clip(thinking, MAX_TOKENS)
    kept = clip(content, MAX_TOKENS - tokens(kept_thinking))
    return Reply(kept, kept_thinking, [], "stop" if kept == content else "length")


def _edit(text: str, seed: int) -> str:
    """Swap the first few words that have a stand-in."""
    swapped = 0
    for old, new in SWAPS[seed % 3 :] + SWAPS[: seed % 3]:
        if old in text and swapped < 3:
            text = text.replace(old, new, 1)
            swapped += 1
    return text


def _rambling(attempt: Attempt, thinking: str) -> str:
    """More thinking than the token limit has room for."""
    pieces: list[str] = []
    again = 0
    while tokens("\n".join(pieces)) <= MAX_TOKENS:
        again += 1
        doubt = Voice(Random(f"{attempt.words}/{again}")).doubt_whole()
        if attempt.problem.env in ("rg-mix", "estimates"):
            body = _single(attempt, attempt.words + again).thinking
        else:
            body = thinking
        pieces.append(f"{doubt}\n{body}")
    return "\n".join(pieces)


def tokens(text: str) -> int:
    """Length of a text in the scripted model's tokens: words and punctuation marks."""
    return len(TOKEN.findall(text))


def clip(text: str, most: int) -> str:
    """The text up to `most` tokens."""
    ends = [match.end() for match in TOKEN.finditer(text)]
    if len(ends) <= most:
        return text
    return text[: ends[most - 1]] if most > 0 else ""
