"""The chain: one over every process and every version, and unbroken wherever a writer was killed."""

import asyncio
import sqlite3
import subprocess
import sys
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from gateway.errors import StateError
from gateway.state import Record, State, chain, migrations
from gateway.state.audit import SqliteAudit
from gateway.state.database import connect
from gateway.state.evidence import examining
from tests.unit.state.manual import ManualClock
from tests.warm import Popen

ROOT = Path(__file__).parents[3]
WRITERS = 10
RECORDS = 50
STATEMENTS = 7
"""Of one transaction that records: where a writer is killed, before and after each."""


def opened() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrations.migrate(connection)
    return connection


def test_the_hash_of_a_record_is_what_the_readme_says(record: Record) -> None:
    connection = opened()
    SqliteAudit(connection).append(record)
    (state_id,) = connection.execute("SELECT value FROM meta WHERE name = 'state_id'").fetchone()
    (found,) = connection.execute("SELECT hash FROM audit").fetchone()
    text = (
        '[1,"decided","0123456789abcdef",1767225600.0,"default","s1","claude-ai","0.1.0","https://keyid.example/mcp",'
        '"tools/call","send_email","c0ffee","allow","/tools/send_email","allowed","","[\\"body\\", \\"to\\"]",'
        f'"{"ab" * 32}"]'
    )
    start = sha256(b"keyid-gateway audit log\n" + state_id).digest()
    assert found == sha256(start + text.encode()).digest()
    assert chain.ends(connection) == chain.Ends(0, start, 1, found)
    connection.close()


def test_nulls_at_the_end_are_no_part_of_a_record() -> None:
    assert chain.canonical(1, ("a", None, "b", None, None)) == b'[1,"a",null,"b"]'


@pytest.mark.parametrize("zero", [0.0, -0.0])
async def test_a_negative_zero_is_hashed_as_it_is_kept(state: State, path: Path, record: Record, zero: float) -> None:
    odd = record._replace(at=zero, latency_ms=zero)
    await state.atomically(lambda tx: tx.audit.append(odd))
    with examining(path) as evidence:
        assert evidence.verify().ok


def test_no_two_files_begin_alike() -> None:
    first, second = opened(), opened()
    assert chain.ends(first).hash != chain.ends(second).hash
    first.close()
    second.close()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("DELETE FROM audit_chain", "nothing says where it begins and ends"),
        ("UPDATE audit_chain SET hash = 'text'", "nothing says where it begins and ends"),
        ("UPDATE audit_chain SET seq = 0", "UNIQUE constraint failed: audit.seq"),
    ],
)
async def test_a_log_that_is_not_as_it_was_left_takes_no_record(
    state: State, record: Record, damage: str, words: str
) -> None:
    await state.atomically(lambda tx: tx.audit.append(record))
    with closing(connect(state._database.path)) as another:  # what this process did itself it knows
        another.execute(damage)
    with pytest.raises(StateError) as raised:
        await state.atomically(lambda tx: tx.audit.append(record))
    assert str(raised.value) == (
        f"the audit log takes no further record: {words}\n"
        "hint: `keyid-gateway audit verify` says where it was changed; "
        "move the file away to start with a fresh one: its counters and its audit log stay readable there; "
        "what was stopped, revoked or pinned, and the PIN, have to be said again"
    )


def test_records_of_before_the_chain_are_adopted(path: Path, record: Record) -> None:
    path.parent.mkdir()
    connection = sqlite3.connect(path, isolation_level=None)
    for step in migrations.STEPS[: migrations.STEPS.index(chain.begin)]:
        step(connection)
    connection.execute(f"PRAGMA user_version = {migrations.STEPS.index(chain.begin)}")
    marks = ", ".join("?" * (len(chain.COLUMNS) + 1))
    cells = ("decided", "d", 5.0, "g", "s", "c", "1", "u", "m", "t", "r", "allow", "/", "ok", "", '["a"]', "0")
    for seq in (3, 4, 9):
        connection.execute(
            f"INSERT INTO audit (seq, {chain.LIST}) VALUES ({marks})",  # noqa: S608 - constants
            (seq, *cells, 200, "ok", 1.5, None),
        )
    migrations.migrate(connection)
    SqliteAudit(connection).append(record)
    rows = connection.execute("SELECT seq, kind, message FROM audit ORDER BY seq").fetchall()
    connection.close()
    assert rows == [
        (1, "decided", ""),
        (2, "decided", ""),
        (3, "decided", ""),
        (4, "adopted", "records 1 to 3 are older than the hash chain"),
        (5, "decided", ""),
    ]
    with examining(path) as evidence:
        found = evidence.verify()
    assert (found.ok, found.first, found.last, found.adopted) == (True, 1, 5, 3)


async def test_an_empty_log_adopts_nothing(state: State, path: Path) -> None:
    assert await state.atomically(lambda tx: tx.audit.newest(1)) == []
    with examining(path) as evidence:
        found = evidence.verify()
    assert (found.ok, found.first, found.last, found.adopted) == (True, 1, 0, 0)


def test_processes_that_write_at_once_leave_one_chain(path: Path) -> None:
    command = [sys.executable, "-m", "tests.unit.state.scribe", str(path), str(RECORDS)]
    running = [
        Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(WRITERS)
    ]
    try:
        for process in running:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in running:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        for process in running:
            process.communicate(timeout=240)
    finally:
        for process in running:
            process.kill()
            process.communicate()
    assert [process.returncode for process in running] == [0] * WRITERS
    with examining(path) as evidence:
        found = evidence.verify()
    assert (found.broken, found.last) == (None, WRITERS * RECORDS)


@pytest.mark.parametrize("statement", range(1, STATEMENTS + 1))
async def test_a_writer_that_is_killed_leaves_a_whole_chain(
    path: Path, clock: ManualClock, record: Record, statement: int
) -> None:
    state = await State.open(path, clock=clock)
    await state.atomically(lambda tx: tx.audit.append(record))
    command = [sys.executable, "-m", "tests.unit.state.scribe", str(path), "1", str(statement)]
    killed = await asyncio.to_thread(
        subprocess.run, command, cwd=ROOT, input="go\n", stdout=subprocess.PIPE, text=True, check=False
    )
    assert killed.returncode == (-9 if statement < STATEMENTS else 0)
    with examining(path) as evidence:
        found = evidence.verify()
    assert (found.broken, found.last) == (None, 1 if statement < STATEMENTS else 2)
    await state.atomically(lambda tx: tx.audit.append(record))
    state.close()
    with examining(path) as evidence:
        assert evidence.verify().broken is None
