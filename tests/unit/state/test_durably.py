"""What is committed durably is on the disk; everything else is committed as quickly as before."""

from pathlib import Path

import pytest

from gateway.clock import SystemClock
from gateway.errors import StateError
from gateway.state import State

NORMAL, FULL = 1, 2


async def test_only_what_is_done_durably_waits_for_the_disk(tmp_path: Path) -> None:
    state = await State.open(tmp_path / "state.db", clock=SystemClock())

    def synchronous() -> int:
        return int(state._database.connection.execute("PRAGMA synchronous").fetchone()[0])

    assert synchronous() == NORMAL
    with state.durably():
        assert await state.atomically(lambda _: synchronous()) == FULL
        with state.durably():
            pass
        assert synchronous() == FULL
    assert synchronous() == NORMAL
    with pytest.raises(KeyError), state.durably():
        raise KeyError
    assert synchronous() == NORMAL
    state.close()


async def test_what_cannot_be_made_durable_is_not_done(tmp_path: Path) -> None:
    state = await State.open(tmp_path / "state.db", clock=SystemClock())
    state.close()
    with pytest.raises(StateError, match="cannot be used: Cannot operate on a closed database"), state.durably():
        pytest.fail("it is done all the same")
