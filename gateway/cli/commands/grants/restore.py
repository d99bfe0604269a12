"""`grants restore`: a person ends what `grants revoke` began."""

from typing import Final

import click

from gateway.cli import completion
from gateway.cli.asked import proven, still
from gateway.cli.flags import with_settings
from gateway.cli.in_force import state
from gateway.cli.owner import act, ask_for_a_person, name, record, user
from gateway.cli.screen import note, say
from gateway.cli.words import local, shown
from gateway.settings import Settings
from gateway.state import Transaction
from gateway.state.passcode import Passcode

HELP: Final = """Let the grant NAME call again after `keyid-gateway grants revoke`.

It needs a terminal on standard input, and the PIN if `keyid-gateway approvals pin` has set one: a person decides this.
What was counted for it stays counted, and every call is
judged by the policy as before."""


@click.command("restore", help=HELP, short_help="let a revoked grant call again")
@click.argument("grant", metavar="NAME", shell_complete=completion.grants)
@with_settings("state")
def command(settings: Settings, *, grant: str) -> int:
    """The command; its help is `HELP`."""
    grant = name(grant)
    with state(settings.state) as there:
        halts = [] if there is None else there.switch.all()
    halt = next((each for each in halts if each.grant == grant), None)
    if halt is None:
        say(f"grant `{shown(grant)}` was not revoked: its calls are judged by the policy, as before")
        return 0
    why = f": {shown(halt.reason)}" if halt.reason else ""
    note(f"revoked since {local(halt.since):%Y-%m-%d %H:%M:%S %Z} by {shown(halt.by)}{why}")
    ask_for_a_person("grants restore")
    kept, by = proven(settings.state), user()
    lifted = act(settings.state, lambda tx, now: _restore(tx, now, grant, by, kept))
    say(f"grant `{shown(grant)}` may call again" if lifted else "somebody else has restored it meanwhile")
    if any(each.of_everyone for each in halts):
        say("next: every gateway is stopped as well: `keyid-gateway resume`")
    return 0


def _restore(tx: Transaction, now: float, grant: str, by: str, kept: Passcode | None) -> bool:
    still(tx, kept)
    lifted = tx.switch.lift(grant)
    if lifted is not None:
        tx.audit.append(record("grants/restore", f"restored by {by}", now, grant))
    return lifted is not None
