"""The door in front of the SDK: it writes down what came, lets in who may come in, and closes at once when told to.

A request is read to its end and journalled before anything else looks at it. Refusals are values.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hmac import compare_digest

import anyio
from mcp_types import INVALID_REQUEST, METHOD_NOT_FOUND, UNSUPPORTED_PROTOCOL_VERSION
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.standin.authority import Authority
from gateway.standin.journal import Journal
from gateway.standin.options import StandinOptions

_DISCOVER = "server/discover"
PATH = "/mcp"
"""Where the MCP server is."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One HTTP request; header names in lower case, of repeated headers the last."""

    method: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def modern(self) -> bool:
        """Whether it is not of a handshake revision, by its header (as the SDK decides)."""
        version = self.headers.get("mcp-protocol-version")
        return version is not None and version not in HANDSHAKE_PROTOCOL_VERSIONS


@dataclass(frozen=True, slots=True)
class Refusal:
    """The answer to somebody who is not let in; `body` is JSON."""

    status: int
    body: Mapping[str, object]
    challenge: str | None = None

    async def send(self, send: Send) -> None:
        """Answer with it."""
        headers = [(b"content-type", b"application/json")]
        if self.challenge is not None:
            headers.append((b"www-authenticate", self.challenge.encode()))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(self.body).encode()})


def refusal_of(options: StandinOptions, arrival: Arrival) -> Refusal | None:
    """Why a request is not served, or None: first the token (RFC 6750), then the revisions that are served."""
    if options.token is not None and not _carries(arrival.headers.get("authorization", ""), options.token):
        return Refusal(401, {"error": "invalid_token"}, challenge='Bearer error="invalid_token"')
    if options.protocol == "legacy":
        return _legacy_refusal(arrival)
    if options.protocol == "modern" and not arrival.modern:
        return _modern_refusal(arrival)
    return None


def _carries(authorization: str, token: str) -> bool:
    scheme, _, value = authorization.partition(" ")
    return scheme.lower() == "bearer" and compare_digest(value.strip().encode(), token.encode())


def _legacy_refusal(arrival: Arrival) -> Refusal | None:
    request_id, method, _ = _envelope(arrival.body)
    if method == _DISCOVER:
        return Refusal(200, _error(request_id, METHOD_NOT_FOUND, "Method not found", _DISCOVER))
    if arrival.modern:
        text = "Bad Request: Unsupported protocol version"
        return Refusal(400, _error(request_id, INVALID_REQUEST, text, None))
    return None


def _modern_refusal(arrival: Arrival) -> Refusal:
    if arrival.method != "POST":
        return Refusal(405, _error(None, INVALID_REQUEST, "Method Not Allowed", None))
    request_id, _, requested = _envelope(arrival.body)
    data = {"supported": list(MODERN_PROTOCOL_VERSIONS), "requested": requested}
    return Refusal(400, _error(request_id, UNSUPPORTED_PROTOCOL_VERSION, "Unsupported protocol version", data))


def _envelope(body: bytes) -> tuple[object, object, str]:
    """The id and method of a message, and the version an `initialize` asks for; blanks where there are none."""
    try:
        message = json.loads(body)
    except ValueError:
        message = None
    if not isinstance(message, dict):
        return None, None, ""
    params = message.get("params")
    version = params.get("protocolVersion") if isinstance(params, dict) else None
    return message.get("id"), message.get("method"), str(version or "")


def _tool(body: bytes) -> str | None:
    """The tool that a message calls, if it is such a message."""
    try:
        message = json.loads(body)
    except ValueError:
        return None
    if not isinstance(message, dict) or message.get("method") != "tools/call":
        return None
    params = message.get("params")
    name = params.get("name") if isinstance(params, dict) else None
    return name if isinstance(name, str) else None


def _error(request_id: object, code: int, message: str, data: object) -> Mapping[str, object]:
    error = {"code": code, "message": message} | ({} if data is None else {"data": data})
    return {"jsonrpc": "2.0", "id": request_id, "error": error}


_CLOSED = Refusal(503, {"error": "shutting down"})


class FrontDoor:
    """The ASGI application that stands in front of the SDK's."""

    def __init__(
        self,
        app: ASGIApp,
        options: StandinOptions,
        journal: Journal,
        ended: Callable[[str], None],
        authority: Authority | None = None,
    ) -> None:
        self._app = app
        self._authority = authority
        self._oauth: ASGIApp | None = None
        self._options = options
        self._journal = journal
        self._ended = ended
        self._open: set[anyio.CancelScope] = set()
        self._shut = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the life of the server."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = await _body(receive)
        if body is None:
            return
        if self._oauth is not None and scope["path"] != PATH:
            self._journal.http(scope["method"], scope["path"], scope["headers"], b"")  # codes and tokens do not enter
            await self._oauth(scope, _replay(body, receive), send)
            return
        query = scope["query_string"].decode("latin-1")
        path = f"{scope['path']}?{query}" if query else scope["path"]
        self._journal.http(scope["method"], path, scope["headers"], body)
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        arrival = Arrival(scope["method"], headers, body)
        refusal = _CLOSED if self._shut else self._unknown(arrival) or refusal_of(self._options, arrival)
        if refusal is not None:
            await refusal.send(send)
            return
        await self._serve(arrival, scope, receive, send)
        if arrival.method == "DELETE":
            self._ended(headers.get("mcp-session-id", ""))

    def listens(self, url: str) -> None:
        """Where it can be reached: the authorization server has to name itself."""
        if self._authority is not None:
            self._oauth = self._authority.app(url)

    def _unknown(self, arrival: Arrival) -> Refusal | None:
        """Why a request is not let in by OAuth, or None."""
        if self._authority is None:
            return None
        challenge = self._authority.challenge(arrival.headers.get("authorization", ""), _tool(arrival.body))
        if challenge is None:
            return None
        status, text = challenge
        return Refusal(status, {"error": "invalid_token" if status == 401 else "insufficient_scope"}, challenge=text)

    def shut(self) -> None:
        """Let nobody in any more."""
        self._shut = True

    def end_answers(self) -> None:
        """End every answer that is still open; streams end properly, so that no client waits for more."""
        for scope in list(self._open):
            scope.cancel()

    async def _serve(self, arrival: Arrival, scope: Scope, receive: Receive, send: Send) -> None:
        answer = _Answer(send)
        replay = _replay(arrival.body, receive)
        with anyio.CancelScope() as closing:
            self._open.add(closing)
            try:
                if self._options.json_response and arrival.modern:
                    await self._until_hang_up(scope, replay, receive, answer.send)
                else:
                    await self._app(scope, replay, answer.send)
            finally:
                self._open.discard(closing)
        if closing.cancel_called or answer.begun:
            await answer.finish()

    async def _until_hang_up(self, scope: Scope, replay: Receive, receive: Receive, send: Send) -> None:
        """Serve, but stop when the client hangs up: in the stateless revision that cancels the call.

        The SDK watches for it only where it answers with a stream.
        """
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_hang_up, receive, tasks.cancel_scope)
            await self._app(scope, replay, send)
            tasks.cancel_scope.cancel()


class _Answer:
    """An answer under way: it knows whether it has begun and ended."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = False
        self._ended = False

    async def send(self, message: Message) -> None:
        """Send a part of it."""
        self.begun = True
        self._ended = message["type"] == "http.response.body" and not message.get("more_body", False)
        await self._send(message)

    async def finish(self) -> None:
        """Bring it to its end, whatever has been sent; the SDK leaves a stream open that it stops writing to."""
        if not self.begun:
            await self._send({"type": "http.response.start", "status": 503, "headers": []})
        if not self._ended:
            await self._send({"type": "http.response.body", "body": b""})


async def _body(receive: Receive) -> bytes | None:
    """The whole body; None if the client went away before it was sent."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    """`receive` as it was before the body was read."""
    first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return first.pop() if first else await receive()

    return again


async def _hang_up(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
