"""One HTTP/1.1 connection: bytes out, a head and a body in. The parser is llhttp (`httptools`).

A request is written whole; what comes back is parsed as it arrives, without a stream in between. Bounds: a head has at
most `_HEAD_BYTES`, and so has what comes between two pieces of a body, or after the last one and before the end (fields
there are no headers, RFC 9110, section 6.5.1, and are dropped); reading pauses while `_HELD_BYTES` of a body wait to be
taken. One exchange at a time; a connection whose exchange was read to its end, and whose server did not say otherwise,
can carry another.

A server may close an idle connection at any moment, and what is written into one that it is closing has an unknown
fate. So whether anything has come (its end, above all) is asked of the system at the moment of writing, not of the
loop, which may not have looked yet; and a request of which the system took not a single byte was certainly not sent.
"""

import asyncio
import select
import socket
import sys
from collections.abc import Callable
from typing import Final, cast

import httptools

from gateway.upstream.failures import reason

_HEAD_BYTES: Final = 2**17
_HELD_BYTES: Final = 2**20
_KEEP_ALIVE: Final = {"TCP_KEEPIDLE": 60, "TCP_KEEPALIVE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}
"""After a minute of silence, four questions in another: then the connection is lost. Each system has some of these."""
_WITHOUT_BODY: Final = frozenset({204, 304})
_READ: Final = {
    name.encode(): name
    for name in (
        "content-length",
        "content-type",
        "date",
        "location",
        "mcp-session-id",
        "retry-after",
        "transfer-encoding",
        "www-authenticate",
    )
}
"""The headers that anybody here reads; the others are not kept."""
_LISTS: Final = frozenset({"www-authenticate"})
"""What may stand in several lines, of those headers; of any other the last counts."""
_ENDLESS: Final = f"the upstream sent more than {_HEAD_BYTES} bytes that are no part of an answer"


class Broken(Exception):
    """The connection failed while a request was on it: it may have arrived. The text says how."""


class Silent(Broken):
    """Nothing came for as long as was agreed: the connection may be well, but the stream is given up."""


class Unsent(Exception):
    """The connection was closed before anything was written to it."""


class Connection(asyncio.Protocol):
    """A connection, made by the loop's `create_connection`; the methods named `on_…` are the parser's."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self._parser = httptools.HttpResponseParser(self)
        self._now = loop.time
        self._poll: Callable[[int], object] | None = None
        self._future = loop.create_future
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._lost = False
        self._idle_since = 0.0
        self._begin()

    def _begin(self) -> None:
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._received = 0
        self._beside = 0
        self._held = 0
        self._paused = False
        self._interim = False
        self._until_end = False
        self._status = 0
        self._has_head = False
        self._complete = False
        self._reusable = False
        self._fault: str | None = None
        self._over: Callable[[], None] | None = None

    # --- what the wire asks -------------------------------------------------------------------------------------------

    def write(self, request: bytes) -> None:
        """Send a request. Raises `Unsent` where not a byte of it was taken."""
        self._begin()
        transport = self._transport
        if transport is None or self._lost or transport.is_closing():
            raise Unsent
        transport.write(request)
        if transport.is_closing():  # the first attempt to write failed
            raise Unsent

    async def head(self) -> tuple[int, dict[str, str]]:
        """The status of the response, and those of its headers that are read (in lower case). Raises `Broken`."""
        while not self._has_head:
            await self._news()
        return self._status, self._headers

    def whole(self) -> bytes | None:
        """The rest of the body, if all of it has arrived."""
        if not self._complete:
            return None
        return self._taken() if self._body else b""

    async def chunk(self, idle: float | None = None) -> bytes | None:
        """What has arrived of the body; None at its end. Raises `Broken` where it ends before.

        Raises `Silent` where nothing comes for `idle` seconds.
        """
        while not self._body:
            if self._complete:
                return None
            if idle is None:
                await self._news()
            else:
                await self._news_within(idle)
        return self._taken()

    def drop_rest(self, over: Callable[[], None]) -> None:
        """Take nothing more of the body: what is left is dropped as it comes. `over` is called at its end."""
        self._over = over
        self._taken()
        self._wake()

    def _taken(self) -> bytes:
        """What has arrived of the body and was not taken yet; reading goes on."""
        data = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._body.clear()
        self._held = 0
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return data

    def watch(self) -> None:
        """Have the system notice a server that is gone without a word (RFC 9293, section 3.8.4)."""
        found = self._transport.get_extra_info("socket") if self._transport is not None else None
        if found is None:
            return
        found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEEP_ALIVE.items():
            if hasattr(socket, option):
                found.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)

    def ended(self) -> bool:
        """Whether the exchange was read to its end, so that the connection can carry another."""
        self._idle_since = self._now()
        return self._complete and self._reusable and not self._paused and not self._lost

    def usable(self, idle_seconds: float) -> bool:
        """Whether the connection may carry another exchange: it was not idle for longer, and nobody closed it."""
        if self._transport is None or self._transport.is_closing() or self._lost or not self._reusable:
            return False
        return self._now() - self._idle_since < idle_seconds and not self._has_news(self._transport)

    def _has_news(self, transport: asyncio.Transport) -> bool:
        """Whether the system has anything to say of an idle connection: nothing that could come on one is good news."""
        found = transport.get_extra_info("socket")
        if found is None or found.fileno() < 0:
            return True
        if sys.platform == "win32":  # it has no `poll`
            readable, _, _ = select.select([found.fileno()], [], [], 0)
            return bool(readable)
        if self._poll is None:
            poll = select.poll()
            poll.register(found.fileno(), select.POLLIN)
            self._poll = poll.poll
        return bool(self._poll(0))

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

    async def _news_within(self, seconds: float) -> None:
        waking = asyncio.get_running_loop().call_later(seconds, self._wake)
        received = self._received
        try:
            await self._news()
        finally:
            waking.cancel()
        if self._received == received and self._fault is None and not self._complete:
            raise Silent

    # --- what the transport says --------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes | memoryview) -> None:
        if self._complete:  # nobody asked for it: whatever it is, nothing can be asked here any more
            self._reusable = False
            return
        self._beside += len(data)  # until a piece of a body comes, or the end
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail("the upstream's answer was cut off" if self._has_head else "the upstream's answer is not HTTP")
        self._received += len(data)
        if self._beside > _HEAD_BYTES:
            self._fail(_ENDLESS if self._has_head else "the upstream's answer is not HTTP")
            self.abort()
        self._wake()

    def eof_received(self) -> bool:
        self._end("the connection to the upstream was closed before an answer")
        return False

    def connection_lost(self, error: Exception | None) -> None:
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
        if self._over is not None and (self._complete or self._lost or self._fault is not None):
            over, self._over = self._over, None
            over()

    # --- what the parser says -----------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._complete:
            self._reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        known = _READ.get(name) or _READ.get(name.lower())
        if known is None or self._has_head:
            return
        text, headers = value.decode("latin-1"), self._headers
        headers[known] = f"{headers[known]}, {text}" if known in _LISTS and known in headers else text

    def on_headers_complete(self) -> None:
        if self._complete:  # of another answer, which nobody asked for
            return
        status = self._parser.get_status_code()
        self._interim = status < 200
        if self._interim:
            return
        framed = "content-length" in self._headers or "transfer-encoding" in self._headers
        self._until_end = not framed and status not in _WITHOUT_BODY
        self._status, self._has_head = status, True

    def on_body(self, data: bytes) -> None:
        if self._complete:
            return
        self._beside = 0
        if self._over is not None:
            return
        self._body.append(data)
        self._held += len(data)
        if self._held > _HELD_BYTES and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        if self._interim:
            self._headers.clear()
        elif not self._complete:
            self._complete = True
            self._beside = 0
            self._reusable = self._parser.should_keep_alive()


class Plain(Connection, asyncio.BufferedProtocol):
    """One without TLS. The loop reads into `buffer`, and what it has read is parsed before it reads on.

    So all connections of a loop can have the same one, and nothing is allocated to read a few hundred bytes. Over TLS,
    asyncio would hand over one buffer of what it has decrypted at a time, the next one later, and nothing more once the
    server has closed the connection (`_do_read__buffered` in `asyncio.sslproto`): long answers would lose their ends.
    """

    def __init__(self, buffer: bytearray) -> None:
        super().__init__()
        self._buffer = memoryview(buffer)

    def get_buffer(self, _: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, count: int) -> None:
        self.data_received(self._buffer[:count])
