"""The audit log as a hash chain: what was written stays as it was, or `audit verify` finds out.

Rules:

1. Every record has the hash `SHA-256(hash of the record before it ‖ canonical bytes of this one)`. The canonical bytes
   are the JSON array of its `seq` and its columns, in the order of `COLUMNS`, without the nulls at its end: a column
   that a later version adds behind the others changes no hash of before.
2. `audit_chain` is one row: `seq` and hash of the newest record. It moves in the transaction that writes the record, so
   a killed process leaves a whole chain, and processes that write at once leave one chain: each reads it under the lock
   that it writes under. What is cut off the end of the log does not move it, and is missed.
3. The same row says what the first record follows: the last one that was pruned, or the genesis, which is bound to this
   file by its id. A record of kind `pruned` says so in the chain itself: without one, the beginning is missed as well.
4. Records that were there before there was a chain were chained as they stood, and a record of kind `adopted` says so:
   of what happened to them before, the chain knows nothing.

A chain is evidence against mistakes, and against whoever changes some of it. Whoever can write the whole file can
compute the whole chain anew: against that stands a head that was kept elsewhere (`heads`), and nothing else.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, TypeAlias

from gateway.jsonrpc import serialise
from gateway.state.knowledge import Knowledge, rows

Cell: TypeAlias = str | int | float | None


@dataclass(frozen=True, slots=True)
class Ends:
    """The last record that was pruned (0: none) and its hash, the newest record and its hash."""

    pruned_seq: int
    pruned_hash: bytes
    seq: int
    hash: bytes


COLUMNS: Final = (
    "kind",
    "decision_id",
    "at",
    "grant_name",
    "session",
    "client_name",
    "client_version",
    "server",
    "method",
    "tool",
    "policy_revision",
    "effect",
    "rule",
    "reason",
    "message",
    "argument_names",
    "argument_digest",
    "upstream_status",
    "outcome",
    "latency_ms",
    "argument_values",
)
LIST: Final = ", ".join(COLUMNS)

_TABLES: Final = (
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
        hash BLOB NOT NULL)""",
    """CREATE TABLE audit_chain (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        pruned_seq INTEGER NOT NULL,
        pruned_hash BLOB NOT NULL,
        seq INTEGER NOT NULL,
        hash BLOB NOT NULL)""",
)
_INDEXES: Final = (
    # The two records of one call.
    "CREATE INDEX audit_decision ON audit (decision_id)",
    # Whatever is asked for of calls is answered from this one, in the order of time, without reading the records: one
    # index that grows at its end costs an append least, and all of it is read in some tenths of a second per million.
    """CREATE INDEX audit_calls ON audit (at, kind, tool, effect, rule, reason, grant_name, client_name, session)
        WHERE kind <> 'settled'""",
    # What went wrong at the server, among all that did not.
    "CREATE INDEX audit_failed ON audit (outcome, at) WHERE kind = 'settled' AND outcome <> 'ok'",
)
_INSERT: Final = f"INSERT INTO audit (seq, {LIST}, hash) VALUES ({', '.join('?' * (len(COLUMNS) + 2))})"  # noqa: S608 - constants


_NO_ENDS: Final = "nothing says where it begins and ends"


def canonical(seq: int, cells: Sequence[Cell]) -> bytes:
    """The bytes that stand for a record. `TypeError` for what no record holds."""
    row = [seq, *cells]
    while row[-1] is None:
        row.pop()
    return serialise(row)


def link(previous: bytes, seq: int, cells: Sequence[Cell]) -> bytes:
    """The hash of a record that follows one with the hash `previous`."""
    return sha256(previous + canonical(seq, cells)).digest()


def genesis(state_id: bytes) -> bytes:
    """What the first record of a state file follows: no two files begin alike."""
    return sha256(b"keyid-gateway audit log\n" + state_id).digest()


def ends(connection: sqlite3.Connection) -> Ends:
    """Where the chain begins and where it ends. `LookupError` where nothing says so."""
    row = connection.execute("SELECT pruned_seq, pruned_hash, seq, hash FROM audit_chain").fetchone()
    if row is None or list(map(type, row)) != [int, bytes, int, bytes]:
        raise LookupError(_NO_ENDS)
    return Ends(*row)


class Chain:
    """The chain of one open file. With `knowledge`, its end is read only if somebody else may have moved it."""

    def __init__(self, connection: sqlite3.Connection, knowledge: Knowledge | None = None) -> None:
        self._connection = connection
        self._end: dict[None, tuple[int, bytes]] = rows(knowledge)

    def append(self, cells: Sequence[Cell]) -> int:
        """Write a record behind the newest one, within the transaction that is open; its `seq`.

        Raises `sqlite3.IntegrityError` where something stands there already, `LookupError` as `ends` does.
        """
        newest, previous = self._end.get(None) or self._read()
        seq = newest + 1
        linked = link(previous, seq, cells)
        self._connection.execute(_INSERT, (seq, *cells, linked))
        self._connection.execute("UPDATE audit_chain SET seq = ?, hash = ? WHERE id = 1", (seq, linked))
        self._end[None] = (seq, linked)
        return seq

    def _read(self) -> tuple[int, bytes]:
        row = self._connection.execute("SELECT seq, hash FROM audit_chain").fetchone()
        if row is None or list(map(type, row)) != [int, bytes]:
            raise LookupError(_NO_ENDS)
        return row[0], row[1]


def begin(connection: sqlite3.Connection) -> None:
    """The step of the migration that makes the chain: of an empty log, or of the records that are there.

    They are numbered anew from 1, because nothing said so far that none is missing.
    """
    connection.execute("ALTER TABLE audit RENAME TO audit_before")
    for statement in _TABLES:
        connection.execute(statement)
    (state_id,) = connection.execute("SELECT value FROM meta WHERE name = 'state_id'").fetchone()
    start = genesis(state_id)
    connection.execute("INSERT INTO audit_chain VALUES (1, 0, ?, 0, ?)", (start, start))
    chain = Chain(connection)
    newest: Sequence[Cell] = ()
    for newest in connection.execute(f"SELECT {LIST} FROM audit_before ORDER BY seq"):  # noqa: S608 - constants
        chain.append(newest)
    if newest:
        chain.append(_adopted(ends(connection).seq, newest[2]))
    connection.execute("DROP TABLE audit_before")
    for statement in _INDEXES:
        connection.execute(statement)


def _adopted(through: int, at: Cell) -> tuple[Cell, ...]:
    """The record that says which ones are older than the chain; of the moment of the last of them."""
    message = f"records 1 to {through} are older than the hash chain"
    about = ("", "", "", "", "", "audit/adopt", "", "", "allow", "", "allowed", message, "[]", "")
    return ("adopted", "", at, *about, None, None, None, f'{{"through":{through}}}')
