"""`profiles remove`: a profile is taken out of the settings file."""

import os
from typing import Final

import click

from gateway.cli.completion import profiles
from gateway.cli.flags import json_flag
from gateway.cli.screen import document, say
from gateway.cli.words import shown
from gateway.settings import config_dir
from gateway.settings.profiles import remove

HELP: Final = """Take a profile out of settings.toml, with the comment right above it. Whatever else stands there stays.

A credential that `install --wrap` has kept for it goes as well. A client that is still started with `--profile NAME` is
told that there is none. Sign-ins, counters and the audit log are not touched.

\b
--json: {"profile", "file"}"""


@click.command("remove", help=HELP, short_help="take a profile out of the settings file")
@click.argument("name", shell_complete=profiles)
@json_flag
def command(*, name: str, as_json: bool) -> int:
    """The command; its help is `HELP`."""
    file = remove(config_dir(os.environ), name)
    if as_json:
        document({"profile": name, "file": str(file)})
    else:
        say(f"removed profile {name} from `{shown(str(file))}`")
    return 0
