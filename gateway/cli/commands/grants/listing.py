"""`grants list`: every grant that was created, used or revoked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import click

from gateway.cli.flags import json_flag, with_settings
from gateway.cli.in_force import NO_STATE, state
from gateway.cli.screen import Row, document, say, table
from gateway.cli.words import counted, local, named, shown
from gateway.clock import SystemClock
from gateway.settings import Settings
from gateway.state import Grant, Halt, Transaction

HELP: Final = """List every grant that this state file knows: created, used by a gateway, or revoked.

\b
--json: {"grants": [{"name", "created", "policy" (its own), "used" (the
  file that its gateways were last given), "last_used", "gateways": how
  many run now, "revoked": {"since", "by", "reason"} or null}]}; moments
  in seconds since the epoch, null for never"""


@dataclass(frozen=True, slots=True)
class _Known:
    grant: Grant
    halt: Halt | None
    running: int


@click.command("list", help=HELP, short_help="list every grant that is known")
@with_settings("grant", "state")
@json_flag
def command(settings: Settings, *, as_json: bool) -> int:
    """The command; its help is `HELP`."""
    with state(settings.state) as there:
        known = [] if there is None else _known(there, SystemClock().now())
    if as_json:
        document({"grants": [_data(each) for each in known]})
    elif not known:
        say("no grant has been created or used" if there is not None else f"{NO_STATE} (`{settings.state}`)")
        say(f"next: gateways act for `{shown(settings.grant)}` unless `--grant` says otherwise")
    else:
        table(("grant", "state", "gateways", "created", "own policy"), [_row(each) for each in known])
    return 0


def _known(there: Transaction, now: float) -> Sequence[_Known]:
    halts = {halt.grant: halt for halt in there.switch.all()}
    running = [each.grant for each in there.gateways.noted() if each.life(now) != "gone"]
    return [_Known(grant, halts.get(grant.name), running.count(grant.name)) for grant in there.grants.all()]


def _data(known: _Known) -> Mapping[str, object]:
    grant, halt = known.grant, known.halt
    return {
        "name": grant.name,
        "created": grant.created,
        "policy": grant.own,
        "used": grant.used,
        "last_used": grant.last_used,
        "gateways": known.running,
        "revoked": None if halt is None else {"since": halt.since, "by": halt.by, "reason": halt.reason},
    }


def _row(known: _Known) -> Row:
    grant, halt = known.grant, known.halt
    why = "" if halt is None or not halt.reason else f": {shown(halt.reason, 60)}"
    status = ("in use", "") if halt is None else (f"revoked {local(halt.since):%Y-%m-%d %H:%M}{why}", "red")
    made = "by use" if grant.created is None else f"{local(grant.created):%Y-%m-%d %H:%M}"
    running = counted(known.running, "gateway").partition(" ")[0]
    return named(grant.name, 40), status, running, made, "" if grant.own is None else shown(grant.own)
