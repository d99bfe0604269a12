"""`audit prune`: how long records are kept."""

import asyncio
import sys
from typing import Final

import click

from gateway.cli.evidence import evidence
from gateway.cli.flags import json_flag, with_settings
from gateway.cli.in_force import NO_STATE
from gateway.cli.moments import seconds, size
from gateway.cli.progress import working
from gateway.cli.screen import document, on_terminal, say
from gateway.cli.words import counted, local
from gateway.clock import SystemClock
from gateway.errors import UsageError
from gateway.settings import Settings
from gateway.state import pruning
from gateway.state.pruning import Plan, Pruned, Rule

_DECLINED: Final = 1

HELP: Final = """Take the oldest records out of the audit log: those of an age, all but so many, or all beyond a size.

A record says so, and what is left can be verified as before. Gateways go on meanwhile. A head from before cannot be
compared any more if its record is gone: take a new one afterwards. A log that is not what was written is not pruned.

\b
--json: {"removed", "kept", "bytes"} (needs --yes)"""


@click.command("prune", help=HELP, short_help="take the oldest records out of the log")
@click.option("--older-than", metavar="SPAN", help="what is older than `90d`")
@click.option("--keep", type=click.IntRange(0), metavar="N", help="all but the newest N records")
@click.option("--to-size", metavar="SIZE", help="what the state file holds beyond `200MB` (about)")
@click.option("-y", "--yes", is_flag=True, help="do not ask")
@with_settings("state")
@json_flag
def command(settings: Settings, *, yes: bool, as_json: bool, **asked: str | int | None) -> int:
    """The command; its help is `HELP`."""
    rule = _rule(asked)
    with evidence(settings.state) as found:
        planned = None if found is None else found.plan(rule)
    if planned is None or planned.number < 1:
        return _nothing(planned, settings, as_json=as_json)
    if not yes and not _agreed(planned, as_json=as_json):
        return _DECLINED
    with working("taking out records") as at:
        done = asyncio.run(
            pruning.prune(settings.state, rule, SystemClock(), progress=lambda gone: at(gone, planned.number))
        )
    _say(done, planned, as_json=as_json)
    return 0


def _rule(asked: dict[str, str | int | None]) -> Rule:
    given = {name: value for name, value in asked.items() if value is not None}
    if len(given) != 1:
        raise UsageError("one of `--older-than`, `--keep`, `--to-size` is needed", "such as `--older-than 90d`")
    match given:
        case {"older_than": str(text)}:
            before = SystemClock().now() - seconds(text, "--older-than")
            return Rule(f"older than {text}", before=before)
        case {"keep": int(number)}:
            return Rule(f"all but the newest {number}", keep=number)
        case _:
            text = str(given["to_size"])
            return Rule(f"beyond {text}", size=size(text, "--to-size"))


def _nothing(planned: Plan | None, settings: Settings, *, as_json: bool) -> int:
    if as_json:
        document({"removed": 0, "kept": 0 if planned is None else planned.records, "bytes": None})
    elif planned is None:
        say(f"{NO_STATE} (`{settings.state}`)")
    else:
        say(f"nothing to take out of {counted(planned.records, 'record')}")
    return 0


def _agreed(planned: Plan, *, as_json: bool) -> bool:
    if as_json or not on_terminal(sys.stdin):
        raise UsageError("nobody is there to be asked", "`--yes` answers beforehand")
    say(f"records {planned.first} to {planned.through} of {planned.records} would go:")
    say(f"from {local(planned.since):%Y-%m-%d %H:%M} until {local(planned.until):%Y-%m-%d %H:%M %Z}")
    return click.confirm("take them out for good?")


def _say(done: Pruned, planned: Plan, *, as_json: bool) -> None:
    kept = planned.records - done.number + 1  # the record that says so stays as well
    if as_json:
        document({"removed": done.number, "kept": kept, "bytes": done.bytes})
        return
    say(f"took out {counted(done.number, 'record')}, kept {kept} (the newest says what was taken out)")
    say(f"{done.bytes / 1e6:.1f} MB are in use")
    if not done.shrinks:
        say("the file keeps its size, because an older version made it; what is free in it is used again")
    say("next: keep a new head elsewhere: `keyid-gateway audit head`")
