"""Whatever the bytes: a message is read in one way only, written as it was read, or refused; nothing raises."""

import json
from collections.abc import Callable
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from gateway.jsonrpc import Message, Number, Refusal, loads, parse, parse_upstream, serialise
from tests.fuzz.messages import ENVELOPES, lines

REFUSALS = {-32700, -32600, -32602}
FRACTIONS = st.floats(allow_nan=False, allow_infinity=False).map(repr).map(Number)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | FRACTIONS,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def reading(data: bytes, choose: Callable[[list[tuple[str, Any]]], Any] = list) -> Any:
    """How another parser reads a text, numbers as they are written; by default every pair in its order."""
    return json.loads(data, object_pairs_hook=choose, parse_int=lambda text: [text], parse_float=lambda text: [text, 0])


def first(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return dict(reversed(pairs))


@given(st.binary() | lines())
@example(b"\xff")
@example(b'{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":1e-99999999999999999999}}')
@example(b'"' + b'\\"' * 5000 + b"[" * 200)
@example(b'{"jsonrpc":"2.0","id":1,"method":"m","' + "\u0301\u0323".encode() * 5000 + b'":1}')
def test_a_line_is_a_message_or_is_refused(line: bytes) -> None:
    message = parse(line)
    if isinstance(message, Refusal):
        assert message.code in REFUSALS
        assert message.message
    else:
        assert message.raw == line
        assert message.kind in ("request", "notification", "response")


@given(lines())
def test_what_is_written_is_what_was_read_by_whatever_parser(line: bytes) -> None:
    message = parse(line)
    if isinstance(message, Message):
        written = serialise(message.body)
        assert reading(written) == reading(line), "every key once, in its order, every number as it was written"
        assert reading(line, first) == reading(line, dict)
        again = parse(written)
        assert isinstance(again, Message)
        assert (again.body, again.kind, again.id, again.method) == (
            message.body,
            message.kind,
            message.id,
            message.method,
        )


@given(lines())
def test_a_call_is_recognised_by_its_method_and_complete(line: bytes) -> None:
    message = parse(line)
    if isinstance(message, Message) and message.body.get("method") == "tools/call":
        assert message.kind == "request"
        assert message.id is not None
        assert type(message.id) in (int, str)
        assert isinstance(message.params["name"], str)
        assert isinstance(message.params.get("arguments", {}), dict)


@given(VALUES)
def test_a_value_is_written_on_one_line_and_read_back_equal(value: Any) -> None:
    text = serialise(value)
    assert not {b"\n", b"\r"} & {text[place : place + 1] for place in range(len(text))}
    assert loads(text.decode()) == value
    assert serialise(loads(text.decode())) == text


@given(st.binary() | lines() | ENVELOPES.map(lambda text: ("\ufeff" + text.replace(",", ",\r\n")).encode()))
@example(b'{"jsonrpc":"2.0","id":1,"result":{"a":' + b'{"a":' * 400 + b"1.5" + b"}" * 400 + b',"b":1,"b":2}}')
@example(b'{"jsonrpc":"2.0","id":1,"result":"\\ud800","a":1,"a":2}')
@example(b'{"jsonrpc":"2.0","id":1,"result":' + b"9" * 5000 + b"}")
def test_what_the_upstream_says_goes_to_the_client_on_one_line_with_one_reading(data: bytes) -> None:
    message = parse_upstream(data)
    if isinstance(message, Message):
        assert b"\n" not in message.raw
        assert b"\r" not in message.raw
        assert not message.raw.startswith(b"\xef\xbb\xbf")
        assert reading(message.raw, dict) == reading(message.raw, first)
        assert reading(message.raw, dict) == reading(data.removeprefix(b"\xef\xbb\xbf"), dict)
