"""The messages of one stream, and a stream that ended before its answer.

In the handshake eras such a stream can be taken up again (2025-11-25, Resumability and Redelivery): a GET with the id
of the last event asks for the rest of an answer that the server has begun. Nothing is sent again by that, so that it
is right for every request, a `tools/call` of unknown fate included. A server that closes its streams on purpose, to be
polled, says with `retry` how long to wait.
"""

from collections import deque
from collections.abc import AsyncIterator, Iterator
from typing import Final, Self

from gateway.errors import UpstreamError
from gateway.jsonrpc import Id, Message, Refusal, parse_upstream
from gateway.upstream import Answer, Deliver
from gateway.upstream.sse import Event, EventStream

_WAIT_SECONDS: Final = (0.1, 5.0)
_MAX_FRUITLESS: Final = 10


class Messages:
    """The messages of one stream, as they come; no generator, for the reason that `wire` gives.

    Raises `UpstreamError` for an event that is none, and `Broken` where the stream breaks.
    """

    def __init__(self, chunks: AsyncIterator[bytes], events: EventStream) -> None:
        self._chunks = chunks
        self._events = events
        self._ready: deque[Event] = deque()
        events.begin()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        while not self._ready:
            events = self._events.feed(await anext(self._chunks))
            self._ready.extend(event for event in events if event.name == "message")  # others are not JSON-RPC's
        message = parse_upstream(self._ready.popleft().data)
        if isinstance(message, Refusal):
            raise UpstreamError(f"the upstream sent an event that is no JSON-RPC message: {message.message}")
        return message

    async def until(self, identifier: Id | None, deliver: Deliver) -> Message | None:
        """The response to one request, once what precedes it is delivered; None where the stream ends before."""
        async for message in self:
            if message.kind != "response":
                await deliver(message)
            elif same_id(message.id, identifier):
                return message
        return None


class Cut(Exception):
    """A stream ended before its answer, and can be taken up at `events.last_id`; `otherwise` is the answer if not."""

    def __init__(self, events: EventStream, otherwise: Answer) -> None:
        super().__init__(otherwise.failure)
        self.events = events
        self.otherwise = otherwise


def waits(events: EventStream) -> Iterator[float]:
    """How many seconds to wait before each attempt to take a stream up: at least what the server said.

    Ends after `_MAX_FRUITLESS` attempts in a row that brought nothing new: a new last id is what tells.
    """
    first, most = _WAIT_SECONDS
    seen, fruitless = events.last_id, 0
    while fruitless < _MAX_FRUITLESS:
        yield max(events.retry_seconds, min(first * 2.0**fruitless, most))
        fruitless = fruitless + 1 if events.last_id == seen else 0
        seen = events.last_id


def same_id(one: Id | None, other: Id | None) -> bool:
    """Whether two ids are the same, of the same type: `1` answers neither `"1"` nor `true`."""
    return one == other and type(one) is type(other)
