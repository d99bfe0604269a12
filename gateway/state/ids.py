"""The ids of decisions: in the order of time, so that the log's index of them grows at its end.

A new id then touches the page that the last one touched, and not any page of the index: what a call writes stays
small, however long the log is.
"""

import secrets
from typing import Final

_COUNT_BITS: Final = 24
_TIME_BITS: Final = 40  # milliseconds: in order until 2039, and a number like any other after that


class DecisionIds:
    """The ids of one process: sixteen hexadecimal digits, ten of time and six that begin anywhere and count."""

    def __init__(self) -> None:
        self._count = secrets.randbits(_COUNT_BITS)

    def next(self, now: float) -> str:
        """An id that this process has not given yet. `now` is in seconds since the epoch."""
        self._count = (self._count + 1) % (1 << _COUNT_BITS)
        milliseconds = int(now * 1000) % (1 << _TIME_BITS)
        return f"{milliseconds << _COUNT_BITS | self._count:016x}"
