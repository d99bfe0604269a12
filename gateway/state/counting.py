"""`Counters` in SQLite: what both strategies do with the row of a counter (how they differ: `windows`)."""

import math
import sqlite3
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final, TypeAlias

from gateway.errors import StateError
from gateway.state.amounts import minus, parse, plus
from gateway.state.counters import Charge, CounterKey, Exhausted, Hold, Reservation, Usage
from gateway.state.knowledge import Knowledge, rows
from gateway.state.text import bounded
from gateway.state.windows import Row, Standing, windows

_SECOND: Final = 1_000_000
_ROW: Final = "id, newest, used, serial, refund_window, refunded, seconds"
_KEY: Final = 'server, layer, scope, owner, tools_key, counter, "window", seconds, strategy, per'
# SQL made of the constants above; nothing from outside is ever part of a statement.
_BY_KEY: Final = f"SELECT {_ROW} FROM counters WHERE identity = ?"  # noqa: S608 - constants
_BY_NUMBER: Final = f"SELECT {_ROW} FROM counters WHERE id = ?"  # noqa: S608 - constants
_ALL: Final = f"SELECT {_ROW}, {_KEY} FROM counters ORDER BY id"  # noqa: S608 - constants
_CHARGE: Final = "UPDATE counters SET newest = ?, used = ?, serial = ? WHERE id = ?"
_Charged: TypeAlias = tuple[int, str, int, int]
"""The values of `_CHARGE`."""
_CREATE: Final = (
    f"INSERT INTO counters (identity, newest, used, serial, {_KEY}) "  # noqa: S608 - constants
    f"VALUES (?, ?, '0', 0{', ?' * 10})"
)
_OF_SESSION: Final = "SELECT id FROM counters WHERE scope = 'session' AND owner = ?"
_LEFTOVERS: Final = """
    SELECT id FROM counters WHERE scope = 'session'
    AND newest + (CASE seconds WHEN 0 THEN ? ELSE max(seconds, ?) END) * 1000000 < ?"""
_LEFTOVER_SECONDS: Final = 7 * 24 * 3600
_WHOLE_SESSION_SECONDS: Final = 366 * 24 * 3600


class SqliteCounters:
    """The counters of one open state file; to be used within a transaction."""

    def __init__(self, connection: sqlite3.Connection, knowledge: Knowledge | None = None) -> None:
        self._connection = connection
        self._known: dict[bytes, Row] = rows(knowledge)
        self._windows = windows(connection)

    def reserve(self, charges: Sequence[Charge], now: float) -> Reservation | Exhausted:
        if not charges:
            return Reservation()
        if len(charges) > 1 and len({charge.key.identity for charge in charges}) < len(charges):
            return self._reserve_in_turn(charges, _microseconds(now))
        moment, known = _microseconds(now), self._known
        found: list[tuple[Charge, Row | None, Standing]] = []
        for charge in charges:
            row = known.get(charge.key.identity) or self._find(charge.key)
            standing = self._standing(charge, row, moment)
            if isinstance(standing, Exhausted):  # nothing was written yet
                self._tidy(charge, moment)
                return standing
            found.append((charge, row, standing))
        holds, changed = zip(*[self._taken(*each, moment) for each in found], strict=True)
        self._connection.executemany(_CHARGE, changed)
        return Reservation(holds)

    def _reserve_in_turn(self, charges: Sequence[Charge], moment: int) -> Reservation | Exhausted:
        """Charges of which two are of one counter: each must see what the one before it took."""
        holds: list[Hold] = []
        self._connection.execute("SAVEPOINT reserve")
        for charge in charges:
            row = self._find(charge.key)
            standing = self._standing(charge, row, moment)
            if isinstance(standing, Exhausted):
                self._connection.execute("ROLLBACK TO reserve")
                self._connection.execute("RELEASE reserve")
                self._known.clear()
                self._tidy(charge, moment)
                return standing
            holds.append(self._take(charge, row, standing, moment))
        self._connection.execute("RELEASE reserve")
        return Reservation(tuple(holds))

    def peek(self, charges: Sequence[Charge], now: float) -> Exhausted | None:
        moment = _microseconds(now)
        for charge in charges:
            standing = self._standing(charge, self._find(charge.key), moment)
            if isinstance(standing, Exhausted):
                return standing
        return None

    def release(self, reservation: Reservation, now: float) -> None:
        moment = _microseconds(now)
        for hold in reservation.holds:
            self._give_back(hold, moment)

    def usage(self, now: float) -> Sequence[Usage]:
        moment = _microseconds(now)
        found = self._connection.execute(_ALL).fetchall()
        every = (self._usage(_row(values[:7]), CounterKey(*values[7:]), moment) for values in found)
        return [usage for usage in every if usage.used]

    def forget_session(self, session: str) -> None:
        self._forget(self._connection.execute(_OF_SESSION, (bounded(session),)))

    def forget_leftovers(self, now: float) -> None:
        """Drop what sessions without a proper end left behind: after seven days, never before their window ends.

        A window that is the session itself ends with it, which nobody sees from here: it is kept for a year.
        """
        given = (_WHOLE_SESSION_SECONDS, _LEFTOVER_SECONDS, _microseconds(now))
        self._forget(self._connection.execute(_LEFTOVERS, given))

    def _take(self, charge: Charge, found: Row | None, standing: Standing, moment: int) -> Hold:
        hold, row = self._taken(charge, found, standing, moment)
        self._connection.execute(_CHARGE, row)
        return hold

    def _taken(self, charge: Charge, found: Row | None, standing: Standing, moment: int) -> tuple[Hold, _Charged]:
        """A charge that fits, and what its row comes to, which is still to be written."""
        row = found or self._create(charge.key, moment)
        serial, at = row.serial + 1, max(row.newest, moment)
        self._windows[charge.key.strategy].keep(row, standing, serial, at, charge.cost)
        used = plus(standing.used, charge.cost)
        charged = Row(row.id, at, used, serial, row.refund_window, row.refunded, row.span)
        self._known[charge.key.identity] = charged
        return Hold(row.id, serial, at, charge), (at, str(used), serial, row.id)

    def _standing(self, charge: Charge, row: Row | None, moment: int) -> Standing | Exhausted:
        """What is used before `charge`, or that it does not fit."""
        room = charge.room
        if room < 0:
            return Exhausted(charge, None)
        if row is None:
            return Standing()
        at, window = max(row.newest, moment), self._windows[charge.key.strategy]
        standing = window.standing(row, at, room)
        if standing.used <= room:
            return standing
        opens = window.opens(row, standing, at, room)
        return Exhausted(charge, None if opens is None else max(1, -(-(opens - moment) // _SECOND)))

    def _tidy(self, charge: Charge, moment: int) -> None:
        """Forget what has expired of a counter that refused, so that refusals never walk over the same rows again.

        A charge that would never fit has not looked at the counter: it leaves no trace, not even of the time.
        """
        if charge.room < 0:
            return
        row, window = self._find(charge.key), self._windows[charge.key.strategy]
        if row is None:
            return
        at = max(row.newest, moment)
        standing = window.standing(row, at, charge.room)
        if standing.expired:
            window.forget(row, standing)
            changed = (at, str(standing.used), row.id)
            self._connection.execute("UPDATE counters SET newest = ?, used = ? WHERE id = ?", changed)
            self._known.clear()

    def _give_back(self, hold: Hold, moment: int) -> None:
        row = self._read(_BY_NUMBER, hold.counter) if hold.charge.cost else None  # of nothing, nothing is given back
        if row is None:
            return
        at = max(row.newest, moment)
        current = at // row.span if row.span else 0
        refunded = row.refunded + 1 if row.refund_window == current else 1
        window = self._windows[hold.charge.key.strategy]
        if refunded > hold.charge.limit.maximum or not window.withdraw(row, hold.serial, hold.at, at):
            return
        left = max(Decimal(0), minus(row.used, hold.charge.cost))
        self._connection.execute(
            "UPDATE counters SET used = ?, refund_window = ?, refunded = ? WHERE id = ?",
            (str(left), current, refunded, row.id),
        )
        self._known.clear()

    def _usage(self, row: Row, key: CounterKey, moment: int) -> Usage:
        used, start, end = self._windows[key.strategy].extent(row, max(row.newest, moment))
        return Usage(key, used, start / _SECOND, None if end is None else end / _SECOND)

    def _find(self, key: CounterKey) -> Row | None:
        row = self._known.get(key.identity)
        if row is None:
            row = self._read(_BY_KEY, key.identity)
            if row is not None:
                self._known[key.identity] = row
        return row

    def _read(self, query: str, value: bytes | int) -> Row | None:
        found = self._connection.execute(query, (value,)).fetchone()
        return None if found is None else _row(found)

    def _create(self, key: CounterKey, moment: int) -> Row:
        names = (key.server, key.layer, key.scope, key.owner, key.tools_key, key.counter, key.window)
        per = None if key.per is None else bounded(key.per)
        created = self._connection.execute(
            _CREATE,
            (key.identity, moment, *(bounded(name) for name in names), key.seconds, key.strategy, per),
        )
        if created.lastrowid is None:
            raise StateError("the state file did not take a new counter")
        return Row(created.lastrowid, moment, Decimal(0), 0, 0, 0, key.seconds * _SECOND)

    def _forget(self, found: Iterable[tuple[int]]) -> None:
        gone = list(found)
        self._connection.executemany("DELETE FROM hits WHERE counter = ?", gone)
        self._connection.executemany("DELETE FROM refunds WHERE counter = ?", gone)
        self._connection.executemany("DELETE FROM counters WHERE id = ?", gone)
        self._known.clear()


def _row(values: tuple[int, int, str, int, int, int, int]) -> Row:
    number, newest, used, serial, refund_window, refunded, seconds = values
    return Row(number, newest, parse(used), serial, refund_window, refunded, seconds * _SECOND)


def _microseconds(now: float) -> int:
    return math.floor(now * _SECOND)
