"""The oracles of `scripts/fuzz`, on what hypothesis makes up; and that an oracle notices where something is wrong."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.jsonrpc import Message, Refusal, parse
from scripts.fuzz_lib import oracles
from tests.fuzz.messages import ENVELOPES, lines

STREAMS = st.lists(
    st.sampled_from([b"\n", b"\r", b"data: {}", b"event: x", b"event:\n", b"id: 1", b"retry: 5", b":", b"\xff"])
)
ANSWERS = ENVELOPES.map(lambda text: ("\ufeff" + text.replace('"method"', '"result"').replace(",", ",\r\n")).encode())


@given(lines() | st.binary())
def test_a_line_of_a_client_has_one_reading_or_a_reason_to_be_refused(line: bytes) -> None:
    oracles.client_line(line)


@given(lines() | ANSWERS | st.binary())
def test_what_goes_on_to_the_client_is_what_the_upstream_said(data: bytes) -> None:
    oracles.upstream_text(data)


@given(STREAMS, st.lists(st.integers(min_value=0), max_size=4))
def test_the_events_of_a_stream_are_those_of_the_standard(parts: list[bytes], places: list[int]) -> None:
    oracles.event_stream(b"".join(parts), places)


FINE = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"n":1.50}}}'


def test_every_oracle_takes_what_is_right() -> None:
    oracles.client_line(FINE)
    oracles.upstream_text(b'{"jsonrpc":"2.0","id":1,"result":{"a":1,"a":2,"s":"\\ud800"}}')
    oracles.event_stream(b"id: 1\r\ndata: {}\r\n\r\n", [1, 9])


def other(change: Callable[[Message], Message]) -> Callable[[bytes], object]:
    """A parser that reads one thing, and says another."""

    def parsed(line: bytes) -> object:
        message = parse(line)
        return change(message) if isinstance(message, Message) else message

    return parsed


@pytest.mark.parametrize(
    ("line", "parser"),
    [
        (FINE.replace(b"1.50", b"NaN"), lambda line: Message("request", 1, "tools/call", {}, line)),
        (FINE.replace(b"1.50", b"1,'n':2".replace(b"'", b'"')), lambda line: Message("request", 1, "x", {}, line)),
        (FINE, lambda line: Message("request", 1, "tools/call", {"n": 1}, line)),
        (FINE, other(lambda one: Message(one.kind, one.id, "ping", one.body, one.raw))),
        (FINE, other(lambda one: Message(one.kind, one.id, one.method, one.body, b"{}"))),
        (FINE, lambda _: Refusal(-32700, "no")),
        (FINE, lambda _: Refusal(-1, "no")),
    ],
    ids=["no number", "a doubled key", "another body", "another method", "another line", "no reason", "no code"],
)
def test_a_parser_that_is_wrong_is_noticed(
    monkeypatch: pytest.MonkeyPatch, line: bytes, parser: Callable[[bytes], object]
) -> None:
    monkeypatch.setattr(oracles, "parse", parser)
    with pytest.raises(oracles.Broken):
        oracles.client_line(line)


@pytest.mark.parametrize(
    ("said", "read"),
    [
        (b'{"jsonrpc":"2.0","id":1,"result":{"a":1,"a":2}}', b'{"jsonrpc":"2.0","id":1,"result":{"a":1,"a":2}}'),
        (b'{"jsonrpc":"2.0","id":1,"result":{"a":1}}', b'{"jsonrpc":"2.0","id":1,"result":{"a":2}}'),
        (b'{"jsonrpc":"2.0","id":1,"result":{}}', b'{"jsonrpc":"2.0","id":1,\n"result":{}}'),
    ],
    ids=["a doubled key", "another value", "two lines"],
)
def test_an_upstream_that_is_read_in_two_ways_is_noticed(
    monkeypatch: pytest.MonkeyPatch, said: bytes, read: bytes
) -> None:
    monkeypatch.setattr(oracles, "parse_upstream", lambda _: Message("response", 1, "", {}, read))
    with pytest.raises(oracles.Broken):
        oracles.upstream_text(said)


def test_a_stream_that_is_read_otherwise_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oracles, "events_of", lambda _: [])
    with pytest.raises(oracles.Broken):
        oracles.event_stream(b"data: {}\n\n", [])
