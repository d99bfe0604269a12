"""One of ten processes at one limit: prints how many of its calls got through. Run by `test_processes`.

It opens the file, says that it is ready, and begins when it is told to: the ten begin together.
"""

import asyncio
import sys
from pathlib import Path

from gateway.clock import SystemClock
from gateway.state import Charge, Reservation, State, Transaction
from tests.unit.state.manual import MIDNIGHT, RECORD, charge, limit

PATIENCE_SECONDS = 120.0


def attempt(tx: Transaction, one: Charge) -> Reservation | None:
    """Reserve and record, as the gateway does for one call."""
    reserved = tx.counters.reserve([one], MIDNIGHT)
    tx.audit.append(RECORD)
    return reserved if isinstance(reserved, Reservation) else None


async def call(state: State, one: Charge, *, give_back: bool) -> bool:
    reserved = await state.atomically(lambda tx: attempt(tx, one), patience=PATIENCE_SECONDS)
    if reserved is None:
        return False
    if give_back:
        await state.atomically(lambda tx: tx.counters.release(reserved, MIDNIGHT), patience=PATIENCE_SECONDS)
    return not give_back


async def main(path: Path, maximum: str, window: str, calls: int) -> None:
    state = await State.open(path, clock=SystemClock())
    one = charge(limit(maximum, window))
    print("ready", flush=True)
    sys.stdin.readline()
    granted = [await call(state, one, give_back=number % 10 == 9) for number in range(calls)]
    print(sum(granted), flush=True)
    state.close()


asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])))
