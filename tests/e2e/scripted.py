"""An upstream that does what a test says, byte for byte: HTTP on loopback, every request kept, every answer scripted.

What is not scripted is answered as a small, well-behaved MCP server would: a handshake, a list of tools, an echo.
"""

import json
import select
import socket
import socketserver
import ssl
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

Json = Any
PATIENCE = 20.0
SESSION = "session-"
"""How the ids of its sessions begin; a number follows, counting from 1."""


@dataclass(frozen=True)
class Asked:
    """One request that arrived: the HTTP verb, the headers by lower-case name, the body, what was asked for."""

    verb: str
    headers: Mapping[str, str]
    body: bytes
    target: str = "/mcp"

    @cached_property
    def message(self) -> Json:
        """The JSON-RPC message, `{}` for a request without a body, or with a form."""
        is_form = self.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
        return json.loads(self.body) if self.body and not is_form else {}

    @property
    def method(self) -> str:
        """The method of the message, `response` for one without, else the HTTP verb."""
        return self.message.get("method", "response") if self.body else self.verb

    @property
    def session(self) -> str | None:
        return self.headers.get("mcp-session-id")

    @property
    def tool(self) -> str | None:
        return self.message.get("params", {}).get("name") if self.method == "tools/call" else None


class Line:
    """The connection that a request came on."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    @property
    def peer(self) -> int:
        """The port of the other side: what tells connections apart."""
        return int(self._connection.getpeername()[1])

    def send(self, data: bytes) -> None:
        self._connection.sendall(data)

    def takes_more(self, seconds: float) -> bool:
        """Whether the other side takes more within that time."""
        return bool(select.select([], [self._connection], [], seconds)[1])

    def hang_up(self) -> None:
        """Close it, after what was sent."""
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def wait_for_end(self) -> None:
        """Say nothing until the other side has closed it."""
        with suppress(OSError):
            while self._connection.recv(65536):
                pass


Reply = Callable[[Asked, Line], None]


# --- replies ----------------------------------------------------------------------------------------------------------


def http(
    status: int,
    body: Json | bytes = b"",
    content_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """A whole HTTP answer; a body that is not bytes is written as JSON."""

    def reply(_: Asked, line: Line) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        fields = {"Content-Type": content_type, "Content-Length": str(len(data))} if data else {"Content-Length": "0"}
        fields |= headers or {}
        lines = [f"HTTP/1.1 {status} scripted", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
        line.send("\r\n".join(lines).encode() + data)

    return reply


def message(body: Mapping[str, Json], status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """A JSON-RPC message as JSON; the id is that of the request where the message has none."""

    def reply(asked: Asked, line: Line) -> None:
        http(status, {"jsonrpc": "2.0", "id": asked.message.get("id"), **body}, headers=headers)(asked, line)

    return reply


def result(value: Mapping[str, Json], headers: Mapping[str, str] | None = None) -> Reply:
    """A result, as JSON."""
    return message({"result": value}, headers=headers)


def events(*data: Json | bytes, status: int = 200) -> Reply:
    """A whole stream of events; `id: None` in a message takes the id of the request."""

    def reply(asked: Asked, line: Line) -> None:
        body = b"".join(b"data: " + _event(item, asked) + b"\n\n" for item in data)
        http(status, body, "text/event-stream")(asked, line)

    return reply


def stream(*data: Json | bytes, then: Reply | None = None) -> Reply:
    """The beginning of a stream, then whatever `then` does, then the connection is closed."""

    def reply(asked: Asked, line: Line) -> None:
        line.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
        for item in data:
            line.send(b"data: " + _event(item, asked) + b"\n\n")
        if then is not None:
            then(asked, line)
        line.hang_up()

    return reply


def raw(data: bytes) -> Reply:
    """These bytes, then the connection is closed."""

    def reply(_: Asked, line: Line) -> None:
        line.send(data)
        line.hang_up()

    return reply


def hang_up(_: Asked, line: Line) -> None:
    """No answer: the connection is closed."""
    line.hang_up()


def silence(_: Asked, line: Line) -> None:
    """No answer: the connection stays open until the other side closes it."""
    line.wait_for_end()


def after(event: threading.Event, then: Reply) -> Reply:
    """A reply that waits for the test."""

    def reply(asked: Asked, line: Line) -> None:
        event.wait(PATIENCE)
        then(asked, line)

    return reply


def without_end(chunk: bytes, times: int = 100_000) -> Reply:
    """The same chunk over and over, until the other side has had enough."""

    def reply(_: Asked, line: Line) -> None:
        with suppress(OSError):
            for _number in range(times):
                line.send(chunk)

    return reply


def _event(item: Json | bytes, asked: Asked) -> bytes:
    if isinstance(item, bytes):
        return item
    return json.dumps({**item, "id": asked.message.get("id")} if item.get("id", 0) is None else item).encode()


# --- the server -------------------------------------------------------------------------------------------------------


class Scripted:
    """The upstream, on a thread while the `with` block lasts; `stop` and `start` take it away and bring it back.

    With `tls`, it is one over https.
    """

    def __init__(
        self,
        tools: Sequence[str] = ("one",),
        capabilities: Mapping[str, Json] | None = None,
        *,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.tools = list(tools)
        self.capabilities = dict(capabilities or {"tools": {"listChanged": True}})
        self.sessions = 0
        self._asked: list[Asked] = []
        self._by_method: dict[str, list[Asked]] = {}
        self._scripts: dict[str, deque[Reply]] = {}
        self._changed = threading.Condition()
        self._port = 0
        self._tls = tls
        self._server: _Server | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self._port}/mcp"

    def start(self) -> None:
        """Listen, on the same port as before."""
        self._server = _Server(self._port, self._answer, self._tls)
        self._port = self._server.server_address[1]

    def stop(self) -> None:
        """Close every connection, and listen no more."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def script(self, method: str, *replies: Reply) -> None:
        """The replies to the next requests of this method (or verb, or tool's name), one each."""
        with self._changed:
            self._scripts.setdefault(method, deque()).extend(replies)

    def forget(self) -> None:
        """Begin anew: no requests, no scripts."""
        with self._changed:
            self._asked.clear()
            self._by_method.clear()
            self._scripts.clear()

    def everything(self) -> list[Asked]:
        """All requests so far."""
        with self._changed:
            return list(self._asked)

    def asked(self, method: str) -> list[Asked]:
        """The requests of this method (or verb) so far."""
        with self._changed:
            return list(self._by_method.get(method, ()))

    def calls(self, tool: str) -> list[Asked]:
        """The calls of this tool so far."""
        return [asked for asked in self.asked("tools/call") if asked.tool == tool]

    def wait_for(self, method: str, count: int = 1) -> Asked:
        """Wait until that many requests of this method have arrived; the last of them."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self._by_method.get(method, ())) >= count, PATIENCE), (
                f"{len(self._by_method.get(method, ()))} of {count} `{method}` arrived"
            )
            return self._by_method[method][count - 1]

    def _answer(self, asked: Asked, line: Line) -> None:
        with self._changed:
            self._asked.append(asked)
            self._by_method.setdefault(asked.method, []).append(asked)
            script = self._scripts.get(asked.tool or "") or self._scripts.get(asked.method)
            reply = script.popleft() if script else self._usual(asked)
            self._changed.notify_all()
        reply(asked, line)

    def _usual(self, asked: Asked) -> Reply:
        match asked.method:
            case "initialize":
                return self.opened()
            case "tools/list":
                schema = {"type": "object"}
                return result({"tools": [{"name": name, "inputSchema": schema} for name in self.tools]})
            case "tools/call":
                return result(said(f"{asked.tool} ran"))
            case "GET":
                return http(405)
            case "DELETE":
                return http(200)
            case _ if "id" in asked.message and "method" in asked.message:
                return result({})
            case _:
                return http(202)

    def opened(self) -> Reply:
        """The answer to `initialize`: a new session."""
        self.sessions += 1
        info = {"name": "scripted", "version": "1"}
        value = {"protocolVersion": "2025-06-18", "capabilities": self.capabilities, "serverInfo": info}
        return result(value, {"Mcp-Session-Id": f"{SESSION}{self.sessions}"})


def said(text: str) -> dict[str, Json]:
    """A tool result of one text."""
    return {"content": [{"type": "text", "text": text}]}


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = False
    request_queue_size = 1024

    def __init__(self, port: int, answer: Reply, tls: ssl.SSLContext | None) -> None:
        self.answer = answer
        self.tls = tls
        self.connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Connection)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,), name="scripted")
        self._thread.start()

    def stop(self) -> None:
        self.shutdown()
        for connection in list(self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()
        self._thread.join(PATIENCE)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, *_: object) -> None:
        """A connection that the gateway dropped is no error here."""


class _Connection(socketserver.StreamRequestHandler):
    server: _Server
    disable_nagle_algorithm = True

    def setup(self) -> None:
        if self.server.tls is not None:
            self.server.connections.discard(self.request)
            self.request = self.server.tls.wrap_socket(self.request, server_side=True)
            self.server.connections.add(self.request)
        super().setup()

    def finish(self) -> None:
        with suppress(OSError):
            super().finish()
        if self.server.tls is not None:  # the server knows only what it was made from
            self.server.connections.discard(self.request)
            self.request.close()

    def handle(self) -> None:
        with suppress(OSError):
            while (asked := self._read()) is not None:
                self.server.answer(asked, Line(self.request))

    def _read(self) -> Asked | None:
        verb, _, rest = self.rfile.readline().decode("latin-1").partition(" ")
        headers = {}
        while (line := self.rfile.readline().strip()) != b"":
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        if not verb:
            return None
        body = self.rfile.read(int(headers.get("content-length", "0")))
        return Asked(verb, headers, body, rest.partition(" ")[0])
