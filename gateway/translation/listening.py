"""One `subscriptions/listen` of the gateway's, in place of what a handshake session hears of its own accord.

It asks for the lists that the server says may change, and for the resources that the client subscribed to. It is kept
open for ever, with capped back-off; while it was away changes may have been missed, which `missed` hears. When the
client subscribes to another resource, a new stream takes the place of the old one as soon as the server has
acknowledged it, so that nothing is lost between. Its messages are told apart by their tag, which the client never sees.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable, Mapping
from typing import Final

from gateway.jsonrpc import METHOD_NOT_FOUND, Id, Json, Message, serialise
from gateway.translation import words
from gateway.upstream import Answer
from gateway.upstream.session import Upstream

_LOG = logging.getLogger(__name__)
_METHOD: Final = "subscriptions/listen"
_ACKNOWLEDGED: Final = "notifications/subscriptions/acknowledged"
_RETRY_SECONDS: Final = (0.1, 30.0)
_LIVED_SECONDS: Final = 5.0
_MAX_RESOURCES: Final = 1000
_ACKNOWLEDGED_SECONDS: Final = 30.0


class Listening:
    """The stream of one client. Nothing is listened to before `start`."""

    def __init__(self, upstream: Upstream, missed: Callable[[], None]) -> None:
        self._upstream = upstream
        self._missed = missed
        self._meta: Mapping[str, Json] = {}
        self._lists: dict[str, Json] = {}
        self._resources: dict[str, None] = {}
        self._task: asyncio.Task[None] | None = None
        self._former: asyncio.Task[None] | None = None
        self._newest: Id | None = None
        self._replaced: Id | None = None
        self._heard: Id | None = None
        self._acknowledged: asyncio.Future[frozenset[str]] | None = None
        self._prefix = f"gw-{secrets.token_hex(4)}-"
        self._count = 0

    def prepare(self, meta: Mapping[str, Json], capabilities: Json) -> None:
        """What every stream says of the client, and which lists the server may announce changes of."""
        self._meta = meta
        self._lists = {f"{kind}ListChanged": True for kind in changing(capabilities)}

    def start(self) -> None:
        """Listen, if there is anything to listen to."""
        self._replace()

    def close(self) -> None:
        """Listen no more, and forget what was subscribed to."""
        for task in (self._task, self._former):
            if task is not None:
                task.cancel()
        self._task = self._former = None
        self._newest = self._heard = self._replaced = None
        self._lists, self._resources = {}, {}
        self._let_go(frozenset())

    async def subscribe(self, uri: str) -> bool:
        """Hear of changes of a resource. False where the server does not say that it will tell of them."""
        if len(self._resources) >= _MAX_RESOURCES and uri not in self._resources:
            return False
        self._resources[uri] = None
        try:
            async with asyncio.timeout(_ACKNOWLEDGED_SECONDS):
                honoured = uri in await asyncio.shield(self._replace())
        except TimeoutError:
            honoured = False
        if not honoured:
            self._resources.pop(uri, None)
        return honoured

    def add(self, uri: str) -> None:
        """Hear of changes of a resource from the next `start` on."""
        self._resources[uri] = None

    def unsubscribe(self, uri: str) -> None:
        """Hear no more of it."""
        if uri in self._resources:
            del self._resources[uri]
            self._replace()

    @property
    def resources(self) -> tuple[str, ...]:
        """What is subscribed to."""
        return tuple(self._resources)

    def knows(self, message: Message) -> bool:
        """Whether a message is one of this stream's."""
        tag = message.meta.get(words.SUBSCRIPTION)
        return isinstance(tag, str) and tag.startswith(self._prefix)

    def heard(self, message: Message) -> Message | None:
        """One of its messages as the client gets it, or None where it gets none."""
        tag = message.meta.get(words.SUBSCRIPTION)
        if message.method == _ACKNOWLEDGED:
            if tag == self._newest:
                self._settled(message)
            elif tag == self._replaced:
                self._heard = self._replaced
            return None
        gone = message.method == "notifications/resources/updated" and message.params.get("uri") not in self.resources
        return None if tag != self._heard or gone else words.untagged(message)

    # --- the stream ---------------------------------------------------------------------------------------------------

    def _replace(self) -> "asyncio.Future[frozenset[str]]":
        """Begin a new stream; the one before goes on until this one is acknowledged, which all who wait then hear."""
        if self._acknowledged is None or self._acknowledged.done():
            self._acknowledged = asyncio.get_running_loop().create_future()
        if self._former is None:
            self._former, self._replaced = self._task, self._newest
        elif self._task is not None:
            self._task.cancel()  # it was never acknowledged
        self._task = self._newest = None  # an acknowledgement that comes now is not that of the new one
        if self._lists or self._resources:
            self._task = asyncio.create_task(self._keep())
            self._task.add_done_callback(_say_why)
        else:
            self._end_former()
            self._let_go(frozenset())
        return self._acknowledged

    async def _keep(self) -> None:
        wait = _RETRY_SECONDS[0]
        clock = asyncio.get_running_loop().time
        while asyncio.current_task() is self._task:
            opened = clock()
            answer = await self._listen()
            if asyncio.current_task() is not self._task:  # another has taken its place
                return
            if _is_refused(answer):
                _LOG.info("the upstream tells of no changes: %s", _METHOD)
                self._let_go(frozenset())
                return
            _LOG.info("the upstream's stream ended, and is opened again: %s", answer.failure or "it was closed")
            self._let_go(frozenset())
            self._missed()
            if clock() - opened > _LIVED_SECONDS:  # it was a stream, not a door that closes at once
                wait = _RETRY_SECONDS[0]
            await asyncio.sleep(wait)
            wait = min(2 * wait, _RETRY_SECONDS[1])

    async def _listen(self) -> Answer:
        self._count += 1
        identifier = f"{self._prefix}{self._count}"
        self._newest = identifier
        wanted: dict[str, Json] = dict(self._lists)
        if self._resources:
            wanted["resourceSubscriptions"] = list(self._resources)
        params: dict[str, Json] = {"notifications": wanted, "_meta": dict(self._meta)}
        body: dict[str, Json] = {"jsonrpc": "2.0", "id": identifier, "method": _METHOD, "params": params}
        message = Message("request", identifier, _METHOD, body, serialise(body))
        return await self._upstream.request(message, body=message.raw)

    def _settled(self, acknowledgement: Message) -> None:
        """The newest stream is open: it is the one that is heard."""
        self._heard = self._newest
        self._end_former()
        honoured = acknowledgement.params.get("notifications")
        resources = honoured.get("resourceSubscriptions") if isinstance(honoured, dict) else None
        named = resources if isinstance(resources, list) else []
        self._let_go(frozenset(uri for uri in named if isinstance(uri, str)))

    def _end_former(self) -> None:
        if self._former is not None:
            self._former.cancel()
            self._former = self._replaced = None

    def _let_go(self, honoured: frozenset[str]) -> None:
        """Tell whoever waits for the newest stream what it is good for."""
        if self._acknowledged is not None and not self._acknowledged.done():
            self._acknowledged.set_result(honoured)


def changing(capabilities: Json) -> tuple[str, ...]:
    """The lists (`tools`, `resources`, `prompts`) that a server says may change."""
    if not isinstance(capabilities, dict):
        return ()
    kinds = ("tools", "resources", "prompts")
    offered = {kind: capabilities.get(kind) for kind in kinds}
    return tuple(kind for kind, says in offered.items() if isinstance(says, dict) and says.get("listChanged") is True)


def _say_why(task: asyncio.Task[None]) -> None:
    """Listening goes on for ever; where it ends by a fault of ours, somebody must know."""
    if not task.cancelled() and task.exception() is not None:
        _LOG.error("changes of the upstream are no longer heard", exc_info=task.exception())


def _is_refused(answer: Answer) -> bool:
    """Whether the server has no such stream at all."""
    error = answer.response.body.get("error") if answer.response is not None else None
    return isinstance(error, dict) and error.get("code") == METHOD_NOT_FOUND
