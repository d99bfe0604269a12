"""`explain`: everything the policy has to say of one call, check by check, and what would change the answer.

The same checks as `decide`, judged one by one and none left out, so that a person sees more than the first reason.
Values are `true`, `false`, `unjudgeable` and `absent`; a limit is `counted`, since only the state knows its counter; so
is a `repeat`, unless what the session did is among the facts and refuses the call.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from gateway.jsonrpc import Json, serialise
from gateway.policy.amounts import Unmeasurable, measure
from gateway.policy.checks import (
    Check,
    Condition,
    conjunction,
    fires,
    found_by,
    holds,
    missing_arguments,
    schema_fault,
)
from gateway.policy.compiled import Policy
from gateway.policy.decision import Decision, Facts, ToolCall
from gateway.policy.judge import decide, decide_layer, until_again
from gateway.policy.paths import argument
from gateway.policy.positions import Places
from gateway.policy.source import places as places_of
from gateway.policy.values import ABSENT, NOUNS, Found, Missing, Truth, kind

Shown: TypeAlias = Literal["true", "false", "unjudgeable", "absent", "counted"]
_OF_EACH_TYPE: tuple[Json, ...] = ("x", 1, True, [], ["x"], [1], {})
_MOST_SHOWN = 40
_MOST_FOUND = 3
_PREFIXES = ("site:", "project:")
_SHOWN: Mapping[Truth, Shown] = {True: "true", False: "false", None: "unjudgeable"}


@dataclass(frozen=True, slots=True)
class ConditionStep:
    """One condition as written, its value, and what stands at its path in this call: cut to one line."""

    path: str
    op: str
    operand: str
    value: Shown
    found: str


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
    """Every check of this tool in every layer, in the order of the decision."""
    decision = decide(policy, call, facts)
    steps = [Step("mirrored", "(unknown tool)", None, _truth(value=facts.mirrored), not facts.mirrored)]
    for layer in policy.layers:
        places = places_of(layer.text, layer.name)
        prefix = "" if layer.layer == "user" else f"{layer.layer}:"
        found = (*_listing(layer, call, places), *_checks(layer, call, facts, places))
        steps += (replace(step, rule=f"{prefix}{step.rule}") for step in found)
    if decision.effect != "allow":
        decided = next(index for index, step in enumerate(steps) if step.rule == decision.rule)
        steps[decided] = replace(steps[decided], decided=True)
    return Explanation(call, decision, tuple(steps), _change(policy, decision, call, facts))


def _truth(*, value: bool) -> Shown:
    return "true" if value else "false"


def _listing(policy: Policy, call: ToolCall, places: Places) -> Iterator[Step]:
    applied = policy.applied(call.tool)
    hidden = applied.hidden
    line = None if hidden is None else places.value(hidden)[0]
    yield Step("hide", "(hidden)", line, _truth(value=hidden is not None), hidden is not None)
    listed = applied.listed
    permitted = bool(listed) or policy.default_allows
    rule = applied.rule if permitted else "(default deny)"
    line = places.key(listed[0].rule)[0] if listed else places.value("/default")[0]
    yield Step("listed", rule, line, _truth(value=permitted), not permitted and not policy.observed)


def _checks(policy: Policy, call: ToolCall, facts: Facts, places: Places) -> Iterator[Step]:
    applied = policy.applied(call.tool)
    for check in applied.checks:
        yield _step(check, call, facts, places)
    for repeat in applied.repeats:
        loops = until_again(repeat, facts) > 0
        line = places.value(repeat.rule)[0]
        yield Step("repeat", repeat.rule, line, "true" if loops else "counted", loops and not repeat.observed)
    for limit in applied.limits:
        fault = measure(limit, call.arguments)
        if isinstance(fault, Unmeasurable):
            rule = f"{limit.rule}/{fault.field}"
            yield Step("limit", rule, places.value(rule)[0], "unjudgeable", refuses=not limit.observed)
    for check in applied.approvals:
        yield _step(check, call, facts, places)
    for limit in applied.limits:
        yield Step("limit", limit.rule, places.value(limit.rule)[0], "counted", refuses=False)


def _step(check: Check, call: ToolCall, facts: Facts, places: Places) -> Step:
    firing = fires(check, call, facts)
    conditions = tuple(
        _condition(condition, call, facts, every=check.kind == "require") for condition in check.conditions
    )
    if check.kind in ("validate", "schema"):
        value = _truth(value=not firing)
    else:
        value = _SHOWN[conjunction(check, call, facts)]
        if value == "false" and any(condition.value == "absent" for condition in conditions):
            value = "absent"
    return Step(
        check.kind, check.rule, places.value(check.rule)[0], value, firing and not check.observed, conditions=conditions
    )


def _condition(condition: Condition, call: ToolCall, facts: Facts, *, every: bool) -> ConditionStep:
    truth = holds(condition, call, facts, every=every)
    found = found_by(condition, call, facts)
    absent = truth is False and condition.op != "exists" and all(item is ABSENT or item is None for item in found)
    value: Shown = "absent" if absent else _SHOWN[truth]
    return ConditionStep(condition.path.text, condition.op, written(condition.operand), value, _standing_there(found))


def _standing_there(found: Sequence[Found]) -> str:
    """What a path finds in a call: JSON, or a word where it finds nothing that can be judged; cut to one line."""
    texts = [_standing(item) for item in found[:_MOST_FOUND]]
    return ", ".join(texts) + (", …" if len(found) > _MOST_FOUND else "")


def _standing(item: Found) -> str:
    if isinstance(item, Missing):
        return item.value
    try:
        return written(item)[:_MOST_SHOWN]
    except (TypeError, ValueError):  # what no message carries, but a program may hand in
        return "no JSON value"


def written(operand: Json) -> str:
    """An operand as it stands in a document."""
    return serialise(operand).decode()


# --- what would change it ---------------------------------------------------------------------------------------------


def _change(policy: Policy, decision: Decision, call: ToolCall, facts: Facts) -> str:
    if decision.effect == "allow":
        return "nothing has to change: the call is relayed once its limits are reserved"
    if decision.reason == "unknown tool":
        return "the upstream would have to announce a tool of exactly this name"
    prefix, rule = _split(decision.rule)
    layers = [layer for layer in policy.layers if layer.layer == prefix]
    layer = next((layer for layer in layers if decide_layer(layer, call, facts).rule == rule), layers[0])
    places = places_of(layer.text, layer.name)
    of_layer = "" if prefix == "user" else f" of the {prefix} policy"
    match decision.reason:
        case "hidden":
            where = layer.hidden(call.tool) or "/hide"
            name = next(name for name, found in layer.hide.items() if found == where)
            return f"take `{name}` out of `hide` (line {places.value(where)[0]}{of_layer})"
        case "default":
            line = places.value("/default")[0]
            return f"name `{call.tool}` under `tools`, or set `default` to `allow` (line {line}{of_layer})"
        case "limit" | "repeat":
            return f"{decision.message} (line {places.value(rule)[0]}{of_layer})"
    applied = layer.applied(call.tool)
    check = next(check for check in (*applied.checks, *applied.approvals) if check.rule == rule)
    return f"{_advice(check, call, facts)} (line {places.value(rule)[0]}{of_layer})"


def obstacles(policy: Policy, call: ToolCall, facts: Facts) -> tuple[str, ...]:
    """Everything that would have to change for the call to be allowed, in all layers: each of it stands in the way."""
    if not facts.mirrored:
        return (_change(policy, decide(policy, call, facts), call, facts),)
    return tuple(words for layer in policy.layers for words in _obstacles(layer, call, facts))


def _obstacles(layer: Policy, call: ToolCall, facts: Facts) -> Iterator[str]:
    places = places_of(layer.text, layer.name)
    of_layer = "" if layer.layer == "user" else f" of the {layer.layer} policy"
    applied = layer.applied(call.tool)
    if applied.hidden is not None:
        name = next(name for name, found in layer.hide.items() if found == applied.hidden)
        yield f"take `{name}` out of `hide` (line {places.value(applied.hidden)[0]}{of_layer})"
    if not applied.listed and not layer.default_allows and not layer.observed:
        line = places.value("/default")[0]
        yield f"name `{call.tool}` under `tools`, or set `default` to `allow` (line {line}{of_layer})"
    for check in (*applied.checks, *applied.approvals):
        if fires(check, call, facts) and not check.observed:
            yield f"{_advice(check, call, facts)} (line {places.value(check.rule)[0]}{of_layer})"
    for repeat in applied.repeats:
        if (wait := until_again(repeat, facts)) and not repeat.observed:
            line = places.value(repeat.rule)[0]
            counts = f"`{repeat.rule}` counts those that are the same"
            yield f"wait {wait} s, or send other arguments: {counts} (line {line}{of_layer})"
    for limit in applied.measured:
        fault = measure(limit, call.arguments)
        if isinstance(fault, Unmeasurable) and not limit.observed:
            line = places.value(limit.rule)[0]
            yield f"send `{fault.path}` as {fault.expected}, which a limit counts by (line {line}{of_layer})"


def _split(rule: str) -> tuple[str, str]:
    """The layer and the rule in it."""
    if not rule.startswith(_PREFIXES):
        return "user", rule
    layer, _, rest = rule.partition(":")
    return layer, rest


def _advice(check: Check, call: ToolCall, facts: Facts) -> str:
    if check.kind == "validate":
        missing = ", ".join(f"`{path}`" for path in missing_arguments(call, facts))
        return f"give {missing}, which the tool requires"
    if check.kind == "schema":
        return f"{schema_fault(call, facts)}"
    condition = _suspect(check, call, facts)
    if condition is None:
        return (
            f"a person has to approve, or `{check.rule}` go" if check.kind == "approval" else f"take out `{check.rule}`"
        )
    words = f"`{condition.path.text} {condition.op} {written(condition.operand)}`"
    if holds(condition, call, facts, every=check.kind == "require") is None:
        if _never_judged(condition, call, facts):
            return f"{words} can never be judged: {_of_another_type(condition, call)}"
        return f"send `{condition.path.text}` as a type that {words} can judge"
    if check.kind == "require":
        return f"make {words} hold"
    return f"make {words} not hold" + (", or have a person approve" if check.kind == "approval" else "")


def _never_judged(condition: Condition, call: ToolCall, facts: Facts) -> bool:
    """Whether the tool takes an argument only as types that a condition cannot judge: then every call is refused."""
    name = condition.path.steps[0] if condition.path.root == "args" and len(condition.path.steps) == 1 else None
    if facts.schema is None or not isinstance(name, str) or call.arguments.get(name) is None:
        return False
    given = {**dict.fromkeys(facts.required_arguments, "x"), **call.arguments}
    judged = [value for value in _OF_EACH_TYPE if condition.judge(value) is not None]
    faults = [facts.schema.fault({**given, name: value}) or "" for value in judged]
    wrong = f"{argument(name)}: expected `type`"
    fits = facts.schema.fault(given) is None
    return fits and bool(faults) and all(fault.startswith(wrong) for fault in faults)


def _of_another_type(condition: Condition, call: ToolCall) -> str:
    """What the tool takes instead, and where the rule would have to look."""
    path, value = condition.path.text, call.arguments[str(condition.path.steps[0])]
    inner = f"let the rule look at `{path}[*]`" if isinstance(value, list) else "mend the rule, or take it out"
    return f"the tool takes `{path}` as {NOUNS[kind(value)]}; {inner}"


def _suspect(check: Check, call: ToolCall, facts: Facts) -> Condition | None:
    every = check.kind == "require"
    judged = [(holds(condition, call, facts, every=every), condition) for condition in check.conditions]
    suspects = [condition for truth, condition in judged if (truth is not True if every else truth is None)]
    return next(iter(suspects or check.conditions), None)
