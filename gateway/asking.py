"""Requests of the gateway's own to the client, and its answers to them: these go to whoever asked, and nowhere else.

The ids are `gw-…`, with a part that is drawn at random, so that no server can use one of them for a request of its own.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable

from gateway import replies
from gateway.errors import GatewayError
from gateway.jsonrpc import Id, Json, Message, serialise


class Asking:
    """The questions that wait for the client. `why` is what a question that is withdrawn gives as its reason."""

    def __init__(self, send: Callable[[bytes], Awaitable[None]], *, why: str) -> None:
        self._send = send
        self._why = why
        self._waiting: dict[Id, asyncio.Future[Message]] = {}
        self._prefix = f"gw-{secrets.token_hex(4)}-"
        self._count = 0

    def identifier(self) -> str:
        """An id that nothing else has."""
        self._count += 1
        return f"{self._prefix}{self._count}"

    def takes(self, response: Message) -> bool:
        """Whether a response of the client answers one of the questions."""
        waiting = self._waiting.get(response.id) if response.id is not None else None
        if waiting is None or waiting.done():
            return False
        waiting.set_result(response)
        return True

    def abandon(self) -> None:
        """The session is over: nobody answers what was asked in it, so `ask` raises `GatewayError`."""
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(GatewayError("the session ended before the client answered"))

    async def ask(self, asked: Message) -> Message:
        """Ask the client, and wait for as long as it takes: a person may have to answer.

        Cancelled, it tells the client that no answer is wanted any more.
        """
        assert asked.id is not None  # noqa: S101  # it was given one
        waiting: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._waiting[asked.id] = waiting
        try:
            await self._send(replies.relayed(asked))
            return await waiting
        except asyncio.CancelledError:
            params: dict[str, Json] = {"requestId": asked.id, "reason": self._why}
            body: dict[str, Json] = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}
            await self._send(serialise(body))
            raise
        finally:
            del self._waiting[asked.id]
