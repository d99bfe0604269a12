"""HTTP/1.1 to one origin: connections, kept and reused. The protocol is h11's; sockets and TLS are asyncio's.

Why not a whole HTTP client: importing one costs more than everything else on the way to the first answer (measured:
185 of 330 ms), and the relay needs neither redirects nor cookies, proxies, `.netrc` or compression, of which most would
be ways for traffic to go where the settings do not say.

- Every connection carries one request at a time. One that was read to its end is kept for `_IDLE_SECONDS`, less than
  the five seconds after which common servers close theirs: a request sent into a closing connection has an unknown
  fate.
- Errors say what is certain: `NotSent` (no connection was made, so nothing arrived), or `Broken` (it may have).
"""

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import urlsplit

import h11

_IDLE_SECONDS: Final = 4.0
_MAX_IDLE: Final = 256
_CHUNK: Final = 2**18
_HEAD_BYTES: Final = 2**17
_STAGGER_SECONDS: Final = 0.25


class NotSent(Exception):
    """No connection: the request certainly did not arrive. The text says why."""


class Broken(Exception):
    """The connection failed while a request was on it: it may have arrived. The text says how."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where requests go: scheme, host and port of a URL, and the target that is asked for."""

    host: str
    port: int
    tls: bool
    target: str

    @classmethod
    def of(cls, url: str) -> "Origin":
        """The origin and target of an absolute http(s) URL."""
        parts = urlsplit(url)
        tls = parts.scheme == "https"
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(parts.hostname or "", parts.port or (443 if tls else 80), tls, target)

    @property
    def authority(self) -> str:
        """What the `Host` header says (RFC 9110, section 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"


class Response:
    """The head of a response, and its body as it comes. `close` unless `finish` gave the connection back."""

    def __init__(self, wire: "Wire", connection: "_Connection", head: h11.Response) -> None:
        self.status = head.status_code
        self.headers: Mapping[str, str] = {
            name.decode("ascii").lower(): value.decode("latin-1") for name, value in head.headers
        }
        self._wire = wire
        self._connection = connection

    @property
    def content_type(self) -> str:
        """The media type, without its parameters, lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def chunks(self) -> AsyncIterator[bytes]:
        """The body, as it arrives. Raises `Broken` where it ends before its end."""
        return _Chunks(self._connection)

    def finish(self) -> bool:
        """Give the connection back for reuse, if the body was read to its end; whether it was."""
        if not self._connection.ended():
            return False
        self._wire.keep(self._connection)
        return True

    def close(self) -> None:
        """Drop the connection; in the stateless era this is how a request is cancelled."""
        self._connection.abort()


class _Chunks:
    """The body of one response.

    No generator: one that is left in the middle, as after each answer on a stream, costs the loop two tasks to tidy up.
    """

    def __init__(self, connection: "_Connection") -> None:
        self._connection = connection

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        event = await self._connection.event()
        if isinstance(event, h11.Data):
            return bytes(event.data)
        raise StopAsyncIteration


class Wire:
    """The connections to one origin. Made inside the running loop."""

    def __init__(self, url: str, *, connect_timeout: float) -> None:
        self.origin = Origin.of(url)
        self._connect_timeout = connect_timeout
        self._idle: list[_Connection] = []
        self._tls: ssl.SSLContext | None = None

    async def request(self, method: str, headers: Mapping[str, str], body: bytes = b"") -> Response:
        """Send one request and wait for the head of its response. Raises `NotSent` or `Broken`."""
        head = self._head(method, headers, body)
        connection = self._reused() or await self._connect()
        try:
            answered = await connection.exchange(head, body)
        except BaseException:
            connection.abort()
            raise
        return Response(self, connection, answered)

    def keep(self, connection: "_Connection") -> None:
        """Take a connection back."""
        if len(self._idle) >= _MAX_IDLE:
            self._idle.pop(0).abort()
        self._idle.append(connection)

    def close(self) -> None:
        """Drop the idle connections."""
        while self._idle:
            self._idle.pop().abort()

    def _head(self, method: str, headers: Mapping[str, str], body: bytes) -> h11.Request:
        fields = [("Host", self.origin.authority), *headers.items()]
        if body:
            fields.append(("Content-Length", str(len(body))))
        try:
            encoded = [(name.encode("ascii"), value.encode("latin-1")) for name, value in fields]
            return h11.Request(method=method, target=self.origin.target, headers=encoded)
        except (h11.LocalProtocolError, UnicodeEncodeError) as error:
            raise NotSent(f"the request cannot be written as HTTP: {error}") from None

    def _reused(self) -> "_Connection | None":
        while self._idle:
            connection = self._idle.pop()
            if connection.usable():
                return connection
            connection.abort()
        return None

    async def _connect(self) -> "_Connection":
        origin = self.origin
        try:
            async with asyncio.timeout(self._connect_timeout):
                reader, writer = await asyncio.open_connection(
                    origin.host,
                    origin.port,
                    limit=_CHUNK,
                    happy_eyeballs_delay=_STAGGER_SECONDS,
                    ssl=self._context() if origin.tls else None,
                )
        except TimeoutError:
            raise NotSent(
                f"no connection to the upstream within {self._connect_timeout:g} s (--connect-timeout)"
            ) from None
        except ssl.SSLCertVerificationError as error:
            raise NotSent(f"the upstream's certificate is not trusted: {error.verify_message}") from None
        except OSError as error:
            raise NotSent(
                f"cannot connect to the upstream: {reason(error)}: is it up, and is --upstream right?"
            ) from None
        return _Connection(reader, writer)

    def _context(self) -> ssl.SSLContext:
        """The system's trust store, as a browser would use it."""
        if self._tls is None:
            import truststore  # only for https: it is not needed for a server on this machine

            self._tls = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls


class _Connection:
    """One connection and h11's view of it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEAD_BYTES)
        self._has_head = False
        self._idle_since = 0.0
        self._now = asyncio.get_running_loop().time

    async def exchange(self, head: h11.Request, body: bytes) -> h11.Response:
        """Send a request, wait for the head of the response."""
        http = self._http
        self._has_head = False
        sent = (http.send(head), http.send(h11.Data(body)) if body else b"", http.send(h11.EndOfMessage()))
        self._writer.write(b"".join(part for part in sent if part))
        await self._drained()
        while True:
            event = await self.event()
            if isinstance(event, h11.Response):
                self._has_head = True
                return event
            if not isinstance(event, h11.InformationalResponse):
                raise Broken("the connection to the upstream was closed before an answer")

    async def event(self) -> h11.Event | type[h11.PAUSED]:
        """The next thing the server says. Raises `Broken`."""
        try:
            while (event := self._http.next_event()) is h11.NEED_DATA:
                data = await self._reader.read(_CHUNK)
                if not data and not self._has_head:
                    raise Broken("the connection to the upstream was closed before an answer")
                self._http.receive_data(data)
        except h11.RemoteProtocolError:
            what = "was cut off" if self._has_head else "is not HTTP"
            raise Broken(f"the upstream's answer {what}") from None
        except OSError as error:
            raise Broken(f"the connection to the upstream was lost: {reason(error)}") from None
        return event  # type: ignore[return-value]  # h11 types its sentinels as events

    def ended(self) -> bool:
        """Whether the response was read to its end, so that the connection can carry another request."""
        http = self._http
        try:
            while http.their_state is h11.SEND_BODY and http.next_event() is not h11.NEED_DATA:
                continue  # what has arrived already, usually the end of the stream
        except h11.RemoteProtocolError:
            return False
        if http.our_state is not h11.DONE or http.their_state is not h11.DONE:
            return False
        http.start_next_cycle()
        self._idle_since = self._now()
        return True

    def usable(self) -> bool:
        """Whether an idle connection may carry another request."""
        recent = self._now() - self._idle_since < _IDLE_SECONDS
        return recent and not self._reader.at_eof() and not self._writer.is_closing()

    def abort(self) -> None:
        self._writer.transport.abort()

    async def _drained(self) -> None:
        try:
            await self._writer.drain()
        except OSError as error:
            raise Broken(f"the connection to the upstream was lost: {reason(error)}") from None


def reason(error: OSError) -> str:
    """What the operating system says, as one phrase."""
    if isinstance(error, socket.gaierror):
        return "its name cannot be resolved"
    said = os.strerror(error.errno) if error.errno else str(error)
    return said.lower() or type(error).__name__
