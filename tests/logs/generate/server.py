"""A scripted chat server on loopback: each request gets the next reply of its scene.

A scene is a list of replies and a `needle`; a request belongs to the first scene whose
needle occurs in its messages. Replies are handed out in the order of the file, so a run
that plays one rollout at a time is the same every time. It speaks the part of the
OpenAI chat protocol that verifiers uses: plain and streamed replies, reasoning_content,
tool calls, usage with cached and reasoning tokens, and error statuses.

A reply is an object with `text`, `reasoning`, `calls` ([{name, arguments}]), `finish`
(default: tool_calls if there are calls, else stop), or `status` and `error` to fail.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

# Any: requests and replies are JSON objects whose keys the protocol leaves open.
Json = dict[str, Any]

MODEL = "fixture/scribe-1b"


class Script:
    """The scenes of one run and how far each has been played."""

    def __init__(self, scenes: list[Json]) -> None:
        self.scenes = scenes
        self.played = [0] * len(scenes)
        self.lock = threading.Lock()

    def next(self, messages: list[Json]) -> tuple[Json, str]:
        """Give the reply for these messages and an id no other reply has.

        A request no scene expects gets a 404 that says so.
        """
        text = json.dumps(messages, ensure_ascii=False)
        with self.lock:
            for number, scene in enumerate(self.scenes):
                if scene["needle"] not in text:
                    continue
                turn = self.played[number]
                if turn >= len(scene["replies"]):
                    continue
                self.played[number] += 1
                return scene["replies"][turn], f"{number:02d}{turn:02d}"
        return {"status": 404, "error": "no scene expects this request"}, "none"

    def left_over(self) -> list[str]:
        """The needles of scenes with unplayed replies; empty after a complete run."""
        return [
            scene["needle"]
            for scene, played in zip(self.scenes, self.played, strict=True)
            if played < len(scene["replies"])
        ]


def words(messages: list[Json]) -> int:
    """A stand-in for a token count: the words of the messages as JSON."""
    return sum(len(json.dumps(m, ensure_ascii=False).split()) for m in messages)


def completion(reply: Json, name: str, messages: list[Json]) -> Json:
    """The chat.completion object for one reply."""
    message: Json = {"role": "assistant", "content": reply.get("text")}
    if "reasoning" in reply:
        message["reasoning_content"] = reply["reasoning"]
    if calls := reply.get("calls"):
        message["tool_calls"] = [
            {
                "id": f"call_{name}{number}",
                "type": "function",
                "function": {"name": call["name"], "arguments": call["arguments"]},
            }
            for number, call in enumerate(calls)
        ]
    usage: Json = {
        "prompt_tokens": words(messages),
        "completion_tokens": reply.get("tokens", words([message])),
    }
    usage["total_tokens"] = usage["prompt_tokens"] + usage["completion_tokens"]
    if any(m["role"] == "assistant" for m in messages):
        usage["prompt_tokens_details"] = {"cached_tokens": words(messages[:1])}
    if "reasoning" in reply:
        usage["completion_tokens_details"] = {"reasoning_tokens": len(reply["reasoning"].split())}
    finish = reply.get("finish") or ("tool_calls" if calls else "stop")
    return {
        "id": f"chatcmpl-{name}",
        "object": "chat.completion",
        "created": 1795430000,
        "model": MODEL,
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": usage,
    }


def chunks(whole: Json) -> Iterator[Json]:
    """The same completion as the events of a stream."""
    head = {key: whole[key] for key in ("id", "created", "model")}
    head["object"] = "chat.completion.chunk"
    (choice,) = whole["choices"]
    message = choice["message"]
    delta: Json = {"role": "assistant", "content": message["content"]}
    if "reasoning_content" in message:
        delta["reasoning_content"] = message["reasoning_content"]
    if "tool_calls" in message:
        delta["tool_calls"] = [{"index": number, **call} for number, call in enumerate(message["tool_calls"])]
    finish = choice["finish_reason"]
    yield {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    yield {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}
    yield {**head, "choices": [], "usage": whole["usage"]}


def handler(script: Script) -> type[BaseHTTPRequestHandler]:
    """A request handler class that plays `script`."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Stay silent."""

        def answer(self, status: int, body: Json) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self) -> None:
            self.answer(200, {"object": "list", "data": [{"id": MODEL, "object": "model"}]})

        def do_POST(self) -> None:
            size = int(self.headers["Content-Length"])
            request = json.loads(self.rfile.read(size))
            reply, name = script.next(request["messages"])
            if "status" in reply:
                error = {"message": reply["error"], "type": "invalid_request_error"}
                self.answer(reply["status"], {"error": error})
                return
            whole = completion(reply, name, request["messages"])
            if not request.get("stream"):
                self.answer(200, whole)
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            for chunk in chunks(whole):
                self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
            self.wfile.write(b"data: [DONE]\n\n")

    return Handler


@contextmanager
def serving(scenes: Path, run: str) -> Iterator[tuple[str, Script]]:
    """Serve one run's scenes of a JSON file; gives the base URL and the script.

    A scene without `run` belongs to every run that uses the file.
    """
    every = json.loads(scenes.read_text(encoding="utf-8"))
    script = Script([scene for scene in every if scene.get("run", run) == run])
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(script))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1", script
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
