"""Where the gateway says what it does: standard error, and a rotating file beside it.

Standard output is the protocol. A log file that cannot be written is said once and costs nothing else.
"""

import logging
import os
import sys
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final, cast

_FORMAT: Final = "%(asctime)s %(levelname)s %(process)d %(name)s: %(message)s"
_FILE_BYTES: Final = 2 * 2**20
_FILES: Final = 3


def start(level: str, file: Path | None) -> None:
    """Begin logging. The file is made with mode 0600, its folder with 0700."""
    root = logging.getLogger()
    root.setLevel(level.upper())
    console = logging.StreamHandler(sys.stderr)
    console.setFormatter(logging.Formatter("keyid-gateway: %(levelname)s: %(message)s"))
    root.addHandler(console)
    for noisy in ("asyncio", "aiohttp"):
        logging.getLogger(noisy).setLevel("WARNING")
    if file is not None:
        try:
            root.addHandler(_file(file))
        except OSError as error:
            root.warning("the log file `%s` cannot be written: %s", file, (error.strerror or str(error)).lower())


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
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handler = _PrivateFile(path, maxBytes=_FILE_BYTES, backupCount=_FILES, encoding="utf-8")
    handler.setFormatter(logging.Formatter(_FORMAT))
    return handler
