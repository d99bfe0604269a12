"""Calls that are not finished: the upstream answered `input_required` (2026-07-28, Multi Round-Trip Requests).

The client answers by calling again, under another id, with `inputResponses` and the `requestState` it was given. Such a
round is judged like any call, by the policy in force then, but it is no new call, so it is not charged again. Which it
is must not be the client's to say, so an exchange is remembered here when it begins, and a call continues it only if

- tool, arguments and `requestState` are those of an exchange that was remembered, byte for byte (a server that gave no
  state gets none back; then `inputResponses` are what tells the round from a new call),
- and nobody has continued that exchange yet: each answer `input_required` is worth one round, once.

Whatever else comes is a new call, and charged. So at most one call of an exchange ever completes, and it was charged
for. A server that asks without end gives nothing away either: after `MAX_ROUNDS` rounds the next one is a new call.

Neither does it stand in its own way: a rule about when, or how often, the tool was called sees in each round what the
first one saw, and what others have called since.

Nothing here outlives the process, because a session does not: what is forgotten is charged. Bounded in number and age.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from gateway.jsonrpc import Json, Message, serialise
from gateway.state import CounterKey, Noted

MAX_ROUNDS: Final = 20
"""Calls of one exchange, the first included."""
_MAX_SECONDS: Final = 3600.0
_MAX_OPEN: Final = 1000
_STATE: Final = "requestState"
_RESPONSES: Final = "inputResponses"


@dataclass(frozen=True, slots=True)
class Exchange:
    """An exchange so far: the decision that began it, the counters it was charged in, how many calls were answered.

    `noted` is its newest call as the state file knows it. `approved` is what the approval was bound to that it has, if
    it needed one.
    """

    decision_id: str
    charged: frozenset[CounterKey]
    rounds: int
    noted: Noted | None = None
    approved: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Open:
    digest: bytes
    at: float
    exchange: Exchange


class Exchanges:
    """The unfinished exchanges of this process. Moments are monotonic seconds."""

    def __init__(self) -> None:
        self._open: dict[int, _Open] = {}
        self._count = 0

    def begin(self, request: Message, result: Mapping[str, Json], exchange: Exchange, now: float) -> None:
        """Remember that `request` was answered with `input_required`, if it may go on."""
        if exchange.rounds < MAX_ROUNDS:
            self._keep(_digest(request, result), exchange, now)

    def resume(self, request: Message, exchange: Exchange, now: float) -> None:
        """Remember it again: the call that continued it certainly did not run."""
        self._keep(_digest(request, request.params), exchange, now)

    def find(self, request: Message, now: float) -> tuple[int, Exchange] | None:
        """The oldest exchange that `request` continues, and its number for `take`."""
        if request.params.get(_STATE) is None and not isinstance(request.params.get(_RESPONSES), dict):
            return None
        digest = _digest(request, request.params)
        for number, kept in self._open.items():
            if kept.digest == digest and now - kept.at <= _MAX_SECONDS:
                return number, kept.exchange
        return None

    def take(self, number: int) -> None:
        """It is continued now, and by nobody else."""
        self._open.pop(number, None)

    def _keep(self, digest: bytes, exchange: Exchange, now: float) -> None:
        while len(self._open) >= _MAX_OPEN:
            self._open.pop(next(iter(self._open)))
        self._count += 1
        self._open[self._count] = _Open(digest, now, exchange)


def is_input_required(result: Mapping[str, Json] | None) -> bool:
    """Whether a result asks for another round."""
    return result is not None and result.get("resultType") == "input_required"


def _digest(request: Message, state_from: Mapping[str, Json]) -> bytes:
    """What tells an exchange from others: tool, arguments, and the state, which may be missing."""
    parts: list[Json] = [request.params.get("name"), request.params.get("arguments") or {}]
    state = state_from.get(_STATE)
    if state is not None:
        parts.append(state)
    return blake2b(serialise(parts), digest_size=16).digest()
