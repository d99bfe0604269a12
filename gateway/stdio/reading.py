"""Standard input: read by the loop where it tells when there is something, else by a thread."""

import asyncio
import os
import stat
import threading
from collections.abc import Callable
from typing import Final

from gateway.stdio.lines import Lines

_CHUNK: Final = 2**16
"""Bytes; what a pipe holds. Room for more would be mapped and unmapped by the system for every message."""
_BATCHES: Final = 8


class Input:
    """Reads chunks and hands on the lines they complete, unless somebody has stopped the flow.

    Whoever stops it has a name; it flows again when nobody stops it any more.
    """

    def __init__(self, source: int, lines: Lines, ended: asyncio.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._source = source
        self._lines = lines
        self._ended = ended
        self._take: Callable[[bytes], None] = lambda _: None
        self._threaded = False
        self._flowing = threading.Event()
        self._stopped_by: set[str] = set()
        self._room = threading.Semaphore(_BATCHES)

    def start(self, take: Callable[[bytes], None]) -> None:
        self._take = take
        self._flowing.set()
        self._threaded = not self._watched()
        if self._threaded:
            threading.Thread(target=self._read, name="stdin", daemon=True).start()

    def _watched(self) -> bool:
        """Whether the loop tells when there is input. Some loops take a regular file, and never tell its end."""
        if stat.S_ISREG(os.fstat(self._source).st_mode):
            return False
        try:
            self._loop.add_reader(self._source, self._readable)
        except (NotImplementedError, OSError):  # the loop cannot watch this kind of input: a thread reads it
            return False
        return True

    def pause(self, who: str) -> None:
        """Read no more for now, because of `who`."""
        self._stopped_by.add(who)
        if self._flowing.is_set() and not self._threaded:
            self._loop.remove_reader(self._source)
        self._flowing.clear()

    def resume(self, who: str) -> None:
        """Go on reading, as far as `who` is concerned."""
        self._stopped_by.discard(who)
        if self._stopped_by or self._ended.is_set():
            return
        if not (self._flowing.is_set() or self._threaded):
            self._loop.add_reader(self._source, self._readable)
        self._flowing.set()

    def stopped_by(self, who: str) -> bool:
        """Whether it is (also) because of `who` that nobody reads."""
        return who in self._stopped_by

    def _readable(self) -> None:
        try:
            chunk = os.read(self._source, _CHUNK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            chunk = b""
        self._hand_on(chunk)
        if not chunk:
            self._loop.remove_reader(self._source)

    def _read(self) -> None:
        chunk = b"-"
        while chunk:
            self._flowing.wait()
            try:
                chunk = os.read(self._source, _CHUNK)
            except OSError:
                chunk = b""
            self._room.acquire()
            try:
                self._loop.call_soon_threadsafe(self._handed_over, chunk)
            except RuntimeError:  # the loop is closed: the process is on its way out, and nobody takes lines any more
                return

    def _handed_over(self, chunk: bytes) -> None:
        self._room.release()
        self._hand_on(chunk)

    def _hand_on(self, chunk: bytes) -> None:
        if self._ended.is_set():
            return
        for line in self._lines.feed(chunk) if chunk else self._lines.end():
            self._take(line)
        if not chunk:
            self._ended.set()
