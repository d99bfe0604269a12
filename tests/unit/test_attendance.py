import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.attendance import Attendance, Doing
from gateway.errors import StateError
from gateway.state import Running, State, reading
from gateway.state.alive import BEAT_SECONDS, mine
from tests.unit.state.manual import MIDNIGHT, ManualClock

NOTHING = Doing("", "", "", "", 0, 0)
SERVER = "https://keyid.example/mcp"


class Place:
    """A state file, and a gateway whose doings the test sets."""

    def __init__(self, path: Path, clock: ManualClock, state: State, *, exact: bool = True) -> None:
        me = mine()
        self.path, self.clock, self.state, self.doing = path, clock, state, NOTHING
        mark = me.mark or "boot space 1"
        line = Running("s1", me.pid, mark if exact else "", "0.1.0", "me", SERVER, "", clock.now())
        self.attendance = Attendance(line, lambda: self.doing, clock)

    def noted(self) -> list[Running]:
        with reading(self.path) as tx:
            return list(tx.gateways.noted())

    def changes(self) -> int:
        return self.state._database.connection.total_changes


@pytest.fixture(params=[True])
async def place(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    clock = ManualClock()
    state = await State.open(tmp_path / "state.db", clock=clock)
    yield Place(tmp_path / "state.db", clock, state, exact=request.param)
    state.close()


async def test_it_notes_itself_and_then_only_what_changes(place: Place) -> None:
    await place.attendance.note(place.state)
    (first,) = place.noted()
    assert (first.session, first.calls, first.seen) == ("s1", 0, MIDNIGHT)
    before = place.changes()
    place.clock.move(100 * BEAT_SECONDS)
    await place.attendance.note(place.state)
    assert place.changes() == before, "a gateway that does nothing writes nothing"
    place.doing = Doing("claude-ai", "1", "/p.json", "r1", 5, 2)
    await place.attendance.note(place.state)
    (second,) = place.noted()
    assert second == replace(
        first,
        client_name="claude-ai",
        client_version="1",
        policy="/p.json",
        policy_revision="r1",
        calls=5,
        denials=2,
        seen=place.clock.now(),
    )


@pytest.mark.parametrize("place", [False], indirect=True)
async def test_where_it_cannot_be_known_again_it_says_once_a_minute_that_it_is_there(place: Place) -> None:
    await place.attendance.note(place.state)
    place.clock.move(BEAT_SECONDS - 1)
    await place.attendance.note(place.state)
    assert place.noted()[0].seen == MIDNIGHT
    place.clock.move(1)
    await place.attendance.note(place.state)
    assert place.noted()[0].seen == MIDNIGHT + BEAT_SECONDS


async def test_the_first_look_takes_away_those_that_are_gone(place: Place) -> None:
    gone = Running("old", 2**60, "", "0.1.0", "me", SERVER, "", 1.0)
    alive = replace(gone, session="other", pid=mine().pid, mark=mine().mark, seen=MIDNIGHT)
    for line in (gone, alive):
        await place.state.atomically(lambda tx, line=line: tx.gateways.note(line))  # type: ignore[misc] # bound
    await place.attendance.note(place.state)
    assert {each.session for each in place.noted()} == {"other", "s1"}


async def test_it_takes_its_line_away_at_its_end(place: Place) -> None:
    await place.attendance.note(place.state)
    await place.state.atomically(place.attendance.leave)
    assert place.noted() == []


async def test_a_state_file_that_cannot_be_opened_is_tried_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []
    noted = asyncio.Event()

    async def opened() -> State:
        tried.append(1)
        if len(tried) == 1:
            raise StateError("locked")
        noted.set()
        return place.state

    monkeypatch.setattr("gateway.attendance._LOOK_SECONDS", 0.0)
    following = asyncio.create_task(place.attendance.follow(opened))
    async with asyncio.timeout(5):
        await noted.wait()
        await place.attendance.note(place.state)
    following.cancel()
    assert len(tried) >= 2


async def test_what_cannot_be_written_now_is_written_at_the_next_look(place: Place) -> None:
    place.path.rename(place.path.with_suffix(".away"))
    await place.attendance.note(place.state)
    place.path.with_suffix(".away").rename(place.path)
    await place.attendance.note(place.state)
    assert [each.session for each in place.noted()] == ["s1"]
