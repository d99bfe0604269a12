"""`profiles show`: every setting under a profile, and where it comes from."""

import os
from typing import Final

import click

from gateway.cli.completion import profiles
from gateway.cli.flags import json_flag
from gateway.cli.screen import Row, document, say, table
from gateway.cli.words import shown
from gateway.errors import UsageError
from gateway.settings import Found, find
from gateway.settings.masks import masked

HELP: Final = """Show every setting under a profile (without NAME: the one in use), and where it comes from.

Nothing that a setting names is opened. Of a header or a secret only the place is shown where it is read from; one that
stands in the settings themselves is hidden, as the query of an address is. So this is fit for a bug report.

\b
--json: {"profile", "file", "settings": [{"name", "values" or null,
  "default" (in words), "origin": "flag", "environment", "profile", "file"
  or "default", "from"}]}"""


@click.command("show", help=HELP, short_help="every setting under a profile, and where it comes from")
@click.argument("name", required=False, metavar="[NAME]", shell_complete=profiles)
@json_flag
def command(*, name: str | None, as_json: bool) -> int:
    """The command; its help is `HELP`."""
    if name == "":
        raise UsageError("a profile has a name", "`keyid-gateway profiles list` has them all")
    sources = find({} if name is None else {"profile": [name]}, os.environ)
    if as_json:
        rows = [_data(found) for found in sources.found if found.option.name != "profile"]
        document({"profile": sources.profile, "file": str(sources.file.path), "settings": rows})
        return 0
    say(f"profile {sources.profile}, in `{shown(str(sources.file.path))}`")
    say()
    table(("setting", "value", "from"), [_row(found) for found in sources.found if found.option.name != "profile"])
    return 0


def _texts(found: Found) -> tuple[str, ...]:
    return tuple(masked(found.option, text) for text in found.texts)


def _row(found: Found) -> Row:
    said = ", ".join(shown(text) for text in _texts(found))
    if found.origin == "default":
        return (found.option.name, (_default(found), "dim"), ("default", "dim"))
    return (found.option.name, said or "none", found.where)


def _default(found: Found) -> str:
    """The default as it is on this machine, or in words where it depends."""
    value = found.option.default
    words = found.option.shown_default
    return words if found.option.make is None or value in (None, False, (), frozenset()) else str(value)


def _data(found: Found) -> dict[str, object]:
    return {
        "name": found.option.name,
        "values": None if found.origin == "default" else list(_texts(found)),
        "default": _default(found),
        "origin": found.origin,
        "from": found.where,
    }
