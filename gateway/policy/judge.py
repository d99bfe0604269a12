"""The decision: `decide` looks at one call, and says allow, deny or approve, by which rule, and what is owed before.

The order (policy language, "Order") is only about which reason is reported, because every check restricts and nothing
overrules another: unknown tool, hidden, default deny; the tool's entry (`action`, `validate`, `require`, `deny_if`);
`all_tools` the same; approvals. Limits are not judged here: they come along as an obligation, the tool's before those
of `all_tools`, with an allowed call as with one that a person must approve.

What must stay true: `decide` is total (it answers for every call and raises for none), deterministic, and reads
nothing but its arguments; its cost does not depend on how many tools the document names.
"""

from gateway.policy.checks import Check, culprit, fires, missing_arguments
from gateway.policy.compiled import Entry, Policy
from gateway.policy.decision import Decision, Facts, Limit, ToolCall
from gateway.policy.refusals import (
    denied,
    refuse_default,
    refuse_hidden,
    refuse_method,
    refuse_unknown_tool,
    tool_words,
)

LISTS = frozenset({"tools/list", "resources/list", "resources/templates/list", "prompts/list", "tasks/list"})
"""Request methods whose answer is filtered by the document instead."""
HOUSEKEEPING = LISTS | {
    "initialize",
    "ping",
    "server/discover",
    "logging/setLevel",
    "subscriptions/listen",
    "resources/unsubscribe",
}
"""Request methods that carry no effect of the upstream's: they pass whatever the document says."""


def decide(policy: Policy, call: ToolCall, facts: Facts) -> Decision:
    """What the policy says of one call. Never raises."""
    if not facts.mirrored:
        return refuse_unknown_tool(call.tool)
    if policy.hidden(call.tool) is not None:
        return refuse_hidden(call.tool)
    listed = policy.listed(call.tool)
    if not listed and not policy.default_allows:
        return refuse_default(call.tool)
    entries = (*listed, policy.all_tools)
    for entry in entries:
        for check in entry.checks:
            if fires(check, call, facts):
                return denied(check.rule, check.kind, words(check, call, facts))
    return _obliged(entries, call, facts)


def _obliged(entries: tuple[Entry, ...], call: ToolCall, facts: Facts) -> Decision:
    limits: tuple[Limit, ...] = tuple(limit for entry in entries for limit in entry.limits)
    for entry in entries:
        for check in entry.approvals:
            if fires(check, call, facts):
                return Decision("approve", check.rule, "approval", words(check, call, facts), limits)
    rule = entries[0].rule if len(entries) > 1 else "(default allow)"
    return Decision("allow", rule, "allowed", "", limits)


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
    path = culprit(check, call)
    return f'Denied by rule "{check.rule}"' if path is None else f'Denied by rule "{check.rule}": {path}'


def visible(policy: Policy, tool: str) -> bool:
    """Whether a tool stays in `tools/list`. Only `hide` removes: a tool that is denied stays, and says why."""
    return policy.hidden(tool) is None


def decide_method(policy: Policy, method: str) -> Decision:
    """What the policy says of a request that is no tool call: housekeeping passes, the rest follows `default`."""
    if method in HOUSEKEEPING or policy.default_allows:
        return Decision("allow", "(default allow)" if policy.default_allows else "(housekeeping)", "allowed", "")
    return refuse_method(method)
