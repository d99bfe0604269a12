"""`standin`: the invented KeyID on this machine, to try a gateway or a policy on."""

from pathlib import Path

import click

from gateway.cli.flags import json_flag
from gateway.cli.screen import record, say, verbatim
from gateway.clock import SystemClock
from gateway.errors import typed

HELP = """Serve an invented KeyID on this machine, until Ctrl-C.

A real MCP server over streamable HTTP, on loopback only, with 64 tools that act on an identity in memory: mail, codes,
secrets, sign-ups. Nothing leaves the machine, and nothing is kept but the journal, if you name one.

\b
--json: one line when it listens: {"url"}"""


@click.command("standin", help=HELP, short_help="serve an invented KeyID on this machine to try things on")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, metavar="N", help="where to listen (default: any free)"
)
@click.option("--json-response", is_flag=True, help="answer with plain JSON instead of event streams")
@click.option("--page-size", type=click.IntRange(1), metavar="N", help="tools per page of the list (default: all)")
@click.option(
    "--journal",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="write every request that arrives to this JSON Lines file",
)
@click.option("--token", metavar="TEXT", help="refuse requests without this bearer token")
@click.option("--oauth", is_flag=True, help="want a sign-in (OAuth); it lets in whoever asks, without a page")
@json_flag
def command(
    *,
    port: int,
    json_response: bool,
    page_size: int | None,
    journal: Path | None,
    token: str | None,
    oauth: bool,
    as_json: bool,
) -> int:
    """The command; its help is `HELP`."""
    from gateway.standin import StandinOptions, serve

    def ready(url: str) -> None:
        if as_json:
            record({"url": url})
            return
        say(f"an invented KeyID listens at {url} (Ctrl-C stops it)")
        if oauth:
            say("sign in first:")
            verbatim(f"  keyid-gateway login --upstream {url}")
        say("run the gateway against it, in another terminal or in a client's config:")
        verbatim(f"  keyid-gateway run --upstream {url}{_credentials(token)}")
        say("or look at it:")
        verbatim(f"  keyid-gateway tools --upstream {url}{_credentials(token)}")

    options = StandinOptions(
        port=port, json_response=json_response, page_size=page_size, journal=journal, token=token, oauth=oauth
    )
    serve(options, clock=SystemClock(), ready=ready)
    if not as_json:
        say("stopped")
    return 0


def _credentials(token: str | None) -> str:
    return "" if token is None else f" --header {typed(f'Authorization: Bearer {token}')}"
