"""The decisions that are not read off a policy: the words are here, so that all of them stand together.

The agent reads these after `[POLICY DENIED] ` (policy language, "What the agent receives").
"""

from gateway.policy.decision import Decision, Limit, Reason

_LONGEST_NAME = 128


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


def refuse_default(tool: str) -> Decision:
    """No key of `tools` names the tool, and the document denies by default."""
    return denied("(default deny)", "default", f"{tool_words(tool)} is not permitted by policy")


def refuse_method(method: str) -> Decision:
    """A method that no section of the document covers; the relay says `Denied by policy: ` before it."""
    shown = method if len(method) <= _LONGEST_NAME else f"{method[:_LONGEST_NAME]}…"
    return denied("(default deny)", "method", f"method `{shown}` is not permitted")


def refuse_state() -> Decision:
    """Counters, approvals or the log cannot be read or written: nothing is relayed unrecorded."""
    return denied("(state)", "state", "Internal policy error")


def refuse_no_policy(cause: str) -> Decision:
    """There is no policy in force; `cause` says why, in words the agent may pass on."""
    return denied("(no policy)", "no policy", f"No policy is in force: {cause}")


def refuse_limit(limit: Limit, retry_after: int | None) -> Decision:
    """A limit is used up; `retry_after` is in seconds, None where no waiting helps: one call is more than the limit."""
    standard = f"Rate limit of {limit.maximum:f} per {limit.window} reached."
    if retry_after is None:
        standard += " Waiting does not help: one call is more than that."
    else:
        standard += f" Try again in {retry_after} {'second' if retry_after == 1 else 'seconds'}."
    return Decision("deny", limit.rule, "limit", limit.on_deny or standard, retry_after_seconds=retry_after)
