"""What a halt comes to: the refusal of a call, and the end of those that are under way.

The switch itself is `state`'s, and is looked at with every decision. Calls that were decided before go on, unless the
halt is one that ends them (`stop --now`, a grant that was revoked). So while calls are under way, and only then, the
switch is looked at every `_LOOK_SECONDS`: as long as no other process has written to the file, that is one question to
SQLite of a few microseconds. A call that is ended so is cancelled as its client would cancel it, but the client gets
the refusal as its answer, and the record says why.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from gateway.errors import StateError
from gateway.jsonrpc import Json, Message, serialise
from gateway.policy import Decision, refuse_revoked, refuse_stopped
from gateway.state import Halt, State

_LOG = logging.getLogger(__name__)
_LOOK_SECONDS: Final = 0.1


def halted(halt: Halt, *, ended: bool = False) -> Decision:
    """The refusal of a call; `ended`: of one that was sent already."""
    if halt.of_everyone:
        return refuse_stopped(halt.since, halt.reason, ended=ended)
    return refuse_revoked(halt.grant, halt.since, halt.reason, ended=ended)


def cancellation(request: Message) -> Message:
    """What tells a server of a handshake era that nobody waits for a request any more."""
    params: dict[str, Json] = {"requestId": request.id, "reason": "ended by the owner of the gateway"}
    body: dict[str, Json] = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}
    return Message("notification", None, "notifications/cancelled", body, serialise(body))


@dataclass(slots=True)
class _Call:
    request: Message
    task: asyncio.Task[Any]
    halt: Halt | None = None
    refusal: Decision | None = None


class Looking:
    """Looks at the switch for one grant, where anything in the state file has changed since it did; `opened` gives it.

    Raises `StateError`.
    """

    def __init__(self, opened: Callable[[], State | None], grant: str) -> None:
        self._opened = opened
        self._grant = grant
        self._changes: int | None = None
        self._halt: Halt | None = None

    def __call__(self) -> Halt | None:
        state = self._opened()
        if state is None:
            return None
        changes = state.changes()
        if changes != self._changes:
            self._halt = state.halt(self._grant)
            self._changes = changes
        return self._halt


async def _nobody(_: Message) -> None:
    """There is no server to be told."""


class Underway:
    """The calls of one process that are under way, by their decision's id.

    `look` gives the halt that holds now (or raises `StateError`); without one, nothing ends a call. `take_back` tells
    the server of a request that was sent that nobody waits for it any more.
    """

    def __init__(
        self,
        look: Callable[[], Halt | None] | None = None,
        take_back: Callable[[Message], Coroutine[Any, Any, None]] = _nobody,
    ) -> None:
        self._look = look
        self._take_back = take_back
        self._calls: dict[str, _Call] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._telling: set[asyncio.Task[None]] = set()

    def begins(self, identifier: str, request: Message) -> None:
        """A call begins, in the task that is running."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a call runs in a task")
        self._calls[identifier] = _Call(request, task)
        if self._timer is None and self._look is not None:
            self._timer = asyncio.get_running_loop().call_later(_LOOK_SECONDS, self._watch)

    @property
    def alone(self) -> bool:
        """Whether no more than one call is under way."""
        return len(self._calls) <= 1

    def ends(self, identifier: str) -> None:
        """It is over."""
        self._calls.pop(identifier, None)

    def refusal(self, identifier: str, *, sent: bool) -> Decision | None:
        """What a call that was just cancelled is to be refused with; None where its client cancelled it."""
        call = self._calls.get(identifier)
        if call is None or call.halt is None:
            return None
        if sent:
            telling = asyncio.create_task(self._take_back(call.request))
            self._telling.add(telling)
            telling.add_done_callback(self._telling.discard)
        call.refusal = halted(call.halt, ended=sent)
        return call.refusal

    def ended(self, identifier: str) -> Decision | None:
        """The refusal to answer with in the place of a cancellation: the task goes on. None: it does not."""
        call = self._calls.get(identifier)
        if call is None or call.refusal is None or call.task.uncancel():
            return None
        return call.refusal

    def _watch(self) -> None:
        self._timer = None
        if not self._calls or self._look is None:
            return
        self._timer = asyncio.get_running_loop().call_later(_LOOK_SECONDS, self._watch)
        try:
            halt = self._look()
        except StateError as error:
            _LOG.debug("the switch cannot be looked at: %s", error)
            return
        if halt is not None and halt.at_once:
            self._end(halt)

    def _end(self, halt: Halt) -> None:
        running = [call for call in self._calls.values() if call.halt is None]
        if running:
            _LOG.warning("%d running call(s) are ended: %s", len(running), halted(halt).rule)
        for call in running:
            call.halt = halt
            call.task.cancel()
