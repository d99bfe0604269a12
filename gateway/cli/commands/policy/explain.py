"""`policy explain`: what would become of one call, check by check, and what would change it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Final

import click

from gateway.cli import completion
from gateway.cli.arguments import json_object
from gateway.cli.flags import REACHING, json_flag, with_settings
from gateway.cli.foreseen import Counted, Foreseen, facts_of, foreseen
from gateway.cli.in_force import InForce, policy_in_force
from gateway.cli.screen import Row, document, note, say, table
from gateway.cli.words import amount, local, rate, shown
from gateway.errors import meant
from gateway.keyid import known_tools
from gateway.policy import ToolCall
from gateway.policy.explanation import Step, explain, obstacles
from gateway.settings import Settings

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


@click.command("explain", help=HELP, short_help="say what would become of one call, and why")
@click.argument("tool", shell_complete=completion.tools)
@click.argument("arguments", required=False)
@with_settings("policy", "grant", *REACHING)
@click.option("--live", is_flag=True, help="ask the server whether it has the tool, and what it requires")
@click.option("--why-not", type=click.Choice(["allow"]), metavar="allow", help="say everything that stands in the way")
@json_flag
def command(
    settings: Settings, *, tool: str, arguments: str | None, live: bool, why_not: str | None, as_json: bool
) -> int:
    """The command; its help is `HELP`."""
    call = ToolCall(tool, json_object(arguments))
    in_force = policy_in_force(settings)
    if not live:
        _doubt(tool, in_force)
    facts = facts_of(settings, tool, in_force.policy, live=live)
    explanation = explain(in_force.policy, call, facts)
    answer = foreseen(settings, in_force, explanation)
    obstructed = _obstacles(answer, obstacles(in_force.policy, call, facts))
    if as_json:
        document({**_data(answer), "obstacles": obstructed})
    elif why_not is not None:
        _say_obstacles(answer, obstructed)
    else:
        _show(answer)
    return 0 if answer.decision.effect in ("allow", "observe") else 1


def _obstacles(answer: Foreseen, found: Sequence[str]) -> list[str]:
    """What stands in the way, used up limits included: those are only known where nothing else refuses."""
    return [*found, answer.change] if answer.decision.reason == "limit" and not found else list(found)


def _say_obstacles(answer: Foreseen, obstructed: Sequence[str]) -> None:
    tool = shown(answer.explanation.call.tool, 128)
    say(f"`{tool}` under {answer.in_force.name}: {_VERDICTS[answer.decision.effect]}")
    say("nothing stands in the way" if not obstructed else "to be allowed, all of this would have to change:")
    for number, words in enumerate(obstructed, 1):
        say(f"  {number}. {shown(words)}")


def _doubt(tool: str, in_force: InForce) -> None:
    """Say so where neither KeyID nor the policy is known to have the tool."""
    known = {*known_tools(), *in_force.policy.entries, *in_force.policy.hide}
    if tool not in known:
        close = meant(tool, known)
        next_step = f"did you mean `{shown(close)}`?" if close else "--live asks the server"
        note(f"note: `{shown(tool, 128)}` is taken as announced, but nothing is known of it; {next_step}")


# --- for programs -----------------------------------------------------------------------------------------------------


def _data(answer: Foreseen) -> Mapping[str, object]:
    names = ("effect", "rule", "reason", "message", "retry_after_seconds")
    decision = {name: getattr(answer.decision, name) for name in names}
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
    "approve": "needs a person's approval (`keyid-gateway approvals`)",
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


def _show(answer: Foreseen) -> None:
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


def _rows(step: Step, answer: Foreseen) -> list[Row]:
    decides = step.rule == answer.decision.rule and (step.decided or answer.decision.reason == "limit")
    mark = (">", "bold") if decides else " "
    line = "" if step.line is None else str(step.line)
    rule = "" if step.rule.startswith("(") and not step.refuses else shown(step.rule)
    if step.kind == "limit":
        word, standing = _standing(step, answer)
        rows: list[Row] = [(mark, "limit", (word, "red" if word == "used up" else ""), line, rule)]
        return [*rows, (" ", "", "", "", (f"  {standing}", "dim"))] if standing else rows
    if step.kind == "repeat":
        word, often = "loop" if step.value == "true" else "open", _often(step, answer)
        return [
            (mark, "repeat", (word, "red" if step.refuses else ""), line, rule),
            (" ", "", "", "", (f"  {often}", "dim")),
        ]
    rows = [(mark, _KINDS.get(step.kind, step.kind), (_yes(step), "red" if step.refuses else ""), line, rule)]
    for condition in step.conditions:
        words = f"{condition.path} {condition.op} {condition.operand}"
        there = f": {shown(condition.found, 100)}" if condition.found and condition.value != "absent" else ""
        rows.append((" ", "", (condition.value, "dim"), "", (f"  {shown(words, 100)}{there}", "dim")))
    return rows


def _yes(step: Step) -> str:
    words: Mapping[str, str] = {"true": "yes", "false": "no"}
    return words.get(step.value, step.value) if step.kind in _KINDS else step.value


def _often(step: Step, answer: Foreseen) -> str:
    """How often a `repeat` lets the same call through."""
    layers = answer.in_force.policy.layers
    found = (repeat for layer in layers for repeat in layer.applied(answer.explanation.call.tool).repeats)
    repeat = next(repeat for repeat in found if step.rule.endswith(repeat.rule))
    return f"{repeat.maximum} in {repeat.seconds} s with the same arguments, in each session"


def _standing(step: Step, answer: Foreseen) -> tuple[str, str]:
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
