"""A person at a terminal: a command of the program on a pseudo-terminal, what it shows, and what is typed."""

import os
import pty
import select
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.e2e.process import PATIENCE, Home
from tests.warm import Popen

_ROOT = Path(__file__).parents[2]


class Terminal:
    """One command on a terminal of its own. Use it as a context manager."""

    def __init__(self, home: Home, *words: str) -> None:
        self._master, slave = pty.openpty()
        self.shown = ""
        self._read_to = 0
        self.process: subprocess.Popen[bytes] = Popen(
            [sys.executable, "-m", "gateway", *words],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            env={**home.variables(), "COLUMNS": "200"},
            cwd=_ROOT,
        )
        os.close(slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._master)

    def wait_for(self, text: str) -> str:
        """Read until the terminal shows this, behind what was waited for before; what it has shown up to there."""
        deadline = time.monotonic() + PATIENCE
        while (found := self.shown.find(text, self._read_to)) < 0:
            assert self._more(deadline - time.monotonic()), f"not shown: {text}\n{self.shown}"
        begun, self._read_to = self._read_to, found + len(text)
        return self.shown[begun : self._read_to]

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def end(self) -> int:
        """Read to the end; the exit code."""
        deadline = time.monotonic() + PATIENCE
        while self._more(deadline - time.monotonic()):
            pass
        return self.process.wait(PATIENCE)

    def _more(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], max(0.0, seconds))
        data = b""
        with suppress(OSError):  # on Linux the end of a pseudo-terminal is an error
            data = os.read(self._master, 65536) if ready else b""
        self.shown += data.decode("utf-8", "replace").replace("\r\n", "\n")
        return bool(data)
