r"""The client's side: lines in, lines out, and nothing else on standard output, ever.

`claim` takes the process's standard output for the protocol and points file descriptor 1 (and `sys.stdout`) at standard
error, so that a stray `print`, of ours or of a library, cannot break the protocol.

Pipes, sockets and terminals are read by the event loop, and a message that a pipe takes at once is written by it: a hop
to a thread costs a tenth of a call. What the loop cannot wait for (files; everything on Windows) is read by a thread,
and what cannot be written at once is written by one, which may block as long as the client likes.

A line ends with a line feed only: `\r`, U+2028 and NUL are content, which the parser then judges. Memory is bounded in
both directions: a line over the limit is dropped as it comes in (`TOO_LONG` takes its place), reading pauses while too
much waits to be handled, and `send` waits while the client does not read, until it does or is gone.
"""

import asyncio
import os
import select
import stat
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

_CHUNK: Final = 2**18
_BACKLOG: Final = 2**26
_BATCHES: Final = 8
_LOOK_SECONDS: Final = 0.25
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
    """One client on two file descriptors. Made inside the running loop; nothing is read before `start`."""

    def __init__(self, source: int, sink: int, *, max_line_bytes: int) -> None:
        self.ended = asyncio.Event()
        """Set when the input has ended, or the client has closed the output."""
        self._input = _Input(source, Lines(max_line_bytes), self.ended)
        self._output = _Output(sink, gone=self.ended.set, behind=self._input.pause, caught_up=self._input.resume)

    def start(self, take: Callable[[bytes], None]) -> None:
        """Give every line to `take`, in the loop and in order; `TOO_LONG` for one that was over the limit."""
        self._input.start(take)

    async def send(self, line: bytes) -> None:
        """Write one message. Waits only where the client is far behind in reading."""
        await self._output.send(line)

    def stop(self) -> None:
        """Read no more, for good. A thread that waits for input dies with the process."""
        self._input.pause()
        self.ended.set()

    async def close(self, patience: float) -> None:
        """Write what is left, for at most `patience` seconds."""
        self.stop()
        await self._output.close(patience)


class _Input:
    """Reads chunks and hands on the lines they complete, unless the flow is stopped."""

    def __init__(self, source: int, lines: Lines, ended: asyncio.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._source = source
        self._lines = lines
        self._ended = ended
        self._take: Callable[[bytes], None] = lambda _: None
        self._threaded = False
        self._flowing = threading.Event()
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
        except (NotImplementedError, OSError):
            return False
        return True

    def pause(self) -> None:
        """Read no more, but notice where the client goes away meanwhile."""
        if self._flowing.is_set() and not self._threaded:
            self._loop.remove_reader(self._source)
            self._watch_hang_up()
        self._flowing.clear()

    def _watch_hang_up(self) -> None:
        """Nobody reads, so nobody would see the end of the input: look for it now and then (`poll(2)`, POLLHUP)."""
        if self._ended.is_set() or not hasattr(select, "poll"):
            return
        poll = select.poll()
        poll.register(self._source, 0)
        if any(event & select.POLLHUP for _, event in poll.poll(0)):
            self._ended.set()
        else:
            self._loop.call_later(_LOOK_SECONDS, self._look_again)

    def _look_again(self) -> None:
        if not self._flowing.is_set():
            self._watch_hang_up()

    def resume(self) -> None:
        """Go on reading."""
        if not (self._flowing.is_set() or self._ended.is_set() or self._threaded):
            self._loop.add_reader(self._source, self._readable)
        self._flowing.set()

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


class _Output:
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
            self._lose()
            return b""

    def _lose(self) -> None:
        """The client has closed its end: as if the input had ended. Nobody waits for it to read any more."""
        if not self._lost:
            self._lost = True
            self._drained.set()
            self._gone()

    async def _hand_over(self, data: bytes) -> None:
        with self._waiting:
            self._lines.append(data)
            self._unsent += len(data)
            behind = self._unsent > _BACKLOG
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
                caught_up = self._behind and self._unsent <= _BACKLOG // 2
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
                self._tell(self._lose)
                return False
        return True

    def _tell(self, what: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop is closed: the process is on its way out
            self._loop.call_soon_threadsafe(what)


def _writable(sink: int) -> Callable[[int], bool]:
    """Tells whether that many bytes can be written without waiting (`select.PIPE_BUF`), where one can know."""
    if not hasattr(select, "poll"):
        return lambda _: False
    poll = select.poll()
    poll.register(sink, select.POLLOUT)
    return lambda size: size <= select.PIPE_BUF and poll.poll(0) == [(sink, select.POLLOUT)]
