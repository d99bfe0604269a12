"""`policy`: the document by which calls are judged: write one, check one, ask it about a call."""

from typing import Final

import click

from gateway.cli.commands.policy import check, convert, diff, explain, fmt, init, replay, scan, schema, test
from gateway.cli.mistakes import Group

HELP: Final = """Write, check and question the policy by which calls are judged.

The policy in force is the file that --policy names, else policy.json in the config folder, else the built-in
recommended pack (`builtin:recommended`)."""


@click.group("policy", cls=Group, help=HELP, short_help="write, check and question a policy")
def command() -> None:
    """The group; its help is `HELP`."""


for _command in (
    init.command,
    check.command,
    test.command,
    explain.command,
    replay.command,
    diff.command,
    fmt.command,
    schema.command,
    convert.command,
    scan.command,
):
    command.add_command(_command)
