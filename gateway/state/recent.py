"""Which calls a session was let through lately, to tell one that is made again and again (policy language, `repeat`).

Two calls are the same where the tool is and the arguments are, however they were written (`canonical`). A session is
the life of one process, so this is kept in memory, as moments that only move forward (monotonic). It is bounded: of all
calls the last `MOST` are remembered, so at most as many different ones. What is forgotten was never counted: a call is
let through rather than refused for what nobody remembers.
"""

from collections import deque
from collections.abc import Sequence
from hashlib import blake2b
from itertools import islice
from typing import Final

from gateway.jsonrpc import canonical
from gateway.policy.decision import ToolCall

MOST: Final = 10_000
"""Calls of a session that are remembered, some 2 MB."""
_BYTES: Final = 16


class RecentCalls:
    """The calls that count for a `repeat`, of one session."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._order: deque[bytes] = deque()
        self._moments: dict[bytes, float | list[float]] = {}  # a list only where there is more than one

    def ages(self, call: bytes, now: float, most: int = MOST) -> Sequence[float]:
        """How many seconds ago the same call was let through, the last time first, at most so many times."""
        moments = self._moments.get(call, [])
        several = moments if isinstance(moments, list) else [moments]
        return [max(0.0, now - moment) for moment in islice(reversed(several), most)]

    def let_through(self, call: bytes, now: float) -> None:
        """A call is on its way."""
        self._order.append(call)
        moments = self._moments.get(call)
        if isinstance(moments, list):
            moments.append(now)
        else:
            self._moments[call] = now if moments is None else [moments, now]
        if len(self._order) > self._most:
            self._forget(self._order.popleft())

    def _forget(self, call: bytes) -> None:
        """The oldest moment of all is the oldest of its call."""
        moments = self._moments[call]
        if isinstance(moments, list) and len(moments) > 1:
            del moments[0]
        else:
            del self._moments[call]


def identity_of(call: ToolCall) -> bytes:
    """Sixteen bytes that stand for a tool and its arguments."""
    return blake2b(canonical([call.tool, dict(call.arguments)]), digest_size=_BYTES).digest()
