"""Headers are made from the judged body, so that header and body cannot disagree."""

import base64
import json

import pytest

from gateway.jsonrpc import Json, Message, parse
from gateway.upstream.headers import encode, header_arguments, is_modern, modern_headers

META = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}
BASE = {"MCP-Protocol-Version": "2026-07-28"}


def message(method: str, **params: object) -> Message:
    line = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": {"_meta": META, **params}})
    parsed = parse(line.encode())
    assert isinstance(parsed, Message)
    return parsed


def wrapped(text: str) -> str:
    return "=?base64?" + base64.b64encode(text.encode()).decode() + "?="


@pytest.mark.parametrize(
    ("meta", "modern"),
    [
        (META, True),
        ({}, False),
        ({"io.modelcontextprotocol/protocolVersion": 20260728}, False),
        ({"other": "x"}, False),
    ],
)
def test_a_message_that_names_its_revision_is_modern(meta: dict[str, object], modern: bool) -> None:
    assert is_modern(message("ping", _meta=meta)) is modern


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        (message("tools/call", name="send", arguments={}), "send"),
        (message("prompts/get", name="greet"), "greet"),
        (message("resources/read", uri="keyid://inbox/1"), "keyid://inbox/1"),
        (message("tasks/get", taskId="t-1"), "t-1"),
        (message("tasks/cancel", taskId="t-2", name="no"), "t-2"),
        (message("tools/list", name="no"), None),
        (message("resources/read", uri=7), None),
    ],
)
def test_method_and_name_stand_in_the_headers(sent: Message, name: str | None) -> None:
    named = {} if name is None else {"Mcp-Name": name}
    assert modern_headers(sent) == {**BASE, "Mcp-Method": sent.method, **named}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        ("with: colon, comma;", "with: colon, comma;"),
        ("", ""),
        (" padded", wrapped(" padded")),
        ("padded ", wrapped("padded ")),
        ("größe", wrapped("größe")),
        ("a\r\nX-Evil: 1", wrapped("a\r\nX-Evil: 1")),
        ("tab\there", wrapped("tab\there")),
        ("nul\0", wrapped("nul\0")),
        ("\u2028", wrapped("\u2028")),
        ("=?base64?YQ==?=", wrapped("=?base64?YQ==?=")),
        ("=?base64?not ended", "=?base64?not ended"),
        (True, "true"),
        (False, "false"),
        (7, "7"),
        (2**70, str(2**70)),
    ],
)
def test_a_value_that_a_header_cannot_carry_is_wrapped(value: Json, text: str) -> None:
    assert encode(value) == text


def test_a_number_keeps_its_text() -> None:
    sent = parse(b'{"jsonrpc":"2.0","id":1,"method":"x","params":{"n":1.50e0}}')
    assert isinstance(sent, Message)
    assert encode(sent.params["n"]) == "1.50e0"


SCHEMA: Json = {
    "type": "object",
    "properties": {
        "region": {"type": "string", "x-mcp-header": "Region"},
        "flag": {"type": "boolean", "x-mcp-header": "Flag"},
        "plain": {"type": "string"},
        "inner": {"type": "object", "properties": {"id": {"type": "integer", "x-mcp-header": "Inner-Id"}}},
        "bad": {"type": "string", "x-mcp-header": "Bad\r\nName"},
        "worse": {"type": "string", "x-mcp-header": 7},
        "list": {"type": "array", "x-mcp-header": "List"},
    },
}


def test_marked_arguments_stand_in_the_headers() -> None:
    assert isinstance(SCHEMA, dict)
    arguments = {"region": "é", "flag": True, "inner": {"id": 7}, "plain": "p", "bad": "b", "worse": "w", "list": [1]}
    sent = message("tools/call", name="t", arguments=arguments)
    marked = {"Mcp-Param-Region": wrapped("é"), "Mcp-Param-Flag": "true", "Mcp-Param-Inner-Id": "7"}
    assert modern_headers(sent, SCHEMA) == {**BASE, "Mcp-Method": "tools/call", "Mcp-Name": "t", **marked}


@pytest.mark.parametrize("arguments", [{}, {"region": None, "inner": 3}, {"inner": {"id": {"deep": 1}}}])
def test_a_marked_argument_that_is_absent_has_no_header(arguments: dict[str, object]) -> None:
    assert isinstance(SCHEMA, dict)
    headers = modern_headers(message("tools/call", name="t", arguments=arguments), SCHEMA)
    assert not [name for name in headers if name.startswith("Mcp-Param")]


@pytest.mark.parametrize("schema", [True, None, [], {"properties": []}, {"properties": {"a": 1}}, {}])
def test_a_schema_of_another_shape_marks_nothing(schema: Json) -> None:
    assert list(header_arguments(schema)) == []
