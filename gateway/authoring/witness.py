"""Calls to try: made of what the conditions of two policies compare with, and of what the tool's schema wants.

For every path the values are those that some condition on it holds for, those it does not, those of the schema, and
none; for every fact the moments, counts and names. A search goes from a call for which the rule has its say to one with
nothing else in the way, then combinations are tried, both up to a bound. Whatever comes out is a call that is then
really decided, so that nothing here needs to be right, only fruitful.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Final, cast

from gateway.authoring.matching import example, examples
from gateway.authoring.replay import facts_of
from gateway.authoring.samples import described, sample, samples
from gateway.catalogue import Definition
from gateway.jsonrpc import Json
from gateway.policy import Circumstances, Facts, Policy, ToolCall
from gateway.policy.amounts import Unmeasurable, measure
from gateway.policy.checks import Check, Condition, fires
from gateway.policy.paths import EACH, Each, Path, Step, argument

MOST: Final = 5000
"""Combinations that are tried for one rule, after the search."""
_STARTS: Final = 200
_SWEEPS: Final = 4
NOON: Final = 1_767_614_400.0
"""A Monday, 12:00 UTC."""
_NOON_HOUR: Final = 12
_FEW: Final = 12
_GONE: Final = object()


@dataclass(frozen=True, slots=True)
class Trial:
    """A call and what is known beside it."""

    call: ToolCall
    facts: Facts

    @property
    def circumstances(self) -> Circumstances:
        """What is true at its moment."""
        return cast(Circumstances, self.facts.circumstances)


def trials(strict: Policy, other: Policy, tool: str, definition: Definition | None, rule: str = "") -> Iterator[Trial]:
    """Calls of a tool for which `other` may let through what `strict` refuses by a rule (none: what both let through).

    First those that a search finds, from calls in which the rule has its say: one value at a time is changed for the
    one that leaves the fewest other rules in the way. Then combinations, at most `MOST`.
    """
    space = _space((strict, other), tool, definition)
    aim = _Aim(strict, other, space, rule)
    for start in islice(_starts(space, aim.check), _STARTS):
        yield _descend(aim, start)
    for values in islice(_combined(list(space.domains.values())), MOST):
        yield space.trial(dict(zip(space.domains, values, strict=True)))


@dataclass(frozen=True, slots=True)
class _Space:
    """Internal: what may be said of a call: the values of every path, and what stands where nothing is said."""

    tool: str
    base: Mapping[str, Json]
    facts: Facts
    domains: Mapping[Path, list[object]]

    def trial(self, chosen: Mapping[Path, object]) -> Trial:
        return _trial(self.tool, self.base, self.facts, chosen)


def _space(policies: Sequence[Policy], tool: str, definition: Definition | None) -> _Space:
    conditions = list(_conditions(policies, tool))
    facts = facts_of(definition)
    schema = (definition or {}).get("inputSchema")
    base = {name: sample(_described(schema, name)) for name in facts.required_arguments}
    domains: dict[Path, list[object]] = {}
    for path in dict.fromkeys(item.path for item in conditions):
        about = [item for item in conditions if item.path == path]
        known = base.get(str(path.steps[0]), _GONE) if len(path.steps) == 1 and path.root == "args" else _GONE
        domains[path] = _values(path, about, known, described(schema, path))
    for path in _measured(policies, tool):
        domains.setdefault(path, ["x", 1, _GONE])
    if _validated(policies, tool):
        for name in facts.required_arguments:
            domains.setdefault(Path(argument(name), (name,)), [base[name], _GONE])
    return _Space(tool, base, facts, domains)


# --- the search -------------------------------------------------------------------------------------------------------


class _Aim:
    """Internal: how far a trial is from showing the rule; 0 is there."""

    def __init__(self, strict: Policy, other: Policy, space: _Space, rule: str) -> None:
        ours, theirs = strict.applied(space.tool), other.applied(space.tool)
        named = (check for check in (*ours.checks, *ours.approvals) if check.rule == rule)
        self.check = next(named, None)
        self.space = space
        self._ours = [item for item in (*ours.checks, *ours.approvals) if not item.observed and item is not self.check]
        self._theirs = [item for item in (*theirs.checks, *theirs.approvals) if not item.observed]
        self._measured = (*ours.measured, *theirs.measured)

    def distance(self, trial: Trial) -> int:
        call, facts = trial.call, trial.facts
        misses = self.check is not None and not fires(self.check, call, facts)
        unmeasured = sum(isinstance(measure(limit, call.arguments), Unmeasurable) for limit in self._measured)
        theirs = sum(fires(check, call, facts) for check in self._theirs)
        return 10_000 * misses + 100 * (theirs + unmeasured) + sum(fires(check, call, facts) for check in self._ours)

    def in_the_way(self, trial: Trial) -> list[Path]:
        """The paths that what refuses the trial, against the aim, looks at."""
        call, facts = trial.call, trial.facts
        firing = [check for check in (*self._theirs, *self._ours) if fires(check, call, facts)]
        if self.check is not None and not fires(self.check, call, facts):
            firing.append(self.check)
        paths = {condition.path for check in firing for condition in check.conditions}
        if self._measured or any(check.kind in ("validate", "schema") for check in firing):
            return list(self.space.domains)
        return [path for path in self.space.domains if path in paths]


def _starts(space: _Space, check: Check | None) -> Iterator[dict[Path, object]]:
    """The plain call, then for each path that the rule looks at each of its values, and for pairs of them."""
    plain = {path: domain[0] for path, domain in space.domains.items()}
    yield plain
    looked_at = {condition.path for condition in check.conditions} if check is not None else set()
    if check is not None and check.kind in ("validate", "schema"):
        looked_at = {path for path in space.domains if path.root == "args"}
    for path in space.domains:
        yield from ({**plain, path: value} for value in space.domains[path] if path in looked_at)


def _descend(aim: _Aim, start: dict[Path, object]) -> Trial:
    """The nearest trial that changing one value at a time leads to."""
    chosen, trial = start, aim.space.trial(start)
    least = aim.distance(trial)
    for _ in range(_SWEEPS):
        before = least
        for path in aim.in_the_way(trial):
            for value in aim.space.domains[path]:
                if not least:
                    return trial
                changed = {**chosen, path: value}
                found = aim.space.trial(changed)
                distance = aim.distance(found)
                if distance < least:
                    chosen, trial, least = changed, found, distance
        if least == before:
            break
    return trial


# --- all of them ------------------------------------------------------------------------------------------------------


def _combined(domains: list[list[object]]) -> Iterator[tuple[object, ...]]:
    """All combinations; where they are too many, first those in which few values are other than the first."""
    size = 1
    for domain in domains:
        size *= len(domain)
    if size <= MOST:
        yield from itertools.product(*domains)
        return
    firsts = tuple(domain[0] for domain in domains)
    for changed in range(4):
        for places in itertools.combinations(range(len(domains)), changed):
            for values in itertools.product(*(domains[place] for place in places)):
                found = list(firsts)
                for place, value in zip(places, values, strict=True):
                    found[place] = value
                yield tuple(found)


def _conditions(policies: Sequence[Policy], tool: str) -> Iterator[Condition]:
    for policy in policies:
        applied = policy.applied(tool)
        for check in (*applied.checks, *applied.approvals):
            yield from check.conditions


def _measured(policies: Sequence[Policy], tool: str) -> Iterator[Path]:
    for policy in policies:
        for limit in policy.applied(tool).measured:
            yield from (path for path in (limit.cost, limit.per) if path is not None)


def _validated(policies: Sequence[Policy], tool: str) -> bool:
    return any(check.kind in ("validate", "schema") for policy in policies for check in policy.applied(tool).checks)


# --- values -----------------------------------------------------------------------------------------------------------


def _values(path: Path, about: Sequence[Condition], known: object, schema: object) -> list[object]:
    """What is tried at a path, most usual first: as it is by itself, as conditions have it, as the schema has it."""
    if path.root == "time.hour":
        return [12, *(hour for hour in range(24) if hour != _NOON_HOUR)]
    if path.root == "time.weekday":
        return list(range(1, 8))
    found: list[object] = [known] if path.root in ("args", "grant.seconds_since", "client.name") else []
    fillers = [text for condition in about for text in _texts(condition)]
    for condition in about:
        found += _suggested(condition, fillers)
    if path.root == "args":
        found += [*(islice(samples(schema), _FEW) if schema is not None else ()), _GONE, "x", 1, True, [], None, ["x"]]
        found += [{}]
    if path.root in ("session.calls", "session.denials"):
        found = [0, *found]
    distinct: list[object] = []
    for value in found:
        if not any(type(value) is type(other) and value == other for other in distinct):
            distinct.append(value)
    return distinct[: 16 * _FEW]


def _texts(condition: Condition) -> Iterator[str]:
    """Texts that a condition is about: what may stand in what another one wants."""
    if condition.op == "regex":
        text = example(cast(str, condition.operand))
        yield from () if text is None else (text,)
    elif isinstance(condition.operand, str):
        yield condition.operand


def _suggested(condition: Condition, fillers: Sequence[str]) -> Iterator[object]:
    """Values for which the condition holds, and for which it just does not."""
    operand = condition.operand
    match condition.op:
        case "regex":
            for text in islice(examples(cast(str, operand), (*fillers, "a@b.co", "b.co")), 4 * _FEW):
                yield text
            for text in fillers[:_FEW]:
                yield from (text, f"{text}x", f"x{text}")
            yield from ("kim@example.com", "a@b.co", "https://example.com/", "2026-01-05", "")
        case "contains":
            yield from (operand, [operand], f"a{operand}b" if isinstance(operand, str) else [operand, operand])
        case "in" | "not_in":
            yield from cast("list[Json]", operand)[:_FEW]
        case "exists":
            yield "x"
        case _ if isinstance(operand, int | Decimal) and not isinstance(operand, bool):
            yield from (operand, operand + 1, operand - 1)
        case _ if isinstance(operand, bool):
            yield from (operand, not operand)
        case _:
            yield operand
    if isinstance(operand, str) and condition.op != "regex":
        yield f"{operand}x"


def _described(schema: Json, name: str) -> object:
    return described(schema, Path(argument(name), (name,)))


# --- putting a trial together -----------------------------------------------------------------------------------------


def _trial(tool: str, base: Mapping[str, Json], facts: Facts, chosen: Mapping[Path, object]) -> Trial:
    arguments: dict[str, Json] = dict(base)
    calls: dict[str, int] = {}
    since: dict[str, Decimal] = {}
    around = Circumstances(NOON, "me", "", calls, 0, since)
    moment = {"time.hour": 12, "time.weekday": 1}
    for path, value in chosen.items():
        name = str(path.steps[0]) if path.steps else ""
        if path.root == "args":
            _put(arguments, path.steps, value)
        elif path.root in moment:
            moment[path.root] = cast(int, value)
        elif path.root == "session.calls":
            calls[name] = _count(value)
        elif path.root == "session.denials":
            around = around._replace(session_denials=_count(value))
        elif path.root == "grant.seconds_since" and isinstance(value, int | Decimal):
            since[name] = max(Decimal(0), Decimal(value))
        elif path.root == "grant":
            around = around._replace(grant=str(value))
        elif path.root == "client.name":
            around = around._replace(client=str(value))
    now = NOON + (moment["time.hour"] - 12) * 3600 + (moment["time.weekday"] - 1) * 86_400
    return Trial(ToolCall(tool, arguments), facts._replace(circumstances=around._replace(now=now)))


def _count(value: object) -> int:
    return max(0, int(value)) if isinstance(value, int | Decimal) else 0


def _put(arguments: dict[str, Json], steps: Iterable[Step], value: object) -> None:
    """Put a value where a path finds it; where another value is in the way, it stays."""
    name, *rest = steps
    if value is _GONE:
        if not rest:
            arguments.pop(cast(str, name), None)
        return
    inner = cast(Json, value)
    for step in reversed(rest):
        inner = {step: inner} if isinstance(step, str) else _list(step, inner)
    before = arguments.get(cast(str, name))
    if isinstance(before, dict) and isinstance(inner, dict):
        inner = {**before, **inner}
    arguments[cast(str, name)] = inner


def _list(step: int | Each, inner: Json) -> list[Json]:
    return [inner] if step is EACH else [inner] * (min(step, _FEW) + 1)
