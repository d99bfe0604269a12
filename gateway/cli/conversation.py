"""A client of our own, for commands: a gateway in this very process, joined to it by two pipes.

It is the gateway of `run`, whole: what is said to it is judged, charged and recorded as what any client says. It speaks
as one that shakes hands, which the gateway translates for servers that do not.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import IO, Final

import click

from gateway import __version__
from gateway.app import serve
from gateway.cli.results import failed
from gateway.clock import SystemClock
from gateway.errors import UpstreamError
from gateway.jsonrpc import METHOD_NOT_FOUND, Json, Message, Refusal, parse_upstream, serialise
from gateway.settings import Settings

_REVISION: Final = "2025-11-25"


class Conversation:
    """One client. One thing at a time is asked."""

    def __init__(self, read: IO[bytes], write: IO[bytes], heard: Callable[[Message], None]) -> None:
        self._read = read
        self._write = write
        self._heard = heard
        self._asked = 0

    async def open(self, name: str) -> None:
        """Shake hands, as a client of this name. Raises `UpstreamError` where the server does not."""
        me: Json = {"name": name, "version": __version__}
        opening: dict[str, Json] = {"protocolVersion": _REVISION, "capabilities": {}, "clientInfo": me}
        answer = await self.ask("initialize", opening)
        if "error" in answer:
            raise failed(answer["error"])
        await self._say({"method": "notifications/initialized"})

    async def ask(self, method: str, params: Mapping[str, Json]) -> dict[str, Json]:
        """The answer to a request, whole. `heard` takes the notifications that come before it."""
        self._asked += 1
        identifier = self._asked
        await self._say({"id": identifier, "method": method, "params": dict(params)})
        while line := await asyncio.to_thread(self._read.readline):
            message = parse_upstream(line.rstrip(b"\n"))
            if isinstance(message, Refusal):
                raise UpstreamError(f"an answer cannot be read: {message.message}")
            if message.kind == "response" and message.id == identifier:
                return dict(message.body)
            await self._take(message)
        raise click.Abort  # the gateway has ended: somebody pressed Ctrl-C

    async def _take(self, message: Message) -> None:
        """A notification is heard; a question of the server's is declined, because nobody said that we take any."""
        if message.kind == "request":
            error: Json = {"code": METHOD_NOT_FOUND, "message": "a terminal answers no questions"}
            await self._say({"id": message.id, **({"result": {}} if message.method == "ping" else {"error": error})})
        elif message.kind == "notification":
            self._heard(message)

    async def _say(self, message: Mapping[str, Json]) -> None:
        await asyncio.to_thread(self._put, serialise({"jsonrpc": "2.0", **message}) + b"\n")

    def _put(self, line: bytes) -> None:
        self._write.write(line)
        self._write.flush()


@asynccontextmanager
async def conversation(
    settings: Settings, heard: Callable[[Message], None] = lambda _: None
) -> AsyncIterator[Conversation]:
    """A gateway, and what talks to it. At the end the gateway has written down what came of everything."""
    source, ours = os.pipe()
    theirs, sink = os.pipe()
    gateway = asyncio.create_task(serve(settings, source, sink, SystemClock()))
    gateway.add_done_callback(lambda _: os.close(sink))  # whoever waits for an answer sees the end
    with os.fdopen(theirs, "rb") as read:
        try:
            with os.fdopen(ours, "wb") as write:
                yield Conversation(read, write, heard)
        finally:
            await gateway
            os.close(source)
