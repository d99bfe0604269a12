"""Calls to try: made of what the conditions of two policies compare with, and of what the tool's schema wants.

For every path the values are those that some condition on it holds for, those it does not hold for, and none; for every
fact the moments, counts and names. They are tried in all combinations, up to a bound; whatever comes out is a call that
was really decided, so that nothing here needs to be right, only fruitful.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final, cast

from gateway.authoring.matching import example
from gateway.authoring.replay import facts_of
from gateway.catalogue import Definition
from gateway.jsonrpc import Json
from gateway.policy import Circumstances, Facts, Policy, ToolCall
from gateway.policy.checks import Condition
from gateway.policy.paths import EACH, Each, Path, Step, argument

MOST: Final = 20_000
"""Combinations that are tried for one rule."""
NOON: Final = 1_767_614_400.0
"""A Monday, 12:00 UTC."""
_FEW: Final = 12
_GONE: Final = object()
_TYPED: Final[Mapping[object, Json]] = {
    "string": "x",
    "integer": 1,
    "number": 1,
    "boolean": True,
    "array": [],
    "object": {},
}


@dataclass(frozen=True, slots=True)
class Trial:
    """A call and what is known beside it."""

    call: ToolCall
    facts: Facts

    @property
    def circumstances(self) -> Circumstances:
        """What is true at its moment."""
        return cast(Circumstances, self.facts.circumstances)


def trials(policies: Sequence[Policy], tool: str, definition: Definition | None) -> Iterator[Trial]:
    """Calls of a tool for which these policies may differ, at most `MOST`."""
    conditions = list(_conditions(policies, tool))
    facts = facts_of(definition)
    base = {name: _typed(definition, name) for name in facts.required_arguments}
    domains: dict[Path, list[object]] = {}
    for path in dict.fromkeys(item.path for item in conditions):
        about = [item for item in conditions if item.path == path]
        domains[path] = _values(path, about)
    for path in _measured(policies, tool):
        domains.setdefault(path, ["x", 1, _GONE])
    if _validated(policies, tool):
        for name in facts.required_arguments:
            domains.setdefault(Path(argument(name), (name,)), [base[name], _GONE])
    for values in itertools.islice(_combined(list(domains.values())), MOST):
        yield _trial(tool, base, facts, dict(zip(domains, values, strict=True)))


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


def _values(path: Path, about: Sequence[Condition]) -> list[object]:
    found: list[object] = [_GONE] if path.root in ("args", "grant.seconds_since") else []
    for condition in about:
        found += _suggested(condition)
    if path.root == "time.hour":
        found = list(range(24))
    if path.root == "time.weekday":
        found = list(range(1, 8))
    if path.root == "args":
        found += ["x", 1, True, []]
    if path.root == "session.calls":
        found += [0]
    distinct: list[object] = []
    for value in found:
        if not any(type(value) is type(other) and value == other for other in distinct):
            distinct.append(value)
    return distinct[: 2 * _FEW]


def _suggested(condition: Condition) -> Iterator[object]:
    """Values for which the condition holds, and for which it just does not."""
    operand = condition.operand
    match condition.op:
        case "regex":
            text = example(cast(str, operand))
            yield from () if text is None else (text, f"{text}x", f"x{text}")
            yield from ("kim@example.com", "https://example.com/", "")
        case "contains":
            yield from (operand, [operand], f"a{operand}b" if isinstance(operand, str) else [operand, operand])
        case "in" | "not_in":
            yield from cast("list[Json]", operand)[:_FEW]
        case "exists":
            yield "x"
        case _ if isinstance(operand, int | Decimal) and not isinstance(operand, bool):
            yield from (operand, operand + 1, operand - 1)
        case _:
            yield operand
    if isinstance(operand, str) and condition.op != "regex":
        yield f"{operand}x"


def _typed(definition: Definition | None, name: str) -> Json:
    schema = (definition or {}).get("inputSchema")
    properties = schema.get("properties") if isinstance(schema, dict) else None
    described = properties.get(name) if isinstance(properties, dict) else None
    if not isinstance(described, dict):
        return "x"
    choices = described.get("enum")
    return choices[0] if isinstance(choices, list) and choices else _TYPED.get(described.get("type"), "x")


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
            around = replace(around, session_denials=_count(value))
        elif path.root == "grant.seconds_since" and isinstance(value, int | Decimal):
            since[name] = max(Decimal(0), Decimal(value))
        elif path.root == "grant":
            around = replace(around, grant=str(value))
        elif path.root == "client.name":
            around = replace(around, client=str(value))
    now = NOON + (moment["time.hour"] - 12) * 3600 + (moment["time.weekday"] - 1) * 86_400
    return Trial(ToolCall(tool, arguments), replace(facts, circumstances=replace(around, now=now)))


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
    return [inner] if step is EACH else [*([None] * min(step, _FEW)), inner]
