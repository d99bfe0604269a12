"""One stream in the place of another: what is heard, and which of them may go on."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest

from gateway.jsonrpc import Message, serialise
from gateway.translation import listening, words
from gateway.translation.listening import Listening
from gateway.upstream import Answer
from gateway.upstream.session import Upstream

Json = Any
LOST = Answer("unknown", failure="it broke", lost=True)
NONE = Answer("answered", Message("response", 1, "", {"error": {"code": -32601, "message": "no"}}, b""))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Streams:
    """An upstream whose streams end when the test says so."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Mapping[str, Json]]] = []
        self.open: list[asyncio.Future[Answer]] = []
        self.missed = 0
        self.listening = Listening(cast(Upstream, self), self._miss)
        self.listening.prepare({}, {"tools": {"listChanged": True}})

    async def request(self, message: Message, *, body: bytes) -> Answer:
        assert body == message.raw
        wanted = cast(Mapping[str, Json], message.params["notifications"])
        self.asked.append((str(message.id), wanted))
        ends: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.open.append(ends)
        return await ends

    def _miss(self) -> None:
        self.missed += 1

    def hear(self, number: int, method: str, **params: Json) -> Json:
        """What the client gets of a message on one of the streams."""
        meta = {"_meta": {words.SUBSCRIPTION: self.asked[number][0]}}
        body: Json = {"jsonrpc": "2.0", "method": f"notifications/{method}", "params": {**params, **meta}}
        message = Message("notification", None, body["method"], body, serialise(body))
        assert self.listening.knows(message)
        heard = self.listening.heard(message)
        return None if heard is None else heard.params

    def acknowledge(self, number: int) -> None:
        assert self.hear(number, "subscriptions/acknowledged", notifications=self.asked[number][1]) is None


async def settle() -> None:
    """Let everything that can go on go on."""
    for _ in range(50):
        await asyncio.sleep(0)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "_RETRY_SECONDS", (0.0, 0.0))


async def test_nothing_is_heard_before_the_server_has_acknowledged_it() -> None:
    streams = Streams()
    streams.listening.start()
    await settle()
    assert streams.hear(0, "tools/list_changed") is None
    streams.acknowledge(0)
    assert streams.hear(0, "tools/list_changed") == {}
    streams.listening.close()
    assert streams.hear(0, "tools/list_changed") is None


async def test_a_stream_goes_on_until_the_next_one_is_acknowledged() -> None:
    streams = Streams()
    streams.listening.start()
    await settle()
    streams.acknowledge(0)
    subscribing = asyncio.create_task(streams.listening.subscribe("a:b"))
    await settle()
    assert streams.asked[1][1] == {"toolsListChanged": True, "resourceSubscriptions": ["a:b"]}
    assert (streams.hear(0, "tools/list_changed"), streams.hear(1, "tools/list_changed")) == ({}, None)
    assert not streams.open[0].done()
    streams.acknowledge(1)
    assert await subscribing
    await settle()
    assert streams.open[0].cancelled()
    assert (streams.hear(0, "tools/list_changed"), streams.hear(1, "tools/list_changed")) == (None, {})
    assert streams.hear(1, "resources/updated", uri="a:b") == {"uri": "a:b"}
    assert streams.hear(1, "resources/updated", uri="c:d") is None
    assert streams.hear(1, "resources/updated", uri=["a:b"]) is None


async def test_a_stream_that_another_has_replaced_does_not_come_back(hurried: None) -> None:
    assert hurried is None
    streams = Streams()
    streams.listening.start()
    await settle()
    streams.acknowledge(0)
    subscribing = asyncio.create_task(streams.listening.subscribe("a:b"))
    await settle()
    streams.open[0].set_result(LOST)  # while the next one is not acknowledged yet
    await settle()
    assert len(streams.asked) == 2
    streams.acknowledge(1)
    assert await subscribing


async def test_a_stream_that_waits_to_come_back_does_not_when_another_has_begun(hurried: None) -> None:
    assert hurried is None
    streams = Streams()
    streams.listening.start()
    await settle()
    streams.open[0].set_result(LOST)
    subscribing = asyncio.create_task(streams.listening.subscribe("a:b"))  # runs while the first one waits
    await settle()
    assert len(streams.asked) == 2
    streams.acknowledge(1)
    assert await subscribing


async def test_a_stream_that_breaks_comes_back_and_what_was_missed_is_said(hurried: None) -> None:
    assert hurried is None
    streams = Streams()
    streams.listening.start()
    for number in range(3):
        await settle()
        streams.acknowledge(number)
        streams.open[number].set_result(LOST)
    await settle()
    assert (len(streams.asked), streams.missed) == (4, 3)
    assert len({identifier for identifier, _ in streams.asked}) == 4


async def test_a_server_without_such_streams_is_asked_once() -> None:
    streams = Streams()
    streams.listening.start()
    await settle()
    streams.open[0].set_result(NONE)
    await settle()
    assert len(streams.asked) == 1
    subscribing = asyncio.create_task(streams.listening.subscribe("a:b"))
    await settle()
    streams.open[1].set_result(NONE)
    assert not await subscribing
    assert streams.listening.resources == ()


async def test_without_anything_to_hear_nothing_is_asked() -> None:
    streams = Streams()
    streams.listening.prepare({}, {"tools": {}})
    streams.listening.start()
    await settle()
    assert streams.asked == []


async def test_two_who_subscribe_at_once_hear_of_the_stream_that_serves_both() -> None:
    streams = Streams()
    both = [asyncio.create_task(streams.listening.subscribe(uri)) for uri in ("a:b", "c:d")]
    await settle()
    newest = len(streams.asked) - 1
    assert streams.asked[newest][1]["resourceSubscriptions"] == ["a:b", "c:d"]
    streams.acknowledge(newest)
    assert await asyncio.gather(*both) == [True, True]
    streams.listening.unsubscribe("a:b")
    streams.listening.unsubscribe("unknown")
    await settle()
    assert streams.asked[-1][1]["resourceSubscriptions"] == ["c:d"]
    assert len(streams.asked) == newest + 2


@pytest.mark.parametrize("others", [(), ("c:d",)], ids=["one", "two at once"])
async def test_an_acknowledgement_of_a_stream_that_is_being_replaced_is_none_of_the_next(others: Sequence[str]) -> None:
    """It may come when somebody has subscribed, and the stream that is to serve them is not asked for yet."""
    streams = Streams()
    streams.listening.start()
    await settle()
    waiting = []
    for uri in ("a:b", *others):
        waiting.append(asyncio.create_task(streams.listening.subscribe(uri)))
        await asyncio.sleep(0)  # one step: it has begun, and what it begins has not
        streams.acknowledge(len(streams.asked) - 1)
        assert streams.hear(0, "tools/list_changed") == {}
    await settle()
    assert not any(each.done() for each in waiting)
    assert streams.asked[-1][1]["resourceSubscriptions"] == ["a:b", *others]
    streams.acknowledge(len(streams.asked) - 1)
    assert await asyncio.gather(*waiting) == [True] * len(waiting)
    streams.listening.close()
