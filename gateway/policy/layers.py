"""Layers: several documents that a call needs all of. Each only restricts, so their order is only that of reasons.

`meet` is the whole algebra: a refusal of one is the refusal of all; a question of one is asked; what is owed to each
is owed. A rule of another layer than the user's carries the layer's name.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from gateway.policy.compiled import Entry, Policy
from gateway.policy.decision import Decision, Layer


def compose(user: Policy, others: Sequence[Policy]) -> Policy:
    """The user's policy, which from now on allows only what the others allow as well."""
    if not others:
        return user
    said = "\n".join(f"{policy.layer} {policy.revision}" for policy in (user, *others))
    return replace(
        user,
        also=tuple(others),
        revision=hashlib.sha256(said.encode()).hexdigest()[:16],
        warnings=tuple(warning for policy in (user, *others) for warning in policy.warnings),
        has_repeat=any(policy.has_repeat for policy in (user, *others)),
        asks_since=frozenset[str]().union(*(policy.asks_since for policy in (user, *others))),
    )


def unrestricted(layer: Layer) -> Policy:
    """A layer that says nothing, because it has no document: its text is empty."""
    return Policy(
        name=f"no {layer} policy",
        revision="",
        default_allows=True,
        text="",
        warnings=(),
        hide={},
        hide_all=None,
        entries={},
        patterns=(),
        all_tools=Entry("all_tools", "/all_tools"),
        layer=layer,
    )


def named(decision: Decision, layer: Layer) -> Decision:
    """A decision of a layer, said in its name."""
    if layer == "user" or decision.effect == "allow":
        return decision
    asked = tuple(replace(approval, rule=f"{layer}:{approval.rule}") for approval in decision.approvals)
    said = f"{decision.message} ({layer} policy)"
    return decision._replace(rule=f"{layer}:{decision.rule}", message=said, approvals=asked)


def meet(decisions: Sequence[tuple[Layer, Decision]]) -> Decision:
    """What several layers say together."""
    told = [named(decision, layer) for layer, decision in decisions]
    denial = next((decision for decision in told if decision.effect == "deny"), None)
    if denial is not None:
        return denial
    limits = tuple(limit for decision in told for limit in decision.limits)
    for effect in ("approve", "observe"):
        first = next((decision for decision in told if decision.effect == effect), None)
        if first is not None:
            asked = tuple(approval for decision in told for approval in decision.approvals)
            return first._replace(limits=limits, approvals=asked)
    users = next((decision for layer, decision in decisions if layer == "user"), told[0])
    return users._replace(limits=limits)
