"""What each key of a policy document means, in one sentence: for editors, by way of the JSON Schema."""

from collections.abc import Mapping
from typing import Final

_ON_DENY: Final = "What the agent reads when this refuses. Say what to do instead."
_REASON: Final = "What the agent reads when `action` refuses; under `allow`, a note for people."
_CONDITIONS: Final = "Conditions, ANDed. An empty list always holds."
_VALIDATE: Final = "What the arguments must be by the tool's own input schema."
_ACTION: Final = (
    "`deny` refuses every call; `require_approval` asks a person about every call; `allow` changes nothing."
)
_RATE: Final = "At most so many calls in any span of that length, in this session: `30/hour`, or `max` and `window`."
_MODE: Final = "`enforce`; or `observe`: decide, count and record as would deny, but relay."

MODELS: Final[Mapping[str, str]] = {
    "Document": "Which tool calls of an agent are relayed to the server. Every rule restricts.",
    "ToolEntry": "What restricts one tool. Empty: nothing does.",
    "ApproveIf": "When a person must approve a call, why, and what the answer is worth.",
    "Remember": "Which later calls an approval covers: those with the same values at these paths, for a time.",
    "Predicate": "Conditions, and what the agent reads where they refuse.",
    "Condition": "One condition on one value of the call. What cannot be judged is refused.",
    "Limit": "A counter of relayed calls, and its bound in a window.",
    "RateLimit": "At most `max` calls in any span of `window` seconds, in this session.",
    "Repeat": "The same tool with the same arguments at most `max` times in any span of `window` seconds.",
    "Validation": _VALIDATE,
    "Rule": "A restriction as an element of a list. What its conditions are depends on its `action`.",
    "Section": "What is permitted: nothing that `deny` matches, all that `allow` matches, the rest by `default`.",
}
"""By the name of the model."""

KEYS: Final[Mapping[str, Mapping[str, str]]] = {
    "Document": {
        "$schema": "Where the JSON Schema of this language is, for editors. Ignored.",
        "version": 'The text "1".',
        "description": "What this policy is for. Ignored.",
        "default": "What becomes of tools that no key of `tools` names, and of requests that no section covers.",
        "mode": _MODE,
        "hide": 'Names (`*` is any run of characters) removed from the list and refused on call; "*" hides all.',
        "all_tools": "A tool entry that applies to every call, after the tool's own.",
        "tools": "Name (or pattern with `*`) to entry. Under `default`: `deny`, `{}` allows. All that match apply.",
        "methods": "Request methods that no other section covers. Absent: `default`.",
        "resources": "Resources by URI: `*` stops at `/`, `**` crosses it. Absent: `default`.",
        "prompts": "Prompts by name. Absent: `default`.",
        "timezone": "Name of the time zone in which `time.hour` and `time.weekday` are meant, such as `Europe/Berlin`.",
    },
    "ToolEntry": {
        "require": "Predicates of which every one must hold.",
        "deny_if": "Predicates of which any that holds refuses.",
        "approve_if": "Conditions of which any that holds asks a person.",
        "limits": "Limits, all reserved together before the call is relayed, or none.",
        "action": _ACTION,
        "reason": _REASON,
        "rate_limit": _RATE,
        "validate": _VALIDATE,
        "rules": "The same restrictions, written as a list.",
        "repeat": "How often the same call, with the same arguments, may be made in this session: more is a loop.",
        "mode": _MODE,
    },
    "ApproveIf": {
        "conditions": _CONDITIONS,
        "reason": "What the person, and the agent, reads of why somebody is asked.",
        "timeout": "For how many seconds the question is open, and its answer is worth something. Absent: 600.",
        "remember": "Absent: every call asks.",
    },
    "Remember": {
        "paths": "Where later calls must have the same values; an argument that is absent must be absent again.",
        "seconds": "For how long after the answer.",
    },
    "Predicate": {"conditions": _CONDITIONS, "on_deny": _ON_DENY},
    "Condition": {
        "path": 'What is looked at: `args.to`, `args.list[0]`, `args.list[*].x`, `args["odd.name"]`, or a fact.',
        "op": "How it is compared.",
        "value": "What it is compared with.",
    },
    "Limit": {
        "counter": "A name for the counter. Renaming it begins to count anew.",
        "window": "`minute`, `hour`, `day` (aligned to UTC), a number of seconds, or `session`.",
        "max": "How much fits into one window.",
        "scope": "Who shares the counter: this `grant` in all sessions, this `session`, or all grants of the `server`.",
        "strategy": "`fixed` windows, or `sliding`: never more than `max` in any span. Seconds slide by default.",
        "increment_from": "Path of the argument whose number is the cost of a call. Absent: a call costs 1.",
        "per": "Path of an argument: one counter for each value, such as each recipient.",
        "on_deny": _ON_DENY,
    },
    "RateLimit": {"max": "How many calls.", "window": "In how many seconds."},
    "Repeat": {"max": "How many calls that are the same.", "window": "In how many seconds."},
    "Validation": {
        "required_args": "Every argument that the tool's schema requires is present and not null.",
        "schema": "The arguments satisfy the tool's input schema.",
    },
    "Rule": {
        "name": "What people call this rule.",
        "action": _ACTION,
        "reason": _REASON,
        "rate_limit": _RATE,
        "validate": _VALIDATE,
        "conditions": "Refuse under `deny`, ask a person under `require_approval`; otherwise every one must hold.",
        "on_deny": _ON_DENY,
    },
    "Section": {
        "default": "What becomes of what neither list matches.",
        "allow": "Patterns of what is permitted.",
        "deny": "Patterns of what is refused; they win.",
    },
}
"""By the name of the model and the key as it is written."""
