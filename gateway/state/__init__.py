"""What outlives a process, in one SQLite file for every gateway of a user.

Counters, the audit log, grants and the policies that they have used, the switch, the questions to persons and their
answers, the PIN, what was accepted of each server (pins), and which gateways run.

`State` is what a gateway holds open; `reading` is how a command looks at the file without getting in anyone's way.
"""

import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Final, Self, TypeVar

from gateway.clock import Clock
from gateway.state import database, migrations
from gateway.state.approvals import Approvals
from gateway.state.approving import SqliteApprovals
from gateway.state.audit import AuditLog, Entry, Kind, Record, SqliteAudit
from gateway.state.charging import Charging
from gateway.state.counters import (
    Charge,
    CounterKey,
    Counters,
    Exhausted,
    Hold,
    Reservation,
    Taken,
    Usage,
    charge_for,
    charges_for,
    take,
)
from gateway.state.counting import SqliteCounters
from gateway.state.database import PATIENCE_SECONDS, Database
from gateway.state.failures import from_sqlite
from gateway.state.gateways import Gateways, Running, SqliteGateways
from gateway.state.grants import Grant, Grants, SqliteGrants
from gateway.state.knowledge import Knowledge
from gateway.state.last_calls import LastCalls, Noted, SqliteLastCalls
from gateway.state.migrations import Secrets
from gateway.state.passcode import Passcodes, SqlitePasscodes
from gateway.state.pins import Pins, SqlitePins
from gateway.state.session import SessionTally
from gateway.state.switch import EVERYONE, Halt, SqliteSwitch, Switch

__all__ = [
    "EVERYONE",
    "PATIENCE_SECONDS",
    "Approvals",
    "AuditLog",
    "Charge",
    "Charging",
    "CounterKey",
    "Counters",
    "Entry",
    "Exhausted",
    "Gateways",
    "Grant",
    "Grants",
    "Halt",
    "Hold",
    "Kind",
    "LastCalls",
    "Noted",
    "Pins",
    "Record",
    "Reservation",
    "Running",
    "SessionTally",
    "State",
    "Switch",
    "Taken",
    "Transaction",
    "Usage",
    "charge_for",
    "charges_for",
    "digests",
    "reading",
    "scratch",
    "take",
]

T = TypeVar("T")

_CHANGES_NOTHING: Final = "DELETE FROM meta WHERE 0"
"""Fails where the file cannot be written: SQLite opens that for reading only, and would keep to it when it can."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """What can be done with the state at one moment. Not to be kept beyond the work it was handed to."""

    counters: Counters
    audit: AuditLog
    grants: Grants
    calls: LastCalls
    switch: Switch
    gateways: Gateways
    approvals: Approvals
    passcodes: Passcodes
    pins: Pins


class State:
    """The open state file of this user."""

    def __init__(self, opened: Database, clock: Clock, secrets: Secrets) -> None:
        self._database = opened
        self._clock = clock
        self._secrets = secrets
        self._durable = 0
        self._transaction = _transaction(opened.connection, opened.knowledge)

    @classmethod
    async def open(cls, path: Path, *, clock: Clock) -> Self:
        """Open the file at `path`; it and its folders are made where missing. Raises `StateError`."""
        opened = await Database.open(path, clock=clock)

        def prepare() -> Secrets:
            opened.connection.execute(_CHANGES_NOTHING)
            SqliteCounters(opened.connection).forget_leftovers(clock.now())
            return migrations.secrets(opened.connection)

        try:
            return cls(opened, clock, await opened.atomically(prepare))
        except BaseException:  # a cancellation too: what was opened is let go of, and whatever it was goes on
            opened.close()
            raise

    @property
    def state_id(self) -> str:
        """What tells this state file from any other, hexadecimal."""
        return self._secrets.state_id.hex()

    def atomically(self, work: Callable[[Transaction], T], *, patience: float = PATIENCE_SECONDS) -> Awaitable[T]:
        """Run `work` once, in one transaction: all of its changes are kept, or none. It cannot await.

        The loop goes on while another process holds the file. Raises `StateError` after `patience` seconds of that,
        or when the file cannot be written.
        """
        return self._database.atomically(lambda: work(self._transaction), patience=patience)

    @contextmanager
    def durably(self) -> Iterator[None]:
        """What is committed meanwhile is on the disk when it is committed: not even a power cut takes it back.

        Raises `StateError`.
        """
        self._durable += 1
        try:
            self._glance(lambda: self._database.connection.execute("PRAGMA synchronous = FULL"))
            yield
        finally:
            self._durable -= 1
            if not self._durable:
                with suppress(sqlite3.Error):  # what is more durable than it has to be is only slower
                    self._database.connection.execute("PRAGMA synchronous = NORMAL")

    def look(self, work: Callable[[Transaction], T]) -> T:
        """Look at something that takes one statement, without a transaction and without waiting for anybody.

        Raises `StateError`.
        """
        return self._glance(lambda: work(self._transaction))

    def _glance(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except sqlite3.Error as error:
            raise from_sqlite(error, self._database.path) from error

    def at_once(self, work: Callable[[Transaction], object]) -> bool:
        """Run `work` in one transaction, unless another process holds the file: whether it was run. Never waits.

        Raises `StateError`, as `atomically` does.
        """
        return self._database.at_once(lambda: work(self._transaction))

    def digest(self, data: bytes) -> str:
        """A digest of `data` that only the owner of this state file can make: keyed BLAKE2b (RFC 7693), hexadecimal."""
        return _digest(data, self._secrets)

    def policy_used(self, grant: str) -> str | None:
        """The path of the policy that `grant` has used last; None if it never had one. Raises `StateError`."""
        return self._glance(lambda: self._transaction.grants.policy_used(grant))

    def own_policy(self, grant: str) -> str | None:
        """The path of the policy that is the grant's own; None if it has none. Raises `StateError`."""
        return self._glance(lambda: self._transaction.grants.own_policy(grant))

    def changes(self) -> int:
        """A number that is another one when another process has changed the file. Raises `StateError`."""
        return self._glance(lambda: int(self._database.connection.execute("PRAGMA data_version").fetchone()[0]))

    def halt(self, grant: str) -> Halt | None:
        """What keeps `grant` from calling at this moment. Raises `StateError`."""
        switch = SqliteSwitch(self._database.connection)  # it remembers nothing: no transaction tells what is old
        return self._glance(lambda: switch.look(grant))

    def pins_generation(self, server: str) -> int | None:
        """A number that changes with what is accepted of a server; None: it was never seen. Raises `StateError`."""
        return self._glance(lambda: self._transaction.pins.generation(server))

    def note_policy(self, transaction: Transaction, grant: str, path: str) -> None:
        """Remember, as part of `transaction`, that `grant` uses the policy at `path`."""
        transaction.grants.note_policy(grant, path, self._clock.now())

    def close(self) -> None:
        """Let go of the file. Never waits."""
        self._database.close()


@contextmanager
def reading(path: Path, *, patience: float = PATIENCE_SECONDS) -> Iterator[Transaction]:
    """Look at the state file at `path` while gateways write to it; what would change it is refused.

    A file that is just being made is waited for, up to `patience` seconds. Raises `StateError`.
    """
    with database.reading(path, patience=patience) as connection:
        yield _transaction(connection)


@contextmanager
def scratch() -> Iterator[Counters]:
    """Counters of nobody's, empty and soon forgotten, that count as those of the state file do: to try things out."""
    connection = sqlite3.connect("", isolation_level=None)  # a temporary database: in memory, on disk where it is large
    try:
        connection.execute("PRAGMA journal_mode = MEMORY")
        migrations.migrate(connection)
        connection.execute("BEGIN")
        yield SqliteCounters(connection)
    finally:
        connection.close()


def digests(path: Path) -> Callable[[bytes], str]:
    """The digest that the gateways of the state file at `path` write to its log. Raises `StateError`."""
    with database.reading(path) as connection:
        drawn = migrations.secrets(connection)
    return lambda data: _digest(data, drawn)


def _digest(data: bytes, drawn: Secrets) -> str:
    return blake2b(data, digest_size=32, key=drawn.digest_key).hexdigest()


def _transaction(connection: sqlite3.Connection, knowledge: Knowledge | None = None) -> Transaction:
    return Transaction(
        SqliteCounters(connection, knowledge),
        SqliteAudit(connection, knowledge),
        SqliteGrants(connection, knowledge),
        SqliteLastCalls(connection, knowledge),
        SqliteSwitch(connection, knowledge),
        SqliteGateways(connection),
        SqliteApprovals(connection),
        SqlitePasscodes(connection),
        SqlitePins(connection),
    )
