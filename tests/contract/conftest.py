"""The implementations that every contract is run against."""

import sqlite3
from collections.abc import Iterator

import pytest

from gateway.state import Counters
from gateway.state.counting import SqliteCounters
from gateway.state.knowledge import Knowledge
from gateway.state.migrations import migrate
from tests.contract.naive import NaiveCounters


@pytest.fixture(params=["naive", "sqlite", "remembering"])
def counters(request: pytest.FixtureRequest) -> Iterator[Counters]:
    """Empty counters of each implementation."""
    if request.param == "naive":
        yield NaiveCounters()
        return
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection)
    yield SqliteCounters(connection, Knowledge() if request.param == "remembering" else None)
    connection.close()
