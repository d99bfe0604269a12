"""One SQLite file, shared by every gateway process of a user.

Rules:

1. A process calls SQLite on its event loop: a transaction takes tens of microseconds, a hop to a thread takes longer.
   So nothing here may wait inside SQLite: the time-out is 0, and whoever finds the file locked waits in `asyncio`,
   a random moment between 1 and 25 ms at a time, until its patience ends.
2. Every change happens between `BEGIN IMMEDIATE` and `COMMIT`: what is read there is still true when it is written.
3. Whatever goes wrong is a `StateError`, and nothing of the transaction remains.
4. A file that was moved away, replaced, or brought to a newer version by another program is never written again.

`synchronous=NORMAL` (https://sqlite.org/pragma.html#pragma_synchronous): a killed process loses nothing; a power cut
may lose the last moments, never the file. The checkpoint (each `_CHECKPOINT_PAGES` pages, some 300 calls) is the one
moment that waits for the disk.
"""

import asyncio
import random
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Self, TypeVar

from gateway.clock import Clock
from gateway.clock import pause as wait
from gateway.errors import StateError
from gateway.state import files, migrations
from gateway.state.failures import from_sqlite, is_busy
from gateway.state.knowledge import Knowledge
from gateway.state.soundness import STUMBLED, blame

T = TypeVar("T")
Pause = Callable[[float], Awaitable[None]]
Between = Callable[[float, float], float]

PATIENCE_SECONDS: Final = 5.0
_SHORTEST_PAUSE: Final = 0.001
_LONGEST_PAUSE: Final = 0.025
_CHECKPOINT_PAGES: Final = 1000
_WAL_BYTES: Final = 16 * 1024 * 1024
_CACHE_KIB: Final = 256
"""A call touches some ten pages, nearly always those of the call before."""


class Database:
    """An open state file. Made by `open`; to be used on the thread that opened it."""

    def __init__(
        self, path: Path, connection: sqlite3.Connection, clock: Clock, pause: Pause, between: Between
    ) -> None:
        self.path = path
        self.connection = connection
        self._clock = clock
        self._pause = pause
        self._between = between
        self._name = str(path)
        self._file = files.identity(path)
        self._others: int | None = None
        self.knowledge = Knowledge()

    @classmethod
    async def open(
        cls, path: Path, *, clock: Clock, pause: Pause = asyncio.sleep, between: Between = random.uniform
    ) -> Self:
        """Open the file at `path`, made with its folders where missing, and bring it to this program's version."""
        path = files.prepare(path)
        database = cls(path, connect(path), clock, pause, between)
        try:
            await database._when_free(database._prepare, PATIENCE_SECONDS)
        except BaseException:  # a cancellation too: what was opened is let go of, and whatever it was goes on
            database.connection.close()
            raise
        return database

    async def atomically(self, work: Callable[[], T], *, patience: float = PATIENCE_SECONDS) -> T:
        """Run `work` (once, without awaiting) in a transaction of its own: all of its changes are kept, or none.

        Raises `StateError` when the file stays locked for `patience` seconds, or cannot be written.
        """
        try:
            self._begin()  # nearly always the file is free
        except sqlite3.Error:
            await self._when_free(self._begin, patience)
        return self._run(work)

    def at_once(self, work: Callable[[], object]) -> bool:
        """The same without waiting: whether the file was free, and `work` has run."""
        try:
            self._begin()
        except sqlite3.Error as error:
            if is_busy(error):
                return False
            raise from_sqlite(error, self.path) from error
        self._run(work)
        return True

    def _run(self, work: Callable[[], T]) -> T:
        """Run `work` in the transaction that has begun."""
        done = False
        try:
            self._still_ours()
            result = work()
            self.connection.execute("COMMIT")
            done = True
        except sqlite3.Error as error:
            raise from_sqlite(error, self.path) from error
        except STUMBLED as error:
            blame(self.connection, self.path, error)
            raise
        finally:
            if not done:
                self.knowledge.is_outdated()
            if self.connection.in_transaction:
                self._roll_back()
        return result

    def close(self) -> None:
        """Move what the log holds into the file as far as nobody is in the way, and let go of it. Never waits."""
        with suppress(sqlite3.Error):  # the next one to open the file does it
            self.connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        self.connection.close()

    def _prepare(self) -> None:
        self.connection.execute("PRAGMA synchronous = NORMAL")
        self.connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        self.connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")
        self.connection.execute(f"PRAGMA cache_size = {-_CACHE_KIB}")
        current = migrations.check(self.connection) == migrations.VERSION
        if current and self._mode("PRAGMA journal_mode") == "wal":
            return
        if not current:
            self.connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # of a new file: what is pruned becomes free
        if self._mode("PRAGMA journal_mode = WAL") != "wal":
            raise StateError(
                f"the state file `{self.path}` cannot keep a write-ahead log", "choose a path on a local disk"
            )
        if not current:
            migrations.migrate(self.connection)

    def _mode(self, pragma: str) -> str:
        return str(self.connection.execute(pragma).fetchone()[0])

    def _begin(self) -> None:
        self.connection.execute("BEGIN IMMEDIATE")

    def _roll_back(self) -> None:
        try:
            self.connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise from_sqlite(error, self.path) from error

    def _still_ours(self) -> None:
        if files.identity(self._name) != self._file:
            raise StateError(
                f"the state file `{self.path}` was moved or replaced",
                "start the gateway again",
                told="the state file was moved or replaced",
            )
        others = self.connection.execute("PRAGMA data_version").fetchone()[0]
        if others == self._others:
            self.knowledge.still_holds()
            return
        self._others = others
        self.knowledge.is_outdated()
        if migrations.version(self.connection) != migrations.VERSION:
            raise StateError(
                f"the state file `{self.path}` was changed by another version of this program",
                "start the gateway again",
                told="the state file was changed by another version of the gateway",
            )

    async def _when_free(self, step: Callable[[], None], patience: float) -> None:
        """Run `step` as soon as nobody else holds the lock; it is tried once more when the patience has ended."""
        deadline = self._clock.monotonic() + patience
        longest = 2 * _SHORTEST_PAUSE
        while True:
            last = (left := deadline - self._clock.monotonic()) <= 0
            try:
                return step()
            except sqlite3.Error as error:
                if last or not is_busy(error):
                    raise from_sqlite(error, self.path) from error
            await self._pause(min(self._between(_SHORTEST_PAUSE, longest), left))
            longest = min(2 * longest, _LONGEST_PAUSE)


def connect(path: Path, *, timeout: float = 0) -> sqlite3.Connection:
    """A connection to the file at `path`, which must exist; nothing of it is read yet.

    Raises `StateError` where it cannot be opened.
    """
    try:
        return sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=timeout, isolation_level=None)
    except sqlite3.Error as error:
        raise from_sqlite(error, path) from error


@contextmanager
def reading(
    path: Path, *, patience: float = PATIENCE_SECONDS, pause: Callable[[float], object] = wait
) -> Iterator[sqlite3.Connection]:
    """A connection that only reads, for commands: it never holds up a gateway, and waits itself where it must.

    It waits for up to `patience` seconds, also for a file that has nothing in it yet: a gateway may be making it.
    Raises `StateError`, also for what goes wrong with the file while the block runs.
    """
    path = path.absolute()
    connection = connect(path, timeout=patience)
    try:
        connection.execute("PRAGMA query_only = ON")
        found = _version_of_made(connection, patience, pause)
        if not found:
            raise StateError(f"the state file `{path}` is empty", "start the gateway once: it fills the file")
        if found != migrations.VERSION:
            raise StateError(
                f"the state file has version {found}", "start the gateway once: it brings the file up to date"
            )
        yield connection
    except sqlite3.Error as error:
        raise from_sqlite(error, path) from error
    except STUMBLED as error:
        blame(connection, path, error)
        raise
    finally:
        connection.close()


def _version_of_made(connection: sqlite3.Connection, patience: float, pause: Callable[[float], object]) -> int:
    """The version of the file, as soon as it has one; 0 if it gets none in time."""
    left = patience
    while not (found := migrations.check(connection)) and left > 0:
        pause(_LONGEST_PAUSE)
        left -= _LONGEST_PAUSE
    return found
