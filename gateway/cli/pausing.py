"""A pause between two looks of a command that goes on until Ctrl-C."""

import select
import sys
from threading import Event


class Pause:
    """A pause of so many seconds, which ends at once when nobody reads our output any more."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def is_over(self) -> bool:
        """Wait; whether nobody reads any more."""
        if sys.platform == "win32":  # it has no `poll`
            return Event().wait(self._seconds)
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)  # an error or a hang-up is always reported
        return bool(poll.poll(self._seconds * 1000))
