"""What reached the stand-in, in order: every HTTP request as raw text, every tool that ran, every cancellation.

An HTTP request is entered before anything parses it, so the journal is evidence of what a peer really sent.

Entries, one JSON object a line, `n` counting from 1 and `at` in seconds since the epoch:

    {"n", "at", "http": method, "path", "headers": {lower-case name: value}, "body": raw text}
    {"n", "at", "event": "tool", "name", "arguments"}
    {"n", "at", "event": "cancelled", "name", "arguments"}

Credentials do not enter: the values of `authorization` and `cookie` become "(present)". Bytes of a body that are
not UTF-8 become lone surrogates (PEP 383), so that they can be had back.
"""

import json
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from threading import Condition

from gateway.clock import Clock

Entry = dict[str, object]

NEWEST_KEPT = 200_000
_SECRET_HEADERS = frozenset({"authorization", "cookie"})


class Journal:
    """The newest entries in memory, and all of them in a file if one is named; safe to read from other threads."""

    def __init__(self, clock: Clock, path: Path | None = None, keep: int = NEWEST_KEPT) -> None:
        self._clock = clock
        self._entries: deque[Entry] = deque(maxlen=keep)
        self._count = 0
        self._changed = Condition()
        self._file = None if path is None else _open_private(path)

    def http(self, method: str, path: str, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> None:
        """Enter one HTTP request; `headers` and `body` as they came over the wire."""
        text = body.decode("utf-8", "surrogateescape")
        self._append({"http": method, "path": path, "headers": readable_headers(headers), "body": text})

    def event(self, kind: str, name: str, arguments: Mapping[str, object]) -> None:
        """Enter that the tool `name` ran ("tool") or was stopped ("cancelled")."""
        self._append({"event": kind, "name": name, "arguments": arguments})

    def entries(self) -> list[Entry]:
        """The entries still in memory, oldest first."""
        with self._changed:
            return list(self._entries)

    def wait_for(self, wanted: Callable[[Entry], bool], timeout: float) -> Entry | None:
        """The first entry that is `wanted`, waiting at most `timeout` seconds for it; None if none came.

        It blocks the calling thread, so it is not for the thread that serves.
        """
        with self._changed:
            return self._changed.wait_for(lambda: next(filter(wanted, self._entries), None), timeout) or None

    def close(self) -> None:
        """Close the file, if there is one; later entries are kept in memory only."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _append(self, facts: Entry) -> None:
        with self._changed:
            self._count += 1
            entry: Entry = {"n": self._count, "at": self._clock.now(), **facts}
            self._entries.append(entry)
            if self._file is not None:
                os.write(self._file, json.dumps(entry, separators=(",", ":")).encode() + b"\n")
            self._changed.notify_all()


def readable_headers(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers by lower-case name, repeated ones joined with a comma (RFC 9110, section 5.3), credentials hidden."""
    readable: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name = raw_name.decode("latin-1").lower()
        value = "(present)" if name in _SECRET_HEADERS else raw_value.decode("latin-1")
        readable[name] = f"{readable[name]}, {value}" if name in readable else value
    return readable


def _open_private(path: Path) -> int:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    if sys.platform != "win32":  # modes mean nothing there
        os.fchmod(descriptor, 0o600)
    return descriptor
