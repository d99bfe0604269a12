"""Who waits when too much is in flight.

Every request in flight holds a task, its message and, as a rule, a connection; without a bound, a client that floods
would fill the memory. So beyond `MOST` requests, or `MOST_BYTES` of them, requests wait here, in the order in which
they came, and each that ends lets the next one go. Nothing is refused for that.

What is no request never waits, `notifications/cancelled` above all: it ends a request that waits (nothing was sent,
nothing is charged) as it ends one that runs. That is why the waiting room is large. Where it is full too, or where
`MOST_SAID` notifications and responses (`MOST_BYTES` of them) are on their way to a server that does not take them,
the input is read no further until one has left: then the client finds its pipe full, as with any slow reader, and
nothing is lost. It does not last, because whatever is sent has a time-out.
"""

from collections.abc import Callable, Iterator
from typing import Final

from gateway.jsonrpc import Id, Message

MOST: Final = 1024
MOST_BYTES: Final = 2**26
MOST_WAITING: Final = 16_384
MOST_SAID: Final = 4096


class Crowd:
    """Counts who is in flight, and keeps who waits. `hold` stops and resumes the reading of the input."""

    def __init__(
        self,
        hold: Callable[[bool], None],
        *,
        most: int = MOST,
        most_bytes: int = MOST_BYTES,
        most_waiting: int = MOST_WAITING,
        most_said: int = MOST_SAID,
    ) -> None:
        self._hold = hold
        self._most = most
        self._most_bytes = most_bytes
        self._most_waiting = most_waiting
        self._most_said = most_said
        self._inside = 0
        self._inside_bytes = 0
        self._waiting: dict[Id, Message] = {}
        self._waiting_bytes = 0
        self._said = 0
        self._said_bytes = 0
        self._held = False

    def __contains__(self, identifier: Id) -> bool:
        """Whether a request waits."""
        return identifier in self._waiting

    def enters(self, message: Message, identifier: Id) -> bool:
        """Whether a request may go at once; otherwise it waits here. A handshake never does: others wait for it."""
        if message.method == "initialize" or (not self._waiting and self._has_room(message)):
            self._count(message, 1)
            return True
        self._waiting[identifier] = message
        self._waiting_bytes += len(message.raw)
        self._look()
        return False

    def leaves(self, message: Message) -> Iterator[Message]:
        """A request is over: those that may go now, which count as in flight from here on."""
        self._count(message, -1)
        while self._waiting:
            identifier, following = next(iter(self._waiting.items()))
            if not self._has_room(following):
                break
            self.cancelled(identifier)
            self._count(following, 1)
            yield following

    def cancelled(self, identifier: Id) -> Message | None:
        """A request waits no more; the request, if it did."""
        message = self._waiting.pop(identifier, None)
        if message is not None:
            self._waiting_bytes -= len(message.raw)
            self._look()
        return message

    def says(self, message: Message) -> None:
        """Something that is no request is on its way."""
        self._said += 1
        self._said_bytes += len(message.raw)
        self._look()

    def has_said(self, message: Message) -> None:
        """It has arrived, or never will."""
        self._said -= 1
        self._said_bytes -= len(message.raw)
        self._look()

    @property
    def says_much(self) -> bool:
        """Whether as much is on its way as may be."""
        return self._said >= self._most_said or self._said_bytes > self._most_bytes

    def dismiss(self) -> None:
        """Nobody waits any more: it is over."""
        self._waiting.clear()

    def _has_room(self, message: Message) -> bool:
        """Whether one more may go. One alone always may, whatever its size."""
        if self._inside == 0:
            return True
        return self._inside < self._most and self._inside_bytes + len(message.raw) <= self._most_bytes

    def _count(self, message: Message, sign: int) -> None:
        self._inside += sign
        self._inside_bytes += sign * len(message.raw)

    def _look(self) -> None:
        waits = len(self._waiting) >= self._most_waiting or self._waiting_bytes > self._most_bytes
        full = waits or self.says_much
        if full != self._held:
            self._held = full
            self._hold(full)
