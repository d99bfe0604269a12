"""A call, again and again, under two policies: the first time that one lets it through and the other does not.

Counted as it is in earnest, by counters of nobody's, and decided again wherever a rule looks at the clock or at earlier
calls; only a `repeat` is left aside here (`looping`), because arguments can be varied. The calls come all at once, or
as far apart as the windows of the limits are long, or as far as their rates allow, or as soon as both policies let the
next one through (which is how a limit by the day shows behind one by the minute); all in one session, or each in one of
its own, or each by a grant of its own; several tools in turn, where one alone is stopped before.
"""

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final, TypeAlias

from gateway.authoring.witness import Trial
from gateway.policy import Facts, Limit, Policy, decide
from gateway.state import Charge, Charging, Counters, Exhausted, scratch, take

MOST: Final = 1500
"""Calls that are tried in a row, where they come at fixed times."""
MOST_PACED: Final = 6000
"""Steps that are tried in a row, where each call comes as soon as it may: calls, and times that it has to be waited."""
_MANY: Final = 100
_SAME: Final = ("me", "s")
_MOST_KEPT: Final = 64
_OF_THE_CALL: Final = frozenset({"args", "tool.name", "tool.annotations", "grant", "client.name"})


@dataclass(frozen=True, slots=True)
class Repetition:
    """The `number`-th call is the one, each `seconds` after the one before; `apart`: what each has of its own.

    `seconds` is None where each comes as soon as it may; then they take `within` seconds. `tools` are called in turn.
    `varied`: a `repeat` would stop them if all had the same arguments. `returned`: none could be sent, so
    that limits get back what they are given back.
    """

    number: int
    seconds: float | None
    apart: str
    within: float = 0.0
    tools: tuple[str, ...] = ()
    varied: bool = False
    returned: bool = False

    @property
    def words(self) -> str:
        """In a few words."""
        if self.seconds is None:
            when = f"as soon as both let it through, {self.within:g} s after the first" if self.within else "at once"
        else:
            when = "at once" if not self.seconds else f"{self.seconds:g} s apart"
        same = "the same" if len(self.tools) < 2 else f"{len(self.tools)} tools in turn"
        own = {"": "", "session": ", each in a session of its own", "grant": ", each by a grant of its own"}[self.apart]
        how = ", not all with the same arguments" if self.varied else ", none of which could be sent" * self.returned
        return f"call {self.number} of {same} {when}{own}{how}"


@dataclass(slots=True)
class _Run:
    """Internal: one run of calls under one of the policies. `base` is when it began."""

    policy: Policy
    counters: Counters
    name: str
    base: float
    calls: Counter[str] = field(default_factory=Counter)
    latest: dict[str, float] = field(default_factory=dict)
    charging: dict[tuple[str, str], Charging] = field(default_factory=dict)
    kept: dict[int, tuple[Limit, ...]] = field(default_factory=dict)

    def refused(self, trial: Trial, who: tuple[str, str], now: float) -> Exhausted | bool:
        """The limit that stops the call now; True where something else refuses it, False where it passes."""
        charges = self._charges(trial, who, now)
        if charges is None:
            return True
        return self.counters.peek([charge for charge in charges if not charge.limit.observed], now) or False

    def count(self, trial: Trial, who: tuple[str, str], now: float) -> None:
        """Let a call through that passes."""
        charges = self._charges(trial, who, now) or ()
        if any(charge.limit.observed for charge in charges):
            take(self.counters, charges, now)
        else:
            self.counters.reserve(charges, now)
        self.calls[trial.call.tool] += who == _SAME
        if who[0] == _SAME[0]:
            self.latest[trial.call.tool] = now

    def _charges(self, trial: Trial, who: tuple[str, str], now: float) -> tuple[Charge, ...] | None:
        limits = self.kept.get(id(trial))
        if limits is None:
            decision = decide(self.policy, trial.call, self._facts(trial, who, now))
            if decision.effect not in ("allow", "observe"):
                return None
            limits = decision.limits
            if is_steady(self.policy, trial.call.tool):
                self.kept[id(trial)] = limits
        charging = self.charging.get(who)
        if charging is None:
            if len(self.charging) >= _MOST_KEPT:
                self.charging.clear()
            charging = self.charging[who] = Charging(server=self.name, grant=who[0], session=who[1])
        return tuple(charging.of(limits, trial.call.arguments, bytes.hex))

    def _facts(self, trial: Trial, who: tuple[str, str], now: float) -> Facts:
        """What is known at a later moment: the clock has moved, and calls of this run are earlier calls."""
        around = trial.circumstances
        calls = dict(around.session_calls)
        since = dict(around.seconds_since)
        if who == _SAME:
            calls |= {tool: calls.get(tool, 0) + number for tool, number in self.calls.items()}
        since = {tool: gone + Decimal(str(now - self.base)) for tool, gone in since.items()}
        if who[0] == _SAME[0]:
            since |= {tool: Decimal(str(max(0.0, now - at))) for tool, at in self.latest.items()}
        moved = around._replace(now=now, session_calls=calls, seconds_since=since)
        return trial.facts._replace(circumstances=moved)


def is_steady(policy: Policy, tool: str) -> bool:
    """Whether what a policy says of a tool stays the same as time passes and calls are made, limits aside."""
    applied = policy.applied(tool)
    return all(
        item.path.root in _OF_THE_CALL for check in (*applied.checks, *applied.approvals) for item in check.conditions
    )


def repeated(strict: Policy, other: Policy, trials: Sequence[Trial], rule: str = "") -> tuple[Repetition, str] | None:
    """The first call that `other` lets through and `strict` refuses for a limit, and that limit; None: none found.

    Where the limit of `rule` can be shown, that one; several `trials` are called in turn.
    """
    first: tuple[Repetition, str] | None = None
    with scratch() as ours, scratch() as theirs:
        sides = ((strict, ours), (other, theirs))
        varied = any(policy.counts_same(trial.call.tool) for policy in (strict, other) for trial in trials)
        found = _fixed(sides, trials[0], rule) if len(trials) == 1 else iter(())
        for repetition, stopped in itertools.chain(found, _paced(sides, trials, rule)):
            shown = replace(repetition, varied=varied), stopped
            if not rule or stopped == rule:
                return shown
            first = first or shown
    return first


_Sides: TypeAlias = tuple[tuple[Policy, Counters], tuple[Policy, Counters]]


def _who(number: int, apart: str) -> tuple[str, str]:
    return (f"g{number}" if apart == "grant" else _SAME[0], str(number) if apart else _SAME[1])


# --- at fixed times ---------------------------------------------------------------------------------------------------


def _fixed(sides: _Sides, trial: Trial, rule: str) -> Iterator[tuple[Repetition, str]]:
    limits = [limit for policy, _ in sides for limit in policy.applied(trial.call.tool).limits]
    most = _most(sides, trial, rule)
    if rule and most > _MANY:
        return  # so many calls are only made as soon as they may
    for apart in _apart(sides, trial):
        for seconds in _spans(limits):
            ours, theirs = _runs(sides, f"{seconds} {apart}", trial.circumstances.now)
            found = _run(ours, theirs, trial, (seconds, apart), 3 * most + 3)
            if found is not None:
                yield Repetition(found[0], seconds, apart), found[1]


def _most(sides: _Sides, trial: Trial, rule: str) -> int:
    """The `max` of the limit that is wanted, or the largest of all; as much as is worth to try."""
    limits = [limit for policy, _ in sides for limit in policy.applied(trial.call.tool).limits]
    wanted = [limit.maximum for limit in limits if limit.rule == rule] or [limit.maximum for limit in limits]
    return min(max(map(int, wanted), default=0), MOST_PACED)


def _spans(limits: Sequence[Limit]) -> list[float]:
    rates = {float(limit.seconds) / float(limit.maximum) for limit in limits if limit.seconds}
    return sorted({0.0} | rates | {float(limit.seconds) for limit in limits})


def _apart(sides: _Sides, trial: Trial) -> Iterator[str]:
    """What each call may have of its own: only what one policy counts apart, and the other perhaps not."""
    strict, other = ({limit.scope for limit in policy.applied(trial.call.tool).limits} for policy, _ in sides)
    yield ""
    if "session" in other:
        yield "session"
    if "server" in strict:
        yield "grant"


def _runs(sides: _Sides, name: str, begin: float) -> tuple[_Run, _Run]:
    (strict, ours), (other, theirs) = sides
    return _Run(strict, ours, name, begin), _Run(other, theirs, name, begin)


def _run(ours: _Run, theirs: _Run, trial: Trial, how: tuple[float, str], most: int) -> tuple[int, str] | None:
    now, (seconds, apart) = ours.base, how
    for number in range(1, min(MOST, most) + 1):
        who = _who(number, apart)
        stopped, passes = ours.refused(trial, who, now), not theirs.refused(trial, who, now)
        if isinstance(stopped, Exhausted) and passes:
            return number, stopped.charge.limit.rule
        if (stopped and not passes and not seconds and not apart) or stopped is True:
            return None  # from here on nothing changes
        if not stopped:
            ours.count(trial, who, now)
        if passes:
            theirs.count(trial, who, now)
        now += seconds
    return None


# --- as soon as both let it through -----------------------------------------------------------------------------------


def _paced(sides: _Sides, trials: Sequence[Trial], rule: str) -> Iterator[tuple[Repetition, str]]:
    tools = tuple(trial.call.tool for trial in trials)
    begin = trials[0].circumstances.now
    most = min(MOST_PACED, 4 * _most(sides, trials[0], rule) + 4 * len(trials))
    for apart in _apart(sides, trials[0]):
        ours, theirs = _runs(sides, f"paced {apart}", begin)
        found = _pace(ours, theirs, trials, (rule, apart), most)
        if found is not None:
            number, now, stopped = found
            yield Repetition(number, None, apart, now - begin, tools), stopped


def _pace(
    ours: _Run, theirs: _Run, trials: Sequence[Trial], how: tuple[str, str], most: int
) -> tuple[int, float, str] | None:
    (rule, apart), number, now, turn = how, 1, ours.base, 0
    for _ in range(most):
        waits: list[int] = []
        who = _who(number, apart)
        for offset in range(len(trials)):
            trial = trials[(turn + offset) % len(trials)]
            stopped, barred = ours.refused(trial, who, now), theirs.refused(trial, who, now)
            if isinstance(stopped, Exhausted) and not barred and rule in ("", stopped.charge.limit.rule):
                return number, now, stopped.charge.limit.rule
            if not stopped and not barred:
                ours.count(trial, who, now)
                theirs.count(trial, who, now)
                number, turn = number + 1, turn + offset + 1
                break
            waits += [_wait(said) for said in (stopped, barred) if isinstance(said, Exhausted)]
        else:
            if not any(waits):
                return None
            now += min(wait for wait in waits if wait)
    return None


def _wait(said: Exhausted) -> int:
    """Seconds until there is room again; 0 where there never is."""
    return said.retry_after_seconds or 0
