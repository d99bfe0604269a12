"""What operators, facts and reasons mean, in a sentence each: for the reference pages (`gateway/docs`)."""

from collections.abc import Mapping
from typing import Final

from gateway.policy.decision import Reason

OPERATORS: Final[Mapping[str, str]] = {
    "eq": 'is equal, of the same JSON type: 1 is 1.0, `"1"` is neither',
    "neq": "is of the same JSON type, and not equal",
    "lt": "is a number below it, compared exactly",
    "lte": "is a number not above it",
    "gt": "is a number above it",
    "gte": "is a number not below it",
    "in": "is one of the list",
    "not_in": "is none of the list",
    "exists": "is there and not null (`true`), or is not (`false`)",
    "regex": "matches somewhere (RE2: no look-around, no back-references); anchor it with `^` and `$`",
    "contains": "is a text that has this text in it, or a list that has this element",
}
"""By the name of the operator: when it holds."""

FACTS: Final[Mapping[str, str]] = {
    "session.calls": "how many calls of the tool this session was let through",
    "session.denials": "how many calls this session was denied",
    "grant.seconds_since": "seconds since the grant's last call of the tool, in any process; absent if there was none",
    "grant": "the name of the grant",
    "time.hour": "0 to 23, in the document's `timezone` (UTC if it names none)",
    "time.weekday": "1 (Monday) to 7, in the document's `timezone`",
    "client.name": "what the client calls itself; nobody checks that",
    "tool.name": "the name of the tool that is called",
    "tool.annotations": "`readOnlyHint`, `destructiveHint`, `idempotentHint`, `openWorldHint`, as the server claims",
}
"""By the name of the fact."""

REASONS: Final[Mapping[Reason, tuple[str, str, str]]] = {
    "allowed": ("the entry that lists the tool", "nothing refused the call", ""),
    "state": (
        "`(state)`",
        "the state file cannot be read or written, so that nothing could be counted or recorded",
        "the gateway's log says what to do; `keyid-gateway doctor` looks",
    ),
    "stopped": ("`(stopped)`", "the owner stopped every gateway", "`keyid-gateway resume`, in a terminal"),
    "revoked": ("`(revoked)`", "the owner revoked this grant", "`keyid-gateway grants restore NAME`, in a terminal"),
    "no policy": (
        "`(no policy)`",
        "the policy file is missing or has a mistake, and the built-in pack never takes its place",
        "mend the file (`keyid-gateway policy check`), or name one with `--policy`; no restart",
    ),
    "upstream": (
        "`(upstream)`",
        "the server did not say which tools it has, so that nothing could be judged",
        "`keyid-gateway tools` says what is wrong",
    ),
    "cancelled": ("`(cancelled)`", "the client took the call back before it was judged", ""),
    "unknown tool": ("`(unknown tool)`", "the server announces no tool of exactly this name", "`keyid-gateway tools`"),
    "changed tool": (
        "`(changed tool)`",
        "the tool is not what was accepted of it (setting `pins`)",
        "`keyid-gateway pins diff`, then `keyid-gateway pins accept`",
    ),
    "hidden": ("`(hidden)`", "`hide` names the tool", "take it out of `hide`"),
    "default": ("`(default deny)`", "`tools` does not name the tool, under `default`: `deny`", "name it"),
    "action": ("pointer to `action`", "the entry refuses every call", "its `reason` says why"),
    "validate": (
        "pointer to `validate`",
        "the arguments are not what the tool's own schema wants",
        "the message says which",
    ),
    "require": ("pointer to the predicate", "a predicate of `require` does not hold", "its `on_deny` says what to do"),
    "deny_if": ("pointer to the predicate", "a predicate of `deny_if` holds", "its `on_deny` says what to do"),
    "repeat": (
        "pointer to `repeat`",
        "the same call, with the same arguments, came too often: a loop, as it seems",
        "something else than the same call again",
    ),
    "limit": (
        "pointer to the limit",
        "a limit is used up, or what a call costs cannot be told",
        "wait as long as the message says; `keyid-gateway limits`",
    ),
    "approval": (
        "pointer to what asks",
        "a person has to approve the call, and has not yet, or said no",
        "the message says who does what",
    ),
    "method": ("pointer, or `(default deny)`", "no section permits the method", "a section `methods`"),
    "resource": ("pointer, or `(default deny)`", "no section permits the resource", "a section `resources`"),
    "prompt": ("pointer, or `(default deny)`", "no section permits the prompt", "a section `prompts`"),
}
"""By the reason: what the rule is, when it is given, and what to do about it."""
