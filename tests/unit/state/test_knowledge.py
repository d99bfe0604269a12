"""What one process remembers of the file is what stands in it, whoever wrote last and whatever was taken back."""

import random
from decimal import Decimal
from pathlib import Path

import pytest

from gateway.errors import StateError
from gateway.state import Reservation, State, Transaction
from gateway.state.evidence import examining
from tests.unit.state.manual import MIDNIGHT, RECORD, ManualClock, charge, limit

MANY = charge(limit(10**6))
SLIDING = charge(limit(10**6, "60", counter="sliding"))


def one(tx: Transaction) -> tuple[Reservation, int]:
    """A call: it is charged, noted and recorded."""
    taken = tx.counters.reserve([MANY, SLIDING], MIDNIGHT)
    assert isinstance(taken, Reservation)
    tx.calls.note("https://s/mcp", "ann", "read", MIDNIGHT)
    return taken, tx.audit.append(RECORD)


def used(tx: Transaction) -> list[Decimal]:
    return [usage.used for usage in tx.counters.usage(MIDNIGHT)]


async def test_what_others_wrote_is_seen(path: Path, clock: ManualClock) -> None:
    states = [await State.open(path, clock=clock) for _ in range(3)]
    chance = random.Random(7)  # noqa: S311 - an order, not a secret
    for number in range(1, 61):
        taken, seq = await chance.choice(states).atomically(one)
        assert (taken.holds[0].serial, seq) == (number, number)
    moments = await states[0].atomically(lambda tx: tx.calls.since("https://s/mcp", "ann", ["read"], MIDNIGHT))
    assert moments == {"read": 0}
    assert [await state.atomically(used) for state in states] == [[60, 60]] * 3
    for state in states:
        state.close()
    with examining(path) as log:
        assert log.verify().ok


async def test_what_was_taken_back_was_not_learned(path: Path, clock: ManualClock) -> None:
    state = await State.open(path, clock=clock)
    await state.atomically(one)

    def failing(tx: Transaction) -> None:
        one(tx)
        raise StateError("no")

    for _ in range(2):
        with pytest.raises(StateError):
            await state.atomically(failing)
    taken, seq = await state.atomically(one)
    assert (taken.holds[0].serial, seq) == (2, 2)
    assert await state.atomically(used) == [2, 2]
    state.close()


async def test_what_is_given_back_and_what_is_forgotten_is_known(path: Path, clock: ManualClock) -> None:
    state = await State.open(path, clock=clock)
    taken, _ = await state.atomically(one)
    await state.atomically(lambda tx: tx.counters.release(taken, MIDNIGHT))
    assert await state.atomically(used) == []
    own = charge(limit(2, "session", scope="session"))
    for _ in range(2):
        await state.atomically(lambda tx: tx.counters.reserve([own], MIDNIGHT))
    await state.atomically(lambda tx: tx.counters.forget_session("s1"))
    again = await state.atomically(lambda tx: tx.counters.reserve([own], MIDNIGHT))
    assert isinstance(again, Reservation)
    state.close()


async def test_a_call_of_two_charges_on_one_counter_sees_both(path: Path, clock: ManualClock) -> None:
    state = await State.open(path, clock=clock)
    few = charge(limit(3))
    first = await state.atomically(lambda tx: tx.counters.reserve([few, few], MIDNIGHT))
    assert isinstance(first, Reservation)
    refused = await state.atomically(lambda tx: tx.counters.reserve([few, few], MIDNIGHT))
    assert not isinstance(refused, Reservation)
    last = await state.atomically(lambda tx: tx.counters.reserve([few], MIDNIGHT))
    assert isinstance(last, Reservation)
    assert last.holds[0].serial == 3
    state.close()


async def test_what_a_rename_moves_is_read_anew(path: Path, clock: ManualClock) -> None:
    state = await State.open(path, clock=clock)
    await state.atomically(lambda tx: tx.grants.create("default", None, MIDNIGHT))
    one = charge(limit(2))
    await state.atomically(lambda tx: tx.counters.reserve([one], MIDNIGHT))
    await state.atomically(lambda tx: tx.grants.rename("default", "another", ()))
    for grant, serial in (("default", 1), ("another", 2)):
        of = charge(limit(2), grant=grant)
        taken = await state.atomically(lambda tx, of=of: tx.counters.reserve([of], MIDNIGHT))  # type: ignore[misc] # a default
        assert isinstance(taken, Reservation)
        assert taken.holds[0].serial == serial, grant
    state.close()
