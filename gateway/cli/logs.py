"""Where the gateway says what it does: standard error, and a rotating file beside it.

Standard output is the protocol. A log file that cannot be written is said once and costs nothing else. Writing is the
work of a thread: a client that does not read standard error must not hold up a call, so what does not fit into the
queue is dropped, and counted.
"""

import logging
import os
import queue
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final, cast

from gateway.disk import make_private, why

_FORMAT: Final = "%(asctime)s %(levelname)s %(process)d %(name)s: %(message)s"
_FILE_BYTES: Final = 2 * 2**20
_FILES: Final = 3
_WAITING: Final = 10_000
_CLOSING_SECONDS: Final = 0.2


class _Queue(logging.Handler):
    """Hands records to a thread that writes them."""

    def __init__(self, handlers: Sequence[logging.Handler]) -> None:
        super().__init__()
        self._handlers = handlers
        self._records: queue.Queue[logging.LogRecord | None] = queue.Queue(_WAITING)
        self._dropped = 0
        self._thread = threading.Thread(target=self._write, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._records.put_nowait(record)
        except queue.Full:
            self._dropped += 1

    def close(self) -> None:
        """Write what waits, unless that takes long."""
        with suppress(queue.Full):
            self._records.put_nowait(None)
        self._thread.join(_CLOSING_SECONDS)
        if not self._thread.is_alive():
            for handler in self._handlers:
                handler.close()
        super().close()

    def _write(self) -> None:
        while (record := self._records.get()) is not None:
            dropped, self._dropped = self._dropped, 0
            if dropped:
                text = f"{dropped} lines of the log were dropped: nobody reads standard error"
                self._hand(logging.LogRecord(__name__, logging.WARNING, __file__, 0, text, None, None))
            self._hand(record)

    def _hand(self, record: logging.LogRecord) -> None:
        for handler in self._handlers:
            if record.levelno >= handler.level:
                handler.handle(record)


def start(level: str, file: Path | None, *, least_said: str = "debug") -> None:
    """Begin logging. The file is made with mode 0600, its folder with 0700.

    `least_said` is the level from which on standard error gets it as well.
    """
    root = logging.getLogger()
    root.setLevel(level.upper())
    console = logging.StreamHandler(sys.stderr)
    console.setLevel(least_said.upper())
    console.setFormatter(logging.Formatter("keyid-gateway: %(levelname)s: %(message)s"))
    handlers: list[logging.Handler] = [console]
    unwritable: OSError | None = None
    if file is not None:
        try:
            handlers.append(_file(file))
        except OSError as error:
            unwritable = error
    root.addHandler(_Queue(handlers))
    logging.getLogger("asyncio").setLevel("WARNING")
    if unwritable is not None:
        root.warning("the log file `%s` cannot be written: %s", file, why(unwritable))


def stop() -> None:
    """Write what waits, unless that takes long; `logging.shutdown` would wait for whoever is writing."""
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, _Queue)]:
        root.removeHandler(handler)
        handler.close()


def keep(file: Path, text: str) -> bool:
    """Add `text` to the log file without starting to log; whether that was possible."""
    try:
        handler = _file(file)
    except OSError:
        return False
    handler.emit(logging.LogRecord(__name__, logging.ERROR, __file__, 0, text, None, None))
    handler.close()
    return True


class _PrivateFile(RotatingFileHandler):
    """A rotating file that stays the user's own: every file of it has mode 0600, one of an older version too."""

    def _open(self) -> TextIOWrapper:
        stream = open(self.baseFilename, self.mode, encoding=self.encoding, opener=_private)  # noqa: SIM115 # handed on
        Path(self.baseFilename).chmod(0o600)
        return cast(TextIOWrapper, stream)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _file(path: Path) -> RotatingFileHandler:
    make_private(path.parent)
    handler = _PrivateFile(path, maxBytes=_FILE_BYTES, backupCount=_FILES, encoding="utf-8")
    handler.setFormatter(logging.Formatter(_FORMAT))
    return handler
