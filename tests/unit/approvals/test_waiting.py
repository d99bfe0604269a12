"""Waiting for a person: who is told, when, and what a client hears meanwhile."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gateway.approvals import Question, Resumed, Verdict, answers
from gateway.approvals.waiting import Waiting
from gateway.clock import SystemClock
from gateway.jsonrpc import Message
from gateway.state import State
from gateway.state.approvals import Standing
from gateway.state.passcode import Passcode

CLOCK = SystemClock()
LONG = 60.0
PATIENCE = 20.0


@dataclass
class Asker:
    """A channel that answers as the test says."""

    verdict: Verdict | None = None
    fails: bool = False
    name: str = "asker"
    line: bytes | None = None
    able: bool = True
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    go: asyncio.Event = field(default_factory=asyncio.Event)

    def can_ask(self, request: Message) -> bool:
        return self.able and bool(request.method)

    async def ask(self, question: Question, request: Message) -> Verdict | None:
        del question, request
        self.asked.set()
        try:
            await self.go.wait()
        finally:
            self.ended.set()
        if self.fails:
            raise RuntimeError
        return self.verdict

    def suspend(self, question: Question, request: Message) -> bytes | None:
        del question, request
        return self.line

    def resumed(self, request: Message) -> Resumed | None:
        return Resumed(request, "q", "approve") if request.params.get("requestState") == self.name else None


class Stage:
    """A state file with one question, and what a client was sent."""

    def __init__(self, state: State, asked: Standing) -> None:
        self.state = state
        self.question = asked.question
        self.sent: list[Any] = []
        self.heard = asyncio.Semaphore(0)

    async def send(self, line: bytes) -> None:
        self.sent.append(json.loads(line))
        self.heard.release()

    def waiting(self, *channels: Asker, seconds: float = LONG) -> Waiting:
        return Waiting(self.send, channels, CLOCK, seconds)

    async def status(self) -> str:
        return self.state.look(lambda tx: tx.approvals.statuses([self.question.id]))[self.question.id]

    async def answer(self, verdict: Verdict) -> None:
        """As another process does."""
        other = await State.open(self.state._database.path, clock=CLOCK)
        await other.atomically(lambda tx: answers.write(tx, self.question.id, verdict, CLOCK.now(), by="other"))
        other.close()


def request(**meta: Any) -> Message:
    body: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "t", "_meta": meta}}
    return Message("request", 1, "tools/call", body, json.dumps(body).encode())


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    state = await State.open(tmp_path / "state.db", clock=CLOCK)
    question = Question("", "t", {}, "/r", "Why.", "me", "http://s", "s", "c", "1", 0, 0)

    def ask(tx: Any) -> Standing:
        tx.approvals.sweep(CLOCK.now())
        standing: Standing = tx.approvals.ask(question, "i", CLOCK.now())
        return standing

    yield Stage(state, await state.atomically(ask))
    state.close()


async def within(work: Awaitable[Any]) -> Any:
    async with asyncio.timeout(PATIENCE):
        return await work


async def asked(waiting: Waiting) -> None:
    """Wait until every channel has come to its end."""
    await asyncio.sleep(0)
    await within(asyncio.gather(*waiting._asking, return_exceptions=True))


def begin(stage: Stage, waiting: Waiting, message: Message | None = None) -> "asyncio.Task[bytes | None]":
    until = waiting.ends(CLOCK.monotonic())
    return asyncio.create_task(waiting.wait(stage.state, stage.question, message or request(), until))


async def test_an_answer_of_another_process_ends_the_waiting(stage: Stage) -> None:
    waiting = stage.waiting()
    both = begin(stage, waiting), begin(stage, waiting)
    await asyncio.sleep(0)
    await stage.answer("deny")
    assert await within(asyncio.gather(*both)) == [None, None]


async def test_an_answer_that_was_there_before_is_seen_too(stage: Stage) -> None:
    waiting = stage.waiting()
    await stage.answer("approve")
    assert await within(begin(stage, waiting)) is None


async def test_who_may_not_wait_does_not(stage: Stage) -> None:
    waiting = stage.waiting(seconds=0)
    assert await within(begin(stage, waiting, request(progressToken=1))) is None
    assert stage.sent == []
    assert not waiting.may_wait(waiting.ends(CLOCK.monotonic()))


@pytest.mark.parametrize("token", ["t", 7, 0])
async def test_a_client_that_asked_for_progress_gets_it_at_once_and_it_rises(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, token: str | int
) -> None:
    monkeypatch.setattr("gateway.approvals.waiting._PROGRESS_SECONDS", 0.02)
    waiting = stage.waiting()
    task = begin(stage, waiting, request(progressToken=token))
    for _ in range(4):
        await within(stage.heard.acquire())
    await stage.answer("approve")
    await within(task)
    heard = len(stage.sent)
    said = [message["params"] for message in stage.sent]
    assert {message["method"] for message in stage.sent} == {"notifications/progress"}
    assert {each["progressToken"] for each in said} == {token}
    values = [each["progress"] for each in said]
    assert values == sorted(set(values))
    assert -LONG <= values[0] <= values[-1] < 0
    assert waiting._watcher is not None
    await within(waiting._watcher)
    assert len(stage.sent) == heard


@pytest.mark.parametrize("meta", [{}, {"progressToken": True}, {"progressToken": None}, {"progressToken": [1]}])
async def test_nobody_else_hears_anything(stage: Stage, meta: Any) -> None:
    task = begin(stage, stage.waiting(), request(**meta))
    await asyncio.sleep(0)
    await stage.answer("approve")
    await within(task)
    assert stage.sent == []


async def test_the_first_channel_that_answers_counts_and_the_others_stop(stage: Stage) -> None:
    first, second = Asker("approve"), Asker("deny", name="second")
    task = begin(stage, stage.waiting(first, second))
    await within(second.asked.wait())
    first.go.set()
    assert await within(task) is None
    await within(second.ended.wait())
    assert await stage.status() == "approved"


@pytest.mark.parametrize("other", [Asker(None), Asker("approve", fails=True)], ids=["no answer", "broken"])
async def test_a_channel_without_an_answer_leaves_the_question_open(stage: Stage, other: Asker) -> None:
    other.go.set()
    waiting = stage.waiting(other)
    task = begin(stage, waiting)
    await asked(waiting)
    assert not task.done()
    await stage.answer("deny")
    await within(task)


async def test_a_channel_cannot_approve_once_there_is_a_pin(stage: Stage) -> None:
    await stage.state.atomically(lambda tx: tx.passcodes.set(Passcode(b"s", b"h")))
    channel = Asker("approve")
    channel.go.set()
    waiting = stage.waiting(channel)
    task = begin(stage, waiting)
    await asked(waiting)
    assert (task.done(), await stage.status()) == (False, "pending")
    await stage.answer("deny")
    await within(task)


async def test_what_is_taken_back_stops_the_channels_and_holds_nothing(stage: Stage) -> None:
    channel = Asker("approve")
    waiting = stage.waiting(channel)
    task = begin(stage, waiting)
    await within(channel.asked.wait())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await within(channel.ended.wait())
    assert (waiting._held, waiting._count, waiting._bytes) == ({}, 0, 0)
    watcher = waiting._watcher
    assert watcher is not None
    await within(watcher)


async def test_only_the_first_of_many_calls_asks_by_the_channels(stage: Stage) -> None:
    channel = Asker("approve")
    waiting = stage.waiting(channel)
    first = begin(stage, waiting)
    await within(channel.asked.wait())
    channel.asked.clear()
    second = begin(stage, waiting)
    await asyncio.sleep(0)
    assert not channel.asked.is_set()
    channel.go.set()
    assert await within(asyncio.gather(first, second)) == [None, None]


async def test_a_call_that_ends_with_the_question_does_not_wait(stage: Stage) -> None:
    waiting = stage.waiting(Asker(line=b"never", able=False), Asker(line=b"asked"))
    assert await within(begin(stage, waiting)) == b"asked"


async def test_where_enough_calls_wait_no_more_do(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.approvals.waiting._MOST", 2)
    waiting = stage.waiting()
    held = begin(stage, waiting), begin(stage, waiting)
    await asyncio.sleep(0)
    assert await within(begin(stage, waiting)) is None
    await stage.answer("approve")
    await within(asyncio.gather(*held))
    assert waiting.may_wait(waiting.ends(CLOCK.monotonic()))


async def test_what_a_request_brings_is_asked_of_every_channel(stage: Stage) -> None:
    waiting = stage.waiting(Asker(name="one"), Asker(name="two"))
    body: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"requestState": "two"}}
    brought = waiting.resumed(Message("request", 1, "tools/call", body, b""))
    assert brought is not None
    assert (brought[0], brought[1].verdict) == ("two", "approve")
    assert waiting.resumed(request()) is None


async def test_nothing_is_read_while_nothing_changes(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting, looked = stage.waiting(), asyncio.Semaphore(0)
    read: list[str] = []
    changes: Callable[[], int] = stage.state.changes

    def looking() -> int:
        looked.release()
        return changes()

    monkeypatch.setattr("gateway.approvals.waiting._LOOK_SECONDS", 0.001)
    monkeypatch.setattr(stage.state, "changes", looking)
    stage.state._database.connection.set_trace_callback(read.append)
    task = begin(stage, waiting)
    for _ in range(20):
        await within(looked.acquire())
    assert len([statement for statement in read if "approvals" in statement]) == 1
    await stage.answer("approve")
    await within(task)
