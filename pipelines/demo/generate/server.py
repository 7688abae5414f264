"""A small OpenAI-compatible chat server on loopback that plays the scripted model.

The sampling seed of a request names the attempt; `player.respond` says what to answer.
Replies stream when the request asks for it, as verifiers' chat program does.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from plan import Attempt
from player import Fault, Reply, Stall, respond, tokens

CREATED = 1795161600
MODEL = "demo/reasoner-1b"
TRAVELLER = "demo/traveller-1b"


@contextmanager
def serving(attempts: list[Attempt]) -> Iterator[str]:
    """Serve the attempts while the block runs; gives the base URL."""
    by_seed = {attempt.seed: attempt for attempt in attempts}
    closing = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:  # the name is fixed by http.server
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            role = "traveller" if body["model"] == TRAVELLER else "policy"
            reply = respond(by_seed[body["seed"]], role, body["messages"])
            if isinstance(reply, Stall):
                closing.wait(120)
                reply = Fault(503, "shutting down")
            if isinstance(reply, Fault):
                error = {"message": reply.message, "type": "server_error", "code": reply.status}
                self._send(reply.status, "application/json", json.dumps({"error": error}).encode())
                return
            done = _completion(body, reply)
            if body.get("stream"):
                self._send(200, "text/event-stream", b"".join(_events(done)))
            else:
                self._send(200, "application/json", json.dumps(done).encode())

        def _send(self, status: int, kind: str, payload: bytes) -> None:
            try:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True  # a stalled caller gave up long ago

        def log_message(self, format: str, *args: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        closing.set()
        server.shutdown()
        server.server_close()


def _completion(body: dict[str, Any], reply: Reply) -> dict[str, Any]:
    """A chat completion; Any because this is the wire's own JSON."""
    message: dict[str, Any] = {"role": "assistant", "content": reply.content}
    if reply.thinking is not None:
        message["reasoning_content"] = reply.thinking
    if reply.calls:
        message["tool_calls"] = [
            {"id": call, "type": "function", "function": {"name": _tool(body), "arguments": arguments}}
            for call, arguments in reply.calls
        ]
    prompt = sum(tokens(str(m.get("content") or "")) + 4 for m in body["messages"])
    written = tokens(reply.content) + tokens(reply.thinking or "")
    written += sum(tokens(arguments) for _, arguments in reply.calls)
    return {
        "id": f"chatcmpl-{body['seed']}",
        "object": "chat.completion",
        "created": CREATED,
        "model": body["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": reply.finish_reason}],
        "usage": {
            "prompt_tokens": prompt,
            "completion_tokens": written,
            "total_tokens": prompt + written,
        },
    }


def _tool(body: dict[str, Any]) -> str:
    return body["tools"][0]["function"]["name"]


def _events(done: dict[str, Any]) -> Iterator[bytes]:
    """The completion as two server-sent chunks, usage, and the end mark."""
    head = {**done, "object": "chat.completion.chunk"}
    choice = done["choices"][0]
    delta = dict(choice["message"])
    if "tool_calls" in delta:
        delta["tool_calls"] = [{"index": i, **call} for i, call in enumerate(delta["tool_calls"])]
    chunks = [
        {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}], "usage": None},
        {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}], "usage": None},
        {**head, "choices": []},
    ]
    for chunk in chunks:
        yield f"data: {json.dumps(chunk)}\n\n".encode()
    yield b"data: [DONE]\n\n"
