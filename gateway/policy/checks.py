"""The checks of a compiled policy: a condition judges one path, a check judges one call.

A check *fires* or it does not; where it cannot tell, it fires. That is the whole defence against type dodges (bypass
classes B8, B9), and it is written in two places of this module: `require` fires unless its conditions are true,
`deny_if` fires unless they are false. Nothing negates a check, so nothing turns "cannot tell" into "may pass" (B20).

| | absent argument | unjudgeable |
|---|---|---|
| `require` | does not hold: fires | fires |
| `deny_if`, `approve_if` | does not hold | fires |
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from gateway.jsonrpc import Json
from gateway.policy.decision import Facts, ToolCall
from gateway.policy.paths import Path, argument, select
from gateway.policy.values import Judge, Truth, all_of, any_of

CheckKind: TypeAlias = Literal["action", "validate", "require", "deny_if", "approval"]


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition: the path, the operator and operand as written, and the two of them compiled."""

    path: Path
    op: str
    operand: Json
    judge: Judge


@dataclass(frozen=True, slots=True)
class Check:
    """One check: `rule` points to it, `text` is what the policy wants to be said (empty: the standard words)."""

    kind: CheckKind
    rule: str
    text: str
    conditions: tuple[Condition, ...] = ()


def holds(condition: Condition, arguments: Mapping[str, Json], *, every: bool) -> Truth:
    """Whether a condition holds. `[*]`: for every value and at least one, or for any (the polarity of its check)."""
    found = select(condition.path, arguments)
    if len(found) == 1:
        return condition.judge(found[0])
    judged = map(condition.judge, found)
    if every:
        return all_of(judged) if found else False
    return any_of(judged)


def conjunction(check: Check, arguments: Mapping[str, Json]) -> Truth:
    """The check's conditions, ANDed; true for none."""
    every = check.kind == "require"
    return all_of(holds(condition, arguments, every=every) for condition in check.conditions)


def fires(check: Check, call: ToolCall, facts: Facts) -> bool:
    """Whether the check refuses the call (or, for an approval, asks for a person)."""
    match check.kind:
        case "action":
            return True
        case "validate":
            return bool(missing_arguments(call, facts))
        case "require":
            return conjunction(check, call.arguments) is not True
        case "deny_if" | "approval":
            return conjunction(check, call.arguments) is not False


def missing_arguments(call: ToolCall, facts: Facts) -> tuple[str, ...]:
    """The paths of the arguments that the tool's schema requires and that are absent or null."""
    return tuple(argument(name) for name in facts.required_arguments if call.arguments.get(name) is None)


def culprit(check: Check, call: ToolCall) -> str | None:
    """The path of the argument for which a check of conditions fired: never its value."""
    every = check.kind == "require"
    judged = [(holds(condition, call.arguments, every=every), condition.path.text) for condition in check.conditions]
    suspects = [text for truth, text in judged if (truth is not True if every else truth is None)]
    return next(iter(suspects or [text for _, text in judged]), None)
