"""Files of this program: for their owner only, and written whole or not at all.

Such a file is written beside its place, under a name that nobody has, and moved there: whoever reads it (a gateway that
follows its policy, a client, another command) never sees half of it, and where anything fails, what was there stays.
Folders that are made for one can be entered by their owner only, each of them: `mkdir` gives a mode to the last alone.
"""

import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

PRIVATE: Final = 0o600
"""The mode of a file that only its owner reads."""


def why(error: Exception) -> str:
    """What the operating system says, as words within a sentence."""
    return (getattr(error, "strerror", None) or str(error)).lower()


def make_private(folder: Path) -> None:
    """A folder that only its owner can enter, and those above it that are missing. Raises `OSError`."""
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    for place in reversed(missing):
        place.mkdir(mode=0o700, exist_ok=True)


def write(file: Path, data: bytes, mode: int = PRIVATE, *, durable: bool = True) -> None:
    """Put a file in its place, which may be one that is there. Raises `OSError`.

    `durable`: it is on the disk before it stands there, so that a power cut leaves the one or the other.
    """
    with drafted(file, data, mode, durable=durable) as draft:
        draft.replace(file)


@contextmanager
def drafted(file: Path, data: bytes, mode: int = PRIVATE, *, durable: bool = True) -> Iterator[Path]:
    """A file beside the place where it will stand; what is not moved is gone afterwards. Raises `OSError`."""
    draft = file.with_name(f".{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
    create(draft, data, mode, durable=durable)
    try:
        yield draft
    finally:
        with suppress(OSError):
            draft.unlink()


def create(file: Path, data: bytes, mode: int = PRIVATE, *, durable: bool = True) -> None:
    """Write a new file, whole or none; never one that is there already. Raises `OSError`."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    descriptor = os.open(file, flags, PRIVATE)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            if sys.platform != "win32":
                os.fchmod(descriptor, mode)
            if durable:
                os.fsync(descriptor)
    except BaseException:  # a cancellation too: half a file must not stay, and whatever it was goes on
        with suppress(OSError):
            file.unlink()
        raise
