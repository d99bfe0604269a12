"""The checks of a compiled policy: a condition judges one path, a check judges one call.

A check *fires* or it does not; where it cannot tell, it fires. That is the whole defence against type dodges (bypass
classes B8, B9), and it is written in two places of this module: `require` fires unless its conditions are true,
`deny_if` fires unless they are false. Nothing negates a check, so nothing turns "cannot tell" into "may pass" (B20).

| | absent argument | unjudgeable |
|---|---|---|
| `require` | does not hold: fires | fires |
| `deny_if`, `approve_if` | does not hold | fires |
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Literal, TypeAlias

from gateway.jsonrpc import Json
from gateway.policy.decision import Facts, ToolCall
from gateway.policy.facts import known
from gateway.policy.paths import Path, argument, select
from gateway.policy.values import Found, Judge, Truth, all_of, any_of

CheckKind: TypeAlias = Literal["action", "validate", "schema", "require", "deny_if", "approval"]


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition: the path, the operator and operand as written, and the two of them compiled.

    `zone` is where a path of the time looks at the clock.
    """

    path: Path
    op: str
    operand: Json
    judge: Judge
    zone: tzinfo | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One check: `rule` points to it, `text` is what the policy wants to be said (empty: the standard words).

    `observed`: it only says what it would refuse (`mode`). Of an approval: how many seconds an answer is worth, and at
    which paths a later call must have the same values to be covered as well (none: it never is), for how many seconds.
    """

    kind: CheckKind
    rule: str
    text: str
    conditions: tuple[Condition, ...] = ()
    observed: bool = False
    timeout: int = 600
    remembered: tuple[Path, ...] = ()
    remembered_seconds: int = 0


def found_by(condition: Condition, call: ToolCall, facts: Facts) -> Sequence[Found]:
    """Everything the condition's path finds."""
    if condition.path.root == "args":
        return select(condition.path, call.arguments)
    return (known(condition.path, call, facts, condition.zone),)


def holds(condition: Condition, call: ToolCall, facts: Facts, *, every: bool) -> Truth:
    """Whether a condition holds. `[*]`: for every value and at least one, or for any (the polarity of its check)."""
    found = found_by(condition, call, facts)
    if len(found) == 1:
        return condition.judge(found[0])
    judged = map(condition.judge, found)
    if every:
        return all_of(judged) if found else False
    return any_of(judged)


def conjunction(check: Check, call: ToolCall, facts: Facts) -> Truth:
    """The check's conditions, ANDed; true for none."""
    every = check.kind == "require"
    return all_of(holds(condition, call, facts, every=every) for condition in check.conditions)


def fires(check: Check, call: ToolCall, facts: Facts) -> bool:
    """Whether the check refuses the call (or, for an approval, asks for a person)."""
    match check.kind:
        case "action":
            return True
        case "validate":
            return bool(missing_arguments(call, facts))
        case "schema":
            return schema_fault(call, facts) is not None
        case "require":
            return conjunction(check, call, facts) is not True
        case "deny_if" | "approval":
            return conjunction(check, call, facts) is not False


def missing_arguments(call: ToolCall, facts: Facts) -> tuple[str, ...]:
    """The paths of the arguments that the tool's schema requires and that are absent or null."""
    return tuple(argument(name) for name in facts.required_arguments if call.arguments.get(name) is None)


def schema_fault(call: ToolCall, facts: Facts) -> str | None:
    """What is wrong with the arguments by the tool's own schema; without one, nobody can tell that nothing is."""
    return "the tool announces no input schema" if facts.schema is None else facts.schema.fault(call.arguments)


def culprit(check: Check, call: ToolCall, facts: Facts) -> str | None:
    """The path for which a check of conditions fired: never its value."""
    every = check.kind == "require"
    judged = [(holds(condition, call, facts, every=every), condition.path.text) for condition in check.conditions]
    suspects = [text for truth, text in judged if (truth is not True if every else truth is None)]
    return next(iter(suspects or [text for _, text in judged]), None)
