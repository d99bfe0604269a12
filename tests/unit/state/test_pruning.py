"""What is pruned is gone, said so, and what is left can be verified: whoever was killed, whoever wrote meanwhile."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.errors import StateError
from gateway.state import Record, State, chain, pruning
from gateway.state.audit import SqliteAudit
from gateway.state.evidence import examining
from gateway.state.pruning import Plan, Pruned, Rule
from gateway.state.verification import Verification
from tests.unit.state.manual import MIDNIGHT, ManualClock

RECORDS = 1200


@pytest.fixture
async def log(path: Path, clock: ManualClock, record: Record) -> AsyncIterator[State]:
    state = await State.open(path, clock=clock)
    await state.atomically(
        lambda tx: [tx.audit.append(record._replace(at=MIDNIGHT + number)) for number in range(RECORDS)]
    )
    yield state
    state.close()


async def prune(path: Path, clock: ManualClock, rule: Rule) -> Pruned:
    return await pruning.prune(path, rule, clock, progress=lambda _: None)


def verified(path: Path) -> Verification:
    with examining(path) as evidence:
        return evidence.verify()


def planned(path: Path, rule: Rule) -> Plan:
    with examining(path) as evidence:
        return evidence.plan(rule)


@pytest.mark.parametrize(
    ("rule", "through"),
    [
        (Rule("older than 1d", before=MIDNIGHT + 700), 700),
        (Rule("older than 1d", before=MIDNIGHT), 0),
        (Rule("older than 1d", before=MIDNIGHT + 10**6), RECORDS),
        (Rule("all but the newest 5", keep=5), RECORDS - 5),
        (Rule("all but the newest 0", keep=0), RECORDS),
        (Rule("all but the newest 9999", keep=9999), 0),
        (Rule("beyond 1GB", size=10**9), 0),
        (Rule("beyond 0B", size=0), RECORDS),
    ],
)
@pytest.mark.usefixtures("log")
async def test_what_goes(path: Path, clock: ManualClock, rule: Rule, through: int) -> None:
    assert planned(path, rule).through == through
    done = await prune(path, clock, rule)
    found = verified(path)
    assert (done.number, found.ok, found.first) == (through, True, through + 1)
    assert found.last == (RECORDS + 1 if through else RECORDS)


@pytest.mark.usefixtures("log")
async def test_about_half_of_the_size(path: Path, clock: ManualClock) -> None:
    before = bytes_of(path)
    done = await prune(path, clock, Rule("beyond half", size=before // 2))
    assert done.shrinks
    assert done.bytes < 0.7 * before
    assert bytes_of(path) < 0.7 * before
    assert verified(path).ok


@pytest.mark.usefixtures("log")
async def test_the_space_is_given_back_many_pages_at_a_time(path: Path, clock: ManualClock) -> None:
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    done = await pruning.prune(path, Rule("all but 1", keep=1), clock, progress=lambda _: None, pause=pause)
    assert done.shrinks
    assert len(pauses) == 4, "three batches of records, and one of pages"


def bytes_of(path: Path) -> int:
    with examining(path) as evidence:
        pages, size = evidence.connection.execute(
            "SELECT page_count, page_size FROM pragma_page_count, pragma_page_size"
        ).fetchone()
    return int(pages * size)


async def test_a_record_says_what_went_and_why(path: Path, clock: ManualClock, log: State) -> None:
    await prune(path, clock, Rule("older than 90d", before=MIDNIGHT + 700))
    (entry,) = await log.atomically(lambda tx: tx.audit.newest(1))
    assert (entry.record.kind, entry.record.message, entry.record.values) == (
        "pruned",
        "records 1 to 700 were taken out: older than 90d",
        '{"through":700}',
    )


@pytest.mark.usefixtures("log")
async def test_twice_and_then_everything(path: Path, clock: ManualClock) -> None:
    for keep in (900, 300, 0, 0):
        await prune(path, clock, Rule(f"all but {keep}", keep=keep))
        assert verified(path).ok
    assert verified(path).first == verified(path).last


async def test_others_write_meanwhile(path: Path, clock: ManualClock, log: State, record: Record) -> None:
    async def write() -> None:
        await log.atomically(lambda tx: tx.audit.append(record), patience=60)

    paused = 0

    async def pause(seconds: float) -> None:
        nonlocal paused
        paused += 1
        await write()
        await asyncio.sleep(seconds / 1000)

    done = await pruning.prune(path, Rule("all", keep=0), clock, progress=lambda _: None, pause=pause)
    found = verified(path)
    assert (done.number, found.ok, found.first) == (RECORDS, True, RECORDS + 1)
    assert found.last == RECORDS + 1 + paused


async def test_others_write_while_it_looks(
    path: Path, clock: ManualClock, log: State, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = chain.ends
    writes = iter([True])

    def ends_and_write(connection: sqlite3.Connection) -> chain.Ends:
        found = ends(connection)
        if next(writes, False):
            SqliteAudit(log._database.connection).append(record)
        return found

    monkeypatch.setattr(chain, "ends", ends_and_write)
    done = await prune(path, clock, Rule("all but 100", keep=100))
    assert done.number == RECORDS + 1 - 100
    assert verified(path).ok


@pytest.mark.usefixtures("log")
async def test_one_that_is_cut_short_leaves_a_log_that_can_be_verified(path: Path, clock: ManualClock) -> None:
    class Killed(BaseException):
        pass

    async def pause(_: float) -> None:
        raise Killed

    with pytest.raises(Killed):
        await pruning.prune(path, Rule("all", keep=0), clock, progress=lambda _: None, pause=pause)
    found = verified(path)
    assert (found.ok, found.first, found.last) == (True, 501, RECORDS + 1)
    await prune(path, clock, Rule("all", keep=0))
    assert verified(path).ok


async def test_a_log_that_was_changed_is_not_pruned(path: Path, clock: ManualClock, log: State) -> None:
    log._database.connection.execute("UPDATE audit SET tool = 'x' WHERE seq = 5")
    with pytest.raises(StateError) as raised:
        await prune(path, clock, Rule("all", keep=0))
    assert str(raised.value) == (
        "the audit log is not what was written (record 5 was changed), so nothing is taken out of it\n"
        "hint: `keyid-gateway audit verify` says more; keep the file as it is"
    )
    assert await log.atomically(lambda tx: len(tx.audit.tail(0, 9999))) == RECORDS


@pytest.mark.usefixtures("log")
async def test_heads_before_and_after(path: Path, clock: ManualClock) -> None:
    with examining(path) as evidence:
        before = evidence.head(0.0)
    await prune(path, clock, Rule("all but 100", keep=100))
    with examining(path) as evidence:
        after = evidence.head(0.0)
        assert evidence.verify([before, after]).ok, "its record is still there"
    await prune(path, clock, Rule("all", keep=0))
    with examining(path) as evidence:
        gone, edge = evidence.verify([before, after]).comparisons
    assert (gone.same, gone.what) == (
        False,
        f"record {RECORDS} was pruned since: only a head that is newer than the last pruning can be compared",
    )
    assert edge.same, "the last record that was pruned is known by its hash"


async def test_a_record_that_is_missing_stops_it(path: Path, clock: ManualClock, log: State) -> None:
    connection = log._database.connection

    async def pause(_: float) -> None:
        connection.execute("DELETE FROM audit WHERE seq = 1000")

    with pytest.raises(StateError, match="record 1000 is missing"):
        await pruning.prune(path, Rule("all", keep=0), clock, progress=lambda _: None, pause=pause)


@pytest.mark.usefixtures("log")
async def test_a_page_that_is_damaged_stops_it(path: Path, clock: ManualClock) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'audit'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xff" * size)
    with pytest.raises(StateError, match=f"the state file `{path}` is damaged"):
        await prune(path, clock, Rule("all", keep=0))
