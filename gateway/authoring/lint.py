"""`lint`: what a person would regret in a policy that is valid. What is not certain is not said.

Rules that are proven never to decide anything are `implied`'s; what a condition does not see or can never judge is
`loopholes`'; the rest is here: names and paths that the server does
not have, an open default, patterns that match anywhere, trust in what the server says of itself, sections left out.

What is known of the server's tools comes in as a `Catalogue` that is whole: then a name it lacks is wrong. Without one,
KeyID's published list is all there is, and that is not complete: then only what looks like a slip of one of its names
is spoken of.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from gateway.authoring.findings import Finding
from gateway.authoring.implied import entries, implied
from gateway.authoring.loopholes import ELSEWHERE, conditions, loopholes, matched
from gateway.authoring.risk import assess
from gateway.catalogue import Catalogue, Definition
from gateway.errors import meant
from gateway.jsonrpc import Json
from gateway.keyid import known_tools
from gateway.policy import Policy
from gateway.policy.checks import Check
from gateway.policy.compiled import Entry
from gateway.policy.globs import STAR, parse
from gateway.policy.paths import EACH
from gateway.policy.positions import pointer
from gateway.policy.problem import Problem, quoted
from gateway.policy.source import places

_SLIP: Final = 0.88
"""How alike a name must be to a published one to be taken for a slip: as `send_emial` is to `send_email`."""
_NAMED: Final = 5
_TOOL_FACTS: Final = ("session.calls", "grant.seconds_since")
_SINGLE_CLASS: Final = re.compile(r"(\\[A-Za-z]|\[[^\]]+\]|\.)[+*?]?")
_FLAGS: Final = re.compile(r"\(\?[a-zA-Z]+\)")


def lint(policy: Policy, catalogue: Catalogue | None) -> tuple[Finding, ...]:
    """Everything there is to say of a policy, in the order in which it stands in its text."""
    found = [*implied(policy), *_names(policy, catalogue), *_paths(policy, catalogue), *_open(policy, catalogue)]
    for entry in entries(policy):
        for check in (*entry.checks, *entry.approvals):
            found += _trusting(check)
            found += _anywhere(check)
    found += [*loopholes(policy, catalogue), *_sections(policy)]
    where = places(policy.text, policy.name)
    return tuple(sorted(set(found), key=lambda item: (*where.value(item.pointer), item.pointer, item.message)))


# --- names ------------------------------------------------------------------------------------------------------------


def _names(policy: Policy, catalogue: Catalogue | None) -> Iterator[Finding]:
    known: Collection[str] = known_tools() if catalogue is None else catalogue.names()
    if catalogue is not None and len(policy.entries) >= _NAMED and not any(name in known for name in policy.entries):
        message = f"the server has none of the {len(policy.entries)} tools that are named here"
        yield Finding("/tools", message, "is the policy for another server? name that with --upstream", at_key=True)
        return
    wrong = _slip if catalogue is None else _unknown
    for name in policy.entries:
        yield from wrong(name, known, pointer("tools", name), at_key=True)
    for name, where in policy.hide.items():
        if STAR not in name:
            yield from wrong(name, known, where, at_key=False)
    for where, name in _asked(policy):
        yield from wrong(name, known, where, at_key=False)
    if catalogue is not None:
        yield from _idle_patterns(policy, known)


def _asked(policy: Policy) -> Iterator[tuple[str, str]]:
    """The tools that conditions name, and where."""
    for entry in entries(policy):
        for check in (*entry.checks, *entry.approvals):
            for index, item in enumerate(check.conditions):
                if item.path.root in _TOOL_FACTS:
                    yield f"{check.rule}/conditions/{index}/path", str(item.path.steps[0])


def _unknown(name: str, known: Collection[str], where: str, *, at_key: bool) -> Iterator[Finding]:
    if name in known:
        return
    close = meant(name, known)
    hint = f"did you mean {quoted(close)}?" if close else "`keyid-gateway tools` lists what it has"
    yield Finding(where, f"the server has no tool {quoted(name)}", hint, at_key=at_key)


def _slip(name: str, known: Collection[str], where: str, *, at_key: bool) -> Iterator[Finding]:
    close = None if name in known else meant(name, known, cutoff=_SLIP)
    if close is not None and not _differs_by_plural(name, close):
        message = f"KeyID publishes no tool {quoted(name)}"
        yield Finding(where, message, f"did you mean {quoted(close)}? --live asks the server", at_key=at_key)


def _differs_by_plural(name: str, other: str) -> bool:
    return name.replace("s", "") == other.replace("s", "")


def _idle_patterns(policy: Policy, known: Collection[str]) -> Iterator[Finding]:
    written = [(pointer("tools", item.glob.text), item.glob, True) for item in policy.patterns]
    hidden = [(where, parse(text), False) for text, where in policy.hide.items() if STAR in text and text.strip(STAR)]
    for where, glob, at_key in (*written, *hidden):
        if not any(glob.matches(name) for name in known):
            message = f"no tool of the server matches {quoted(glob.text)}"
            yield Finding(where, message, "`keyid-gateway tools` lists what it has", at_key=at_key)


# --- paths against the tools' schemas ---------------------------------------------------------------------------------


def _paths(policy: Policy, catalogue: Catalogue | None) -> Iterator[Finding]:
    if catalogue is None:
        return
    for entry in entries(policy):
        if entry is policy.all_tools:
            continue
        tools = matched(policy, entry, catalogue)
        for _, where, item in conditions(entry):
            lacking = [_lacks(tool, item.path.steps) for tool in tools]
            missing = next((found for found in lacking if found is not None), None)
            if missing is not None and None not in lacking:
                yield Finding(f"{where}/path", *_missing(entry, item.path.text, missing))


def _missing(entry: Entry, text: str, missing: tuple[str, Collection[str]]) -> tuple[str, str]:
    name, known = missing
    close = meant(name, known)
    hint = f"did you mean {quoted(close)}?" if close else "it has " + (", ".join(map(quoted, known)) or "none")
    return f"{quoted(entry.key)} has no argument {quoted(text)}: its schema does not name {quoted(name)}", hint


def _lacks(definition: Definition, steps: tuple[object, ...]) -> tuple[str, Collection[str]] | None:
    """The step that a tool's schema does not have, and what stands there instead; None where it may have it.

    Only what is plainly described is followed: whatever a schema refers to or chooses between may have anything.
    """
    schema: Json = definition.get("inputSchema")
    for step in steps:
        if not isinstance(schema, dict) or schema.keys() & ELSEWHERE:
            return None
        if step is EACH or isinstance(step, int):
            schema = schema.get("items")
            continue
        properties = schema.get("properties")
        if not isinstance(properties, dict) or schema.get("additionalProperties", False) is not False:
            return None
        if step not in properties:
            return str(step), tuple(properties)[:_NAMED]
        schema = properties[str(step)]
    return None


# --- what is open -----------------------------------------------------------------------------------------------------


def _open(policy: Policy, catalogue: Catalogue | None) -> Iterator[Finding]:
    if not policy.default_allows:
        return
    tools = _published() if catalogue is None else catalogue.definitions()
    if catalogue is None and not any(name in tools for name in (*policy.entries, *policy.hide)):
        return
    destroys = [
        name
        for name, definition in tools.items()
        if assess(definition).category == "Destructive" and policy.hidden(name) is None and not policy.listed(name)
    ]
    if not destroys:
        return
    shown = ", ".join(map(quoted, sorted(destroys)[:_NAMED])) + (", …" if len(destroys) > _NAMED else "")
    message = f"what destroys is open, because `default` is `allow` and nothing names it: {shown}"
    yield Finding("/default", message, "`hide` them, or set `default` to `deny`")


def _published() -> Mapping[str, Definition]:
    return {tool.name: {"name": tool.name} for tool in known_tools().values()}


def _sections(policy: Policy) -> Iterator[Finding]:
    if policy.default_allows:
        return
    missing = [name for name in ("resources", "prompts") if getattr(policy, name) is None]
    if missing:
        message = f"no {' and no '.join(map(quoted, missing))}: by `default`, every one of them is refused"
        section = '{ "default": "deny", "allow": [ … ] }'
        yield Finding("/default", message, f"if the client needs them: `{missing[0]}`: {quoted(section)}", level="note")


# --- conditions -------------------------------------------------------------------------------------------------------


def _trusting(check: Check) -> Iterator[Finding]:
    for index, item in enumerate(check.conditions):
        if check.kind == "require" and item.path.root == "tool.annotations":
            message = f"trusts the server: {quoted(item.path.text)} is what it says of itself"
            yield Finding(f"{check.rule}/conditions/{index}/path", message, "name the tools instead")


def _anywhere(check: Check) -> Iterator[Finding]:
    for index, item in enumerate(check.conditions):
        if item.op != "regex" or not isinstance(item.operand, str):
            continue
        where = f"{check.rule}/conditions/{index}/value"
        for char, (name, letter) in _LOST.items():
            if char in item.operand:
                hint = f"write it twice: `\\\\{letter}`"
                yield Finding(where, f"the pattern has a {name} in it: a backslash was probably lost", hint)
        if check.kind == "require" and not _anchored(item.operand):
            message = f"matches anywhere in the text: {quoted(item.operand)} is not anchored"
            yield Finding(where, message, "begin it with `^` and end it with `$`, so that the whole text must match")


_LOST: Final[Mapping[str, tuple[str, str]]] = {"\b": ("backspace", "b"), "\f": ("form feed", "f")}
"""What becomes of an escape of a pattern in a text that has escapes of its own."""


def _anchored(pattern: str) -> bool:
    """Whether a pattern says where it begins and ends. One that asks for a single character is meant to be anywhere."""
    bare = _FLAGS.sub("", pattern)
    if _SINGLE_CLASS.fullmatch(bare):
        return True
    ends = re.sub(r"\\[^z]", "", bare)
    return bare.startswith(("^", "\\A", "(^")) and ("$" in ends or "\\z" in ends)


def as_problems(policy: Policy, findings: Sequence[Finding]) -> tuple[Problem, ...]:
    """The findings with the lines and columns at which they stand in the policy's text."""
    where = places(policy.text, policy.name)
    return tuple(
        Problem(
            item.pointer,
            *(where.key(item.pointer) if item.at_key else where.value(item.pointer)),
            item.message,
            item.hint,
        )
        for item in findings
    )
