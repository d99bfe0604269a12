"""Where the state lives on disk: one regular file, mode 0600, in a folder that others cannot enter if we made it.

SQLite gives `-wal` and `-shm` the mode of the file itself, so nothing more is needed for them. An existing file is
looked at without being opened: closing any descriptor of a file drops all POSIX locks that this process holds on it,
SQLite's included (https://sqlite.org/howtocorrupt.html, section 2.2).
"""

import os
import stat
import sys
from pathlib import Path
from typing import TypeAlias

from gateway import disk
from gateway.errors import StateError
from gateway.state.failures import from_system

FileIdentity: TypeAlias = tuple[int, int]


def prepare(path: Path) -> Path:
    """The absolute path; the file and its folders are made where missing. `StateError` where it is not this user's."""
    path = path.absolute()
    try:
        disk.make_private(path.parent)
        _make_file(path)
        _own(path)
    except OSError as error:
        raise from_system(error, path) from error
    return path


def identity(path: "Path | str") -> FileIdentity | None:
    """Which file is at `path` now (device and inode); None where there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116 - asked with every call: a text is looked up quicker
    except OSError:
        return None
    return (found.st_dev, found.st_ino)


def _make_file(path: Path) -> None:
    if path.exists():
        return
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        if not path.exists():
            raise StateError(
                f"the state file `{path}` is a symbolic link that leads nowhere", "remove the link, or mend it"
            ) from None


def _own(path: Path) -> None:
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise StateError(f"the state file `{path}` is not a regular file", "choose the path of a file")
    if sys.platform != "win32":
        if found.st_uid != os.geteuid():
            raise StateError(f"the state file `{path}` belongs to another user", "choose a path of your own")
        if found.st_mode & 0o077:
            path.chmod(0o600)
        if found.st_mode & stat.S_IWUSR:
            _free_siblings(path)


def _free_siblings(path: Path) -> None:
    """SQLite makes the files of the log with the mode of the file itself, and leaves them so.

    Where that could not be written for a while, they still cannot when it can again.
    """
    for sibling in (path.with_name(f"{path.name}{suffix}") for suffix in ("-wal", "-shm")):
        try:
            mode = sibling.lstat().st_mode
            if stat.S_ISREG(mode) and not mode & stat.S_IWUSR:
                sibling.chmod(0o600)
        except FileNotFoundError:
            continue
