"""Rules that never decide anything, and why: only where that is proven, for every call there can be.

The proofs, each of a few lines; what none of them covers is not spoken of:

1. Sets of conditions. A `deny_if` that has all conditions of another and more fires only where that one fires too; a
   `require` that has some of another's conditions refuses only where that one does. (Kleene's AND is monotone, and
   "cannot tell" fires as well.)
2. Small domains. `time.hour` has 24 values and `time.weekday` seven; a tool that is named in full has one name. A rule
   is tried with each of them.
3. Absence. With `exists: false`, any condition on the same argument that only a present value satisfies cannot hold.
4. Limits that count the same calls, or fewer. If at most `a` calls pass in every window of one limit, then at most
   `a` times as many as it takes windows to cover the other's pass there; where that is no more than the other's
   maximum, the other is never used up. The scopes have to contain each other, and what is given back is bounded alike.
5. An entry that is hidden, or whose `action` is `deny`; a question behind a refusal of every call.
6. A `repeat` beside one of all these calls that lets through no more, for as long.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

from gateway.authoring.findings import Finding
from gateway.jsonrpc import Json, serialise
from gateway.policy import Limit, Policy
from gateway.policy.checks import Check, Condition
from gateway.policy.compiled import Entry
from gateway.policy.decision import Repeat
from gateway.policy.globs import STAR
from gateway.policy.judge import refuses_outright
from gateway.policy.problem import quoted
from gateway.policy.values import Truth

_DOMAINS: Final[dict[str, tuple[Json, ...]]] = {
    "time.hour": tuple(range(24)),
    "time.weekday": tuple(range(1, 8)),
}
_WIDTH: Final = {"session": 0, "grant": 1, "server": 2}
_NESTED: Final = (60, 3600, 86_400)
"""Windows that are aligned to UTC and lie within each other whole."""


def implied(policy: Policy) -> Iterator[Finding]:
    """Every rule of which is proven that it never decides."""
    for entry in entries(policy):
        yield from _idle_entry(policy, entry)
        yield from _never_asked(policy, entry)
        yield from _idle_repeat(policy, entry)
        yield from _idle_checks(entry)
        for check in (*entry.checks, *entry.approvals):
            yield from _constant(check, entry)
    yield from _idle_limits(policy)


def entries(policy: Policy) -> tuple[Entry, ...]:
    """Every entry, as written; those of all tools last."""
    return (*policy.entries.values(), *(pattern.entry for pattern in policy.patterns), policy.all_tools)


def _idle_entry(policy: Policy, entry: Entry) -> Iterator[Finding]:
    hidden = None
    if entry is not policy.all_tools:
        hidden = policy.hidden(entry.key) if STAR not in entry.key else policy.hide_all or policy.hide.get(entry.key)
    if hidden is not None:
        message = f"{quoted(entry.key)} is hidden by {quoted(hidden)}: nothing here ever decides"
        yield Finding(entry.rule, message, "hidden wins: take it out of `hide`, or take the entry out", at_key=True)
        return
    refusing = next((check for check in entry.checks if check.kind == "action" and not check.observed), None)
    rules = [check.rule for check in (*entry.checks, *entry.approvals)] + [limit.rule for limit in entry.limits]
    rules += [entry.repeat.rule] if entry.repeat is not None else []
    if refusing is not None and len(rules) > 1:
        first = next(rule for rule in rules if rule != refusing.rule)
        message = f"never decides: {quoted(refusing.rule)} refuses every call before it"
        yield Finding(first, message, "take out the action, or all that stands beside it")


def _never_asked(policy: Policy, entry: Entry) -> Iterator[Finding]:
    """Questions that no call reaches; behind an `action` of the entry itself, `_idle_entry` says so."""
    checks = [check for each in (entry, *_containing(policy, entry)) for check in each.checks if not check.observed]
    own = any(check.kind == "action" for check in entry.checks if not check.observed)
    refusing = next((check for check in checks if refuses_outright(check)), None)
    if entry.approvals and refusing is not None and not own:
        message = f"never asks: {quoted(refusing.rule)} refuses every call before it"
        yield Finding(entry.approvals[0].rule, message, "take out the one or the other")


def _idle_repeat(policy: Policy, entry: Entry) -> Iterator[Finding]:
    repeat = entry.repeat
    if repeat is None:
        return
    others = (each.repeat for each in _containing(policy, entry) if each.repeat is not None)
    first = next((other for other in others if lets_no_more(other, repeat)), None)
    if first is not None:
        rate = f"{first.maximum} in {first.seconds} seconds"
        message = f"never decides: {quoted(first.rule)} ({rate}) stops the same call first"
        yield Finding(repeat.rule, message, "lower its `max`, or take it out")


def lets_no_more(found: Repeat, repeat: Repeat) -> bool:
    """Whether one `repeat` refuses every call that another does."""
    return not found.observed and found.maximum <= repeat.maximum and found.seconds >= repeat.seconds


def asks_as_often(found: Check, check: Check) -> bool:
    """Whether an answer to one question is worth no more than one to another: it ends as soon, and covers no more.

    What is remembered by more paths covers fewer calls; without a path every call asks.
    """
    if found.timeout > check.timeout:
        return False
    ours, theirs = (frozenset(path.text for path in each.remembered) for each in (found, check))
    covers_less = bool(theirs) and ours >= theirs and found.remembered_seconds <= check.remembered_seconds
    return not ours or covers_less


# --- 1. sets of conditions --------------------------------------------------------------------------------------------


def _idle_checks(entry: Entry) -> Iterator[Finding]:
    for kind in ("require", "deny_if", "approval"):
        group = [item for item in (*entry.checks, *entry.approvals) if item.kind == kind and item.conditions]
        said = [frozenset(map(condition_key, check.conditions)) for check in group]
        for index, check in enumerate(group):
            stronger = _stronger(group, said, index)
            if stronger is not None:
                message = f"never decides: {quoted(stronger.rule)} refuses every call that this would"
                if said[group.index(stronger)] == said[index]:
                    message = f"says the same as {quoted(stronger.rule)}"
                yield Finding(check.rule, message, "take it out, or say what it should add")


def _stronger(group: Sequence[Check], said: Sequence[frozenset[tuple[str, str, str, str]]], index: int) -> Check | None:
    for other, check in enumerate(group):
        same = said[other] == said[index]
        wins = said[other] > said[index] if check.kind == "require" else said[other] < said[index]
        asks = check.kind != "approval" or asks_as_often(check, group[index])
        if (wins or (same and other < index)) and asks and not (check.observed and not group[index].observed):
            return check
    return None


def condition_key(condition: Condition) -> tuple[str, str, str, str]:
    """What a condition says: two with one key come out alike."""
    zone = str(condition.zone) if condition.path.root.startswith("time.") else ""
    return condition.path.text, condition.op, serialise(condition.operand).decode(), zone


# --- 2. small domains, 3. absence -------------------------------------------------------------------------------------


def _constant(check: Check, entry: Entry) -> Iterator[Finding]:
    """A check that comes out alike for every call."""
    if check.kind in ("require", "deny_if", "approval") and not check.conditions:
        if check.kind == "require":
            yield Finding(check.rule, "always holds: it has no conditions", "give it conditions, or take it out")
        return
    verdicts = {_verdict(check, condition, entry) for condition in check.conditions}
    requires = check.kind == "require"
    if verdicts == {True} and requires:
        yield Finding(check.rule, "always holds: it refuses nothing", "take it out, or mend its conditions")
    elif requires and (False in verdicts or "never" in verdicts):
        yield Finding(check.rule, "never holds: it refuses every call", "mend it, or say `action`: `deny`")
    elif not requires and (False in verdicts or _excluded(check)):
        yield Finding(check.rule, "never fires: its conditions cannot hold together", "mend it, or take it out")


def _verdict(check: Check, condition: Condition, entry: Entry) -> Truth | str:
    """What a condition always comes to; "never": not to true, None: that depends."""
    if condition.path.root == "tool.name":
        values: tuple[Json, ...] = () if STAR in entry.key or entry.key == "all_tools" else (entry.key,)
    else:
        values = _DOMAINS.get(condition.path.root, ())
    found = {condition.judge(value) for value in values}
    if len(found) == 1 and None not in found:
        return found.pop()
    return "never" if found and True not in found and check.kind == "require" else None


def _excluded(check: Check) -> bool:
    """Whether one condition wants an argument to be absent that another can only judge true if it is there."""
    absent = {
        item.path.text for item in check.conditions if item.op == "exists" and item.operand is False and _flat(item)
    }
    present = {
        item.path.text
        for item in check.conditions
        if (item.op == "exists" and item.operand is True) or (item.op != "exists" and _no_null(item))
    }
    return bool(absent & present)


def _flat(condition: Condition) -> bool:
    """Whether the path is a plain argument: then it finds a value or nothing, and `exists` always can judge."""
    return condition.path.root == "args" and len(condition.path.steps) == 1


def _no_null(condition: Condition) -> bool:
    """Whether an absent value makes the condition false."""
    operand = condition.operand
    return operand is not None and not (isinstance(operand, list) and None in operand)


# --- 4. limits --------------------------------------------------------------------------------------------------------


def _idle_limits(policy: Policy) -> Iterator[Finding]:
    for entry in entries(policy):
        for index, limit in enumerate(entry.limits):
            first = next((other for other in bounding(policy, entry, index) if bounds(other, limit)), None)
            if first is not None:
                rate = f"{first.maximum:f} per {first.window}"
                message = f"can never be reached: {quoted(first.rule)} ({rate}) stops first"
                yield Finding(limit.rule, message, "lower its `max`, or take it out")


def bounding(policy: Policy, entry: Entry, index: int) -> Iterator[Limit]:
    """The limits that count every call which the entry's `index`-th limit counts. Of two alike, the first."""
    limit = entry.limits[index]
    for position, other in enumerate(entry.limits):
        if other is not limit and (position < index or not bounds(limit, other)):
            yield other
    for containing in _containing(policy, entry):
        yield from containing.limits


def _containing(policy: Policy, entry: Entry) -> Iterator[Entry]:
    """The other entries that are part of every call which this one is part of."""
    for pattern in policy.patterns:
        if pattern.entry is not entry and STAR not in entry.key and pattern.glob.matches(entry.key):
            yield pattern.entry
    if entry is not policy.all_tools:
        yield policy.all_tools


def bounds(other: Limit, limit: Limit) -> bool:
    """Whether `limit` is never used up, because `other` counts all that it counts and stops first."""
    if other.observed or any(path is not None for path in (limit.cost, limit.per, other.cost, other.per)):
        return False  # what is counted by a value refuses what has no such value
    if _WIDTH[other.scope] < _WIDTH[limit.scope]:
        return False
    windows = _windows_to_cover(limit, other)
    return windows is not None and windows * other.maximum <= limit.maximum


def _windows_to_cover(limit: Limit, other: Limit) -> Decimal | None:
    """How many windows of `other` cover any window of `limit`; None where no number does."""
    if limit.strategy == "session" or other.strategy == "session":
        return Decimal(1) if other.strategy == "session" and limit.scope == "session" else None
    whole = Decimal(-(-limit.seconds // other.seconds))
    if other.strategy == "sliding":
        return whole
    nested = limit.strategy == "fixed" and limit.seconds in _NESTED and other.seconds in _NESTED
    return whole if nested else whole + 1
