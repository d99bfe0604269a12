"""That something takes long: a line on standard error while it does, gone when it is over.

Only on a terminal, and only after a moment: what is quick shows nothing. Nobody imports this on the way of `run`.
"""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeAlias

from gateway.cli.screen import on_terminal

if TYPE_CHECKING:
    from rich.progress import Progress

At: TypeAlias = Callable[[int, int], None]
"""Told how far it is, and of how much."""
SECONDS: Final = 0.4
"""What takes no longer than this shows nothing."""


@contextmanager
def working(what: str) -> Iterator[At]:
    """Show what is being done for as long as the block runs; what it yields is told how far that is."""
    if not _somebody_looks():
        yield _untold
        return
    shown = _Shown(what)
    try:
        yield shown.at
    finally:
        shown.end()


def _somebody_looks() -> bool:
    """Whether standard error is a terminal; on threads of a command nothing is shown, because others print there."""
    return on_terminal(sys.stderr) and threading.current_thread() is threading.main_thread()


def _untold(done: int, of: int) -> None:
    del done, of


class _Shown:
    """The line, from when it is worth showing until its end."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._far: tuple[int, int] | None = None
        self._over = False
        self._progress: Progress | None = None
        self._lock = threading.Lock()
        self._soon = threading.Timer(SECONDS, self._begin)
        self._soon.daemon = True
        self._soon.start()

    def at(self, done: int, of: int) -> None:
        """It is so far."""
        with self._lock:
            self._far = (done, of)
            if self._progress is not None:
                self._progress.update(self._progress.task_ids[0], completed=done, total=of)

    def end(self) -> None:
        """It is over: nothing of it stays."""
        self._soon.cancel()
        with self._lock:
            self._over = True
            if self._progress is not None:
                self._progress.stop()

    def _begin(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn

        screen = Console(stderr=True, highlight=False, markup=False, emoji=False)
        columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
        far = (BarColumn(24), TaskProgressColumn()) if self._far is not None else ()
        with self._lock:
            if self._over or screen.is_dumb_terminal:
                return
            self._progress = Progress(*columns[:2], *far, columns[2], console=screen, transient=True)
            done, of = self._far or (0, None)
            self._progress.add_task(self._what, total=of, completed=done)
            self._progress.start()
