"""Server-sent events, read incrementally and within bounds (WHATWG HTML, section 9.2.6).

Only what streamable HTTP needs: the data of each event, the last id, the retry time. Time is linear in the bytes fed,
however they are cut.
"""

import re
from dataclasses import dataclass

from gateway.errors import UpstreamError

_LINE_END = re.compile(rb"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"
_FRAMING_BYTES = 64
_ID = re.compile(rb"[^\0-\x08\x0a-\x1f\x7f]*")
"""What an id is made of: one that a header cannot carry could not be asked for."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its name (`message` unless said otherwise) and its data."""

    name: str
    data: bytes


class EventStream:
    """Feed it bytes, take events. `last_id` and `retry_seconds` are what a resumption needs.

    The last id is that of the last *whole* event: one that was cut in its middle is still to come.
    """

    def __init__(self, max_bytes: int) -> None:
        self.last_id = ""
        self.retry_seconds = 0.0
        self._max_bytes = max_bytes
        self.begin()

    def begin(self) -> None:
        """A connection begins: what another left incomplete is dropped, the last id and the retry time stay."""
        self._id = self.last_id
        self._partial: list[bytes] = []
        self._partial_size = 0
        self._data: list[bytes] = []
        self._data_size = 0
        self._name = "message"
        self._after_return = False
        self._started = False

    def forget(self) -> None:
        """Forget the last id: what comes is a stream from now on."""
        self.last_id = self._id = ""

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that this chunk completes. Raises `UpstreamError` where one grows beyond the bound."""
        if self._after_return and chunk:  # a line ended with this `\r`, whether or not a `\n` belongs to it
            self._after_return = False
            chunk = chunk.removeprefix(b"\n")
        if not chunk:
            return []
        self._after_return = chunk.endswith(b"\r")
        *lines, rest = _LINE_END.split(chunk)
        events = [event for line in lines if (event := self._line(self._whole(line))) is not None]
        self._partial.append(rest)
        self._partial_size += len(rest)
        self._check_size()
        return events

    def _whole(self, end: bytes) -> bytes:
        """The line that `end` completes, without the mark that a stream may begin with."""
        line = b"".join([*self._partial, end])
        self._partial, self._partial_size = [], 0
        if not self._started:
            self._started = True
            line = line.removeprefix(_BOM)
        return line

    def _check_size(self) -> None:
        if self._partial_size + self._data_size > self._max_bytes + _FRAMING_BYTES:
            raise UpstreamError(
                f"the upstream sent an event of more than {self._max_bytes} bytes", "raise `--max-message-bytes`"
            )

    def _line(self, line: bytes) -> Event | None:
        if not line:
            return self._dispatch()
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        match field:
            case b"data":
                self._data.append(value)
                self._data_size += len(value) + 1
                self._check_size()
            case b"event":
                self._name = value.decode("utf-8", "replace") or "message"  # an empty name is none (WHATWG, 9.2.6)
            case b"id" if _ID.fullmatch(value):
                self._id = value.decode("utf-8", "replace")
            case b"retry" if value.isdigit() and len(value) < 10:
                self.retry_seconds = int(value) / 1000
        return None

    def _dispatch(self) -> Event | None:
        self.last_id = self._id
        data, name = self._data, self._name
        self._data, self._data_size, self._name = [], 0, "message"
        return Event(name, b"\n".join(data)) if any(data) else None
