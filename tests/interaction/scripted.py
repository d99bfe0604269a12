"""An upstream that says exactly what a test wrote, for what no well-behaved server would say on request.

It answers on loopback, one thread a connection, and keeps what it was asked: headers with lower-case names, and bodies.
"""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

Json = Any
INITIALIZED = (
    '"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"s","version":"1"}}'
)
UNKNOWN = '"error":{"code":-32601,"message":"Method not found"}'


@dataclass(frozen=True)
class Asked:
    """One request that came."""

    http: str
    headers: Mapping[str, str]
    body: str

    @property
    def message(self) -> Json:
        return json.loads(self.body)


@dataclass(frozen=True)
class Says:
    """What is answered: the JSON text of `"result":…` or `"error":…`, after events on the same stream if there are any.

    With an empty `rest` the stream ends without an answer.
    """

    rest: str
    before: tuple[str, ...] = ()
    status: int = 200


Answer = Says | Callable[[Asked], Says]


@dataclass
class Scripted:
    """The upstream, while the `with` block lasts; `answers` by method."""

    answers: Mapping[str, Answer]
    asked: list[Asked] = field(default_factory=list)
    news: threading.Condition = field(default_factory=threading.Condition)

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/mcp"

    def of(self, method: str) -> list[Asked]:
        """The messages of one method that came so far."""
        with self.news:
            return [one for one in self.asked if one.body and one.message.get("method") == method]

    def wait_for(self, wanted: Callable[[Asked], bool], timeout: float) -> Asked:
        """The first request that is wanted, as soon as it has come."""
        with self.news:
            found = self.news.wait_for(lambda: next(filter(wanted, self.asked), None), timeout)
        assert found is not None, "it never came"
        return found

    def note(self, asked: Asked) -> None:
        with self.news:
            self.asked.append(asked)
            self.news.notify_all()

    def says(self, asked: Asked) -> Says:
        method = asked.message["method"]
        answer = self.answers.get(method, Says(INITIALIZED if method == "initialize" else UNKNOWN))
        return answer if isinstance(answer, Says) else answer(asked)


def response(identifier: Json, rest: str) -> str:
    """The text of a response."""
    return f'{{"jsonrpc":"2.0","id":{json.dumps(identifier)},{rest}}}'


def _handler(scripted: Scripted) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = self._asked()
            scripted.note(asked)
            message = asked.message
            if "id" not in message or "method" not in message:
                self._send(202, "application/json", "")
                return
            says = scripted.says(asked)
            text = response(message["id"], says.rest)
            if says.before or not says.rest:
                events = (*says.before, text) if says.rest else says.before
                stream = "".join(f"event: message\ndata: {event}\n\n" for event in events)
                self._send(says.status, "text/event-stream", stream)
            else:
                self._send(says.status, "application/json", text)

        def do_GET(self) -> None:
            scripted.note(self._asked())
            self._send(405, "text/plain", "")

        do_DELETE = do_GET  # noqa: N815  # the name is the base class's

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is the base class's
            """Say nothing."""

        def _asked(self) -> Asked:
            body = self.rfile.read(int(self.headers.get("content-length", "0"))).decode()
            return Asked(self.command, {name.lower(): value for name, value in self.headers.items()}, body)

        def _send(self, status: int, content_type: str, text: str) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler
