"""`docs`: the reference pages, which are part of the package."""

import sys
from importlib.resources import files
from typing import Final

import click

from gateway.cli.flags import json_flag
from gateway.cli.screen import document, on_terminal, say, table, verbatim

PAGES: Final = {
    "commands": "every command, its flags and examples",
    "settings": "every setting, and the four ways to set it",
    "policy": "every field of a policy",
    "operators": "how conditions compare, and what they may look at",
    "reasons": "every reason of a decision, and what to do about it",
    "exit-codes": "what a command ends with",
}

HELP: Final = """Print a reference page: PAGE is one of those that are listed without it.

The pages are made from the code, so they are those of this very version. They are Markdown; at a terminal they come
through your pager.

\b
Examples:
  keyid-gateway docs settings
  keyid-gateway docs reasons | grep limit

\b
--json: [{"page", "about", "file"}], without PAGE; {"page", "text"} with it"""


@click.command("docs", help=HELP, short_help="print the reference pages")
@click.argument("page", required=False, type=click.Choice(list(PAGES)), metavar="[PAGE]")
@json_flag
def command(*, page: str | None, as_json: bool) -> int:
    """The command; its help is `HELP`."""
    if page is None:
        _list(as_json=as_json)
        return 0
    text = (files("gateway") / "docs" / f"{page}.md").read_text(encoding="utf-8")
    if as_json:
        document({"page": page, "text": text})
    elif on_terminal(sys.stdout):
        click.echo_via_pager(text)
    else:
        verbatim(text.rstrip())
    return 0


def _list(*, as_json: bool) -> None:
    folder = files("gateway") / "docs"
    if as_json:
        document([{"page": page, "about": about, "file": str(folder / f"{page}.md")} for page, about in PAGES.items()])
        return
    table(("page", "about"), list(PAGES.items()))
    say()
    say("next: `keyid-gateway docs PAGE` prints one")
