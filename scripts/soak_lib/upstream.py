"""The upstream of a soak: MCP over HTTP on loopback, which does to each call what the call's own arguments say.

It keeps what a test of the other side needs: how often each call knocked, how often it was let in, and whether it
looked as it was sent. A call that is turned away (no session, 401, 429) has not run; one that is let in has.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

from scripts.soak_lib.kinds import MAX_MESSAGE_BYTES, TOOLS

Json: TypeAlias = Any
_SLOW_SECONDS, _LEISURELY_SECONDS = 0.03, 0.04
_EVENTS = "text/event-stream"


@dataclass(slots=True, eq=False)
class Request:
    """One request that came, and the connection that it came on."""

    verb: str
    headers: Mapping[str, str]
    body: bytes
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def stateless(self) -> bool:
        return self.headers.get("mcp-protocol-version") == "2026-07-28"

    def hang_up(self) -> None:
        self.writer.transport.abort()

    def http(self, status: int, body: bytes = b"", kind: str = "application/json", more: str = "") -> None:
        """A whole answer; `more` are header lines, each with its line break."""
        head = f"HTTP/1.1 {status} soak\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
        self.writer.write(head.encode() + body)

    def begin(self) -> None:
        """The beginning of a stream that ends with its connection."""
        self.writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: {_EVENTS}\r\nConnection: close\r\n\r\n".encode())


Fault: TypeAlias = Callable[[Request, Json, bytes], Awaitable[None]]


class Upstream:
    """Serves while the block lasts."""

    def __init__(self, tools: Sequence[str] = TOOLS) -> None:
        self._tools = tools
        self.knocked: Counter[int] = Counter()
        self.let_in: Counter[int] = Counter()
        self.seen: dict[int, Json] = {}
        """The params of every call that was let in."""
        self.sessions: set[str] = set()
        self.opened = 0
        self.failures: list[str] = []
        """What went wrong in here, which no run may count as a fault of the gateway's."""
        self._streams: set[Request] = set()
        self._cut: dict[str, bytes] = {}
        self._server: asyncio.Server | None = None
        self._faults: Mapping[str, Fault] = {
            "stream": self._stream,
            "progress": self._progress,
            "slow": self._slow,
            "leisurely": self._leisurely,
            "close": self._close,
            "changed": self._changed,
            "resumed": self._resumed,
            "reset": self._reset,
            "cut": self._cut_off,
            "silent": self._silent,
        }

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, backlog=1024)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for stream in list(self._streams):
            stream.hang_up()

    @property
    def url(self) -> str:
        if self._server is None:
            raise RuntimeError("it does not listen yet")
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/mcp"

    def drop_streams(self) -> None:
        """Cut every standing stream."""
        for stream in list(self._streams):
            stream.hang_up()

    # --- connections --------------------------------------------------------------------------------------------------

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while (request := await _read(reader, writer)) is not None:
                    await self._answer(request)
                    await writer.drain()
        except (LookupError, TypeError, ValueError) as error:
            self.failures.append(repr(error))
        finally:
            writer.transport.abort()

    async def _answer(self, request: Request) -> None:
        known = request.stateless or request.headers.get("mcp-session-id") in self.sessions
        if request.verb == "GET":
            await self._listen(request, known=known)
        elif request.verb == "DELETE":
            self.sessions.discard(request.headers.get("mcp-session-id", ""))
            request.http(200)
        else:
            await self._take(request, json.loads(request.body), known=known)

    async def _listen(self, request: Request, *, known: bool) -> None:
        rest = self._cut.pop(request.headers.get("last-event-id", ""), None)
        if rest is not None:
            request.http(200, _event(rest), _EVENTS)
        elif not known:
            request.http(404)
        else:
            request.begin()
            self._streams.add(request)
            try:
                await request.reader.read()
            finally:
                self._streams.discard(request)

    async def _take(self, request: Request, message: Json, *, known: bool) -> None:
        method, identifier = message.get("method"), message.get("id")
        if method == "tools/call":
            await self._call(request, message, known=known)
        elif method == "initialize":
            self.opened += 1
            session = f"s{self.opened}"
            self.sessions.add(session)
            value = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {"listChanged": True}}}
            value["serverInfo"] = {"name": "soak", "version": "1"}
            request.http(200, _result(identifier, value), more=f"Mcp-Session-Id: {session}\r\n")
        elif not known:
            request.http(404)
        elif method == "tools/list":
            schema = {"type": "object"}
            tools = [{"name": name, "inputSchema": schema} for name in self._tools]
            request.http(200, _result(identifier, {"tools": tools, **_complete(request)}))
        else:
            request.http(202 if identifier is None or method is None else 200, _result(identifier, {}))

    # --- calls --------------------------------------------------------------------------------------------------------

    async def _call(self, request: Request, message: Json, *, known: bool) -> None:
        arguments = message["params"]["arguments"]
        n, fault = arguments["n"], arguments["fault"]
        self.knocked[n] += 1
        if fault == "lost" and self.knocked[n] == 1:
            self.sessions.discard(request.headers.get("mcp-session-id", ""))
            known = False
        if not known:
            request.http(404)
        elif fault == "429":
            request.http(429, more="Retry-After: 1\r\n")
        elif fault == "401":
            request.http(401)
        else:
            self.let_in[n] += 1
            self.seen[n] = message["params"]
            value = {"content": [{"type": "text", "text": str(n)}], **_complete(request)}
            answer = _result(message["id"], value)
            special = self._faults.get(fault)
            if special is None:
                request.http(*_at_once(fault, message["id"], value, answer))
            else:
                await special(request, message["id"], answer)

    async def _stream(self, request: Request, _: Json, answer: bytes) -> None:
        parts = [_event(answer)[:7], _event(answer)[7:], b""]
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {_EVENTS}\r\nTransfer-Encoding: chunked\r\n\r\n"
        request.writer.write(head.encode() + b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts))

    async def _progress(self, request: Request, identifier: Json, answer: bytes) -> None:
        params = {"level": "info", "data": identifier}
        spoken = json.dumps({"jsonrpc": "2.0", "method": "notifications/message", "params": params}).encode()
        request.http(200, _event(spoken) * 3 + _event(answer), _EVENTS)

    async def _slow(self, request: Request, _: Json, answer: bytes) -> None:
        await asyncio.sleep(_SLOW_SECONDS)
        request.http(200, answer)

    async def _leisurely(self, request: Request, _: Json, answer: bytes) -> None:
        await asyncio.sleep(_LEISURELY_SECONDS)
        request.http(200, answer)

    async def _close(self, request: Request, _: Json, answer: bytes) -> None:
        request.http(200, answer, more="Connection: close\r\n")
        await request.writer.drain()
        request.writer.close()

    async def _changed(self, request: Request, _: Json, answer: bytes) -> None:
        spoken = b'{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}'
        for stream in list(self._streams):
            stream.writer.write(_event(spoken))
        request.http(200, _event(spoken) + _event(answer), _EVENTS)

    async def _resumed(self, request: Request, identifier: Json, answer: bytes) -> None:
        mark = f"event-{identifier}"
        self._cut[mark] = answer
        request.begin()
        request.writer.write(f"id: {mark}\ndata: \n\n".encode())
        await request.writer.drain()
        request.writer.close()

    async def _reset(self, request: Request, _: Json, __: bytes) -> None:
        request.hang_up()

    async def _cut_off(self, request: Request, _: Json, answer: bytes) -> None:
        request.begin()
        request.writer.write(_event(answer)[:-9])
        await request.writer.drain()
        request.writer.close()

    async def _silent(self, request: Request, _: Json, __: bytes) -> None:
        await request.reader.read()


def _at_once(fault: str, identifier: Json, value: Mapping[str, Json], answer: bytes) -> tuple[int, bytes, str]:
    """Status, body and type of what needs no time."""
    error = {"jsonrpc": "2.0", "id": identifier, "error": {"code": -32000, "message": "no"}}
    match fault:
        case "tool error":
            return 200, _result(identifier, {**value, "isError": True}), "application/json"
        case "error":
            return 200, json.dumps(error).encode(), "application/json"
        case "500":
            return 500, b"boom", "text/plain"
        case "503":
            return 503, b"<html>", "text/html"
        case "garbage":
            return 200, answer[:-1], "application/json"
        case "other id":
            return 200, _result(f"not {identifier}", value), "application/json"
        case "oversized":
            return 200, _result(identifier, {"content": ["x" * (2 * MAX_MESSAGE_BYTES)]}), "application/json"
        case _:
            return 200, answer, "application/json"


async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.rstrip("\r\n").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(first.split(" ")[0], headers, body, reader, writer)


def _complete(request: Request) -> Mapping[str, Json]:
    return {"resultType": "complete"} if request.stateless else {}


def _result(identifier: Json, value: Mapping[str, Json]) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": identifier, "result": value}).encode()


def _event(data: bytes) -> bytes:
    return b"event: message\ndata: " + data + b"\n\n"
