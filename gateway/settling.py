"""What came of calls, until it is written: while the next call is away, or with the next decision, or after a moment.

A transaction costs more than what it writes, and the client waits for its answer, so what came of a call is not written
before it is answered. Which moment is the next one that nobody waits for depends on how the client calls:

- one call after the other: as soon as the next one was sent, while the server is busy with it;
- many at once: in the transaction of whatever is decided next, before that is decided;
- nothing more comes: `_SECONDS` later.

What is given back is always written before anything is decided, so that it is there for the next call of this process.

What could not be written stays, and is tried again with the next decision and from time to time; calls are refused
meanwhile, so that it never grows beyond what was in flight. A process that is killed loses it: then the log has a call
that was decided, and nobody knows what came of it; nothing is given back.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final, NamedTuple, TypeVar

from gateway.errors import StateError
from gateway.state import Record, Reservation, State, Transaction

_LOG = logging.getLogger(__name__)
_SECONDS: Final = 0.01
_AGAIN_SECONDS: Final = 1.0
_AT_ONCE: Final = 256

T = TypeVar("T")


class Outcome(NamedTuple):
    """What came of one call, at the moment `at`: its first record, and what is to be said in the last one.

    `released` is what is given back, if the tool certainly did not run.
    """

    decided: Record
    at: float
    outcome: str
    upstream_status: int | None
    latency_ms: float
    released: Reservation | None = None


class Settling:
    """The outcomes of one process that are not written yet, oldest first."""

    def __init__(self) -> None:
        self._waiting: list[Outcome] = []
        self._state: State | None = None
        self._soon: asyncio.Task[None] | None = None

    def add(self, state: State, outcome: Outcome) -> None:
        """A call has come to its end."""
        self._state = state
        self._waiting.append(outcome)
        if self._soon is None or self._soon.done():
            self._soon = asyncio.create_task(self._write_soon())

    def pause(self) -> None:
        """A call was sent, or is about to be, and there is no other: as soon as the loop is free, write what waits."""
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._write_at_once)

    async def atomically(self, state: State, work: Callable[[Transaction], T], *, alone: bool = False) -> T:
        """Run `work` in a transaction of its own, behind what waits to be written. Raises `StateError`.

        `alone`: there will be a pause soon, which is time enough for what gives nothing back.
        """
        if alone and not (self._waiting and any(each.released is not None for each in self._waiting)):
            return await state.atomically(work)
        written = 0

        def both(tx: Transaction) -> T:
            nonlocal written
            written = _write(tx, self._waiting[:_AT_ONCE])
            return work(tx)

        result = await state.atomically(both)
        del self._waiting[:written]  # nothing was awaited since they were written
        return result

    async def finish(self, patience: float) -> None:
        """Write all that waits, for up to `patience` seconds; what is lost then is said in the log."""
        if self._soon is not None:
            self._soon.cancel()
        try:
            async with asyncio.timeout(patience):
                await self._write_all()
        except (StateError, TimeoutError) as error:
            first = self._waiting[0].decided.decision_id
            why = str(error) or "the state file stayed locked"
            _LOG.error(
                "what came of %d call(s), from decision %s on, is not in the log: %s", len(self._waiting), first, why
            )

    def _write_at_once(self) -> None:
        """Write what waits, unless that takes waiting: then it is written later."""
        some = self._waiting[:_AT_ONCE]
        try:
            if some and self._state is not None and self._state.at_once(lambda tx: _write(tx, some)):
                del self._waiting[: len(some)]
        except StateError as error:  # the next attempt says it, if it is still so
            _LOG.debug("what came of a call could not be written at once: %s", error)

    async def _write_all(self) -> None:
        while self._waiting and self._state is not None:
            await self.atomically(self._state, _nothing)

    async def _write_soon(self) -> None:
        wait = _SECONDS
        while self._waiting:
            await asyncio.sleep(wait)
            try:
                await self._write_all()
            except StateError as error:
                if wait == _SECONDS:  # it is said once, not every second
                    _LOG.error("what came of calls cannot be written, and is kept until it can: %s", error)
                wait = _AGAIN_SECONDS


def _write(tx: Transaction, outcomes: list[Outcome]) -> int:
    for each in outcomes:
        if each.released is not None:
            tx.counters.release(each.released, each.at)
        tx.audit.append(
            each.decided._replace(
                kind="settled",
                at=each.at,
                outcome=each.outcome,
                upstream_status=each.upstream_status,
                latency_ms=each.latency_ms,
            )
        )
    return len(outcomes)


def _nothing(_: Transaction) -> None:
    """The work of a transaction that only writes what waits."""
