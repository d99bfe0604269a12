"""That this gateway runs, and what it has done so far: noted in the state file for `status`, beside the calls.

Nothing of it is part of a call. Every `_LOOK_SECONDS` the counts of this session, which are in memory anyway, are
compared with what was noted; only what has changed is written, so that a gateway that does nothing writes nothing.
Where a process cannot be known again exactly, it says once a minute that it is there (`state.alive`).

What cannot be noted is tried again at the next look. It refuses no call: no decision is made by it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final

from gateway.clock import Clock
from gateway.errors import StateError
from gateway.state import Running, State, Transaction
from gateway.state.alive import BEAT_SECONDS, Process

_LOG = logging.getLogger(__name__)
_LOOK_SECONDS: Final = 2.0
_PATIENCE_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Doing:
    """What changes of a gateway while it runs."""

    client_name: str
    client_version: str
    policy: str
    policy_revision: str
    calls: int
    denials: int


class Attendance:
    """The line of this gateway among those that run. `look` says what it is doing."""

    def __init__(self, running: Running, look: Callable[[], Doing], clock: Clock) -> None:
        self._running = running
        self._look = look
        self._clock = clock
        self._exact = Process(running.pid, running.mark).exact
        self._noted: Doing | None = None
        self._noted_at = float("-inf")

    async def follow(self, opened: Callable[[], Awaitable[State]]) -> None:
        """Note this gateway, and whatever changes of it, for ever; those that are gone are taken away at the start."""
        while True:
            try:
                state = await opened()
            except StateError as error:
                _LOG.debug("this gateway is not noted among those that run: %s", error.message)
            else:
                await self.note(state)
            await asyncio.sleep(_LOOK_SECONDS)

    async def note(self, state: State) -> None:
        """Write what has changed, if anything has, or if it is time to say that this gateway is there."""
        doing, now = self._look(), self._clock.monotonic()
        if doing == self._noted and (self._exact or now - self._noted_at < BEAT_SECONDS):
            return
        line = replace(
            self._running,
            client_name=doing.client_name,
            client_version=doing.client_version,
            policy=doing.policy,
            policy_revision=doing.policy_revision,
            calls=doing.calls,
            denials=doing.denials,
            seen=self._clock.now(),
        )
        try:
            await state.atomically(lambda tx: self._write(tx, line), patience=_PATIENCE_SECONDS)
        except StateError as error:
            _LOG.debug("this gateway is not noted among those that run: %s", error.message)
        else:
            self._noted, self._noted_at = doing, now

    def leave(self, tx: Transaction) -> None:
        """This gateway ends properly."""
        tx.gateways.forget([self._running.session])

    def _write(self, tx: Transaction, line: Running) -> None:
        if self._noted is None:
            gone = [other.session for other in tx.gateways.noted() if other.life(line.seen) == "gone"]
            tx.gateways.forget(gone)
        tx.gateways.note(line)
