"""`run` where a person typed it: the help, the complaints, and a word on what it waits for."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click

from gateway.cli.flags import EVERY, once, with_flags
from gateway.cli.launch import client_entry, command_words
from gateway.cli.run import start
from gateway.cli.screen import note, on_terminal, verbatim
from gateway.settings import OPTIONS, Header, Option, config_dir, load

HELP = """Serve one MCP client on standard input and output.

An MCP client (Claude Desktop, Claude Code, Cursor, VS Code) starts this itself: give it the command with its absolute
path. Standard output is the protocol; what is logged goes to standard error and to the log file. It ends when the
client goes away.

Every flag is also an environment variable (`--call-timeout` is `KEYID_GATEWAY_CALL_TIMEOUT`) and a line of
settings.toml in the config folder (`call_timeout = 60`), there also under a name (`[profiles.NAME]`, `--profile NAME`).
A flag wins over a variable, a variable over the profile, the profile over the rest of the file. `keyid-gateway docs
settings` has each of them.

\b
Examples (in a client's config, after the command):
  run
  run --profile work --policy /home/me/work.json"""


def _places(environment: Mapping[str, str]) -> str:
    """Where the defaults are on this machine. No file is read: help is there for those whose settings are wrong."""
    defaults = {option.name: option.default for option in OPTIONS if option.name in ("state", "log_file")}
    return f"""\b
On this machine:
  config folder  {config_dir(environment)}
  state file     {defaults["state"]}
  log file       {defaults["log_file"]}"""


class _Command(click.Command):
    """Its help ends with the places, looked up when it is asked for."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.epilog = _places(os.environ)
        super().format_epilog(ctx, formatter)


@click.command("run", cls=_Command, help=HELP, short_help="serve one MCP client on standard input and output")
@with_flags(*EVERY)
def command(**texts: tuple[str, ...]) -> int:
    """The command; its help is `HELP`."""
    given = once(texts)
    load(given, os.environ)
    if on_terminal(sys.stdin):
        note("keyid-gateway waits for an MCP client on standard input (Ctrl-D ends it)")
        note("hint: a client starts it by itself, with this entry in its config:")
        flags = [word for option in OPTIONS for word in _words(option, given)]
        verbatim(client_entry(command_words(), flags), err=True)
    return start(given)


def _words(option: Option, given: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """A flag as it belongs into a client's config: paths absolute, no credentials."""
    for text in given.get(option.name, ()):
        value = option.read(text)
        yield option.flag
        if option.switch:
            continue
        if isinstance(value, Header) and value.literal:
            yield f"{value.name}: env:VARIABLE"
        else:
            yield str(value) if isinstance(value, Path) or option.name == "policy" else text
