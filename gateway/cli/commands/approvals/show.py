"""`approvals show`: the whole of one call, and how the question about it stands."""

from typing import Final

import click

from gateway.approvals import wording
from gateway.cli import asked, completion
from gateway.cli.commands.approvals.listing import as_data
from gateway.cli.evidence import missing
from gateway.cli.flags import json_flag, with_settings
from gateway.cli.in_force import state
from gateway.cli.screen import document, say, verbatim
from gateway.cli.words import named
from gateway.clock import SystemClock
from gateway.settings import Settings

HELP: Final = """Show the whole call that a question is about: every value, to its end.

ID is the id of the question, or how it begins. What would act on the terminal, or hide, is written as its escape. The
arguments are kept for no longer than somebody needs them: once the call was made, denied or taken back they are gone.

--json: as `approvals list --json` has one question"""


@click.command("show", help=HELP, short_help="show the whole of one call")
@click.argument("question", metavar="ID", shell_complete=completion.approvals)
@with_settings("state")
@json_flag
def command(settings: Settings, *, question: str, as_json: bool) -> int:
    """The command; its help is `HELP`."""
    now = SystemClock().now()
    with state(settings.state) as tx:
        if tx is None:
            raise missing(settings.state)
        standing = asked.find(tx, question, now)
    if as_json:
        document({**as_data(standing), "status": asked.status(standing, now)})
        return 0
    say(f"question `{standing.question.id}` {asked.fate(standing, now)}")
    status, number = asked.status(standing, now), standing.question.id
    if status in ("pending", "approved"):
        say()
        verbatim(wording.whole(standing.question, asked.width()))
    else:
        say(f"tool    {named(standing.question.tool)}; its arguments are not kept any more")
    if status == "pending":
        say()
        say(f"next: `keyid-gateway approvals approve {number}` asks you about it; `approvals deny {number}` refuses it")
    else:
        say(f"next: `keyid-gateway audit show {number}` tells the whole story")
    return 0
