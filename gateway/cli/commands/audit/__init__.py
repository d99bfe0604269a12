"""`audit`: what was judged, and whether the record of it is still what was written."""

from typing import Final

import click

from gateway.cli.commands.audit import export, head, key, prune, query, show, stats, tail, verify
from gateway.cli.mistakes import Group

HELP: Final = """Look at the audit log: every judged call, what was decided and what came of it.

The log is a hash chain: `verify` finds every change of it, and `head` prints what to keep elsewhere against somebody
who writes all of it anew."""


@click.group("audit", cls=Group, help=HELP, short_help="look at the audit log")
def command() -> None:
    """The group; its help is `HELP`."""


for _command in (
    tail.command,
    query.command,
    show.command,
    stats.command,
    export.command,
    verify.command,
    head.command,
    key.command,
    prune.command,
):
    command.add_command(_command)
