"""The end of calls that are under way: theirs alone, once, and the client's own cancellation stays one."""

import asyncio
from typing import Any

import pytest

from gateway import halted
from gateway.errors import StateError
from gateway.halted import Underway, cancellation
from gateway.jsonrpc import Message, serialise
from gateway.policy import Decision
from gateway.state import EVERYONE, Halt

SINCE = 1_700_000_000.0
STOP = Halt(EVERYONE, SINCE, "kim", "odd mails", at_once=True)
BODY: dict[str, Any] = {"jsonrpc": "2.0", "id": "c1", "method": "tools/call", "params": {"name": "one"}}
REQUEST = Message("request", "c1", "tools/call", BODY, serialise(BODY))


@pytest.fixture(autouse=True)
def _watchful(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(halted, "_LOOK_SECONDS", 0.001)


class World:
    """One call that waits for ever, and who is told of its end."""

    def __init__(self) -> None:
        self.halt: Halt | None = None
        self.fault: StateError | None = None
        self.looks = 0
        self.looked = asyncio.Event()
        self.told: list[Message] = []
        self.underway = Underway(self.look, self.take_back)

    def look(self) -> Halt | None:
        self.looks += 1
        self.looked.set()
        if self.fault is not None:
            raise self.fault
        return self.halt

    async def take_back(self, request: Message) -> None:
        self.told.append(request)

    async def look_again(self) -> None:
        self.looked.clear()
        await self.looked.wait()

    async def call(self, *, sent: bool = True) -> Decision | None:
        self.underway.begins("d1", REQUEST)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.underway.refusal("d1", sent=sent)
            ended = self.underway.ended("d1")
            if ended is None:
                raise
            await asyncio.sleep(0)  # what follows can wait for something, as if nothing had been cancelled
            return ended
        finally:
            self.underway.ends("d1")
        return None


async def test_a_stop_that_ends_calls_ends_a_call_with_the_refusal() -> None:
    world = World()
    task = asyncio.create_task(world.call())
    await world.look_again()
    world.halt = STOP
    ended = await task
    assert ended is not None
    assert (ended.rule, ended.reason) == ("(stopped)", "stopped")
    assert ended.message == (
        "Stopped by the owner (since 2023-11-14 22:13:20 UTC): odd mails. "
        "This call was running, was cancelled, and may have had its effect. "
        "Nothing passes until a person runs `keyid-gateway resume` in a terminal"
    )
    await asyncio.gather(*world.underway._telling)
    assert world.told == [REQUEST]


async def test_one_that_was_not_sent_is_not_taken_back() -> None:
    world = World()
    world.halt = Halt("bot", SINCE, "kim", "", at_once=True)
    ended = await asyncio.create_task(world.call(sent=False))
    assert ended is not None
    assert ended.message == (
        "Grant `bot` was revoked by the owner (since 2023-11-14 22:13:20 UTC). "
        "Nothing passes until a person restores it with `keyid-gateway grants restore bot` in a terminal"
    )
    await asyncio.gather(*world.underway._telling)
    assert world.told == []


async def test_a_halt_that_leaves_calls_alone_leaves_them_alone() -> None:
    world = World()
    world.halt = Halt(EVERYONE, SINCE, "kim", "")
    task = asyncio.create_task(world.call())
    for _ in range(3):
        await world.look_again()
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert world.told == []


async def test_what_the_client_cancels_is_cancelled_also_while_it_is_ended() -> None:
    world = World()
    task = asyncio.create_task(world.call())
    await world.look_again()
    task.cancel()
    world.halt = STOP
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_switch_that_cannot_be_looked_at_ends_nothing_and_is_looked_at_again() -> None:
    world = World()
    world.fault = StateError("the state file is locked by another process")
    task = asyncio.create_task(world.call())
    await world.look_again()
    await world.look_again()
    assert not task.done()
    world.fault, world.halt = None, STOP
    assert await task is not None


async def test_the_switch_is_looked_at_only_while_something_is_under_way() -> None:
    world = World()
    world.halt = STOP
    await asyncio.create_task(world.call())
    looks = world.looks
    world.underway._watch()
    assert world.looks == looks
    assert world.underway._timer is None, "nobody wakes up for nothing"


def test_what_tells_the_server_names_the_request() -> None:
    told = cancellation(REQUEST)
    assert told.kind == "notification"
    assert told.params == {"requestId": "c1", "reason": "ended by the owner of the gateway"}
    assert told.raw == serialise(told.body)
