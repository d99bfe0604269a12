"""What came of calls, until it is written: with the next decision, or after a moment.

A transaction costs more than what it writes, and the client waits for its answer, so what came of a call is not written
before it is answered. It is written in the transaction of whatever is decided next, before that is decided: so what was
given back is there for the next call of this process, and the log keeps the order of what happened. If nothing is
decided, it is written `_SECONDS` later.

What could not be written stays, and is tried again with the next decision and from time to time; calls are refused
meanwhile, so that it never grows beyond what was in flight. A process that is killed loses it: then the log has a call
that was decided, and nobody knows what came of it; nothing is given back.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from gateway.errors import StateError
from gateway.state import Record, Reservation, State, Transaction

_LOG = logging.getLogger(__name__)
_SECONDS: Final = 0.01
_AGAIN_SECONDS: Final = 1.0
_AT_ONCE: Final = 256

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one call: its record, of that moment, and what is given back, if the tool certainly did not run."""

    record: Record
    released: Reservation | None


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

    async def atomically(self, state: State, work: Callable[[Transaction], T]) -> T:
        """Run `work` in a transaction of its own, behind what waits to be written. Raises `StateError`."""
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
            first = self._waiting[0].record.decision_id
            why = str(error) or "the state file stayed locked"
            _LOG.error(
                "what came of %d call(s), from decision %s on, is not in the log: %s", len(self._waiting), first, why
            )

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
    for outcome in outcomes:
        if outcome.released is not None:
            tx.counters.release(outcome.released, outcome.record.at)
        tx.audit.append(outcome.record)
    return len(outcomes)


def _nothing(_: Transaction) -> None:
    """The work of a transaction that only writes what waits."""
