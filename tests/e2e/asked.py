"""A person, played by a test: sees what is asked in a state file, and answers it, as another process would."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from gateway.approvals import Verdict, answers
from gateway.clock import SystemClock
from gateway.state import State, Transaction, reading
from gateway.state.approvals import Standing
from tests.e2e.process import PATIENCE, Home

T = TypeVar("T")


def pending(home: Home, count: int = 1) -> Sequence[Standing]:
    """The questions that wait, as soon as there are so many."""
    waiting, deadline = threading.Event(), time.monotonic() + PATIENCE
    while len(found := _found(home)) != count:
        assert time.monotonic() < deadline, f"there are {len(found)} questions, not {count}"
        waiting.wait(0.01)
    return found


def _found(home: Home) -> Sequence[Standing]:
    if not home.state.exists():
        return ()
    with reading(home.state) as tx:
        return tx.approvals.pending(time.time())


def answer(home: Home, verdict: Verdict, number: str | None = None, seconds: float | None = None) -> Standing:
    """Answer the one question that waits, or that of this id."""
    asked = number or pending(home)[0].question.id
    standing = changed(
        home, lambda tx: answers.write(tx, asked, verdict, time.time(), by="test", note="", seconds=seconds)
    )
    assert standing is not None, f"the question {asked} is not open"
    return standing


def changed(home: Home, work: Callable[[Transaction], T]) -> T:
    """Run `work` in a transaction of the state file."""

    async def opened() -> T:
        state = await State.open(home.state, clock=SystemClock())
        try:
            return await state.atomically(work)
        finally:
            state.close()

    return asyncio.run(opened())
