"""Clients' files on disk: read with care, kept as they were, and replaced whole or not at all.

A file is written beside its place and moved there, so that a client never sees half of it; a link stays a link, and its
target is what is written. Nothing is written over that is not what was read: clients write their files themselves.
What was there before is kept in a folder of ours that only this user can enter, never beside the file, where it might
be shared with others.
"""

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway import disk
from gateway.disk import PRIVATE, why
from gateway.errors import ConfigError

_LARGEST: Final = 32 * 2**20
_BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Content:
    """What a client's file says now. `data` is None where there is no file; `file` is where links lead."""

    named: Path
    file: Path
    data: bytes | None
    mode: int

    @property
    def text(self) -> str:
        """Its text, without the mark that some editors put at its beginning. Raises `ConfigError`."""
        try:
            return (self.data or b"").removeprefix(_BOM).decode()
        except UnicodeDecodeError as error:
            raise ConfigError(
                f"`{self.named}` is not UTF-8 (at byte {error.start}): it is left alone", "save it as UTF-8"
            ) from None

    def written(self, text: str) -> bytes:
        """The bytes of a new text: with that mark where it was there."""
        mark = _BOM if (self.data or b"").startswith(_BOM) else b""
        return mark + text.encode()


def read(named: Path, *, shared: bool = False) -> Content:
    """A client's file. Raises `ConfigError` for one that is not this user's, or is no file.

    `shared`: the file belongs to a project; a new one gets the mode that others there have.
    """
    try:
        file = named.resolve()
        try:
            descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        except FileNotFoundError:
            return Content(named, file, None, _usual_mode() if shared else PRIVATE)
        with os.fdopen(descriptor, "rb") as stream:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise ConfigError(f"`{named}` is not a regular file: it is left alone")
            if found.st_size > _LARGEST:
                raise ConfigError(f"`{named}` has more than {_LARGEST // 2**20} MB: it is left alone")
            _check_owner(named, found)
            return Content(named, file, stream.read(_LARGEST + 1), stat.S_IMODE(found.st_mode))
    except (OSError, RuntimeError) as error:
        raise ConfigError(f"`{named}` cannot be read: {why(error)}", "check its owner and mode") from None


def check_writable(content: Content) -> None:
    """That it may be replaced, as its owner wants it. Raises `ConfigError`."""
    folder = content.file.parent
    if not folder.is_dir():
        raise ConfigError(f"there is no folder `{folder}`", "start the client once, or let `--create` make the folder")
    if content.data is not None and not _may_write(content.file):
        raise ConfigError(f"`{content.named}` is read-only: it is left alone", f"chmod u+w '{content.file}'")
    if not _may_write(folder):
        raise ConfigError(f"nothing can be written in `{folder}`: it is read-only", f"chmod u+w '{folder}'")


def replace(content: Content, text: str, *, keep_in: Path, name: str) -> Path | None:
    """Put a text in the place of what was read; where that is kept, or None where there was no file.

    `keep_in` is the folder of what was there before, `name` how that begins. Raises `ConfigError`, also where the file
    has changed since it was read.
    """
    check_writable(content)
    try:
        disk.make_private(keep_in)
        with _alone(keep_in / "lock"):
            _check_unchanged(content)
            kept = None if content.data is None else _keep(keep_in, name, content.data)
            with disk.drafted(content.file, content.written(text), content.mode) as draft:
                _check_unchanged(content)
                draft.replace(content.file)
            _sync_folder(content.file.parent)
    except OSError as error:
        raise ConfigError(
            f"`{content.named}` cannot be written: {why(error)}", "check its folder and the disk"
        ) from None
    return kept


def _keep(folder: Path, name: str, data: bytes) -> Path:
    """Keep what was there under the next number: nothing that was kept before is ever written over."""
    numbers = [int(found.name.rpartition(".")[2]) for found in folder.glob(f"{name}.*") if _is_number(found.name)]
    number = max(numbers, default=0) + 1
    while True:
        kept = folder / f"{name}.{number}"
        try:
            disk.create(kept, data)
        except FileExistsError:
            number += 1
        else:
            return kept


def _is_number(name: str) -> bool:
    return name.rpartition(".")[2].isdecimal()


def _check_unchanged(content: Content) -> None:
    try:
        now: bytes | None = content.file.read_bytes()
    except FileNotFoundError:
        now = None
    if now != content.data or content.named.resolve() != content.file:
        raise ConfigError(
            f"`{content.named}` was changed by something else meanwhile: it is left alone",
            "close the client if it is running, then try again",
        )


def _check_owner(named: Path, found: os.stat_result) -> None:
    if sys.platform != "win32" and found.st_uid != os.geteuid():
        raise ConfigError(
            f"`{named}` belongs to another user: it is left alone", "run this as the user who starts the client"
        )


def _may_write(path: Path) -> bool:
    """Whether the owner wants it written: whoever may do everything asks the mode all the same."""
    if sys.platform != "win32" and not path.stat().st_mode & stat.S_IWUSR:
        return False
    return os.access(path, os.W_OK)


def _usual_mode() -> int:
    if sys.platform == "win32":
        return 0o666
    mask = os.umask(0o077)
    os.umask(mask)
    return 0o666 & ~mask


def _sync_folder(folder: Path) -> None:
    if sys.platform == "win32":  # there, a folder cannot be opened for this
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    """No other process of this program writes a client's file meanwhile; whoever holds it waits for the disk only."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, PRIVATE)
    try:
        _lock(descriptor)
        yield
    finally:
        os.close(descriptor)


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_LOCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
