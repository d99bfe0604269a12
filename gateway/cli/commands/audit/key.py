"""`audit key`: a key that signs the heads of the log."""

from typing import Final

import click

from gateway.cli.evidence import key_file
from gateway.cli.flags import json_flag, with_settings
from gateway.cli.screen import document, note, say
from gateway.settings import Settings
from gateway.state import signing

HELP: Final = """Make the key that signs heads of the audit log, once, and print its public part.

It is `audit-key.pem` in the config folder (Ed25519, mode 0600). From then on `audit head` signs. Whoever keeps heads
keeps the public part with them: `audit verify --head FILE --public-key KEY` then also tells that a head is from here.
Somebody who can read the key can sign as you do: what nobody on this machine can rewrite is only what left it.

\b
--json: {"public_key", "file", "made"}"""


@click.command("key", help=HELP, short_help="make a key that signs heads; print its public part")
@with_settings()
@json_flag
def command(settings: Settings, *, as_json: bool) -> int:
    """The command; its help is `HELP`."""
    file = key_file(settings)
    made = not file.exists()
    public = signing.make_key(file) if made else signing.public_part(file)
    if as_json:
        document({"public_key": public, "file": str(file), "made": made})
        return 0
    if made:
        note(f"made `{file}`")
    say(public)
    return 0
