"""How long ago a grant called a tool: never less than it was, but by another call."""

import sqlite3
from collections.abc import Iterator
from decimal import Decimal

import pytest

from gateway.state.last_calls import SqliteLastCalls
from gateway.state.migrations import migrate
from tests.unit.state.manual import MIDNIGHT

SERVER, GRANT, TOOL = "https://s/mcp", "ann", "read"


@pytest.fixture
def calls() -> Iterator[SqliteLastCalls]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection)
    yield SqliteLastCalls(connection)
    connection.close()


def since(calls: SqliteLastCalls, now: float, tool: str = TOOL) -> Decimal | None:
    calls.look(SERVER, GRANT, now)
    return calls.since(SERVER, GRANT, [tool], now).get(tool)


def test_a_tool_that_was_never_called_has_no_time(calls: SqliteLastCalls) -> None:
    assert since(calls, MIDNIGHT) is None


def test_time_is_exact(calls: SqliteLastCalls) -> None:
    calls.note(SERVER, GRANT, TOOL, MIDNIGHT)
    assert since(calls, MIDNIGHT) == 0
    assert since(calls, MIDNIGHT + 0.25) == Decimal("0.25")
    assert since(calls, MIDNIGHT + 3600) == 3600


@pytest.mark.parametrize("other", [("https://t/mcp", GRANT, TOOL), (SERVER, "bob", TOOL), (SERVER, GRANT, "other")])
def test_servers_grants_and_tools_are_told_apart(calls: SqliteLastCalls, other: tuple[str, str, str]) -> None:
    calls.note(*other, MIDNIGHT)
    assert since(calls, MIDNIGHT) is None


def test_a_clock_that_goes_back_brings_nothing_back(calls: SqliteLastCalls) -> None:
    calls.note(SERVER, GRANT, TOOL, MIDNIGHT)
    for back in (1, 3600, 86_400):
        assert since(calls, MIDNIGHT - back) == 0, "never negative"
    assert since(calls, MIDNIGHT + 900) == 900
    for back in (1, 900, 86_400):
        assert since(calls, MIDNIGHT - back) == 900, "what is over does not begin again"
    assert since(calls, MIDNIGHT + 901) == 901


def test_a_call_made_while_the_clock_is_back_counts_from_the_newest_moment(calls: SqliteLastCalls) -> None:
    assert since(calls, MIDNIGHT + 900) is None
    calls.note(SERVER, GRANT, TOOL, MIDNIGHT)
    assert since(calls, MIDNIGHT) == since(calls, MIDNIGHT + 900) == 0
    assert since(calls, MIDNIGHT + 960) == 60


def test_a_later_call_begins_anew_and_an_earlier_one_does_not(calls: SqliteLastCalls) -> None:
    calls.note(SERVER, GRANT, TOOL, MIDNIGHT + 60)
    calls.note(SERVER, GRANT, TOOL, MIDNIGHT)
    assert since(calls, MIDNIGHT + 90) == 30
    calls.note(SERVER, GRANT, TOOL, MIDNIGHT + 90)
    assert since(calls, MIDNIGHT + 90) == 0
