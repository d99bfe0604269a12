"""HTTP/1.1 to one origin: requests written, connections kept and reused, TLS by the system's certificates.

Why not a whole HTTP client: importing one costs more than everything else on the way to the first answer (measured:
185 of 330 ms), and the relay needs neither redirects nor cookies, proxies, `.netrc` or compression, of which most would
be ways for traffic to go where the settings do not say.

- Every connection carries one request at a time. One that was read to its end is kept for `_IDLE_SECONDS`, less than
  the five seconds after which common servers close theirs: a request sent into a closing connection has an unknown
  fate. After any status but a success it is not kept: that is when servers like to close.
- There are at most as many connections as `most_connections` says. Whoever needs one beyond that waits, and they get
  theirs in the order in which they came. A few more are kept for what is no request: whoever is asked something in the
  middle of a call answers in a request of its own, which must not wait for the calls that wait for it.
- Errors say what is certain: `NotSent` (nothing was written, so nothing arrived), or `Broken` (it may have).
"""

import asyncio
import re
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from functools import lru_cache
from typing import Final, Self

from gateway.upstream.connection import Broken, Connection, Plain, Silent, Unsent
from gateway.upstream.failures import unreachable
from gateway.upstream.origin import Origin

__all__ = ["Broken", "NotSent", "Origin", "Response", "Silent", "Wire"]

_IDLE_SECONDS: Final = 4.0
_MAX_IDLE: Final = 256
_MAX_CONNECTIONS: Final = 2048
_MAX_ASIDE: Final = 32
_OTHER_DESCRIPTORS: Final = 128
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE: Final = re.compile(r"[\t -~\x80-\xff]*")
_OURS: Final = frozenset({"host", "content-length", "transfer-encoding", "connection"})
_READ_BYTES: Final = 2**16
_STAGGER_SECONDS: Final = 0.25
_KEPT_LENGTH: Final = 8192
"""Characters of all names and values together; a token is among them."""


class NotSent(Exception):
    """Nothing was written: the request certainly did not arrive. The text says why."""


class Response:
    """The head of a response, and its body as it comes. `close` unless `finish` gave the connection back."""

    def __init__(
        self, wire: "Wire", room: asyncio.Semaphore, connection: Connection, status: int, headers: Mapping[str, str]
    ) -> None:
        self.status = status
        self.headers = headers
        """Those that are read; names in lower case."""
        self.content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        """The media type, without its parameters, lower case."""
        self._wire = wire
        self._room = room
        self._connection = connection
        self._held = True

    def whole(self) -> bytes | None:
        """The body, if all of it has arrived with the head, as that of a short answer has."""
        return self._connection.whole()

    def chunks(self, idle: float | None = None) -> AsyncIterator[bytes]:
        """The body, as it arrives. Raises `Broken` where it ends before its end, `Silent` after `idle` seconds."""
        return _Chunks(self._connection, idle)

    def finish(self) -> bool:
        """Give the connection back for reuse, if the body was read to its end; whether it was."""
        if not self._connection.ended():
            return False
        self._done(keep=self.status < 300)
        return True

    def close(self) -> None:
        """Drop the connection; in the stateless era this is how a request is cancelled."""
        self._done(keep=False)

    def let_go(self, seconds: float) -> None:
        """Give the connection back as soon as the rest of the body has come; after `seconds`, drop it."""
        if not self._held:
            return
        timer = asyncio.get_running_loop().call_later(seconds, self.close)

        def over() -> None:
            timer.cancel()
            if not self.finish():
                self.close()

        self._wire.lets_go(self._connection)
        self._connection.drop_rest(over)

    def _done(self, *, keep: bool) -> None:
        if self._held:
            self._held = False
            self._wire.give_back(self._connection, self._room, keep=keep)


class _Chunks:
    """The body of one response.

    No generator: one that is left in the middle, as after each answer on a stream, costs the loop two tasks to tidy up.
    """

    def __init__(self, connection: Connection, idle: float | None) -> None:
        self._connection = connection
        self._idle = idle

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        chunk = await self._connection.chunk(self._idle)
        if chunk is None:
            raise StopAsyncIteration
        return chunk


class Wire:
    """The connections to one origin. Made inside the running loop."""

    def __init__(self, url: str, *, connect_timeout: float, most: int | None = None) -> None:
        self.origin = Origin.of(url)
        self._connect_timeout = connect_timeout
        most = most or most_connections()
        self._free = asyncio.Semaphore(most)
        self._aside = asyncio.Semaphore(max(1, min(_MAX_ASIDE, most // 8)))
        self._idle: list[Connection] = []
        self._leaving: set[Connection] = set()
        self._last: tuple[str, str, Mapping[str, str], str] | None = None
        self._buffer = bytearray(_READ_BYTES)
        self._tls: ssl.SSLContext | None = None

    async def request(
        self,
        method: str,
        headers: Mapping[str, str],
        body: bytes = b"",
        *,
        target: str | None = None,
        fresh: bool = False,
        aside: bool = False,
        sent: Callable[[], None] | None = None,
    ) -> Response:
        """Send one request and wait for the head of its response. Raises `NotSent` or `Broken`.

        `target` is asked for instead of the URL's own. `fresh` wants a connection that nobody has used before,
        `aside` one of those that no request gets, where all others are taken. `sent` is called once it is written.
        """
        data = self._head(method, target or self.origin.target, headers, body) + body
        room = self._aside if aside and self._free.locked() else self._free
        await room.acquire()
        try:
            connection = await self._written(data, fresh=fresh)
        except BaseException:  # a cancellation too: what was taken is given back, and whatever it was goes on
            room.release()
            raise
        try:
            if sent is not None:
                sent()
            status, fields = await connection.head()
        except BaseException:  # as above
            self.give_back(connection, room, keep=False)
            raise
        return Response(self, room, connection, status, fields)

    def lets_go(self, connection: Connection) -> None:
        """A connection will be given back by itself: nobody waits for it."""
        self._leaving.add(connection)

    def give_back(self, connection: Connection, room: asyncio.Semaphore, *, keep: bool) -> None:
        """Take a connection back: to be used again, or to be dropped."""
        self._leaving.discard(connection)
        room.release()
        if not keep:
            connection.abort()
            return
        if len(self._idle) >= _MAX_IDLE:
            self._idle.pop(0).abort()
        self._idle.append(connection)

    def close(self) -> None:
        """Drop the connections that nobody waits for."""
        while self._idle:
            self._idle.pop().abort()
        for connection in tuple(self._leaving):
            connection.abort()

    async def _written(self, data: bytes, *, fresh: bool) -> Connection:
        """A connection that `data` was written to. Where one turns out to be closed, nothing was: another is used."""
        while True:
            kept = None if fresh else self._reused()
            connection = kept or await self._connect()
            try:
                connection.write(data)
            except Unsent:
                connection.abort()
                if kept is None:
                    raise NotSent("the upstream closed the connection before anything was sent") from None
            else:
                return connection

    def _head(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> bytes:
        """The head of a request (RFC 9112, sections 3 and 5). What a header cannot carry is not sent at all."""
        last = self._last
        if last is not None and last[2] is headers and last[1] == target and last[0] == method:
            lines = last[3]
        else:
            lines = f"{method} {target} HTTP/1.1\r\nHost: {self.origin.authority}\r\n{_fields(headers)}"
            self._last = (method, target, headers, lines) if len(lines) <= _KEPT_LENGTH else None
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        return f"{lines}{length}\r\n".encode("latin-1")

    def _reused(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.usable(_IDLE_SECONDS):
                return connection
            connection.abort()
        return None

    async def _connect(self) -> Connection:
        origin = self.origin
        try:
            async with asyncio.timeout(self._connect_timeout):
                _, connection = await asyncio.get_running_loop().create_connection(
                    Connection if origin.tls else lambda: Plain(self._buffer),
                    origin.host,
                    origin.port,
                    happy_eyeballs_delay=_STAGGER_SECONDS,
                    ssl=self._context() if origin.tls else None,
                )
        except TimeoutError:
            raise NotSent(
                f"no connection to the upstream within {self._connect_timeout:g} s (`--connect-timeout`)"
            ) from None
        except OSError as error:
            raise NotSent(unreachable(error)) from None
        connection.watch()
        return connection

    def _context(self) -> ssl.SSLContext:
        """The system's trust store, as a browser would use it."""
        if self._tls is None:
            import truststore  # only for https: it is not needed for a server on this machine

            self._tls = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls


def _fields(headers: Mapping[str, str]) -> str:
    """The lines of the headers. Raises `NotSent`.

    Nearly every request of a session has the same, so short ones are written once; what an argument became (2026-07-28)
    may be as long as a message, and is not kept.
    """
    items = tuple(headers.items())
    short = sum(len(name) + len(value) for name, value in items) <= _KEPT_LENGTH
    return _known_fields(items) if short else _written_fields(items)


def _written_fields(headers: tuple[tuple[str, str], ...]) -> str:
    for name, value in headers:
        if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value) or name.lower() in _OURS:
            raise NotSent(f"the request cannot be written as HTTP: header {name[:40]!a} is not one to send")
    return "".join([f"{name}: {value}\r\n" for name, value in headers])


_known_fields = lru_cache(maxsize=64)(_written_fields)


def most_connections() -> int:
    """How many connections there may be at once: each is an open file, and the state and the log need some too."""
    if sys.platform == "win32":  # it has no such limit
        return _MAX_CONNECTIONS
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = soft == resource.RLIM_INFINITY
    return _MAX_CONNECTIONS if unlimited else min(_MAX_CONNECTIONS, max(soft // 2, soft - _OTHER_DESCRIPTORS))
