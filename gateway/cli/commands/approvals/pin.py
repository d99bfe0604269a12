"""`approvals pin`: what a person has to know to answer."""

from typing import Final

import click

from gateway.cli import asked
from gateway.cli.flags import with_settings
from gateway.cli.mistakes import Group
from gateway.cli.owner import act, ask_for_a_person, record, user
from gateway.cli.screen import say
from gateway.settings import Settings
from gateway.state import Transaction
from gateway.state.passcode import Passcode

HELP: Final = """Set a PIN that has to be given with every answer, or take it away.

An agent that can run commands can make itself a terminal, and approve its own calls there. With a PIN that only you
know it cannot. The state file keeps a memory-hard hash of it (scrypt), wrong ones are slowed down, and nothing but a
terminal approves any more: no dialog, and no client, can ask for it. What can write the state file itself can take the
hash out of it: that is outside of what the gateway can guard, and what is left to you if you forget the PIN (README, "A
person in the loop")."""


@click.group("pin", cls=Group, help=HELP, short_help="have a PIN asked for with every answer")
def command() -> None:
    """The group; its help is `HELP`."""


@command.command("set", short_help="set or change the PIN")
@with_settings("state")
def _set(settings: Settings) -> int:
    """Set a PIN, or change it: then the old one is asked for first. It takes a terminal."""
    ask_for_a_person("approvals pin set")
    before = asked.proven(settings.state)
    _change(settings, asked.new_pin(), "set" if before is None else "changed", before)
    say("the PIN is asked for with every answer from now on")
    return 0


@command.command("remove", short_help="take the PIN away")
@with_settings("state")
def _remove(settings: Settings) -> int:
    """Take the PIN away; it is asked for first. It takes a terminal."""
    ask_for_a_person("approvals pin remove")
    before = asked.proven(settings.state)
    if before is None:
        say("there is no PIN")
        return 0
    _change(settings, None, "removed", before)
    say("no PIN is asked for any more")
    return 0


def _change(settings: Settings, kept: Passcode | None, done: str, before: Passcode | None) -> None:
    def work(tx: Transaction, now: float) -> None:
        asked.still(tx, before)
        tx.passcodes.set(kept)
        tx.audit.append(record(f"approvals/pin {done}", f"the PIN was {done}, by {user()}", now))

    act(settings.state, work)
