"""`grants create`: an identity with a policy of its own."""

from pathlib import Path
from typing import Final

import click

from gateway.cli.flags import json_flag, with_settings
from gateway.cli.owner import act, name, record, user
from gateway.cli.screen import document, say
from gateway.cli.words import counted, shown
from gateway.errors import UsageError, typed
from gateway.policies import read
from gateway.policy import load
from gateway.settings import Settings
from gateway.state import Transaction

HELP: Final = """Create the grant NAME, with a policy of its own if FILE is given.

Its calls need both: this policy, and the one that its gateway was given (`--policy`). The file is followed like any
policy: an edit is in force at once, and where it is missing or broken when a gateway starts, every call is refused. A
grant that was only used so far keeps what was counted for it.

\b
--json: {"created": NAME, "policy": the path or null}"""


@click.command("create", help=HELP, short_help="create a grant, with a policy of its own")
@click.argument("grant", metavar="NAME")
@click.option("--policy", "file", metavar="FILE", help="its own policy, which only restricts")
@with_settings("state")
@json_flag
def command(settings: Settings, *, grant: str, file: str | None, as_json: bool) -> int:
    """The command; its help is `HELP`."""
    grant = name(grant)
    own = None if file is None else str(Path(file).expanduser().absolute())
    warnings = () if own is None else load(read(Path(own)), name=own, layer="grant").warnings
    act(settings.state, lambda tx, now: _create(tx, now, grant, own))
    if as_json:
        document({"created": grant, "policy": own})
        return 0
    say(f"grant `{shown(grant)}` is created" + ("" if own is None else f", with `{shown(own)}` as a policy of its own"))
    if own is not None and warnings:
        check = shown(typed("keyid-gateway", "policy", "check", own))
        say(f"the policy has {counted(len(warnings), 'warning')}: `{check}`")
    say(f"next: start its gateway with `{shown(typed('--grant', grant))}`")
    return 0


def _create(tx: Transaction, now: float, grant: str, own: str | None) -> None:
    if tx.grants.created(grant):
        kept = tx.grants.own_policy(grant)
        hint = "it has no policy of its own; create another one" if kept is None else f"edit its policy, `{kept}`"
        raise UsageError(f"grant `{grant}` is there already", hint)
    tx.grants.create(grant, own, now)
    tx.audit.append(record("grants/create", f"created by {user()}, own policy: {own or 'none'}", now, grant))
