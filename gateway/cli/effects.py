"""What a policy makes of a tool before any call: one word, the rule behind it, the tool's own limits. Pure.

The order is that of the decision: hidden, default deny, what refuses every call, what needs a person for every call,
what depends on the arguments or the moment, what is only being tried out, limits.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

from gateway.cli.words import rate
from gateway.policy import Limit, Policy
from gateway.policy.checks import Check
from gateway.policy.compiled import Applied
from gateway.policy.judge import refuses_outright

Effect: TypeAlias = Literal[
    "allowed", "limited", "observed", "depends_on_arguments", "needs_approval", "denied", "hidden"
]
EFFECTS: Final[tuple[Effect, ...]] = get_args(Effect)
STYLES: Final[Mapping[Effect, str]] = {
    "allowed": "green",
    "limited": "green",
    "observed": "yellow",
    "depends_on_arguments": "yellow",
    "needs_approval": "yellow",
    "denied": "red",
    "hidden": "dim",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """What becomes of a tool; `rule` is a word in parentheses or a pointer into the document."""

    effect: Effect
    rule: str
    limits: tuple[Limit, ...] = ()

    @property
    def words(self) -> str:
        """`limited: 30 per minute`, `depends on arguments; 5 per minute, 30 per day`."""
        said = self.effect.replace("_", " ")
        rates = ", ".join(map(rate, self.limits))
        if not rates:
            return said
        return f"{said}{':' if self.effect == 'limited' else ';'} {rates}"


def standing(policy: Policy, tool: str) -> Standing:
    """What the policy, in all of its layers, makes of a tool: the strictest word that one of them has for it."""
    found = [(layer, _standing(layer, tool)) for layer in policy.layers]
    limits = tuple(limit for _, each in found for limit in each.limits)
    layer, strictest = max(found, key=lambda each: (EFFECTS.index(each[1].effect), each[0].layer == "user"))
    rule = strictest.rule if layer.layer == "user" else f"{layer.layer}:{strictest.rule}"
    return Standing(strictest.effect, rule, () if strictest.effect in ("denied", "hidden") else limits)


def _standing(policy: Policy, tool: str) -> Standing:
    applied = policy.applied(tool)
    if applied.hidden is not None:
        return Standing("hidden", "(hidden)")
    if not applied.listed and not policy.default_allows:
        return Standing("observed" if policy.observed else "denied", "(default deny)")
    limits = tuple(limit for entry in applied.listed for limit in entry.limits)
    checks = [check for check in applied.checks if not check.observed]
    ruled: tuple[tuple[Effect, str | None], ...] = (
        ("denied", _first(check.rule for check in checks if refuses_outright(check))),
        ("needs_approval", _first(check.rule for check in applied.approvals if not check.conditions)),
        ("depends_on_arguments", _first(check.rule for check in (*checks, *applied.approvals) if _looks(check))),
        ("observed", _first(tried.rule for tried in _tried(applied))),
        ("limited", _first(limit.rule for limit in limits)),
    )
    for effect, rule in ruled:
        if rule is not None:
            return Standing(effect, rule, () if effect == "denied" else limits)
    return Standing("allowed", applied.rule)


def _first(rules: Iterable[str]) -> str | None:
    return next(iter(rules), None)


def _tried(applied: Applied) -> Iterator[Check | Limit]:
    yield from (check for check in applied.checks if check.observed)
    yield from (limit for limit in applied.limits if limit.observed)


def _looks(check: Check) -> bool:
    return bool(check.conditions) or check.kind == "schema"
