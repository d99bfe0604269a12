"""Counters: what a limit of the policy charges, and what comes of it.

What must stay true (policy language, "Limits"; threats B24, B25):

1. All charges of a call are taken together, or none; a refused call costs nothing.
2. `fixed`: windows are aligned to UTC. `sliding`: never more than the maximum in any span of that length. `session`:
   never more than the maximum while the session lasts.
3. Time only moves forward: a counter lives at the newest moment it has seen. A clock that was set back reopens
   nothing; one that jumped ahead and came back leaves the counter in the window of the jump until that ends.
4. The maximum is no part of a counter's identity: editing it in the policy keeps what was used.
5. A reservation is given back at most once, only within its own window, and at most `maximum` times a window.
6. Amounts are exact decimals.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import blake2b
from typing import Final, NamedTuple, Protocol

from gateway.jsonrpc import Json
from gateway.policy.amounts import ONE, Unmeasurable, measure
from gateway.policy.decision import Limit, Scope, Strategy
from gateway.state.amounts import minus

_PER_DIGITS: Final = 32


@dataclass(frozen=True, slots=True)
class CounterKey:
    """What names a counter.

    `server` is the upstream's URL without query; `owner` is the name of the grant or the id of the session, as `scope`
    says, or nothing; `per` is a digest of the value that the limit counts apart, None where it counts all together.
    """

    server: str
    layer: str
    scope: Scope
    owner: str
    tools_key: str
    counter: str
    window: str
    seconds: int
    strategy: Strategy
    per: str | None = None
    identity: bytes = field(init=False, compare=False, repr=False)
    """Sixteen bytes that stand for this key, made once: a call asks for them more than once."""

    def __post_init__(self) -> None:
        parts = [
            self.server,
            self.layer,
            self.scope,
            self.owner,
            self.tools_key,
            self.counter,
            self.window,
            self.seconds,
            self.strategy,
            self.per,
        ]  # JSON keeps the parts apart whatever characters they hold
        digest = blake2b(json.dumps(parts).encode("ascii"), digest_size=16).digest()
        object.__setattr__(self, "identity", digest)


@dataclass(frozen=True, slots=True)
class Charge:
    """`cost` to be counted against `limit` in the counter named `key`. The cost is finite and not negative.

    Raises `StateError` where the amounts have too many digits to be counted exactly.
    """

    limit: Limit
    key: CounterKey
    cost: Decimal = ONE
    room: Decimal = field(init=False, compare=False, repr=False)
    """The most that may be used before it: the maximum less the cost."""

    def __post_init__(self) -> None:
        if not self.cost.is_finite() or self.cost < 0:
            raise ValueError(f"a cost is a finite number, not negative: `{self.cost}`")
        object.__setattr__(self, "room", minus(self.limit.maximum, self.cost))


class Hold(NamedTuple):
    """One charge that was taken: the `serial`-th of its counter, at the moment `at` (microseconds)."""

    counter: int
    serial: int
    at: int
    charge: Charge


class Reservation(NamedTuple):
    """All charges of a call, taken."""

    holds: tuple[Hold, ...] = ()


@dataclass(frozen=True, slots=True)
class Exhausted:
    """The first charge that does not fit, and after how many whole seconds (at least 1) it will.

    `retry_after_seconds` is None where no waiting helps: the cost alone is above the maximum.
    """

    charge: Charge
    retry_after_seconds: int | None


@dataclass(frozen=True, slots=True)
class Usage:
    """A counter that is not empty; moments in seconds since the epoch.

    `window_start` is when the fixed window began, or when the oldest hit of the sliding one was: at
    `window_start + key.seconds` the first of it is free again. At `resets_at` all of it is; None: as its session ends.
    """

    key: CounterKey
    used: Decimal
    window_start: float
    resets_at: float | None


class Counters(Protocol):
    """Counters within one transaction. `now` is in seconds since the epoch. Failures are `StateError`."""

    def reserve(self, charges: Sequence[Charge], now: float) -> Reservation | Exhausted:
        """Take all charges, or none and say which is the first, in order, that does not fit."""
        ...

    def peek(self, charges: Sequence[Charge], now: float) -> Exhausted | None:
        """The first charge that would not fit now, each taken by itself; nothing is changed."""
        ...

    def release(self, reservation: Reservation, now: float) -> None:
        """Give back what was taken, as far as rule 5 lets it; a second time changes nothing."""
        ...

    def usage(self, now: float) -> Sequence[Usage]:
        """All counters that are not empty, in the order in which they were first used."""
        ...

    def forget_session(self, session: str) -> None:
        """Drop the counters of a session that has ended."""
        ...


def charge_for(
    limit: Limit,
    *,
    server: str,
    grant: str,
    session: str,
    cost: Decimal = ONE,
    per: str | None = None,
) -> Charge:
    """The charge of one call against `limit`. `server` is the upstream's URL; query and fragment are cut off here."""
    key = CounterKey(
        server=server.partition("#")[0].partition("?")[0],
        layer=limit.layer,
        scope=limit.scope,
        owner={"grant": grant, "session": session, "server": ""}[limit.scope],
        tools_key=limit.tools_key,
        counter=limit.counter,
        window=limit.window,
        seconds=limit.seconds,
        strategy=limit.strategy,
        per=per,
    )
    return Charge(limit, key, cost)


def charges_for(
    limit: Limit,
    arguments: Mapping[str, Json],
    *,
    server: str,
    grant: str,
    session: str,
    digest: Callable[[bytes], str],
) -> tuple[Charge, ...]:
    """The charges of a call with these arguments against `limit`: one, or one for each value that is counted apart.

    A value is not kept: its counter is named by a `digest`. Raises `ValueError` for a call that cannot be counted.
    """
    measured = measure(limit, arguments)
    if isinstance(measured, Unmeasurable):
        raise ValueError(f"a call that {limit.rule} cannot count")  # noqa: TRY004 - the call is wrong, not its type
    return tuple(
        charge_for(
            limit,
            server=server,
            grant=grant,
            session=session,
            cost=one.cost,
            per=None if one.apart is None else digest(one.apart.encode())[:_PER_DIGITS],
        )
        for one in measured
    )


class Taken(NamedTuple):
    """What was reserved; and, of limits that are only being tried out, the first that would not have allowed it."""

    reservation: Reservation
    would: Exhausted | None = None


def take(counters: Counters, charges: Sequence[Charge], now: float) -> Taken | Exhausted:
    """Reserve all charges, or none and say which is the first that does not fit.

    What limits that are only being tried out count is what they would have counted: all of them together, or none.
    """
    tried_out = [charge for charge in charges if charge.limit.observed]
    binding = [charge for charge in charges if not charge.limit.observed] if tried_out else charges
    reserved = counters.reserve(binding, now)
    if isinstance(reserved, Exhausted):
        return reserved
    if not tried_out:
        return Taken(reserved)
    tried = counters.reserve(tried_out, now)
    if isinstance(tried, Exhausted):
        return Taken(reserved, tried)
    return Taken(Reservation((*reserved.holds, *tried.holds)))
