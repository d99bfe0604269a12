"""`profiles`: settings under a name, so that one machine guards several servers."""

from typing import Final

import click

from gateway.cli.commands.profiles import add, listing, remove, show
from gateway.cli.mistakes import Group

HELP: Final = """Keep settings under a name: one profile for each server that is guarded.

A profile is a table of settings.toml in the config folder. `run --profile NAME` (every other command as well) takes
what it says before the rest of that file; a flag and a variable of the environment go before both. Without --profile,
KEYID_GATEWAY_PROFILE and a line `profile = "NAME"` in the file are looked at, in this order; else it is `keyid`, which
is there without being written.

\b
Example:
  keyid-gateway profiles add github --policy github.json \\
      --upstream https://api.githubcopilot.com/mcp/ \\
      --header 'Authorization: env:GITHUB_AUTHORIZATION'
  keyid-gateway run --profile github"""


@click.group("profiles", cls=Group, help=HELP, short_help="settings under a name: one for each server")
def command() -> None:
    """The group; its help is `HELP`."""


for _command in (listing.command, show.command, add.command, remove.command):
    command.add_command(_command)
