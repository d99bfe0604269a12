"""Taking the oldest records out of the audit log, while gateways go on, so that what is left can still be verified.

1. A log that is not what was written is not pruned: the damage would be gone, and with it what tells of it.
2. First a record of kind `pruned` says what goes, and why; then the records go, some at a time, each time in one
   transaction with the row that says where the chain begins. So whoever is killed in between leaves a log that can be
   verified, and nobody waits long for the file.
3. That record, and with it at least one record, always stays.
"""

import asyncio
import secrets
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.clock import Clock
from gateway.errors import StateError
from gateway.jsonrpc import serialise
from gateway.state import chain, migrations
from gateway.state.audit import Record, SqliteAudit
from gateway.state.database import Database
from gateway.state.failures import broken_chain, from_sqlite
from gateway.state.verification import verify

_BATCH: Final = 500
_PAUSE_SECONDS: Final = 0.01
"""Between two batches: others look for the file every 25 ms at the latest, and most find it at once."""
_VACUUM_PAGES: Final = 500


@dataclass(frozen=True, slots=True)
class Rule:
    """What goes: what is older than the moment `before`, all but the newest `keep`, or all beyond `size` bytes."""

    said: str
    before: float | None = None
    keep: int | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What would go: records `first` to `through`, of the moments `since` to `until`; `records` there are in all."""

    first: int
    through: int
    records: int
    since: float = 0.0
    until: float = 0.0

    @property
    def number(self) -> int:
        return self.through - self.first + 1


@dataclass(frozen=True, slots=True)
class Pruned:
    """What went, and how large the file is now; `shrinks` says whether this file can give space back."""

    number: int
    bytes: int
    shrinks: bool


def plan(connection: sqlite3.Connection, rule: Rule) -> Plan:
    """What a rule takes out of the log as it is now."""
    ends = _ends(connection)
    first, records = ends.pruned_seq + 1, ends.seq - ends.pruned_seq
    through = min(_through(connection, ends, rule), ends.seq)
    if through < first:
        return Plan(first, first - 1, records)
    (since,) = connection.execute("SELECT at FROM audit WHERE seq = ?", (first,)).fetchone() or (0.0,)
    (until,) = connection.execute("SELECT at FROM audit WHERE seq = ?", (through,)).fetchone() or (0.0,)
    return Plan(first, through, records, since, until)


def _through(connection: sqlite3.Connection, ends: chain.Ends, rule: Rule) -> int:
    if rule.keep is not None:
        return ends.seq - rule.keep
    if rule.before is not None:
        row = connection.execute("SELECT seq FROM audit WHERE at >= ? ORDER BY seq LIMIT 1", (rule.before,)).fetchone()
        return ends.seq if row is None else int(row[0]) - 1
    used = _used_bytes(connection)
    if rule.size is None or used <= rule.size:
        return 0
    records = ends.seq - ends.pruned_seq
    return ends.pruned_seq + -(-records * (used - rule.size) // used)


async def prune(
    path: Path,
    rule: Rule,
    clock: Clock,
    *,
    progress: Callable[[int], None],
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Pruned:
    """Take out what the rule says; `progress` is told how many are gone. Raises `StateError`."""
    database = await Database.open(path, clock=clock)
    try:
        connection = database.connection
        state_id = migrations.secrets(connection).state_id.hex()
        connection.execute("BEGIN")  # one moment of the log, while others go on writing
        broken = verify(connection, state_id, ()).broken
        connection.execute("ROLLBACK")
        if broken is not None:
            raise StateError(
                f"the audit log is not what was written ({broken.what}), so nothing is taken out of it",
                "`keyid-gateway audit verify` says more; keep the file as it is",
            )
        now = clock.now()
        planned = await database.atomically(lambda: _announce(connection, rule, now))
        gone = 0
        while gone < planned.number:
            gone = await database.atomically(lambda: _batch(connection, planned.through)) - planned.first + 1
            progress(gone)
            await pause(_PAUSE_SECONDS)
        shrinks = connection.execute("PRAGMA auto_vacuum").fetchone()[0] == 2
        while shrinks and connection.execute("PRAGMA freelist_count").fetchone()[0]:
            await database.atomically(lambda: _give_back(connection))
            await pause(_PAUSE_SECONDS)
        return Pruned(max(0, gone), _used_bytes(connection), shrinks)
    except sqlite3.Error as error:
        raise from_sqlite(error, path) from error
    finally:
        database.close()


def _announce(connection: sqlite3.Connection, rule: Rule, now: float) -> Plan:
    planned = plan(connection, rule)
    if planned.number > 0:
        SqliteAudit(connection).append(
            Record(
                kind="pruned",
                decision_id=secrets.token_hex(8),
                at=now,
                grant="",
                session="",
                client_name="",
                client_version="",
                server="",
                method="audit/prune",
                tool="",
                policy_revision="",
                effect="allow",
                rule="",
                reason="allowed",
                message=f"records {planned.first} to {planned.through} were taken out: {rule.said}",
                values=serialise({"through": planned.through}).decode(),
            )
        )
    return planned


def _batch(connection: sqlite3.Connection, through: int) -> int:
    """Take out some records; up to which the log is pruned now."""
    ends = _ends(connection)
    if ends.pruned_seq >= through:  # somebody else was there
        return through
    last = min(ends.pruned_seq + _BATCH, through)
    row = connection.execute("SELECT hash FROM audit WHERE seq = ?", (last,)).fetchone()
    if row is None:
        raise broken_chain(f"record {last} is missing")
    connection.execute("DELETE FROM audit WHERE seq <= ?", (last,))
    connection.execute("UPDATE audit_chain SET pruned_seq = ?, pruned_hash = ?", (last, row[0]))
    return last


def _give_back(connection: sqlite3.Connection) -> None:
    """Free pages go to the disk, each by a statement of its own: `sqlite3` takes but the first step of one for many."""
    for _ in range(_VACUUM_PAGES):
        connection.execute("PRAGMA incremental_vacuum(1)")


def _ends(connection: sqlite3.Connection) -> chain.Ends:
    try:
        return chain.ends(connection)
    except LookupError as error:
        raise broken_chain(str(error)) from error


def _used_bytes(connection: sqlite3.Connection) -> int:
    pages, free, size = connection.execute(
        "SELECT page_count, freelist_count, page_size FROM pragma_page_count, pragma_freelist_count, pragma_page_size"
    ).fetchone()
    return int((pages - free) * size)
