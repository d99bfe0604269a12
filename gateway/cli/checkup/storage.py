"""The state file: whether it can be read and written, its version, the end of its log; the disk; the clock, backwards.

Whether it can be written is tried by taking the lock that writing takes, and giving it back: nothing is written.
"""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from gateway.cli.checkup.examination import Examined
from gateway.cli.checkup.finding import Finding, failed, ok, warning
from gateway.cli.words import counted, local, span
from gateway.disk import why
from gateway.errors import StateError
from gateway.state import database, reading
from gateway.state.database import connect
from gateway.state.evidence import examining
from gateway.state.failures import damaged, from_sqlite
from gateway.state.migrations import VERSION, version
from gateway.state.soundness import unsound

_LOCK_SECONDS: Final = 2.0
_RECORDS: Final = 1000
"""How many of the newest records are looked at: `audit verify` looks at all."""
_FULL_BYTES: Final = 20 * 2**20
_TIGHT_BYTES: Final = 200 * 2**20
_BACK_SECONDS: Final = 5.0
"""A clock that was put right by less than this is no fault."""


def check(examined: Examined) -> Iterator[Finding]:
    """The lines about the state file and what it stands on."""
    path = examined.known.state
    folder = _folder(path)
    yield _room(folder)
    if not path.exists():
        yield _to_be_made(path, folder)
        return
    try:
        with reading(path) as tx:
            newest = tx.audit.newest(1)
        with database.reading(path) as connection:
            odd = unsound(connection)
        if odd is not None:
            raise damaged(odd)
    except StateError as error:
        yield _unreadable(path, error)
        return
    yield _writable(path)
    yield _end_of_log(path)
    if newest:
        yield _clock(newest[0].record.at, examined.clock.now())


def _folder(path: Path) -> Path:
    """The folder of the file, or the nearest one above it that is there."""
    return next((folder for folder in path.parents if folder.exists()), path.parent)


def _room(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    says = (
        f"{free / 2**30:.1f} GiB are free where the state file is"
        if free >= 2**30
        else f"{free / 2**20:.0f} MiB are free"
    )
    if free < _FULL_BYTES:
        cure = "free some space on that disk: a call that cannot be recorded is refused"
        return failed("disk", f"the disk is full: {says} (`{folder}`)", cure, free_bytes=free)
    if free < _TIGHT_BYTES:
        cure = "free some space on that disk, or take old records out: `keyid-gateway audit prune --older-than 90d`"
        return warning("disk", f"{says} (`{folder}`)", cure, free_bytes=free)
    return ok("disk", says, free_bytes=free)


def _to_be_made(path: Path, folder: Path) -> Finding:
    try:
        mode = folder.stat().st_mode
    except OSError as error:
        return failed(
            "state", f"`{folder}` cannot be looked at: {why(error)}", "check the owner and the mode of that folder"
        )
    if not mode & 0o200:
        cure = f"give yourself the right to write there, or choose another place: `--state`; `chmod u+w '{folder}'`"
        return failed("state", f"there is no state file yet, and `{folder}` does not let it be made", cure)
    return ok("state", f"there is no state file yet; it will be `{path}`", version=None)


def _unreadable(path: Path, error: StateError) -> Finding:
    found = None
    with suppress(StateError, sqlite3.Error), closing(connect(path)) as connection:
        found = version(connection)
    if found is not None and found < VERSION:
        return warning("state", f"{error.message}, this program makes {VERSION}", error.hint or "", version=found)
    return failed("state", error.message, error.hint, version=found)


def _writable(path: Path) -> Finding:
    if not path.stat().st_mode & 0o200:
        return failed(
            "state",
            f"the state file `{path}` is read-only: every call is refused",
            f"`chmod u+w '{path}'`",
            version=VERSION,
        )
    try:
        with closing(connect(path, timeout=_LOCK_SECONDS)) as connection:
            connection.execute("DELETE FROM meta WHERE 0")  # a beginning alone is let pass where nothing can be written
    except sqlite3.Error as error:
        found = from_sqlite(error, path)
        return failed("state", found.message, found.hint, version=VERSION)
    size = sum(file.stat().st_size for file in (path, path.with_name(f"{path.name}-wal")) if file.exists())
    return ok("state", f"`{path}` can be written ({size / 1e6:.1f} MB, version {VERSION})", version=VERSION, bytes=size)


def _end_of_log(path: Path) -> Finding:
    with examining(path) as found:
        broken = found.verify_end(_RECORDS)
        newest = found.newest() if broken is None else 0
    if broken is None and not newest:
        return ok("audit log", "nothing is recorded yet", records=0)
    if broken is None:
        return ok(
            "audit log", f"its newest {counted(min(newest, _RECORDS), 'record')} are what was written", records=newest
        )
    cure = f"`keyid-gateway audit verify` says more; keep a copy of `{path}`, then move it away to start a fresh one"
    return failed("audit log", f"it is not what was written: {broken.what}: {broken.means}", cure, record=broken.seq)


def _clock(newest: float, now: float) -> Finding:
    if newest <= now + _BACK_SECONDS:
        return ok("clock", "it has not gone back since the newest record")
    moment = f"{local(newest):%Y-%m-%d %H:%M:%S %Z}"
    says = f"the clock was set back: the newest record is of {moment}, {span(newest - now)} from now"
    cure = "set the clock right; until it has caught up, windows of limits do not reopen"
    return failed("clock", says, cure, back_seconds=round(newest - now))
