"""What SQLite and the file system complain of, said to a person.

Every failure of the state file becomes a `StateError`: whoever holds one refuses the call (fail closed). The numbers
are SQLite's primary result codes (https://sqlite.org/rescode.html): the low byte of the extended ones.
"""

import errno
import os
import sqlite3
from pathlib import Path
from typing import Final

from gateway.errors import StateError

_FREE_SPACE: Final = "free some space on that disk, or choose another place for the state file"
_WRITABLE: Final = "check that the file and its folder belong to you and can be written"
_DAMAGED: Final = (
    "move the file away to start with a fresh one: its counters and its audit log stay readable there; "
    "what was stopped, revoked or pinned, and the PIN, have to be said again"
)
_VERIFY: Final = "`keyid-gateway audit verify` says where it was changed"
_WAIT: Final = "see which program holds it open, and try again"

_CAUSES: Final[dict[int, tuple[str, str]]] = {
    sqlite3.SQLITE_BUSY: ("is locked by another process", _WAIT),
    sqlite3.SQLITE_LOCKED: ("is locked by another process", _WAIT),
    sqlite3.SQLITE_PROTOCOL: ("is locked by another process", _WAIT),
    sqlite3.SQLITE_PERM: ("cannot be written", _WRITABLE),
    sqlite3.SQLITE_READONLY: ("cannot be written", _WRITABLE),
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened", _WRITABLE),
    sqlite3.SQLITE_FULL: ("cannot grow: the disk is full", _FREE_SPACE),
    sqlite3.SQLITE_IOERR: ("cannot be read or written: the disk reports an error", _FREE_SPACE),
    sqlite3.SQLITE_CORRUPT: ("is damaged", _DAMAGED),
    sqlite3.SQLITE_NOTADB: ("is not a state file", "choose another path, or move that file away"),
}


def primary_code(error: sqlite3.Error) -> int | None:
    """SQLite's primary result code; None for what the binding itself complains of (a closed connection)."""
    code = getattr(error, "sqlite_errorcode", None)
    return code & 0xFF if isinstance(code, int) else None


def is_busy(error: sqlite3.Error) -> bool:
    """Whether waiting may help: another connection holds the lock."""
    return primary_code(error) == sqlite3.SQLITE_BUSY


def from_sqlite(error: sqlite3.Error, path: Path) -> StateError:
    """The `StateError` of what SQLite reports about the file at `path`."""
    known = _CAUSES.get(primary_code(error) or 0)
    if known is None:
        return StateError(f"the state file `{path}` cannot be used: {error}", _WRITABLE)
    cause, hint = known
    return StateError(f"the state file `{path}` {cause}", hint, told=f"the state file {cause}")


def from_system(error: OSError, path: Path) -> StateError:
    """The `StateError` of what the operating system reports about the file at `path`."""
    reason = os.strerror(error.errno).lower() if error.errno else str(error)
    hint = _FREE_SPACE if error.errno in (errno.ENOSPC, errno.EDQUOT) else _WRITABLE
    cause = f"cannot be opened: {reason}"
    return StateError(f"the state file `{path}` {cause}", hint, told=f"the state file {cause}")


def damaged(what: str) -> StateError:
    """The `StateError` of a value in the file that the gateway never writes."""
    return StateError(f"the state file is damaged: {what}", _DAMAGED, told="the state file is damaged")


def broken_chain(what: str) -> StateError:
    """The `StateError` of an audit log that takes no further record, because it is not as the gateway left it."""
    told = "the audit log takes no further record"
    return StateError(f"{told}: {what}", f"{_VERIFY}; {_DAMAGED}", told=told)
