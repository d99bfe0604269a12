"""Headers are made from the judged body, so that header and body cannot disagree."""

import base64
import json

import pytest

from gateway.jsonrpc import Json, Message, parse
from gateway.upstream.headers import encode, header_arguments, is_modern, mark_fault, modern_headers

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


def marked(**properties: Json) -> Json:
    return {"type": "object", "properties": properties}


def mark(name: Json, kind: Json = "string", **more: Json) -> Json:
    return {"type": kind, "x-mcp-header": name, **more}


@pytest.mark.parametrize(
    "schema",
    [
        None,
        True,
        {},
        {"properties": 5},
        marked(a=True, b=mark("A"), c=mark("b!#$%&'*+.^_`|~-9", "integer"), d=mark("C", "boolean")),
        marked(outer=marked(inner=marked(a=mark("A"))), items=mark("Items"), allOf=mark("All"), b={"type": "number"}),
        {"properties": {"x-mcp-header": {"type": "string"}}},
        {
            "default": {"x-mcp-header": ""},
            "properties": {"a": {"enum": [{"x-mcp-header": ""}], "examples": [mark("")]}},
        },
    ],
)
def test_what_is_marked_as_it_may_be_has_no_fault(schema: Json) -> None:
    assert mark_fault(schema) is None


NO_NAME = "`x-mcp-header` of `a` is not the name of a header"
NO_TYPE = "`x-mcp-header` of `a` stands on what is not a string, integer or boolean"
NO_PLACE = "`x-mcp-header` stands where no argument is"


@pytest.mark.parametrize(
    "name", ["", " ", "a b", "a:b", "é", "a\r\nX: 1", "a\n", "\x00", "a/b", 5, None, True, ["A"], {}]
)
def test_a_mark_that_is_not_the_name_of_a_header_is_a_fault(name: Json) -> None:
    assert mark_fault(marked(a=mark(name))) == NO_NAME


@pytest.mark.parametrize("kind", ["number", "object", "array", "null", "String", None, ["string", "null"], {}])
def test_a_mark_on_what_is_no_plain_value_is_a_fault(kind: Json) -> None:
    assert mark_fault(marked(a=mark("A", kind))) == NO_TYPE
    assert mark_fault(marked(a={"$ref": "#/$defs/a", "x-mcp-header": "A"})) == NO_TYPE


@pytest.mark.parametrize("other", ["Region", "region", "REGION"])
def test_a_mark_that_is_used_twice_is_a_fault(other: str) -> None:
    fault = mark_fault(marked(b=mark("Region"), a=marked(c=mark(other))))
    assert fault in ("`x-mcp-header` of `b` is used twice", "`x-mcp-header` of `a.c` is used twice")


@pytest.mark.parametrize(
    "schema",
    [
        mark("A"),
        *({keyword: mark("A")} for keyword in ("items", "not", "if", "then", "else", "additionalProperties")),
        *({keyword: [True, mark("A")]} for keyword in ("allOf", "anyOf", "oneOf", "prefixItems", "items")),
        *({keyword: {"n": mark("A")}} for keyword in ("$defs", "definitions", "patternProperties", "dependentSchemas")),
        marked(a={"type": "array", "items": marked(b=mark("B"))}),
        {"allOf": [marked(a=mark("A"))]},
    ],
    ids=str,
)
def test_a_mark_that_stands_where_no_argument_is_is_a_fault(schema: Json) -> None:
    assert mark_fault(schema) == NO_PLACE


def test_a_deep_schema_is_read_to_its_ground() -> None:
    schema: Json = mark("A", "number")
    for _ in range(5000):
        schema = {"properties": {"a": schema}}
    fault = mark_fault(schema)
    assert fault is not None
    assert fault.endswith("integer or boolean")


@pytest.mark.parametrize("schema", [True, None, [], {"properties": []}, {"properties": {"a": 1}}, {}])
def test_a_schema_of_another_shape_marks_nothing(schema: Json) -> None:
    assert list(header_arguments(schema)) == []
