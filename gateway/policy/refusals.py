"""The decisions that are not read off a policy: the words are here, so that all of them stand together.

The agent reads these after `[POLICY DENIED] ` (policy language, "What the agent receives").
"""

from gateway.policy.amounts import Unmeasurable
from gateway.policy.decision import Decision, Limit, Reason
from gateway.policy.layers import named

_LONGEST_NAME = 128
_AGAIN = "Try again in "


def told(decision: Decision) -> str:
    """What the agent reads of a refusal: its message, and when to try again where the policy's own do not say it."""
    if decision.retry_after_seconds is None or _AGAIN in decision.message:
        return decision.message
    end = "." if decision.message[-1:].isalnum() else ""
    return f"{decision.message}{end} {_again(decision.retry_after_seconds)}"


def _again(seconds: int) -> str:
    return f"{_AGAIN}{seconds} {'second' if seconds == 1 else 'seconds'}."


def denied(rule: str, reason: Reason, message: str) -> Decision:
    """A denial."""
    return Decision("deny", rule, reason, message)


def tool_words(tool: str) -> str:
    """How a message names a tool: a name of the caller's making is cut, not repeated without end."""
    return f'Tool "{tool}"' if len(tool) <= _LONGEST_NAME else f'Tool "{tool[:_LONGEST_NAME]}…"'


def refuse_unknown_tool(tool: str) -> Decision:
    """The upstream announces no tool of exactly this name."""
    return denied("(unknown tool)", "unknown tool", f"{tool_words(tool)} does not exist")


def refuse_hidden(tool: str) -> Decision:
    """`hide` names the tool."""
    return denied("(hidden)", "hidden", f"{tool_words(tool)} is hidden by policy")


def concealed(decision: Decision, tool: str) -> Decision:
    """What a client is told of a refusal that it must not take for a sign that there is a tool: one that is hidden."""
    return refuse_unknown_tool(tool) if decision.reason == "hidden" else decision


def refuse_default(tool: str) -> Decision:
    """No key of `tools` names the tool, and the document denies by default."""
    return denied("(default deny)", "default", f"{tool_words(tool)} is not permitted by policy")


def refuse_method(method: str, rule: str = "(default deny)") -> Decision:
    """A method that no section of the document covers; the relay says `Denied by policy: ` before it."""
    return denied(rule, "method", f"method `{_cut(method)}` is not permitted")


def refuse_resource(uri: str, rule: str, why: str) -> Decision:
    """A resource, by its address. `why`: `no section`, or what is wrong with the address."""
    return denied(rule, "resource", f'resource "{_cut(uri)}" is not permitted{_because(why, "resources")}')


def refuse_prompt(name: str, rule: str, why: str) -> Decision:
    """A prompt, by its name; `why` as for a resource."""
    return denied(rule, "prompt", f'prompt "{_cut(name)}" is not permitted{_because(why, "prompts")}')


def _because(why: str, section: str) -> str:
    if why == "no section":
        return f": the policy denies by default and has no `{section}` section that would open it"
    return f": {why}" if why else ""


def _cut(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"


def refuse_uncounted(limit: Limit, fault: Unmeasurable) -> Decision:
    """A call whose cost, or whose value to be counted apart, cannot be told."""
    rule = f"{limit.rule}/{fault.field}"
    return denied(rule, "limit", limit.on_deny or f'Denied by rule "{rule}": {fault.path} must be {fault.expected}')


def refuse_state(cause: str = "a fault of the gateway") -> Decision:
    """Counters, approvals or the log cannot be read or written: nothing is relayed unrecorded.

    The agent reads the cause, so that it can pass it on, and no place: neither where the file is nor how to get rid of
    it. What to do about it stands in the log, which is the owner's.
    """
    advice = "Nothing passes unrecorded; the owner of this machine finds what to do in the gateway's log"
    return denied("(state)", "state", f"Internal policy error: {cause}. {advice}")


def refuse_no_policy(cause: str) -> Decision:
    """There is no policy in force; `cause` says why, in words the agent may pass on."""
    return denied("(no policy)", "no policy", f"No policy is in force: {cause}")


def refuse_limit(limit: Limit, retry_after: int | None) -> Decision:
    """A limit is used up; `retry_after` is in seconds, None where no waiting helps."""
    standard = f"Rate limit of {limit.maximum:f} per {limit.window} reached."
    if retry_after is not None:
        standard += f" {_again(retry_after)}"
    elif limit.strategy == "session":
        standard += " Waiting does not help: it counts for the whole session."
    else:
        standard += " Waiting does not help: one call is more than that."
    decision = Decision("deny", limit.rule, "limit", limit.on_deny or standard, retry_after_seconds=retry_after)
    return named(decision, limit.layer)
