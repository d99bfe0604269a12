"""What a policy says of a call of which only the names of the arguments are known, as the audit log keeps them.

Some of it is certain all the same. An argument that was not named was absent. A rule that does not look at arguments
needs none. And a rule that stands unchanged in the policy that judged the call then had its say in the recorded
verdict: what was allowed had passed every rule of it, what was refused had passed those before the one that refused.

Whatever is left depends on values that nobody kept: then the answer is `CannotTell`, with the rules it hangs on, and
never a guess. A rule that certainly refuses decides whatever the others would have said; an earlier one might have been
the one reported.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from gateway.authoring.implied import condition_key
from gateway.policy import Decision, Facts, Policy, ToolCall
from gateway.policy.amounts import Unmeasurable, measure
from gateway.policy.checks import Check, Condition, fires, holds
from gateway.policy.compiled import Applied
from gateway.policy.layers import meet
from gateway.policy.paths import Path
from gateway.policy.refusals import denied, refuse_default, refuse_hidden, refuse_uncounted, refuse_unknown_tool

CheckKey: TypeAlias = tuple[object, ...]
Answers: TypeAlias = Mapping[CheckKey, bool]
"""What is known of checks, whatever policy they stand in: whether they fired."""


@dataclass(frozen=True, slots=True)
class Sketch:
    """A call without its values: `names` are those of its arguments, None where not all of them are known."""

    tool: str
    names: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class CannotTell:
    """The verdict hangs on these rules, and they on values that were not kept."""

    rules: tuple[str, ...]


def judge(policy: Policy, sketch: Sketch, facts: Facts, answers: Answers) -> Decision | CannotTell:
    """What the policy says of the call, as far as that can be known."""
    if not facts.mirrored:
        return refuse_unknown_tool(sketch.tool)
    told = [(layer.layer, _layer(layer, sketch, facts, answers)) for layer in policy.layers]
    known = [(layer, decision) for layer, decision in told if isinstance(decision, Decision)]
    if len(known) == len(told) or any(decision.effect == "deny" for _, decision in known):
        return meet(known)
    return CannotTell(tuple(rule for _, said in told if isinstance(said, CannotTell) for rule in said.rules))


def _layer(policy: Policy, sketch: Sketch, facts: Facts, answers: Answers) -> Decision | CannotTell:
    applied = policy.applied(sketch.tool)
    if applied.hidden is not None:
        return refuse_hidden(sketch.tool)
    would = None if applied.listed or policy.default_allows else refuse_default(sketch.tool)
    if would is not None and not policy.observed:
        return would
    doubtful: dict[bool, list[str]] = {True: [], False: []}
    for rule, observed, said in (*_checked(applied, sketch, facts, answers), *_measured(applied, sketch)):
        if said is None:
            doubtful[observed].append(rule)
        elif isinstance(said, Decision) and not observed:
            return said
        elif isinstance(said, Decision):
            would = would or said
    if doubtful[False]:
        return CannotTell(tuple(doubtful[False]))
    found = _obliged(applied, would, sketch, facts, answers)
    if doubtful[True] and isinstance(found, Decision) and found.effect == "allow":
        return CannotTell(tuple(doubtful[True]))  # relayed in any case, but perhaps recorded as one it would deny
    return found


_Said: TypeAlias = tuple[str, bool, Decision | Literal["passes"] | None]
"""A rule, whether it is only observed, and what it says: a denial, nothing, or that nobody can tell (None)."""


def _checked(applied: Applied, sketch: Sketch, facts: Facts, answers: Answers) -> Iterator[_Said]:
    for check in applied.checks:
        fired = _fires(check, sketch, facts, answers)
        kind = "validate" if check.kind == "schema" else check.kind
        yield (
            check.rule,
            check.observed,
            denied(check.rule, kind, "") if fired else "passes" if fired is False else None,
        )


def _measured(applied: Applied, sketch: Sketch) -> Iterator[_Said]:
    """A limit that counts by values: without them it cannot count, but a value that was absent is none."""
    for limit in applied.measured:
        paths = [path for path in (limit.cost, limit.per) if path is not None]
        fault = measure(limit, {}) if all(_finds_nothing(path, sketch) for path in paths) else None
        said = refuse_uncounted(limit, fault) if isinstance(fault, Unmeasurable) else None
        yield limit.rule, limit.observed, said


def _obliged(
    applied: Applied, would: Decision | None, sketch: Sketch, facts: Facts, answers: Answers
) -> Decision | CannotTell:
    limits = tuple(limit for limit in applied.limits if limit not in applied.measured)
    asked = [(check, _fires(check, sketch, facts, answers)) for check in applied.approvals]
    for check, fired in asked:
        if fired:
            return Decision("approve", check.rule, "approval", "", limits)
    doubtful = tuple(check.rule for check, fired in asked if fired is None)
    if doubtful:
        return CannotTell(doubtful)
    if would is not None:
        return Decision("observe", would.rule, would.reason, "", limits)
    return Decision("allow", applied.rule, "allowed", "", limits)


def _fires(check: Check, sketch: Sketch, facts: Facts, answers: Answers) -> bool | None:
    """Whether a check fires; None where that depends on a value."""
    if check.kind == "action":
        return True
    if key(check) in answers:
        return answers[key(check)]
    if check.kind in ("validate", "schema"):
        return _validates(check, sketch, facts)
    call, every = ToolCall(sketch.tool, {}), check.kind == "require"
    known = [holds(item, call, facts, every=every) for item in check.conditions if _is_known(item, sketch)]
    if every and any(truth is not True for truth in known):
        return True
    if not every and any(truth is False for truth in known):
        return False
    return fires(check, call, facts) if len(known) == len(check.conditions) else None


def _validates(check: Check, sketch: Sketch, facts: Facts) -> bool | None:
    required = facts.required_arguments
    if sketch.names is not None and any(name not in sketch.names for name in required):
        return True
    known = check.kind == "validate" and facts.schema is not None and not required
    return False if known else None


def _is_known(condition: Condition, sketch: Sketch) -> bool:
    return condition.path.root != "args" or _finds_nothing(condition.path, sketch)


def _finds_nothing(path: Path, sketch: Sketch) -> bool:
    return sketch.names is not None and path.steps[0] not in sketch.names


# --- what the recorded verdict tells ----------------------------------------------------------------------------------


def key(check: Check) -> CheckKey:
    """What a check says, wherever it stands: two checks with one key fire for the same calls."""
    kind = "deny_if" if check.kind == "approval" else check.kind
    return (kind, *sorted(map(condition_key, check.conditions)))


def answered(policy: Policy, tool: str, *, allowed: bool, reason: str, rule: str) -> dict[CheckKey, bool]:
    """What a verdict of `policy` says of its own checks.

    They are judged in order, and approvals after limits that are used up; what is only observed stops nothing.
    """
    if policy.also:
        return {}
    applied = policy.applied(tool)
    checks = tuple(check for check in applied.checks if not check.observed)
    found: dict[CheckKey, bool] = {}
    for check in (*checks, *applied.approvals):
        if check.rule == rule and not allowed:
            found[key(check)] = True
            return found
        found[key(check)] = False
    if allowed:
        return found
    return {key(check): False for check in checks} if reason == "limit" else {}
