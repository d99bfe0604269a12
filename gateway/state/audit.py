"""The audit log: one record for what was decided of a call, one for what came of it.

A record that cannot be written refuses the call (threat B26), so `append` belongs in the transaction of what it tells.
Arguments are never stored: their names are, and a digest keyed with a secret of this state file, by which the owner
can tell whether two calls, or a call and a guess, were the same. `values` holds what the owner asked to be kept.
"""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol, TypeAlias

from gateway.policy.decision import Effect
from gateway.state.failures import damaged
from gateway.state.text import bounded

Kind: TypeAlias = Literal["decided", "settled", "refused"]

_MOST_NAMES: Final = 64
_LONGEST_NAME_BYTES: Final = 256
_NAMES_COLUMN: Final = 15
_COLUMNS: Final = (
    "kind, decision_id, at, grant_name, session, client_name, client_version, server, method, tool, policy_revision, "
    "effect, rule, reason, message, argument_names, argument_digest, upstream_status, outcome, latency_ms, "
    "argument_values"
)
_APPEND: Final = f"INSERT INTO audit ({_COLUMNS}) VALUES ({', '.join('?' * 21)})"  # noqa: S608 - constants
_TAIL: Final = f"SELECT seq, {_COLUMNS} FROM audit WHERE seq > ? ORDER BY seq LIMIT ?"  # noqa: S608 - constants
_SINCE: Final = (
    f"SELECT seq, {_COLUMNS} FROM audit WHERE seq > ? AND at >= ? ORDER BY seq LIMIT ?"  # noqa: S608 - constants
)
_NEWEST: Final = f"SELECT seq, {_COLUMNS} FROM audit ORDER BY seq DESC LIMIT ?"  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class Record:
    """One line of the log. `at` is in seconds since the epoch, `argument_digest` in hexadecimal.

    What does not apply is an empty text or None: a request without a tool, a decision before its outcome.
    """

    kind: Kind
    decision_id: str
    at: float
    grant: str
    session: str
    client_name: str
    client_version: str
    server: str
    method: str
    tool: str
    policy_revision: str
    effect: Effect
    rule: str
    reason: str
    message: str
    argument_names: tuple[str, ...] = ()
    argument_digest: str = ""
    upstream_status: int | None = None
    outcome: str | None = None
    latency_ms: float | None = None
    values: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A record in its place: `seq` counts up from 1."""

    seq: int
    record: Record


class AuditLog(Protocol):
    """The log within one transaction. Failures are `StateError`."""

    def append(self, record: Record) -> int:
        """Write `record` and return its `seq`. Texts are cut at 4 KiB, and say so."""
        ...

    def tail(self, after_seq: int, limit: int) -> Sequence[Entry]:
        """Up to `limit` records that follow `after_seq`, oldest first."""
        ...

    def since(self, at: float, after_seq: int, limit: int) -> Sequence[Entry]:
        """Up to `limit` records that follow `after_seq` and are not older than the moment `at`, oldest first."""
        ...

    def newest(self, count: int) -> Sequence[Entry]:
        """The last `count` records, oldest first."""
        ...


class SqliteAudit:
    """The log of one open state file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def append(self, record: Record) -> int:
        written = self._connection.execute(_APPEND, _values(record))
        return written.lastrowid or 0

    def tail(self, after_seq: int, limit: int) -> Sequence[Entry]:
        return [_entry(row) for row in self._connection.execute(_TAIL, (after_seq, limit))]

    def since(self, at: float, after_seq: int, limit: int) -> Sequence[Entry]:
        return [_entry(row) for row in self._connection.execute(_SINCE, (after_seq, at, limit))]

    def newest(self, count: int) -> Sequence[Entry]:
        return [_entry(row) for row in self._connection.execute(_NEWEST, (count,)).fetchall()[::-1]]


def _values(record: Record) -> tuple[str | int | float | None, ...]:
    return (
        record.kind,
        bounded(record.decision_id),
        record.at,
        bounded(record.grant),
        bounded(record.session),
        bounded(record.client_name),
        bounded(record.client_version),
        bounded(record.server),
        bounded(record.method),
        bounded(record.tool),
        bounded(record.policy_revision),
        record.effect,
        bounded(record.rule),
        bounded(record.reason),
        bounded(record.message),
        json.dumps(_names(record.argument_names)),
        bounded(record.argument_digest),
        record.upstream_status,
        None if record.outcome is None else bounded(record.outcome),
        record.latency_ms,
        None if record.values is None else bounded(record.values),
    )


def _names(names: tuple[str, ...]) -> list[str]:
    kept = [bounded(name, _LONGEST_NAME_BYTES) for name in names[:_MOST_NAMES]]
    if len(names) > _MOST_NAMES:
        kept.append(f"… (+{len(names) - _MOST_NAMES} names)")
    return kept


def _entry(row: tuple[Any, ...]) -> Entry:  # what SQLite hands out has no type
    seq, *fields = row
    fields[_NAMES_COLUMN] = _parsed_names(fields[_NAMES_COLUMN])
    return Entry(seq, Record(*fields))


def _parsed_names(text: str) -> tuple[str, ...]:
    try:
        return tuple(json.loads(text))
    except (TypeError, ValueError) as error:
        raise damaged("the argument names of a record are no list") from error
