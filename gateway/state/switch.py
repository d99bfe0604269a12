"""The switch: who may not call at the moment, since when, and why. It outlives every process.

One row stands for everyone (`stop`), and one for each grant that was revoked. Both are looked at in one statement, in
the transaction that decides: what is committed before a call is decided holds for that call, in every process. As long
as nobody else has written to the file (`knowledge`), what was found before is still so, and it is no statement at all.
"""

import sqlite3
from dataclasses import dataclass
from typing import Final, Protocol

from gateway.state.knowledge import Knowledge, rows
from gateway.state.text import bounded

EVERYONE: Final = ""
"""In the place of a grant, whose name is never empty."""
_COLUMNS: Final = 'grant_name, since, "by", reason, at_once'
_LOOK: Final = f"SELECT {_COLUMNS} FROM halts WHERE grant_name IN ('', ?) ORDER BY grant_name LIMIT 1"  # noqa: S608 - constants
_ALL: Final = f"SELECT {_COLUMNS} FROM halts ORDER BY grant_name"  # noqa: S608 - constants
_HALT: Final = f"INSERT OR REPLACE INTO halts ({_COLUMNS}) VALUES (?, ?, ?, ?, ?)"  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class Halt:
    """Nobody (`grant` is `EVERYONE`) or nobody of one grant may call, since a moment in seconds since the epoch.

    `by` is the user who said so; `at_once`: calls that were running then are ended as well.
    """

    grant: str
    since: float
    by: str
    reason: str
    at_once: bool = False

    @property
    def of_everyone(self) -> bool:
        return self.grant == EVERYONE


class Switch(Protocol):
    """The switch within one transaction. Failures are `StateError`."""

    def look(self, grant: str) -> Halt | None:
        """What keeps `grant` from calling; what keeps everyone from it goes before what keeps only this grant."""
        ...

    def all(self) -> list[Halt]:
        """Everything that is halted, everyone first."""
        ...

    def halt(self, halt: Halt) -> None:
        """From now on; in the place of a former one."""
        ...

    def lift(self, grant: str) -> Halt | None:
        """The end of a halt; the halt, if there was one."""
        ...


class SqliteSwitch:
    """The switch of one open state file."""

    def __init__(self, connection: sqlite3.Connection, knowledge: Knowledge | None = None) -> None:
        self._connection = connection
        self._known: dict[str, Halt | None] = rows(knowledge)

    def look(self, grant: str) -> Halt | None:
        known = self._known
        if grant in known:
            return known[grant]
        row = self._connection.execute(_LOOK, (bounded(grant),)).fetchone()
        known[grant] = found = None if row is None else _halt(row)
        return found

    def all(self) -> list[Halt]:
        return [_halt(row) for row in self._connection.execute(_ALL)]

    def halt(self, halt: Halt) -> None:
        self._known.clear()
        self._connection.execute(
            _HALT, (bounded(halt.grant), halt.since, bounded(halt.by), bounded(halt.reason), int(halt.at_once))
        )

    def lift(self, grant: str) -> Halt | None:
        self._known.clear()
        row = self._connection.execute(
            f"DELETE FROM halts WHERE grant_name = ? RETURNING {_COLUMNS}",  # noqa: S608 - constants
            (bounded(grant),),
        ).fetchone()
        return None if row is None else _halt(row)


def _halt(row: tuple[str, float, str, str, int]) -> Halt:
    grant, since, by, reason, at_once = row
    return Halt(grant, since, by, reason, bool(at_once))


def begin(connection: sqlite3.Connection) -> None:
    """The step of the migration that makes the tables of the switch and of the grants that were created."""
    connection.execute(
        """CREATE TABLE halts (
            grant_name TEXT PRIMARY KEY,
            since REAL NOT NULL,
            "by" TEXT NOT NULL,
            reason TEXT NOT NULL,
            at_once INTEGER NOT NULL) WITHOUT ROWID"""
    )
    connection.execute(
        """CREATE TABLE identities (
            name TEXT PRIMARY KEY,
            policy TEXT,
            created REAL NOT NULL) WITHOUT ROWID"""
    )
