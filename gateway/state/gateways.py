"""The gateways that run now, as each of them says of itself: for people (`status`), never for a decision.

A gateway notes itself when it has opened the state file, again whenever something of it has changed, and takes its line
away at its end. One that was killed leaves its line; whoever reads it looks whether the process is still there
(`alive`), and the next gateway that starts takes it away.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from typing import Final, Protocol

from gateway.state.alive import Life, Process, life
from gateway.state.text import bounded


@dataclass(frozen=True, slots=True)
class Running:
    """One gateway. Moments in seconds since the epoch; `policy` is the path of its file, empty for the built-in pack.

    `calls` were let through and `denials` denied since it began; `seen` is when it last said so.
    """

    session: str
    pid: int
    mark: str
    version: str
    grant: str
    server: str
    profile: str
    since: float
    client_name: str = ""
    client_version: str = ""
    policy: str = ""
    policy_revision: str = ""
    calls: int = 0
    denials: int = 0
    seen: float = 0.0

    def life(self, now: float) -> Life:
        """Whether it is still there."""
        return life(Process(self.pid, self.mark), self.seen, now)


class Gateways(Protocol):
    """The gateways within one transaction. Failures are `StateError`."""

    def note(self, running: Running) -> None:
        """A gateway says of itself that it runs."""
        ...

    def forget(self, sessions: Iterable[str]) -> None:
        """These run no more."""
        ...

    def noted(self) -> Sequence[Running]:
        """All that are noted, the oldest first; some may be gone."""
        ...


_NAMES: Final = {"grant": "grant_name"}
_LIST: Final = ", ".join(_NAMES.get(field.name, field.name) for field in fields(Running))
_NOTE: Final = f"INSERT OR REPLACE INTO gateways ({_LIST}) VALUES ({', '.join('?' * len(fields(Running)))})"  # noqa: S608 - constants


class SqliteGateways:
    """The gateways of one open state file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def note(self, running: Running) -> None:
        cells = (bounded(cell) if isinstance(cell, str) else cell for cell in astuple(running))
        self._connection.execute(_NOTE, tuple(cells))

    def forget(self, sessions: Iterable[str]) -> None:
        self._connection.executemany("DELETE FROM gateways WHERE session = ?", [(session,) for session in sessions])

    def noted(self) -> Sequence[Running]:
        rows = self._connection.execute(f"SELECT {_LIST} FROM gateways ORDER BY since, session")  # noqa: S608 - constants
        return [Running(*row) for row in rows]


def begin(connection: sqlite3.Connection) -> None:
    """The step of the migration that makes the table."""
    connection.execute("""CREATE TABLE gateways (
        session TEXT PRIMARY KEY,
        pid INTEGER NOT NULL,
        mark TEXT NOT NULL,
        version TEXT NOT NULL,
        grant_name TEXT NOT NULL,
        server TEXT NOT NULL,
        profile TEXT NOT NULL,
        since REAL NOT NULL,
        client_name TEXT NOT NULL,
        client_version TEXT NOT NULL,
        policy TEXT NOT NULL,
        policy_revision TEXT NOT NULL,
        calls INTEGER NOT NULL,
        denials INTEGER NOT NULL,
        seen REAL NOT NULL) WITHOUT ROWID""")
