"""A call, or a number of them, that shows a difference between two policies: decided under both, and counted.

What a rule refuses is looked for call by call (`witness`); what a limit stops, by calling again and again
(`repetition`); what a `repeat` stops, by making the same call as often as it lets through (`looping`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final, TypeAlias

from gateway.authoring.looping import looped
from gateway.authoring.repetition import Repetition, is_steady, repeated
from gateway.authoring.witness import MOST, Trial, trials
from gateway.catalogue import Catalogue
from gateway.policy import Limit, Policy, decide
from gateway.policy.checks import Check, fires
from gateway.policy.decision import Repeat
from gateway.policy.globs import STAR, parse

UNNAMED: Final = "a_tool_that_nobody_names"
MOST_NAMES: Final = 8
_RANKS: Final = {"deny": 2, "approve": 1, "observe": 0, "allow": 0}
_LONGER: Final = 500
"""Trials after the first witness that is no witness of the very rule."""
_REPEATED: Final = 2
"""Calls that are repeated by themselves, for a limit that is tried with several names."""
_LOOPED: Final = 20
"""Calls that are made again and again for a `repeat`, of those that both policies let through."""


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
class Item:
    """A rule that is not covered, and the names by which to look for a witness.

    `opens`: the rule is the other policy's, and lets through what the strict one does not name.
    """

    rule: str
    what: str
    names: tuple[str, ...]
    check: Check | None = None
    limit: Limit | None = None
    repeat: Repeat | None = None
    opens: bool = False


def has_its_say(item: Item, found: Witness) -> bool:
    """Whether the rule refuses the call, first of all or behind another one."""
    if found.rules[0] == item.rule or item.check is None or found.trial is None:
        return found.rules[0] == item.rule
    return fires(item.check, found.trial.call, found.trial.facts)


def names_of(key: str, strict: Policy, other: Policy, catalogue: Catalogue) -> tuple[str, ...]:
    """Names by which a key is tried: those that a server has first."""
    if key == strict.all_tools.key and key not in strict.entries:
        named = (*other.entries, *strict.entries, UNNAMED)
        return tuple(dict.fromkeys(named))[:MOST_NAMES]
    if STAR not in key:
        return (key,)
    glob = parse(key)
    known = [name for name in (*strict.entries, *other.entries, *catalogue.names()) if glob.matches(name)]
    return (*dict.fromkeys(known), key.replace(STAR, "x"), key.replace(STAR, ""))[:MOST_NAMES]


Known: TypeAlias = dict[tuple[object, ...], tuple[Repetition, int] | None]
"""What came of a call again and again, by the limits alone where nothing else matters: many tools have the same."""


def witness_of(strict: Policy, other: Policy, item: Item, catalogue: Catalogue, known: Known) -> Witness | None:
    """A call that only `other` lets through: refused by the very rule, if one is found soon enough."""
    if item.repeat is not None:
        return _looped(strict, other, item, item.repeat, catalogue)
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
            if found is None or (has_its_say(item, shown) and not has_its_say(item, found)):
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


def _tried(strict: Policy, other: Policy, item: Item, catalogue: Catalogue) -> Iterator[Trial]:
    """The calls to try, by the names that an item is tried with; for a limit, soon those of the next name."""
    for name in item.names:
        counted = item.limit is not None or item.repeat is not None
        found = trials(strict, other, name, catalogue.definition(name), "" if counted else item.rule)
        most = _LOOPED if item.repeat is not None else _LONGER if counted else None
        yield from islice(found, most)


def _looped(strict: Policy, other: Policy, item: Item, repeat: Repeat, catalogue: Catalogue) -> Witness | None:
    """The same call once more than the `repeat` lets through."""
    for trial in islice(_tried(strict, other, item, catalogue), _LOOPED * len(item.names)):
        repetition = looped(strict, other, trial, repeat)
        if repetition is not None:
            after = other.applied(trial.call.tool).rule
            return Witness(trial.call.tool, trial, "deny", "allow", (repeat.rule, after), repetition)
    return None


def _again(strict: Policy, other: Policy, passing: list[Trial], item: Item, known: Known) -> Witness | None:
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
    strict: Policy, other: Policy, group: Sequence[Trial], rule: str, known: Known
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
