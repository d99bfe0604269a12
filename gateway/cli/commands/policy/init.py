"""`policy init`: the recommended pack, written out to be edited."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

import click

from gateway.cli.flags import json_flag, with_settings
from gateway.cli.screen import document, say
from gateway.cli.words import counted
from gateway.errors import ConfigError, UsageError
from gateway.keyid import recommended
from gateway.settings import Settings

HELP: Final = """Write the recommended policy to a file, to be edited: policy.json in the config folder, or FILE.

With `-` it goes to standard output instead. A file that exists is left alone, unless --force. Only you can read what is
written (mode 0600).

\b
--json: {"written", "tools"}"""


@click.command("init", help=HELP, short_help="write the recommended policy to a file to edit")
@click.argument("file", required=False, metavar="[FILE]")
@click.option("--force", is_flag=True, help="replace the file if it exists")
@with_settings()
@json_flag
def command(settings: Settings, *, file: str | None, force: bool, as_json: bool) -> int:
    """The command; its help is `HELP`."""
    text = recommended.text()
    if file == "-":
        click.echo(text, nl=False)
        return 0
    path = settings.user_policy if file is None else Path(file).expanduser().absolute()
    write(path, text, force=force)
    tools = len(recommended.TOOLS)
    if as_json:
        document({"written": str(path), "tools": tools})
        return 0
    chosen = path == settings.user_policy
    say(f"wrote `{path}`: {counted(tools, 'tool')}, the reason of each restriction beside it")
    say("next:")
    say(f"  edit it; `keyid-gateway policy check{'' if chosen else f' {path}'}` says what is wrong with an edit")
    if chosen:
        say("  a gateway without --policy takes it within half a second, as every later edit")
    else:
        say(f"  start the gateway with `--policy {path}`; later edits are taken at once")
    say("  a grant that was once judged by a file never falls back to the built-in pack")
    return 0


def write(path: Path, text: str, *, force: bool) -> None:
    """Write a file whole or not at all, for its owner only.

    A gateway that follows the file never sees half of it: it is written beside its place and moved there.
    """
    if path.is_dir():
        raise UsageError(f"`{path}` is a folder", "name the file to write")
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        if not path.parent.exists():
            path.parent.mkdir(mode=0o700, parents=True)
        _write_draft(draft, text)
        if force:
            draft.replace(path)
        else:
            os.link(draft, path)  # unlike a rename, this fails where a file is
    except FileExistsError:
        raise UsageError(f"`{path}` exists already", "`--force` replaces it; `policy init -` only prints") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(f"`{path}` cannot be written: {reason}", "choose another place: `policy init FILE`") from None
    finally:
        with suppress(OSError):
            draft.unlink()


def _write_draft(draft: Path, text: str) -> None:
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
