import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.errors import StateError
from gateway.state import database as module
from gateway.state import migrations
from gateway.state.database import Database, connect, reading
from gateway.state.files import prepare
from gateway.state.migrations import VERSION
from tests.unit.state.manual import ManualClock

LOCKED = "is locked by another process\nhint: see which program holds it open, and try again"


class Pauses:
    """Pauses that end at once, after moving the clock by their length; `then` runs after so many of them."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.lengths: list[float] = []
        self.after = -1
        self.then: Callable[[], object] = int

    async def __call__(self, seconds: float) -> None:
        self.lengths.append(seconds)
        self.clock.move(seconds)
        if len(self.lengths) == self.after:
            self.then()
        await asyncio.sleep(0)


@pytest.fixture
def pauses(clock: ManualClock) -> Pauses:
    return Pauses(clock)


@pytest.fixture
async def opened(path: Path, clock: ManualClock, pauses: Pauses) -> AsyncIterator[Database]:
    database = await Database.open(path, clock=clock, pause=pauses, between=max)
    database.connection.execute("CREATE TABLE notes (text TEXT)")
    yield database
    database.close()


@contextmanager
def locked(path: Path) -> Iterator[sqlite3.Connection]:
    """Somebody else in the middle of a transaction."""
    other = sqlite3.connect(path, isolation_level=None, timeout=0)
    other.execute("BEGIN IMMEDIATE")
    yield other
    other.close()


def note(database: Database, text: str = "a") -> None:
    database.connection.execute("INSERT INTO notes VALUES (?)", (text,))


def notes(database: Database) -> list[str]:
    with reading(database.path) as connection:
        return [text for (text,) in connection.execute("SELECT text FROM notes")]


async def complaint(database: Database) -> str:
    with pytest.raises(StateError) as raised:
        await database.atomically(lambda: note(database))
    return str(raised.value)


async def test_the_file_keeps_a_write_ahead_log(opened: Database) -> None:
    found = [opened.connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
    assert found == ["wal", 1]


async def test_what_the_work_returns_is_returned_and_its_changes_are_kept(opened: Database) -> None:
    def work() -> str:
        note(opened)
        return "done"

    assert await opened.atomically(work) == "done"
    assert notes(opened) == ["a"]


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), asyncio.CancelledError(), StateError("no")])
async def test_nothing_of_a_failed_work_remains(opened: Database, error: BaseException) -> None:
    def work() -> None:
        note(opened)
        raise error

    with pytest.raises(type(error)) as raised:
        await opened.atomically(work)
    assert raised.value is error
    assert notes(opened) == []
    await opened.atomically(lambda: note(opened, "next"))
    assert notes(opened) == ["next"]


async def test_what_sqlite_refuses_is_an_error_of_the_state(opened: Database) -> None:
    with pytest.raises(StateError) as raised:
        await opened.atomically(lambda: opened.connection.execute("SELECT * FROM nowhere"))
    assert raised.value.message == f"the state file `{opened.path}` cannot be used: no such table: nowhere"


async def test_a_lock_held_elsewhere_is_waited_for(opened: Database, pauses: Pauses) -> None:
    with locked(opened.path) as other:
        pauses.after, pauses.then = 3, lambda: other.execute("ROLLBACK")
        await opened.atomically(lambda: note(opened))
    assert notes(opened) == ["a"]
    assert pauses.lengths == [0.002, 0.004, 0.008]


async def test_the_loop_goes_on_while_the_file_is_locked(path: Path, clock: ManualClock) -> None:
    database = await Database.open(path, clock=clock)  # real pauses; the clock stands still, so patience never ends
    with locked(path) as other:
        waiting = asyncio.create_task(database.atomically(lambda: "done"))
        for _ in range(100):
            await asyncio.sleep(0)
        assert not waiting.done()
        other.execute("ROLLBACK")
        async with asyncio.timeout(30):
            assert await waiting == "done"
    database.close()


async def test_patience_ends(opened: Database, pauses: Pauses) -> None:
    with locked(opened.path):
        assert await complaint(opened) == f"the state file `{opened.path}` {LOCKED}"
    assert sum(pauses.lengths) == pytest.approx(5)
    assert max(pauses.lengths) == 0.025
    await opened.atomically(lambda: note(opened))


async def test_patience_is_an_argument(opened: Database, pauses: Pauses) -> None:
    with locked(opened.path), pytest.raises(StateError, match="is locked by another process"):
        await opened.atomically(lambda: note(opened), patience=0.01)
    assert sum(pauses.lengths) == pytest.approx(0.01)


async def test_without_patience_there_is_one_attempt(opened: Database, pauses: Pauses) -> None:
    await opened.atomically(lambda: note(opened), patience=0)
    with locked(opened.path), pytest.raises(StateError, match="is locked by another process"):
        await opened.atomically(lambda: note(opened), patience=0)
    assert pauses.lengths == []


async def test_the_work_runs_once_however_long_it_waits(opened: Database, pauses: Pauses) -> None:
    runs: list[int] = []
    with locked(opened.path) as other:
        pauses.after, pauses.then = 20, lambda: other.execute("ROLLBACK")
        await opened.atomically(lambda: runs.append(1))
    assert runs == [1]


async def test_whoever_is_cancelled_while_waiting_changes_nothing(path: Path, clock: ManualClock) -> None:
    database = await Database.open(path, clock=clock)
    runs: list[int] = []
    with locked(path):
        waiting = asyncio.create_task(database.atomically(lambda: runs.append(1)))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    await database.atomically(lambda: runs.append(2))
    assert runs == [2]
    database.close()


async def test_opening_waits_for_whoever_is_making_the_file(path: Path, clock: ManualClock, pauses: Pauses) -> None:
    prepare(path)
    with locked(path) as other:
        pauses.after, pauses.then = 2, lambda: other.execute("ROLLBACK")
        database = await Database.open(path, clock=clock, pause=pauses, between=max)
    assert len(pauses.lengths) == 2
    database.close()


async def test_opening_gives_up_too(path: Path, clock: ManualClock, pauses: Pauses) -> None:
    prepare(path)
    with locked(path), pytest.raises(StateError, match="is locked by another process"):
        await Database.open(path, clock=clock, pause=pauses)


async def test_opening_an_up_to_date_file_needs_no_lock(opened: Database, clock: ManualClock, pauses: Pauses) -> None:
    with locked(opened.path):
        database = await Database.open(opened.path, clock=clock, pause=pauses)
    assert pauses.lengths == []
    database.close()


async def test_a_file_that_was_removed_is_not_written(opened: Database) -> None:
    opened.path.unlink()
    assert await complaint(opened) == (
        f"the state file `{opened.path}` was moved or replaced\nhint: start the gateway again"
    )
    assert not opened.connection.in_transaction


async def test_a_file_that_was_replaced_is_not_written(opened: Database, tmp_path: Path) -> None:
    (tmp_path / "other.db").touch()
    (tmp_path / "other.db").rename(opened.path)
    assert "was moved or replaced" in await complaint(opened)


async def test_a_file_that_a_newer_program_changed_is_not_written(opened: Database) -> None:
    other = sqlite3.connect(opened.path, isolation_level=None)
    other.execute(f"PRAGMA user_version = {VERSION + 1}")
    other.close()
    assert await complaint(opened) == (
        f"the state file `{opened.path}` was changed by another version of this program\nhint: start the gateway again"
    )


async def test_a_disk_that_cannot_keep_a_log_beside_the_file_is_refused(
    path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def in_memory(path: Path) -> sqlite3.Connection:
        del path
        return sqlite3.connect(":memory:", isolation_level=None)  # which has no write-ahead log either

    monkeypatch.setattr(module, "connect", in_memory)
    with pytest.raises(StateError) as raised:
        await Database.open(path, clock=clock)
    assert str(raised.value) == (
        f"the state file `{path}` cannot keep a write-ahead log\nhint: choose a path on a local disk"
    )


async def test_closing_leaves_one_file(path: Path, clock: ManualClock) -> None:
    database = await Database.open(path, clock=clock)
    await database.atomically(lambda: None)
    database.close()
    assert [found.name for found in path.parent.iterdir()] == ["state.db"]


async def test_closing_does_not_wait_for_whoever_holds_the_lock(path: Path, clock: ManualClock) -> None:
    database = await Database.open(path, clock=clock)
    with locked(path):
        database.close()


async def test_a_closed_file_is_an_error_of_the_state(path: Path, clock: ManualClock) -> None:
    database = await Database.open(path, clock=clock)
    database.close()
    assert "cannot be used: Cannot operate on a closed database" in await complaint(database)


class TestReading:
    async def test_it_neither_waits_for_a_writer_nor_holds_one_up(self, opened: Database) -> None:
        await opened.atomically(lambda: note(opened, "before"))
        with reading(opened.path) as connection:
            cursor = connection.execute("SELECT text FROM notes")
            with locked(opened.path):
                assert cursor.fetchone() == ("before",)
            await opened.atomically(lambda: note(opened, "after"), patience=0)

    async def test_it_changes_nothing(self, opened: Database) -> None:
        with pytest.raises(StateError) as raised, reading(opened.path) as connection:
            connection.execute("INSERT INTO notes VALUES ('x')")
        assert str(raised.value) == (
            f"the state file `{opened.path}` cannot be written\n"
            "hint: check that the file and its folder belong to you and can be written"
        )

    def test_it_makes_no_file(self, path: Path) -> None:
        with pytest.raises(StateError) as raised, reading(path):
            pass
        assert raised.value.message == f"the state file `{path}` cannot be opened"
        assert not path.exists()

    def test_it_waits_for_whoever_is_just_making_the_file(self, path: Path) -> None:
        prepare(path)
        making = sqlite3.connect(path, isolation_level=None)
        steps: list[Callable[[], object]] = [
            lambda: making.execute("PRAGMA journal_mode = WAL"),
            lambda: migrations.migrate(making),
        ]
        with reading(path, pause=lambda _: steps.pop(0)()) as connection:
            assert migrations.version(connection) == VERSION
        assert not steps
        making.close()

    def test_it_does_not_wait_for_ever(self, path: Path) -> None:
        prepare(path)
        pauses: list[float] = []
        with pytest.raises(StateError) as raised, reading(path, pause=pauses.append):
            pytest.fail("there is nothing to be read")
        said = f"the state file `{path}` is empty\nhint: start the gateway once: it fills the file"
        assert str(raised.value) == said
        assert sum(pauses) == pytest.approx(module.PATIENCE_SECONDS)


def test_a_path_is_never_read_as_options(tmp_path: Path) -> None:
    path = tmp_path / "a?mode=memory#%41.db"
    path.touch()
    connection = connect(path)
    connection.execute("CREATE TABLE t (x)")
    connection.close()
    assert path.stat().st_size > 0
