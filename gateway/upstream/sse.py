"""Server-sent events, read incrementally and within bounds (WHATWG HTML, section 9.2.6).

Only what streamable HTTP needs: the data of each event, the last id, the retry time. Time is linear in the bytes fed,
however they are cut.
"""

import re
from dataclasses import dataclass

from gateway.errors import UpstreamError

_LINE_END = re.compile(rb"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its name (`message` unless said otherwise) and its data."""

    name: str
    data: bytes


class EventStream:
    """Feed it bytes, take events. `last_id` and `retry_seconds` are what a resumption needs."""

    def __init__(self, max_bytes: int) -> None:
        self.last_id: str | None = None
        self.retry_seconds: float | None = None
        self._max_bytes = max_bytes
        self._size = 0
        self._partial: list[bytes] = []
        self._data: list[bytes] = []
        self._name = "message"
        self._skip_newline = False
        self._started = False

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that this chunk completes. Raises `UpstreamError` where one grows beyond the bound."""
        if not self._started and chunk:
            self._started = True
            chunk = chunk.removeprefix(_BOM)
        if self._skip_newline and chunk.startswith(b"\n"):
            chunk = chunk[1:]
        if not chunk:
            return []
        self._skip_newline = chunk.endswith(b"\r")
        self._grow(len(chunk))
        *lines, rest = _LINE_END.split(chunk)
        events: list[Event] = []
        for line in lines:
            event = self._line(b"".join([*self._partial, line]) if self._partial else line)
            self._partial = []
            if event is not None:
                events.append(event)
        if rest:
            self._partial.append(rest)
        if events:
            self._size = sum(map(len, self._partial)) + sum(map(len, self._data))
        return events

    def _grow(self, amount: int) -> None:
        self._size += amount
        if self._size > self._max_bytes + 65_536:
            raise UpstreamError(
                f"the upstream sent an event of more than {self._max_bytes} bytes", "raise --max-message-bytes"
            )

    def _line(self, line: bytes) -> Event | None:
        if not line:
            return self._dispatch()
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        match field:
            case b"data":
                self._data.append(value)
            case b"event":
                self._name = value.decode("utf-8", "replace")
            case b"id" if b"\0" not in value:
                self.last_id = value.decode("utf-8", "replace")
            case b"retry" if value.isdigit() and len(value) < 10:
                self.retry_seconds = int(value) / 1000
        return None

    def _dispatch(self) -> Event | None:
        data, name = self._data, self._name
        self._data, self._name = [], "message"
        return Event(name, b"\n".join(data)) if any(data) else None
