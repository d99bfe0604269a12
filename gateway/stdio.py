r"""The client's side: lines in, lines out, and nothing else on standard output, ever.

`claim` takes the process's standard output for the protocol and points file descriptor 1 (and `sys.stdout`) at standard
error, so that a stray `print`, of ours or of a library, cannot break the protocol.

Two threads do the blocking reads and writes, because that works for pipes, sockets, files and terminals on every
platform; both hand over batches. A line ends with a line feed only: `\r`, U+2028 and NUL are content, which the parser
then judges. Memory is bounded in both directions: a line over the limit is dropped as it comes in (`TOO_LONG` takes its
place), reading pauses while too much waits to be handled, and `send` waits while the client does not read.
"""

import asyncio
import os
import sys
import threading
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

_CHUNK: Final = 2**18
_BACKLOG: Final = 2**26
TOO_LONG: Final = b"\xff"
"""Stands for a line over the limit; no line of a client is equal to it, for it is not UTF-8."""


def claim() -> tuple[int, int]:
    """The file descriptors of the protocol (in, out). From here on, printing goes to standard error."""
    source, sink = os.dup(0), os.dup(1)
    os.dup2(2, 1)
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    sys.stdout = sys.stderr
    return source, sink


class Lines:
    """Cuts bytes into lines of at most `limit` bytes, in time linear in the bytes fed."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._partial: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that this chunk completes, without their line feeds; blank ones left out."""
        *ended, rest = chunk.split(b"\n")
        lines = []
        for piece in ended:
            self._add(piece)
            lines.append(self._take())
        self._add(rest)
        return [line for line in lines if line.strip()]

    def end(self) -> list[bytes]:
        """What is left when the input ends without a line feed."""
        line = self._take()
        return [line] if line.strip() else []

    def _add(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._limit:
            self._partial.clear()
        elif piece:
            self._partial.append(piece)

    def _take(self) -> bytes:
        line = TOO_LONG if self._size > self._limit else b"".join(self._partial)
        self._partial, self._size = [], 0
        return line


class Stdio:
    """One client on two file descriptors. Made inside the running loop."""

    def __init__(self, source: int, sink: int, *, max_line_bytes: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._source = source
        self._sink = sink
        self._lines = Lines(max_line_bytes)
        self._arrived: asyncio.Queue[list[bytes] | None] = asyncio.Queue()
        self._may_read = threading.Semaphore(8)
        self._outgoing: deque[bytes] = deque()
        self._waiting = threading.Condition()
        self._unsent = 0
        self._drained = asyncio.Event()
        self._drained.set()
        self._closing = False
        self._reader = threading.Thread(target=self._read, name="stdin", daemon=True)
        self._writer = threading.Thread(target=self._write, name="stdout", daemon=True)
        self._reader.start()
        self._writer.start()

    async def lines(self) -> AsyncIterator[bytes]:
        """The client's lines; `TOO_LONG` for one that was over the limit. Ends with the input."""
        while (batch := await self._arrived.get()) is not None:
            for line in batch:
                yield line
            self._may_read.release()

    async def send(self, line: bytes) -> None:
        """Write one message. Waits only where the client is far behind in reading."""
        with self._waiting:
            self._outgoing.append(line)
            self._unsent += len(line)
            behind = self._unsent > _BACKLOG
            self._waiting.notify()
        if behind:
            self._drained.clear()
            await self._drained.wait()

    async def close(self, patience: float) -> None:
        """Write what is left, for at most `patience` seconds."""
        with self._waiting:
            self._closing = True
            self._waiting.notify()
        await asyncio.to_thread(self._writer.join, patience)

    def _read(self) -> None:
        while True:
            try:
                chunk = os.read(self._source, _CHUNK)
            except OSError:
                chunk = b""
            batch = self._lines.feed(chunk) if chunk else self._lines.end()
            if batch:
                self._may_read.acquire()
                self._hand_over(batch)
            if not chunk:
                self._hand_over(None)
                return

    def _hand_over(self, batch: list[bytes] | None) -> None:
        try:
            self._loop.call_soon_threadsafe(self._arrived.put_nowait, batch)
        except RuntimeError:  # the loop is closed: the process is on its way out, and nobody takes lines any more
            return

    def _write(self) -> None:
        while True:
            with self._waiting:
                self._waiting.wait_for(lambda: self._outgoing or self._closing)
                if not self._outgoing:
                    return
                lines = list(self._outgoing)
                self._outgoing.clear()
            if not self._write_all(b"\n".join(lines) + b"\n"):
                return
            with self._waiting:
                self._unsent -= sum(map(len, lines))
                caught_up = self._unsent <= _BACKLOG // 2
            if caught_up and not self._drained.is_set():
                self._loop.call_soon_threadsafe(self._drained.set)

    def _write_all(self, data: bytes) -> bool:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._sink, view) :]
            except OSError:  # the client has closed its end: as if the input had ended
                self._hand_over(None)
                return False
        return True
