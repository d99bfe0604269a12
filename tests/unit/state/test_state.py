import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.errors import StateError
from gateway.state import Exhausted, Record, Reservation, State, Transaction, reading
from tests.unit.state.manual import MIDNIGHT, ManualClock, charge, limit

WEEK = 7 * 86400


async def used(state: State, now: float) -> list[tuple[str, int]]:
    rows = await state.atomically(lambda tx: tx.counters.usage(now))
    return [(row.key.owner, int(row.used)) for row in rows]


async def test_reservation_and_record_are_one(state: State, record: Record) -> None:
    def work(tx: Transaction) -> None:
        assert isinstance(tx.counters.reserve([charge()], MIDNIGHT), Reservation)
        tx.audit.append(record)
        raise StateError("the log cannot be written")

    with pytest.raises(StateError, match="the log cannot be written"):
        await state.atomically(work)
    assert await used(state, MIDNIGHT) == []
    assert await state.atomically(lambda tx: tx.audit.newest(1)) == []


@pytest.mark.parametrize("window", ["day", "86400"])
async def test_limits_survive_a_restart(path: Path, clock: ManualClock, window: str) -> None:
    one = charge(limit(1, window))
    state = await State.open(path, clock=clock)
    reserved = await state.atomically(lambda tx: tx.counters.reserve([one], clock.now()))
    assert isinstance(reserved, Reservation)
    state.close()
    clock.move(3600)
    state = await State.open(path, clock=clock)
    assert await state.atomically(lambda tx: tx.counters.reserve([one], clock.now())) == Exhausted(one, 82800)
    await state.atomically(lambda tx: tx.counters.release(reserved, clock.now()))
    assert await used(state, clock.now()) == []
    state.close()


async def test_two_gateways_of_one_grant_share_its_limits(state: State, path: Path, clock: ManualClock) -> None:
    other = await State.open(path, clock=clock)
    one = charge(limit(1))
    assert isinstance(await state.atomically(lambda tx: tx.counters.reserve([one], MIDNIGHT)), Reservation)
    assert await other.atomically(lambda tx: tx.counters.reserve([one], MIDNIGHT)) == Exhausted(one, 60)
    other.close()


async def test_what_dead_sessions_left_is_dropped_after_a_week(path: Path, clock: ManualClock) -> None:
    of = [limit(9, "day", scope="session"), limit(9, "1000000", scope="session"), limit(9, "1000000")]
    charges = [charge(each, session="dead") for each in of]
    state = await State.open(path, clock=clock)
    await state.atomically(lambda tx: tx.counters.reserve(charges, clock.now()))
    state.close()

    async def counters_after(seconds: float) -> int:
        clock.move(seconds)
        (await State.open(path, clock=clock)).close()
        with reading(path) as tx:
            return len(tx.counters.usage(MIDNIGHT))

    assert await counters_after(WEEK) == 3
    assert await counters_after(1) == 2
    assert await counters_after(1_000_000 - WEEK) == 1


async def test_an_unknown_grant_has_used_no_policy(state: State) -> None:
    assert state.policy_used("default") is None


async def test_a_grant_remembers_the_policy_it_used_last(state: State, path: Path, clock: ManualClock) -> None:
    await state.atomically(lambda tx: state.note_policy(tx, "a\0b", "/old.json"))
    clock.move(60)
    await state.atomically(lambda tx: state.note_policy(tx, "a\0b", "/new\0.json"))
    await state.atomically(lambda tx: state.note_policy(tx, "other", "/other.json"))
    assert state.policy_used("a\0b") == "/new\0.json"
    assert state.policy_used("a") is None
    with reading(path) as tx:
        assert tx.grants.policy_used("other") == "/other.json"
    row = state._database.connection.execute("SELECT first_used, last_used FROM grants WHERE name = 'other'").fetchone()
    assert row == (MIDNIGHT + 60, MIDNIGHT + 60)


async def test_a_closed_state_says_so(path: Path, clock: ManualClock) -> None:
    state = await State.open(path, clock=clock)
    state.close()
    with pytest.raises(StateError, match="cannot be used"):
        state.policy_used("default")


async def test_the_digest_is_keyed_and_stays_the_same(state: State, path: Path, clock: ManualClock) -> None:
    again = await State.open(path, clock=clock)
    assert again.digest(b"{}") == state.digest(b"{}") != state.digest(b"{ }")
    assert len(state.digest(b"")) == 64
    assert state.digest(b"{}") != hashlib.blake2b(b"{}", digest_size=32).hexdigest()
    assert again.state_id == state.state_id
    again.close()


async def test_each_state_has_a_key_of_its_own(state: State, tmp_path: Path, clock: ManualClock) -> None:
    other = await State.open(tmp_path / "other.db", clock=clock)
    assert other.digest(b"{}") != state.digest(b"{}")
    assert other.state_id != state.state_id
    other.close()


def test_its_import_is_light() -> None:
    heavy = "{'aiohttp', 'anyio', 'mcp', 'pydantic', 'platformdirs', 're2', 'rich', 'click'} & set(sys.modules)"
    program = f"import sys, gateway.state; print({heavy})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
