"""What is kept of a sign-in, so that a restart needs no browser: one file for each server and client id.

Kept are the tokens with the moment at which the access token ends, the scopes, the issuer, the registration of this
client there, and the server metadata that a refresh needs. The folder is 0700, a file 0600; it is replaced whole, so
that no reader sees half of it. Where the system has a keyring, the secret part lives there, and the file says so.

Two gateways of one user share a file. Whoever changes it holds its lock, and looks again once it has it: the other may
just have done the work, and a refresh token that is used twice ends the sign-in of both.
"""

import asyncio
import json
import os
import stat
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final, Literal, TypeAlias

from gateway import disk
from gateway.errors import StateError

FORMAT: Final = 1
_LARGEST: Final = 256 * 1024
_USUAL: Final = 16 * 1024
_MARGIN_SECONDS: Final = 5.0
_MARGIN_SHARE: Final = 0.05
_LOCK_POLL_SECONDS: Final = 0.05
Where: TypeAlias = Literal["file", "keyring"]
Stamp: TypeAlias = tuple[int, int, int]
Document: TypeAlias = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Secret:
    """The part of a sign-in that opens doors."""

    access_token: str
    refresh_token: str | None = None
    client: Document | None = None
    """The registration of this client, as the authorization server gave it; None where the settings have it."""


@dataclass(frozen=True, slots=True)
class Record:
    """One sign-in. Times in seconds since the epoch; `expires_at` None where the server did not say."""

    upstream: str
    issuer: str
    client_id: str
    scope: str | None
    obtained_at: float
    expires_at: float | None
    metadata: Document
    resource: Document | None
    kept: Where = "file"
    secret: Secret | None = field(default=None, repr=False)
    """None where it is in the keyring, and was not asked for."""


def margin(life: float) -> float:
    """How long before its end a token no longer counts, in seconds; of one that lasts for seconds, a part of one."""
    return min(_MARGIN_SECONDS, _MARGIN_SHARE * max(0.0, life))


class Records:
    """The folder of sign-ins."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def stamp(self, name: str) -> Stamp | None:
        """What changes whenever the file does; None where there is none."""
        try:
            found = os.stat(f"{self.folder}{os.sep}{name}.json")  # noqa: PTH116 - asked before every request
        except OSError:
            return None
        return (found.st_mtime_ns, found.st_ino, found.st_size)

    def read(self, name: str) -> Record | None:
        """The sign-in, None where there is none. Raises `StateError` for a file that is not this user's, or is none."""
        path = self.path(name)
        try:
            text = _read(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StateError(f"`{path}` cannot be read: {disk.why(error)}", "check its owner and mode") from None
        try:
            return _parsed(text)
        except (ValueError, TypeError, KeyError):
            raise StateError(
                f"`{path}` is not a sign-in that this version reads",
                "`keyid-gateway logout` with the --upstream of this gateway removes it",
            ) from None

    def write(self, name: str, record: Record) -> None:
        """Keep a sign-in, instead of the one that is there. Raises `StateError`."""
        with self._fresh(name, json.dumps({"format": FORMAT, **asdict(record)})) as fresh:
            fresh.replace(self.path(name))

    def check_room(self, name: str) -> None:
        """That a sign-in can be kept, before anything is exchanged that works only once. Raises `StateError`."""
        with self._fresh(name, " " * _USUAL):
            pass

    @contextmanager
    def _fresh(self, name: str, text: str) -> Iterator[Path]:
        """A file beside the one that is there, which is gone afterwards. Raises `StateError`."""
        try:
            self._make_folder()
            with disk.drafted(self.path(name), text.encode()) as fresh:
                yield fresh
        except OSError as error:
            raise StateError(
                f"the sign-in cannot be kept in `{self.folder}`: {disk.why(error)}", "check the folder and the disk"
            ) from None

    def forget(self, name: str) -> bool:
        """Remove a sign-in; whether there was one. Raises `StateError`."""
        try:
            self.path(name).unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise StateError(f"`{self.path(name)}` cannot be removed: {disk.why(error)}") from None
        return True

    @asynccontextmanager
    async def locked(self, name: str, seconds: float, waits: Callable[[], None] | None = None) -> AsyncIterator[None]:
        """Nobody else changes this sign-in meanwhile. Raises `StateError` where that takes longer than `seconds`.

        `waits` is told where somebody else is at work. The lock ends with the process that holds it, however that ends;
        its file stays, and is empty.
        """
        try:
            self._make_folder()
            descriptor = os.open(self.folder / f"{name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StateError(
                f"`{self.folder}` cannot be locked: {disk.why(error)}", "check its owner and mode"
            ) from None
        try:
            await _acquire(descriptor, seconds, waits)
            yield
        finally:
            os.close(descriptor)

    def _make_folder(self) -> None:
        disk.make_private(self.folder)
        found = self.folder.stat()
        if sys.platform != "win32" and found.st_uid == os.geteuid() and found.st_mode & 0o077:
            self.folder.chmod(0o700)


def _read(path: Path) -> str:
    """The text of a file of this user's, whose mode is put right; no link is followed."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, encoding="utf-8") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise PermissionError(0, "it is not a regular file")
        if sys.platform != "win32":
            if found.st_uid != os.geteuid():
                raise PermissionError(0, "it belongs to another user")
            if found.st_mode & 0o077:
                os.fchmod(descriptor, 0o600)
        return file.read(_LARGEST)


def _parsed(text: str) -> Record:
    document = json.loads(text)
    if not isinstance(document, dict) or document.pop("format") != FORMAT:
        raise ValueError("another format")
    secret = document.pop("secret")
    _check_texts(*(document[name] for name in ("upstream", "issuer", "client_id", "kept")))
    if not isinstance(document["expires_at"], int | float | None) or not isinstance(document["metadata"], dict):
        raise TypeError("a field is of another type")
    return Record(**document, secret=None if secret is None else secret_from(secret))


def secret_from(document: object) -> Secret:
    """The secret part, as `asdict` wrote it. Raises `ValueError` or `TypeError` where it is none."""
    if not isinstance(document, dict):
        raise TypeError("no object")
    secret = Secret(**document)
    _check_texts(secret.access_token)
    if not secret.access_token.isascii() or not secret.access_token.isprintable():
        raise ValueError("no token")
    return secret


def _check_texts(*values: object) -> None:
    if not all(isinstance(value, str) and value for value in values):
        raise TypeError("a text is missing")


async def _acquire(descriptor: int, seconds: float, waits: Callable[[], None] | None) -> None:
    clock = asyncio.get_running_loop().time
    deadline = clock() + seconds
    if _try_lock(descriptor):
        return
    if waits is not None:
        waits()
    while not _try_lock(descriptor):
        if clock() > deadline:
            raise StateError(
                "another sign-in to this server is under way",
                "finish it in the browser, or end the gateway that asked for it, then try again",
            )
        await asyncio.sleep(_LOCK_POLL_SECONDS)


if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
