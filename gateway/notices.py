"""What the gateway tells a client of its own accord, in the way of each era.

In a handshake era a notification goes to the session. In the stateless one it goes to every `subscriptions/listen` that
asked for its kind, tagged with that request's id (2026-07-28, Subscriptions); there is no session to log to.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final

from gateway.jsonrpc import Id, Json, Message, serialise

_SUBSCRIPTION: Final = "io.modelcontextprotocol/subscriptionId"
_ABOVE_ERROR: Final = frozenset({"critical", "alert", "emergency"})
_LISTS: Final = ("tools", "resources", "prompts")


class Notices:
    """Speaks to one client. `in_session` says whether a handshake session is open."""

    def __init__(self, send: Callable[[bytes], Awaitable[None]], in_session: Callable[[], bool]) -> None:
        self._send = send
        self._in_session = in_session
        self._listening: dict[Id, Message] = {}
        self._logging = False
        self._quiet = False
        self._changing: tuple[str, ...] = ()

    def opened(self, result: Mapping[str, Json]) -> None:
        """A session was opened: whether it logs, and which lists may change, is what the server says there."""
        capabilities = result.get("capabilities")
        offered = capabilities if isinstance(capabilities, dict) else {}
        self._logging, self._quiet = "logging" in offered, False
        said = {kind: offered.get(kind) for kind in _LISTS}
        self._changing = tuple(
            kind for kind, says in said.items() if isinstance(says, dict) and says.get("listChanged") is True
        )

    def set_level(self, level: Json) -> None:
        """The client said which log messages it wants: errors are among them, but for the three levels above."""
        self._quiet = isinstance(level, str) and level in _ABOVE_ERROR

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

    async def all_changed(self) -> None:
        """Every list may look different now: those of which the server says that they may."""
        await self.lists_changed(("tools", *(kind for kind in self._changing if kind != "tools")))

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
        if self._logging and not self._quiet and self._in_session():
            params: dict[str, Json] = {"level": "error", "logger": "keyid-gateway", "data": text}
            await self._say("notifications/message", params)

    async def _say(self, method: str, params: Mapping[str, Json]) -> None:
        body = {"jsonrpc": "2.0", "method": method, **({"params": params} if params else {})}
        await self._send(serialise(body))
