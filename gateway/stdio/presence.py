"""Whether the client is still there, where neither reading nor writing would tell.

An idle gateway writes nothing, so it would not notice that nobody reads its output any more; one that does not read for
a while would not see its input end. And a client that was killed may have left a child that still holds our input open:
then the end of the client is that of our parent (the kernel gives us another). A gateway that was started in the
background by a process that is gone by now has no such parent to lose.
"""

import asyncio
import os
import select
import sys
from collections.abc import Callable
from typing import Final

LOOK_SECONDS: Final = 0.25
"""Together with the end that follows, this stays below the two seconds after which clients kill."""


class Presence:
    """Looks now and then. Made inside the running loop.

    `deaf` is called where nobody reads the output any more, `gone` where the client is gone; `stuck` says whether the
    input is not read because the client does not read either, so that its end would not be seen.
    """

    def __init__(
        self,
        source: int,
        sink: int,
        *,
        stuck: Callable[[], bool],
        deaf: Callable[[], None],
        gone: Callable[[], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._source = source
        self._sink = sink
        self._stuck = stuck
        self._deaf = deaf
        self._gone = gone
        self._parent = os.getppid()
        self._next: asyncio.TimerHandle | None = None

    def watch(self) -> None:
        """Begin to look."""
        self._next = self._loop.call_later(LOOK_SECONDS, self._look)

    def stop(self) -> None:
        """Look no more."""
        if self._next is not None:
            self._next.cancel()

    def _look(self) -> None:
        if _hung_up(self._sink):
            self._deaf()
        elif os.getppid() != self._parent or (self._stuck() and _hung_up(self._source)):
            self._gone()
        else:
            self.watch()


def _hung_up(descriptor: int) -> bool:
    """Whether the other end of a pipe or a terminal is closed (`poll(2)`), where one can know."""
    if sys.platform == "win32":  # it has no `poll`
        return False
    poll = select.poll()
    poll.register(descriptor, 0)
    return any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll(0))
