"""The decisions that are not read off a policy: the words are here, so that all of them stand together.

The agent reads these after `[POLICY DENIED] ` (policy language, "What the agent receives").
"""

import shlex
from datetime import UTC, datetime

from gateway.policy.amounts import Unmeasurable
from gateway.policy.decision import Decision, Limit, Pin, Reason, Repeat
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


def refuse_changed_tool(tool: str, pin: Pin) -> Decision:
    """What the server announces is not what was accepted of it (setting `pins`), and nobody has looked at it yet."""
    what = {
        "new": f"{tool_words(tool)} is new since this server's tools were accepted",
        "instructions": "The server's instructions changed since they were accepted",
    }.get(pin, f"{tool_words(tool)} is not what was accepted: its definition changed")
    cure = "Its owner can look at it with `keyid-gateway pins diff` and then accept it with `keyid-gateway pins accept`"
    return denied("(changed tool)", "changed tool", f"{what}. {cure}; until then it is refused")


def refuse_hidden(tool: str) -> Decision:
    """`hide` names the tool."""
    return denied("(hidden)", "hidden", f"{tool_words(tool)} is hidden by policy")


def concealed(decision: Decision, tool: str, *, hides: bool) -> Decision:
    """What a client is told of a refusal that it must not take for a sign that there is a tool: one that is hidden.

    `hides`: the policy hides it, whatever it was refused for; that it has changed is no news of one that is not there.
    """
    told_of = decision.reason == "hidden" or (hides and decision.reason == "changed tool")
    return refuse_unknown_tool(tool) if told_of else decision


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


def refuse_repeat(tool: str, repeat: Repeat, retry_after: int) -> Decision:
    """The same call again and again: a loop, as it seems. Only something else gets the agent out of it."""
    times = "once" if repeat.maximum == 1 else f"{repeat.maximum} times"
    within = "1 second" if repeat.seconds == 1 else f"{repeat.seconds} seconds"
    said = (
        f"{tool_words(tool)} was called {times} with the same arguments within {within}, which looks like a loop. "
        f"Asking once more changes nothing: use other arguments, or ask the person. {_again(retry_after)}"
    )
    return Decision("deny", repeat.rule, "repeat", said, retry_after_seconds=retry_after)


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


def refuse_stopped(since: float, reason: str, *, ended: bool = False) -> Decision:
    """The owner stopped every gateway, at a moment in seconds since the epoch. `ended`: a call that was running."""
    lift = "Nothing passes until a person runs `keyid-gateway resume` in a terminal"
    return denied("(stopped)", "stopped", _halted("Stopped by the owner", since, reason, lift, ended=ended))


def refuse_revoked(grant: str, since: float, reason: str, *, ended: bool = False) -> Decision:
    """The owner revoked the grant; otherwise as `refuse_stopped`."""
    command = f"keyid-gateway grants restore {shlex.quote(grant) if len(grant) <= _LONGEST_NAME else 'NAME'}"
    lift = f"Nothing passes until a person restores it with `{command}` in a terminal"
    what = f"Grant `{_cut(grant)}` was revoked by the owner"
    return denied("(revoked)", "revoked", _halted(what, since, reason, lift, ended=ended))


def _halted(what: str, since: float, reason: str, lift: str, *, ended: bool) -> str:
    moment = f"{datetime.fromtimestamp(since, UTC):%Y-%m-%d %H:%M:%S} UTC"
    said = f"{what} (since {moment})" + (f": {reason}" if reason else "")
    said += "" if said.endswith((".", "!", "?")) else "."
    return f"{said} {'This call was running, was cancelled, and may have had its effect. ' * ended}{lift}"


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
