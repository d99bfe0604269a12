"""What the gateway never writes is found in every column of every table but the log, and nothing else is."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.errors import StateError
from gateway.state import Record, State, migrations, reading
from gateway.state.soundness import unsound
from tests.unit.state.manual import ManualClock

ODD = {"INTEGER": b"x", "REAL": "x", "TEXT": b"x", "BLOB": 5}


@pytest.fixture
def fresh() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrations.migrate(connection)
        yield connection


def rows(connection: sqlite3.Connection) -> Iterator[tuple[str, str, dict[str, object]]]:
    """For every column of every table: a row in which only that one is odd."""
    sound = {"INTEGER": 1, "REAL": 1.0, "TEXT": "x", "BLOB": b"x"}
    found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
    for table in sorted({name for (name,) in found} - {"audit"}):
        columns = connection.execute(f'PRAGMA table_info("{table}")').fetchall()
        kinds = {name: declared for _, name, declared, *_ in columns}
        for column, declared in kinds.items():
            yield table, column, {**{name: sound[kind] for name, kind in kinds.items()}, column: ODD[declared]}


def put(connection: sqlite3.Connection, table: str, row: dict[str, object]) -> bool:
    """Whether SQLite takes a row; a number of a row can be nothing else."""
    names = ", ".join(f'"{name}"' for name in row)
    places = ", ".join("?" * len(row))
    connection.execute(f'DELETE FROM "{table}"')  # noqa: S608 - names of our own tables
    try:
        connection.execute(f'INSERT INTO "{table}" ({names}) VALUES ({places})', tuple(row.values()))  # noqa: S608 - as above
    except sqlite3.Error:
        return False
    return True


def test_what_was_just_made_is_sound(fresh: sqlite3.Connection) -> None:
    assert unsound(fresh) is None


def test_every_odd_value_is_found(fresh: sqlite3.Connection) -> None:
    tried = set()
    for table, column, row in list(rows(fresh)):
        fresh.execute("BEGIN")
        if put(fresh, table, row):
            tried.add(table)
            assert unsound(fresh) == f"`{column}` of `{table}` holds what the gateway never writes"
        fresh.execute("ROLLBACK")
    assert tried > {"approvals", "pins", "halts", "counters", "hits", "covers", "gateways", "grants"}


async def test_who_stumbles_over_one_is_told_of_it(path: Path, clock: ManualClock, record: Record) -> None:
    state = await State.open(path, clock=clock)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute(
            "INSERT INTO counters (identity, newest, used, serial, server, layer, scope, owner, tools_key, "
            "counter, window, seconds, strategy) VALUES (x'00', 1, '1', x'00', '', '', '', '', '', '', '', 1, '')"
        )
    with pytest.raises(StateError, match="`serial` of `counters` holds what the gateway never writes"):
        await state.atomically(lambda tx: (tx.audit.append(record), int("stumbled")))
    with pytest.raises(StateError, match="`serial` of `counters` holds"), reading(path) as tx:
        tx.counters.usage("no moment")  # type: ignore[arg-type] # on purpose
    assert await state.atomically(lambda tx: tx.audit.newest(1)) == []
    state.close()


async def test_a_fault_of_the_program_is_not_blamed_on_the_file(path: Path, clock: ManualClock) -> None:
    state = await State.open(path, clock=clock)
    with pytest.raises(ValueError, match="a fault"):
        await state.atomically(lambda _: int("a fault"))
    with pytest.raises(ValueError, match="a fault"), reading(path):
        raise ValueError("a fault")
    state.close()
