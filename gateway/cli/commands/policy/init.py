"""`policy init`: a policy to begin with, to be edited: the recommended pack, or one made of the server's tools."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from gateway import disk
from gateway.authoring.scan import as_json as json_text
from gateway.authoring.scan import as_yaml as yaml_text
from gateway.cli.commands.policy import scan as scanning
from gateway.cli.flags import REACHING, json_flag, with_settings
from gateway.cli.screen import document, say
from gateway.cli.words import counted
from gateway.errors import ConfigError, UsageError, typed
from gateway.keyid import recommended
from gateway.settings import Settings

HELP: Final = """Write the recommended policy to a file, to be edited: policy.json in the config folder, or FILE.

With --live the policy is made of the tools that the server announces now: every one listed under its risk, limited as
`policy scan` says, destructive ones hidden; a FILE that ends in .yaml says in comments why. The recommended pack is for
KeyID, --live for any server.

With `-` it goes to standard output instead. A file that exists is left alone, unless --force. Only you can read what is
written (mode 0600).

\b
--json: {"written", "tools"}"""
_REASONS: Final = ", the reason of each restriction beside it"
_YAML: Final = (".yaml", ".yml")


@click.command("init", help=HELP, short_help="write the recommended policy to a file to edit")
@click.argument("file", required=False, metavar="[FILE]")
@click.option("--force", is_flag=True, help="replace the file if it exists")
@click.option("--live", is_flag=True, help="make the policy of the tools that the server announces now")
@with_settings(*REACHING)
@json_flag
def command(settings: Settings, *, file: str | None, force: bool, live: bool, as_json: bool) -> int:
    """The command; its help is `HELP`."""
    from gateway.authoring.layout import laid_out  # here, because it imports pydantic; what cannot be taken is an error

    if not live and file is not None and file.endswith(_YAML):
        raise UsageError("the recommended pack is written as JSON", "name a file that ends in `.json`, or add --live")
    written = _live(settings, file) if live else _Written(recommended.text(), len(recommended.TOOLS), _REASONS)
    text = laid_out(written.text.encode(), name=file or "policy.json")
    if file == "-":
        click.echo(text, nl=False)
        return 0
    path = settings.user_policy if file is None else Path(file).expanduser().absolute()
    write(path, text, force=force)
    if as_json:
        document({"written": str(path), "tools": written.tools})
        return 0
    chosen = path == settings.user_policy
    say(f"wrote `{path}`: {counted(written.tools, 'tool')}{written.also}")
    say("next:")
    check = typed("keyid-gateway", "policy", "check", *(() if chosen else (str(path),)))
    say(f"  edit it; `{check}` says what is wrong with an edit")
    if chosen:
        say("  a gateway without --policy takes it within half a second, as every later edit")
    else:
        say(f"  start the gateway with `{typed('--policy', str(path))}`; later edits are taken at once")
    say("  a grant that was once judged by a file never falls back to the built-in pack")
    return 0


@dataclass(frozen=True, slots=True)
class _Written:
    """A policy as text: how many tools it names, and what else to say of it."""

    text: str
    tools: int
    also: str


def _live(settings: Settings, file: str | None) -> _Written:
    tools = scanning.fetched(settings)
    render = yaml_text if file is not None and file.endswith(_YAML) else json_text
    text = render(tools, server=settings.server)
    listed = sum(tool.listed for tool in tools)
    return _Written(text, listed, f": {scanning.summary(tools)}; `policy scan` says why")


def write(path: Path, text: str, *, force: bool) -> None:
    """Write a file whole or not at all, for its owner only.

    A gateway that follows the file never sees half of it: it is written beside its place and moved there.
    """
    if path.is_dir():
        raise UsageError(f"`{path}` is a folder", "name the file to write")
    try:
        disk.make_private(path.parent)
        with disk.drafted(path, text.encode()) as draft:
            if force:
                draft.replace(path)
            else:
                os.link(draft, path)  # unlike a rename, this fails where a file is
    except FileExistsError:
        raise UsageError(f"`{path}` exists already", "`--force` replaces it; `policy init -` only prints") from None
    except OSError as error:
        hint = "choose another place: `policy init FILE`"
        raise ConfigError(f"`{path}` cannot be written: {disk.why(error)}", hint) from None
