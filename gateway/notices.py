"""What the gateway tells a client of its own accord, in the way of each era.

In a handshake era a notification goes to the session. In the stateless one it goes to every `subscriptions/listen` that
asked for its kind, tagged with that request's id (2026-07-28, Subscriptions); there is no session to log to.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final

from gateway.jsonrpc import Id, Json, Message, serialise

_SUBSCRIPTION: Final = "io.modelcontextprotocol/subscriptionId"


class Notices:
    """Speaks to one client. `in_session` says whether a handshake session is open."""

    def __init__(self, send: Callable[[bytes], Awaitable[None]], in_session: Callable[[], bool]) -> None:
        self._send = send
        self._in_session = in_session
        self._listening: dict[Id, Message] = {}
        self.logging = False
        """Whether the server offers logging to this client, so that it expects messages."""

    def listens(self, identifier: Id, request: Message) -> None:
        """A `subscriptions/listen` began."""
        self._listening[identifier] = request

    def stops(self, identifier: Id) -> None:
        """A request ended; perhaps it was one that listens."""
        self._listening.pop(identifier, None)

    @property
    def listening(self) -> tuple[Id, ...]:
        """The requests that only ever listen."""
        return tuple(self._listening)

    async def lists_changed(self, kinds: Iterable[str]) -> None:
        """Lists (`tools`, `resources`, `prompts`) look different now."""
        for kind in kinds:
            method = f"notifications/{kind}/list_changed"
            if self._in_session():
                await self._say(method, {})
            for identifier, request in list(self._listening.items()):
                wanted = request.params.get("notifications")
                if isinstance(wanted, dict) and wanted.get(f"{kind}ListChanged") is True:
                    await self._say(method, {"_meta": {_SUBSCRIPTION: identifier}})

    async def error(self, text: str) -> None:
        """Something a person should read in the client's log."""
        if self.logging and self._in_session():
            params: dict[str, Json] = {"level": "error", "logger": "keyid-gateway", "data": text}
            await self._say("notifications/message", params)

    async def _say(self, method: str, params: Mapping[str, Json]) -> None:
        body = {"jsonrpc": "2.0", "method": method, **({"params": params} if params else {})}
        await self._send(serialise(body))
