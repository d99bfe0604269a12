"""One HTTP/1.1 connection: bytes out, a head and a body in. The parser is llhttp (`httptools`).

A request is written whole; what comes back is parsed as it arrives, without a stream in between. Bounds: a head has at
most `_HEAD_BYTES`; reading pauses while `_HELD_BYTES` of a body wait to be taken. One exchange at a time; a connection
whose exchange was read to its end, and whose server did not say otherwise, can carry another.
"""

import asyncio
import os
import socket
from collections import deque
from typing import Final, cast

import httptools

_HEAD_BYTES: Final = 2**17
_HELD_BYTES: Final = 2**20
_WITHOUT_BODY: Final = frozenset({204, 304})


class Broken(Exception):
    """The connection failed while a request was on it: it may have arrived. The text says how."""


class Connection(asyncio.Protocol):
    """A connection, made by the loop's `create_connection`; the methods named `on_…` are the parser's."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self._now = loop.time
        self._future = loop.create_future
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._lost = False
        self._idle_since = 0.0
        self._begin()

    def _begin(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._fields: list[tuple[bytes, bytes]] = []
        self._body: deque[bytes] = deque()
        self._received = 0
        self._held = 0
        self._paused = False
        self._interim = False
        self._until_end = False
        self._has_head = False
        self._complete = False
        self._reusable = False
        self._fault: str | None = None

    # --- what the wire asks -------------------------------------------------------------------------------------------

    async def exchange(self, request: bytes) -> tuple[int, dict[str, str]]:
        """Send a request; the status and the headers (names in lower case) of its response. Raises `Broken`."""
        self._begin()
        if self._transport is None or self._lost:
            raise Broken("the connection to the upstream was closed before an answer")
        self._transport.write(request)
        while not self._has_head:
            await self._news()
        return self._parser.get_status_code(), {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in self._fields
        }

    async def chunk(self) -> bytes | None:
        """What has arrived of the body; None at its end. Raises `Broken` where it ends before."""
        while not self._body:
            if self._complete:
                return None
            await self._news()
        data = self._body.popleft() if len(self._body) == 1 else b"".join(self._body)
        self._body.clear()
        self._held = 0
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return data

    def ended(self) -> bool:
        """Whether the exchange was read to its end, so that the connection can carry another."""
        self._idle_since = self._now()
        return self._complete and self._reusable and not self._lost

    def usable(self, idle_seconds: float) -> bool:
        """Whether the connection may carry another exchange: it was not idle for longer, and nobody closed it."""
        closing = self._transport is None or self._transport.is_closing()
        return not (closing or self._lost) and self._reusable and self._now() - self._idle_since < idle_seconds

    def abort(self) -> None:
        """Drop the connection."""
        if self._transport is not None:
            self._transport.abort()

    async def _news(self) -> None:
        """Wait until something has arrived. Raises `Broken` where nothing will."""
        if self._fault is not None:
            raise Broken(self._fault)
        self._waiter = self._future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    # --- what the transport says --------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._complete:  # nobody asked for it: whatever it is, nothing can be asked here any more
            self._reusable = False
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail("the upstream's answer was cut off" if self._has_head else "the upstream's answer is not HTTP")
        self._received += len(data)
        if not self._has_head and self._received > _HEAD_BYTES:
            self._fail("the upstream's answer is not HTTP")
        self._wake()

    def eof_received(self) -> bool:
        self._end("the connection to the upstream was closed before an answer")
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self._lost = True
        said = f"lost: {reason(error)}" if isinstance(error, OSError) else "closed before an answer"
        self._end(f"the connection to the upstream was {said}")

    def _end(self, otherwise: str) -> None:
        self._lost = True
        if self._has_head and self._until_end:
            self._complete = True
        elif not self._complete:
            self._fail("the upstream's answer was cut off" if self._has_head else otherwise)
        self._wake()

    def _fail(self, fault: str) -> None:
        self._fault = self._fault or fault
        self._reusable = False

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # --- what the parser says -----------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._complete:
            self._reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._complete:
            self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        self._interim = status < 200
        if self._interim or self._complete:
            return
        named = {name.lower() for name, _ in self._fields}
        framed = b"content-length" in named or b"transfer-encoding" in named
        self._until_end = not framed and status not in _WITHOUT_BODY
        self._has_head = True

    def on_body(self, data: bytes) -> None:
        if self._complete:
            return
        self._body.append(data)
        self._held += len(data)
        if self._held > _HELD_BYTES and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        if self._interim:
            self._fields.clear()
        elif not self._complete:
            self._complete = True
            self._reusable = self._parser.should_keep_alive()


def reason(error: OSError) -> str:
    """What the operating system says, as one phrase."""
    if isinstance(error, socket.gaierror):
        return "its name cannot be resolved"
    said = os.strerror(error.errno) if error.errno else str(error)
    return said.lower() or "connection lost"
