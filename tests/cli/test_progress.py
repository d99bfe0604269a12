"""What takes long shows that it does: on a terminal, on standard error, and no trace of it is left."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from gateway.cli import progress
from gateway.cli.progress import working

ROOT = Path(__file__).parents[2]
LONG = """
import sys
from gateway.cli import progress
progress.SECONDS = float(sys.argv[1])
with progress.working("counting sheep") as at:
    at(1, 4)
    print("under way", flush=True)
    sys.stdin.readline()
print("done", flush=True)
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")


class OnATerminal:
    """A program whose standard error is a terminal, and whose other ends are ours."""

    def __init__(self, seconds: str, **environment: str) -> None:
        import pty

        ours, theirs = pty.openpty()
        self.screen = os.fdopen(ours, "rb", buffering=0)
        self.process = subprocess.Popen(
            [sys.executable, "-c", LONG, seconds],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=theirs,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "24", **environment},
            cwd=ROOT,
            text=True,
        )
        os.close(theirs)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "under way\n"

    def until(self, words: bytes) -> bytes:
        seen = b""
        while words not in seen:
            seen += self.screen.read(4096)
        return seen

    def finish(self) -> bytes:
        """Let it come to its end; what else it wrote to the terminal."""
        out, _ = self.process.communicate("\n", timeout=20)
        assert (self.process.returncode, out) == (0, "done\n")
        seen = b""
        with self.screen:
            while True:
                try:
                    chunk = self.screen.read(4096)
                except OSError:  # the other side is closed
                    return seen
                if not chunk:
                    return seen
                seen += chunk


def test_it_shows_what_is_done_and_how_far_it_is_and_leaves_nothing() -> None:
    program = OnATerminal("0")
    seen = program.until(b"25%")
    assert b"counting sheep" in seen
    assert program.finish().endswith(b"\x1b[2K"), "the line is erased"


def test_without_colour_where_nobody_wants_any() -> None:
    program = OnATerminal("0", NO_COLOR="1")
    seen = program.until(b"25%") + program.finish()
    assert b"\x1b[3" not in seen


def test_what_is_quick_shows_nothing() -> None:
    assert OnATerminal("60").finish() == b""


def test_where_nobody_looks_nothing_is_written(capfd: pytest.CaptureFixture[str]) -> None:
    with working("counting sheep") as at:
        at(1, 4)
    assert capfd.readouterr() == ("", "")


def test_a_thread_of_a_command_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal:
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    assert progress._somebody_looks()
    looked: list[bool] = []
    thread = threading.Thread(target=lambda: looked.append(progress._somebody_looks()))
    thread.start()
    thread.join(20)
    assert looked == [False]
