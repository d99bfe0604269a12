"""The questions in SQLite: the rules are those of `approvals`."""

import json
import secrets
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from gateway.jsonrpc import DEEPEST, loads, serialise
from gateway.state import passcode
from gateway.state.approvals import (
    LARGEST,
    MOST_BYTES,
    MOST_BYTES_OF_SESSION,
    MOST_OF_SESSION,
    MOST_PENDING,
    STEP,
    Covering,
    Full,
    Question,
    Standing,
    Status,
    Verdict,
)
from gateway.state.failures import damaged
from gateway.state.text import bounded

_MOST_KEPT: Final = 10_000
_LETTERS: Final = "23456789bcdfghjkmnpqrstvwxz"
"""What cannot be mistaken for each other, and makes no words."""
_LETTERS_OF_AN_ID: Final = 5

_OPEN: Final = "state IN ('pending', 'approved', 'denied')"
_COLUMNS: Final = (
    "id, tool, arguments, rule, reason, grant_name, server, session, client_name, client_version, asked_at, "
    "expires_at, remember, timeout, policy_revision, state, answered_at, answered_by, note, waiters"
)
_ARGUMENTS, _REMEMBER, _OF_QUESTION = 2, 12, 15
_SELECT: Final = f"SELECT {_COLUMNS} FROM approvals"  # noqa: S608 - constants
_INSERT: Final = (
    f"INSERT INTO approvals (identity, size, {_COLUMNS}) "  # noqa: S608 - constants
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending', NULL, '', '', 0)"
)
_LOOKED: Final = (
    "SELECT max(coalesce((SELECT at FROM approval_clock), 0), "
    "coalesce((SELECT at FROM audit ORDER BY seq DESC LIMIT 1), 0))"
)
_LOAD: Final = (
    "SELECT count(*), total(size), total(session = ?), total((session = ?) * size) "
    "FROM approvals WHERE state IN ('pending', 'approved')"
)


class SqliteApprovals:
    """The questions of one open state file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def sweep(self, now: float) -> Sequence[Question]:
        looked = float(self._connection.execute(_LOOKED).fetchone()[0])
        back = now < looked - STEP
        at = now if back else max(now, looked)
        if at != looked:
            self._connection.execute("INSERT OR REPLACE INTO approval_clock (id, at) VALUES (1, ?)", (at,))
        term, bound = ("1", ()) if back else ("expires_at <= ?", (at,))
        gone = [
            _standing(row)
            for row in self._connection.execute(f"{_SELECT} WHERE {_OPEN} AND {term} ORDER BY number", bound)
        ]
        self._end([standing.question.id for standing in gone], "expired")
        self._connection.execute(f"DELETE FROM covers WHERE {term}", bound)  # noqa: S608 - constants
        return [standing.question for standing in gone if standing.status != "denied"]

    def open(self, identity: str) -> Standing | None:
        row = self._connection.execute(f"{_SELECT} WHERE identity = ? AND {_OPEN}", (identity,)).fetchone()
        return None if row is None else _standing(row)

    def ask(self, question: Question, identity: str, now: float) -> Standing | Full:
        text = serialise(dict(question.arguments))
        full = self._full(question.session, len(text))
        if full is not None:
            return full
        number = self._new_id()
        at = self._at(now)
        covering = [[list(each.paths), each.seconds, each.key] for each in question.remember]
        cells: Iterable[object] = (
            *(identity, len(text), number, bounded(question.tool), text.decode(), bounded(question.rule)),
            *(bounded(question.reason), bounded(question.grant), bounded(question.server), bounded(question.session)),
            *(bounded(question.client_name), bounded(question.client_version), at, at + question.timeout),
            *(json.dumps(covering), question.timeout, question.policy_revision),
        )
        self._connection.execute(_INSERT, tuple(cells))
        self._forget()
        return self._get(number)

    def join(self, number: str) -> None:
        self._connection.execute("UPDATE approvals SET waiters = waiters + 1 WHERE id = ?", (number,))

    def leave(self, number: str) -> int:
        self._connection.execute("UPDATE approvals SET waiters = max(0, waiters - 1) WHERE id = ?", (number,))
        row = self._connection.execute("SELECT waiters FROM approvals WHERE id = ?", (number,)).fetchone()
        return 0 if row is None else int(row[0])

    def withdraw(self, number: str) -> Question | None:
        standing = self._find(number)
        if standing is None or standing.status != "pending":
            return None
        self._end([number], "withdrawn")
        return standing.question

    def answer(
        self, number: str, verdict: Verdict, now: float, *, by: str, note: str = "", seconds: float | None = None
    ) -> Standing | None:
        standing = self._find(number)
        at = self._at(now)
        if standing is None or standing.status != "pending" or standing.question.expires_at <= at:
            return None
        question = standing.question
        status = "approved" if verdict == "approve" else "denied"
        until = at + (seconds if verdict == "deny" and seconds is not None else question.timeout)
        self._connection.execute(
            "UPDATE approvals SET state = ?, answered_at = ?, answered_by = ?, note = ?, expires_at = ? WHERE id = ?",
            (status, at, bounded(by), bounded(note), until, number),
        )
        if verdict == "deny":
            self._erase([number])
        else:
            self._cover(question.remember, at)
        return self._get(number)

    def use(self, number: str) -> bool:
        standing = self._find(number)
        if standing is None or standing.status != "approved":
            return False
        self._end([number], "used")
        return True

    def covered(self, keys: Collection[str], now: float) -> frozenset[str]:
        found = self._connection.execute(
            "SELECT identity FROM covers WHERE identity IN (SELECT value FROM json_each(?)) AND expires_at > ?",
            (json.dumps(list(keys)), self._at(now)),
        )
        return frozenset(key for (key,) in found)

    def statuses(self, numbers: Collection[str]) -> Mapping[str, Status]:
        found = self._connection.execute(
            "SELECT id, state FROM approvals WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(list(numbers)),)
        )
        return dict(found.fetchall())

    def pending(self, now: float) -> Sequence[Standing]:
        rows = self._connection.execute(
            f"{_SELECT} WHERE state = 'pending' AND expires_at > ? ORDER BY number", (self._at(now),)
        )
        return [_standing(row) for row in rows]

    def count_pending(self, now: float) -> int:
        found = self._connection.execute(
            "SELECT count(*) FROM approvals WHERE state = 'pending' AND expires_at > ?", (self._at(now),)
        )
        return int(found.fetchone()[0])

    def named(self, beginning: str) -> Sequence[Standing]:
        rows = self._connection.execute(
            f"{_SELECT} WHERE id >= ? AND id < ? ORDER BY number DESC", (beginning, beginning + "\U0010ffff")
        )
        return [_standing(row) for row in rows]

    def _at(self, now: float) -> float:
        """The newest moment that anybody looked at; this one, where the clock was set back (`sweep` has seen to it)."""
        row = self._connection.execute("SELECT at FROM approval_clock").fetchone()
        return now if row is None or now < row[0] - STEP else max(now, float(row[0]))

    def _full(self, session: str, size: int) -> Full | None:
        if size > LARGEST:
            return Full(f"its arguments are larger than a person can read ({size} bytes; at most {LARGEST})")
        count, total, own, own_total = self._connection.execute(_LOAD, (session, session)).fetchone()
        if count >= MOST_PENDING or total + size > MOST_BYTES:
            return Full(f"too many questions are open ({count})")
        if own >= MOST_OF_SESSION or own_total + size > MOST_BYTES_OF_SESSION:
            return Full(f"too many questions of this session are open ({int(own)})")
        return None

    def _new_id(self) -> str:
        while True:
            number = "".join(secrets.choice(_LETTERS) for _ in range(_LETTERS_OF_AN_ID))
            if self._find(number) is None:
                return number

    def _find(self, number: str) -> Standing | None:
        row = self._connection.execute(f"{_SELECT} WHERE id = ?", (number,)).fetchone()
        return None if row is None else _standing(row)

    def _get(self, number: str) -> Standing:
        standing = self._find(number)
        if standing is None:
            raise damaged(f"the question `{number}` is gone")
        return standing

    def _cover(self, covering: Iterable[Covering], at: float) -> None:
        self._connection.executemany(
            "INSERT INTO covers (identity, expires_at) VALUES (?, ?) "
            "ON CONFLICT (identity) DO UPDATE SET expires_at = max(expires_at, excluded.expires_at)",
            [(each.key, at + each.seconds) for each in covering if each.key],
        )

    def _end(self, numbers: Sequence[str], status: Status) -> None:
        rows = [(status, number) for number in numbers]
        self._connection.executemany("UPDATE approvals SET state = ?, waiters = 0 WHERE id = ?", rows)
        self._erase(numbers)

    def _erase(self, numbers: Sequence[str]) -> None:
        """Take the arguments out, and out of the pages that they stood on."""
        if not numbers:
            return
        self._connection.execute("PRAGMA secure_delete = ON")
        try:
            self._connection.executemany(
                "UPDATE approvals SET arguments = NULL, size = 0 WHERE id = ?", [(number,) for number in numbers]
            )
        finally:
            self._connection.execute("PRAGMA secure_delete = OFF")

    def _forget(self) -> None:
        """What is over is remembered for a while, so that who comes too late is told; not for ever."""
        self._connection.execute(
            f"DELETE FROM approvals WHERE number <= (SELECT max(number) FROM approvals) - ? AND NOT {_OPEN}",  # noqa: S608 - constants
            (_MOST_KEPT,),
        )


def _standing(row: Sequence[Any]) -> Standing:  # what SQLite hands out has no type
    cells = list(row)
    try:
        cells[_ARGUMENTS] = {} if cells[_ARGUMENTS] is None else loads(cells[_ARGUMENTS], max_depth=DEEPEST)
        kept = [Covering(tuple(paths), seconds, key) for paths, seconds, key in json.loads(cells[_REMEMBER])]
    except (TypeError, ValueError) as error:
        raise damaged("a question cannot be read") from error
    cells[_REMEMBER] = tuple(kept)
    return Standing(Question(*cells[:_OF_QUESTION]), *cells[_OF_QUESTION:])


def begin(connection: sqlite3.Connection) -> None:
    """The step of the migration that makes the tables."""
    connection.execute("""CREATE TABLE approvals (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        identity TEXT NOT NULL,
        state TEXT NOT NULL,
        tool TEXT NOT NULL,
        arguments TEXT,
        size INTEGER NOT NULL,
        rule TEXT NOT NULL,
        reason TEXT NOT NULL,
        grant_name TEXT NOT NULL,
        server TEXT NOT NULL,
        session TEXT NOT NULL,
        client_name TEXT NOT NULL,
        client_version TEXT NOT NULL,
        policy_revision TEXT NOT NULL,
        remember TEXT NOT NULL,
        timeout INTEGER NOT NULL,
        asked_at REAL NOT NULL,
        expires_at REAL NOT NULL,
        answered_at REAL,
        answered_by TEXT NOT NULL,
        note TEXT NOT NULL,
        waiters INTEGER NOT NULL)""")
    connection.execute(f"CREATE UNIQUE INDEX approvals_open ON approvals (identity) WHERE {_OPEN}")
    connection.execute(f"CREATE INDEX approvals_until ON approvals (expires_at) WHERE {_OPEN}")
    connection.execute("CREATE TABLE covers (identity TEXT PRIMARY KEY, expires_at REAL NOT NULL) WITHOUT ROWID")
    connection.execute(passcode.TABLE)
    connection.execute("CREATE TABLE approval_clock (id INTEGER PRIMARY KEY CHECK (id = 1), at REAL NOT NULL)")
