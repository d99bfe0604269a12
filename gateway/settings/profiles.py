"""Profiles: settings under one name, written into the settings file and taken out of it.

`add` is what `keyid-gateway profiles add` does, and whatever else makes an entry of a client into a profile.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from gateway import disk
from gateway.credentials import is_credential
from gateway.errors import ConfigError, UsageError
from gateway.settings import editing
from gateway.settings.file import FILE, PLACED, read
from gateway.settings.options import OPTIONS, Option
from gateway.settings.sources import BUILT_IN, names, unknown_profile
from gateway.settings.values import is_place, profile, split_header

_BY_NAME: Final = {option.name: option for option in OPTIONS}
_SECRETS: Final = "secrets"


def add(config_dir: Path, name: str, given: Mapping[str, Sequence[str]], *, replace: bool = False) -> Path:
    """Write a profile into the settings file, which is made where there is none; the file.

    `given` are settings by name, as flags say them; they are written in the order of the table. Relative paths are
    meant from where the program is, and become absolute. A credential has to be named by its place (`keep_secret` makes
    one); what is in that place is not looked at. Raises `UsageError` for what makes no sense, `ConfigError` for a file
    that cannot be edited.
    """
    try:
        profile(name)
    except ValueError as reason:
        raise UsageError(f"`{name}`: {reason}") from None
    if "profile" in given:
        raise UsageError("a profile names no other", "leave out `--profile`")
    file = config_dir / FILE
    if name in read(file).profiles and not replace:
        raise UsageError(f"there is a profile `{name}` already", "`--replace` writes this one in its place")
    table = {option.name: _value(option, given[option.name]) for option in OPTIONS if given.get(option.name)}
    editing.put(file, name, table)
    return file


def remove(config_dir: Path, name: str) -> Path:
    """Take a profile out of the settings file, with the secrets that were kept for it alone; the file.

    Raises `UsageError` where there is none of that name.
    """
    file = read(config_dir / FILE)
    if name not in file.profiles:
        if name in BUILT_IN:
            raise UsageError(f"profile `{name}` is built in", "it stays; nothing is written of it")
        raise unknown_profile(name, names(file))
    if file.settings.get("profile") == (name,):
        raise UsageError(
            f"profile `{name}` is the one that `{file.path}` names",
            f'first take out its line `profile = "{name}"`, or name another there',
        )
    editing.drop(file.path, name)
    for text in file.profiles[name].get("header", ()):
        what, colon, place = text.partition(":")
        if colon and place.strip() == f"file:{_secret(config_dir, name, what)}":
            _secret(config_dir, name, what).unlink(missing_ok=True)
    return file.path


def keep_secret(config_dir: Path, name: str, what: str, value: str) -> str:
    """Keep a credential in a file of its own that only this user can read; the place that a setting names it by.

    `name` is the profile, `what` the header. What was kept under the same two is replaced.
    """
    file = _secret(config_dir, name, what)
    try:
        disk.make_private(file.parent)
        disk.write(file, f"{value}\n".encode())
    except OSError as error:
        raise ConfigError(f"`{file}` cannot be written: {disk.why(error)}", "check the owner of its folder") from None
    return f"file:{file}"


def _secret(config_dir: Path, name: str, what: str) -> Path:
    return config_dir.absolute() / _SECRETS / f"{name}.{what.strip().lower()}"


def _value(option: Option, texts: Sequence[str]) -> editing.Value:
    """What stands in the file for the texts of a flag."""
    values = [_checked(option, text) for text in texts]
    return [str(value) for value in values] if option.repeatable else values[-1]


def _checked(option: Option, text: str) -> str | int | float | bool:
    try:
        if option.name == "header":
            return _header(text)
        if option.secret:
            return _place(text)
        value = option.read(text)
    except ValueError as reason:
        raise UsageError(f"{option.flag}: {reason}", f"{option.flag} {option.metavar}: {option.help}") from None
    if option.name in PLACED:
        return str(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, bool | int | float) else text


def _header(text: str) -> str:
    """A header whose value is looked up when it is sent: what it is read from need not be there yet."""
    name, value, literal = split_header(text)
    if literal and is_credential(name):
        raise ValueError(f"the value of header `{name}` is a secret: name its place, `{name}: env:VARIABLE`")
    if literal:
        _BY_NAME["header"].read(text)
    return f"{name}: {value}"


def _place(text: str) -> str:
    if not is_place(text):
        raise ValueError("a secret does not belong here: name its place")
    return text
