"""The same call as often as a `repeat` lets it through, and once more: which of two policies refuses that one.

Each call is decided and counted as in earnest, by counters of nobody's and with what the session did before. They come
all at once but for the last, which comes when something of the other policy has just ended, or evenly; and all are
relayed, or none could be sent: so that limits of either do not stand in the way.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import product
from typing import Final

from gateway.authoring.repetition import Repetition
from gateway.authoring.witness import Trial
from gateway.policy import Policy, decide
from gateway.policy.decision import Repeat
from gateway.state import Charging, Counters, Exhausted, scratch, take

_MOST: Final = 200
"""Calls in a row; whoever allows more does not mean a loop."""


def looped(strict: Policy, other: Policy, trial: Trial, repeat: Repeat) -> Repetition | None:
    """The calls of which `strict` refuses the last for this `repeat`, and `other` none; None: none found."""
    if repeat.maximum > _MOST:
        return None
    with scratch() as ours, scratch() as theirs:
        tried = product((False, True), _schedules(other, trial, repeat))
        for number, (returned, (last, seconds)) in enumerate(tried):
            moments = [(seconds or 0.0) * index for index in range(repeat.maximum)] + [last]
            calls = _Calls(trial, tuple(moments), f"loop {number}", returned)
            if (
                _stopped(strict, ours, calls) == (repeat.maximum, repeat.rule)
                and _stopped(other, theirs, calls) is None
            ):
                within = 0.0 if seconds is not None else last
                return Repetition(len(moments), seconds, "", within, returned=returned)
    return None


def _schedules(other: Policy, trial: Trial, repeat: Repeat) -> Iterator[tuple[float, float | None]]:
    """When the last call comes (seconds after the first), and how far apart they are; None: the others all at once."""
    yield 0.0, 0.0
    applied = other.applied(trial.call.tool)
    spans = [found.seconds for found in applied.repeats] + [limit.seconds for limit in applied.limits]
    yield from ((float(span), None) for span in sorted(set(spans)) if 0 < span < repeat.seconds)
    even = (repeat.seconds - 1) / repeat.maximum
    if even > 0:
        yield even * repeat.maximum, even


@dataclass(frozen=True, slots=True)
class _Calls:
    """Internal: one call at these moments (seconds), in counters of this name; `returned`: it never could be sent."""

    trial: Trial
    moments: tuple[float, ...]
    name: str
    returned: bool


def _stopped(policy: Policy, counters: Counters, made: _Calls) -> tuple[int, str] | None:
    """The first of the calls that does not pass, and the rule that refuses it."""
    trial, moments, name = made.trial, made.moments, made.name
    charging = Charging(server=name, grant=trial.circumstances.grant, session=name)
    around, tool = trial.circumstances, trial.call.tool
    for index, moment in enumerate(moments):
        now = around.now + moment
        ages = tuple(moment - before for before in reversed(moments[:index]))
        calls = {**around.session_calls, tool: around.session_calls.get(tool, 0) + index}
        since = dict(around.seconds_since)
        if index and tool in policy.asks_since:
            since[tool] = Decimal(str(ages[0]))
        then = around._replace(now=now, session_calls=calls, seconds_since=since, same=ages)
        decision = decide(policy, trial.call, trial.facts._replace(circumstances=then))
        if decision.effect not in ("allow", "observe"):
            return index, decision.rule
        taken = take(counters, tuple(charging.of(decision.limits, trial.call.arguments, bytes.hex)), now)
        if isinstance(taken, Exhausted):
            return index, taken.charge.limit.rule
        if made.returned:
            counters.release(taken.reservation, now)
    return None
