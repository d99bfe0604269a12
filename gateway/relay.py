"""The pump: which message is judged, which passes; ids, cancellation, eras.

A message is recognised **by its method**, never by its shape:

| from the client | what happens |
|---|---|
| `tools/call`; `resources/*`, `prompts/get`, `completion/complete`; unknown methods | judged (`Interceptor`) |
| `initialize`, `ping`, `server/discover`, `logging/setLevel`, `subscriptions/listen` | housekeeping: passes |
| the lists | housekeeping: pass, and are filtered on their way back |
| `tasks/*` | passes for a task that a judged call created, else as a task that does not exist |
| `notifications/*` | passes; `notifications/cancelled` also ends the request here |
| a response | passes if the upstream asked, is dropped otherwise |

Each request runs in a task of its own, so that none waits behind another and a cancel reaches a call wherever it is.
Two things keep an order: nothing overtakes the handshake, and notifications follow one another. The era is that of each
request. Messages of the upstream's own accord pass as they came.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeVar

from gateway import replies
from gateway.errors import GatewayError
from gateway.filters import changed_lists, filtered, without_denied_subscriptions
from gateway.interceptor import Client, Interceptor
from gateway.jsonrpc import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    Id,
    Json,
    Message,
    Refusal,
    fold,
    parse,
)
from gateway.mirror import Mirror
from gateway.notices import Notices
from gateway.policies import NoPolicy, Policies
from gateway.policy import Policy
from gateway.stdio import TOO_LONG
from gateway.upstream import Answer
from gateway.upstream.headers import is_modern
from gateway.upstream.session import Upstream

_LOG = logging.getLogger(__name__)

LISTS: Final = frozenset({"tools/list", "resources/list", "resources/templates/list", "prompts/list", "tasks/list"})
_HOUSEKEEPING: Final = LISTS | {
    "initialize",
    "ping",
    "server/discover",
    "logging/setLevel",
    "subscriptions/listen",
    "resources/unsubscribe",
}
_HANDSHAKE: Final = frozenset({"initialize", "notifications/initialized"})
_MAX_REMEMBERED: Final = 10_000
_SETTLING_SECONDS: Final = 0.3
_HEADER_MISMATCH: Final = -32020
_CLIENT_INFO: Final = "io.modelcontextprotocol/clientInfo"

Send = Callable[[bytes], Coroutine[Any, Any, None]]
K = TypeVar("K")


class Relay:
    """Carries the messages of one client and one upstream."""

    def __init__(
        self,
        send: Send,
        upstream: Upstream,
        mirror: Mirror,
        interceptor: Interceptor,
        policies: Policies,
        *,
        max_depth: int,
    ) -> None:
        self._send = send
        self._upstream = upstream
        self._mirror = mirror
        self._interceptor = interceptor
        self._policies = policies
        self._max_depth = max_depth
        self._client = Client()
        self._running: dict[Id, tuple[Message, asyncio.Task[None]]] = {}
        self._others: set[asyncio.Task[None]] = set()
        self._handshake: asyncio.Task[None] | None = None
        self._last_notification: asyncio.Task[None] | None = None
        self._asked: dict[Id, None] = {}
        self._tasks: dict[str, None] = {}
        self._notices = Notices(send, lambda: upstream.is_open)
        self.answered = asyncio.Event()
        """Set when the client has its first answer."""

    # --- from the client ----------------------------------------------------------------------------------------------

    def take(self, line: bytes) -> None:
        """Take one line of the client; what comes of it is the work of tasks."""
        message = (
            Refusal(INVALID_REQUEST, "the message is larger than the limit (--max-message-bytes)")
            if line == TOO_LONG
            else parse(line, max_depth=self._max_depth)
        )
        if isinstance(message, Refusal):
            _LOG.warning("a message of the client was refused: %s", message.message)
            self._start(self._send(replies.error(message.id, message.code, message.message)))
        elif message.kind == "request" and message.id is not None:
            self._take_request(message, message.id)
        elif message.kind == "notification":
            self._take_notification(message)
        elif message.id is not None and message.id in self._asked:
            del self._asked[message.id]
            self._start(self._notify(message))
        else:
            _LOG.warning("a response of the client to nothing that was asked was dropped")

    async def finish(self, patience: float) -> None:
        """Let what is in flight end for `patience` seconds, then cancel it; every call is settled when this returns."""
        for identifier in self._notices.listening:
            self._running[identifier][1].cancel()
        tasks = set(self._others)
        if tasks and patience > 0:
            _, tasks = await asyncio.wait(tasks, timeout=patience)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_SETTLING_SECONDS)

    def _take_request(self, message: Message, identifier: Id) -> None:
        if identifier in self._running:
            text = "a request with this `id` is still in flight"
            self._start(self._send(replies.error(identifier, INVALID_REQUEST, text)))
            return
        task = self._start(self._answer(message, self._handshake))
        self._running[identifier] = message, task
        task.add_done_callback(lambda _: self._ended(message, identifier, task))
        if message.method == "subscriptions/listen":
            self._notices.listens(identifier, message)
        if message.method in _HANDSHAKE:
            self._handshake = task

    def _take_notification(self, message: Message) -> None:
        if message.method == "notifications/cancelled":
            self._start(self._cancel(message))
        elif message.method.startswith("notifications/"):
            notify = self._notify(message, self._handshake, self._last_notification)
            self._last_notification = self._start(notify)
            if message.method in _HANDSHAKE:
                self._handshake = self._last_notification
        else:
            _LOG.warning("a message without an id that is no notification was dropped")

    def _ended(self, message: Message, identifier: Id, task: asyncio.Task[None]) -> None:
        """A request is over. One that ended by a fault of ours is answered all the same: no client waits for ever."""
        self._running.pop(identifier, None)
        self._notices.stops(identifier)
        fault = None if task.cancelled() else task.exception()
        if fault is not None:
            _LOG.error("%s failed inside the gateway", message.method, exc_info=fault)
            text = "internal error of the gateway: see its log"
            self._start(self._send(replies.error(identifier, INTERNAL_ERROR, text)))

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._others.add(task)
        task.add_done_callback(self._others.discard)
        return task

    async def _notify(self, message: Message, *before: asyncio.Task[None] | None) -> None:
        for task in before:
            await _after(task)
        await self._upstream.notify(message)

    async def _cancel(self, message: Message) -> None:
        """Cancel here, which closes the stream, and say so upstream in a handshake era. Nothing is answered then.

        The era is that of the cancelled request: in the stateless one, the closed stream is all that is said.
        """
        target = message.params.get("requestId")
        found = self._running.get(target) if isinstance(target, str | int) else None
        if found is None or isinstance(target, bool):
            return
        request, task = found
        task.cancel()
        if not is_modern(request) and self._upstream.is_open:
            await self._upstream.notify(message)

    # --- requests -----------------------------------------------------------------------------------------------------

    async def _answer(self, message: Message, before: asyncio.Task[None] | None) -> None:
        await _after(before)
        try:
            line = await self._line(message)
        except GatewayError as error:
            _LOG.error("%s failed: %s", message.method, error)
            line = replies.error(message.id, INTERNAL_ERROR, str(error).replace("\n", " "))
        await self._send(line)
        self.answered.set()

    async def _line(self, message: Message) -> bytes:
        if message.method in _HOUSEKEEPING:
            return await self._pass(message)
        if message.method.startswith("tasks/"):
            return await self._task(message)
        if message.method != "tools/call" and _reads_like_a_call(message.method):
            return replies.error(message.id, METHOD_NOT_FOUND, "unknown method: it only looks like `tools/call`")
        return await self._interceptor.intercept(message, self._identify(message), self._forwarder(message))

    async def _pass(self, message: Message) -> bytes:
        if message.method == "initialize":
            self._client = _client(message.params.get("clientInfo"))
        body = message.raw
        if message.method == "subscriptions/listen":
            body = without_denied_subscriptions(message, await self._policies.current())
        as_of = self._mirror.catalogue.changes
        answer = await self._upstream.request(message, body=body)
        if answer.response is None:
            return replies.failure(message, answer.failure or "no answer", answer)
        if message.method == "initialize":
            self._notices.logging = _declares_logging(answer)
        if message.method in LISTS:
            return await self._list(message, answer.response, as_of)
        return replies.relayed(answer.response)

    async def _list(self, message: Message, response: Message, as_of: int) -> bytes:
        result = response.body.get("result")
        if message.method == "tools/list" and isinstance(result, dict):
            cursor = message.params.get("cursor")
            self._mirror.catalogue.page(cursor if isinstance(cursor, str) else None, result, as_of=as_of)
        return filtered(message, response, await self._policies.current(), self._tasks)

    async def _task(self, message: Message) -> bytes:
        task = message.params.get("taskId")
        if not isinstance(task, str) or task not in self._tasks:
            return replies.error(message.id, INVALID_PARAMS, "no such task: only tasks of judged calls are reachable")
        answer = await self._upstream.request(message, body=message.raw)
        if answer.response is None:
            return replies.failure(message, answer.failure or "no answer", answer)
        return replies.relayed(answer.response)

    def _forwarder(self, message: Message) -> Callable[[bytes], Awaitable[Answer]]:
        async def forward(body: bytes) -> Answer:
            answer = await self._request(message, body)
            if _refused_for_headers(answer) and await self._looked_again(message):
                answer = await self._request(message, body)
            self._remember_task(answer)
            return answer

        return forward

    async def _request(self, message: Message, body: bytes) -> Answer:
        name = message.params.get("name")
        schema = self._mirror.catalogue.input_schema(name) if isinstance(name, str) else None
        return await self._upstream.request(message, body=body, schema=schema)

    async def _looked_again(self, message: Message) -> bool:
        """Fetch the tools anew, because a call was refused for headers made from a schema that is out of date."""
        name = message.params.get("name")
        if message.method != "tools/call" or not isinstance(name, str):
            return False
        catalogue = self._mirror.catalogue
        catalogue.changed()
        return await self._mirror.ensure(name, message) is None and name in catalogue

    def _remember_task(self, answer: Answer) -> None:
        """A call may answer with a task (2025-11-25: `task.taskId`; the 2026 extension: `taskId`)."""
        result = answer.result or {}
        task = result.get("task")
        identifier = task.get("taskId") if isinstance(task, dict) else result.get("taskId")
        if isinstance(identifier, str):
            _remember(self._tasks, identifier)

    def _identify(self, message: Message) -> Client:
        return _client(message.meta.get(_CLIENT_INFO)) if is_modern(message) else self._client

    # --- from the upstream --------------------------------------------------------------------------------------------

    async def deliver(self, message: Message) -> None:
        """Take what the upstream sent of its own accord."""
        if message.method == "notifications/tools/list_changed":
            self._mirror.catalogue.changed()
        if message.kind == "request" and message.id is not None:
            _remember(self._asked, message.id)
        await self._send(replies.relayed(message))

    def renewed(self) -> None:
        """The upstream's session was opened again: what it announces may differ."""
        self._mirror.catalogue.changed()
        self._start(self._notices.lists_changed(["tools"]))

    # --- of the gateway's own accord ----------------------------------------------------------------------------------

    def policy_changed(self, old: Policy | NoPolicy, new: Policy | NoPolicy) -> None:
        """Tell the client which lists look different now."""
        self._start(self._notices.lists_changed(changed_lists(self._mirror.catalogue.names(), old, new)))

    def policy_rejected(self, report: str) -> None:
        """Tell the client that an edit was not taken."""
        self._start(self._notices.error(report))


def _refused_for_headers(answer: Answer) -> bool:
    """Whether the server did not run a request because its headers do not fit its body (2026-07-28)."""
    error = answer.response.body.get("error") if answer.response is not None else None
    return answer.status == 400 and isinstance(error, dict) and error.get("code") == _HEADER_MISMATCH


async def _after(task: asyncio.Task[None] | None) -> None:
    if task is not None and not task.done():
        await asyncio.wait({task})


def _remember(known: dict[K, None], key: K) -> None:
    """Add a key; the oldest goes where there are too many."""
    while len(known) >= _MAX_REMEMBERED:
        known.pop(next(iter(known)))
    known[key] = None


def _reads_like_a_call(method: str) -> bool:
    """Whether a careless upstream might take a method for `tools/call`: by case, form, white space, what is unseen."""
    return "".join(char for char in fold(method) if char.isprintable() and not char.isspace()) == "tools/call"


def _client(info: Json) -> Client:
    if not isinstance(info, dict):
        return Client()
    name, version = info.get("name"), info.get("version")
    return Client(name if isinstance(name, str) else "", version if isinstance(version, str) else "")


def _declares_logging(answer: Answer) -> bool:
    capabilities = (answer.result or {}).get("capabilities")
    return isinstance(capabilities, dict) and "logging" in capabilities
