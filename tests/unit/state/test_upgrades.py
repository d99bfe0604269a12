"""A file of every older version is brought up to date whole, or stays as it was; a newer one is left alone."""

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from gateway.errors import StateError
from gateway.state import State, reading
from gateway.state.evidence import examining
from gateway.state.migrations import STEPS, VERSION
from tests.unit.state.manual import MIDNIGHT, RECORD, ManualClock
from tests.unit.state.old import CHAINED, RECORDS, make
from tests.warm import Popen

ROOT = Path(__file__).parents[3]
OLDER = range(1, VERSION)


def start(path: Path, *arguments: str) -> subprocess.Popen[str]:
    """A process that waits to bring the file up to date."""
    return Popen(
        [sys.executable, "-m", "tests.unit.state.old", str(path), *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def version_of(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def schema_of(path: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name"))


@pytest.mark.parametrize("version", OLDER)
async def test_what_an_older_version_left_is_all_there_and_goes_on(
    path: Path, clock: ManualClock, version: int
) -> None:
    make(path, version)
    state = await State.open(path, clock=clock)
    await state.atomically(lambda tx: tx.audit.append(RECORD))
    state.close()
    assert version_of(path) == VERSION
    with reading(path) as tx:
        kinds = [entry.record.kind for entry in tx.audit.newest(9)]
        assert kinds == ["decided"] * RECORDS + ["adopted"] * (version < CHAINED) + ["decided"]
        assert [entry.record for entry in tx.audit.newest(9)][:RECORDS] == [RECORD] * RECORDS
        assert [row.used for row in tx.counters.usage(MIDNIGHT)] == [1]
        assert tx.grants.policy_used("default") == "/policies/mine.json"
    with examining(path) as found:
        verified = found.verify()
    assert verified.broken is None
    assert verified.adopted == (RECORDS if version < CHAINED else 0)


@pytest.mark.parametrize("version", OLDER)
async def test_an_older_file_ends_up_as_a_new_one_begins(
    path: Path, tmp_path: Path, clock: ManualClock, version: int
) -> None:
    fresh = tmp_path / "fresh.db"
    for file in (make(path, version), fresh):
        (await State.open(file, clock=clock)).close()
    assert schema_of(path) == schema_of(fresh)


@pytest.mark.parametrize("version", OLDER)
def test_looking_at_an_older_file_changes_nothing_and_says_what_to_do(path: Path, version: int) -> None:
    make(path, version)
    before = path.read_bytes()
    with pytest.raises(StateError) as raised, reading(path):
        pass
    assert str(raised.value) == (
        f"the state file has version {version}\nhint: start the gateway once: it brings the file up to date"
    )
    assert path.read_bytes() == before


def statements(version: int) -> range:
    """Which statement of bringing a file of that version up to date is the last that begins."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        seen: list[str] = []
        for step in STEPS[:version]:
            step(connection)
        connection.set_trace_callback(seen.append)
        for step in STEPS[version:]:
            step(connection)
    return range(2, len(seen) + 2, max(1, len(seen) // 6))


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
@pytest.mark.parametrize(("version", "last"), [(version, last) for version in (1, 2) for last in statements(version)])
async def test_one_that_is_killed_in_the_middle_leaves_the_old_file(
    path: Path, clock: ManualClock, version: int, last: int
) -> None:
    make(path, version)
    schema = schema_of(path)
    process = start(path, str(last))
    process.communicate("go\n", timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert (version_of(path), schema_of(path)) == (version, schema)
    (await State.open(path, clock=clock)).close()
    assert version_of(path) == VERSION
    with examining(path) as found:
        assert found.verify().broken is None


@pytest.mark.parametrize("version", [1, CHAINED])
def test_four_processes_at_once_do_it_once(path: Path, version: int) -> None:
    make(path, version)
    running = [start(path) for _ in range(4)]
    try:
        for process in running:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in running:
            _write(process, "go\n")
        answers = [process.communicate(timeout=120)[0] for process in running]
    finally:
        for process in running:
            process.kill()
            process.communicate()
    assert answers == ["done\n"] * 4
    assert version_of(path) == VERSION
    with examining(path) as found:
        assert found.verify().last == RECORDS + (version < CHAINED)


def _write(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdin is not None
    process.stdin.write(text)
    process.stdin.flush()


async def test_a_gateway_that_runs_while_a_newer_one_upgrades_stops_writing(path: Path, clock: ManualClock) -> None:
    state = await State.open(path, clock=clock)
    with closing(sqlite3.connect(path)) as newer:
        newer.execute(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(StateError) as raised:
        await state.atomically(lambda tx: tx.audit.append(RECORD))
    state.close()
    assert str(raised.value) == (
        f"the state file `{path}` was changed by another version of this program\nhint: start the gateway again"
    )
