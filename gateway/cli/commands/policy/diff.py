"""`policy diff`: what changes between two policies, in calls."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from gateway.authoring.comparison import Difference, Direction, compare
from gateway.authoring.published import published
from gateway.authoring.showing import Witness
from gateway.authoring.witness import NOON, Trial
from gateway.cli.flags import json_flag, with_settings
from gateway.cli.screen import document, say, verbatim
from gateway.cli.words import counted, shown
from gateway.jsonrpc import serialise
from gateway.keyid import recommended
from gateway.policies import BUILT_IN, read
from gateway.policy import Policy, load
from gateway.settings import Settings
from gateway.state import lists

HELP: Final = """Say what changes from policy A to policy B, in calls, not in text.

A and B are files, or `builtin:recommended`. For every rule that one has and the other does not have as strictly, a
call is shown that comes out otherwise, decided under both: for limits, how many of the same call it takes. Rules that
cover each other, however they are written, are no difference, and texts for the agent are none. What a tool requires is
taken from the server's list as it was last seen, or from KeyID's as published.

`same` and `not looser` are proven: they hold for all calls there can be. Where the proof fails and no call is found
either, nobody can tell, and it counts as a difference. Limits are counted from empty: what a renamed counter has
already counted is not looked at.

Mistakes are plain text on standard error, with --json as well; standard output is then empty. Times are UTC.

\b
Exit code:
  0 the same    10 B is tighter    11 B is looser    12 both

\b
--json: {"a": {"name", "revision"}, "b": ..., "verdict": "same" |
  "tighter" | "looser" | "both", "differences": [{"direction",
  "rule", "of": "a" | "b", "what", "witness": null | {"tool",
  "arguments", "circumstances", "a", "b", "a_rule", "b_rule",
  "repetition": null | {"number", "seconds": null | number,
  "apart", "within", "tools"}}}]}
  (of what is no tool call, "tool" is the address or name)"""
_CODES: Final[Mapping[frozenset[Direction], tuple[int, str]]] = {
    frozenset(): (0, "same"),
    frozenset({"tighter"}): (10, "tighter"),
    frozenset({"looser"}): (11, "looser"),
    frozenset({"looser", "tighter"}): (12, "both"),
}
_VERDICTS: Final[Mapping[str, str]] = {
    "same": "both decide alike, for every call",
    "tighter": "B is tighter: it lets nothing through that A does not",
    "looser": "B is looser: it refuses nothing that A does not",
    "both": "B is looser in some calls, and tighter in others",
}
_SIDES: Final = {"old": "a", "new": "b"}


@click.command("diff", help=HELP, short_help="say what changes between two policies, in calls")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@with_settings("upstream", "state")
@json_flag
def command(settings: Settings, *, a: str, b: str, as_json: bool) -> int:
    """The command; its help is `HELP`."""
    old, new = _load(a), _load(b)
    catalogue = lists.last(settings.state, settings.server) or published()
    differences = compare(old, new, catalogue)
    code, verdict = _CODES[frozenset(difference.direction for difference in differences)]
    if as_json:
        found = [_data(difference) for difference in differences]
        document({"a": _named(old), "b": _named(new), "verdict": verdict, "differences": found})
    else:
        _show(old, new, differences, verdict)
    return code


def _load(name: str) -> Policy:
    return recommended.policy() if name == BUILT_IN else load(read(Path(name)), name=name)


# --- for programs -----------------------------------------------------------------------------------------------------


def _named(policy: Policy) -> Mapping[str, str]:
    return {"name": policy.name, "revision": policy.revision}


def _data(difference: Difference) -> Mapping[str, object]:
    return {
        "direction": difference.direction,
        "rule": difference.rule,
        "of": _SIDES[difference.of],
        "what": _what(difference),
        "witness": None if difference.witness is None else _witness_data(difference.witness),
    }


def _witness_data(witness: Witness) -> Mapping[str, object]:
    trial, repetition = witness.trial, witness.repetition
    return {
        "tool": witness.tool,
        "arguments": None if trial is None else json.loads(_plain(trial)),
        "circumstances": [] if trial is None else _around(trial),
        "a": witness.before,
        "b": witness.after,
        "a_rule": witness.rules[0],
        "b_rule": witness.rules[1],
        "repetition": None if repetition is None else asdict(repetition),
    }


def _plain(trial: Trial) -> str:
    return serialise(dict(trial.call.arguments)).decode()


# --- for people -------------------------------------------------------------------------------------------------------

_DONE: Final[Mapping[str, str]] = {
    "allow": "allowed",
    "deny": "denied",
    "approve": "needs approval",
    "observe": "allowed, and recorded as one it would deny",
}


def _show(old: Policy, new: Policy, differences: Sequence[Difference], verdict: str) -> None:
    say(f"A: {shown(old.name)} (revision {old.revision})")
    say(f"B: {shown(new.name)} (revision {new.revision})")
    for direction in ("looser", "tighter"):
        found = [item for item in differences if item.direction == direction]
        shown_ones = [item for item in found if item.witness is not None]
        if shown_ones:
            say()
            say(f"B is {direction}:")
            for item in shown_ones:
                _difference(item)
    doubtful = [item for item in differences if item.witness is None]
    if doubtful:
        say()
        rules = counted(len(doubtful), "rule")
        say(f"of {rules} nobody can tell: no proof that it changes nothing, no call that shows it")
        for item in doubtful:
            verbatim(f"  perhaps {item.direction}: {_rule(item)}")
    say()
    say(_VERDICTS[verdict] + (" (where nobody can tell, taken to be so)" if doubtful else ""))


def _difference(item: Difference) -> None:
    witness = item.witness
    if witness is None:
        return
    verbatim(f"  {_rule(item)}")
    arguments = "" if witness.trial is None else f" {shown(_plain(witness.trial), 160)}"
    verbatim(f"      {shown(witness.tool, 64)}{arguments}")
    around = [] if witness.trial is None else _around(witness.trial)
    if witness.repetition is not None:
        around.insert(0, witness.repetition.words)
        around += [f"in turn with {shown(', '.join(witness.repetition.tools[1:]), 160)}"] if witness.others else []
    if around:
        verbatim(f"      {'; '.join(around)}")
    verbatim(f"      A: {_DONE[witness.before]}, {shown(witness.rules[0])}")
    verbatim(f"      B: {_DONE[witness.after]}, {shown(witness.rules[1])}")


def _rule(item: Difference) -> str:
    return f"{_SIDES[item.of].upper()} {shown(item.rule)}: {_what(item)}"


def _what(item: Difference) -> str:
    return item.what.format(other="B" if item.of == "old" else "A")


def _around(trial: Trial) -> list[str]:
    """What of the circumstances is not as usual."""
    around = trial.circumstances
    said = [f"after {number} calls of {shown(tool, 64)}" for tool, number in around.session_calls.items() if number]
    said += [f"{gone:f} s after {shown(tool, 64)}" for tool, gone in around.seconds_since.items()]
    if around.session_denials:
        said.append(f"after {counted(around.session_denials, 'denial')}")
    if around.now != NOON:
        said.append(f"{datetime.fromtimestamp(around.now, UTC):on a %A at %H:%M UTC}")
    if around.grant != "me":
        said.append(f"by the grant {shown(around.grant, 64)}")
    if around.client:
        said.append(f"by the client {shown(around.client, 64)}")
    return said
