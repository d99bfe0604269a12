"""How long ago a grant called a tool: never less than it was, but by another call."""

import sqlite3
from collections.abc import Iterator
from decimal import Decimal

import pytest

from gateway.state.last_calls import Noted, SqliteLastCalls
from gateway.state.migrations import migrate
from tests.unit.state.manual import MIDNIGHT

SERVER, GRANT, TOOL = "https://s/mcp", "ann", "read"


@pytest.fixture
def calls() -> Iterator[SqliteLastCalls]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection)
    yield SqliteLastCalls(connection)
    connection.close()


def since(calls: SqliteLastCalls, now: float, tool: str = TOOL, own: Noted | None = None) -> Decimal | None:
    calls.look(SERVER, GRANT, now)
    return calls.since(SERVER, GRANT, [tool], now, own).get(tool)


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
    assert since(calls, MIDNIGHT + 90) == Decimal("29.999999"), "a microsecond tells the two apart"
    calls.note(SERVER, GRANT, TOOL, MIDNIGHT + 90)
    assert since(calls, MIDNIGHT + 90) == 0


def test_the_rounds_of_a_call_do_not_see_the_call(calls: SqliteLastCalls) -> None:
    first = calls.note(SERVER, GRANT, TOOL, MIDNIGHT)
    assert since(calls, MIDNIGHT + 1, own=first) is None
    second = calls.note(SERVER, GRANT, TOOL, MIDNIGHT + 1, first)
    assert since(calls, MIDNIGHT + 2, own=second) is None
    assert since(calls, MIDNIGHT + 2) == 1, "everybody else sees it"
    assert since(calls, MIDNIGHT + 2, "other", own=second) is None


def test_the_rounds_of_a_call_see_the_call_before(calls: SqliteLastCalls) -> None:
    calls.note(SERVER, GRANT, TOOL, MIDNIGHT)
    first = calls.note(SERVER, GRANT, TOOL, MIDNIGHT + 60)
    second = calls.note(SERVER, GRANT, TOOL, MIDNIGHT + 70, first)
    assert since(calls, MIDNIGHT + 90, own=first) == 20, "a round that is over knows nothing of the next"
    assert since(calls, MIDNIGHT + 90, own=second) == 90


@pytest.mark.parametrize("moment", [MIDNIGHT + 61, MIDNIGHT, MIDNIGHT - 3600])
def test_the_rounds_of_a_call_see_what_others_called_meanwhile(calls: SqliteLastCalls, moment: float) -> None:
    own = calls.note(SERVER, GRANT, TOOL, MIDNIGHT)
    other = calls.note(SERVER, GRANT, TOOL, moment)
    assert other.at > own.at, "also at the same moment, or with the clock set back"
    assert other.before == own.at
    assert since(calls, MIDNIGHT + 61, own=own) is not None
    assert since(calls, MIDNIGHT + 61, own=other) == 61
    assert calls.note(SERVER, GRANT, TOOL, moment, own).before == other.at
