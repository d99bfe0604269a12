"""What is judged is what is relayed: a text that two parsers may read in two ways is refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.jsonrpc import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    PARSE_ERROR,
    Message,
    Number,
    Refusal,
    is_id,
    parse,
    parse_upstream,
)

CALL = '"jsonrpc":"2.0","id":1,"method":"tools/call"'


def refusal(line: str | bytes, **options: int) -> Refusal:
    found = parse(line if isinstance(line, bytes) else line.encode(), **options)
    assert isinstance(found, Refusal)
    return found


def accepted(line: str | bytes) -> Message:
    found = parse(line if isinstance(line, bytes) else line.encode())
    assert isinstance(found, Message), found
    return found


# --- messages of the client -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "kind", "identifier", "method"),
    [
        ('{"jsonrpc":"2.0","id":1,"method":"ping"}', "request", 1, "ping"),
        ('{"jsonrpc":"2.0","id":"","method":"ping","params":{}}', "request", "", "ping"),
        ('{"jsonrpc":"2.0","id":0,"method":"ping"}', "request", 0, "ping"),
        ('{"jsonrpc":"2.0","id":12345678901234567890,"method":""}', "request", 12345678901234567890, ""),
        ('{"jsonrpc":"2.0","method":"notifications/x"}', "notification", None, "notifications/x"),
        ('{"jsonrpc":"2.0","id":1,"result":null}', "response", 1, ""),
        ('{"jsonrpc":"2.0","id":"a","error":{}}', "response", "a", ""),
        ('{"jsonrpc":"2.0","id":1,"method":"ping","extra":{"a":1}}', "request", 1, "ping"),
        ("{" + CALL + ',"params":{"name":"x"}}', "request", 1, "tools/call"),
        ("{" + CALL + ',"params":{"name":"","arguments":{},"more":1}}', "request", 1, "tools/call"),
    ],
)
def test_a_message_is_what_its_members_say(line: str, kind: str, identifier: str | int | None, method: str) -> None:
    message = accepted(line)
    assert (message.kind, message.id, message.method, message.raw) == (kind, identifier, method, line.encode())


@pytest.mark.parametrize(
    ("line", "code", "words", "identifier"),
    [
        ('[{"jsonrpc":"2.0","id":1,"method":"ping"}]', INVALID_REQUEST, "batches are not supported", None),
        ("[]", INVALID_REQUEST, "batches are not supported", None),
        ('"ping"', INVALID_REQUEST, "a message is a JSON object", None),
        ("null", INVALID_REQUEST, "a message is a JSON object", None),
        ("{}", INVALID_REQUEST, '`jsonrpc` must be "2.0"', None),
        ('{"jsonrpc":"2.0"}', INVALID_REQUEST, "a message has a `method`, or an `id` and a `result`", None),
        ('{"jsonrpc":"1.0","id":1,"method":"x"}', INVALID_REQUEST, '`jsonrpc` must be "2.0"', 1),
        ('{"jsonrpc":2.0,"id":1,"method":"x"}', INVALID_REQUEST, '`jsonrpc` must be "2.0"', 1),
        ('{"jsonrpc":"2.0","id":null,"method":"x"}', INVALID_REQUEST, "`id` must be a string or an integer", None),
        ('{"jsonrpc":"2.0","id":1.0,"method":"x"}', INVALID_REQUEST, "`id` must be a string or an integer", None),
        ('{"jsonrpc":"2.0","id":true,"method":"x"}', INVALID_REQUEST, "`id` must be a string or an integer", None),
        ('{"jsonrpc":"2.0","id":[1],"method":"x"}', INVALID_REQUEST, "`id` must be a string or an integer", None),
        ('{"jsonrpc":"2.0","id":-0,"method":"x"}', INVALID_REQUEST, "`id` must be a string or an integer", None),
        ('{"jsonrpc":"2.0","id":1,"method":7}', INVALID_REQUEST, "`method` must be a string", 1),
        ('{"jsonrpc":"2.0","id":1,"method":"x","result":1}', INVALID_REQUEST, "no `result` and no `error`", 1),
        ('{"jsonrpc":"2.0","id":1,"method":"x","params":[]}', INVALID_REQUEST, "`params` must be an object", 1),
        ('{"jsonrpc":"2.0","id":1,"result":1,"error":{}}', INVALID_REQUEST, "either a `result` or an `error`", 1),
        ('{"jsonrpc":"2.0","id":1}', INVALID_REQUEST, "either a `result` or an `error`", 1),
        ('{"jsonrpc":"2.0","id":1,"Method":"x"}', INVALID_REQUEST, "a key that reads like `method`", 1),
        ('{"jsonrpc":"2.0","id":1,"method":"x","METHOD":"y"}', INVALID_REQUEST, "differ only by case", 1),
        ('{"jsonrpc":"2.0","id":1,"method":"x","param\u017f":{}}', INVALID_REQUEST, "reads like `params`", 1),
        ('{"jsonrpc":"2.0","id":1,"method":"x","i\u200bd":2}', INVALID_REQUEST, "differ only by case", 1),
        ('{"jsonrpc":"2.0","method":"tools/call","params":{"name":"x"}}', INVALID_REQUEST, "needs an `id`", None),
        ("{" + CALL + "}", INVALID_PARAMS, "`params` of `tools/call` must be an object", 1),
        ("{" + CALL + ',"params":[]}', INVALID_PARAMS, "`params` of `tools/call` must be an object", 1),
        ("{" + CALL + ',"params":{}}', INVALID_PARAMS, "`name` of `tools/call` must be a string", 1),
        ("{" + CALL + ',"params":{"name":7}}', INVALID_PARAMS, "`name` of `tools/call` must be a string", 1),
        ("{" + CALL + ',"params":{"name":"x","arguments":null}}', INVALID_PARAMS, "must be an object", 1),
        ("{" + CALL + ',"params":{"name":"x","arguments":"{}"}}', INVALID_PARAMS, "must be an object", 1),
        ("{" + CALL + ',"params":{"name":"x","Arguments":{}}}', INVALID_REQUEST, "reads like `arguments`", 1),
        ("{" + CALL + ',"params":{"name":"x","Name":"y"}}', INVALID_REQUEST, "differ only by case", 1),
        ("{", PARSE_ERROR, "not valid JSON", None),
        ("\ufeff{}", PARSE_ERROR, "not valid JSON", None),
        ('{"a":NaN}', PARSE_ERROR, "`NaN` is not a number", None),
        ('{"a":1,"a":2}', INVALID_REQUEST, "an object has the same key twice", None),
        ('{"jsonrpc":"2.0","Id":7,"method":"x"}', INVALID_REQUEST, "a key that reads like `id`", 7),
        ('{"jsonrpc":"2.0","Id":7.5,"method":"x"}', INVALID_REQUEST, "a key that reads like `id`", None),
        ('{"jsonrpc":"2.0","Id":7,"result":1}', INVALID_REQUEST, "a key that reads like `id`", None),
    ],
)
def test_what_is_no_message_is_refused_with_the_right_code(
    line: str, code: int, words: str, identifier: int | None
) -> None:
    found = refusal(line)
    assert (found.code, found.id) == (code, identifier)
    assert words in found.message


TWICE = '"method":"tools/call","params":{"name":"x","name":"y"}'


@pytest.mark.parametrize(
    ("line", "identifier"),
    [
        ('{"jsonrpc":"2.0","id":1,' + TWICE + "}", 1),
        ('{"jsonrpc":"2.0",' + TWICE + ',"id":"é"}', "é"),
        ('{"jsonrpc":"2.0","Id":1,' + TWICE + "}", 1),
        ('{"jsonrpc":"2.0","id":1,"method":"a","method":"b"}', 1),
        ('{"jsonrpc":"2.0","id":1,"id":1,' + TWICE + "}", None),
        ('{"jsonrpc":"2.0","id":1,"ID":1,' + TWICE + "}", None),
        ('{"jsonrpc":"2.0","id":1,"i\\u0064":2,' + TWICE + "}", None),
        ('{"jsonrpc":"2.0","id":1.5,' + TWICE + "}", None),
        ('{"jsonrpc":"2.0","id":null,' + TWICE + "}", None),
        ('{"jsonrpc":"2.0","id":{"id":1},' + TWICE + "}", None),
        ('{"jsonrpc":"2.0","params":{"id":1},' + TWICE + "}", None),
        ('{"jsonrpc":"2.0","id":1,"result":{"a":1,"a":2}}', None),
        ('[{"jsonrpc":"2.0","id":1,' + TWICE + "}]", None),
    ],
)
def test_a_key_that_stands_twice_is_refused_to_whoever_asked(line: str, identifier: str | int | None) -> None:
    found = refusal(line)
    assert (found.code, found.id) == (INVALID_REQUEST, identifier)


@pytest.mark.parametrize(("levels", "identifier"), [(20, 1), (600, None), (100_000, None)])
def test_what_is_nested_too_deep_is_refused_to_whoever_asked(levels: int, identifier: int | None) -> None:
    line = '{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":' + "[" * levels + "]" * levels + "}}"
    assert refusal(line, max_depth=8) == Refusal(INVALID_REQUEST, "nested deeper than 8 levels", identifier)


def test_what_is_not_utf_8_is_refused_where_it_is_not() -> None:
    assert refusal(b'{"a":"\xff"}') == Refusal(PARSE_ERROR, "not valid UTF-8 at byte 7")
    assert refusal(b"\xff\xfe{\x00}\x00").code == PARSE_ERROR
    assert refusal(b'"\xed\xa0\x80"').code == PARSE_ERROR


@pytest.mark.parametrize("other", ["tools/Call", " tools/call", "tools/call "])
def test_only_the_exact_method_is_a_call(other: str) -> None:
    message = accepted(json.dumps({"jsonrpc": "2.0", "id": 1, "method": other, "params": {}}))
    assert message.method == other


@given(st.binary(max_size=200))
def test_any_line_is_a_message_or_a_refusal(line: bytes) -> None:
    assert isinstance(parse(line), Message | Refusal)
    assert isinstance(parse_upstream(line), Message | Refusal)


def test_params_and_meta_are_mappings_whatever_was_sent() -> None:
    assert accepted('{"jsonrpc":"2.0","id":1,"method":"x"}').params == {}
    assert accepted('{"jsonrpc":"2.0","id":1,"method":"x","params":{"_meta":7}}').meta == {}
    assert accepted('{"jsonrpc":"2.0","id":1,"method":"x","params":{"_meta":{"a":1}}}').meta == {"a": 1}


def test_an_id_is_a_text_or_a_whole_number() -> None:
    assert all(map(is_id, ["", "a", 0, -1, 2**80]))
    assert not any(map(is_id, [None, True, 1.0, Number("1.0"), [], {}]))


# --- messages of the upstream -----------------------------------------------------------------------------------------


def of_upstream(data: bytes) -> Message:
    message = parse_upstream(data)
    assert isinstance(message, Message), message
    return message


@pytest.mark.parametrize(
    "data",
    [
        b'{ "jsonrpc" : "2.0", "id":1, "result": {"n": 1.50} }',
        b'{"jsonrpc":"2.0","id":1,"result":"\\ud800"}',
        b'{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"m"}}',
        b'{"jsonrpc":"2.0","id":1.5,"result":{}}',
        b'{"jsonrpc":"2.0","method":"notifications/x","params":[1]}',
    ],
)
def test_an_answer_of_one_line_passes_as_it_came(data: bytes) -> None:
    assert of_upstream(data).raw == data


@pytest.mark.parametrize(
    ("data", "raw"),
    [
        (b'{"jsonrpc":"2.0",\n"id":1,\r\n"result":{}}', b'{"jsonrpc":"2.0","id":1,"result":{}}'),
        (b'\xef\xbb\xbf{"jsonrpc":"2.0","id":1,"result":{}}', b'{"jsonrpc":"2.0","id":1,"result":{}}'),
        (b'{"jsonrpc":"2.0","id":1,"result":1,"id":2}', b'{"jsonrpc":"2.0","id":2,"result":1}'),
        (b'{"jsonrpc":"2.0","id":1,"result":{"a":1,"a":2.0}}', b'{"jsonrpc":"2.0","id":1,"result":{"a":2.0}}'),
    ],
)
def test_an_answer_that_clients_might_read_in_two_ways_is_written_anew(data: bytes, raw: bytes) -> None:
    assert of_upstream(data).raw == raw


@pytest.mark.parametrize(
    "data",
    [
        b"", b"null", b"[]", b"7", b"{", b"{}", b"<html>", b'{"jsonrpc":"2.0"}', b'{"jsonrpc":"1.0","id":1,"result":1}',
        b'{"jsonrpc":"2.0","id":1,"result":NaN}', b'{"jsonrpc":"2.0","id":1}', b'{"jsonrpc":"2.0","id":1,"method":7}',
        b'{"jsonrpc":"2.0","id":1,"result":1,"error":{}}', b'{"jsonrpc":"2.0","id":null,"method":"x"}',
        b'{"jsonrpc":"2.0","id":1,"method":"x","result":1}', b'{"jsonrpc":"2.0","id":1,"result":"\xff"}',
        b'{"jsonrpc":"2.0","id":1,"result":' + b"[" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_message_of_an_upstream_is_refused(data: bytes) -> None:
    assert isinstance(parse_upstream(data), Refusal)
