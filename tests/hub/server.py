"""The Hub's HTTP on loopback: what `huggingface_hub` and `datasets` call, a log of every request, faults on demand.

Large files come over LFS or Xet to a second server on another port, so that a token sent there would show. Known and
left out: downloads over Xet, the git protocol, gating, the dataset viewer. What it answers is taken from the clients'
source and from the Hub's documentation, not from the live Hub.
"""

import base64
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any  # JSON
from urllib.parse import parse_qs, unquote, urlsplit

from tests.hub.answers import POINTS, Answers
from tests.hub.repos import Refused, Repo
from tests.hub.xet import Xet

WRITES = {"create", "put", "xorb", "register", "commit", "tag", "discuss"}


@dataclass
class Call:
    """A request as it came."""

    point: str
    method: str
    path: str
    body: bytes
    authorized: bool
    """Whether a token came with it that is not the storage's own."""
    at: float
    status: int = 0
    fault: str | None = None

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Fault:
    """What goes wrong at a point, from its nth call on, so many times."""

    point: str
    kind: str
    """status, reset: not applied · lost, lost_504, stall (a second): applied · rot: another byte stored"""
    nth: int = 1
    times: int = 1
    every: int = 0
    """Of all calls of any point, every so many."""
    status: int = 503
    headers: dict[str, str] = field(default_factory=dict)
    calls: int = 0

    def strikes(self, point: str) -> bool:
        if point != self.point and not self.every:
            return False
        self.calls += 1
        if self.every:
            return self.calls % self.every == 0
        return self.nth <= self.calls < self.nth + self.times


class Hub:
    """A running Hub. `tokens` say whose they are and what they may do."""

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.stored: dict[str, bytes] = {}
        self.xet = Xet(self.stored)
        self.calls: list[Call] = []
        self.faults: list[Fault] = []
        self.before: dict[str, list[Callable[[], object]]] = {}
        """What happens just before the next call of a point: another writer's moment."""
        self.tokens: dict[str, dict[str, Any]] = {}
        self.users = {"ana": ["lab"], "bob": []}
        self.lock = threading.RLock()
        self._servers = [self._serve(), self._serve()]
        self.url, self.storage = (f"http://127.0.0.1:{server.server_port}" for server in self._servers)

    def token(self, name: str = "ana", role: str = "write") -> str:
        token = f"token-of-{name}-{role}-{len(self.tokens)}"
        self.tokens[token] = {"name": name, "role": role}
        return token

    def fail(self, point: str, kind: str = "status", **more: Any) -> None:
        self.faults.append(Fault(point, kind, **more))

    def points(self, *only: str) -> list[str]:
        """The points of all calls in order, or of these points."""
        return [call.point for call in self.calls if not only or call.point in only]

    def writes(self) -> list[str]:
        return self.points(*WRITES)

    def received(self, needle: str) -> bool:
        """Whether any request held this text, also inside base64."""
        plain = needle.encode()
        forms = [plain] + [base64.b64encode(b"_" * i + plain)[(0, 4, 4)[i] : -4] for i in range(3)]
        return any(form in call.body or form in call.path.encode() for call in self.calls for form in forms)

    def close(self) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def _serve(self) -> ThreadingHTTPServer:
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"hub": self}))
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return server


class Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:
        """The log is `Hub.calls`."""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        point, match = next(
            ((p, m) for p, method, path in POINTS if (m := re.fullmatch(path, url.path)) and self.command in method),
            ("unknown", None),
        )
        body, token = self._body(), (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        authorized = token not in ("", self.hub.xet.token)
        call = Call(point, self.command, unquote(self.path), body, authorized, time.monotonic())
        with self.hub.lock:
            self.hub.calls.append(call)
            fault = next((fault for fault in self.hub.faults if fault.strikes(point)), None)
            call.fault = fault.kind if fault else None
            if fault and fault.kind == "reset":
                return self._reset()
            if fault and fault.kind == "status":
                return self._answer(call, fault.status, b"<html>busy</html>", fault.headers)
            for happen in self.hub.before.pop(point, []):
                happen()
            given: dict[str, str] = {}
            try:
                if match is None:
                    raise Refused(404, f"no such route: {self.path}")
                given = {key: unquote(value) for key, value in match.groupdict().items() if value is not None}
                status, answer, headers = Answers(
                    self.hub, token, body, parse_qs(url.query), self.headers.get("Range")
                ).give(point, given)
            except Refused as refused:
                status, answer = refused.status, json.dumps({"error": refused.message}).encode()
                headers = {"X-Error-Message": refused.message} | (
                    {"X-Error-Code": refused.code} if refused.code else {}
                )
            if fault and fault.kind == "rot":
                newest = next(reversed(self.hub.stored))
                self.hub.stored[newest] = self.hub.stored[newest][:-1] + b"?"
        if fault and fault.kind == "stall":
            time.sleep(1)
        if fault and fault.kind == "lost":
            return self._reset()
        if fault and fault.kind == "lost_504":
            return self._answer(call, 504, b"gateway time-out", {})
        return self._answer(call, status, answer, headers)

    do_POST = do_PUT = do_HEAD = do_GET  # noqa: N815 - the names that http.server calls

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RD)
        self.rfile.close()
        self.connection.close()

    def _answer(self, call: Call, status: int, body: bytes, headers: dict[str, str]) -> None:
        call.status = status
        self.send_response(status)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
