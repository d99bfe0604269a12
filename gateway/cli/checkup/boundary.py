"""What the gateway cannot keep anybody from: who may write the files that decide, and where the log file is.

A policy binds whoever cannot change it. Whoever can is outside the boundary (README, "What it promises, and what it
does not"), and this says who that is on this machine.
"""

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gateway.cli.checkup.examination import Examined
from gateway.cli.checkup.finding import Finding, ok, unchecked, warning
from gateway.settings import Settings

_ROOT: Final = 0


def check(examined: Examined) -> Iterator[Finding]:
    """The lines about who could go round the gateway."""
    settings = examined.known
    yield _log_file(settings)
    yield ok(
        "boundary",
        "whoever has a shell as this user, an agent too, can change the policy and the clients' config, and talk to "
        "the server past the gateway; an administrator's policy beside the site's settings binds them as well",
        site=str(settings.site_policies[0]),
    )
    if sys.platform == "win32":
        yield unchecked("boundary", "who else may write the files: modes say nothing about that on Windows")
        return
    if os.geteuid() == _ROOT:
        yield warning("boundary", "this is the superuser", "run clients and the gateway as a user of your own")
    for what, path in _deciding(settings):
        yield from _others(what, path)


def _log_file(settings: Settings) -> Finding:
    path = settings.log_file
    folder = path if path.exists() else next((each for each in path.parents if each.exists()), path.parent)
    if os.access(folder, os.W_OK):
        return ok("log", f"the log is `{path}`" + ("" if path.exists() else " (nothing is logged yet)"), file=str(path))
    return warning("log", f"the log file `{path}` cannot be written", f"check the owner and the mode of `{folder}`")


def _deciding(settings: Settings) -> Iterator[tuple[str, Path]]:
    """The files that decide what may be called, and the folders in which they could be replaced."""
    files = [("settings file", settings.config_dir / "settings.toml"), ("state file", settings.state)]
    policy = settings.policy
    files.append(("policy", settings.user_policy if policy is None or policy.startswith("builtin:") else Path(policy)))
    for what, path in files:
        yield what, path
        yield f"folder of the {what}", path.parent


def _others(what: str, path: Path) -> Iterator[Finding]:
    try:
        found = path.stat()
    except OSError:
        return  # what is not there decides nothing; whether it should be there, other checks say
    if sys.platform != "win32" and found.st_uid not in (os.geteuid(), _ROOT):
        yield warning(
            "boundary", f"the {what} `{path}` belongs to another user", "own it, or let the administrator own it"
        )
    sticky = stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX
    if found.st_mode & 0o022 and not sticky:
        yield warning(
            "boundary",
            f"others may write the {what} `{path}`",
            f"`chmod go-w '{path}'`",
            mode=oct(found.st_mode & 0o777),
        )
