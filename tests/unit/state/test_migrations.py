import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.errors import StateError
from gateway.state import Record, State, migrations, reading
from gateway.state.migrations import APPLICATION_ID, VERSION, check, migrate, version
from tests.unit.state.manual import MIDNIGHT, ManualClock, charge


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    opened = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
    yield opened
    opened.close()


def tables(connection: sqlite3.Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def content(path: Path) -> bytes:
    return path.read_bytes()


def complaint(connection: sqlite3.Connection) -> str:
    with pytest.raises(StateError) as raised:
        check(connection)
    return str(raised.value)


def test_an_empty_file_is_brought_up_to_date(connection: sqlite3.Connection) -> None:
    assert check(connection) == 0
    migrate(connection)
    assert check(connection) == VERSION
    assert tables(connection) >= {"meta", "counters", "hits", "refunds", "grants", "audit", "audit_chain"}
    assert "audit_before" not in tables(connection)


def test_a_second_time_changes_nothing(connection: sqlite3.Connection) -> None:
    migrate(connection)
    before = connection.execute("SELECT * FROM meta ORDER BY name").fetchall()
    migrate(connection)
    assert connection.execute("SELECT * FROM meta ORDER BY name").fetchall() == before


def test_each_file_has_secrets_of_its_own() -> None:
    found = []
    for _ in range(2):
        connection = sqlite3.connect(":memory:", isolation_level=None)
        migrate(connection)
        found.append(dict(connection.execute("SELECT name, value FROM meta").fetchall()))
        connection.close()
    assert [(len(each["digest_key"]), len(each["state_id"])) for each in found] == [(32, 16)] * 2
    assert found[0]["digest_key"] != found[1]["digest_key"]
    assert found[0]["state_id"] != found[1]["state_id"]


async def test_an_older_file_goes_forward_and_keeps_what_it_holds(
    path: Path, clock: ManualClock, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = await State.open(path, clock=clock)
    await state.atomically(lambda tx: (tx.audit.append(record), tx.counters.reserve([charge()], MIDNIGHT)))
    state.close()

    def second(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE of_a_later_version (id INTEGER PRIMARY KEY)")

    monkeypatch.setattr(migrations, "STEPS", (*migrations.STEPS, second))
    monkeypatch.setattr(migrations, "VERSION", VERSION + 1)
    with pytest.raises(StateError) as raised, reading(path):
        pass
    assert str(raised.value) == (
        f"the state file has version {VERSION}\nhint: start the gateway once: it brings the file up to date"
    )
    state = await State.open(path, clock=clock)
    state.close()
    with reading(path) as tx:
        assert [entry.record for entry in tx.audit.newest(9)] == [record]
        assert [row.used for row in tx.counters.usage(MIDNIGHT)] == [1]


def test_a_step_that_fails_leaves_the_file_as_it_was(
    connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate(connection)
    before = tables(connection)

    def broken(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE half (id INTEGER)")
        connection.execute("CREATE TABLE half (id INTEGER)")

    monkeypatch.setattr(migrations, "STEPS", (*migrations.STEPS, broken))
    monkeypatch.setattr(migrations, "VERSION", VERSION + 1)
    with pytest.raises(sqlite3.OperationalError, match="already exists"):
        migrate(connection)
    assert (tables(connection), version(connection), connection.in_transaction) == (before, VERSION, False)


def test_a_newer_file_is_refused(connection: sqlite3.Connection) -> None:
    migrate(connection)
    connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    assert complaint(connection) == (
        f"the state file has version {VERSION + 1}, newer than this program knows ({VERSION})\n"
        "hint: upgrade this program, or choose another path"
    )


async def test_opening_a_newer_file_leaves_it_alone(path: Path, clock: ManualClock) -> None:
    state = await State.open(path, clock=clock)
    state.close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA user_version = 99")
    other.close()
    before = content(path)
    with pytest.raises(StateError, match="has version 99, newer than this program knows"):
        await State.open(path, clock=clock)
    assert content(path) == before


@pytest.mark.parametrize("statement", ["CREATE TABLE theirs (id INTEGER)", "PRAGMA user_version = 1"])
async def test_a_database_of_another_program_is_refused_and_left_alone(
    tmp_path: Path, clock: ManualClock, statement: str
) -> None:
    path = tmp_path / "theirs.db"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute(statement)
    other.close()
    before = content(path)
    with pytest.raises(StateError) as raised:
        await State.open(path, clock=clock)
    assert str(raised.value) == "the state file is a database of another program\nhint: choose another path"
    assert content(path) == before


def test_our_files_are_marked(connection: sqlite3.Connection) -> None:
    migrate(connection)
    assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
