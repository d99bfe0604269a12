"""`explain`: everything the policy has to say of one call, check by check, and what would change the answer.

The same checks as `decide`, judged one by one and none left out, so that a person sees more than the first reason.
Values are `true`, `false`, `unjudgeable` and `absent`; a limit is `counted`, since only the state knows its counter.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from gateway.jsonrpc import Json, serialise
from gateway.policy.checks import Check, Condition, conjunction, fires, holds, missing_arguments
from gateway.policy.compiled import Policy
from gateway.policy.decision import Decision, Facts, ToolCall
from gateway.policy.judge import decide
from gateway.policy.paths import select
from gateway.policy.positions import Places
from gateway.policy.source import places as places_of
from gateway.policy.values import ABSENT, Truth

Shown: TypeAlias = Literal["true", "false", "unjudgeable", "absent", "counted"]
_SHOWN: Mapping[Truth, Shown] = {True: "true", False: "false", None: "unjudgeable"}


@dataclass(frozen=True, slots=True)
class ConditionStep:
    """One condition as written, and its value; the argument's own value is not shown."""

    path: str
    op: str
    operand: str
    value: Shown


@dataclass(frozen=True, slots=True)
class Step:
    """One check: `rule` is a word in parentheses or a pointer, `line` where that stands (`None`: nowhere).

    `value` is that of the check's own statement; `refuses` whether the call fails (or needs a person) because of it;
    `decided` marks the one that is reported.
    """

    kind: str
    rule: str
    line: int | None
    value: Shown
    refuses: bool
    decided: bool = False
    conditions: tuple[ConditionStep, ...] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision with every step to it, and a sentence for what would change it."""

    call: ToolCall
    decision: Decision
    steps: tuple[Step, ...]
    change: str


def explain(policy: Policy, call: ToolCall, facts: Facts) -> Explanation:
    """Every check of this tool, in the order of the decision."""
    decision = decide(policy, call, facts)
    places = places_of(policy.text, policy.name)
    steps = [*_listing(policy, call, facts, places), *_checks(policy, call, facts, places)]
    decided = next((index for index, step in enumerate(steps) if step.refuses), None)
    marked = (_mark(step) if index == decided else step for index, step in enumerate(steps))
    return Explanation(call, decision, tuple(marked), _change(policy, decision, call, facts, places))


def _mark(step: Step) -> Step:
    return Step(step.kind, step.rule, step.line, step.value, step.refuses, decided=True, conditions=step.conditions)


def _truth(*, value: bool) -> Shown:
    return "true" if value else "false"


def _listing(policy: Policy, call: ToolCall, facts: Facts, places: Places) -> Iterator[Step]:
    yield Step("mirrored", "(unknown tool)", None, _truth(value=facts.mirrored), not facts.mirrored)
    hidden = policy.hidden(call.tool)
    line = None if hidden is None else places.value(hidden)[0]
    yield Step("hide", "(hidden)", line, _truth(value=hidden is not None), hidden is not None)
    listed = policy.listed(call.tool)
    permitted = bool(listed) or policy.default_allows
    line = places.key(listed[0].rule)[0] if listed else places.value("/default")[0]
    yield Step(
        "listed",
        "(default deny)" if not permitted else _permission(policy, call),
        line,
        _truth(value=permitted),
        not permitted,
    )


def _permission(policy: Policy, call: ToolCall) -> str:
    listed = policy.listed(call.tool)
    return listed[0].rule if listed else "(default allow)"


def _checks(policy: Policy, call: ToolCall, facts: Facts, places: Places) -> Iterator[Step]:
    entries = (*policy.listed(call.tool), policy.all_tools)
    for check in (check for entry in entries for check in entry.checks):
        yield _step(check, call, facts, places)
    for check in (check for entry in entries for check in entry.approvals):
        yield _step(check, call, facts, places)
    for limit in (limit for entry in entries for limit in entry.limits):
        yield Step("limit", limit.rule, places.value(limit.rule)[0], "counted", refuses=False)


def _step(check: Check, call: ToolCall, facts: Facts, places: Places) -> Step:
    firing = fires(check, call, facts)
    conditions = tuple(_condition(condition, call, every=check.kind == "require") for condition in check.conditions)
    if check.kind == "validate":
        value = _truth(value=not firing)
    else:
        value = _SHOWN[conjunction(check, call.arguments)]
        if value == "false" and any(condition.value == "absent" for condition in conditions):
            value = "absent"
    return Step(check.kind, check.rule, places.value(check.rule)[0], value, firing, conditions=conditions)


def _condition(condition: Condition, call: ToolCall, *, every: bool) -> ConditionStep:
    truth = holds(condition, call.arguments, every=every)
    found = select(condition.path, call.arguments)
    absent = truth is False and condition.op != "exists" and all(item is ABSENT or item is None for item in found)
    value: Shown = "absent" if absent else _SHOWN[truth]
    return ConditionStep(condition.path.text, condition.op, written(condition.operand), value)


def written(operand: Json) -> str:
    """An operand as it stands in a document."""
    return serialise(operand).decode()


# --- what would change it ---------------------------------------------------------------------------------------------


def _change(policy: Policy, decision: Decision, call: ToolCall, facts: Facts, places: Places) -> str:
    if decision.effect == "allow":
        return "nothing has to change: the call is relayed once its limits are reserved"
    match decision.reason:
        case "unknown tool":
            return "the upstream would have to announce a tool of exactly this name"
        case "hidden":
            hidden = policy.hidden(call.tool) or "/hide"
            name = "*" if hidden == policy.hide_all else call.tool
            return f"take `{name}` out of `hide` (line {places.value(hidden)[0]})"
        case "default":
            return f"name `{call.tool}` under `tools`, or set `default` to `allow` (line {places.value('/default')[0]})"
    line = places.value(decision.rule)[0]
    entries = (*policy.listed(call.tool), policy.all_tools)
    checks = (check for entry in entries for check in (*entry.checks, *entry.approvals))
    check = next(check for check in checks if check.rule == decision.rule and fires(check, call, facts))
    return f"{_advice(check, call, facts)} (line {line})"


def _advice(check: Check, call: ToolCall, facts: Facts) -> str:
    if check.kind == "validate":
        missing = ", ".join(f"`{path}`" for path in missing_arguments(call, facts))
        return f"give {missing}, which the tool requires"
    condition = _suspect(check, call)
    if condition is None:
        return (
            f"a person has to approve, or `{check.rule}` go" if check.kind == "approval" else f"take out `{check.rule}`"
        )
    words = f"`{condition.path.text} {condition.op} {written(condition.operand)}`"
    if holds(condition, call.arguments, every=check.kind == "require") is None:
        return f"send `{condition.path.text}` as a type that {words} can judge"
    if check.kind == "require":
        return f"make {words} hold"
    return f"make {words} not hold" + (", or have a person approve" if check.kind == "approval" else "")


def _suspect(check: Check, call: ToolCall) -> Condition | None:
    every = check.kind == "require"
    judged = [(holds(condition, call.arguments, every=every), condition) for condition in check.conditions]
    suspects = [condition for truth, condition in judged if (truth is not True if every else truth is None)]
    return next(iter(suspects or check.conditions), None)
