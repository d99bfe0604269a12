"""What would become of a call, limits included, without making it: nothing is counted, recorded or sent.

The moment is now, in a session that has just begun.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import cast

from gateway.cli.in_force import InForce, state
from gateway.cli.words import span
from gateway.clock import SystemClock
from gateway.jsonrpc import Json
from gateway.keyid import known_tools
from gateway.policy import Circumstances, Decision, Facts, InputSchema, Limit, Policy, ToolCall, refuse_limit
from gateway.policy.amounts import Unmeasurable, measure
from gateway.policy.explanation import Explanation
from gateway.settings import Settings
from gateway.state import Charge, Charging, Exhausted, Usage, digests, lists


@dataclass(frozen=True, slots=True)
class Counted:
    """A limit of the call and its counter now; `usage` is None where nothing is used."""

    limit: Limit
    usage: Usage | None


@dataclass(frozen=True, slots=True)
class Foreseen:
    """The whole answer: `decision` is the explanation's, unless a limit is already used up."""

    in_force: InForce
    explanation: Explanation
    decision: Decision
    limits: tuple[Counted, ...]
    now: float

    @property
    def line(self) -> int | None:
        """The line of the rule that decided."""
        rule = self.decision.rule
        return next((step.line for step in self.explanation.steps if step.rule == rule and step.line is not None), None)

    @property
    def change(self) -> str:
        """What would change the decision."""
        if self.decision.reason != "limit":
            return self.explanation.change
        wait = self.decision.retry_after_seconds
        return f"raise `max` (line {self.line})" + ("" if wait is None else f", or wait {span(wait)}")


def facts_of(settings: Settings, tool: str, policy: Policy, *, live: bool) -> Facts:
    """What is known of the tool; the moment is now, and the session one that has just begun."""
    now = SystemClock().now()
    since: Mapping[str, Decimal] = {}
    with state(settings.state) as opened:
        if opened is not None:
            since = opened.calls.since(settings.server, settings.grant, policy.asks_since, now)
    facts = _live(settings, tool) if live else _announced(settings, tool)
    return facts._replace(circumstances=Circumstances(now, settings.grant, "", {}, 0, since))


def _live(settings: Settings, tool: str) -> Facts:
    from gateway.cli.live_list import fetch

    return fetch(settings).facts(tool)


def _announced(settings: Settings, tool: str) -> Facts:
    """By the list that the server announced last, else by what KeyID publishes."""
    catalogue = lists.last(settings.state, settings.server)
    return catalogue.facts(tool) if catalogue is not None and tool in catalogue else _known(tool)


def _known(tool: str) -> Facts:
    known = known_tools().get(tool)
    if known is None:
        return Facts(mirrored=True)
    required = known.input_schema.get("required")
    names = tuple(map(str, required)) if isinstance(required, list) else ()
    return Facts(
        mirrored=True, required_arguments=names, schema=InputSchema(cast("dict[str, Json]", known.input_schema))
    )


# --- the counters of the call -----------------------------------------------------------------------------------------


def foreseen(settings: Settings, in_force: InForce, explanation: Explanation) -> Foreseen:
    """The explanation with the counters of this moment: a limit that is used up decides."""
    decision, now = explanation.decision, SystemClock().now()
    digest = digests(settings.state) if settings.state.exists() else str
    charging = Charging(server=settings.server, grant=settings.grant, session="")
    call = explanation.call
    charges = list(charging.of(decision.limits or _countable(in_force, call), call.arguments, digest))
    usages: dict[object, Usage] = {}
    exhausted: Exhausted | None = None
    tried: Exhausted | None = None
    with state(settings.state) as opened:
        if opened is not None:
            kept = [charge for charge in charges if _is_kept(charge)]
            usages = {usage.key: usage for usage in opened.counters.usage(now)}
            kept = kept if decision.limits else []  # what something else refuses is not counted
            exhausted = opened.counters.peek([charge for charge in kept if not charge.limit.observed], now)
            tried = opened.counters.peek([charge for charge in kept if charge.limit.observed], now)
    if exhausted is not None and decision.effect in ("allow", "observe"):
        decision = refuse_limit(exhausted.charge.limit, exhausted.retry_after_seconds)
    elif tried is not None and decision.effect == "allow":
        decision = refuse_limit(tried.charge.limit, tried.retry_after_seconds)._replace(effect="observe")
    limits = tuple(Counted(charge.limit, usages.get(charge.key)) for charge in charges)
    return Foreseen(in_force, explanation, decision, limits, now)


def _countable(in_force: InForce, call: ToolCall) -> list[Limit]:
    """The limits of a call that is refused before they are asked, as far as they could count it."""
    limits = (limit for layer in in_force.policy.layers for limit in layer.applied(call.tool).limits)
    return [limit for limit in limits if not isinstance(measure(limit, call.arguments), Unmeasurable)]


def _is_kept(charge: Charge) -> bool:
    """Whether the counter outlives a session: one of a session begins empty with the next."""
    return charge.limit.scope != "session"
