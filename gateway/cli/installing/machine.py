"""This machine, and which client's file is meant on it."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.clients import BY_NAME, CLIENTS, Client, System
from gateway.disk import why
from gateway.errors import ConfigError, UsageError


@dataclass(frozen=True, slots=True)
class Target:
    """A client and its file. `there` says whether the client is on this machine, as far as its folder tells."""

    client: Client
    file: Path
    there: bool
    shared: bool = False
    """Whether the file belongs to a project, and may be read by others."""


def this_machine(environment: Mapping[str, str], home: Path | None = None) -> System:
    """What decides where clients keep their files, here; `home` is the folder of this user."""
    home = home or Path.home()
    if sys.platform == "win32":
        return System("win32", environment, home, _packages(environment, home))
    return System("darwin" if sys.platform == "darwin" else "linux", environment, home)


def chosen(names: Sequence[str], system: System, project: Path | None) -> list[Target]:
    """The files of the named clients. Raises `UsageError` for a client that has no file for projects."""
    found = []
    for name in dict.fromkeys(names):
        client = BY_NAME[name]
        if project is None:
            found.append(target(client, system))
        elif client.project:
            found.append(Target(client, project.joinpath(*client.project), there=True, shared=True))
        else:
            able = ", ".join(f"`{other.name}`" for other in CLIENTS if other.project)
            raise UsageError(f"{client.title} has no file for projects", f"these have one: {able}")
    return found


def there(system: System) -> list[Target]:
    """The clients that are on this machine."""
    return [found for found in (target(client, system) for client in CLIENTS) if found.there]


def target(client: Client, system: System) -> Target:
    """A client's file of this user: the first place where the client is, else where it would be."""
    places = [(Path(place.file), Path(place.sign)) for place in client.places(system)]
    for file, sign in places:
        if _is_there(file) or _is_there(sign):
            return Target(client, file, there=True)
    return Target(client, places[-1][0], there=False)


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        raise ConfigError(f"`{path}` cannot be looked at: {why(error)}", "check the mode of its folders") from None


def _packages(environment: Mapping[str, str], home: Path) -> tuple[str, ...]:
    local = environment.get("LOCALAPPDATA")
    folder = (Path(local) if local else home / "AppData" / "Local") / "Packages"
    return tuple(sorted(found.name for found in folder.glob("Claude_*"))) if folder.is_dir() else ()
