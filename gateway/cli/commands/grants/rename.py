"""`grants rename`: another name for the same identity."""

from pathlib import Path
from typing import Final

import click

from gateway.cli import completion
from gateway.cli.flags import json_flag, with_settings
from gateway.cli.in_force import state
from gateway.cli.owner import act, name, record, user
from gateway.cli.screen import document, say
from gateway.cli.words import shown
from gateway.errors import UsageError, typed
from gateway.settings import Settings
from gateway.state import Halt, Transaction, lists

HELP: Final = """Give the grant OLD the name NEW, and with it all that was counted for it.

Limits and the moments of its last calls move in one step, so that the new name begins with nothing free. Records keep
the name under which they were written; the renaming is one of them. What still calls as OLD is refused from then on,
as after `grants revoke`, so that nobody goes on under a name for which nothing is counted.

\b
--json: {"renamed": OLD, "to": NEW}"""


@click.command("rename", help=HELP, short_help="give a grant another name; what was counted moves along")
@click.argument("old", metavar="OLD", shell_complete=completion.grants)
@click.argument("new", metavar="NEW")
@with_settings("upstream", "state")
@json_flag
def command(settings: Settings, *, old: str, new: str, as_json: bool) -> int:
    """The command; its help is `HELP`."""
    old, new = name(old), name(new)
    if old == new:
        raise UsageError(f"`{old}` is its name already")
    with state(settings.state) as there:
        if there is None or old not in {grant.name for grant in there.grants.all()}:
            raise UsageError(f"there is no grant `{old}`", "`keyid-gateway grants list` names those that are there")
    announced = _announced(settings.state, settings.server)
    act(settings.state, lambda tx, now: _rename(tx, now, old, new, announced))
    if as_json:
        document({"renamed": old, "to": new})
        return 0
    say(f"grant `{shown(old)}` is called `{shown(new)}` now; whatever still calls as `{shown(old)}` is refused")
    say(f"next: change `--grant` in the client's entry to `{shown(typed('--grant', new))}`, and restart the client")
    return 0


def _announced(state_file: Path, server: str) -> list[tuple[str, str]]:
    """What the server had when a gateway last looked: tools whose last calls may stand under the old name."""
    catalogue = lists.last(state_file, server)
    return [] if catalogue is None else [(server, tool) for tool in catalogue.names()]


def _rename(tx: Transaction, now: float, old: str, new: str, announced: list[tuple[str, str]]) -> None:
    by = user()
    tx.audit.append(record("grants/rename", f"renamed to {new}, by {by}", now, old))
    tx.grants.rename(old, new, announced)
    tx.switch.halt(Halt(old, now, by, f"It is called `{new}` now: start the gateway with that name.", at_once=True))
