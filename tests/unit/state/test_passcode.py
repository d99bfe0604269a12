"""The PIN: kept as a hash, and slow to guess, whoever does it."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.state.migrations import migrate
from gateway.state.passcode import Passcode, SqlitePasscodes


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[SqlitePasscodes, SqlitePasscodes]]:
    """Two processes at one file."""
    connections = [sqlite3.connect(tmp_path / "state.db", isolation_level=None) for _ in range(2)]
    migrate(connections[0])
    yield SqlitePasscodes(connections[0]), SqlitePasscodes(connections[1])
    for connection in connections:
        connection.close()


def test_only_the_one_fits() -> None:
    kept = Passcode.of("2468", b"salt")
    assert kept.fits("2468")
    assert not kept.fits("2469")
    assert not kept.fits("")
    assert Passcode.of("2468", b"other").hash != kept.hash


def test_it_is_set_changed_and_removed(two: tuple[SqlitePasscodes, SqlitePasscodes]) -> None:
    one, other = two
    assert other.get() is None
    first, second = Passcode(b"s", b"h"), Passcode(b"t", b"i")
    one.set(first)
    assert other.get() == first
    other.set(second)
    assert one.get() == second
    one.set(None)
    assert other.get() is None


def test_wrong_ones_are_slowed_down_whichever_process_tries(two: tuple[SqlitePasscodes, SqlitePasscodes]) -> None:
    one, other = two
    one.set(Passcode(b"s", b"h"))
    assert [who.guess(100.0) for who in (one, other, one)] == [0.0] * 3
    assert other.guess(100.0) == 1.0
    assert one.guess(101.0) == 0.0
    assert (other.guess(101.0), other.guess(102.5), other.guess(103.0)) == (2.0, 0.5, 0.0)
    assert one.guess(103.0) == 4.0
    one.passed()
    assert other.guess(103.0) == 0.0


def test_no_pause_grows_for_ever_and_a_clock_that_is_set_back_ends_none(
    two: tuple[SqlitePasscodes, SqlitePasscodes],
) -> None:
    one, _ = two
    one.set(Passcode(b"s", b"h"))
    now = 0.0
    for _ in range(20):
        now += 300.0
        assert one.guess(now) == 0.0
    assert one.guess(now) == 300.0
    assert one.guess(now - 86_400) == 300.0
    assert one.guess(now + 300.0) == 0.0
