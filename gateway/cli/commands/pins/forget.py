"""`pins forget`: as if a tool had never been accepted, or a server never been seen."""

from collections.abc import Sequence
from typing import Final

import click

from gateway.cli.asked import proven, still
from gateway.cli.flags import with_settings
from gateway.cli.in_force import state
from gateway.cli.owner import act, ask_for_a_person, record, user
from gateway.cli.screen import say
from gateway.cli.waiting_pins import chosen, gathered
from gateway.cli.words import counted, shown
from gateway.errors import UsageError
from gateway.settings import Settings
from gateway.state import Transaction
from gateway.state.pins import Key

HELP: Final = """Forget what was accepted: of single tools, or (--all) of the whole server.

A tool that was forgotten is a new one when it is announced again, and waits to be accepted. A server that was forgotten
is seen for the first time again by the next gateway: everything it announces then is accepted as it is.

It needs a terminal on standard input, and the PIN if one was set (`keyid-gateway approvals pin`): a person decides
this. TOOL is the name of a tool, or `(instructions)`."""


@click.command("forget", help=HELP, short_help="as if a tool, or the server, had never been seen")
@click.argument("tools", nargs=-1, metavar="[TOOL]...")
@click.option("--all", "everything", is_flag=True, help="the server: its next list counts as the first")
@with_settings("upstream", "state")
def command(settings: Settings, *, tools: Sequence[str], everything: bool) -> int:
    """The command; its help is `HELP`."""
    if bool(tools) == everything:
        raise UsageError("name the tools to forget, or pass `--all`", "`keyid-gateway pins list` shows what is pinned")
    with state(settings.state) as opened:
        found = [] if opened is None else gathered(opened.pins.of(settings.server))
    keys = None if everything else [each.key for each in chosen(found, tools)]
    if not found:
        say(f"nothing is pinned of {shown(settings.server)}")
        return 0
    ask_for_a_person("pins forget")
    by, pin_kept = user(), proven(settings.state)

    def work(tx: Transaction, now: float) -> int:
        still(tx, pin_kept)
        return _forget(tx, now, settings.server, keys, by)

    gone = act(settings.state, work)
    say(f"forgot {counted(gone, 'definition')} of {shown(settings.server)}")
    if everything:
        say("the next list that a gateway sees is accepted as it is")
    return 0


def _forget(tx: Transaction, now: float, server: str, keys: Sequence[Key] | None, by: str) -> int:
    gone = tx.pins.forget(server, keys)
    what = "everything" if keys is None else ", ".join(key[1] or "(instructions)" for key in keys)
    tx.audit.append(record("pins/forget", f"forgotten by {by}: {what}", now, server=server))
    return gone
