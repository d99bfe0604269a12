"""`resume`: a person ends what `stop` began."""

from typing import Final

import click

from gateway.cli.asked import proven, still
from gateway.cli.flags import with_settings
from gateway.cli.in_force import state
from gateway.cli.owner import act, ask_for_a_person, record, user
from gateway.cli.screen import note, say
from gateway.cli.words import local, shown
from gateway.settings import Settings
from gateway.state import EVERYONE, Halt, Transaction
from gateway.state.passcode import Passcode

HELP: Final = """Let calls through again after `keyid-gateway stop`.

It needs a terminal on standard input, and the PIN if `keyid-gateway approvals pin` has set one: a person decides this.
Grants that were revoked stay so (`keyid-gateway grants
restore NAME`), and every call is judged by the policy as before."""


@click.command("resume", help=HELP, short_help="let calls through again after `stop`")
@with_settings("state")
def command(settings: Settings) -> int:
    """The command; its help is `HELP`."""
    with state(settings.state) as there:
        stopped = None if there is None else there.switch.look(EVERYONE)
    if stopped is None:
        say("nothing was stopped: calls are judged by the policy, as before")
        return 0
    note(_told(stopped))
    ask_for_a_person("resume")
    kept, by = proven(settings.state), user()
    lifted = act(settings.state, lambda tx, now: _resume(tx, now, by, kept))
    say("resumed: calls are judged by the policy again" if lifted else "somebody else has resumed meanwhile")
    return 0


def _told(halt: Halt) -> str:
    why = f": {shown(halt.reason)}" if halt.reason else ""
    return f"stopped since {local(halt.since):%Y-%m-%d %H:%M:%S %Z} by {shown(halt.by)}{why}"


def _resume(tx: Transaction, now: float, by: str, kept: Passcode | None) -> bool:
    still(tx, kept)
    lifted = tx.switch.lift(EVERYONE)
    if lifted is not None:
        tx.audit.append(record("switch/resume", f"resumed, by {by}", now))
    return lifted is not None
