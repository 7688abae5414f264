"""Items of OpenAI's Responses API as chat messages.

There, an answer is a list of items: reasoning, a text, calls, what the tools gave back. Here, what the model wrote
between two replies of others is one message. What an item says beyond that stays in it.
"""

from typing import Any  # JSON values

from synthetic.formats.attempt import message
from synthetic.formats.format import BadLine
from synthetic.record import Json, canonical_json

TOKENS = frozenset("prompt_token_ids generation_token_ids generation_log_probs routed_experts".split())
"""Token arrays that trainers put into items."""

PART: dict[str, Json] = {"annotations": [], "logprobs": None}
"""What a part of text says besides its text when it says nothing."""


def take_items(given: Json) -> tuple[list[dict[str, Any]], Json]:
    """Messages of a text or of items, and the items without what the messages hold. Raises `BadLine`."""
    if isinstance(given, str):
        return [message("user", given)], None
    if not isinstance(given, list) or not all(isinstance(item, dict) for item in given):
        raise BadLine("neither text nor a list of items")
    taking = _Taking()
    left = [taking.item({key: each for key, each in item.items() if key not in TOKENS}) for item in given]
    return taking.messages, left if any(left) else None


class _Taking:
    """Messages while items are taken in their order."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.answer: dict[str, Any] | None = None
        """The model's message that is not over yet."""

    def item(self, left: dict[str, Any]) -> dict[str, Any]:
        """Take an item; gives what is left of it."""
        match left.get("type", "message"):
            case "reasoning":
                answer = self._answer()
                thoughts = [answer["reasoning_content"], *_take_parts(left, "summary"), *_take_parts(left, "content")]
                answer["reasoning_content"] = "\n\n".join(filter(None, thoughts)) or None
            case "message" if left.get("role") == "assistant":
                answer = self._answer()
                said = [answer["content"], *_take_parts(left, "content")]
                answer["content"] = "\n".join(text for text in said if text is not None)
            case "message" if isinstance(left.get("role"), str):
                self._other(message(left["role"], "\n".join(_take_parts(left, "content"))))
            case "function_call":
                self._call(left)
            case "function_call_output":
                call = left.pop("call_id", None)
                self._other(message("tool", "\n".join(_take_parts(left, "output")), tool_call_id=call))
            case "message":
                raise BadLine("a message has no role")
            case _:
                return left  # a call that the provider ran itself, such as a search
        left.pop("type", None)
        left.pop("role", None)
        return {key: given for key, given in left.items() if given is not None}

    def _answer(self) -> dict[str, Any]:
        """The model's message: a new one behind a text, and the same one behind calls that wait for their results.

        Some servers give the reasoning of a turn behind its calls.
        """
        if self.answer is None or (self.answer["content"] is not None and self.answer["tool_calls"] is None):
            self.answer = message("assistant", None)
            self.messages.append(self.answer)
        return self.answer

    def _other(self, other: dict[str, Any]) -> None:
        self.messages.append(other)
        self.answer = None

    def _call(self, left: dict[str, Any]) -> None:
        arguments = left.pop("arguments", None)
        function = {
            "name": left.pop("name") if isinstance(left.get("name"), str) else "",
            "arguments": arguments if isinstance(arguments, str) else canonical_json(arguments or {}),
        }
        answer = self.answer or self._answer()
        call = {"id": left.pop("call_id", None), "type": "function", "function": function}
        answer["tool_calls"] = [*(answer["tool_calls"] or []), call]


def _take_parts(left: dict[str, Any], key: str) -> list[str]:
    """The texts of a text or of parts; parts that hold more stay in `left`."""
    given = left.get(key)
    if isinstance(given, str):
        return [left.pop(key)]
    if not isinstance(given, list):
        return []
    texts, whole = [], True
    for part in given:
        said = part.get("text", part.get("refusal")) if isinstance(part, dict) else None
        if isinstance(said, str):
            texts.append(said)
            rest = {name: each for name, each in part.items() if name not in {"type", "text"}}
            whole &= all(name in PART and PART[name] == each for name, each in rest.items())
        else:
            whole = False
    if whole:
        del left[key]
    return texts
