"""HTTP/1.1 to one origin: requests written, connections kept and reused, TLS by the system's certificates.

Why not a whole HTTP client: importing one costs more than everything else on the way to the first answer (measured:
185 of 330 ms), and the relay needs neither redirects nor cookies, proxies, `.netrc` or compression, of which most would
be ways for traffic to go where the settings do not say.

- Every connection carries one request at a time. One that was read to its end is kept for `_IDLE_SECONDS`, less than
  the five seconds after which common servers close theirs: a request sent into a closing connection has an unknown
  fate.
- Errors say what is certain: `NotSent` (no connection was made, so nothing arrived), or `Broken` (it may have).
"""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import quote, urlsplit

from gateway.upstream.connection import Broken, Connection, reason

__all__ = ["Broken", "NotSent", "Origin", "Response", "Wire"]

_IDLE_SECONDS: Final = 4.0
_MAX_IDLE: Final = 256
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE: Final = re.compile(r"[\t -~\x80-\xff]*")
_OURS: Final = frozenset({"host", "content-length", "transfer-encoding", "connection"})
_TARGET: Final = "/?:@!$&'()*+,;=-._~%"
_STAGGER_SECONDS: Final = 0.25


class NotSent(Exception):
    """No connection: the request certainly did not arrive. The text says why."""


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
        target = quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=_TARGET)
        return cls(parts.hostname or "", parts.port or (443 if tls else 80), tls, target)

    @property
    def authority(self) -> str:
        """What the `Host` header says (RFC 9110, section 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"


class Response:
    """The head of a response, and its body as it comes. `close` unless `finish` gave the connection back."""

    def __init__(self, wire: "Wire", connection: Connection, status: int, headers: Mapping[str, str]) -> None:
        self.status = status
        self.headers = headers
        """Names in lower case."""
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

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        chunk = await self._connection.chunk()
        if chunk is None:
            raise StopAsyncIteration
        return chunk


class Wire:
    """The connections to one origin. Made inside the running loop."""

    def __init__(self, url: str, *, connect_timeout: float) -> None:
        self.origin = Origin.of(url)
        self._connect_timeout = connect_timeout
        self._idle: list[Connection] = []
        self._tls: ssl.SSLContext | None = None

    async def request(self, method: str, headers: Mapping[str, str], body: bytes = b"") -> Response:
        """Send one request and wait for the head of its response. Raises `NotSent` or `Broken`."""
        head = self._head(method, headers, body)
        connection = self._reused() or await self._connect()
        try:
            status, fields = await connection.exchange(head + body)
        except BaseException:  # a cancellation too: what was opened is let go of, and whatever it was goes on
            connection.abort()
            raise
        return Response(self, connection, status, fields)

    def keep(self, connection: Connection) -> None:
        """Take a connection back."""
        if len(self._idle) >= _MAX_IDLE:
            self._idle.pop(0).abort()
        self._idle.append(connection)

    def close(self) -> None:
        """Drop the idle connections."""
        while self._idle:
            self._idle.pop().abort()

    def _head(self, method: str, headers: Mapping[str, str], body: bytes) -> bytes:
        """The head of a request (RFC 9112, sections 3 and 5). What a header cannot carry is not sent at all."""
        lines = [f"{method} {self.origin.target} HTTP/1.1", f"Host: {self.origin.authority}"]
        for name, value in headers.items():
            if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value) or name.lower() in _OURS:
                raise NotSent(f"the request cannot be written as HTTP: header {name[:40]!a} is not one to send")
            lines.append(f"{name}: {value}")
        if body:
            lines.append(f"Content-Length: {len(body)}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

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
                    Connection,
                    origin.host,
                    origin.port,
                    happy_eyeballs_delay=_STAGGER_SECONDS,
                    ssl=self._context() if origin.tls else None,
                )
        except TimeoutError:
            raise NotSent(
                f"no connection to the upstream within {self._connect_timeout:g} s (--connect-timeout)"
            ) from None
        except ssl.SSLCertVerificationError as error:
            raise NotSent(f"the upstream's certificate is not trusted: {error.verify_message}") from None
        except ssl.SSLError as error:
            said = (error.reason or "handshake failed").replace("_", " ").lower()
            raise NotSent(f"no TLS connection to the upstream: {said}: does it speak https at this port?") from None
        except OSError as error:
            raise NotSent(
                f"cannot connect to the upstream: {reason(error)}: is it up, and is --upstream right?"
            ) from None
        return connection

    def _context(self) -> ssl.SSLContext:
        """The system's trust store, as a browser would use it."""
        if self._tls is None:
            import truststore  # only for https: it is not needed for a server on this machine

            self._tls = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls
