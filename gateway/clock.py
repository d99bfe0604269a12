"""The only reader of time, and what waits for it to pass.

Everything that needs the time is handed a `Clock`; tests hand in one that they move.
"""

import time
from typing import Protocol


class Clock(Protocol):
    """Wall time for records and windows, monotonic time for latencies and time-outs."""

    def now(self) -> float:
        """Seconds since the epoch, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since an arbitrary moment, never going backwards."""
        ...


class SystemClock:
    """The clock of this machine."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()


def pause(seconds: float) -> None:
    """Wait, and do nothing else: for commands. A gateway waits in its event loop."""
    time.sleep(seconds)
