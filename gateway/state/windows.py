"""The kinds of window: how much of a counter has run out by a moment, and when there will be room.

Moments and spans are whole microseconds. `at` is always the newest moment of the counter or later, so that time never
goes back here. `room` is the most that may be used if the charge is to fit: its maximum less its cost.

Fixed: `used` belongs to the window that `newest` lies in; from the next window on it is nothing.

Sliding: every charge is a row of `hits`; a charge made at t has run out at t + span. `used` is the sum of all rows, and
rows that have run out are taken off it from the oldest on: a few with each charge (more than one, so that they never
pile up), more only where there would be no room otherwise. Nothing is ever summed over the whole window. A charge of
nothing leaves no row.

Session: `used` is all that was charged; it ends with its session, and nothing but that makes room.
"""

import sqlite3
from collections.abc import Iterator
from decimal import Decimal
from typing import Final, NamedTuple, Protocol

from gateway.policy.decision import Strategy
from gateway.state.amounts import minus, parse, plus

_NOTHING: Final = Decimal(0)
_FEW: Final = 4
_LONGEST_WALK: Final = 1000


class Row(NamedTuple):
    """A counter as it stands in the file. `span` is its window's length in microseconds."""

    id: int
    newest: int
    used: Decimal
    serial: int
    refund_window: int
    refunded: int
    span: int


class Standing(NamedTuple):
    """What is used at a moment; hits up to the serial `expired` no longer count."""

    used: Decimal = _NOTHING
    expired: int = 0


class Window(Protocol):
    """One strategy."""

    def standing(self, row: Row, at: int, room: Decimal, /) -> Standing:
        """What is used at `at`; it may be reported too high where it leaves `room` all the same."""
        ...

    def opens(self, row: Row, standing: Standing, at: int, room: Decimal, /) -> int | None:
        """A moment at which no more than `room` is used, if nothing is charged until then; None: there is none."""
        ...

    def keep(self, row: Row, standing: Standing, serial: int, at: int, cost: Decimal, /) -> None:
        """Remember the `serial`-th charge of the counter, made at `at`; forget what has expired."""
        ...

    def withdraw(self, row: Row, serial: int, charged_at: int, at: int, /) -> bool:
        """Whether a charge still counts and is not withdrawn yet; from now on it is."""
        ...

    def extent(self, row: Row, at: int, /) -> tuple[Decimal, int, int | None]:
        """What is used exactly, since when, and when nothing of it will be (None: not while the session lasts)."""
        ...

    def forget(self, row: Row, standing: Standing, /) -> None:
        """Forget what has expired."""
        ...


class FixedWindow:
    """Windows aligned to the epoch, which is to UTC: a minute, an hour and a day all begin with it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def standing(self, row: Row, at: int, _room: Decimal) -> Standing:
        return Standing(row.used if at // row.span == row.newest // row.span else _NOTHING)

    def opens(self, row: Row, _standing: Standing, at: int, _room: Decimal) -> int:
        return (at // row.span + 1) * row.span

    def keep(self, _row: Row, _standing: Standing, _serial: int, _at: int, _cost: Decimal) -> None:
        pass

    def withdraw(self, row: Row, serial: int, charged_at: int, at: int) -> bool:
        if charged_at // row.span != at // row.span:
            return False
        if row.refund_window != at // row.span:
            self._connection.execute("DELETE FROM refunds WHERE counter = ?", (row.id,))
        added = self._connection.execute("INSERT OR IGNORE INTO refunds VALUES (?, ?)", (row.id, serial))
        return added.rowcount == 1

    def extent(self, row: Row, at: int) -> tuple[Decimal, int, int]:
        start = at // row.span * row.span
        return self.standing(row, at, _NOTHING).used, start, start + row.span

    def forget(self, _row: Row, _standing: Standing) -> None:
        pass


class SlidingWindow:
    """Every charge counts for the span that follows it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def standing(self, row: Row, at: int, room: Decimal) -> Standing:
        used, expired = row.used, 0
        for number, (serial, charged_at, cost) in enumerate(self._hits(row, 0), start=1):
            if charged_at + row.span > at or (number > _FEW and used <= room):
                break
            used, expired = minus(used, cost), serial
        return Standing(used, expired)

    def opens(self, row: Row, standing: Standing, _at: int, room: Decimal) -> int:
        used = standing.used
        for number, (_, charged_at, cost) in enumerate(self._hits(row, standing.expired)):
            if number == _LONGEST_WALK:
                break
            used = minus(used, cost)
            if used <= room:
                return charged_at + row.span
        return row.newest + row.span

    def keep(self, row: Row, standing: Standing, serial: int, at: int, cost: Decimal) -> None:
        self.forget(row, standing)
        if cost:
            self._connection.execute("INSERT INTO hits VALUES (?, ?, ?, ?)", (row.id, serial, at, str(cost)))

    def withdraw(self, row: Row, serial: int, charged_at: int, at: int) -> bool:
        if charged_at + row.span <= at:
            return False
        removed = self._connection.execute("DELETE FROM hits WHERE counter = ? AND serial = ?", (row.id, serial))
        return removed.rowcount == 1

    def extent(self, row: Row, at: int) -> tuple[Decimal, int, int]:
        used, oldest, newest = _NOTHING, at, at - row.span
        for _, charged_at, cost in self._hits(row, 0):
            if charged_at + row.span > at:
                used, oldest, newest = plus(used, cost), min(oldest, charged_at), charged_at
        return used, oldest, newest + row.span

    def forget(self, row: Row, standing: Standing) -> None:
        if standing.expired:
            self._connection.execute("DELETE FROM hits WHERE counter = ? AND serial <= ?", (row.id, standing.expired))

    def _hits(self, row: Row, after: int) -> Iterator[tuple[int, int, Decimal]]:
        """(serial, moment, cost), oldest first: the order of both the serials and the moments."""
        found = self._connection.execute(
            "SELECT serial, at, cost FROM hits WHERE counter = ? AND serial > ? ORDER BY serial", (row.id, after)
        )
        return ((serial, at, parse(cost)) for serial, at, cost in found)


class SessionWindow:
    """Every charge counts for as long as the session lasts."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def standing(self, row: Row, _at: int, _room: Decimal) -> Standing:
        return Standing(row.used)

    def opens(self, _row: Row, _standing: Standing, _at: int, _room: Decimal) -> None:
        return None

    def keep(self, _row: Row, _standing: Standing, _serial: int, _at: int, _cost: Decimal) -> None:
        pass

    def withdraw(self, row: Row, serial: int, _charged_at: int, _at: int) -> bool:
        added = self._connection.execute("INSERT OR IGNORE INTO refunds VALUES (?, ?)", (row.id, serial))
        return added.rowcount == 1

    def extent(self, row: Row, _at: int) -> tuple[Decimal, int, None]:
        return row.used, row.newest, None

    def forget(self, _row: Row, _standing: Standing) -> None:
        pass


def windows(connection: sqlite3.Connection) -> dict[Strategy, Window]:
    """The window of each strategy."""
    return {
        "fixed": FixedWindow(connection),
        "sliding": SlidingWindow(connection),
        "session": SessionWindow(connection),
    }
