"""Grants: which policy each identity of this machine has used.

A grant that has once used a file and finds it missing or invalid has no policy at all: never the built-in one.
"""

import sqlite3
from typing import Protocol


class Grants(Protocol):
    """The grants within one transaction. Failures are `StateError`."""

    def policy_used(self, grant: str) -> str | None:
        """The path of the policy that `grant` used last; None if it never had one."""
        ...

    def note_policy(self, grant: str, path: str, now: float) -> None:
        """Remember that `grant` uses the policy at `path`."""
        ...


class SqliteGrants:
    """The grants of one open state file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def policy_used(self, grant: str) -> str | None:
        row = self._connection.execute("SELECT policy FROM grants WHERE name = ?", (grant,)).fetchone()
        return None if row is None else str(row[0])

    def note_policy(self, grant: str, path: str, now: float) -> None:
        self._connection.execute(
            "INSERT INTO grants (name, policy, first_used, last_used) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (name) DO UPDATE SET policy = excluded.policy, last_used = excluded.last_used",
            (grant, path, now, now),
        )
