r"""The client's side: lines in, lines out, and nothing else on standard output, ever.

`claim` takes the process's standard output for the protocol and points file descriptor 1 (and `sys.stdout`) at standard
error, so that a stray `print`, of ours or of a library, cannot break the protocol.

Pipes, sockets and terminals are read by the event loop, and a message that a pipe takes at once is written by it: a hop
to a thread costs a tenth of a call. What the loop cannot wait for (files; everything on Windows) is read by a thread,
and what cannot be written at once is written by one, which may block as long as the client likes.

A line ends with a line feed only: `\r`, U+2028 and NUL are content, which the parser then judges. Memory is bounded in
both directions: a line over the limit is dropped as it comes in (`TOO_LONG` takes its place), reading pauses while too
much waits to be handled, and `send` waits while the client does not read, until it does or is gone.

    lines     bytes into lines
    reading   standard input
    writing   standard output
    presence  whether the client is still there
"""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

from gateway.stdio.lines import TOO_LONG, Lines
from gateway.stdio.presence import Presence
from gateway.stdio.reading import Input
from gateway.stdio.writing import Output

__all__ = ["TOO_LONG", "Lines", "Stdio", "claim"]


def claim() -> tuple[int, int]:
    """The file descriptors of the protocol (in, out). From here on, printing goes to standard error."""
    source, sink = os.dup(0), os.dup(1)
    os.dup2(2, 1)
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    sys.stdout = sys.stderr
    return source, sink


class Stdio:
    """One client on two file descriptors. Made inside the running loop; nothing is read before `start`."""

    def __init__(self, source: int, sink: int, *, max_line_bytes: int) -> None:
        self.ended = asyncio.Event()
        """Set when the input has ended, the client has closed the output, or is gone altogether."""
        self._input = Input(source, Lines(max_line_bytes), self.ended)
        self._output = Output(
            sink,
            gone=self.ended.set,
            behind=lambda: self._input.pause("output"),
            caught_up=lambda: self._input.resume("output"),
        )
        self._presence = Presence(
            source,
            sink,
            stuck=lambda: self._input.stopped_by("output"),
            deaf=self._output.lose,
            gone=self.ended.set,
        )

    def start(self, take: Callable[[bytes], None]) -> None:
        """Give every line to `take`, in the loop and in order; `TOO_LONG` for one that was over the limit."""
        self._input.start(take)
        self._presence.watch()

    async def send(self, line: bytes) -> None:
        """Write one message. Waits only where the client is far behind in reading."""
        await self._output.send(line)

    def hold(self, held: bool) -> None:  # noqa: FBT001  # it is the whole of what is said
        """Read no more while `held`: there is enough to do."""
        if held:
            self._input.pause("work")
        else:
            self._input.resume("work")

    def stop(self) -> None:
        """Read no more, for good. A thread that waits for input dies with the process."""
        self.ended.set()
        self._input.pause("end")
        self._presence.stop()

    async def close(self, patience: float) -> None:
        """Write what is left, for at most `patience` seconds."""
        self.stop()
        await self._output.close(patience)
