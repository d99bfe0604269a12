"""`grants revoke`: no call of one identity, from now on."""

from typing import Final

import click

from gateway.cli import completion
from gateway.cli.flags import json_flag, with_settings
from gateway.cli.owner import act, name, reason, record, user
from gateway.cli.screen import document, say
from gateway.cli.words import local, shown
from gateway.errors import StateError, typed
from gateway.settings import Settings
from gateway.state import Halt, Transaction

HELP: Final = """Revoke the grant NAME: every gateway of it refuses every call, from the next one on.

Calls of it that are running are cancelled; the record says that they may have had their effect. Other grants go on. It
holds across restarts until a person runs `keyid-gateway grants restore NAME`. It needs no terminal and asks nothing.

\b
--json: {"revoked": NAME, "since" (seconds since the epoch), "by",
  "reason", "before": true if it was revoked already}"""


@click.command("revoke", help=HELP, short_help="refuse every call of a grant, and end those that run")
@click.argument("grant", metavar="NAME", shell_complete=completion.grants)
@click.option("--reason", "why", metavar="TEXT", help="what agents and people read beside the refusal")
@with_settings("state")
@json_flag
def command(settings: Settings, *, grant: str, why: str | None, as_json: bool) -> int:
    """The command; its help is `HELP`."""
    grant, said = name(grant), reason(why)
    try:
        halt, before = act(settings.state, lambda tx, now: _revoke(tx, now, grant, said))
    except StateError as error:
        hint = "quit its client, or take its entry out of the client's config, then try again"
        raise StateError(
            f"nothing is revoked: {error.message}", hint if error.hint is None else f"{hint} ({error.hint})"
        ) from error
    if as_json:
        said_of = {"since": halt.since, "by": halt.by, "reason": halt.reason}
        document({"revoked": grant, **said_of, "before": before})
        return 0
    moment = f"{local(halt.since):%Y-%m-%d %H:%M:%S %Z}"
    say(f"grant `{shown(grant)}` is revoked{' already' * before}, since {moment} by {shown(halt.by)}")
    if halt.reason:
        say(f"reason: {shown(halt.reason)}")
    say(f"next: `{shown(typed('keyid-gateway', 'grants', 'restore', grant))}`, in a terminal, lets it call again")
    return 0


def _revoke(tx: Transaction, now: float, grant: str, why: str) -> tuple[Halt, bool]:
    former = next((halt for halt in tx.switch.all() if halt.grant == grant), None)
    if former is not None and why in ("", former.reason):
        return former, True
    by = user()
    halt = (
        Halt(grant, now, by, why, at_once=True) if former is None else Halt(grant, former.since, by, why, at_once=True)
    )
    tx.switch.halt(halt)
    tx.audit.append(record("grants/revoke", f"revoked by {by}{f': {why}' if why else ''}", now, grant))
    return halt, former is not None
