"""How much work a window is: never more than a few rows for one charge, however many it holds."""

import sqlite3
from collections.abc import Iterator

import pytest

from gateway.state import Charge, Exhausted, Reservation
from gateway.state.counting import SqliteCounters
from gateway.state.migrations import migrate
from tests.unit.state.manual import MIDNIGHT, charge, limit

MANY = charge(limit(10_000, "60"))


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    opened = sqlite3.connect(":memory:", isolation_level=None)
    migrate(opened)
    yield opened
    opened.close()


@pytest.fixture
def counters(connection: sqlite3.Connection) -> SqliteCounters:
    return SqliteCounters(connection)


def fill(counters: SqliteCounters) -> None:
    for number in range(10_000):
        assert isinstance(counters.reserve([MANY], MIDNIGHT + number / 1000), Reservation)


def rows(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM hits").fetchone()[0])


def steps(connection: sqlite3.Connection, counters: SqliteCounters, now: float, one: Charge = MANY) -> int:
    """Steps of SQLite's machine that one reservation takes, in tens."""
    taken: list[None] = []
    connection.set_progress_handler(lambda: taken.append(None), 10)
    counters.reserve([one], now)
    connection.set_progress_handler(None, 0)
    return len(taken)


def test_a_full_window_takes_no_more_work_than_an_empty_one(
    connection: sqlite3.Connection, counters: SqliteCounters
) -> None:
    empty = charge(limit(10_000, "60", counter="other"))
    counters.reserve([empty], MIDNIGHT)
    few = steps(connection, counters, MIDNIGHT, empty)
    fill(counters)
    assert counters.reserve([MANY], MIDNIGHT + 10) == Exhausted(MANY, 50)
    assert steps(connection, counters, MIDNIGHT + 10) <= 5 * few  # refused
    assert steps(connection, counters, MIDNIGHT + 60) <= 5 * few  # one has run out
    assert steps(connection, counters, MIDNIGHT + 600) <= 5 * few  # all have


def test_hits_that_have_run_out_do_not_pile_up(connection: sqlite3.Connection, counters: SqliteCounters) -> None:
    fill(counters)
    for number in range(2600):
        counters.reserve([MANY], MIDNIGHT + 600 + number / 1000)
    assert rows(connection) == 2600
    (usage,) = counters.usage(MIDNIGHT + 603)
    assert usage.used == 2600


def test_looking_removes_nothing(connection: sqlite3.Connection, counters: SqliteCounters) -> None:
    fill(counters)
    assert counters.peek([MANY], MIDNIGHT + 10) == Exhausted(MANY, 50)
    assert counters.peek([MANY], MIDNIGHT + 600) is None
    assert rows(connection) == 10_000


def test_after_a_long_walk_the_wait_is_that_of_the_whole_window(counters: SqliteCounters) -> None:
    fill(counters)
    near, far = charge(limit(9001, "60")), charge(limit(8999, "60"))
    assert counters.reserve([near], MIDNIGHT + 10) == Exhausted(near, 51)
    assert counters.reserve([far], MIDNIGHT + 10) == Exhausted(far, 60)
    assert isinstance(counters.reserve([far], MIDNIGHT + 70), Reservation)
