"""What a policy makes of a tool before any call: one word, the rule behind it, the tool's own limits. Pure.

The order is that of the decision: hidden, default deny, what refuses every call, what needs a person for every call,
what depends on the arguments, limits.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

from gateway.cli.words import rate
from gateway.policy import Limit, Policy
from gateway.policy.checks import Check

Effect: TypeAlias = Literal["allowed", "limited", "depends_on_arguments", "needs_approval", "denied", "hidden"]
EFFECTS: Final[tuple[Effect, ...]] = get_args(Effect)
STYLES: Final[Mapping[Effect, str]] = {
    "allowed": "green",
    "limited": "green",
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
    """What the policy makes of a tool."""
    if policy.hidden(tool) is not None:
        return Standing("hidden", "(hidden)")
    listed = policy.listed(tool)
    if not listed and not policy.default_allows:
        return Standing("denied", "(default deny)")
    entries = (*listed, policy.all_tools)
    limits = tuple(limit for entry in listed for limit in entry.limits)
    checks = [check for entry in entries for check in entry.checks]
    approvals = [check for entry in entries for check in entry.approvals]
    for check in checks:
        if _refuses_all(check):
            return Standing("denied", check.rule)
    for check in approvals:
        if not check.conditions:
            return Standing("needs_approval", check.rule, limits)
    for check in (*checks, *approvals):
        if check.conditions:
            return Standing("depends_on_arguments", check.rule, limits)
    if limits:
        return Standing("limited", limits[0].rule, limits)
    return Standing("allowed", listed[0].rule if listed else "(default allow)")


def _refuses_all(check: Check) -> bool:
    return check.kind == "action" or (check.kind == "deny_if" and not check.conditions)
