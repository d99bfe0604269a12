"""The counters in SQLite against the naive ones: whatever happens in whatever order, they say the same."""

import sqlite3
from collections.abc import Iterator
from decimal import Decimal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from gateway.policy.decision import Limit
from gateway.state import Charge, Reservation
from gateway.state.counting import SqliteCounters
from gateway.state.migrations import migrate
from tests.contract.naive import NaiveCounters
from tests.unit.state.manual import MIDNIGHT, charge, limit

MAXIMA = [Decimal(text) for text in ("0.5", "1", "2", "2.5", "4", "20")]
MOVES = [0.0, 0.25, 1.0, 7.5, 29.0, 60.0, 3600.0, 86400.0, -0.25, -30.0, -86400.0]
WINDOWS = ["minute", "hour", "10", "60"]


def limits() -> st.SearchStrategy[Limit]:
    return st.builds(
        limit,
        st.sampled_from(MAXIMA).map(str),
        st.sampled_from(WINDOWS),
        scope=st.sampled_from(["grant", "session"]),
        counter=st.sampled_from(["a", "b"]),
    )


def charges() -> st.SearchStrategy[list[Charge]]:
    one = st.builds(
        charge, limits(), cost=st.sampled_from(["1", "1", "1", "0", "0.1", "2"]), session=st.sampled_from(["s1", "s2"])
    )
    return st.lists(one, min_size=1, max_size=3)


class Comparison(RuleBasedStateMachine):
    """Both are told the same, and must answer the same."""

    reservations = Bundle("reservations")

    def __init__(self) -> None:
        super().__init__()
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        migrate(self.connection)
        self.counters = SqliteCounters(self.connection)
        self.naive = NaiveCounters()
        self.now = MIDNIGHT

    @initialize(start=st.sampled_from([0.0, 59.75, 86399.5]))
    def begin(self, start: float) -> None:
        self.now += start

    @rule(seconds=st.sampled_from(MOVES))
    def move(self, seconds: float) -> None:
        self.now += seconds

    @rule(target=reservations, wanted=charges(), times=st.integers(1, 5))
    def reserve(self, wanted: list[Charge], times: int) -> object:
        taken = []
        for _ in range(times):
            assert self.counters.peek(wanted, self.now) == self.naive.peek(wanted, self.now)
            ours, theirs = self.counters.reserve(wanted, self.now), self.naive.reserve(wanted, self.now)
            if isinstance(ours, Reservation):
                assert isinstance(theirs, Reservation)
                taken.append((ours, theirs))
            else:
                assert ours == theirs
        return multiple(*taken)

    @rule(pair=reservations)
    def release(self, pair: tuple[Reservation, Reservation]) -> None:
        self.counters.release(pair[0], self.now)
        self.naive.release(pair[1], self.now)

    @rule(pair=consumes(reservations))
    def release_for_the_last_time(self, pair: tuple[Reservation, Reservation]) -> None:
        self.release(pair)

    @rule(session=st.sampled_from(["s1", "s2"]))
    def forget(self, session: str) -> None:
        self.counters.forget_session(session)
        self.naive.forget_session(session)

    @invariant()
    def usage_is_the_same(self) -> None:
        ours = {row.key: row for row in self.counters.usage(self.now)}
        assert ours == {row.key: row for row in self.naive.usage(self.now)}

    def teardown(self) -> None:
        self.connection.close()


TestComparison = Comparison.TestCase
TestComparison.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


@pytest.mark.parametrize("cost", ["-1", "NaN", "Infinity", "-0.1"])
def test_a_cost_that_is_no_amount_is_refused(cost: str) -> None:
    with pytest.raises(ValueError, match="a cost is a finite number, not negative"):
        charge(cost=cost)


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    opened = sqlite3.connect(":memory:", isolation_level=None)
    migrate(opened)
    yield opened
    opened.close()


def test_nothing_ever_falls_below_zero(connection: sqlite3.Connection) -> None:
    counters = SqliteCounters(connection)
    reserved = counters.reserve([charge(cost=2)], MIDNIGHT)
    assert isinstance(reserved, Reservation)
    connection.execute("UPDATE counters SET used = '1'")  # somebody edits the file
    counters.release(reserved, MIDNIGHT)
    assert connection.execute("SELECT used FROM counters").fetchall() == [("0",)]


def test_refunds_of_a_window_that_is_over_are_forgotten(connection: sqlite3.Connection) -> None:
    counters = SqliteCounters(connection)
    for now in (MIDNIGHT, MIDNIGHT, MIDNIGHT + 60):
        reserved = counters.reserve([charge()], now)
        assert isinstance(reserved, Reservation)
        counters.release(reserved, now)
    assert connection.execute("SELECT serial FROM refunds").fetchall() == [(3,)]


def test_what_a_session_leaves_behind_is_nothing(connection: sqlite3.Connection) -> None:
    counters = SqliteCounters(connection)
    charges = [charge(limit(window=window, scope="session")) for window in ("minute", "60")]
    reserved = counters.reserve(charges, MIDNIGHT)
    assert isinstance(reserved, Reservation)
    counters.reserve(charges, MIDNIGHT)
    counters.release(reserved, MIDNIGHT)
    counters.forget_session("s1")
    rows = [connection.execute(f"SELECT * FROM {table}").fetchall() for table in ("counters", "hits", "refunds")]  # noqa: S608 - our tables
    assert rows == [[], [], []]
