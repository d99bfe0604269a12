"""However bytes are cut on their way, they are the same lines and the same events."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.stdio import TOO_LONG, Lines
from gateway.upstream.sse import EventStream
from scripts.fuzz_lib.oracles import events_of, pieces

LIMIT = 12
LINE_BYTES = st.lists(st.sampled_from([b"\n", b"\r", b" ", b"a", "\u2028".encode(), b"\x00", b"\xff", b"{}", b"bcd"]))
SSE_PARTS = [b"\n", b"\r", b"\r\n", b"data:", b"data: ", b"data", b":", b"event: x", b"id: 1", b"retry: 5", b"a", b" "]
SSE_BYTES = st.lists(st.sampled_from([*SSE_PARTS, b"\xef\xbb\xbf", b"\x00", b"\xff", "\u2028".encode(), b"\n\n"]))


@given(LINE_BYTES, st.lists(st.integers(min_value=0)))
def test_lines_are_what_stands_between_line_feeds(parts: list[bytes], places: list[int]) -> None:
    data = b"".join(parts)
    lines = Lines(LIMIT)
    found = [line for piece in pieces(data, places) for line in lines.feed(piece)] + lines.end()
    expected = [TOO_LONG if len(line) > LIMIT else line for line in data.split(b"\n")]
    assert found == [line for line in expected if line.strip()]


@given(SSE_BYTES, st.lists(st.integers(min_value=0)))
def test_events_do_not_depend_on_how_their_bytes_are_cut(parts: list[bytes], places: list[int]) -> None:
    data = b"".join(parts)
    stream = EventStream(2**20)
    assert [event for piece in pieces(data, places) for event in stream.feed(piece)] == events_of(data)
