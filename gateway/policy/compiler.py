"""From a valid document to a `Policy`: every path parsed, every pattern compiled, every check in its place.

A `rules` list is the same language written as a list (policy language, "A tool entry"), so each rule becomes the checks
it stands for: its conditions a `deny_if` predicate under `deny`, an approval under `require_approval`, else a `require`
predicate. The order of an entry is by kind of check; within a kind the entry's own come before those of its rules.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from types import MappingProxyType
from typing import cast

from gateway.jsonrpc import Json, serialise
from gateway.policy import document as shapes
from gateway.policy import fields, globs, operators, uris
from gateway.policy.checks import Check, CheckKind, Condition
from gateway.policy.compiled import Entry, Pattern, Policy
from gateway.policy.decision import Layer, Limit, Repeat, Strategy
from gateway.policy.positions import pointer
from gateway.policy.problem import Problem
from gateway.policy.sections import Line, Section, SectionName
from gateway.policy.source import Source

_ORDER: Sequence[CheckKind] = ("action", "validate", "schema", "require", "deny_if")


@dataclass(frozen=True, slots=True)
class _Place:
    """Internal: where an entry stands, and what the document says for all of them."""

    key: str
    rule: str
    layer: Layer
    zone: tzinfo
    observed: bool


def compile_document(
    document: shapes.Document, source: Source, *, name: str, layer: Layer, warnings: tuple[Problem, ...]
) -> Policy:
    """The policy of a document; `source` is what it was read from."""
    hide = {tool: pointer("hide", index) for index, tool in reversed(list(enumerate(document.hide)))}
    zone = fields.zone(document.timezone)
    tools = [_entry(_place(document, layer, zone, key), entry) for key, entry in document.tools.items()]
    all_tools = _entry(_place(document, layer, zone, None), document.all_tools)
    return Policy(
        name=name,
        revision=revision(source.value),
        default_allows=document.default == "allow",
        text=source.text,
        warnings=warnings,
        hide=MappingProxyType(hide),
        hide_all=next((where for tool, where in reversed(hide.items()) if globs.matches_all(tool)), None),
        entries=MappingProxyType({entry.key: entry for entry in tools if globs.STAR not in entry.key}),
        patterns=tuple(Pattern(globs.parse(entry.key), entry) for entry in tools if globs.STAR in entry.key),
        all_tools=all_tools,
        resources=_section(document, "resources"),
        prompts=_section(document, "prompts"),
        methods=_section(document, "methods"),
        observed=document.mode == "observe",
        asks_since=frozenset(_asked((*tools, all_tools))),
        has_repeat=any(entry.repeat is not None for entry in (*tools, all_tools)),
        layer=layer,
    )


def revision(value: Json) -> str:
    """A digest of what a document says: 16 hexadecimal digits, the same however its keys are ordered."""
    return hashlib.sha256(serialise(_sorted(value))).hexdigest()[:16]


def _sorted(value: Json) -> Json:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value


def _place(document: shapes.Document, layer: Layer, zone: tzinfo, key: str | None) -> _Place:
    entry = document.all_tools if key is None else document.tools[key]
    mode = entry.mode if "mode" in entry.model_fields_set else document.mode
    rule = pointer("all_tools") if key is None else pointer("tools", key)
    return _Place("all_tools" if key is None else key, rule, layer, zone, mode == "observe")


def _section(document: shapes.Document, name: SectionName) -> Section | None:
    if name not in document.model_fields_set:
        return None
    section: shapes.Section = getattr(document, name)
    return Section(
        name=name,
        default_allows=section.default == "allow",
        allow=_lines(name, "allow", section.allow),
        deny=_lines(name, "deny", section.deny),
        text=serialise([section.default, sorted(section.allow), sorted(section.deny)]),
    )


def _lines(name: SectionName, field: str, patterns: Sequence[str]) -> tuple[Line, ...]:
    matcher = fields.matcher if name != "resources" else _denied_addresses if field == "deny" else _allowed_addresses
    return tuple(Line(matcher(text), pointer(name, field, index)) for index, text in enumerate(patterns))


def _denied_addresses(pattern: str) -> uris.Matches:
    return fields.matcher(pattern, any_case=True) if uris.is_loose(pattern) else fields.matcher(uris.small(pattern))


def _allowed_addresses(pattern: str) -> uris.Matches:
    scheme = pattern.partition(":")[0]
    return fields.matcher(pattern if globs.STAR in scheme else uris.small(pattern))


def _asked(entries: Iterable[Entry]) -> Iterator[str]:
    checks = (check for entry in entries for check in (*entry.checks, *entry.approvals))
    for path in (condition.path for check in checks for condition in check.conditions):
        if path.root == "grant.seconds_since":
            yield str(path.steps[0])


# --- one entry --------------------------------------------------------------------------------------------------------


def _entry(place: _Place, entry: shapes.ToolEntry) -> Entry:
    rule = place.rule
    checks = [*_own_checks(place, entry)]
    limits = [*_limits(place, entry), *_rate_limits(place, rule, "rate_limit", entry.rate_limit, "")]
    for index, item in enumerate(entry.rules):
        where = f"{rule}/rules/{index}"
        checks += _rule_checks(place, where, item)
        limits += _rate_limits(place, where, f"rules/{index}/rate_limit", item.rate_limit, item.on_deny)
    ordered = tuple(check for kind in _ORDER for check in checks if check.kind == kind)
    approvals = tuple(check for check in checks if check.kind == "approval")
    return Entry(place.key, rule, ordered, approvals, tuple(limits), place.observed, _repeat(place, entry))


def _repeat(place: _Place, entry: shapes.ToolEntry) -> Repeat | None:
    if "repeat" not in entry.model_fields_set:
        return None
    return Repeat(f"{place.rule}/repeat", entry.repeat.max, int(entry.repeat.window), place.observed)


def _own_checks(place: _Place, entry: shapes.ToolEntry) -> Iterator[Check]:
    rule = place.rule
    yield from _action(place, rule, entry.action, entry.reason)
    yield from _validations(place, rule, entry.validation, "")
    for index, predicate in enumerate(entry.require):
        yield _predicate(place, "require", f"{rule}/require/{index}", predicate)
    for index, predicate in enumerate(entry.deny_if):
        yield _predicate(place, "deny_if", f"{rule}/deny_if/{index}", predicate)
    for index, item in enumerate(entry.approve_if):
        yield _approval(place, f"{rule}/approve_if/{index}", item)


def _action(place: _Place, rule: str, action: fields.Action, text: str) -> Iterator[Check]:
    if action == "deny":
        yield Check("action", f"{rule}/action", text, observed=place.observed)
    elif action == "require_approval":
        yield Check("approval", f"{rule}/action", text)


def _validations(place: _Place, rule: str, validation: shapes.Validation, text: str) -> Iterator[Check]:
    if validation.required_args:
        yield Check("validate", f"{rule}/validate/required_args", text, observed=place.observed)
    if validation.against_schema:
        yield Check("schema", f"{rule}/validate/schema", text, observed=place.observed)


def _rule_checks(place: _Place, rule: str, item: shapes.Rule) -> Iterator[Check]:
    text = item.on_deny or item.reason
    yield from _validations(place, rule, item.validation, text)
    if "conditions" not in item.model_fields_set:
        yield from _action(place, rule, item.action, item.reason or item.on_deny)
        return
    kinds: dict[fields.Action, CheckKind] = {"deny": "deny_if", "require_approval": "approval", "allow": "require"}
    kind = kinds[item.action]
    words = item.reason or item.on_deny if kind == "approval" else text
    observed = place.observed and kind != "approval"
    yield Check(kind, rule, words, _conditions(place, item.conditions), observed)


def _predicate(place: _Place, kind: CheckKind, rule: str, predicate: shapes.Predicate) -> Check:
    return Check(kind, rule, predicate.on_deny, _conditions(place, predicate.conditions), place.observed)


def _approval(place: _Place, rule: str, item: shapes.ApproveIf) -> Check:
    conditions, timeout = _conditions(place, item.conditions), int(item.timeout)
    if "remember" not in item.model_fields_set:
        return Check("approval", rule, item.reason, conditions, timeout=timeout)
    kept = item.remember
    return Check(
        "approval",
        rule,
        item.reason,
        conditions,
        timeout=timeout,
        remembered=kept.paths,
        remembered_seconds=int(kept.seconds),
    )


def _conditions(place: _Place, conditions: Sequence[shapes.Condition]) -> tuple[Condition, ...]:
    return tuple(
        Condition(item.path, item.op, operand := cast(Json, item.value), operators.bind(item.op, operand), place.zone)
        for item in conditions
    )


# --- limits -----------------------------------------------------------------------------------------------------------


def _limits(place: _Place, entry: shapes.ToolEntry) -> Iterator[Limit]:
    for index, limit in enumerate(entry.limits):
        given = limit.model_fields_set
        yield Limit(
            rule=f"{place.rule}/limits/{index}",
            tools_key=place.key,
            counter=limit.counter,
            maximum=limit.max,
            window=window_words(limit.window),
            seconds=_seconds(limit.window),
            scope=limit.scope,
            strategy=strategy(limit.window, limit.strategy if "strategy" in given else None),
            on_deny=limit.on_deny,
            cost=limit.increment_from if "increment_from" in given else None,
            per=limit.per if "per" in given else None,
            observed=place.observed,
            layer=place.layer,
        )


def window_words(window: str | int) -> str:
    """How people say a window."""
    if isinstance(window, str):
        return window
    return "1 second" if window == 1 else f"{window} seconds"


def _seconds(window: str | int) -> int:
    return fields.SECONDS.get(window, 0) if isinstance(window, str) else window


def strategy(window: str | int, given: Strategy | None) -> Strategy:
    """The strategy of a limit: what is written, else what the window implies."""
    if window == "session":
        return "session"
    return given or ("fixed" if isinstance(window, str) else "sliding")


def _rate_limits(
    place: _Place, rule: str, counter: str, value: shapes.RateLimit | str | None, on_deny: str
) -> Iterator[Limit]:
    """The shorthand: one limit of this session, sliding. Its counter is named after its place."""
    if value is None:
        return
    maximum, seconds = shapes.rate(value)
    window = value.partition("/")[2] if isinstance(value, str) else window_words(seconds)
    yield Limit(
        rule=f"{rule}/rate_limit",
        tools_key=place.key,
        counter=counter,
        maximum=maximum,
        window=window,
        seconds=seconds,
        scope="session",
        strategy="sliding",
        on_deny=on_deny,
        observed=place.observed,
        layer=place.layer,
    )
