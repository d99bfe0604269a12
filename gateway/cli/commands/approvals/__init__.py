"""`approvals`: a person answers what the policy wants to have approved."""

import os
import sys
from typing import Final

import click

from gateway.cli.commands.approvals import answer, listing, live, pin, show
from gateway.cli.flags import once, with_flags
from gateway.cli.mistakes import Group
from gateway.cli.screen import on_terminal
from gateway.errors import UsageError
from gateway.settings import load

HELP: Final = """Answer the calls that a person has to approve.

The policy says which those are (`approve_if`, or `action: require_approval`). Such a call waits for as long as its
client lets it (`--approval-wait` of `run`); then its agent is told what to type here. Whoever comes later approves all
the same: the agent makes the same call once more, and it passes, once.

Without a command, on a terminal, it shows each question as it comes, rings, and takes the answer; elsewhere it is
`list`. To approve or to deny takes a terminal: no agent can do it by a tool, a pipe or a file. Who can type into a
terminal of yours can; against that, set a PIN (`approvals pin set`)."""


@click.group(
    "approvals", cls=Group, help=HELP, short_help="answer the calls that wait for a person", invoke_without_command=True
)
@with_flags("state", "profile")
@click.pass_context
def command(context: click.Context, /, **flags: tuple[str, ...]) -> int:
    """The group; its help is `HELP`."""
    if context.invoked_subcommand is not None:
        given = next((f"--{name}" for name, texts in flags.items() if texts), None)
        if given is not None:
            name = context.invoked_subcommand
            raise UsageError(f"`{given}` stands before `{name}`", f"write `keyid-gateway approvals {name} {given} …`")
        return 0
    settings = load(once(flags), os.environ)
    if on_terminal(sys.stdout):
        return live.watch(settings)
    return listing.tell(settings, as_json=False)


for _command in (listing.command, show.command, answer.approve, answer.deny, pin.command):
    command.add_command(_command)
