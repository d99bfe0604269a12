"""A process that writes so many records, and may be killed before a statement of its transaction. Run by `test_chain`.

It opens the file, says that it is ready, and begins when it is told to.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from gateway.clock import SystemClock
from gateway.state import State
from tests.unit.state.manual import RECORD

PATIENCE_SECONDS = 120.0


async def main(path: Path, records: int, last_statement: int | None) -> None:
    state = await State.open(path, clock=SystemClock())
    print("ready", flush=True)
    sys.stdin.readline()
    if last_statement is not None:
        left = iter(range(last_statement - 1))

        def count(statement: str) -> None:
            del statement
            if next(left, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)

        state._database.connection.set_trace_callback(count)
    for _ in range(records):
        await state.atomically(lambda tx: tx.audit.append(RECORD), patience=PATIENCE_SECONDS)
    state._database.connection.set_trace_callback(None)
    state.close()


asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else None))
