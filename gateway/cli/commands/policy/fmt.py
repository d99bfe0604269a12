"""`policy fmt`: policies in the one layout."""

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from gateway import disk
from gateway.cli.flags import json_flag, with_settings
from gateway.cli.in_force import policy_in_force
from gateway.cli.screen import document, note, say, verbatim
from gateway.errors import ConfigError, UsageError, typed
from gateway.policies import read
from gateway.settings import Settings

HELP: Final = """Lay policies out: keys in the order of the language, two spaces, short things on one line.

What a policy says never changes, and comments of YAML stay; a YAML object with comments in it keeps the order of its
keys. Without FILE it is the policy that would be in force. With --check nothing is written: what would change is
shown, and the exit code is 1 if anything would.

\b
--json: {"files": [{"file", "changed"}]}"""


@dataclass(frozen=True, slots=True)
class Laid:
    """One file, as it is and as it should be."""

    file: Path
    old: str
    new: str

    @property
    def changed(self) -> bool:
        return self.old != self.new


@click.command("fmt", help=HELP, short_help="lay policies out in the one way")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE]...")
@click.option("--check", is_flag=True, help="write nothing; show what would change, and exit 1 if anything would")
@with_settings("policy", "grant", "state")
@json_flag
def command(settings: Settings, *, files: tuple[Path, ...], check: bool, as_json: bool) -> int:
    """The command; its help is `HELP`."""
    laid = [_lay_out(file) for file in files or (_in_force(settings),)]
    for each in laid:
        if each.changed and not check:
            _replace(each.file, each.new)
    if as_json:
        document({"files": [{"file": str(each.file), "changed": each.changed} for each in laid]})
    else:
        _tell(laid, check=check)
    return 1 if check and any(each.changed for each in laid) else 0


def _in_force(settings: Settings) -> Path:
    file = policy_in_force(settings).file
    if file is None:
        raise UsageError("the built-in pack is in force, which has no file", "name a policy: `policy fmt FILE`")
    return file


def _lay_out(file: Path) -> Laid:
    from gateway.authoring.layout import laid_out  # here, because it imports pydantic

    data = read(file)
    new = laid_out(data, name=str(file))
    return Laid(file, data.decode("utf-8"), new)


def _replace(file: Path, text: str) -> None:
    """Write a file whole or not at all, with the mode it has; a gateway that follows it never sees half of it."""
    place = file.resolve()
    try:
        disk.write(place, text.encode(), place.stat().st_mode & 0o777)
    except OSError as error:
        raise ConfigError(f"`{file}` cannot be written: {disk.why(error)}", "check its owner and mode") from None


def _tell(laid: list[Laid], *, check: bool) -> None:
    for each in laid:
        if not each.changed:
            say(f"`{each.file}` is laid out already")
        elif check:
            old, new = each.old.splitlines(keepends=True), each.new.splitlines(keepends=True)
            verbatim("".join(difflib.unified_diff(old, new, str(each.file), f"{each.file} (laid out)")).rstrip("\n"))
            note(f"`{each.file}` is not laid out\nhint: `{typed('keyid-gateway', 'policy', 'fmt', str(each.file))}`")
        else:
            say(f"`{each.file}` is laid out")
