"""The decision: `decide` looks at one call, and says allow, deny or approve, by which rule, and what is owed before.

The order (policy language, "Order") is only about which reason is reported, because every check restricts and nothing
overrules another: unknown tool, changed tool, hidden, default deny; the tool's entries (`action`, `validate`,
`require`, `deny_if`); `all_tools` the same; `repeat`, theirs in the same order; a limit that cannot count the call;
approvals. Limits are not judged here: they come along as an obligation, the tool's before those of `all_tools`, with an
allowed call as with one that a person must approve.

What is only being tried out (`mode: observe`) refuses nothing: its first refusal is what the decision says, with the
effect `observe`, and what it would have counted of a call that it would have denied is not counted. Whatever else
refuses goes before it. Hidden tools stay hidden, and approvals are asked for.

What must stay true: `decide` is total (it answers for every call and raises for none), deterministic, and reads
nothing but its arguments; its cost does not depend on how many tools the document names.
"""

import math
from collections.abc import Iterator

from gateway.policy.amounts import Unmeasurable, measure
from gateway.policy.checks import Check, culprit, fires, missing_arguments, schema_fault
from gateway.policy.compiled import Applied, Policy
from gateway.policy.decision import Approval, Decision, Facts, Repeat, ToolCall
from gateway.policy.layers import meet
from gateway.policy.refusals import (
    denied,
    refuse_changed_tool,
    refuse_default,
    refuse_hidden,
    refuse_repeat,
    refuse_uncounted,
    refuse_unknown_tool,
    tool_words,
)


def decide(policy: Policy, call: ToolCall, facts: Facts) -> Decision:
    """What the policy says of one call, in all of its layers. Never raises."""
    if not facts.mirrored:
        return refuse_unknown_tool(call.tool)
    if facts.pin != "kept":
        return refuse_changed_tool(call.tool, facts.pin)
    if not policy.also:
        return decide_layer(policy, call, facts)
    return meet([(layer.layer, decide_layer(layer, call, facts)) for layer in policy.layers])


def decide_layer(policy: Policy, call: ToolCall, facts: Facts) -> Decision:
    """What one document says of a call to a tool that is mirrored."""
    applied = policy.applied(call.tool)
    if applied.hidden is not None:
        return refuse_hidden(call.tool)
    would: Decision | None = None
    if not applied.listed and not policy.default_allows:
        would = refuse_default(call.tool)
        if not policy.observed:
            return would
    for observed, refusal in _refusals(applied, call, facts):
        if not observed:
            return refusal
        would = would or refusal
    return _obliged(applied, call, facts, would)


def _refusals(applied: Applied, call: ToolCall, facts: Facts) -> Iterator[tuple[bool, Decision]]:
    """Whatever refuses the call, in the order in which it is reported, and whether that is only being tried out."""
    for check in applied.checks:
        if fires(check, call, facts):
            kind = "validate" if check.kind == "schema" else check.kind
            yield check.observed, denied(check.rule, kind, words(check, call, facts))
    for repeat in applied.repeats:
        wait = until_again(repeat, facts)
        if wait:
            yield repeat.observed, refuse_repeat(call.tool, repeat, wait)
    for limit in applied.measured:
        fault = measure(limit, call.arguments)
        if isinstance(fault, Unmeasurable):
            yield limit.observed, refuse_uncounted(limit, fault)


def until_again(repeat: Repeat, facts: Facts) -> int:
    """After how many whole seconds the same call may be made again; 0: now. Of what nobody knows, nothing is said."""
    ages = facts.circumstances.same if facts.circumstances is not None else ()
    if len(ages) < repeat.maximum or ages[repeat.maximum - 1] >= repeat.seconds:
        return 0
    return max(1, math.ceil(repeat.seconds - ages[repeat.maximum - 1]))


def _obliged(applied: Applied, call: ToolCall, facts: Facts, would: Decision | None) -> Decision:
    limits = applied.limits if would is None else tuple(limit for limit in applied.limits if not limit.observed)
    asked = tuple(_approval(check, call, facts) for check in applied.approvals if fires(check, call, facts))
    if asked:
        return Decision("approve", asked[0].rule, "approval", asked[0].text, limits, approvals=asked)
    if would is not None:
        return Decision("observe", would.rule, would.reason, would.message, limits)
    return Decision("allow", applied.rule, "allowed", "", limits)


def _approval(check: Check, call: ToolCall, facts: Facts) -> Approval:
    said = words(check, call, facts)
    return Approval(check.rule, said, check.timeout, check.remembered, check.remembered_seconds)


def words(check: Check, call: ToolCall, facts: Facts) -> str:
    """What the agent reads of a check that fired: the policy's own text, or the standard words."""
    if check.text:
        return check.text
    if check.kind == "action":
        return f"{tool_words(call.tool)} is denied by policy"
    if check.kind == "approval":
        return f"{tool_words(call.tool)} needs a person's approval"
    if check.kind == "validate":
        return f'Denied by rule "{check.rule}": missing {", ".join(missing_arguments(call, facts))}'
    about = schema_fault(call, facts) if check.kind == "schema" else culprit(check, call, facts)
    return f'Denied by rule "{check.rule}"' if about is None else f'Denied by rule "{check.rule}": {about}'


def visible(policy: Policy, tool: str) -> bool:
    """Whether a tool stays in `tools/list`. Only `hide` removes: a tool that is denied stays, and says why."""
    return all(layer.applied(tool).hidden is None for layer in policy.layers)


def callable_(policy: Policy, tool: str) -> bool:
    """Whether some call of a tool could pass, by everything that looks neither at arguments nor at the moment."""
    return not any(_refuses_every_call(layer, layer.applied(tool)) for layer in policy.layers)


def _refuses_every_call(policy: Policy, applied: Applied) -> bool:
    if applied.hidden is not None or not (applied.listed or policy.default_allows or policy.observed):
        return True
    outright = any(refuses_outright(check) and not check.observed for check in applied.checks)
    return outright or any(not check.conditions for check in applied.approvals)


def refuses_outright(check: Check) -> bool:
    """Whether a check refuses every call that reaches it."""
    return check.kind == "action" or (check.kind == "deny_if" and not check.conditions)
