"""Server-sent events: the same events however the bytes are cut, within bounds, in linear time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import UpstreamError
from gateway.upstream.sse import Event, EventStream

CASES: dict[str, tuple[bytes, list[Event]]] = {
    "one event": (b"data: hello\n\n", [Event("message", b"hello")]),
    "a name": (b"event: note\ndata: x\n\n", [Event("note", b"x")]),
    "the name is forgotten": (b"event: a\ndata: 1\n\ndata: 2\n\n", [Event("a", b"1"), Event("message", b"2")]),
    "several lines": (b"data: a\ndata: b\ndata:\n\n", [Event("message", b"a\nb\n")]),
    "only one space goes": (b"data:  x \n\n", [Event("message", b" x ")]),
    "no space": (b"data:x\n\n", [Event("message", b"x")]),
    "no colon": (b"data\ndata: x\n\n", [Event("message", b"\nx")]),
    "comments": (b": ping\n\n:\ndata: x\n:y\n\n", [Event("message", b"x")]),
    "unknown fields": (b"foo: bar\nData: no\ndata : no\ndata: x\n\n", [Event("message", b"x")]),
    "nothing in it": (b"id: 7\ndata:\n\nevent: e\n\ndata: x\n\n", [Event("message", b"x")]),
    "not ended": (b"data: x\n\ndata: y\n", [Event("message", b"x")]),
    "CRLF": (b"data: a\r\ndata: b\r\n\r\n", [Event("message", b"a\nb")]),
    "CR": (b"data: a\rdata: b\r\r", [Event("message", b"a\nb")]),
    "mixed": (b"data: a\r\ndata: b\n\rdata: c\r\r\n", [Event("message", b"a\nb"), Event("message", b"c")]),
    "CRLF then LF": (b"data: a\r\n\ndata: b\r\n\n", [Event("message", b"a"), Event("message", b"b")]),
    "a byte order mark": (b"\xef\xbb\xbfdata: x\n\n", [Event("message", b"x")]),
    "a mark later on": (b"data: x\n\n\xef\xbb\xbfdata: y\n\n", [Event("message", b"x")]),
    "other line ends": ("data: a\u2028b\u0085c\vd\n\n".encode(), [Event("message", "a\u2028b\u0085c\vd".encode())]),
}


def read(chunks: list[bytes], max_bytes: int = 10_000) -> list[Event]:
    stream = EventStream(max_bytes)
    return [event for chunk in chunks for event in stream.feed(chunk)]


@pytest.mark.parametrize(("data", "events"), CASES.values(), ids=CASES.keys())
def test_events_are_read_as_the_standard_says_whole_and_byte_by_byte(data: bytes, events: list[Event]) -> None:
    assert read([data]) == events
    assert read([data[index : index + 1] for index in range(len(data))]) == events


@given(
    st.lists(st.sampled_from([b"data", b":", b" ", b"x", b"\r", b"\n", b"\xef\xbb\xbf", b"event", b"id"])), st.data()
)
def test_events_do_not_depend_on_how_the_bytes_are_cut(pieces: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)))))
    chunks = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert read(chunks) == read([whole])


def test_the_last_id_and_the_retry_time_are_kept() -> None:
    stream = EventStream(100)
    stream.feed(b"id: 1\nretry: 1500\n\nid: 2\0\nretry: soon\nretry: -1\nretry: 12345678901\n\n")
    assert (stream.last_id, stream.retry_seconds) == ("1", 1.5)
    stream.feed(b"id\n\n")
    assert stream.last_id == ""


def test_the_id_of_an_event_counts_once_the_event_is_whole_and_outlives_the_connection() -> None:
    stream = EventStream(100)
    assert stream.feed(b"id: 1\ndata: a\n\nid: 2\nretry: 20\nevent: x\ndata: lost") == [Event("message", b"a")]
    stream.begin()
    assert stream.feed(b"\n\xef\xbb\xbfdata: b\n\n") == []  # what was incomplete belongs to no other connection
    assert stream.feed(b"data: c\n\n") == [Event("message", b"c")]
    assert (stream.last_id, stream.retry_seconds) == ("1", 0.02)
    stream.forget()
    assert (stream.feed(b"data: d\n\n"), stream.last_id) == ([Event("message", b"d")], "")


@pytest.mark.parametrize("value", [b"a\0", b"\x01", b"a\x7f", b"\x1b[0m"])
def test_an_id_that_no_header_can_carry_is_none(value: bytes) -> None:
    stream = EventStream(100)
    stream.feed(b"id: good\n\nid: " + value + b"\n\n")
    assert stream.last_id == "good"


@pytest.mark.parametrize("line", [b"data: " + b"x" * 50, b"data: " + b"x" * 50 + b"\n"])
def test_an_event_without_end_is_refused_where_it_passes_the_bound(line: bytes) -> None:
    with pytest.raises(UpstreamError) as refused:
        read([line] * 100, 1000)
    assert str(refused.value) == "the upstream sent an event of more than 1000 bytes\nhint: raise `--max-message-bytes`"


def test_an_event_of_the_largest_size_passes_whole_and_in_pieces() -> None:
    data = b"data: " + b"x" * 1000 + b"\n\n"
    assert read([data], 1000) == read([data[:7], data[7:600], data[600:]], 1000) == [Event("message", b"x" * 1000)]


def test_what_is_no_data_never_adds_up_to_the_bound() -> None:
    assert read([b": still here\n\n" * 100] * 100, 1000) == []
    assert len(read([b"data: x\n\n" * 100] * 100, 1000)) == 10_000
