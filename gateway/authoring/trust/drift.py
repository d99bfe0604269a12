"""The difference between two definitions of a tool, member by member, and what of it is a risk.

A risk is what a person should not have to find in the difference: that a tool takes a recipient now, says itself that
it destroys, wants an argument that nobody gave before, or that its words give orders.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from gateway.authoring.risk import words
from gateway.authoring.trust.texts import Finding
from gateway.authoring.verbs import ARGUMENTS, RECIPIENTS
from gateway.jsonrpc import Json, canonical
from gateway.keyid.confidential import of_name
from gateway.policy.problem import quoted

_PROTOCOL_DEFAULT: Final[Mapping[str, bool]] = {"readOnlyHint": False, "destructiveHint": True, "openWorldHint": True}
_HINTS: Final[Mapping[tuple[str, bool], str]] = {
    ("readOnlyHint", False): "it no longer says that it only reads",
    ("readOnlyHint", True): "it says now that it only reads: rules on its annotations open",
    ("destructiveHint", True): "it says now that it may destroy",
    ("destructiveHint", False): "it says now that it does not destroy: rules on its annotations open",
    ("openWorldHint", True): "it says now that it reaches others than this server",
}
_ADDRESSEES: Final = RECIPIENTS | frozenset(
    {"reply", "forward", "webhook", "callback", "url", "uri", "address", "phone"}
)
_BOUNDS: Final = frozenset(
    {"maxLength", "maxItems", "maximum", "exclusiveMaximum", "pattern", "format", "const", "enum"}
)
_MOST: Final = 2000
_PIECE: Final = re.compile(r"[^\n]*?(?:[.!?](?=\s)|\n|\Z)")


@dataclass(frozen=True, slots=True)
class Change:
    """One member that differs: a side that lacks it is None (`added` and `removed` say which)."""

    place: str
    before: Json
    after: Json
    added: bool = False
    removed: bool = False


def changes(before: Mapping[str, Json], after: Mapping[str, Json]) -> tuple[Change, ...]:
    """The members that differ, in the order in which they stand; the first two thousand."""
    found = []
    for change in _walk("", dict(before), dict(after)):
        found.append(change)
        if len(found) >= _MOST:
            break
    return tuple(found)


def _walk(place: str, before: Json, after: Json) -> Iterator[Change]:
    if not (isinstance(before, dict) and isinstance(after, dict)):
        if canonical(before) != canonical(after):
            yield Change(place, before, after)
        return
    for key in [*before, *(key for key in after if key not in before)]:
        inner = f"{place}.{key}" if place else key
        if key not in after:
            yield Change(inner, before[key], None, removed=True)
        elif key not in before:
            yield Change(inner, None, after[key], added=True)
        else:
            yield from _walk(inner, before[key], after[key])


def pieces(text: str) -> list[str]:
    """A text as the lines and sentences that two versions of it are compared by; together they are the text."""
    return [piece for piece in _PIECE.findall(text) if piece]


def risks(before: Mapping[str, Json], after: Mapping[str, Json]) -> tuple[str, ...]:
    """What of the difference a person must not overlook, in words; the gravest first."""
    return tuple(dict.fromkeys((*_hints(before, after), *_arguments(before, after))))


def new_findings(before: tuple[Finding, ...], after: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """What the audit says of the new definition and did not say of the old one."""
    said = {(finding.place, finding.message, finding.excerpt) for finding in before}
    return tuple(finding for finding in after if (finding.place, finding.message, finding.excerpt) not in said)


def _hints(before: Mapping[str, Json], after: Mapping[str, Json]) -> Iterator[str]:
    old, new = _object(before, "annotations"), _object(after, "annotations")
    for hint, usual in _PROTOCOL_DEFAULT.items():
        was, now = old.get(hint, usual), new.get(hint, usual)
        if was is not now and isinstance(now, bool) and (hint, now) in _HINTS:
            yield _HINTS[hint, now]


def _arguments(before: Mapping[str, Json], after: Mapping[str, Json]) -> Iterator[str]:
    old, new = _object(before, "inputSchema"), _object(after, "inputSchema")
    had, has = _object(old, "properties"), _object(new, "properties")
    for name in has:
        if name not in had:
            yield f"it takes a new argument {quoted(name)}{_reads_like(name)}"
    wanted = _names(new.get("required")) - _names(old.get("required"))
    if wanted:
        yield f"it demands {', '.join(quoted(name) for name in sorted(wanted))} now"
    if old.get("additionalProperties") is False and new.get("additionalProperties") is not False:
        yield "it takes any argument now"
    for name in had:
        if name in has:
            loose = sorted(key for key in _BOUNDS if _looser(key, had[name], has[name]))
            if loose:
                yield f"its argument {quoted(name)} is less bound now ({', '.join(loose)})"
            if _type(had[name]) != _type(has[name]):
                yield f"its argument {quoted(name)} is of another type now"


def _reads_like(name: str) -> str:
    said = set(words(name))
    if said & _ADDRESSEES:
        return ", which reads like a recipient or an address"
    if of_name(name) == "secret name":
        return ", which reads like a secret"
    if said & (ARGUMENTS["Execute"] | ARGUMENTS["Destructive"]):
        return ", which reads like something that is carried out"
    return ""


def _looser(key: str, before: Json, after: Json) -> bool:
    old = before.get(key) if isinstance(before, dict) else None
    new = after.get(key) if isinstance(after, dict) else None
    if old is None or old == new:
        return False
    if isinstance(old, list) and isinstance(new, list):
        return {canonical(item) for item in new} > {canonical(item) for item in old}
    if key in ("pattern", "format", "const", "enum"):
        return True
    return new is None or (_is_number(old) and _is_number(new) and float(str(new)) > float(str(old)))


def _is_number(value: Json) -> bool:
    return not isinstance(value, bool | str | list | dict) and value is not None


def _type(schema: Json) -> bytes:
    return canonical(schema.get("type") if isinstance(schema, dict) else None)


def _object(value: Mapping[str, Json], key: str) -> Mapping[str, Json]:
    inner = value.get(key)
    return inner if isinstance(inner, dict) else {}


def _names(value: Json) -> set[str]:
    return {item for item in value if isinstance(item, str)} if isinstance(value, list) else set()
