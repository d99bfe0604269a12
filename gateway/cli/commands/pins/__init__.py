"""`pins`: what was accepted of a server's definitions, and what waits for a person."""

from typing import Final

import click

from gateway.cli.commands.pins import accept, diff, forget, listing
from gateway.cli.mistakes import Group

HELP: Final = """What was accepted of a server's tools and instructions, and what waits for you.

A server's words steer the model: the descriptions of its tools, their arguments, its instructions. So a gateway pins
all of them when it first sees the server, and whatever is changed or new afterwards waits until a person has looked at
it. The setting `pins` says what becomes of it meanwhile: `enforce` refuses such calls and does not list such tools,
`warn` says so in the log and records it, `off` compares nothing.

\b
A server that was changed:
  keyid-gateway pins diff        what is different, and what of it is a risk
  keyid-gateway pins accept --all    accept what was shown just now

A gateway that runs heeds it with the next call."""


@click.group("pins", cls=Group, help=HELP, short_help="what was accepted of a server's tools, and what waits")
def command() -> None:
    """The group; its help is `HELP`."""


for _command in (listing.command, diff.command, accept.command, forget.command):
    command.add_command(_command)
