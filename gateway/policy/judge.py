"""The decision: `decide` looks at one call, and says allow, deny or approve, by which rule, and what is owed before.

The order (policy language, "Order") is only about which reason is reported, because every check restricts and nothing
overrules another: unknown tool, hidden, default deny; the tool's entries (`action`, `validate`, `require`, `deny_if`);
`all_tools` the same; a limit that cannot count the call; approvals. Limits are not judged here: they come along as an
obligation, the tool's before those of `all_tools`, with an allowed call as with one that a person must approve.

What is only being tried out (`mode: observe`) refuses nothing: its first refusal is what the decision says, with the
effect `observe`, and what it would have counted of a call that it would have denied is not counted. Whatever else
refuses goes before it. Hidden tools stay hidden, and approvals are asked for.

What must stay true: `decide` is total (it answers for every call and raises for none), deterministic, and reads
nothing but its arguments; its cost does not depend on how many tools the document names.
"""

from gateway.policy.amounts import Unmeasurable, measure
from gateway.policy.checks import Check, culprit, fires, missing_arguments, schema_fault
from gateway.policy.compiled import Applied, Policy
from gateway.policy.decision import Decision, Facts, ToolCall
from gateway.policy.layers import meet
from gateway.policy.refusals import (
    denied,
    refuse_default,
    refuse_hidden,
    refuse_uncounted,
    refuse_unknown_tool,
    tool_words,
)


def decide(policy: Policy, call: ToolCall, facts: Facts) -> Decision:
    """What the policy says of one call, in all of its layers. Never raises."""
    if not facts.mirrored:
        return refuse_unknown_tool(call.tool)
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
    for check in applied.checks:
        if (would is None or not check.observed) and fires(check, call, facts):
            would = denied(check.rule, "validate" if check.kind == "schema" else check.kind, words(check, call, facts))
            if not check.observed:
                return would
    for limit in applied.measured:
        fault = measure(limit, call.arguments)
        if isinstance(fault, Unmeasurable) and (would is None or not limit.observed):
            would = refuse_uncounted(limit, fault)
            if not limit.observed:
                return would
    return _obliged(applied, call, facts, would)


def _obliged(applied: Applied, call: ToolCall, facts: Facts, would: Decision | None) -> Decision:
    limits = applied.limits if would is None else tuple(limit for limit in applied.limits if not limit.observed)
    for check in applied.approvals:
        if fires(check, call, facts):
            return Decision("approve", check.rule, "approval", words(check, call, facts), limits)
    if would is not None:
        return Decision("observe", would.rule, would.reason, would.message, limits)
    return Decision("allow", applied.rule, "allowed", "", limits)


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
