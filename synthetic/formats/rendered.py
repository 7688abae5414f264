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


class Turn(NamedTuple):
    """A message, as far as a template shows it."""

    role: str
    content: str
    ended: bool
    """Whether the mark of its end was there."""


def turns(text: str) -> tuple[str, list[Turn]]:
    """What stands before the first mark, and the turns behind it."""
    for begins, ends in TEMPLATES:
        found = list(begins.finditer(text))
        if not found:
            continue
        stops = [match.start() for match in found[1:]] + [len(text)]
        told = []
        for match, stop in zip(found, stops, strict=True):
            content, ended, _ = text[match.end() : stop].partition(ends)
            role = "tool" if match[1] in AS_TOOL else match[1]
            # Tulu's template ends only the model's turns; any turn before another one is over.
            over = bool(ended) or stop < len(text)
            told.append(Turn(role, content if ended else content.removesuffix("\n"), over))
        return text[: found[0].start()].partition(ends)[0], told
    return text, []
