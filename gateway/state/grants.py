"""Grants: the identities of this machine, which policy each has used, and which has one of its own.

A grant is a name. It is there as soon as a gateway uses it; one that was created has a line of its own (`identities`)
and, if its owner wanted so, a policy that its calls need beside the one that the gateway was given. A grant that has
once used a file and finds it missing or invalid has no policy at all: never the built-in one.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from gateway.state import renaming
from gateway.state.knowledge import Knowledge
from gateway.state.text import bounded

_ALL: Final = """
    SELECT name, max(created), max(own), max(used), max(last_used) FROM (
        SELECT name, created, policy AS own, NULL AS used, NULL AS last_used FROM identities
        UNION ALL SELECT name, NULL, NULL, policy, last_used FROM grants
        UNION ALL SELECT owner, NULL, NULL, NULL, max(newest) / 1e6 FROM counters WHERE scope = 'grant' GROUP BY owner
        UNION ALL SELECT grant_name, NULL, NULL, NULL, NULL FROM gateways
        UNION ALL SELECT grant_name, NULL, NULL, NULL, NULL FROM halts WHERE grant_name <> '')
    GROUP BY name ORDER BY name"""


@dataclass(frozen=True, slots=True)
class Grant:
    """What is known of a grant. Moments in seconds since the epoch; None: never, or none.

    `own` is the path of its own policy, `used` that of the file that its gateways were last given.
    """

    name: str
    created: float | None = None
    own: str | None = None
    used: str | None = None
    last_used: float | None = None


class Grants(Protocol):
    """The grants within one transaction. Failures are `StateError`."""

    def policy_used(self, grant: str) -> str | None:
        """The path of the policy that `grant` used last; None if it never had one."""
        ...

    def note_policy(self, grant: str, path: str, now: float) -> None:
        """Remember that `grant` uses the policy at `path`."""
        ...

    def own_policy(self, grant: str) -> str | None:
        """The path of the policy that is the grant's own; None if it has none."""
        ...

    def created(self, grant: str) -> bool:
        """Whether somebody has created it, beside using its name."""
        ...

    def create(self, grant: str, own: str | None, now: float) -> None:
        """From now on it is one that was created, with a policy of its own if `own` is its path."""
        ...

    def rename(self, old: str, new: str, also: Iterable[tuple[str, str]]) -> None:
        """Give a grant another name, and move what was counted for it; `also`: servers and tools it may have called.

        Raises `UsageError` where there is something of that name already. What counts is not to be used
        in the same transaction.
        """
        ...

    def all(self) -> Sequence[Grant]:
        """Every grant that was created, used or revoked, by name."""
        ...


class SqliteGrants:
    """The grants of one open state file."""

    def __init__(self, connection: sqlite3.Connection, knowledge: Knowledge | None = None) -> None:
        self._connection = connection
        self._knowledge = knowledge

    def policy_used(self, grant: str) -> str | None:
        row = self._connection.execute("SELECT policy FROM grants WHERE name = ?", (grant,)).fetchone()
        return None if row is None else str(row[0])

    def note_policy(self, grant: str, path: str, now: float) -> None:
        self._connection.execute(
            "INSERT INTO grants (name, policy, first_used, last_used) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (name) DO UPDATE SET policy = excluded.policy, last_used = excluded.last_used",
            (grant, path, now, now),
        )

    def own_policy(self, grant: str) -> str | None:
        row = self._connection.execute("SELECT policy FROM identities WHERE name = ?", (bounded(grant),)).fetchone()
        return None if row is None or row[0] is None else str(row[0])

    def created(self, grant: str) -> bool:
        row = self._connection.execute("SELECT 1 FROM identities WHERE name = ?", (bounded(grant),)).fetchone()
        return row is not None

    def create(self, grant: str, own: str | None, now: float) -> None:
        self._connection.execute("INSERT INTO identities (name, policy, created) VALUES (?, ?, ?)", (grant, own, now))

    def rename(self, old: str, new: str, also: Iterable[tuple[str, str]]) -> None:
        renaming.rename(self._connection, old, new, also)
        if self._knowledge is not None:  # rows of other stores were moved
            self._knowledge.is_outdated()

    def all(self) -> Sequence[Grant]:
        found = self._connection.execute(_ALL)
        return [Grant(name, created, own, used, last) for name, created, own, used, last in found]
