"""What an entry says: the words that start this program, the flags of `run`, and what is set in this terminal.

A client that is started from a desktop has neither the `PATH` nor the variables of the terminal in which `install` was
typed. So the command is absolute, and a setting that is a variable here becomes one of the entry; a secret does not: it
is named, and its owner decides where it goes.
"""

import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Final

from gateway.cli.launch import command_words
from gateway.errors import ConfigError, UsageError
from gateway.settings import OPTIONS, PREFIX

_PASSING: Final = ("archive-v0", "environments-v2", "builds-v0")
"""Folders of a cache from which a tool may be run once, and which are cleared at any time."""
_OF_A_SERVER: Final = frozenset(
    {"upstream", "policy", "grant", "header", *(option.name for option in OPTIONS if option.name.startswith("oauth_"))}
)
_CONFIG_DIR: Final = PREFIX + "CONFIG_DIR"


def words() -> list[str]:
    """The absolute words that start this program. Raises `ConfigError` where nothing could be written of them."""
    found = command_words()
    try:
        "".join(found).encode()
    except UnicodeEncodeError:
        raise ConfigError(
            f"the path `{found[0]!a}` cannot be written as text", "install it in another folder"
        ) from None
    return found


def passing_note() -> str | None:
    """What to say where this program runs from a cache, and will be gone one day."""
    parts = Path(sys.executable).parts
    if any(name in parts for name in _PASSING) or ("pipx" in parts and ".cache" in parts):
        return "this copy runs from a cache that is cleared at some time: install it for good, then run this again"
    return None


def flags(given: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Settings as flags of `run`, paths absolute: a client starts it wherever it likes."""
    found: list[str] = []
    for option in OPTIONS:
        for text in given.get(option.name, ()):
            try:
                value = option.read(text)
            except ValueError as reason:
                raise UsageError(f"{option.flag}: {reason}", f"{option.flag} {option.metavar}: {option.help}") from None
            found += (option.flag, str(value) if option.name in ("policy", "state") else text)
    return tuple(found)


def variables(environment: Mapping[str, str], said: Collection[str]) -> tuple[dict[str, str], list[str]]:
    """The settings of this terminal that go with the entry, and the names of those that do not: they are secrets.

    `said` are the settings that the entry has from elsewhere. A profile says whose server it is, so that no variable
    goes with it that would go before what it says of that.
    """
    said = {*said, *_OF_A_SERVER} if "profile" in said else said
    carried: dict[str, str] = {}
    left: list[str] = []
    for option in OPTIONS:
        text = environment.get(option.variable)
        if not text or option.name in said:
            continue
        if option.secret or option.name == "header":
            left.append(option.variable)
        else:
            carried[option.variable] = _absolute(option.read(text), text)
    if environment.get(_CONFIG_DIR):
        carried[_CONFIG_DIR] = str(Path(environment[_CONFIG_DIR]).absolute())
    return carried, left


def _absolute(value: object, text: str) -> str:
    return str(value) if isinstance(value, Path) else text
