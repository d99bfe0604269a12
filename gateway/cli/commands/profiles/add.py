"""`profiles add`: settings become a profile."""

import os
from pathlib import Path
from typing import Final

import click

from gateway.cli.flags import EVERY, json_flag, once, with_flags
from gateway.cli.screen import document, say
from gateway.cli.words import shown
from gateway.errors import UsageError, typed
from gateway.settings import config_dir
from gateway.settings.profiles import add
from gateway.settings.sources import BUILT_IN

HELP: Final = """Write a profile into settings.toml in the config folder: the settings that are given here, under NAME.

Whatever else stands in the file stays, comments and order included. Without --grant the grant is named like the
profile, so that its limits are its own, and its policy no other's. Credentials are named by their place
(`env:VARIABLE`, `file:PATH`, `keyring:SERVICE/NAME`), never written here.

\b
Example:
  keyid-gateway profiles add local --upstream http://127.0.0.1:8000/mcp

\b
--json: {"profile", "file"}"""


@click.command("add", help=HELP, short_help="settings become a profile")
@click.argument("name")
@click.option("--replace", is_flag=True, help="write it in the place of the one of this name")
@with_flags(*(name for name in EVERY if name != "profile"))
@json_flag
def command(*, name: str, replace: bool, as_json: bool, **texts: tuple[str, ...]) -> int:
    """The command; its help is `HELP`."""
    given = dict(once(texts))
    if "upstream" not in given:
        raise UsageError("`--upstream` is missing", "which server is the profile for? `--upstream URL`")
    if name in BUILT_IN and not replace:
        raise UsageError(
            f"profile `{name}` is built in", "another name makes a new one; --replace writes over this one"
        )
    given.setdefault("grant", (name,))
    file = add(config_dir(os.environ), name, given, replace=replace)
    if as_json:
        document({"profile": name, "file": str(file)})
        return 0
    say(f"wrote profile {name} into `{shown(str(file))}`")
    say("next:")
    words = ("keyid-gateway", "--profile", name)
    if "policy" not in given:
        policy = Path(file).with_name(f"{name}.json")
        init = typed(words[0], "policy", "init", "--live", str(policy), *words[1:])
        say(f"  `{init}` makes a policy of the server's tools;")
        say(f'  then `policy = "{policy.name}"` in the profile puts it in force')
    say(f"  `{typed(words[0], 'tools', *words[1:])}` shows what each tool may do")
    say(f"  a client starts it with `{typed('run', *words[1:])}`")
    return 0
