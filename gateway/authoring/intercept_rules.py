"""What the parts of an Intercept rule become: its counter, its cost, its conditions (`intercept`)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from gateway.authoring.go_text import is_double, twins
from gateway.jsonrpc import Json
from gateway.policy import operators
from gateway.policy.paths import argument
from gateway.policy.problem import Fault, quoted


class Refused(Exception):
    """What cannot be said exactly, or is no document of theirs."""


@dataclass(slots=True)
class Part:
    """What one rule contributes to an entry of ours."""

    conditions: list[Json] = field(default_factory=list)
    limits: list[dict[str, Json]] = field(default_factory=list)
    denies: bool = False
    tighter: list[str] = field(default_factory=list)


def own(path: str, op: str, scope: str, rule: Mapping[str, Json]) -> str:
    """The operator of a bound on the rule's own counter."""
    state = rule.get("state")
    counter = state.get("counter") if isinstance(state, dict) else None
    if path != f"state.{scope}.{counter}":
        raise Refused(f"{quoted(path)} is the counter of another rule, which a limit cannot look at")
    if op not in ("lt", "lte"):
        raise Refused(f"a counter is bounded by `lt` or `lte`, not by {quoted(op)}")
    return op


def increment(state: Mapping[str, Json], part: Part) -> tuple[int, str | None]:
    """What each call adds: a fixed amount, or the argument that says it."""
    given = state.get("increment_from")
    if given:
        path = _path(str(given))
        part.tighter.append("a cost that is no whole number counts in full, and a negative one is refused")
        return 1, path
    step = state.get("increment") or 1
    if isinstance(step, bool) or not isinstance(step, int) or step < 1:
        raise Refused("its `increment` is not a whole number from 1 on")
    return step, None


def limit_of(counter: str, window: str, maximum: int, said: str) -> dict[str, Json]:
    """A limit for everybody who shares the server, as their counters are."""
    return {"counter": counter, "window": window, "max": maximum, "scope": "server", "on_deny": said}


def added(entry: dict[str, Json], part: Part, rule: Mapping[str, Json], target: str) -> Iterator[str]:
    """Put a rule's part into the entry; the pointers to what it became."""
    said = str(rule.get("on_deny") or f'Denied by rule "{rule.get("name")}"')
    if part.denies:
        if "action" not in entry:
            entry |= {"action": "deny", "reason": said}
        yield f"{target}/action"
    if part.conditions:
        yield _append(entry, "require", {"conditions": part.conditions, "on_deny": said}, target)
    for limit in part.limits:
        yield _append(entry, "limits", limit, target)


def _append(entry: dict[str, Json], key: str, value: Json, target: str) -> str:
    found = entry.setdefault(key, [])
    if not isinstance(found, list):
        raise TypeError(key)
    found.append(value)
    return f"{target}/{key}/{len(found) - 1}"


def _path(text: str) -> str:
    """The path of an argument: their dots separate, and nothing else means anything."""
    if not text.startswith("args."):
        raise Refused(f"{quoted(text)} begins neither with `args.` nor with `state.`")
    first, *rest = text.removeprefix("args.").split(".")
    return argument(first) + "".join(argument(step).removeprefix("args") for step in rest)


def add_condition(path: str, op: str, operand: Json, part: Part) -> None:
    """Put a condition of theirs into a part; `Refused` where none of ours says the same, or more."""
    where = _path(path)
    if op not in operators.OPERATORS:
        raise Refused(f"{quoted(op)} is no operator of Intercept's")
    fault: Fault | None = None if op in ("eq", "neq") else operators.fault(op, operand)
    if fault is not None:
        raise Refused(f"`{op}`: {fault.message}")
    if op in ("lt", "lte", "gt", "gte") and isinstance(operand, int | Decimal) and not is_double(operand):
        raise Refused(f"{operand} is another number to Intercept, which reads doubles")
    if op == "exists" and operand is False and "." in path.removeprefix("args."):
        part.tighter.append(f"`{path}` must be absent, and a step into something that is no object is refused")
    if op in ("eq", "in", "neq", "not_in"):
        op, operand = _one_of(op, operand, part, path)
    elif op == "contains":
        found = twins(operand)
        if found is None:
            raise Refused("`contains` compares a list or an object by its text")
        if len(found) > 1:
            part.tighter.append(f"`{path}` contains {operand!r} only as what it is, not as a text that looks like it")
    part.conditions.append({"path": where, "op": op, "value": operand})


def _one_of(op: str, operand: Json, part: Part, path: str) -> tuple[str, Json]:
    """`eq`, `in` and their opposites, with every twin of every operand."""
    given = operand if op in ("in", "not_in") and isinstance(operand, list) else [operand]
    every: list[Json] = []
    for item in given:
        found = twins(item)
        if found is None:
            raise Refused(f"`{op}` compares null, a list, an object or an odd number by its text")
        every += found
    negative = op in ("neq", "not_in")
    if negative:
        part.tighter.append(f"a value of `{path}` of another type than what it must not be is refused")
    if len(every) == 1:
        return "neq" if negative else "eq", every[0]
    return "not_in" if negative else "in", every
