"""What one call would come to at this moment, without making it: for `call --dry-run`.

As `run` decides it: the switch goes first, then the pins, then the policy and its limits. Nothing is sent, recorded or
charged. What the server says of itself when it is asked (its instructions) is not known here.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, cast

from gateway.catalogue import Catalogue
from gateway.cli.foreseen import Counted, Foreseen, facts_of, foreseen
from gateway.cli.in_force import policy_in_force, state
from gateway.cli.kept import not_kept
from gateway.cli.screen import say
from gateway.cli.words import amount, local, rate, shown
from gateway.halted import halted
from gateway.jsonrpc import Json
from gateway.keyid import known_tools
from gateway.policy import Decision, ToolCall
from gateway.policy.explanation import explain
from gateway.policy.refusals import refuse_changed_tool
from gateway.settings import Settings
from gateway.state import Transaction, lists

_DECISION: Final = ("effect", "rule", "reason", "message", "retry_after_seconds")


def decided(settings: Settings, call: ToolCall) -> Foreseen:
    """What would be decided of it. Raises `ConfigError`, `StateError`."""
    in_force = policy_in_force(settings)
    facts = facts_of(settings, call.tool, in_force.policy, live=False)
    found = foreseen(settings, in_force, explain(in_force.policy, call, facts))
    with state(settings.state) as opened:
        first = None if opened is None else _refused_first(opened, settings, call.tool)
    return found if first is None else replace(found, decision=first, limits=())


def _refused_first(opened: Transaction, settings: Settings, tool: str) -> Decision | None:
    """What refuses the call before any policy is asked."""
    halt = opened.switch.look(settings.grant)
    if halt is not None:
        return halted(halt)
    announced = lists.last(settings.state, settings.server)
    pin = None if announced is None else not_kept(opened, settings, announced).get(tool)
    return None if pin is None else refuse_changed_tool(tool, pin)


def published(tool: str) -> Catalogue | None:
    """What KeyID publishes of a tool, where no server was ever asked."""
    known = known_tools().get(tool)
    if known is None:
        return None
    catalogue = Catalogue()
    catalogue.page(None, {"tools": [{"name": tool, "inputSchema": cast("dict[str, Json]", known.input_schema)}]})
    return catalogue


def show(found: Foreseen) -> None:
    """Say it to a person."""
    decision, tool = found.decision, found.explanation.call.tool
    verdict = {"allow": "would be allowed", "observe": "would be allowed, and recorded as one that would be denied"}
    verdict |= {"approve": "would wait for a person's approval"}
    say(f"`{shown(tool, 128)}` {verdict.get(decision.effect, 'would be denied')} under {found.in_force.name}")
    if decision.message:
        say(f"because: {shown(decision.message)}")
    place = found.in_force.place(found.line)
    say(f"rule: {shown(decision.rule)}{f' ({place})' if place else ''}")
    for counted in found.limits:
        say(f"limit: {_full(counted)}")
    say("nothing was sent, recorded or charged")


def _full(counted: Counted) -> str:
    """A limit and how far it is used: `2 of 5 per hour used, resets 12:00:00 CET`."""
    limit, usage = counted.limit, counted.usage
    if limit.scope == "session":
        return f"{rate(limit)}, in each session"
    used = 0 if usage is None else amount(usage.used)
    resets = "" if usage is None or usage.resets_at is None else f", resets {local(usage.resets_at):%H:%M:%S %Z}"
    return f"{used} of {rate(limit)} used{resets}"


def as_data(found: Foreseen) -> Mapping[str, object]:
    """The same as JSON; its form is part of the help of `call`."""
    decision = found.decision
    return {
        "tool": found.explanation.call.tool,
        "decision": {name: getattr(decision, name) for name in _DECISION},
        "limits": [
            {
                "rule": counted.limit.rule,
                "counter": counted.limit.counter,
                "max": amount(counted.limit.maximum),
                "window": counted.limit.window,
                "scope": counted.limit.scope,
                "used": 0 if counted.usage is None else amount(counted.usage.used),
                "resets_at": None if counted.usage is None else counted.usage.resets_at,
            }
            for counted in found.limits
        ],
    }
