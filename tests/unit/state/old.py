"""State files as older versions of this program left them: made by their own steps, filled as they filled them.

Run as a program, it brings a file up to date as `run` does, and may be killed before a statement of that.
"""

import asyncio
import os
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from gateway.clock import SystemClock
from gateway.state import State, chain, migrations
from gateway.state.chain import Cell
from gateway.state.counting import SqliteCounters
from tests.unit.state.manual import MIDNIGHT, RECORD, charge

CHAINED = 3
"""The first version whose audit log is a hash chain."""
RECORDS = 3
_CELLS: tuple[Cell, ...] = (
    "decided",
    RECORD.decision_id,
    RECORD.at,
    RECORD.grant,
    RECORD.session,
    RECORD.client_name,
    RECORD.client_version,
    RECORD.server,
    RECORD.method,
    RECORD.tool,
    RECORD.policy_revision,
    RECORD.effect,
    RECORD.rule,
    RECORD.reason,
    RECORD.message,
    '["body", "to"]',
    RECORD.argument_digest,
    None,
    None,
    None,
    None,
)


def make(path: Path, version: int) -> Path:
    """A file of that version with three records, one counted call, and a grant that has used a policy."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN IMMEDIATE")
        for step in migrations.STEPS[:version]:
            step(connection)
        connection.execute(f"PRAGMA user_version = {version}")
        connection.execute("INSERT INTO grants VALUES ('default', '/policies/mine.json', 1.0, 2.0)")
        for seq in range(1, RECORDS + 1):
            _append(connection, seq, chained=version >= CHAINED)
        SqliteCounters(connection).reserve([charge()], MIDNIGHT)
        connection.execute("COMMIT")
    return path


def _append(connection: sqlite3.Connection, seq: int, *, chained: bool) -> None:
    marks = ", ".join("?" * (len(_CELLS) + 1))
    if not chained:
        connection.execute(f"INSERT INTO audit (seq, {chain.LIST}) VALUES ({marks})", (seq, *_CELLS))  # noqa: S608 # constants
        return
    (before,) = connection.execute("SELECT hash FROM audit_chain").fetchone()
    linked = chain.link(before, seq, _CELLS)
    connection.execute(f"INSERT INTO audit (seq, {chain.LIST}, hash) VALUES ({marks}, ?)", (seq, *_CELLS, linked))  # noqa: S608 # constants
    connection.execute("UPDATE audit_chain SET seq = ?, hash = ?", (seq, linked))


async def _bring_up_to_date(path: Path, last_statement: int | None) -> None:
    print("ready", flush=True)
    sys.stdin.readline()
    if last_statement is not None:
        left = iter(range(last_statement - 1))
        migrate = migrations.migrate

        def count(_: str) -> None:
            if next(left, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)

        def killed(connection: sqlite3.Connection) -> None:
            connection.set_trace_callback(count)
            migrate(connection)

        migrations.migrate = killed
    state = await State.open(path, clock=SystemClock())
    state.close()
    print("done", flush=True)


if __name__ == "__main__":
    asyncio.run(_bring_up_to_date(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else None))
