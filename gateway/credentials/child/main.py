"""One request in, events out.

The protocol has descriptors of its own: what a browser that is started here prints or reads must not get in between.
"""

import asyncio
import json
import os
import sys
import threading
import traceback
import webbrowser
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import asdict
from typing import Any, Final

from gateway.clock import SystemClock
from gateway.credentials import vault
from gateway.credentials.child import failures
from gateway.credentials.child.addresses import Addresses
from gateway.credentials.child.callback import Callback, Returned
from gateway.credentials.child.exchange import Exchange
from gateway.credentials.child.failures import Stopped
from gateway.credentials.child.flow import Flow
from gateway.credentials.child.kept import Kept, registered_port
from gateway.credentials.client import Client
from gateway.credentials.helper import Failed, Granted, Request, read_request
from gateway.credentials.records import Records
from gateway.errors import GatewayError

_LINE_BYTES: Final = 1024 * 1024
_PERSON_SECONDS: Final = 300.0
_TURN_SECONDS: Final = {"no": 40.0, "browser": 310.0, "paste": 5.0}
"""How long another process may have the sign-in to itself. A person who signs in hears of it soon."""


def main() -> None:
    """Serve one request and end."""
    source, sink = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    gone = False
    lines = _Lines(source)
    try:
        request = read_request(lines.first())
    except (ValueError, TypeError, KeyError):
        sys.exit(2)

    def say(event: str, fields: dict[str, object]) -> None:
        nonlocal gone
        try:
            os.write(sink, json.dumps({"event": event, **fields}).encode() + b"\n")
        except OSError:  # nobody listens any more
            gone = True

    answer = asyncio.run(_served(request, lines, say))
    say("granted" if isinstance(answer, Granted) else "failed", asdict(answer))
    os._exit(1 if gone else 0)  # the thread that reads may still wait for its input


async def _served(request: Request, lines: "_Lines", say: Callable[[str, dict[str, object]], None]) -> Granted | Failed:
    client = request.client
    exchange = Exchange(Addresses(client.upstream, client.issuer))
    try:
        return await _Attempt(request, exchange, _Asked(request, lines, say)).token()
    except Stopped as stopped:
        return stopped.failed
    except GatewayError as error:
        return Failed("state", error.message, error.hint, lasting=False)
    except Exception as error:  # noqa: BLE001 - the answer of last resort; what it quotes may be secret
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{type(error).__name__} at {os.path.basename(place.filename)}:{place.lineno}"  # noqa: PTH119 - a name
        return Failed("unexpected", f"signing in failed by a fault of keyid-gateway: {where}", None, lasting=False)
    finally:
        await exchange.close()


class _Attempt:
    """What one request asks for."""

    def __init__(self, request: Request, exchange: Exchange, person: "_Asked") -> None:
        self._request = request
        self._client = request.client
        self._exchange = exchange
        self._person = person
        self._records = Records(request.client.folder)

    async def token(self) -> Granted:
        """The token. Raises `Stopped`, or `StateError`."""
        request = self._request
        async with self._records.locked(self._client.name, _TURN_SECONDS[request.ask], self._person.waits):
            kept = self._kept()
            if request.operation == "renew":
                granted = kept.valid(request.refused)
                if granted is not None:
                    return granted
            self._records.check_room(self._client.name)
            flow = Flow(self._client, kept, self._exchange)
            if self._client.flow == "client_credentials":
                await flow.machine(request.status, request.challenge)
                return kept.granted()
            if request.operation == "renew" and request.status == 401:
                await self._refreshed(flow, kept)
                if kept.saved:
                    return kept.granted()
            if request.ask == "no":
                raise failures.not_signed_in(self._client, ended=kept.record is not None)
            await self._signed_in(flow, kept)
            return kept.granted()

    def _kept(self) -> Kept:
        found = self._records.read(self._client.name)
        record = None if found is None else vault.complete(self._client.name, found)
        return Kept(self._client, self._records, record, SystemClock())

    async def _refreshed(self, flow: Flow, kept: Kept) -> None:
        record = kept.record
        if record is None or record.secret is None or record.secret.refresh_token is None:
            return
        try:
            await flow.refresh()
        except Stopped as stopped:
            if stopped.failed.code != "refresh refused":
                raise
            kept.forget()
            if self._request.ask == "no":
                raise
            return
        if not kept.saved:
            raise failures.unavailable(record.issuer, "did not answer as an authorization server does")

    async def _signed_in(self, flow: Flow, kept: Kept) -> None:
        wanted = self._client.port or registered_port(kept.record)
        callback = Callback(wanted)
        try:
            await callback.listen()
        except OSError:
            if self._client.port:
                raise Stopped(
                    "port",
                    f"port {self._client.port} is taken, to which the browser has to come back",
                    "free it, or choose another with --oauth-redirect-port",
                ) from None
            callback = Callback(0)
            await callback.listen()
        with closing(callback):
            kept.way_back(callback.port, more_scopes=self._request.status == 403)
            status, challenge = self._request.status, self._request.challenge
            if self._request.operation == "sign in":
                challenge = await self._knock()
            await flow.sign_in(status, challenge, self._person, callback)

    async def _knock(self) -> str:
        """Ask the server itself for its challenge: the place of its metadata may be written only there."""
        import httpx2

        opening = {
            "jsonrpc": "2.0",
            "id": "gw-login",
            "method": "tools/list",
            "params": {},
        }
        headers = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-11-25"}
        request = httpx2.Request("POST", self._client.upstream, json=opening, headers=headers)
        try:
            response = await self._exchange.send(request)
        except Stopped as stopped:
            if stopped.failed.code == "unavailable":
                raise failures.no_upstream(self._client) from None
            raise
        return str(response.headers.get("www-authenticate", ""))


class _Asked:
    """The person, by way of a browser on this machine, or of an address that is shown and one that comes back."""

    def __init__(self, request: Request, lines: "_Lines", say: Callable[[str, dict[str, object]], None]) -> None:
        self._client: Client = request.client
        self._addresses = Addresses(request.client.upstream, request.client.issuer)
        self._browser = request.ask == "browser"
        self._at_a_terminal = request.operation == "sign in"
        self._lines = lines
        self._say = say

    def waits(self) -> None:
        """Another process is at work."""
        self._say("waiting", {})

    async def show(self, url: str) -> None:
        await self._addresses.resolve(url)
        opened = self._browser and await asyncio.to_thread(_open, url)
        if not opened and not self._at_a_terminal:
            raise failures.no_browser(self._client)
        self._say("open", {"url": url, "opened": opened})

    async def answer(self, callback: Callback) -> Returned:
        pasted = asyncio.create_task(self._pasted(callback))
        try:
            async with asyncio.timeout(_PERSON_SECONDS):
                waited: set[asyncio.Future[Any]] = {callback.returned, pasted}
                await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            raise failures.nobody_came(self._client, _PERSON_SECONDS) from None
        finally:
            pasted.cancel()
        if callback.returned.done():
            return callback.returned.result()
        raise Stopped("gone", "whoever asked for the sign-in has gone", lasting=False)

    async def _pasted(self, callback: Callback) -> None:
        """Until an answer was pasted, or whoever asked has gone."""
        while line := await self._lines.next():
            with suppress(ValueError, KeyError, TypeError, AttributeError):
                if callback.take(json.loads(line)["redirect"]):
                    return
            self._say("not it", {})


def _open(url: str) -> bool:
    try:
        return webbrowser.open(url)
    except (webbrowser.Error, OSError):
        return False


class _Lines:
    """Lines of a descriptor, read on a thread; an empty one is the end."""

    def __init__(self, source: int) -> None:
        self._source = source
        self._buffer = b""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._queue: asyncio.Queue[bytes] | None = None

    def first(self) -> bytes:
        """The first line, here and now."""
        return self._read()

    async def next(self) -> bytes:
        """The next line, when it comes."""
        if self._queue is None:
            self._queue, self._loop = asyncio.Queue(), asyncio.get_running_loop()
            threading.Thread(target=self._follow, args=(self._loop, self._queue), daemon=True).start()
        return await self._queue.get()

    def _follow(self, loop: asyncio.AbstractEventLoop, queue: asyncio.Queue[bytes]) -> None:
        line = b"begin"
        while line:
            line = self._read()
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(queue.put_nowait, line)

    def _read(self) -> bytes:
        while b"\n" not in self._buffer and len(self._buffer) < _LINE_BYTES:
            data = os.read(self._source, 65536)
            if not data:
                return b""
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line + b"\n"
