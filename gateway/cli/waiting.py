"""A pause between two looks of a command that goes on until Ctrl-C."""

import select
import sys
from threading import Event


class Waiting:
    """A pause of so many seconds, which ends at once when nobody reads our output any more."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._poll = select.poll() if hasattr(select, "poll") else None
        if self._poll is not None:
            self._poll.register(sys.stdout.fileno(), 0)  # an error or a hang-up is always reported

    def is_over(self) -> bool:
        """Wait; whether nobody reads any more."""
        if self._poll is None:
            return Event().wait(self._seconds)
        return bool(self._poll.poll(self._seconds * 1000))
