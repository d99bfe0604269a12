"""The audit log: one record for what was decided of a call, one for what came of it.

A record that cannot be written refuses the call (threat B26), so `append` belongs in the transaction of what it tells.
How records hang together is `chain`'s; what is kept of the arguments is `arguments`'.
"""

import json
import sqlite3
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple, Protocol, TypeAlias

from gateway.policy.decision import Effect
from gateway.state import chain
from gateway.state.chain import LIST, Cell
from gateway.state.failures import broken_chain, damaged
from gateway.state.knowledge import Knowledge
from gateway.state.text import LONGEST_BYTES, bounded

Kind: TypeAlias = Literal[
    "decided", "settled", "refused", "pruned", "adopted", "owner", "self-test", "definition", "question", "answer"
]
OF_NO_CALL: Final[tuple[Kind, ...]] = (
    "pruned",
    "adopted",
    "owner",
    "self-test",
    "definition",
    "question",
    "answer",
)
"""Kinds of records that are no call, and count as none."""

_MOST_NAMES: Final = 64
_LONGEST_NAME_BYTES: Final = 256
_NAMES_COLUMN: Final = chain.COLUMNS.index("argument_names")
_MOMENTS: Final = (chain.COLUMNS.index("at"), chain.COLUMNS.index("latency_ms"))
_TAIL: Final = f"SELECT seq, {LIST} FROM audit WHERE seq > ? ORDER BY seq LIMIT ?"  # noqa: S608 - constants
_SINCE: Final = f"SELECT seq, {LIST} FROM audit WHERE seq > ? AND at >= ? ORDER BY seq LIMIT ?"  # noqa: S608 - constants
_NEWEST: Final = f"SELECT seq, {LIST} FROM audit ORDER BY seq DESC LIMIT ?"  # noqa: S608 - constants


class Record(NamedTuple):
    """One line of the log: its columns, in their order.

    `at` is in seconds since the epoch, `argument_digest` in hexadecimal. What does not apply is an empty text or None:
    a request without a tool, a decision before its outcome. Two kinds are about the log itself, and have a message, and
    in `values` up to which record: `pruned` (the owner removed them), `adopted` (they were there before the log was a
    chain). Two more tell of no call either: `owner` (what a person said with a command: stop, resume, a grant revoked;
    `method` says which), `self-test`.
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


class Entry(NamedTuple):
    """A record in its place: `seq` counts up from 1."""

    seq: int
    record: Record


class AuditLog(Protocol):
    """The log within one transaction. Failures are `StateError`."""

    def append(self, record: Record) -> int:
        """Write `record` behind the newest one, and return its `seq`. Texts are cut at 4 KiB, and say so."""
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

    def __init__(self, connection: sqlite3.Connection, knowledge: Knowledge | None = None) -> None:
        self._connection = connection
        self._chain = chain.Chain(connection, knowledge)

    def append(self, record: Record) -> int:
        try:
            return self._chain.append(_cells(record))
        except (LookupError, sqlite3.IntegrityError) as error:
            raise broken_chain(str(error)) from error

    def tail(self, after_seq: int, limit: int) -> Sequence[Entry]:
        return [entry(row) for row in self._connection.execute(_TAIL, (after_seq, limit))]

    def since(self, at: float, after_seq: int, limit: int) -> Sequence[Entry]:
        return [entry(row) for row in self._connection.execute(_SINCE, (after_seq, at, limit))]

    def newest(self, count: int) -> Sequence[Entry]:
        return [entry(row) for row in self._connection.execute(_NEWEST, (count,)).fetchall()[::-1]]


def _cells(record: Record) -> tuple[Cell, ...]:
    """The columns of a record. Nearly always every text of it fits, which is seen at one look."""
    cells: list[Any] = list(record)
    cells[_NAMES_COLUMN] = _names_text(record.argument_names)
    together = "".join([cell for cell in cells if type(cell) is str])
    if len(together) > LONGEST_BYTES or not together.isascii():
        cells = [
            bounded(cell) if isinstance(cell, str) and at != _NAMES_COLUMN else cell for at, cell in enumerate(cells)
        ]
    for at in _MOMENTS:
        if cells[at] is not None:
            cells[at] += 0.0  # the file keeps no negative zero
    return tuple(cells)


def _names_text(names: tuple[str, ...]) -> str:
    return _known_names(names) if sum(map(len, names)) <= _LONGEST_NAME_BYTES else json.dumps(_names(names))


@lru_cache(maxsize=256)  # a tool is called with the same ones again and again
def _known_names(names: tuple[str, ...]) -> str:
    return json.dumps(_names(names))


def _names(names: tuple[str, ...]) -> list[str]:
    kept = [bounded(name, _LONGEST_NAME_BYTES) for name in names[:_MOST_NAMES]]
    if len(names) > _MOST_NAMES:
        kept.append(f"… (+{len(names) - _MOST_NAMES} names)")
    return kept


def entry(row: tuple[Any, ...]) -> Entry:  # what SQLite hands out has no type
    """A row of `seq` and `LIST` as the record it is. Raises `StateError`."""
    seq, *fields = row
    fields[_NAMES_COLUMN] = _parsed_names(fields[_NAMES_COLUMN])
    return Entry(seq, Record(*fields))


def _parsed_names(text: str) -> tuple[str, ...]:
    try:
        return tuple(json.loads(text))
    except (TypeError, ValueError) as error:
        raise damaged("the argument names of a record are no list") from error
