"""Questions to the audit log, quick at a million records.

One call is one answer: its first record (`decided` or `refused`), and what came of it. Everything but the outcome is
found in `audit_calls`, which holds the first records in the order of time with all that can be asked for, so the
records themselves are read only for what is shown. What went wrong at the server is found in `audit_failed`. Which
index serves is said in the statement (`INDEXED BY`): SQLite guesses without knowing the data.

Nothing from outside is ever part of a statement: what was asked for is bound.
"""

import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from gateway.policy.decision import Effect
from gateway.state.audit import OF_NO_CALL, Entry, entry
from gateway.state.chain import LIST

Order: TypeAlias = Literal["newest", "oldest"]
NOT_SENT: Final = "not sent"
NOT_SETTLED: Final = "not settled"
FAILED: Final = "failed"

_FIRST: Final = "kind <> 'settled'"
_FIRST_LIST: Final = ", ".join(f"first.{name.strip()}" for name in LIST.split(","))
_OF_CALL: Final = f"SELECT seq, {LIST} FROM audit INDEXED BY audit_decision WHERE decision_id = ? ORDER BY seq"  # noqa: S608 - constants
_SETTLED: Final = (
    f"SELECT seq, {LIST} FROM audit INDEXED BY audit_decision "  # noqa: S608 - constants
    "WHERE decision_id = ? AND kind = 'settled' ORDER BY seq DESC LIMIT 1"
)
_LOOKED_AT: Final = 100_000
"""Calls: a question that found nothing is not worth more."""
VALUES: Final[Mapping[str, str]] = {
    name: f"SELECT {column} AS value FROM audit INDEXED BY audit_calls WHERE {_FIRST} ORDER BY at DESC"  # noqa: S608 - constants
    for name, column in (
        ("tool", "tool"),
        ("rule", "rule"),
        ("reason", "reason"),
        ("grant", "grant_name"),
        ("session", "session"),
        ("client", "client_name"),
    )
} | {
    "server": f"SELECT server AS value FROM audit WHERE {_FIRST} ORDER BY seq DESC",  # noqa: S608 - constants
    "outcome": "SELECT outcome AS value FROM audit INDEXED BY audit_failed WHERE kind = 'settled' AND outcome <> 'ok'",
}
"""What the log has to be asked for, newest first where the index has it so."""
_ROUND: Final = re.compile(r"decision (\S+) began$")
_ASKED: Final = "input required"
"""The outcome of a call that goes on in another round."""
_LONGEST_EXCHANGE: Final = 86_400.0
_ROUNDS: Final = (
    "SELECT decision_id FROM audit INDEXED BY audit_calls "
    "WHERE kind <> 'settled' AND at >= ? AND at < ? AND session = ? AND message LIKE ? ORDER BY seq"
)
_ALL: Final = f"SELECT seq, {LIST}, hash FROM audit WHERE at >= ? AND at < ? ORDER BY seq"  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked for; None: whatever it is. `tool` and `rule` may hold `*` and `?`, moments are seconds.

    `outcome` is that of the server, or one of the three words here: `failed` is every other than `ok`.
    """

    since: float | None = None
    until: float | None = None
    tool: str | None = None
    rule: str | None = None
    effect: Effect | None = None
    reason: str | None = None
    grant: str | None = None
    session: str | None = None
    client: str | None = None
    server: str | None = None
    outcome: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """One call: its first record, and the one that says what came of it, if there is one."""

    first: Entry
    settled: Entry | None


def find(connection: sqlite3.Connection, query: Query, *, order: Order, limit: int | None) -> Iterator[Found]:
    """The calls that are asked for, as they are read."""
    statement, values = statement_of(query, order)
    rows = connection.execute(f"{statement} LIMIT ?", (*values, -1 if limit is None else limit))
    for row in rows:
        first = entry(row)
        settled = connection.execute(_SETTLED, (first.record.decision_id,)).fetchone()
        yield Found(first, None if settled is None else entry(settled))


def statement_of(query: Query, order: Order) -> tuple[str, Sequence[str | float]]:
    """The SQL of a question, and what is bound to it."""
    terms, values = _terms(query)
    way = "DESC" if order == "newest" else "ASC"
    if query.outcome in (None, NOT_SENT, NOT_SETTLED):
        if query.outcome == NOT_SENT:
            terms.append("first.kind = 'refused'")
        elif query.outcome == NOT_SETTLED:
            terms.append(
                "first.kind = 'decided' AND NOT EXISTS (SELECT 1 FROM audit AS last INDEXED BY audit_decision "
                "WHERE last.decision_id = first.decision_id AND last.kind = 'settled')"
            )
        source = "audit AS first INDEXED BY audit_calls"
    elif query.outcome == "ok":
        terms.append(
            "EXISTS (SELECT 1 FROM audit AS last INDEXED BY audit_decision "
            "WHERE last.decision_id = first.decision_id AND last.kind = 'settled' AND last.outcome = 'ok')"
        )
        source = "audit AS first INDEXED BY audit_calls"
    else:
        terms.append("last.kind = 'settled' AND last.outcome <> 'ok'")
        if query.outcome != FAILED:
            terms.append("last.outcome GLOB ?")
            values.append(_pattern(query.outcome))
        source = (
            "audit AS last INDEXED BY audit_failed CROSS JOIN audit AS first INDEXED BY audit_decision "
            "ON first.decision_id = last.decision_id"
        )
    where = " AND ".join([f"first.{_FIRST}", *terms])
    return (
        f"SELECT first.seq, {_FIRST_LIST} FROM {source} WHERE {where} ORDER BY first.at {way}, first.seq {way}",  # noqa: S608 - constants
        values,
    )


def _terms(query: Query) -> tuple[list[str], list[str | float]]:
    terms: list[str] = [f"first.kind NOT IN {OF_NO_CALL}"]
    values: list[str | float] = []
    wanted: Mapping[str, str | float | None] = {
        "first.at >= ?": query.since,
        "first.at < ?": query.until,
        "first.effect = ?": query.effect,
        "first.reason = ?": query.reason,
        "first.grant_name = ?": query.grant,
        "first.session = ?": query.session,
        "first.client_name = ?": query.client,
        "first.server = ?": query.server,
    }
    for term, value in wanted.items():
        if value is not None:
            terms.append(term)
            values.append(value)
    for column, pattern in (("first.tool", query.tool), ("first.rule", query.rule)):
        if pattern is not None:
            terms.append(f"{column} GLOB ?" if _is_pattern(pattern) else f"{column} = ?")
            values.append(_pattern(pattern) if _is_pattern(pattern) else pattern)
    return terms, values


def _is_pattern(text: str) -> bool:
    return "*" in text or "?" in text


def _pattern(text: str) -> str:
    """As SQLite's GLOB reads it: `*` and `?` stand for others, everything else for itself."""
    return text.replace("[", "[[]")


def values(connection: sqlite3.Connection, what: str, most: int) -> list[str]:
    """Up to `most` different values of a column (`what`: a name in `VALUES`) in the newest calls."""
    rows = connection.execute(f"SELECT DISTINCT value FROM ({VALUES[what]} LIMIT ?) LIMIT ?", (_LOOKED_AT, most))  # noqa: S608 - constants
    return sorted(str(value) for (value,) in rows if value)


def story(connection: sqlite3.Connection, decision_id: str) -> list[Entry]:
    """Every record of one call, and of the later rounds of it, whose records name the decision that began it."""
    records = of_call(connection, decision_id)
    if not records:
        return []
    begun = _ROUND.search(records[0].record.message)
    if begun is not None and begun[1] != decision_id and (beginning := of_call(connection, begun[1])):
        decision_id, records = begun[1], beginning
    if not any(each.record.outcome == _ASKED for each in records):
        return records
    first = records[0].record
    values = (first.at, first.at + _LONGEST_EXCHANGE, first.session, f"%decision {decision_id} began")
    rounds = [found for (found,) in connection.execute(_ROUNDS, values)]
    return records + [record for found in rounds if found != decision_id for record in of_call(connection, found)]


def of_call(connection: sqlite3.Connection, decision_id: str) -> list[Entry]:
    """The records that have this id."""
    return [entry(row) for row in connection.execute(_OF_CALL, (decision_id,))]


def beginning_with(connection: sqlite3.Connection, text: str, most: int) -> list[str]:
    """Up to `most` ids of calls that begin with `text`."""
    rows = connection.execute(
        "SELECT DISTINCT decision_id FROM audit INDEXED BY audit_decision "
        "WHERE decision_id >= ? AND decision_id < ? LIMIT ?",
        (text, text + "\U0010ffff", most),
    )
    return [decision_id for (decision_id,) in rows]


def everything(connection: sqlite3.Connection, since: float | None, until: float | None) -> Iterator[tuple[Entry, str]]:
    """Every record of a time in the order of the chain, with its hash, as it is read."""
    span = (float("-inf") if since is None else since, float("inf") if until is None else until)
    for *row, linked in connection.execute(_ALL, span):
        yield entry(tuple(row)), linked.hex()


def place(connection: sqlite3.Connection, seq: int) -> str:
    """The hash of a record."""
    return str(connection.execute("SELECT lower(hex(hash)) FROM audit WHERE seq = ?", (seq,)).fetchone()[0])
