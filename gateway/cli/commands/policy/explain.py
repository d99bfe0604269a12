"""`policy explain`: what would become of one call, check by check, and what would change it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from difflib import get_close_matches
from typing import Final, cast

import click

from gateway.cli.flags import REACHING, json_flag, with_settings
from gateway.cli.in_force import InForce, policy_in_force, state
from gateway.cli.screen import Row, document, note, say, table
from gateway.cli.words import amount, local, rate, shown, span
from gateway.clock import SystemClock
from gateway.errors import UsageError
from gateway.jsonrpc import Json, loads
from gateway.keyid import known_tools
from gateway.policy import Circumstances, Decision, Facts, InputSchema, Limit, Policy, ToolCall, refuse_limit
from gateway.policy.amounts import Unmeasurable, measure
from gateway.policy.explanation import Explanation, Step, explain, obstacles
from gateway.settings import Settings
from gateway.state import Charge, Charging, Exhausted, Usage, digests, lists

HELP: Final = """Say what would become of one call of TOOL with these ARGUMENTS (a JSON object), and why.

Nothing is called and nothing counted. The moment is now, in a session that has just begun. The tool is taken as the
server announced it last, or as KeyID publishes it; --live asks the server now. Exit code 0: allowed, 1: denied.

--why-not allow says all that would have to change for the call to be allowed, not only what refuses it first.

Times are of this machine's zone; --json has seconds since 1970 (UTC). Mistakes are plain text on standard error, with
--json as well; standard output is then empty.

\b
Example:
  keyid-gateway policy explain send_email '{"to": "ada@example.com"}'

\b
--json: {"tool", "policy": {"name", "revision"}, "decision": {"effect",
  "rule", "reason", "message", "retry_after_seconds", "line"},
  "steps": [{"kind", "rule", "line", "value", "refuses", "decided",
  "conditions": [{"path", "op", "operand", "value", "found"}]}],
  "limits": [{"rule", "counter", "max", "window", "scope", "used",
  "resets_at"}], "change", "obstacles": [what would have to change]}"""


@dataclass(frozen=True, slots=True)
class Counted:
    """A limit of the call and its counter now; `usage` is None where nothing is used."""

    limit: Limit
    usage: Usage | None


@dataclass(frozen=True, slots=True)
class Answer:
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


@click.command("explain", help=HELP, short_help="say what would become of one call, and why")
@click.argument("tool")
@click.argument("arguments", required=False)
@with_settings("policy", "grant", *REACHING)
@click.option("--live", is_flag=True, help="ask the server whether it has the tool, and what it requires")
@click.option("--why-not", type=click.Choice(["allow"]), metavar="allow", help="say everything that stands in the way")
@json_flag
def command(
    settings: Settings, *, tool: str, arguments: str | None, live: bool, why_not: str | None, as_json: bool
) -> int:
    """The command; its help is `HELP`."""
    call = ToolCall(tool, _object(arguments))
    in_force = policy_in_force(settings)
    if not live:
        _doubt(tool, in_force)
    facts = _facts(settings, tool, in_force.policy, live=live)
    explanation = explain(in_force.policy, call, facts)
    answer = _counted(settings, in_force, explanation)
    obstructed = _obstacles(answer, obstacles(in_force.policy, call, facts))
    if as_json:
        document({**_data(answer), "obstacles": obstructed})
    elif why_not is not None:
        _say_obstacles(answer, obstructed)
    else:
        _show(answer)
    return 0 if answer.decision.effect in ("allow", "observe") else 1


def _obstacles(answer: Answer, found: Sequence[str]) -> list[str]:
    """What stands in the way, used up limits included: those are only known where nothing else refuses."""
    return [*found, answer.change] if answer.decision.reason == "limit" and not found else list(found)


def _say_obstacles(answer: Answer, obstructed: Sequence[str]) -> None:
    tool = shown(answer.explanation.call.tool, 128)
    say(f"`{tool}` under {answer.in_force.name}: {_VERDICTS[answer.decision.effect]}")
    say("nothing stands in the way" if not obstructed else "to be allowed, all of this would have to change:")
    for number, words in enumerate(obstructed, 1):
        say(f"  {number}. {shown(words)}")


def _doubt(tool: str, in_force: InForce) -> None:
    """Say so where neither KeyID nor the policy is known to have the tool."""
    known = {*known_tools(), *in_force.policy.entries, *in_force.policy.hide}
    if tool not in known:
        close = get_close_matches(tool, known, n=1)
        meant = f"did you mean `{shown(close[0])}`?" if close else "--live asks the server"
        note(f"note: `{shown(tool, 128)}` is taken as announced, but nothing is known of it; {meant}")


def _object(text: str | None) -> Mapping[str, Json]:
    if text is None:
        return {}
    hint = 'write it in single quotes, so that the shell leaves it alone: \'{"to": "ada@example.com"}\''
    try:
        value = loads(text)
    except (ValueError, ArithmeticError, RecursionError):
        raise UsageError(f"`{shown(text, 60)}` is not valid JSON", hint) from None
    if not isinstance(value, dict):
        raise UsageError(f"`{shown(text, 60)}` is not a JSON object", hint)
    return value


def _facts(settings: Settings, tool: str, policy: Policy, *, live: bool) -> Facts:
    """What is known of the tool; the moment is now, and the session one that has just begun."""
    now = SystemClock().now()
    since: Mapping[str, Decimal] = {}
    with state(settings.state) as opened:
        if opened is not None:
            since = opened.calls.since(settings.server, settings.grant, policy.asks_since, now)
    facts = _live(settings, tool) if live else _announced(settings, tool)
    return replace(facts, circumstances=Circumstances(now, settings.grant, "", {}, 0, since))


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


def _counted(settings: Settings, in_force: InForce, explanation: Explanation) -> Answer:
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
        decision = replace(refuse_limit(tried.charge.limit, tried.retry_after_seconds), effect="observe")
    limits = tuple(Counted(charge.limit, usages.get(charge.key)) for charge in charges)
    return Answer(in_force, explanation, decision, limits, now)


def _countable(in_force: InForce, call: ToolCall) -> list[Limit]:
    """The limits of a call that is refused before they are asked, as far as they could count it."""
    limits = (limit for layer in in_force.policy.layers for limit in layer.applied(call.tool).limits)
    return [limit for limit in limits if not isinstance(measure(limit, call.arguments), Unmeasurable)]


def _is_kept(charge: Charge) -> bool:
    """Whether the counter outlives a session: one of a session begins empty with the next."""
    return charge.limit.scope != "session"


# --- for programs -----------------------------------------------------------------------------------------------------


def _data(answer: Answer) -> Mapping[str, object]:
    decision = asdict(answer.decision)
    del decision["limits"]
    return {
        "tool": answer.explanation.call.tool,
        "policy": {"name": answer.in_force.policy.name, "revision": answer.in_force.policy.revision},
        "decision": {**decision, "line": answer.line},
        "steps": [asdict(step) for step in answer.explanation.steps],
        "limits": [_limit_data(counted) for counted in answer.limits],
        "change": answer.change,
    }


def _limit_data(counted: Counted) -> Mapping[str, object]:
    limit, usage = counted.limit, counted.usage
    return {
        "rule": limit.rule,
        "counter": limit.counter,
        "max": amount(limit.maximum),
        "window": limit.window,
        "scope": limit.scope,
        "used": 0 if usage is None else amount(usage.used),
        "resets_at": None if usage is None else usage.resets_at,
    }


# --- for people -------------------------------------------------------------------------------------------------------

_VERDICTS: Final[Mapping[str, str]] = {
    "allow": "allowed",
    "deny": "denied",
    "approve": "needs a person's approval, which this version cannot ask for: refused",
    "observe": "allowed, but only because a rule is being tried out (`mode`): it would be denied",
}
_MARKS: Final[Mapping[str, str]] = {"deny": "[POLICY DENIED]", "approve": "[APPROVAL REQUIRED]"}
_KINDS: Final[Mapping[str, str]] = {
    "mirrored": "announced",
    "hide": "hidden",
    "listed": "permitted",
    "validate": "required arguments",
    "schema": "fits the tool's schema",
}


def _show(answer: Answer) -> None:
    decision = answer.decision
    call = answer.explanation.call
    say(f"`{shown(call.tool, 128)}` under {answer.in_force.name}: {_VERDICTS[decision.effect]}")
    if decision.message and decision.effect == "observe":
        say(f"the log says: would deny: {shown(decision.message)}")
    elif decision.message:
        say(f"the agent reads: {_MARKS[decision.effect]} {shown(decision.message)}")
    say()
    rows = [row for step in answer.explanation.steps for row in _rows(step, answer)]
    table(("", "check", "value", "line", "rule"), rows)
    say()
    place = answer.in_force.place(answer.line)
    say(f"decided by: {shown(decision.rule)}{f' ({place})' if place else ''}")
    say(answer.change if decision.effect == "allow" else f"what would change it: {answer.change}")


def _rows(step: Step, answer: Answer) -> list[Row]:
    decides = step.rule == answer.decision.rule and (step.decided or answer.decision.reason == "limit")
    mark = (">", "bold") if decides else " "
    line = "" if step.line is None else str(step.line)
    rule = "" if step.rule.startswith("(") and not step.refuses else shown(step.rule)
    if step.kind == "limit":
        word, standing = _standing(step, answer)
        rows: list[Row] = [(mark, "limit", (word, "red" if word == "used up" else ""), line, rule)]
        return [*rows, (" ", "", "", "", (f"  {standing}", "dim"))] if standing else rows
    rows = [(mark, _KINDS.get(step.kind, step.kind), (_yes(step), "red" if step.refuses else ""), line, rule)]
    for condition in step.conditions:
        words = f"{condition.path} {condition.op} {condition.operand}"
        there = f": {shown(condition.found, 100)}" if condition.found and condition.value != "absent" else ""
        rows.append((" ", "", (condition.value, "dim"), "", (f"  {shown(words, 100)}{there}", "dim")))
    return rows


def _yes(step: Step) -> str:
    words: Mapping[str, str] = {"true": "yes", "false": "no"}
    return words.get(step.value, step.value) if step.kind in _KINDS else step.value


def _standing(step: Step, answer: Answer) -> tuple[str, str]:
    """Whether a limit is used up, and how far it is used."""
    found = next((counted for counted in answer.limits if counted.limit.rule == step.rule), None)
    if found is None:
        return "not reached", ""
    limit, usage = found.limit, found.usage
    if limit.scope == "session":
        return "open", f"{rate(limit)}, in each session"
    if usage is None:
        return "open", f"0 of {rate(limit)} used"
    word = "used up" if usage.used >= limit.maximum else "open"
    resets = "" if usage.resets_at is None else f", resets {local(usage.resets_at):%H:%M:%S %Z}"
    return word, f"{amount(usage.used)} of {rate(limit)} used{resets}"
