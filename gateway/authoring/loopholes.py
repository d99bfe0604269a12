"""What a condition does not see, or can never judge: the part of the lint that looks at single conditions.

Some of it needs the tools' schemas: a condition that cannot compare what the schema describes, a `require` on what a
call may leave out, a way to name somebody else that stays open beside a recipient that is looked at. The rest does not.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, cast

from gateway.authoring.findings import Finding
from gateway.authoring.implied import entries
from gateway.authoring.matching import example
from gateway.catalogue import Catalogue, Definition
from gateway.jsonrpc import Json
from gateway.policy import Policy
from gateway.policy.checks import Check, Condition
from gateway.policy.compiled import Entry
from gateway.policy.globs import STAR
from gateway.policy.operators import compiled
from gateway.policy.paths import EACH, argument
from gateway.policy.problem import quoted
from gateway.policy.values import NOUNS, Kind, kind

_RECIPIENTS: Final = ("cc", "bcc", "reply_to", "replyTo", "recipients", "additional_recipients", "to_addresses")
_ANY_CHARACTER: Final = re.compile(r"(?<![\\\[.])[a-z]\.[a-z]{2,}")
"""A dot between letters, as in a domain: in a pattern it is any character."""
_SOONEST_ANSWER: Final = 30
"""Seconds in which somebody who sits there has read a question and answered it."""
_STRANGER: Final = "eve@evil.example"
_KINDS: Final[Mapping[Json, Kind]] = {
    "string": "string",
    "number": "number",
    "integer": "number",
    "boolean": "boolean",
    "array": "array",
    "object": "object",
}
"""What a schema's `type` can say, and what a condition finds then. Null counts as absent."""
ELSEWHERE: Final = frozenset(
    {"$ref", "$dynamicRef", "allOf", "anyOf", "oneOf", "if", "then", "else", "patternProperties", "prefixItems"}
)
"""Where what a schema allows may stand instead."""


def loopholes(policy: Policy, catalogue: Catalogue | None) -> Iterator[Finding]:
    """What can be said of single conditions, with the tools' schemas if there is a `catalogue`."""
    yield from _counters_apart(policy)
    for entry in entries(policy):
        tools = [] if catalogue is None or entry is policy.all_tools else matched(policy, entry, catalogue)
        yield from _hidden_by_null(policy, entry)
        yield from _answers(entry)
        for check, where, item in conditions(entry):
            yield from _second_address(check, where, item)
            yield from _never_judged(check, where, item, tools)
            yield from _optional(check, where, item, tools)
        yield from _open_recipients(policy, entry, tools)


def matched(policy: Policy, entry: Entry, catalogue: Catalogue) -> list[Definition]:
    """The announced tools that an entry is about."""
    names = catalogue.names() if STAR in entry.key else (entry.key,)
    named = (name for name in names if entry in policy.listed(name))
    return [definition for name in named if (definition := catalogue.definition(name)) is not None]


def conditions(entry: Entry) -> Iterator[tuple[Check, str, Condition]]:
    """Every condition on an argument, with its check and where it stands."""
    for check in (*entry.checks, *entry.approvals):
        for index, item in enumerate(check.conditions):
            if item.path.root == "args":
                yield check, f"{check.rule}/conditions/{index}", item


# --- without schemas --------------------------------------------------------------------------------------------------


def _hidden_by_null(policy: Policy, entry: Entry) -> Iterator[Finding]:
    """A place of a list is absent where it holds null, so that asking for one place says nothing of the others."""
    checks = (*entry.checks, *policy.all_tools.checks)
    if any(check.kind == "schema" for check in checks):
        return
    full = {
        item.path.steps[:-1]
        for check in checks
        for item in check.conditions
        if check.kind == "deny_if" and len(check.conditions) == 1 and item.path.steps[-1:] == (EACH,)
        if item.op == "exists" and item.operand is False
    }
    for check, where, item in conditions(entry):
        last = item.path.steps[-1]
        if check.kind == "require" or item.op != "exists" or item.operand is not True or not isinstance(last, int):
            continue
        if item.path.steps[:-1] in full:
            continue
        each = f"{item.path.text.rpartition('[')[0]}[*]"
        hint = f"{quoted(each)} looks at every element"
        if last:
            hint = f"add a `deny_if` with {quoted(each)} `exists` `false`: then no element is null"
        yield Finding(f"{where}/path", f"does not see `[{'null, ' * min(last + 1, 2)}…]`: null counts as absent", hint)


def _answers(entry: Entry) -> Iterator[Finding]:
    """What an answer of a person is worth: too little for one who has to be found, or more than was asked about."""
    for check in entry.approvals:
        if check.timeout < _SOONEST_ANSWER:
            message = f"nobody answers within {check.timeout} s: the question is gone before it was read"
            yield Finding(f"{check.rule}/timeout", message, "give a person some minutes, or leave it out for ten")
        named = {str(path.steps[0]) for path in check.remembered}
        asked = [item for item in check.conditions if item.path.root == "args" and str(item.path.steps[0]) not in named]
        if named and asked:
            message = (
                f"an approval covers later calls whatever their {quoted(asked[0].path.text)} is, which it asks about"
            )
            yield Finding(
                f"{check.rule}/remember/paths", message, "add it, so that another value asks again", level="note"
            )


def _second_address(check: Check, where: str, item: Condition) -> Iterator[Finding]:
    """A pattern of an address that a longer text matches as well. Only said where the pattern itself says yes."""
    pattern = item.operand
    if check.kind != "require" or item.op != "regex" or not isinstance(pattern, str) or "@" not in pattern:
        return
    text = example(pattern)
    if text is None or text.count("@") != 1 or not _matches(pattern, text):
        return
    if _matches(pattern, f"x\n{text}") or _matches(pattern, f"{text}\ny"):  # it is not anchored, and told so
        return
    longer = next((more for more in (f"{_STRANGER},{text}", f"{text},{_STRANGER}") if _matches(pattern, more)), None)
    if longer is not None:
        hint = "name what an address may consist of: `^[A-Za-z0-9._+-]+@example\\\\.com$`"
        yield Finding(f"{where}/value", f"a second address passes: {quoted(longer)} matches", hint)
        return
    if _ANY_CHARACTER.search(pattern.rpartition("@")[2]) and not _matches(pattern, f"{text.partition('@')[0]}@a.b"):
        hint = "a dot that is only a dot is written `\\\\.`"
        yield Finding(f"{where}/value", f"another domain passes: {quoted(text)} matches", hint)


def _matches(pattern: str, text: str) -> bool:
    return compiled(pattern).search(text.encode()) is not None


def _counters_apart(policy: Policy) -> Iterator[Finding]:
    first: dict[str, str] = {}
    for entry in entries(policy):
        for limit in entry.limits:
            before = first.setdefault(limit.counter, entry.key)
            if before != entry.key and entry is not policy.all_tools and not limit.rule.endswith("/rate_limit"):
                message = f"counts apart from {quoted(limit.counter)} of {quoted(before)}, though it has the same name"
                hint = "to share one count, write both tools under one key, like `*_registration_session`"
                yield Finding(limit.rule, message, hint, level="note")


# --- with the tools' schemas ------------------------------------------------------------------------------------------


def described(definition: Definition, steps: Sequence[object]) -> Mapping[str, Json] | None:
    """What a tool's schema says of the place that the steps lead to; None where it says nothing plain."""
    schema: Json = definition.get("inputSchema")
    for step in (*steps, None):
        if not isinstance(schema, dict) or schema.keys() & ELSEWHERE:
            return None
        if step is None:
            break
        if step is EACH or isinstance(step, int):
            schema = schema.get("items")
            continue
        properties = schema.get("properties")
        schema = properties.get(str(step)) if isinstance(properties, dict) else None
    return schema if isinstance(schema, dict) else None


def _never_judged(check: Check, where: str, item: Condition, tools: Sequence[Definition]) -> Iterator[Finding]:
    comparable = _comparable(item)
    found = [_types(described(tool, item.path.steps)) for tool in tools]
    if comparable is None or not found or any(not types or not types.isdisjoint(comparable) for types in found):
        return
    nouns = " or ".join(sorted(NOUNS[type_] for type_ in found[0]))
    fate = "every call is denied" if check.kind == "require" else "every call that has it is denied"
    if check.kind == "approval":
        fate = "every call that has it needs approval"
    message = f"by the schema {quoted(item.path.text)} is {nouns}, which this `{item.op}` cannot compare: {fate}"
    hint = (
        f"{quoted(f'{item.path.text}[*]')} is each of its elements" if "array" in found[0] else "compare the same type"
    )
    yield Finding(f"{where}/path", message, hint)


def _comparable(item: Condition) -> frozenset[Kind] | None:
    """The types that a condition can judge; None where it can judge any."""
    operand = item.operand
    match item.op:
        case "regex":
            return frozenset({"string"})
        case "lt" | "lte" | "gt" | "gte":
            return frozenset({"number"})
        case "contains":
            return frozenset({"string", "array"}) if isinstance(operand, str) else frozenset({"array"})
        case "eq" | "neq" if operand is not None:
            return frozenset({kind(operand)})
        case "in" | "not_in" if None not in cast("list[Json]", operand):
            return frozenset(map(kind, cast("list[Json]", operand)))
        case _:
            return None


def _types(schema: Mapping[str, Json] | None) -> frozenset[Kind]:
    """The types that a schema allows; none where it does not say."""
    said = (schema or {}).get("type")
    named = said if isinstance(said, list) else [said]
    if not all(isinstance(name, str) and (name in _KINDS or name == "null") for name in named):
        return frozenset()
    return frozenset(_KINDS[name] for name in named if name != "null")


def _optional(check: Check, where: str, item: Condition, tools: Sequence[Definition]) -> Iterator[Finding]:
    name = str(item.path.steps[0])
    if check.kind != "require" or not tools or (item.op == "exists" and item.operand is False):
        return
    if all(described(tool, (name,)) is not None and name not in _required(tool) for tool in tools):
        message = f"a call without {quoted(argument(name))} is denied, though the schema does not ask for it"
        hint = "to look at it only where it is given, use `deny_if`"
        yield Finding(f"{where}/path", message, hint, level="note")


def _required(tool: Definition) -> Sequence[Json]:
    schema = tool.get("inputSchema")
    required = schema.get("required") if isinstance(schema, dict) else None
    return required if isinstance(required, list) else ()


def _open_recipients(policy: Policy, entry: Entry, tools: Sequence[Definition]) -> Iterator[Finding]:
    """Whoever says to whom a mail may go has not said it where copies are open."""
    addressed = [where for check, where, item in conditions(entry) if _names_a_recipient(check, item)]
    if not addressed:
        return
    for tool in tools:
        checks = policy.applied(str(tool.get("name"))).checks
        looked_at = {item.path.steps[0] for check in checks for item in check.conditions if item.path.root == "args"}
        known = (name for name in _RECIPIENTS if described(tool, (name,)) is not None)
        left = [name for name in known if name not in looked_at]
        if left and not any(check.kind == "action" for check in checks):
            named = " and ".join(quoted(f"args.{name}") for name in left)
            each = [f"args.{name}{'[*]' * ('array' in _types(described(tool, (name,))))}" for name in left]
            message = f"restricts to whom it goes, but not {named}, which can name somebody else"
            yield Finding(f"{addressed[0]}/path", message, f"add a `deny_if` with {quoted(each[0])} `exists` `true`")
            return


def _names_a_recipient(check: Check, item: Condition) -> bool:
    texts = item.operand if isinstance(item.operand, list) else [item.operand]
    compares = item.op in ("eq", "in", "regex") and any(isinstance(text, str) and "@" in text for text in texts)
    return check.kind == "require" and item.path.steps[0] in ("to", "recipient", "recipients") and compares
