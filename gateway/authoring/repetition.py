"""A call, again and again, under two policies: the first time that one lets it through and the other does not.

Counted as it is in earnest, by counters of nobody's. The calls come all at once, or as far apart as the windows of the
limits are long, or as far as their rates allow; all in one session, or each in one of its own, or each by a grant of
its own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.authoring.witness import Trial
from gateway.policy import Limit, Policy, decide
from gateway.state import Charging, Counters, Exhausted, scratch, take

MOST: Final = 1500
"""Calls that are tried in a row."""


@dataclass(frozen=True, slots=True)
class Repetition:
    """The `number`-th call is the one, each `seconds` after the one before; `apart`: what each has of its own."""

    number: int
    seconds: float
    apart: str

    @property
    def words(self) -> str:
        """In a few words."""
        when = "at once" if not self.seconds else f"{self.seconds:g} s apart"
        own = {"": "", "session": ", each in a session of its own", "grant": ", each by a grant of its own"}[self.apart]
        return f"call {self.number} of the same {when}{own}"


@dataclass(frozen=True, slots=True)
class _Side:
    """Internal: one of the policies, with its counters."""

    policy: Policy
    counters: Counters


def repeated(strict: Policy, other: Policy, trial: Trial) -> tuple[Repetition, str] | None:
    """The first call that `other` lets through and `strict` refuses for a limit, and that limit; None: none found."""
    limits = (*strict.applied(trial.call.tool).limits, *other.applied(trial.call.tool).limits)
    calls = min(MOST, 3 * int(max((limit.maximum for limit in limits), default=0)) + 3)
    with scratch() as ours, scratch() as theirs:
        sides = _Side(strict, ours), _Side(other, theirs)
        for seconds, apart in _schedules(limits):
            found = _run(sides, trial, seconds, apart, calls)
            if found is not None:
                return Repetition(found[0], seconds, apart), found[1]
    return None


def _schedules(limits: Sequence[Limit]) -> Iterator[tuple[float, str]]:
    rates = {float(limit.seconds) / float(limit.maximum) for limit in limits if limit.seconds}
    windows = {float(limit.seconds) for limit in limits}
    for apart in ("", "session", "grant"):
        for seconds in sorted({0.0} | rates | windows):
            yield seconds, apart


def _run(sides: tuple[_Side, _Side], trial: Trial, seconds: float, apart: str, calls: int) -> tuple[int, str] | None:
    now = trial.circumstances.now
    for number in range(1, calls + 1):
        who = f"g{number}" if apart == "grant" else "me", str(number) if apart else "s"
        schedule = f"{seconds} {apart}"  # counters of its own
        refused, other = (_refused(side, trial, schedule, who, now) for side in sides)
        if refused is not None and other is None:
            return number, refused
        if refused is not None and not seconds and not apart:
            return None  # both refuse from here on
        now += seconds
    return None


def _refused(side: _Side, trial: Trial, schedule: str, who: tuple[str, str], now: float) -> str | None:
    """The limit that refuses the call now; None: it passes, and is counted."""
    decision = decide(side.policy, trial.call, trial.facts)
    charging = Charging(server=schedule, grant=who[0], session=who[1])
    charges = tuple(charging.of(decision.limits, trial.call.arguments, lambda data: data.hex()))
    taken = take(side.counters, charges, now)
    return taken.charge.limit.rule if isinstance(taken, Exhausted) else None
