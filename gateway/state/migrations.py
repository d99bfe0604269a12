"""The tables, as numbered steps forward.

`STEPS[n]` brings a file of version n to version n + 1; `PRAGMA user_version` holds the version. All missing steps run
in one transaction. A step that was released is never edited, only followed by another. A file of a newer version is
refused: an older program cannot know what it would break there.

Moments (`newest`, `at` of a hit) are whole microseconds since the epoch; amounts are decimals as text, never rounded.
"""

import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gateway.errors import StateError
from gateway.state import approving, chain, gateways, pins, switch
from gateway.state.failures import damaged

APPLICATION_ID: Final = 0x6B676174  # "kgat": tells our files from any other SQLite database
_KEY_BYTES: Final = 32
_ID_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Secrets:
    """Drawn once for each file: the key of its digests, and the bytes that tell it from any other."""

    digest_key: bytes
    state_id: bytes


_FIRST: Final = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
    # A counter's number is never used twice (AUTOINCREMENT): a late release cannot meet a stranger.
    """CREATE TABLE counters (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        identity BLOB NOT NULL UNIQUE,
        newest INTEGER NOT NULL,
        used TEXT NOT NULL,
        serial INTEGER NOT NULL,
        refund_window INTEGER NOT NULL DEFAULT 0,
        refunded INTEGER NOT NULL DEFAULT 0,
        server TEXT NOT NULL,
        layer TEXT NOT NULL,
        scope TEXT NOT NULL,
        owner TEXT NOT NULL,
        tools_key TEXT NOT NULL,
        counter TEXT NOT NULL,
        "window" TEXT NOT NULL,
        seconds INTEGER NOT NULL,
        strategy TEXT NOT NULL,
        per TEXT)""",
    # What a sliding window still holds, oldest first within a counter.
    """CREATE TABLE hits (
        counter INTEGER NOT NULL,
        serial INTEGER NOT NULL,
        at INTEGER NOT NULL,
        cost TEXT NOT NULL,
        PRIMARY KEY (counter, serial)) WITHOUT ROWID""",
    # Which reservations of a fixed window were given back already.
    """CREATE TABLE refunds (
        counter INTEGER NOT NULL,
        serial INTEGER NOT NULL,
        PRIMARY KEY (counter, serial)) WITHOUT ROWID""",
    """CREATE TABLE grants (
        name TEXT PRIMARY KEY,
        policy TEXT NOT NULL,
        first_used REAL NOT NULL,
        last_used REAL NOT NULL) WITHOUT ROWID""",
    # The three last columns wait for the hash chain: `chain.begin` makes the table anew.
    """CREATE TABLE audit (
        seq INTEGER PRIMARY KEY,
        kind TEXT NOT NULL,
        decision_id TEXT NOT NULL,
        at REAL NOT NULL,
        grant_name TEXT NOT NULL,
        session TEXT NOT NULL,
        client_name TEXT NOT NULL,
        client_version TEXT NOT NULL,
        server TEXT NOT NULL,
        method TEXT NOT NULL,
        tool TEXT NOT NULL,
        policy_revision TEXT NOT NULL,
        effect TEXT NOT NULL,
        rule TEXT NOT NULL,
        reason TEXT NOT NULL,
        message TEXT NOT NULL,
        argument_names TEXT NOT NULL,
        argument_digest TEXT NOT NULL,
        upstream_status INTEGER,
        outcome TEXT,
        latency_ms REAL,
        argument_values TEXT,
        prev_hash BLOB,
        hash BLOB,
        signature BLOB)""",
)


def _create(connection: sqlite3.Connection) -> None:
    for statement in _FIRST:
        connection.execute(statement)
    connection.executemany(
        "INSERT INTO meta (name, value) VALUES (?, ?)",
        [("digest_key", os.urandom(_KEY_BYTES)), ("state_id", os.urandom(_ID_BYTES))],
    )
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def _add_last_calls(connection: sqlite3.Connection) -> None:
    """When a grant last called a tool, and the newest moment at which that was looked at (`last_calls`)."""
    connection.execute("CREATE TABLE last_calls (identity BLOB PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID")


STEPS: Final[tuple[Callable[[sqlite3.Connection], None], ...]] = (
    _create,
    _add_last_calls,
    chain.begin,
    gateways.begin,
    switch.begin,
    approving.begin,
    pins.begin,
)
VERSION: Final = len(STEPS)

# One statement, so that all of it is of one moment: another process may be making the file just now.
_LOOK: Final = """
    SELECT application_id, user_version, (SELECT count(*) FROM sqlite_master)
    FROM pragma_application_id, pragma_user_version"""


def version(connection: sqlite3.Connection) -> int:
    """The version of the file: how many steps it has behind it."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def check(connection: sqlite3.Connection) -> int:
    """The version of the file; `StateError` where it is newer than this program, or not ours at all."""
    mark, found, things = connection.execute(_LOOK).fetchone()
    if mark != APPLICATION_ID:
        if found or things:
            raise StateError("the state file is a database of another program", "choose another path")
        return 0
    if found > VERSION:
        raise StateError(
            f"the state file has version {found}, newer than this program knows ({VERSION})",
            "upgrade this program, or choose another path",
            told="the state file was made by a newer version of the gateway",
        )
    return int(found)


def migrate(connection: sqlite3.Connection) -> None:
    """Run the steps that the file lacks, all or none."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for step in STEPS[check(connection) :]:
            step(connection)
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:  # whatever it was: half a migration must not stay, and it goes on
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def secrets(connection: sqlite3.Connection) -> Secrets:
    """What was drawn when the file was made."""
    drawn = dict(connection.execute("SELECT name, value FROM meta").fetchall())
    for name, length in (("digest_key", _KEY_BYTES), ("state_id", _ID_BYTES)):
        if not isinstance(drawn.get(name), bytes) or len(drawn[name]) != length:
            raise damaged(f"it lacks `{name}`")
    return Secrets(drawn["digest_key"], drawn["state_id"])
