"""A prompt that a chat template rendered to text, as messages again: only where the text has one reading.

A prompt that may be read in two ways stays one user message, whole: a role that is guessed wrong would be published
as a fact. What stands behind the last role, such as an opened `<think>`, is the beginning of the answer, not the end
of the question.
"""

import re
from operator import gt
from typing import Any  # messages

from synthetic.formats.attempt import message

_ROLES = "system|developer|user|assistant|tool|function"
_ROLE_LINE = re.compile(rf"^(?:{_ROLES})$", re.MULTILINE)
_OPENED = re.compile(r"<think>\s*\Z")

# Two markers that no tokenizer leaves in a user's text by itself.
_MARKED = re.compile(rf"<\|im_start\|>({_ROLES})\n((?:(?!<\|im_start\|>|<\|im_end\|>).)*)<\|im_end\|>\n?", re.DOTALL)
_ANSWER = re.compile(r"<\|im_start\|>assistant\n(?P<begun>(?:(?!<\|im_start\|>|<\|im_end\|>).)*)", re.DOTALL)


def messages(text: str) -> tuple[list[dict[str, Any]], str]:
    """The messages of a rendered prompt, and how the answer begins."""
    opened = _OPENED.search(text)
    begun = opened[0] if opened else ""
    asked = text.removesuffix(begun)
    if told := _marked(text):
        return told
    if told_bare := _bare(asked):
        return told_bare, begun
    return ([message("user", asked)] if asked else []), begun


def _marked(text: str) -> tuple[list[dict[str, Any]], str] | None:
    """Of a prompt with ChatML's markers around every message."""
    told, at = [], 0
    while match := _MARKED.match(text, at):
        told.append(message(match[1], match[2]))
        at = match.end()
    answer = _ANSWER.fullmatch(text, at)
    return (told, answer["begun"]) if told and answer else None


def _bare(text: str) -> list[dict[str, Any]] | None:
    """Of a prompt whose markers were stripped: `user`, a line, `assistant`, each role once and in its place.

    A second line that consists of a role's name may be a turn or a user's words.
    """
    lines = list(_ROLE_LINE.finditer(text))
    roles = [line[0] for line in lines]
    if roles not in (["system", "user", "assistant"], ["user", "assistant"]):
        return None
    starts, ends = [line.end() + 1 for line in lines], [line.start() - 1 for line in lines[1:]]
    if lines[0].start() or text[lines[-1].end() :] != "\n" or any(map(gt, starts, ends)):
        return None
    return [message(role, text[start:end]) for role, start, end in zip(roles, starts, ends, strict=False)]
