"""Every way in which the state can be unavailable is a `StateError` (threats B25, B26)."""

import errno
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.errors import StateError
from gateway.state import Record, State, reading
from gateway.state.failures import from_sqlite, from_system
from tests.unit.state.manual import MIDNIGHT, ManualClock, charge, limit

ROOT = Path(__file__).parents[3]
FULL = "cannot grow: the disk is full"
FREE = "hint: free some space on that disk, or choose another place for the state file"
FRESH = (
    "hint: move the file away to start with a fresh one: its counters and its audit log stay readable there; "
    "what was stopped, revoked or pinned, and the PIN, have to be said again"
)


async def complaint(state: State, record: Record) -> str:
    with pytest.raises(StateError) as raised:
        await state.atomically(lambda tx: (tx.counters.reserve([charge()], MIDNIGHT), tx.audit.append(record)))
    return str(raised.value)


def damage(path: Path) -> None:
    """Leave nothing but the first page, by which SQLite knows its files."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (size - 4096))


async def until_refused(state: State, record: Record) -> tuple[int, str]:
    """How many records were written, and what was said of the next."""
    for written in range(1000):
        try:
            await state.atomically(
                lambda tx: (tx.counters.reserve([charge(limit(1000))], MIDNIGHT), tx.audit.append(record))
            )
        except StateError as error:
            return written, str(error)
    pytest.fail("the disk never got full")


@pytest.mark.parametrize("content", [b"not a database at all, but long enough to be looked at" * 40, b"\0" * 4096])
async def test_a_file_that_is_none_of_ours(tmp_path: Path, clock: ManualClock, content: bytes) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(content)
    with pytest.raises(StateError) as raised:
        await State.open(path, clock=clock)
    assert str(raised.value) == (
        f"the state file `{path}` is not a state file\nhint: choose another path, or move that file away"
    )
    assert path.read_bytes() == content


async def test_a_file_with_damaged_pages(path: Path, clock: ManualClock) -> None:
    state = await State.open(path, clock=clock)
    state.close()
    damage(path)
    with pytest.raises(StateError) as raised:
        await State.open(path, clock=clock)
    assert str(raised.value) == f"the state file `{path}` is damaged\n{FRESH}"


async def test_an_amount_that_was_overwritten(state: State, path: Path, record: Record) -> None:
    await state.atomically(lambda tx: tx.counters.reserve([charge()], MIDNIGHT))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("UPDATE counters SET used = 'none'")
    other.close()
    assert await complaint(state, record) == f"the state file is damaged: `none` is not an amount\n{FRESH}"


async def test_a_secret_that_is_gone(path: Path, clock: ManualClock) -> None:
    (await State.open(path, clock=clock)).close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("DELETE FROM meta")
    other.close()
    with pytest.raises(StateError) as raised:
        await State.open(path, clock=clock)
    assert raised.value.message == "the state file is damaged: it lacks `digest_key`"


async def test_a_full_disk_refuses_and_recovers(state: State, path: Path, record: Record) -> None:
    connection = state._database.connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    written, said = await until_refused(state, record)
    assert said == f"the state file `{path}` {FULL}\n{FREE}"
    with reading(path) as tx:
        assert len(tx.audit.newest(1000)) == written
    connection.execute("PRAGMA max_page_count = 1000000")
    await state.atomically(lambda tx: tx.audit.append(record))
    with reading(path) as tx:
        assert len(tx.audit.newest(1000)) == written + 1


def test_a_disk_that_takes_no_more_bytes(path: Path) -> None:
    """A child that may write no file larger than 256 KiB, as the operating system sees to."""
    program = ROOT / "tests" / "unit" / "state" / "fill.py"
    done = subprocess.run(
        [sys.executable, program, path],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    written, message = done.stdout.splitlines()
    assert message == f"the state file `{path}` cannot be read or written: the disk reports an error"
    assert int(written) > 0
    with reading(path) as tx:
        assert len(tx.audit.newest(100_000)) == int(written)


async def test_a_file_that_may_not_be_written(state: State, path: Path, record: Record) -> None:
    state._database.connection.execute("PRAGMA query_only = ON")
    assert await complaint(state, record) == (
        f"the state file `{path}` cannot be written\n"
        "hint: check that the file and its folder belong to you and can be written"
    )
    assert state.policy_used("default") is None


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        (sqlite3.SQLITE_BUSY_SNAPSHOT, "is locked by another process"),
        (sqlite3.SQLITE_LOCKED, "is locked by another process"),
        (sqlite3.SQLITE_PROTOCOL, "is locked by another process"),
        (sqlite3.SQLITE_READONLY_DBMOVED, "cannot be written"),
        (sqlite3.SQLITE_CANTOPEN_ISDIR, "cannot be opened"),
        (sqlite3.SQLITE_FULL, FULL),
        (sqlite3.SQLITE_IOERR_WRITE, "cannot be read or written: the disk reports an error"),
        (sqlite3.SQLITE_CORRUPT_VTAB, "is damaged"),
        (sqlite3.SQLITE_NOTADB, "is not a state file"),
        (sqlite3.SQLITE_NOMEM, "cannot be used: told"),
    ],
)
def test_each_cause_is_said(code: int, cause: str) -> None:
    error = sqlite3.OperationalError("told")
    error.sqlite_errorcode = code
    found = from_sqlite(error, Path("state.db"))
    assert found.message == f"the state file `state.db` {cause}"
    assert found.hint


@pytest.mark.parametrize(("code", "hint"), [(errno.ENOSPC, FREE), (errno.EDQUOT, FREE)])
def test_a_disk_without_room_for_the_file(code: int, hint: str) -> None:
    assert str(from_system(OSError(code, "told"), Path("state.db"))).endswith(hint)


def test_an_error_without_a_number_is_said_in_its_own_words() -> None:
    assert from_system(OSError("odd"), Path("a")).message == "the state file `a` cannot be opened: odd"
