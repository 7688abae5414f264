"""Text that a chat template rendered, markers of turns and all, as messages again.

Three families of templates are known: ChatML (Qwen, OLMo 3), Llama 3, and Tulu (OLMo 2). Text of any other is one turn.
"""

import re
from typing import NamedTuple

_ROLE = r"(system|developer|user|assistant|tool|environment|ipython|function)"

TEMPLATES = (
    (re.compile(rf"<\|im_start\|>{_ROLE}\n"), "<|im_end|>"),
    (re.compile(rf"<\|start_header_id\|>{_ROLE}<\|end_header_id\|>\n\n"), "<|eot_id|>"),
    (re.compile(rf"^<\|{_ROLE}\|>\n", re.MULTILINE), "<|endoftext|>"),
)
"""What begins a turn, with its role, and what ends it."""

AS_TOOL = frozenset({"environment", "ipython", "function"})
"""Roles under which templates give a tool's result."""


# What templates put before the first turn, and tokenizers behind the last one.
_AROUND = re.compile(r"(\s|<\|begin_of_text\|>|<s>|<\|endoftext\|>|<\|end_of_text\|>|</s>)*")


class Turn(NamedTuple):
    """A message, as far as a template shows it."""

    role: str
    content: str
    ended: bool
    """Whether the mark of its end was there."""
    rest: str = ""
    """What stands behind that mark, up to the next turn."""


def turns(text: str) -> tuple[str, list[Turn]]:
    """What stands before the first mark, and the turns behind it."""
    for begins, ends in TEMPLATES:
        found = list(begins.finditer(text))
        if not found:
            continue
        stops = [match.start() for match in found[1:]] + [len(text)]
        told = []
        for match, stop in zip(found, stops, strict=True):
            content, ended, rest = text[match.end() : stop].partition(ends)
            role = "tool" if match[1] in AS_TOOL else match[1]
            # Tulu's template ends only the model's turns; any turn before another one is over.
            over = bool(ended) or stop < len(text)
            told.append(Turn(role, content if ended else content.removesuffix("\n"), over, rest))
        return text[: found[0].start()].partition(ends)[0], told
    return text, []


def conversation(text: str) -> list[Turn] | None:
    """The turns of a text that is nothing but turns; None where words stand before, between or behind them."""
    before, told = turns(text)
    around = (before, *(turn.rest for turn in told))
    return told if told and all(map(_AROUND.fullmatch, around)) else None
