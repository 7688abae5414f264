"""Where the answer stands in a reply: after the thinking, in `<answer>` tags."""

from __future__ import annotations

import re

TAGS = re.compile(r"<answer>(.*?)</answer>", re.DOTALL)


def visible(text: str) -> str:
    """The part of a reply after its thinking; empty where the thinking never ends."""
    if "<think>" in text and "</think>" not in text:
        return ""
    return text.rsplit("</think>", 1)[-1]


def tagged_answer(text: str) -> str | None:
    """The content of the last `<answer>` tags of a reply, or None."""
    found = TAGS.findall(visible(text))
    return found[-1].strip() if found else None
