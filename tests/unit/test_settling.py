"""What came of calls: written with the next decision, soon if there is none, and never lost while it can be written."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.clock import SystemClock
from gateway.errors import StateError
from gateway.settling import Outcome, Settling
from gateway.state import Record, Reservation, State, Transaction
from gateway.state.database import connect
from tests.unit.state.manual import MIDNIGHT, charge, limit

DECIDED = Record(
    "decided",
    "a" * 16,
    MIDNIGHT,
    "me",
    "s1",
    "client",
    "1",
    "https://s/mcp",
    "tools/call",
    "t",
    "r",
    "allow",
    "",
    "",
    "",
)


def outcome(number: int, released: Reservation | None = None) -> Outcome:
    return Outcome(DECIDED._replace(decision_id=f"{number:016}"), MIDNIGHT, "ok", 200, 1.5, released)


@pytest.fixture
async def state(tmp_path: Path) -> AsyncIterator[State]:
    opened = await State.open(tmp_path / "state.db", clock=SystemClock())
    yield opened
    opened.close()


def kinds(tx: Transaction) -> list[tuple[str, str]]:
    return [(entry.record.kind, entry.record.decision_id) for entry in tx.audit.tail(0, 1000)]


async def test_what_came_of_a_call_stands_before_what_is_decided_next(state: State) -> None:
    settling = Settling()
    settling.add(state, outcome(1))
    seen = await settling.atomically(state, kinds)
    assert seen == [("settled", f"{1:016}")]


async def test_in_a_pause_it_is_written_as_soon_as_the_loop_is_free(state: State) -> None:
    settling = Settling()
    settling.add(state, outcome(1))
    settling.pause()
    assert await settling.atomically(state, kinds, alone=True) == [], "not before the next call is sent"
    await asyncio.sleep(0)
    assert await state.atomically(kinds) == [("settled", f"{1:016}")]
    await settling.finish(5.0)
    assert await state.atomically(kinds) == [("settled", f"{1:016}")]


async def test_a_pause_waits_for_nobody(state: State) -> None:
    settling = Settling()
    with closing(connect(state._database.path)) as other:
        other.execute("BEGIN IMMEDIATE")
        settling.add(state, outcome(1))
        settling.pause()
        await asyncio.sleep(0)
        other.execute("ROLLBACK")
    assert await settling.atomically(state, kinds) == [("settled", f"{1:016}")]


async def test_what_cannot_be_written_in_a_pause_is_kept(state: State) -> None:
    settling = Settling()
    state._database.connection.execute("PRAGMA query_only = ON")
    settling.add(state, outcome(1))
    settling.pause()
    await asyncio.sleep(0)
    state._database.connection.execute("PRAGMA query_only = OFF")
    await settling.finish(5.0)
    assert await state.atomically(kinds) == [("settled", f"{1:016}")]


async def test_what_is_given_back_is_not_put_off(state: State) -> None:
    settling = Settling()
    wanted = [charge(limit("1"))]
    reserved = await state.atomically(lambda tx: tx.counters.reserve(wanted, MIDNIGHT))
    assert isinstance(reserved, Reservation)
    settling.add(state, outcome(1, reserved))
    again = await settling.atomically(state, lambda tx: tx.counters.reserve(wanted, MIDNIGHT), alone=True)
    assert isinstance(again, Reservation)


async def test_it_is_written_once(state: State) -> None:
    settling = Settling()
    settling.add(state, outcome(1))
    await settling.atomically(state, kinds)
    await settling.finish(5.0)
    assert await state.atomically(kinds) == [("settled", f"{1:016}")]


async def test_what_is_given_back_is_there_for_the_next_call(state: State) -> None:
    settling = Settling()
    wanted = [charge(limit("1"))]
    reserved = await state.atomically(lambda tx: tx.counters.reserve(wanted, MIDNIGHT))
    assert isinstance(reserved, Reservation)
    settling.add(state, outcome(1, reserved))
    again = await settling.atomically(state, lambda tx: tx.counters.reserve(wanted, MIDNIGHT))
    assert isinstance(again, Reservation)


async def test_it_is_written_though_nothing_else_is_decided(state: State) -> None:
    settling = Settling()
    settling.add(state, outcome(1))
    assert settling._soon is not None
    async with asyncio.timeout(5):
        await settling._soon
    assert await state.atomically(kinds) == [("settled", f"{1:016}")]


async def test_a_decision_that_fails_loses_nothing_of_what_waits(state: State) -> None:
    settling = Settling()
    settling.add(state, outcome(1))

    def fails(_: Transaction) -> None:
        raise StateError("no")

    with pytest.raises(StateError, match="no"):
        await settling.atomically(state, fails)
    assert await state.atomically(kinds) == []
    await settling.finish(5.0)
    assert await state.atomically(kinds) == [("settled", f"{1:016}")]


async def test_more_than_goes_into_one_transaction_is_written_in_order(state: State) -> None:
    settling = Settling()
    for number in range(600):
        settling.add(state, outcome(number))
    await settling.finish(5.0)
    assert await state.atomically(kinds) == [("settled", f"{number:016}") for number in range(600)]


async def test_what_is_lost_at_the_end_is_said(state: State, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settling = Settling()
    settling.add(state, outcome(7))
    with closing(connect(tmp_path / "state.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        await settling.finish(0.01)
    assert f"what came of 1 call(s), from decision {7:016} on, is not in the log" in caplog.text
