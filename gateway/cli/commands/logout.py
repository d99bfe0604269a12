"""`logout`: what is kept of a sign-in is forgotten, on this machine."""

import click

from gateway.cli.commands.login import oauth_of
from gateway.cli.flags import json_flag, with_settings
from gateway.cli.screen import document, note, say
from gateway.cli.words import shown
from gateway.credentials import vault
from gateway.credentials.records import Records
from gateway.errors import StateError
from gateway.settings import Settings

HELP = """Forget the sign-in at the server: tokens, registration, what the keyring has of it.

Gateways that are running stop using it with their next request. The server itself is not told: a token that somebody
else has copied stays valid until it ends, unless you end it there.

\b
--json: {"upstream", "forgotten": true or false}"""


@click.command("logout", help=HELP, short_help="forget the sign-in at the server")
@with_settings("upstream", "state", "header", "oauth_client_id")
@json_flag
def command(settings: Settings, *, as_json: bool) -> int:
    """The command; its help is `HELP`."""
    client = oauth_of(settings)
    records = Records(client.folder)
    try:
        record = records.read(client.name)
    except StateError as error:
        note(f"note: {error.message}: it is removed all the same")
        record = None
    vault.forget(client.name, record)
    forgotten = records.forget(client.name)
    if as_json:
        document({"upstream": client.server, "forgotten": forgotten})
    elif forgotten:
        say(f"the sign-in to {shown(client.server)} is forgotten")
    else:
        say(f"nobody was signed in to {shown(client.server)}")
    return 0
