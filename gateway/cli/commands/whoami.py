"""`whoami`: what the server is shown, without showing it here."""

from collections.abc import Mapping

import click

from gateway.cli.commands.login import place
from gateway.cli.flags import json_flag, with_settings
from gateway.cli.screen import document, say
from gateway.cli.words import shown, span
from gateway.clock import SystemClock
from gateway.credentials import vault
from gateway.credentials.client import Client
from gateway.credentials.records import Record, Records
from gateway.settings import Settings

HELP = """Say as whom the gateway is let in at the server: by which sign-in, with which scopes, until when, kept where.

The token itself is never shown. Nothing is asked of the server: whether it still accepts the token, `keyid-gateway
tools` tells. The exit code is 1 where nobody is signed in.

\b
--json: {"upstream", "by": "oauth", "header" or null, "issuer",
  "client_id", "scope", "obtained_at", "expires_at", "renewable", "kept"};
  all but the first two are null where `by` is not "oauth"; times in seconds
  since the epoch"""


@click.command("whoami", help=HELP, short_help="say as whom the gateway is let in at the server")
@with_settings("upstream", "state", "header", "oauth_client_id", "oauth_flow")
@json_flag
def command(settings: Settings, *, as_json: bool) -> int:
    """The command; its help is `HELP`."""
    client = settings.oauth
    record = None if client is None else _complete(client)
    if as_json:
        by = "header" if client is None else "oauth" if record is not None else None
        document({"upstream": settings.server, "by": by, **_facts(record)})
    elif client is None:
        say(f"{shown(settings.server)} is shown the header `Authorization` of the settings")
    elif record is None:
        say(f"nobody is signed in to {shown(client.server)}")
        say(f"next: `{shown(client.login)}`, if the server wants a sign-in")
    else:
        _show(client, record)
    return 0 if client is None or record is not None else 1


def _complete(client: Client) -> Record | None:
    record = Records(client.folder).read(client.name)
    return None if record is None else vault.complete(client.name, record)


def _renewable(record: Record) -> bool:
    return record.secret is not None and record.secret.refresh_token is not None


def _facts(record: Record | None) -> Mapping[str, object]:
    names = ("issuer", "client_id", "scope", "obtained_at", "expires_at", "kept")
    facts = {name: None if record is None else getattr(record, name) for name in names}
    return {**facts, "renewable": None if record is None else _renewable(record)}


def _show(client: Client, record: Record) -> None:
    say(f"signed in to {shown(client.server)}")
    say(f"  by       {shown(record.issuer)}")
    say(f"  client   {shown(record.client_id)}")
    say(f"  scopes   {shown(record.scope or 'none were named')}")
    say(f"  token    {_life(record)}")
    say(f"  kept in  {place(client, record.kept)}")


def _life(record: Record) -> str:
    if record.expires_at is None:
        return "lasts until the server ends it"
    left = record.expires_at - SystemClock().now()
    until = f"ends in {span(left)}" if left > 0 else f"ended {span(-left)} ago"
    return (
        f"{until}; {'it is renewed when it is needed' if _renewable(record) else 'then somebody has to sign in again'}"
    )
