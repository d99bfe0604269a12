"""The switch: everyone goes before one grant, a halt lasts until it is lifted."""

import sqlite3
from collections.abc import Iterator

import pytest

from gateway.state.knowledge import Knowledge
from gateway.state.migrations import migrate
from gateway.state.switch import EVERYONE, Halt, SqliteSwitch
from tests.unit.state.manual import MIDNIGHT

STOP = Halt(EVERYONE, MIDNIGHT, "kim", "odd mails", at_once=True)
REVOKED = Halt("bot", MIDNIGHT + 0.25, "kim", "")


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    opened = sqlite3.connect(":memory:", isolation_level=None)
    migrate(opened)
    yield opened
    opened.close()


@pytest.fixture
def switch(connection: sqlite3.Connection) -> SqliteSwitch:
    return SqliteSwitch(connection)


def test_nobody_is_halted_at_first(switch: SqliteSwitch) -> None:
    assert switch.look("bot") is None
    assert switch.all() == []


def test_a_stop_is_for_every_grant(switch: SqliteSwitch) -> None:
    switch.halt(STOP)
    assert switch.look("bot") == switch.look("another") == STOP
    assert STOP.of_everyone


def test_a_revocation_is_for_its_grant(switch: SqliteSwitch) -> None:
    switch.halt(REVOKED)
    assert switch.look("bot") == REVOKED
    assert switch.look("bots") is None
    assert not REVOKED.of_everyone


def test_the_stop_goes_before_the_revocation_and_leaves_it(switch: SqliteSwitch) -> None:
    switch.halt(REVOKED)
    switch.halt(STOP)
    assert switch.all() == [STOP, REVOKED]
    assert switch.look("bot") == STOP
    assert switch.lift(EVERYONE) == STOP
    assert switch.look("bot") == REVOKED


def test_what_is_lifted_is_gone_and_what_was_not_there_is_none(switch: SqliteSwitch) -> None:
    switch.halt(REVOKED)
    assert switch.lift("bot") == REVOKED
    assert switch.lift("bot") is None
    assert switch.look("bot") is None


def test_a_second_halt_takes_the_place_of_the_first(switch: SqliteSwitch) -> None:
    switch.halt(STOP)
    again = Halt(EVERYONE, MIDNIGHT + 1, "ann", "another reason")
    switch.halt(again)
    assert switch.all() == [again]


def test_looking_is_one_statement_that_an_index_answers(connection: sqlite3.Connection, switch: SqliteSwitch) -> None:
    seen: list[str] = []
    connection.set_trace_callback(seen.append)
    switch.look("bot")
    connection.set_trace_callback(None)
    assert len(seen) == 1
    plan = connection.execute(f"EXPLAIN QUERY PLAN {seen[0]}").fetchall()
    assert [row[3] for row in plan] == ["SEARCH halts USING PRIMARY KEY (grant_name=?)"]


def test_what_is_known_is_not_asked_again_until_somebody_else_writes(connection: sqlite3.Connection) -> None:
    knowledge = Knowledge()
    switch = SqliteSwitch(connection, knowledge)
    assert switch.look("bot") is None
    seen: list[str] = []
    connection.set_trace_callback(seen.append)
    assert switch.look("bot") is None
    assert seen == []
    connection.set_trace_callback(None)
    SqliteSwitch(connection).halt(REVOKED)  # somebody else
    knowledge.is_outdated()
    assert switch.look("bot") == REVOKED
    switch.halt(STOP)
    assert switch.look("bot") == STOP
    switch.lift(EVERYONE)
    assert switch.look("bot") == REVOKED
