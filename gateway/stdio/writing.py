"""Standard output: written by the loop where it takes a message at once, else by a thread, which may block."""

import asyncio
import os
import select
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final

BACKLOG: Final = 2**26


class Output:
    """Writes lines in their order.

    In the loop, `gone` is called when the client has closed its end, `behind` when it is far behind in reading, and
    `caught_up` when it no longer is.
    """

    def __init__(
        self, sink: int, *, gone: Callable[[], None], behind: Callable[[], None], caught_up: Callable[[], None]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._sink = sink
        self._gone = gone
        self._on_behind = behind
        self._on_caught_up = caught_up
        self._waiting = threading.Condition()
        self._lines: deque[bytes] = deque()
        self._unsent = 0
        self._drained = asyncio.Event()
        self._behind = False
        self._closing = False
        self._lost = False
        self._at_once = _writable(sink)
        self._writer = threading.Thread(target=self._write, name="stdout", daemon=True)
        self._writer.start()

    async def send(self, line: bytes) -> None:
        data = line + b"\n"
        if self._unsent == 0 and not self._lost and self._at_once(len(data)):
            data = self._try(data)
        if data and not self._lost:
            await self._hand_over(data)

    def lose(self) -> None:
        """The client has closed its end: as if the input had ended. Nobody waits for it to read any more."""
        if not self._lost:
            self._lost = True
            self._drained.set()
            self._gone()

    async def close(self, patience: float) -> None:
        with self._waiting:
            self._closing = True
            self._waiting.notify()
        await asyncio.to_thread(self._writer.join, patience)

    def _try(self, data: bytes) -> bytes:
        """Write without waiting; what is left."""
        try:
            return data[os.write(self._sink, data) :]
        except (BlockingIOError, InterruptedError):
            return data
        except OSError:
            self.lose()
            return b""

    async def _hand_over(self, data: bytes) -> None:
        with self._waiting:
            self._lines.append(data)
            self._unsent += len(data)
            behind = self._unsent > BACKLOG
            self._behind = self._behind or behind
            if behind:
                self._drained.clear()
            self._waiting.notify()
        if behind and not self._lost:
            self._on_behind()
            await self._drained.wait()

    def _catch_up(self) -> None:
        """The client has read enough, unless it is behind again meanwhile."""
        if not self._behind:
            self._drained.set()
            self._on_caught_up()

    def _write(self) -> None:
        while True:
            with self._waiting:
                self._waiting.wait_for(lambda: self._lines or self._closing)
                if not self._lines:
                    return
                lines = list(self._lines)
                self._lines.clear()
            if not self._write_all(b"".join(lines)):
                return
            with self._waiting:
                self._unsent -= sum(map(len, lines))
                caught_up = self._behind and self._unsent <= BACKLOG // 2
                self._behind = self._behind and not caught_up
            if caught_up:
                self._tell(self._catch_up)

    def _write_all(self, data: bytes) -> bool:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._sink, view) :]
            except BlockingIOError:  # whoever shares this descriptor made it so: wait until it takes more
                select.select([], [self._sink], [])
            except OSError:
                self._tell(self.lose)
                return False
        return True

    def _tell(self, what: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop is closed: the process is on its way out
            self._loop.call_soon_threadsafe(what)


def _writable(sink: int) -> Callable[[int], bool]:
    """Tells whether that many bytes can be written without waiting (`select.PIPE_BUF`), where one can know."""
    if sys.platform == "win32":  # it has no `poll`
        return lambda _: False
    poll = select.poll()
    poll.register(sink, select.POLLOUT)
    return lambda size: size <= select.PIPE_BUF and poll.poll(0) == [(sink, select.POLLOUT)]
