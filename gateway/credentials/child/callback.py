"""Where the browser comes back to: one path on 127.0.0.1 for as long as a sign-in waits (RFC 8252, section 7.3).

Only an answer that carries the state of this very sign-in counts; whatever else knocks is told 404 and changes nothing,
so that no page can end or replace a sign-in. What a person pastes instead is read by the same rule.
"""

import asyncio
import hmac
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qs, urlsplit

_PATH: Final = "/callback"
_HEAD_BYTES: Final = 16 * 1024
_HEAD_SECONDS: Final = 5.0
_PAGE: Final = (
    "<!doctype html><meta charset=utf-8><title>keyid-gateway</title>"
    "<p>{}</p><p>You can close this window; keyid-gateway goes on by itself.</p>"
)
_HEADERS: Final = (
    "Content-Type: text/html; charset=utf-8\r\nCache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n"
    "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\nConnection: close\r\n"
)


@dataclass(frozen=True, slots=True)
class Returned:
    """What the authorization server sent back by way of the browser: a code or an error, and who it says it is."""

    code: str = field(repr=False)
    state: str = field(repr=False)
    issuer: str | None
    error: str | None


class Callback:
    """The listener, between `listen` and `close`."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._state: str | None = None
        self._server: asyncio.Server | None = None
        self.returned: asyncio.Future[Returned] = asyncio.get_running_loop().create_future()

    async def listen(self) -> None:
        """Begin. Raises `OSError` where the port is taken."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port, limit=_HEAD_BYTES)
        self._port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()

    @property
    def port(self) -> int:
        return self._port

    @property
    def uri(self) -> str:
        """What the authorization server is told."""
        return f"http://127.0.0.1:{self._port}{_PATH}"

    def expect(self, state: str) -> None:
        """From now on an answer with this state counts."""
        self._state = state

    def take(self, url: str) -> bool:
        """Take the address that a browser was sent to; whether it is the answer to this sign-in."""
        try:
            parts = urlsplit(url.strip())
            fields = parse_qs(parts.query, max_num_fields=20)
        except ValueError:
            return False
        if parts.path != _PATH or any(len(values) > 1 for values in fields.values()):
            return False
        said = {name: values[0] for name, values in fields.items()}
        state = said.get("state", "")
        if self._state is None or not hmac.compare_digest(state.encode(), self._state.encode()):
            return False
        error = said.get("error")
        if not error and not said.get("code"):
            return False
        if not self.returned.done():
            self.returned.set_result(Returned(said.get("code", ""), state, said.get("iss"), error))
        return True

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(TimeoutError, OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(_HEAD_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                status, text = self._answer(head.decode("latin-1").split("\r\n"))
                page = _PAGE.format(text).encode()
                writer.write(f"HTTP/1.1 {status}\r\n{_HEADERS}Content-Length: {len(page)}\r\n\r\n".encode() + page)
                await writer.drain()
        writer.close()

    def _answer(self, lines: list[str]) -> tuple[str, str]:
        verb, _, rest = lines[0].partition(" ")
        hosts = [line.partition(":")[2].strip() for line in lines[1:] if line.lower().startswith("host:")]
        if verb != "GET" or hosts != [f"127.0.0.1:{self._port}"]:
            return "400 Bad Request", "This is not for browsers."
        if not self.take(rest.partition(" ")[0]):
            return "404 Not Found", "No sign-in waits for this."
        return "200 OK", "The answer has arrived."
