"""`grants`: the identities that limits are counted for and policies are assigned to."""

from typing import Final

import click

from gateway.cli.commands.grants import create, listing, rename, restore, revoke
from gateway.cli.mistakes import Group

HELP: Final = """Look after grants: the identities whose limits are counted and whose calls are recorded.

A gateway acts for one grant (`--grant NAME`, by default the user of this operating system): give each agent one of its
own, and it has its own limits, its own line in every record, and an end of its own: `revoke` refuses every call of it
at once, in every client, and ends those that run. A grant needs no creating; one that is created can have a policy of
its own, which its calls need beside the one that the gateway was given.

\b
Example:
  keyid-gateway grants create mail-bot --policy mail-bot.json
  keyid-gateway run --grant mail-bot
  keyid-gateway grants revoke mail-bot --reason 'Answers strangers.'"""


@click.group("grants", cls=Group, help=HELP, short_help="the identities: list, create, rename, revoke, restore")
def command() -> None:
    """The group; its help is `HELP`."""


for _command in (listing.command, create.command, rename.command, revoke.command, restore.command):
    command.add_command(_command)
