"""From a valid document to a `Policy`: every path parsed, every pattern compiled, every check in its place.

A `rules` list is the same language written as a list (policy language, "A tool entry"), so each rule becomes the checks
it stands for: its conditions a `deny_if` predicate under `deny`, an approval under `require_approval`, else a `require`
predicate. The order of an entry is by kind of check; within a kind the entry's own come before those of its rules.
"""

import hashlib
from collections.abc import Iterator, Sequence
from types import MappingProxyType
from typing import cast

from gateway.jsonrpc import Json, serialise
from gateway.policy import document as shapes
from gateway.policy import operators
from gateway.policy.checks import Check, CheckKind, Condition
from gateway.policy.compiled import Entry, Policy
from gateway.policy.decision import Limit
from gateway.policy.positions import pointer
from gateway.policy.problem import Problem
from gateway.policy.source import Source

_ORDER: Sequence[CheckKind] = ("action", "validate", "require", "deny_if")
_WINDOWS = {"minute": 60, "hour": 3600, "day": 86400}


def compile_document(document: shapes.Document, source: Source, *, name: str, warnings: tuple[Problem, ...]) -> Policy:
    """The policy of a document; `source` is what it was read from."""
    hide = {tool: pointer("hide", index) for index, tool in reversed(list(enumerate(document.hide)))}
    return Policy(
        name=name,
        revision=revision(source.value),
        default_allows=document.default == "allow",
        text=source.text,
        warnings=warnings,
        hide=MappingProxyType(hide),
        hide_all=hide.get("*"),
        entries=MappingProxyType({key: _entry(key, entry) for key, entry in document.tools.items()}),
        patterns=(),
        all_tools=Entry(
            "all_tools", "/all_tools", limits=tuple(_limits("all_tools", "/all_tools", document.all_tools))
        ),
    )


def revision(value: Json) -> str:
    """A digest of what a document says: 16 hexadecimal digits, the same however its keys are ordered."""
    return hashlib.sha256(serialise(_sorted(value))).hexdigest()[:16]


def _sorted(value: Json) -> Json:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value


def _entry(key: str, entry: shapes.ToolEntry) -> Entry:
    rule = pointer("tools", key)
    checks = [*_own_checks(rule, entry)]
    limits = [*_limits(key, rule, entry), *_rate_limits(key, rule, "rate_limit", entry.rate_limit, "")]
    for index, item in enumerate(entry.rules):
        where = f"{rule}/rules/{index}"
        checks += _rule_checks(where, item)
        limits += _rate_limits(key, where, f"rules/{index}/rate_limit", item.rate_limit, item.on_deny)
    ordered = tuple(check for kind in _ORDER for check in checks if check.kind == kind)
    approvals = tuple(check for check in checks if check.kind == "approval")
    return Entry(key, rule, ordered, approvals, tuple(limits))


def _own_checks(rule: str, entry: shapes.ToolEntry) -> Iterator[Check]:
    yield from _action(rule, entry.action, entry.reason)
    if entry.validation.required_args:
        yield Check("validate", f"{rule}/validate/required_args", "")
    for index, predicate in enumerate(entry.require):
        yield _predicate("require", f"{rule}/require/{index}", predicate)
    for index, predicate in enumerate(entry.deny_if):
        yield _predicate("deny_if", f"{rule}/deny_if/{index}", predicate)


def _action(rule: str, action: shapes.Action, text: str) -> Iterator[Check]:
    if action == "deny":
        yield Check("action", f"{rule}/action", text)
    elif action == "require_approval":
        yield Check("approval", f"{rule}/action", text)


def _rule_checks(rule: str, item: shapes.Rule) -> Iterator[Check]:
    text = item.on_deny or item.reason
    if item.validation.required_args:
        yield Check("validate", f"{rule}/validate/required_args", text)
    if "conditions" not in item.model_fields_set:
        yield from _action(rule, item.action, item.reason or item.on_deny)
        return
    kinds: dict[shapes.Action, CheckKind] = {"deny": "deny_if", "require_approval": "approval", "allow": "require"}
    words = item.reason or item.on_deny if item.action == "require_approval" else text
    yield Check(kinds[item.action], rule, words, _conditions(item.conditions))


def _predicate(kind: CheckKind, rule: str, predicate: shapes.Predicate) -> Check:
    return Check(kind, rule, predicate.on_deny, _conditions(predicate.conditions))


def _conditions(conditions: Sequence[shapes.Condition]) -> tuple[Condition, ...]:
    return tuple(
        Condition(item.path, item.op, cast(Json, item.value), operators.bind(item.op, cast(Json, item.value)))
        for item in conditions
    )


def _limits(key: str, rule: str, entry: shapes.ToolEntry | shapes.AllTools) -> Iterator[Limit]:
    for index, limit in enumerate(entry.limits):
        yield Limit(
            rule=f"{rule}/limits/{index}",
            tools_key=key,
            counter=limit.counter,
            maximum=limit.max,
            window=limit.window,
            seconds=_WINDOWS[limit.window],
            scope=limit.scope,
            strategy="fixed",
            on_deny=limit.on_deny,
        )


def _rate_limits(
    key: str, rule: str, counter: str, value: shapes.RateLimit | str | None, on_deny: str
) -> Iterator[Limit]:
    """The shorthand: one limit of this session, sliding. Its counter is named after its place."""
    if value is None:
        return
    maximum, seconds = shapes.rate(value)
    window = "1 second" if seconds == 1 else f"{seconds} seconds"
    if isinstance(value, str):
        window = value.partition("/")[2]
    yield Limit(f"{rule}/rate_limit", key, counter, maximum, window, seconds, "session", "sliding", on_deny)
