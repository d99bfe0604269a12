"""`login`: a person signs the gateway in at the upstream, once; `run` renews it from then on."""

import asyncio
import os
import sys
import threading
from contextlib import ExitStack
from typing import Final

import click

from gateway.cli.flags import json_flag, with_settings
from gateway.cli.progress import working
from gateway.cli.screen import document, note, say, verbatim
from gateway.cli.words import shown, span
from gateway.clock import SystemClock
from gateway.credentials.client import Client
from gateway.credentials.helper import Failed, Granted, NotIt, Opened, Request, Waiting, ask, failure
from gateway.credentials.records import Records
from gateway.errors import UsageError
from gateway.settings import Settings

OAUTH: Final = (
    "oauth_client_id",
    "oauth_client_secret",
    "oauth_client_key",
    "oauth_client_metadata_url",
    "oauth_issuer",
    "oauth_scopes",
    "oauth_flow",
    "oauth_redirect_port",
)

HELP = """Sign in at the server with a browser (OAuth), so that the gateway may use it.

The server says where to sign in. The browser shows that page, you agree, and it comes back to this machine by itself.
From then on the gateway renews the sign-in when it has to; nobody is asked again until the server wants it.

On a machine without a browser, `--no-browser` prints the address. Open it anywhere; if the page it ends at cannot be
shown (its address begins with http://127.0.0.1), paste that address here and press Enter.

What is kept is in the system's keyring where there is one (`pip install 'keyid-gateway[keyring]'`), else in a file that
only you can read. A server that wants a fixed token needs no sign-in: `--header 'Authorization: env:NAME'`.

\b
--json: {"upstream", "issuer", "scope", "expires_at", "kept"}"""


@click.command("login", help=HELP, short_help="sign in at the server with a browser")
@with_settings("upstream", "state", "header", *OAUTH)
@click.option("--no-browser", is_flag=True, help="print the address instead of opening it")
@json_flag
def command(settings: Settings, *, no_browser: bool, as_json: bool) -> int:
    """The command; its help is `HELP`."""
    client = oauth_of(settings)
    note(f"signing in to {shown(client.server)}")
    answer = asyncio.run(_signed_in(client, no_browser=no_browser))
    if isinstance(answer, Failed):
        raise failure(answer)
    if as_json:
        facts = {"issuer": answer.issuer, "scope": answer.scope, "expires_at": answer.expires_at, "kept": answer.kept}
        document({"upstream": client.server, **facts})
    else:
        _show(client, answer)
    return 0


def oauth_of(settings: Settings) -> Client:
    """The client of the settings. Raises `UsageError` where a header says who we are."""
    client = settings.oauth
    if client is None:
        raise UsageError(
            "the settings have a header `Authorization`, so that nobody signs in",
            "remove it from the command line, KEYID_GATEWAY_HEADER and settings.toml",
        )
    return client


async def _signed_in(client: Client, *, no_browser: bool) -> Granted | Failed:
    waiting = ExitStack()

    def tell(opened: Opened | NotIt | Waiting) -> None:
        waiting.close()
        if isinstance(opened, Waiting):
            note("another process is at work on this sign-in: waiting for it")
        elif isinstance(opened, NotIt):
            note("that is not the address this sign-in ends at: it begins with http://127.0.0.1 and has a `code`")
        elif opened.opened:
            note("a browser has opened: finish the sign-in there (Ctrl-C gives up)")
            waiting.enter_context(working("waiting for the browser"))
        else:
            note("open this address in a browser, and finish the sign-in there:")
            verbatim(opened.url, err=True)
            note("it comes back by itself; if its last page cannot be shown, paste the address of that page here:")

    request = Request("sign in", client, "paste" if no_browser else "browser")
    pasted = _Pasted() if no_browser else None
    with waiting:
        waiting.enter_context(working("asking the server where to sign in"))
        return await ask(request, tell, pasted.line if pasted is not None else None)


class _Pasted:
    """Lines from standard input, read on a thread that nobody waits for at the end."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._lines: asyncio.Queue[str] = asyncio.Queue()
        threading.Thread(target=self._read, name="pasted", daemon=True).start()

    async def line(self) -> str:
        """The next line that is not blank; none comes after the end of the input."""
        return await self._lines.get()

    def _read(self) -> None:
        """By the descriptor: a thread that waits in `sys.stdin` would hold up the end of the process."""
        buffer = b""
        while data := os.read(sys.stdin.fileno(), 65536):
            *lines, buffer = (buffer + data).split(b"\n")
            for line in lines:
                text = line.decode("utf-8", "replace").strip()
                if text and not self._loop.is_closed():
                    self._loop.call_soon_threadsafe(self._lines.put_nowait, text)


def _show(client: Client, granted: Granted) -> None:
    say(f"signed in to {shown(client.server)} by {shown(granted.issuer)}")
    if granted.scope:
        say(f"scopes: {shown(granted.scope)}")
    if granted.expires_at is not None:
        left = granted.expires_at - SystemClock().now()
        say(f"the token lasts {span(left)}; the gateway renews it if the server allows")
    say(f"kept in {place(client, granted.kept)}")
    say(f"next: `{shown(client.tools)}`")


def place(client: Client, kept: str) -> str:
    """Where a sign-in is, in words."""
    return "the system's keyring" if kept == "keyring" else f"`{Records(client.folder).path(client.name)}`"
