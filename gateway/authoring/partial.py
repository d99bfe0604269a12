"""What a policy says of a call of which not all is known: the audit log keeps names of arguments, and some values.

Some of it is certain all the same. An argument that was not named was absent; of one whose value was left out it is
often known that it was there. A rule that does not look at arguments needs none. And a rule that stands unchanged in
the policy that judged the call then had its say in the recorded verdict: what was allowed had passed every rule of it,
what was refused had passed those before the one that refused.

A condition on something unknown may come to anything; a check is told where it comes to the same whatever its
conditions do (Kleene's AND over every possible truth of each). Whatever is left depends on values that nobody kept:
then the answer is `CannotTell`, with the rules it hangs on and what they want, and never a guess. A rule that certainly
refuses decides whatever the others would have said; an earlier one might have been the one reported.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final, Literal, TypeAlias, cast

from gateway.authoring.implied import condition_key
from gateway.authoring.kept import Part, Selected, Sketch, Unknown, is_told
from gateway.jsonrpc import Json
from gateway.policy import Decision, Facts, Limit, Policy, ToolCall
from gateway.policy.amounts import Unmeasurable, measure
from gateway.policy.checks import Check, Condition, holds
from gateway.policy.compiled import Applied
from gateway.policy.decision import Repeat
from gateway.policy.judge import until_again
from gateway.policy.layers import meet
from gateway.policy.paths import argument
from gateway.policy.refusals import (
    denied,
    refuse_default,
    refuse_hidden,
    refuse_repeat,
    refuse_uncounted,
    refuse_unknown_tool,
)
from gateway.policy.values import ABSENT, Found, Truth, all_of, any_of

CheckKey: TypeAlias = tuple[object, ...]
Answers: TypeAlias = Mapping[CheckKey, bool]
"""What is known of checks, whatever policy they stand in: whether they fired."""
_Truths: TypeAlias = frozenset[Truth]
_ANY: Final[_Truths] = frozenset({True, False, None})
_BEHIND: Final = frozenset({"repeat", "limit"})
"""Reasons of refusals that come after every check."""
_BY_TYPE: Final = frozenset({"exists", "regex", "lt", "lte", "gt", "gte"})
"""Operators that judge a list or an object by its type alone."""


@dataclass(frozen=True, slots=True)
class CannotTell:
    """The verdict hangs on these rules, and they on what is `unknown` (in a few words each)."""

    rules: tuple[str, ...]
    unknown: tuple[str, ...] = ()


def judge(policy: Policy, sketch: Sketch, facts: Facts, answers: Answers) -> Decision | CannotTell:
    """What the policy says of the call, as far as that can be known."""
    if not facts.mirrored:
        return refuse_unknown_tool(sketch.tool)
    told = [(layer.layer, _layer(layer, sketch, facts, answers)) for layer in policy.layers]
    known = [(layer, decision) for layer, decision in told if isinstance(decision, Decision)]
    if len(known) == len(told) or any(decision.effect == "deny" for _, decision in known):
        return meet(known)
    doubts = [said for _, said in told if isinstance(said, CannotTell)]
    return _together(doubts)


def _together(doubts: Iterable[CannotTell]) -> CannotTell:
    all_doubts = tuple(doubts)
    unknown = dict.fromkeys(words for doubt in all_doubts for words in doubt.unknown)
    return CannotTell(tuple(rule for doubt in all_doubts for rule in doubt.rules), tuple(unknown))


def _layer(policy: Policy, sketch: Sketch, facts: Facts, answers: Answers) -> Decision | CannotTell:
    applied = policy.applied(sketch.tool)
    if applied.hidden is not None:
        return refuse_hidden(sketch.tool)
    would = None if applied.listed or policy.default_allows else refuse_default(sketch.tool)
    if would is not None and not policy.observed:
        return would
    doubtful: dict[bool, list[CannotTell]] = {True: [], False: []}
    counted = {limit for limit in applied.limits if limit not in applied.measured}
    judged = (*_checked(applied, sketch, facts, answers), *_looped(applied, sketch, facts), *_measured(applied, sketch))
    for item, said in judged:
        if isinstance(said, CannotTell):
            doubtful[item.observed].append(said)
        elif isinstance(said, Decision) and not item.observed:
            return said
        elif isinstance(said, Decision):
            would = would or said
        elif isinstance(item, Limit):
            counted.add(item)
    if doubtful[False]:
        return _together(doubtful[False])
    asked = [(check, _fires(check, sketch, facts, answers)) for check in applied.approvals]
    limits = tuple(limit for limit in applied.limits if limit in counted and (would is None or not limit.observed))
    found = _obliged(applied.rule, would, limits, asked)
    if doubtful[True] and isinstance(found, Decision) and found.effect == "allow":
        return _together(doubtful[True])  # relayed in any case, but perhaps recorded as one it would deny
    return found


_Said: TypeAlias = tuple[Check | Limit | Repeat, Decision | Literal["passes"] | CannotTell]
"""A rule and what it says: a denial, nothing, or that nobody can tell."""


def _checked(applied: Applied, sketch: Sketch, facts: Facts, answers: Answers) -> Iterator[_Said]:
    for check in applied.checks:
        fired = _fires(check, sketch, facts, answers)
        kind = "validate" if check.kind == "schema" else check.kind
        if isinstance(fired, CannotTell):
            yield check, fired
        else:
            yield check, denied(check.rule, kind, "") if fired else "passes"


def _looped(applied: Applied, sketch: Sketch, facts: Facts) -> Iterator[_Said]:
    """How often the same call was made is known beside the arguments, or not at all (`replay`)."""
    for repeat in applied.repeats:
        wait = until_again(repeat, facts)
        yield repeat, refuse_repeat(sketch.tool, repeat, wait) if wait else "passes"


def _measured(applied: Applied, sketch: Sketch) -> Iterator[_Said]:
    """A limit that counts by values: without them it cannot count, but a value that was absent is none."""
    for limit in applied.measured:
        paths = [path for path in (limit.cost, limit.per) if path is not None]
        unknown = tuple(words for path in paths for words in _wanting(path.text, sketch.select(path)))
        fault = None if unknown else measure(limit, _standing(sketch))
        if unknown:
            yield limit, CannotTell((limit.rule,), unknown)
        else:
            yield limit, refuse_uncounted(limit, fault) if isinstance(fault, Unmeasurable) else "passes"


def _standing(sketch: Sketch) -> Mapping[str, Json]:
    """Arguments in which every path that finds nothing unknown finds what it found in the call."""
    return {name: cast(Json, _filled(item)) for name, item in sketch.values.items()}


def _filled(item: Selected) -> Found:
    if isinstance(item, Unknown):
        return None
    if not isinstance(item, Part):
        return item
    if isinstance(item.members, Mapping):
        return {key: cast(Json, _filled(inner)) for key, inner in item.members.items()}
    return [cast(Json, _filled(inner)) for inner in item.members]


def _obliged(
    permits: str, would: Decision | None, limits: tuple[Limit, ...], asked: Sequence[tuple[Check, bool | CannotTell]]
) -> Decision | CannotTell:
    """What is left where no check refuses: `asked` are the approvals, and whether they fire."""
    for check, fired in asked:
        if fired is True:
            return Decision("approve", check.rule, "approval", "", limits)
    doubts = [fired for _, fired in asked if isinstance(fired, CannotTell)]
    if doubts:
        return _together(doubts)
    if would is not None:
        return Decision("observe", would.rule, would.reason, "", limits)
    return Decision("allow", permits, "allowed", "", limits)


def _fires(check: Check, sketch: Sketch, facts: Facts, answers: Answers) -> bool | CannotTell:
    """Whether a check fires, where that does not depend on what is unknown."""
    if check.kind == "action":
        return True
    if key(check) in answers:
        return answers[key(check)]
    if check.kind in ("validate", "schema"):
        return _validates(check, sketch, facts)
    every = check.kind == "require"
    truths = _all([_truths(item, sketch, facts, every=every) for item in check.conditions])
    fired = {truth is not True if every else truth is not False for truth in truths}
    if len(fired) == 1:
        return fired.pop()
    return CannotTell((check.rule,), tuple(dict.fromkeys(_wanted(check, sketch))))


def _validates(check: Check, sketch: Sketch, facts: Facts) -> bool | CannotTell:
    """Whether something that the tool requires is missing; the rest of a schema is judged by whole arguments only."""
    found = {name: sketch.argument(name) for name in facts.required_arguments}
    if any(item is None or item is ABSENT for item in found.values()):
        return True
    unknown = [
        f"`{argument(name)}` ({item.why})"
        for name, item in found.items()
        if isinstance(item, Unknown) and not item.present
    ]
    if facts.schema is None:
        unknown = ["the tool's definition"]
    elif check.kind == "schema":
        unknown = ["all arguments, whole"]
    return CannotTell((check.rule,), tuple(unknown)) if unknown else False


# --- conditions on what is not wholly known ---------------------------------------------------------------------------


def _truths(condition: Condition, sketch: Sketch, facts: Facts, *, every: bool) -> _Truths:
    """Everything that a condition may come to."""
    if condition.path.root != "args":
        return frozenset({holds(condition, ToolCall(sketch.tool, {}), facts, every=every)})
    found = [_judged(condition, item) for item in sketch.select(condition.path)]
    if len(found) == 1:
        return found[0]
    if every:
        return _all(found) if found else frozenset({False})
    return frozenset(any_of(truths) for truths in _each(found))


def _judged(condition: Condition, found: Selected) -> _Truths:
    if isinstance(found, Unknown):
        known = condition.op == "exists" and found.present
        return frozenset({condition.judge(found.why)}) if known else _ANY
    if isinstance(found, Part):
        return frozenset({condition.judge(found.shape)}) if condition.op in _BY_TYPE else _ANY
    return frozenset({condition.judge(found)})


def _all(found: Iterable[_Truths]) -> _Truths:
    return frozenset(all_of(truths) for truths in _each(found))


def _each(found: Iterable[_Truths]) -> Iterator[tuple[Truth, ...]]:
    """Every choice of one truth of each: of sets that are equal one is enough, for AND and OR alike."""
    return product(*set(found))


def _wanted(check: Check, sketch: Sketch) -> Iterator[str]:
    for condition in check.conditions:
        if condition.path.root == "args":
            yield from _wanting(condition.path.text, sketch.select(condition.path))


def _wanting(path: str, found: Iterable[Selected]) -> Iterator[str]:
    for item in found:
        if not is_told(item):
            yield f"`{path}` ({item.why if isinstance(item, Unknown) else 'redacted in part'})"


# --- what the recorded verdict tells ----------------------------------------------------------------------------------


def key(check: Check) -> CheckKey:
    """What a check says, wherever it stands: two checks with one key fire for the same calls."""
    kind = "deny_if" if check.kind == "approval" else check.kind
    return (kind, *sorted(map(condition_key, check.conditions)))


def answered(policy: Policy, tool: str, *, effect: str, reason: str, rule: str) -> dict[CheckKey, bool]:
    """What a verdict of `policy` says of its own checks.

    They are judged in order, and approvals after limits that are used up. What is only observed stops nothing: the
    first of it that fires is what an `observe` names, and nothing is known of those behind it. Of several layers only
    that a call passed all of them is said.
    """
    if effect == "allow" and reason == "allowed":
        each = [layer.applied(tool) for layer in policy.layers]
        return {key(check): False for applied in each for check in (*applied.checks, *applied.approvals)}
    if policy.also:
        return {}
    applied = policy.applied(tool)
    enforced = tuple(check for check in applied.checks if not check.observed)
    if effect == "observe":
        passed = {key(check): False for check in (*enforced, *applied.approvals)}
        tried = tuple(check for check in applied.checks if check.observed)
        return {**_until(rule, tried, at_all=reason in _BEHIND), **passed}
    if reason in _BEHIND:
        return {key(check): False for check in enforced}
    return _until(rule, (*enforced, *applied.approvals), at_all=False)


def _until(rule: str, checks: Iterable[Check], *, at_all: bool) -> dict[CheckKey, bool]:
    """That none of the checks fired before the one of this rule, and it did; `at_all`: none of them did."""
    found: dict[CheckKey, bool] = {}
    for check in checks:
        if check.rule == rule:
            return {**found, key(check): True}
        found[key(check)] = False
    return found if at_all else {}
