"""The pump: lines in, lines out; ids, cancellation, eras.

| from the client | what happens |
|---|---|
| `initialize` | passes; a server that knows no handshake is translated for from then on (`translation`) |
| any other request | takes the way that its method says (`dispatch`), after a translation where the client needs one |
| `notifications/*` | passes; `notifications/cancelled` also ends the request here |
| a response | passes if the upstream asked, goes to the room of the gateway's that asked, is dropped otherwise |

Each request runs in a task of its own, so that none waits behind another and a cancel reaches a call wherever it is.
Two things keep an order: nothing overtakes the handshake, and notifications follow one another. Where too many are in
flight, requests wait their turn (`crowd`). The era is that of each request. Messages of the upstream's own accord pass
as they came. What the upstream may not ask (`questions`) is taken out of what the client declares before anything else
looks at it, but for the gateway's own questions about calls (`approvals.in_client`).
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final

from gateway import replies
from gateway.approvals.in_client import InClient
from gateway.case import Client
from gateway.crowd import Crowd
from gateway.dispatch import Dispatch
from gateway.errors import GatewayError
from gateway.filters import Listing, changed_lists, is_news
from gateway.jsonrpc import INTERNAL_ERROR, INVALID_REQUEST, Id, Message, Refusal, parse
from gateway.mirror import Mirror
from gateway.notices import Notices
from gateway.pinned import Pinned
from gateway.policies import InForce, NoPolicy
from gateway.policy import Policy
from gateway.proving import Proving
from gateway.questions import Questions
from gateway.stdio import TOO_LONG
from gateway.translation.bridge import Bridge, turned
from gateway.upstream.headers import is_modern
from gateway.upstream.session import Upstream

_LOG = logging.getLogger(__name__)

_HANDSHAKE: Final = frozenset({"initialize", "notifications/initialized"})
_MAX_ASKED: Final = 10_000

Send = Callable[[bytes], Coroutine[Any, Any, None]]


class Relay:
    """Carries the messages of one client and one upstream."""

    def __init__(
        self,
        send: Send,
        upstream: Upstream,
        mirror: Mirror,
        interceptor: Proving,
        policies: InForce,
        *,
        pinned: Pinned,
        max_depth: int,
        questions: Questions,
        person: InClient,
        listing: Listing,
        hold: Callable[[bool], None],
    ) -> None:
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._upstream = upstream
        self._mirror = mirror
        self._policies = policies
        self._pinned = pinned
        self._max_depth = max_depth
        self._questions = questions
        self._person = person
        self._dispatch = Dispatch(upstream, mirror, interceptor, policies, questions, pinned=pinned, listing=listing)
        self._listing = listing
        self._bridge = Bridge(
            upstream, send, serve=self._dispatch.line, judge=self._dispatch.judged, missed=mirror.catalogue.changed
        )
        self._running: dict[Id, tuple[Message, asyncio.Task[None]]] = {}
        self._others: set[asyncio.Task[None]] = set()
        self._cancelled: set[asyncio.Task[None]] = set()
        self._crowd = Crowd(hold)
        self._handshake: asyncio.Task[None] | None = None
        self._last_notification: asyncio.Task[None] | None = None
        self._asked: dict[Id, None] = {}
        self._notices = Notices(send, lambda: upstream.is_open or self._bridge.is_open)
        self.answered = asyncio.Event()
        """Set when the client has its first answer."""

    @property
    def client(self) -> Client:
        """Who the client says it is."""
        return self._dispatch.client

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
            self._say(message, self._notify(message))
        elif not self._bridge.takes(message) and not self._person.takes(message):
            _LOG.warning("a response of the client to nothing that was asked was dropped")

    async def finish(self, patience: float) -> None:
        """Let what is in flight end for `patience` seconds, then cancel it. What waits for its turn never goes."""
        self._bridge.close()
        self._crowd.dismiss()
        for identifier in self._notices.listening:
            self._running[identifier][1].cancel()
        tasks = set(self._others)
        if tasks and patience > 0:
            _, tasks = await asyncio.wait(tasks, timeout=patience)
        for task in tasks - self._cancelled:  # a second time would cut short what the first one began: settling
            task.cancel()
        self._cancelled |= tasks

    async def settled(self, patience: float) -> None:
        """Wait for what was cancelled: every call of it is settled when this returns, unless `patience` ended before.

        `patience` is in seconds; somebody else may hold the state file for all of it.
        """
        if self._cancelled:
            await asyncio.wait(self._cancelled, timeout=patience)

    def _take_request(self, message: Message, identifier: Id) -> None:
        if identifier in self._running or identifier in self._crowd:
            text = "a request with this `id` is still in flight"
            self._start(self._send(replies.error(identifier, INVALID_REQUEST, text)))
            return
        self._person.heard(message)
        message = self._questions.declared(message)
        if self._crowd.enters(message, identifier):
            self._run(message, identifier)

    def _run(self, message: Message, identifier: Id) -> None:
        task = self._loop.create_task(self._answer(message, self._handshake))
        self._others.add(task)  # as `_start` does; `_ended` takes it out, so that one callback is enough for a call
        self._running[identifier] = message, task
        task.add_done_callback(lambda _: self._ended(message, identifier, task))
        if message.method == "subscriptions/listen":
            self._notices.listens(identifier, message)
        if message.method == "logging/setLevel":
            self._notices.set_level(message.params.get("level"))
        if message.method in _HANDSHAKE:
            self._handshake = task

    def _take_notification(self, message: Message) -> None:
        if message.method == "notifications/cancelled":
            self._say(message, self._cancel(message))
        elif message.method.startswith("notifications/"):
            notify = self._notify(message, self._handshake, self._last_notification)
            self._last_notification = self._say(message, notify)
            if message.method in _HANDSHAKE:
                self._handshake = self._last_notification
        else:
            _LOG.warning("a message without an id that is no notification was dropped")

    def _ended(self, message: Message, identifier: Id, task: asyncio.Task[None]) -> None:
        """A request is over. One that ended by a fault of ours is answered all the same: no client waits for ever."""
        self._others.discard(task)
        self._running.pop(identifier, None)
        self._person.over(identifier)
        self._notices.stops(identifier)
        for following in self._crowd.leaves(message):
            if following.id is not None:
                self._run(following, following.id)
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

    def _say(self, message: Message, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Send what is no request. How much of that is on its way is bounded, as requests are."""
        self._crowd.says(message)
        task = self._start(work)
        task.add_done_callback(lambda _: self._crowd.has_said(message))
        return task

    async def _notify(self, message: Message, *before: asyncio.Task[None] | None) -> None:
        for task in before:
            await _after(task)
        if self._bridge.is_open and message.kind == "notification" and not is_modern(message):
            self._bridge.notified(message)
        elif message.kind == "notification" and not await self._dispatch.passes(message):
            _LOG.warning("a notification of the client was dropped: everything is stopped")
        elif not self._questions.silences(message):
            await self._upstream.notify(message)

    async def _cancel(self, message: Message) -> None:
        """Cancel here, which closes the stream, and say so upstream in a handshake era. Nothing is answered then.

        The era is that of the cancelled request: in the stateless one, the closed stream is all that is said.
        """
        target = message.params.get("requestId")
        if not isinstance(target, str | int) or isinstance(target, bool):
            return
        waited = self._crowd.cancelled(target)
        if waited is not None:
            self._person.over(target)
            await self._dispatch.withdrawn(waited)
            return
        found = self._running.get(target)
        if found is None:
            return
        request, task = found
        task.cancel()
        if not is_modern(request) and self._upstream.is_open:
            await self._upstream.notify(message)

    # --- requests -----------------------------------------------------------------------------------------------------

    async def _answer(self, message: Message, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await _after(before)
        try:
            line = await self._line(message)
        except GatewayError as error:
            _LOG.error("%s failed: %s", message.method, error)
            line = replies.error(message.id, INTERNAL_ERROR, str(error).replace("\n", " "))
        await self._send(line)
        self.answered.set()

    async def _line(self, message: Message) -> bytes:
        if message.method == "initialize":
            return await self._open(message)
        if self._bridge.is_open and not is_modern(message):
            return await self._bridge.answer(message)
        line = await self._dispatch.line(message)
        if not is_modern(message) and await self._bridge.takes_over(line):
            return turned(message)
        return line

    async def _open(self, message: Message) -> bytes:
        """`initialize`: the answer of the upstream, or one made for it where it knows no handshake."""
        self._dispatch.introduce(message)
        self._bridge.close()
        answer = await self._upstream.request(message, body=message.raw)
        if not is_modern(message):
            answer = answer._replace(response=await self._bridge.open(message, answer) or answer.response)
        if answer.response is None:
            return replies.failure(message, answer.failure or "no answer", answer)
        self._notices.opened(answer.result or {})
        self._pinned.opened(answer.result)
        return replies.relayed(answer.response)

    # --- from the upstream --------------------------------------------------------------------------------------------

    async def deliver(self, message: Message) -> None:
        """Take what the upstream sent of its own accord."""
        if not is_news(message, self._policies.in_force):
            _LOG.info("news of a resource that may not be read were dropped")
            return
        if self._questions.in_news(message):
            _LOG.warning("news of a task that asks for what is switched off were dropped (--switch-off)")
            return
        if message.method == "notifications/tools/list_changed":
            self._mirror.catalogue.changed()
        refusal = self._questions.answer(message) if message.kind == "request" else None
        if refusal is not None:
            if not self._crowd.says_much:  # else it asks more than it listens to, and need not be told
                self._say(refusal, self._notify(refusal))
            return
        if message.kind == "request" and message.id is not None:
            while len(self._asked) >= _MAX_ASKED:
                self._asked.pop(next(iter(self._asked)))
            self._asked[message.id] = None
        heard = self._bridge.heard(message)
        if heard is not None:
            await self._send(replies.relayed(heard))

    def renewed(self) -> None:
        """The upstream's session was opened again: what it announces may differ."""
        self._mirror.catalogue.changed()
        self._start(self._notices.all_changed())

    # --- of the gateway's own accord ----------------------------------------------------------------------------------

    def policy_changed(self, old: Policy | NoPolicy, new: Policy | NoPolicy) -> None:
        """Tell the client which lists look different now."""
        changed = changed_lists(self._mirror.catalogue.names(), old, new, self._listing)
        self._start(self._notices.lists_changed(changed))

    def pins_changed(self) -> None:
        """Tell the client that other tools are listed now."""
        self._start(self._notices.lists_changed(("tools",)))

    def policy_rejected(self, report: str) -> None:
        """Tell the client that an edit was not taken."""
        self._start(self._notices.error(report))


async def _after(task: asyncio.Task[None] | None) -> None:
    if task is not None and not task.done():
        await asyncio.wait({task})
