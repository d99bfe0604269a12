"""Where programs of others are looked for: never in the project that the agent works in (threat B21).

The `PATH` of a shell often leads into a project (`.venv/bin`, `node_modules/.bin`). Whoever may write files there could
put a `zenity` there that answers `Approve`, or a `notify-send` that does as it likes. So what is started for a person
comes from folders outside: neither below the folder that the gateway works in, nor below the project around it, which
is what the nearest `.git` is in. A folder is where it is, not where a link to it stands.
"""

import os
import shutil
from pathlib import Path

_PROJECT = ".git"


def search_path() -> str:
    """The `PATH` without what leads into the project; folders that are named by where one is are left out too."""
    project = _project()
    return os.pathsep.join(
        name
        for name in os.environ.get("PATH", os.defpath).split(os.pathsep)
        if Path(name).is_absolute() and (project is None or not _real(name).is_relative_to(project))
    )


def which(name: str) -> str | None:
    """The absolute path of a program; None: there is none outside of the project."""
    found = shutil.which(name, path=search_path())
    if found is None:
        return None
    project = _project()
    return None if project is not None and _real(found).is_relative_to(project) else found


def _project() -> Path | None:
    """The project that the gateway works in; None where that is none, such as `/`, where clients of a desktop start."""
    try:
        here = Path.cwd()
    except FileNotFoundError:  # nobody puts anything into a folder that is gone
        return None
    top = Path(here.anchor)
    around = next((place for place in (here, *here.parents) if place != top and (place / _PROJECT).exists()), here)
    return None if around == top else _real(around)


def _real(name: str | Path) -> Path:
    return Path(os.path.realpath(name))
