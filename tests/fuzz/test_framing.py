"""However bytes are cut on their way, they are the same lines and the same events."""

import re

from hypothesis import given
from hypothesis import strategies as st

from gateway.stdio import TOO_LONG, Lines
from gateway.upstream.sse import Event, EventStream

LIMIT = 12
LINE_BYTES = st.lists(st.sampled_from([b"\n", b"\r", b" ", b"a", "\u2028".encode(), b"\x00", b"\xff", b"{}", b"bcd"]))
SSE_PARTS = [b"\n", b"\r", b"\r\n", b"data:", b"data: ", b"data", b":", b"event: x", b"id: 1", b"retry: 5", b"a", b" "]
SSE_BYTES = st.lists(st.sampled_from([*SSE_PARTS, b"\xef\xbb\xbf", b"\x00", b"\xff", "\u2028".encode(), b"\n\n"]))


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """The bytes in pieces, cut at these places."""
    ends = sorted(place % (len(data) + 1) for place in places)
    return [data[start:end] for start, end in zip([0, *ends], [*ends, len(data)], strict=True)]


@given(LINE_BYTES, st.lists(st.integers(min_value=0)))
def test_lines_are_what_stands_between_line_feeds(parts: list[bytes], places: list[int]) -> None:
    data = b"".join(parts)
    lines = Lines(LIMIT)
    found = [line for piece in cut(data, places) for line in lines.feed(piece)] + lines.end()
    expected = [TOO_LONG if len(line) > LIMIT else line for line in data.split(b"\n")]
    assert found == [line for line in expected if line.strip()]


def events_of(data: bytes) -> list[Event]:
    """The events of a whole stream, as the standard says it (WHATWG HTML, section 9.2.6)."""
    *lines, _ = re.split(rb"\r\n|\n|\r", data.removeprefix(b"\xef\xbb\xbf"))
    events: list[Event] = []
    values: list[bytes] = []
    name = b""
    for line in lines:
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if not line:
            if any(values):
                events.append(Event(name.decode("utf-8", "replace") or "message", b"\n".join(values)))
            values, name = [], b""
        elif field == b"data":
            values.append(value)
        elif field == b"event":
            name = value
    return events


@given(SSE_BYTES, st.lists(st.integers(min_value=0)))
def test_events_do_not_depend_on_how_their_bytes_are_cut(parts: list[bytes], places: list[int]) -> None:
    data = b"".join(parts)
    stream = EventStream(2**20)
    assert [event for piece in cut(data, places) for event in stream.feed(piece)] == events_of(data)
