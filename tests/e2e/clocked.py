"""The gateway with a clock that a test moves: `python -m tests.e2e.clocked OFFSET_FILE run …` (seconds in the file)."""

import asyncio
import os
import sys
import time
from pathlib import Path

from gateway import stdio
from gateway.app import serve
from gateway.settings import load, parse_flags


class FileClock:
    """The time of this machine, moved by what stands in a file."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def now(self) -> float:
        return time.time() + self._offset()

    def monotonic(self) -> float:
        return time.monotonic()

    def _offset(self) -> float:
        return float(self._file.read_text(encoding="utf-8")) if self._file.exists() else 0.0


def main() -> None:
    flags = parse_flags(sys.argv[3:])
    assert flags is not None
    source, sink = stdio.claim()
    asyncio.run(serve(load(flags, os.environ), source, sink, FileClock(Path(sys.argv[1]))))


if __name__ == "__main__":
    main()
