"""What changes between two policies, in calls: for each rule of one that the other does not have as strictly.

Two steps, both for each direction. The **proof** goes through every rule of the old policy and asks whether the new one
refuses at least what it refuses: the same conditions or a `deny_if` with fewer, a `require` with more, a limit that
bounds it; in the same entry, in `all_tools`, or in a pattern that matches all that the old key matches. If every rule
is covered, and nothing new is opened, the new policy lets nothing through that the old one did not: that holds for all
calls there can be, each under the same circumstances. What is left is only *perhaps* looser, and for it a **witness**
is looked for: a call, or a number of them, decided under both. Where none is found, nobody can tell.

So "same" and "not looser" are proven, a difference is shown, and everything else is said to be neither. What is counted
is counted from empty: that a renamed counter begins anew is not spoken of. Texts for the agent change nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final, Literal, TypeAlias, cast

from gateway.authoring.covering import misses_nothing, refuses, stops
from gateway.authoring.implied import bounding, bounds, entries
from gateway.authoring.repetition import Repetition, is_steady, repeated
from gateway.authoring.witness import MOST, Trial, trials
from gateway.catalogue import Catalogue
from gateway.jsonrpc import loads
from gateway.policy import Limit, Policy, decide
from gateway.policy.checks import Check, fires
from gateway.policy.compiled import Entry
from gateway.policy.globs import STAR, Glob, parse
from gateway.policy.positions import pointer
from gateway.policy.sections import Section

Direction: TypeAlias = Literal["looser", "tighter"]
Side: TypeAlias = Literal["old", "new"]
UNNAMED: Final = "a_tool_that_nobody_names"
SECTIONS: Final = ("resources", "prompts", "methods")
_RANKS: Final = {"deny": 2, "approve": 1, "observe": 0, "allow": 0}
_MOST_NAMES: Final = 8
_LONGER: Final = 500
"""Trials after the first witness that is no witness of the very rule."""
_REPEATED: Final = 2
"""Calls that are repeated by themselves, for a limit that is tried with several names."""


@dataclass(frozen=True, slots=True)
class Witness:
    """A call that comes out otherwise; `repetition` where it is one of many.

    `others` are the calls that are made in turn with it; `trial` is None for what is no tool call.
    """

    tool: str
    trial: Trial | None
    before: str
    after: str
    rules: tuple[str, str]
    repetition: Repetition | None = None
    others: tuple[Trial, ...] = ()

    @property
    def turned(self) -> "Witness":
        """The same with the policies changed round."""
        sides = {"before": self.after, "after": self.before, "rules": (self.rules[1], self.rules[0])}
        return replace(self, **sides)  # type: ignore[arg-type] # each of its own type


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


@dataclass(frozen=True, slots=True)
class _Item:
    """Internal: a rule that is not covered, and the names by which to look for a witness.

    `opens`: the rule is the other policy's, and lets through what the strict one does not name.
    """

    rule: str
    what: str
    names: tuple[str, ...]
    check: Check | None = None
    limit: Limit | None = None
    opens: bool = False


def compare(old: Policy, new: Policy, catalogue: Catalogue) -> tuple[Difference, ...]:
    """Every difference; none: the two are proven to decide alike."""
    return (*_direction(old, new, catalogue, "looser"), *_direction(new, old, catalogue, "tighter"))


def _direction(strict: Policy, other: Policy, catalogue: Catalogue, direction: Direction) -> Iterator[Difference]:
    """Where `other` lets through what `strict` does not."""
    side: Side = "old" if direction == "looser" else "new"
    opener: Side = "new" if direction == "looser" else "old"
    items = list(_uncovered(strict, other, catalogue))
    known: _Known = {}
    rules = {item.rule for item in items}
    for item in items:
        found = _witness(strict, other, item, catalogue, known)
        if found is not None and found.rules[0] in rules and not _has_its_say(item, found):
            found = None  # a call that shows another rule, which is shown itself
        if found is not None and direction == "tighter":
            found = found.turned
        yield Difference(direction, item.rule, opener if item.opens else side, item.what, found)
    yield from _sections(strict, other, direction, side)


def _has_its_say(item: _Item, found: Witness) -> bool:
    """Whether the rule refuses the call, first of all or behind another one."""
    if found.rules[0] == item.rule or item.check is None or found.trial is None:
        return found.rules[0] == item.rule
    return fires(item.check, found.trial.call, found.trial.facts)


# --- the proof --------------------------------------------------------------------------------------------------------


def _uncovered(strict: Policy, other: Policy, catalogue: Catalogue) -> Iterator[_Item]:
    for text, where in strict.hide.items():
        hidden = (
            other.hide_all is not None or text in other.hide or (STAR not in text and other.hidden(text) is not None)
        )
        if not hidden and _callable(other, text):
            yield _Item(where, "not hidden in {other}", _names(text, strict, other, catalogue))
    if not strict.default_allows and not strict.observed:
        yield from _opened(strict, other, catalogue)
    for entry in entries(strict):
        if entry is strict.all_tools or _callable(other, entry.key):
            yield from _of_entry(strict, other, entry, catalogue)


def _opened(strict: Policy, other: Policy, catalogue: Catalogue) -> Iterator[_Item]:
    """What the strict policy denies because it does not name it."""
    if other.default_allows or other.observed:
        names = (*(name for name in catalogue.names() if not strict.listed(name)), UNNAMED)
        what = "{other} lets through what it does not name"
        yield _Item("/default", what, (UNNAMED, *names[:_MOST_NAMES]))
    for key in (*other.entries, *(item.glob.text for item in other.patterns)):
        listed = strict.listed(key) if STAR not in key else [item for item in strict.patterns if item.glob.text == key]
        if not listed and _callable(other, key):
            names = _names(key, strict, other, catalogue)
            yield _Item(pointer("tools", key), "not named in {other}", names, opens=True)


def _of_entry(strict: Policy, other: Policy, entry: Entry, catalogue: Catalogue) -> Iterator[_Item]:
    covering = list(_covering(other, entry))
    checks = [check for item in covering for check in (*item.checks, *item.approvals) if not check.observed]
    if any(check.kind == "action" for check in checks):
        return
    names = _names(entry.key, strict, other, catalogue)
    for check in (*entry.checks, *entry.approvals):
        if not check.observed and not refuses(checks, check) and not misses_nothing(check, entry, checks, catalogue):
            yield _Item(check.rule, "nothing in {other} refuses as much", names, check)
    limits = [limit for item in covering for limit in item.limits]
    for index, limit in enumerate(entry.limits):
        idle = any(bounds(found, limit) for found in bounding(strict, entry, index))
        if not limit.observed and not idle and not any(stops(found, limit) for found in limits):
            yield _Item(limit.rule, "nothing in {other} stops as early", names, limit=limit)


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


# --- the witness ------------------------------------------------------------------------------------------------------


def _names(key: str, strict: Policy, other: Policy, catalogue: Catalogue) -> tuple[str, ...]:
    """Names by which a key is tried: those that a server has first."""
    if key == strict.all_tools.key and key not in strict.entries:
        named = (*other.entries, *strict.entries, UNNAMED)
        return tuple(dict.fromkeys(named))[:_MOST_NAMES]
    if STAR not in key:
        return (key,)
    glob = parse(key)
    known = [name for name in (*strict.entries, *other.entries, *catalogue.names()) if glob.matches(name)]
    return (*dict.fromkeys(known), key.replace(STAR, "x"), key.replace(STAR, ""))[:_MOST_NAMES]


_Known: TypeAlias = dict[tuple[object, ...], tuple[Repetition, int] | None]
"""What came of a call again and again, by the limits alone where nothing else matters: many tools have the same."""


def _witness(strict: Policy, other: Policy, item: _Item, catalogue: Catalogue, known: _Known) -> Witness | None:
    """A call that only `other` lets through: refused by the very rule, if one is found soon enough."""
    found: Witness | None = None
    passing: dict[str, Trial] = {}
    left = MOST
    for trial in _tried(strict, other, item, catalogue):
        before, after = decide(strict, trial.call, trial.facts), decide(other, trial.call, trial.facts)
        if _RANKS[after.effect] < _RANKS[before.effect]:
            if found is None:
                left = min(left, _LONGER)
            shown = Witness(trial.call.tool, trial, before.effect, after.effect, (before.rule, after.rule))
            if before.rule == item.rule:
                return shown
            if found is None or (_has_its_say(item, shown) and not _has_its_say(item, found)):
                found = shown
        elif item.limit is not None and before.effect == after.effect == "allow":
            passing.setdefault(trial.call.tool, trial)
            if len(passing) == len(item.names):
                break
        left -= 1
        if not left:
            break
    again = _again(strict, other, list(passing.values()), item, known)
    return again if again is not None and (found is None or again.rules[0] == item.rule) else found


def _tried(strict: Policy, other: Policy, item: _Item, catalogue: Catalogue) -> Iterator[Trial]:
    """The calls to try, by the names that an item is tried with; for a limit, soon those of the next name."""
    for name in item.names:
        found = trials(strict, other, name, catalogue.definition(name), "" if item.limit else item.rule)
        yield from found if item.limit is None else islice(found, _LONGER)


def _again(strict: Policy, other: Policy, passing: list[Trial], item: _Item, known: _Known) -> Witness | None:
    """One of the calls again and again, or all of them in turn."""
    found: Witness | None = None
    groups = [[trial] for trial in passing[:_REPEATED]] + ([passing] if len(passing) > 1 else [])
    for group in groups:
        shown = _known_repetition(strict, other, group, item.rule, known)
        if shown is not None and (found is None or shown[1] == item.rule):
            trial, (repetition, rule) = group[0], shown
            after = other.applied(trial.call.tool).rule
            found = Witness(trial.call.tool, trial, "deny", "allow", (rule, after), repetition, tuple(group[1:]))
        if found is not None and found.rules[0] == item.rule:
            break
    return found


def _known_repetition(
    strict: Policy, other: Policy, group: Sequence[Trial], rule: str, known: _Known
) -> tuple[Repetition, str] | None:
    tool = group[0].call.tool
    ours, theirs = strict.applied(tool).limits, other.applied(tool).limits
    plain = not any(limit.cost or limit.per for limit in (*ours, *theirs))
    rules = [limit.rule for limit in ours]
    if len(group) > 1 or not plain or not is_steady(strict, tool) or not is_steady(other, tool) or rule not in rules:
        return repeated(strict, other, group, rule)
    shape = (rules.index(rule), *map(_shape, ours), "", *map(_shape, theirs))
    if shape not in known:
        found = repeated(strict, other, group, rule)
        known[shape] = None if found is None else (found[0], rules.index(found[1]))
    shown = known[shape]
    return None if shown is None else (shown[0], rules[shown[1]])


def _shape(limit: Limit) -> tuple[object, ...]:
    return limit.maximum, limit.seconds, limit.scope, limit.strategy, limit.observed


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
