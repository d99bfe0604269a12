"""What changes between two policies, in calls: for each rule of one that the other does not have as strictly.

Two steps, both for each direction. The **proof** goes through every rule of the old policy and asks whether the new one
refuses at least what it refuses: the same conditions or a `deny_if` with fewer, a `require` with more, a limit or a
`repeat` that bounds it; in the same entry, in `all_tools`, or in a pattern that matches all that the old key matches.
If every rule is covered, and nothing new is opened, the new policy lets nothing through that the old one did not: that
holds for all calls there can be, each under the same circumstances. What is left is only *perhaps* looser, and for it a
**witness** is looked for: a call, or a number of them, decided under both. Where none is found, nobody can tell.

So "same" and "not looser" are proven, a difference is shown, and everything else is said to be neither. What is counted
is counted from empty: that a renamed counter begins anew is not spoken of. Texts for the agent change nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias, cast

from gateway.authoring.covering import misses_nothing, refuses, stops
from gateway.authoring.implied import bounding, bounds, entries, lets_no_more
from gateway.authoring.showing import MOST_NAMES, UNNAMED, Item, Known, Witness, has_its_say, names_of, witness_of
from gateway.catalogue import Catalogue
from gateway.jsonrpc import loads
from gateway.policy import Policy
from gateway.policy.checks import Check
from gateway.policy.compiled import Entry
from gateway.policy.globs import STAR, Glob, parse
from gateway.policy.positions import pointer
from gateway.policy.sections import Section

Direction: TypeAlias = Literal["looser", "tighter"]
Side: TypeAlias = Literal["old", "new"]
SECTIONS: Final = ("resources", "prompts", "methods")


@dataclass(frozen=True, slots=True)
class Difference:
    """A rule by which the policies differ: `rule` points into the one that is `of`; `what` has the other as `{other}`.

    Without a witness, nobody can tell.
    """

    direction: Direction
    rule: str
    of: Side
    what: str
    witness: Witness | None


def compare(old: Policy, new: Policy, catalogue: Catalogue) -> tuple[Difference, ...]:
    """Every difference; none: the two are proven to decide alike."""
    return (*_direction(old, new, catalogue, "looser"), *_direction(new, old, catalogue, "tighter"))


def _direction(strict: Policy, other: Policy, catalogue: Catalogue, direction: Direction) -> Iterator[Difference]:
    """Where `other` lets through what `strict` does not."""
    side: Side = "old" if direction == "looser" else "new"
    opener: Side = "new" if direction == "looser" else "old"
    items = list(_uncovered(strict, other, catalogue))
    known: Known = {}
    rules = {item.rule for item in items}
    for item in items:
        found = witness_of(strict, other, item, catalogue, known)
        if found is not None and found.rules[0] in rules and not has_its_say(item, found):
            found = None  # a call that shows another rule, which is shown itself
        if found is not None and direction == "tighter":
            found = found.turned
        yield Difference(direction, item.rule, opener if item.opens else side, item.what, found)
    yield from _sections(strict, other, direction, side)


# --- the proof --------------------------------------------------------------------------------------------------------


def _uncovered(strict: Policy, other: Policy, catalogue: Catalogue) -> Iterator[Item]:
    for text, where in strict.hide.items():
        hidden = (
            other.hide_all is not None or text in other.hide or (STAR not in text and other.hidden(text) is not None)
        )
        if not hidden and _callable(other, text):
            yield Item(where, "not hidden in {other}", names_of(text, strict, other, catalogue))
    if not strict.default_allows and not strict.observed:
        yield from _opened(strict, other, catalogue)
    for entry in entries(strict):
        if entry is strict.all_tools or _callable(other, entry.key):
            yield from _of_entry(strict, other, entry, catalogue)


def _opened(strict: Policy, other: Policy, catalogue: Catalogue) -> Iterator[Item]:
    """What the strict policy denies because it does not name it."""
    if other.default_allows or other.observed:
        names = (*(name for name in catalogue.names() if not strict.listed(name)), UNNAMED)
        what = "{other} lets through what it does not name"
        yield Item("/default", what, (UNNAMED, *names[:MOST_NAMES]))
    for key in (*other.entries, *(item.glob.text for item in other.patterns)):
        listed = strict.listed(key) if STAR not in key else [item for item in strict.patterns if item.glob.text == key]
        if not listed and _callable(other, key):
            names = names_of(key, strict, other, catalogue)
            yield Item(pointer("tools", key), "not named in {other}", names, opens=True)


def _of_entry(strict: Policy, other: Policy, entry: Entry, catalogue: Catalogue) -> Iterator[Item]:
    covering = list(_covering(other, entry))
    checks = [check for item in covering for check in (*item.checks, *item.approvals) if not check.observed]
    if any(check.kind == "action" for check in checks):
        return
    names = names_of(entry.key, strict, other, catalogue)
    for check in (*entry.checks, *entry.approvals):
        if not check.observed and not refuses(checks, check) and not misses_nothing(check, entry, checks, catalogue):
            yield Item(check.rule, _what(check, checks), names, check)
    limits = [limit for item in covering for limit in item.limits]
    for index, limit in enumerate(entry.limits):
        idle = any(bounds(found, limit) for found in bounding(strict, entry, index))
        if not limit.observed and not idle and not any(stops(found, limit) for found in limits):
            yield Item(limit.rule, "nothing in {other} stops as early", names, limit=limit)
    repeat, repeats = entry.repeat, [item.repeat for item in covering if item.repeat is not None]
    if repeat is not None and not repeat.observed and not any(lets_no_more(found, repeat) for found in repeats):
        yield Item(repeat.rule, "nothing in {other} stops the same call as early", names, repeat=repeat)


def _what(check: Check, checks: Sequence[Check]) -> str:
    asking = [replace(found, timeout=0, remembered=()) for found in checks]
    if check.kind == "approval" and refuses(asking, check):
        return "an answer in {other} is worth longer, or covers more calls"
    return "nothing in {other} refuses as much"


def _covering(other: Policy, entry: Entry) -> Iterator[Entry]:
    """The entries of another policy that are part of every call which this one is part of."""
    yield other.all_tools
    if entry.rule == other.all_tools.rule:
        return
    if STAR not in entry.key:
        yield from other.listed(entry.key)
        return
    yield from (item.entry for item in other.patterns if item.glob.text == entry.key)


def _callable(policy: Policy, key: str) -> bool:
    """Whether a call of any tool that a key matches may pass; where that is not plain, it may."""
    if policy.hide_all is not None or key in policy.hide:
        return False
    if STAR not in key:
        applied = policy.applied(key)
        refused = applied.hidden is not None or any(
            check.kind == "action" and not check.observed for check in applied.checks
        )
        return not refused and (bool(applied.listed) or policy.default_allows or policy.observed)
    covering = (item.entry for item in policy.patterns if item.glob.text == key)
    if any(check.kind == "action" and not check.observed for entry in covering for check in entry.checks):
        return False
    if policy.default_allows or policy.observed:
        return True
    glob = parse(key)
    return any(glob.matches(name) for name in policy.entries) or any(_meet(glob, item.glob) for item in policy.patterns)


def _meet(glob: Glob, other: Glob) -> bool:
    """Whether two patterns may match one name: not if their beginnings or their ends contradict each other."""
    heads = glob.head.startswith(other.head) or other.head.startswith(glob.head)
    return heads and (glob.tail.endswith(other.tail) or other.tail.endswith(glob.tail))


# --- resources, prompts, methods --------------------------------------------------------------------------------------


def _sections(strict: Policy, other: Policy, direction: Direction, side: Side) -> Iterator[Difference]:
    for name in SECTIONS:
        ours, theirs = _lists(strict, name), _lists(other, name)
        closes = not strict.observed and (ours[0] == "deny" or bool(ours[2]))
        opened = set() if ours[0] == "allow" else theirs[1] - ours[1]
        wider = other.observed or opened or (ours[0], theirs[0]) == ("deny", "allow") or not theirs[2] >= ours[2]
        if not closes or not wider:
            continue
        found = _let_through(strict, other, name, [*sorted(opened), *sorted(ours[2] - theirs[2]), "", *sorted(ours[1])])
        if found is not None and direction == "tighter":
            found = found.turned
        yield Difference(direction, f"/{name}", side, f"{{other}} lets more {name} through", found)


def _lists(policy: Policy, name: str) -> tuple[str, set[str], set[str]]:
    section: Section | None = getattr(policy, name)
    if section is None:
        return policy.default, set(), set()
    default, allow, deny = cast("tuple[str, list[str], list[str]]", loads(section.text.decode()))
    return default, set(allow), set(deny)


def _let_through(strict: Policy, other: Policy, name: str, patterns: list[str]) -> Witness | None:
    unnamed = "unnamed://x" if name == "resources" else "unnamed/x"
    for pattern in patterns:
        for filled in (pattern.replace("**", "x/y").replace(STAR, "x"), pattern.replace(STAR, "")):
            value = filled or unnamed
            (denied, rule), (allowed, after) = _ruling(strict, name, value), _ruling(other, name, value)
            if allowed and not denied:
                return Witness(value, None, "deny", "allow", (rule, after))
    return None


def _ruling(policy: Policy, name: str, value: str) -> tuple[bool, str]:
    section: Section | None = getattr(policy, name)
    allowed, rule = (policy.default_allows, "/default") if section is None else section.ruling(value)
    return allowed or policy.observed, rule
