"""`Counters` written as the rules read: nothing is ever forgotten, and everything is added up anew each time.

The contract runs against it too, so that the contract itself is known to be sound; and it is what the other
implementations are compared with.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from itertools import count

from gateway.state import Charge, CounterKey, Exhausted, Hold, Reservation, Usage

_SECOND = 1_000_000


@dataclass
class _Counter:
    number: int
    key: CounterKey
    newest: int
    hits: dict[int, tuple[int, Decimal]] = field(default_factory=dict)
    refunds: list[int] = field(default_factory=list)

    @property
    def span(self) -> int:
        return self.key.seconds * _SECOND

    def live(self, at: int) -> dict[int, tuple[int, Decimal]]:
        at = max(at, self.newest)
        if self.key.strategy == "session":
            return self.hits
        if self.key.strategy == "fixed":
            return {n: hit for n, hit in self.hits.items() if hit[0] // self.span == at // self.span}
        return {n: hit for n, hit in self.hits.items() if hit[0] > at - self.span}

    def window(self, at: int) -> int:
        """The window in which charges are given back."""
        return at // self.span if self.span else 0

    def ends(self, at: int) -> int:
        return (at // self.span + 1) * self.span if self.key.strategy == "fixed" else at + self.span

    def used(self, at: int) -> Decimal:
        return _sum(cost for _, cost in self.live(at).values())


class NaiveCounters:
    """Counters in memory."""

    def __init__(self) -> None:
        self._counters: dict[CounterKey, _Counter] = {}
        self._serials = count(1)
        self._numbers = count(1)

    def reserve(self, charges: Sequence[Charge], now: float) -> Reservation | Exhausted:
        moment = math.floor(now * _SECOND)
        pending: dict[CounterKey, Decimal] = {}
        for charge in charges:
            refused = self._refusal(charge, moment, pending.get(charge.key, Decimal(0)))
            if refused is not None:
                return refused
            pending[charge.key] = _sum([pending.get(charge.key, Decimal(0)), charge.cost])
        return Reservation(tuple(self._take(charge, moment) for charge in charges))

    def peek(self, charges: Sequence[Charge], now: float) -> Exhausted | None:
        moment = math.floor(now * _SECOND)
        every = (self._refusal(charge, moment, Decimal(0)) for charge in charges)
        return next((refused for refused in every if refused is not None), None)

    def release(self, reservation: Reservation, now: float) -> None:
        for hold in reservation.holds:
            counter = self._counters.get(hold.charge.key)
            if counter is None or counter.number != hold.counter or not hold.charge.cost:
                continue
            at = max(math.floor(now * _SECOND), counter.newest)
            recent = [moment for moment in counter.refunds if counter.window(moment) == counter.window(at)]
            if hold.serial in counter.live(at) and len(recent) + 1 <= hold.charge.limit.maximum:
                del counter.hits[hold.serial]
                counter.refunds.append(at)

    def usage(self, now: float) -> Sequence[Usage]:
        moment = math.floor(now * _SECOND)
        return [self._usage(counter, moment) for counter in self._counters.values() if counter.used(moment)]

    def forget_session(self, session: str) -> None:
        ended = [key for key in self._counters if key.scope == "session" and key.owner == session]
        for key in ended:
            del self._counters[key]

    def _take(self, charge: Charge, moment: int) -> Hold:
        if charge.key not in self._counters:
            self._counters[charge.key] = _Counter(next(self._numbers), charge.key, moment)
        counter, serial = self._counters[charge.key], next(self._serials)
        counter.newest = max(counter.newest, moment)
        counter.hits[serial] = (counter.newest, charge.cost)
        return Hold(counter.number, serial, counter.newest, charge)

    def _refusal(self, charge: Charge, moment: int, pending: Decimal) -> Exhausted | None:
        if charge.cost > charge.limit.maximum:
            return Exhausted(charge, None)
        counter = self._counters.get(charge.key)
        if counter is None:
            counter = _Counter(0, charge.key, moment)
        at = max(moment, counter.newest)
        claims = [*counter.live(at).values(), (at, pending), (at, charge.cost)]
        maximum = charge.limit.maximum
        if _sum(cost for _, cost in claims) <= maximum:
            return None
        if charge.key.strategy == "session":
            return Exhausted(charge, None)
        ends = sorted({counter.ends(hit_at) for hit_at, _ in claims[:-1]})
        opens = next(
            end
            for end in ends
            if _sum([charge.cost, *(cost for hit_at, cost in claims[:-1] if counter.ends(hit_at) > end)]) <= maximum
        )
        return Exhausted(charge, max(1, math.ceil((opens - moment) / _SECOND)))

    def _usage(self, counter: _Counter, moment: int) -> Usage:
        at = max(moment, counter.newest)
        moments = [hit_at for hit_at, cost in counter.live(at).values() if cost]
        if counter.key.strategy == "session":
            return Usage(counter.key, counter.used(at), at / _SECOND, None)
        fixed = counter.key.strategy == "fixed"
        start = at // counter.span * counter.span if fixed else min(moments)
        end = start + counter.span if fixed else max(moments) + counter.span
        return Usage(counter.key, counter.used(at), start / _SECOND, end / _SECOND)


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    with localcontext() as context:
        context.prec = 1000
        return sum(amounts, Decimal(0))
