"""Write records until the disk takes no more: prints how many there are, and what was said. Run by `test_failures`."""

import asyncio
import resource
import signal
import sys
from pathlib import Path

from gateway.errors import StateError
from gateway.state import State
from tests.unit.state.manual import RECORD, ManualClock

LARGEST_FILE = 256 * 1024


async def main(path: Path) -> None:
    state = await State.open(path, clock=ManualClock())
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE))
    written = 0
    while written < 10_000:
        try:
            await state.atomically(lambda tx: tx.audit.append(RECORD))
        except StateError as error:
            print(written, error.message, sep="\n")
            break
        written += 1
    state.close()


asyncio.run(main(Path(sys.argv[1])))
