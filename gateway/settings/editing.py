"""The settings file as a person keeps it: a profile is put into it or taken out, everything else stays as it is.

What is edited is the text, because no reader gives comments and order back. So what comes of it is read before it is
written: unless it says exactly what it said before, but for that one profile, nothing is written, and the error says
what to do by hand. That is the case where a profile stands in a form of TOML other than a table of its own
(`profiles = { … }`, `profiles.NAME.upstream = …`).

The file is written whole or not at all, for its owner only.
"""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, TypeAlias

from gateway import disk
from gateway.disk import why
from gateway.errors import ConfigError
from gateway.settings.file import checked

Value: TypeAlias = str | int | float | bool | Sequence[str]
Table: TypeAlias = Mapping[str, Value]

_HEADER: Final = re.compile(r"\s*\[+\s*([^\]]*?)\s*\]+\s*(#.*)?$")
"""A line that begins a table. One inside a text of many lines looks the same; reading what comes of it finds out."""
_DELETE: Final = "\x7f"


def put(path: Path, name: str, table: Table) -> None:
    """Write a profile into the file: in the place of the one of this name, else at its end. Raises `ConfigError`."""
    lines, document = _read(path)
    profiles = {**_profiles(document), name: dict(table)}
    block = [f"[profiles.{_key(name)}]", *(f"{key} = {_written(value)}" for key, value in table.items())]
    place = _place(lines, name)
    if place is not None:
        first, end = place
        after = lines[end:]
        edited = [*lines[:first], *block, *([""] if after and after[0].strip() else []), *after]
    else:
        before = "\n".join(lines).rstrip()
        edited = [*([before, ""] if before else []), *block]
    _write(path, edited, {**document, "profiles": profiles}, name)


def drop(path: Path, name: str) -> None:
    """Take a profile out of the file, with the comment right above it. Raises `ConfigError`."""
    lines, document = _read(path)
    profiles = {key: value for key, value in _profiles(document).items() if key != name}
    place = _place(lines, name)
    first, end = place or (0, 0)
    while first > 1 and lines[first - 1].startswith("#"):
        first -= 1
    wanted = {key: value for key, value in document.items() if key != "profiles"}
    edited = "\n".join((*lines[:first], *lines[end:])).rstrip().split("\n")
    _write(path, edited, {**wanted, **({"profiles": profiles} if profiles else {})}, name)


def _read(path: Path) -> tuple[list[str], dict[str, object]]:
    """The lines of the file, and what they say."""
    try:
        text = path.read_bytes().decode().replace("\r\n", "\n") if path.exists() else ""
        return text.split("\n"), tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"`{path}` cannot be read: {why(error)}", "check its owner and mode") from None
    except ValueError as error:
        raise ConfigError(f"`{path}` is not valid TOML: {error}", "mend it first: nothing was written") from None


def _profiles(document: Mapping[str, object]) -> dict[str, object]:
    profiles = document.get("profiles", {})
    return dict(profiles) if isinstance(profiles, Mapping) else {}


def _place(lines: Sequence[str], name: str) -> tuple[int, int] | None:
    """From the line that begins the table of a profile up to what belongs to the next one, its comments included."""
    begins = [(number, found[1]) for number, line in enumerate(lines) if (found := _HEADER.match(line))]
    ours = [number for number, key in begins if key.replace(" ", "") in _headings(name)]
    if len(ours) != 1:
        return None
    end = min((number for number, _ in begins if number > ours[0]), default=len(lines))
    if end < len(lines):
        while lines[end - 1].startswith("#"):
            end -= 1
    return ours[0], end


def _headings(name: str) -> frozenset[str]:
    return frozenset({f"profiles.{_key(name)}", f"profiles.{json.dumps(name)}", f"profiles.'{name}'"})


def _key(name: str) -> str:
    return name if name.replace("-", "").replace("_", "").isalnum() else json.dumps(name)


def _written(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace(_DELETE, "\\u007f")
    if isinstance(value, int | float):
        return str(value)
    return "[" + ", ".join(map(_written, value)) + "]"


def _write(path: Path, lines: Sequence[str], wanted: Mapping[str, object], name: str) -> None:
    text = "\n".join(lines).strip("\n") + "\n"
    if not _says(text, wanted):
        raise ConfigError(
            f"`{path}` has profile `{name}` in a form that cannot be edited without changing anything else",
            f"edit the file by hand: a table `[profiles.{_key(name)}]`; nothing was written",
        )
    checked(path, wanted)
    try:
        windows = path.exists() and b"\r\n" in path.read_bytes()
        place = path.resolve() if path.is_symlink() else path
        disk.make_private(place.parent)
        disk.write(place, (text.replace("\n", "\r\n") if windows else text).encode())
    except OSError as error:
        raise ConfigError(f"`{path}` cannot be written: {why(error)}", "check the owner of its folder") from None


def _says(text: str, wanted: Mapping[str, object]) -> bool:
    try:
        return tomllib.loads(text) == wanted
    except ValueError:
        return False
