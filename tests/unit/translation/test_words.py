"""What a message of the one era says in the other."""

import json
from typing import Any

import pytest

from gateway.jsonrpc import Message, loads, parse, parse_upstream
from gateway.translation import words
from gateway.translation.listening import changing

Json = Any
MCP = "io.modelcontextprotocol/"


def request(method: str, params: Json = None, identifier: Json = 1, **envelope: Json) -> Message:
    body = {"jsonrpc": "2.0", "id": identifier, "method": method, **envelope}
    message = parse(json.dumps(body if params is None else {**body, "params": params}).encode())
    assert isinstance(message, Message)
    return message


def answer(text: str) -> Message:
    message = parse_upstream(f'{{"jsonrpc":"2.0","id":"gw-1",{text}}}'.encode())
    assert isinstance(message, Message)
    return message


def opening(version: Json = "2025-06-18", **rest: Json) -> words.Opening:
    return words.Opening.of(request("initialize", {"protocolVersion": version, **rest}))


# --- opening ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", words.VERSIONS)
def test_a_version_that_is_known_is_spoken(version: str) -> None:
    assert opening(version).version == version


@pytest.mark.parametrize("version", ["2026-07-28", "2024-10-07", "", None, 5, ["2025-06-18"]])
def test_for_any_other_the_newest_is(version: Json) -> None:
    assert opening(version).version == "2025-11-25"


def test_capabilities_are_those_of_the_client_without_what_the_revision_lacks() -> None:
    declared: Json = {
        "roots": {"listChanged": True},
        "sampling": {"tools": {}},
        "tasks": {"list": {}},
        "experimental": {"e": {}},
        "extensions": {f"{MCP}tasks": {}, "a/b": {}},
    }
    kept: Json = {"roots": {}, "sampling": {"tools": {}}, "experimental": {"e": {}}, "extensions": {"a/b": {}}}
    assert opening(capabilities=declared).capabilities == kept


@pytest.mark.parametrize("declared", [None, [], "x"])
def test_odd_capabilities_are_none(declared: Json) -> None:
    assert opening(capabilities=declared).capabilities == {}


def test_the_meta_of_a_request_says_what_it_is() -> None:
    meta = opening(capabilities={}, clientInfo={"name": "c"}).meta("info")
    assert meta == {
        f"{MCP}protocolVersion": "2026-07-28",
        f"{MCP}clientCapabilities": {},
        f"{MCP}clientInfo": {"name": "c"},
        f"{MCP}logLevel": "info",
    }
    assert opening(clientInfo="c").meta(None).keys() == {f"{MCP}protocolVersion", f"{MCP}clientCapabilities"}


@pytest.mark.parametrize(
    ("declared", "method", "params", "able"),
    [
        ({"sampling": {}}, "sampling/createMessage", {}, True),
        ({"sampling": {}}, "roots/list", {}, False),
        ({"roots": None}, "roots/list", {}, False),
        ({"elicitation": {}}, "elicitation/create", {}, True),
        ({"elicitation": {}}, "elicitation/create", {"mode": "form"}, True),
        ({"elicitation": {}}, "elicitation/create", {"mode": "url"}, False),
        ({"elicitation": {"url": {}}}, "elicitation/create", {"mode": "url"}, True),
        ({"ping": {}}, "ping", {}, False),
        ({}, "sampling/createMessage", {}, False),
    ],
)
def test_a_client_is_asked_what_it_declared(declared: Json, method: str, params: Json, able: bool) -> None:
    assert opening(capabilities=declared).can_be_asked(request(method, params)) == able


def test_a_discovery_becomes_the_answer_to_initialize() -> None:
    capabilities = {"tools": {"listChanged": True}, "logging": {}, "extensions": {f"{MCP}tasks": {}, "a/b": {}}}
    info = {f"{MCP}serverInfo": {"name": "s", "version": "1"}}
    discovered: Json = {
        "supportedVersions": ["2026-07-28"],
        "capabilities": capabilities,
        "instructions": "be kind",
        "resultType": "complete",
        "ttlMs": 1,
        "cacheScope": "public",
        "_meta": info,
        "future": [1],
    }
    assert words.announced(opening(), discovered) == {
        "protocolVersion": "2025-06-18",
        "capabilities": {**capabilities, "extensions": {"a/b": {}}},
        "serverInfo": {"name": "s", "version": "1"},
        "instructions": "be kind",
        "future": [1],
    }
    bare = words.announced(opening(), {"capabilities": 5})
    assert bare["serverInfo"] == {"name": "unnamed", "version": "unknown"}
    assert bare["capabilities"] == {}


@pytest.mark.parametrize(
    ("versions", "speaks"),
    [(["2026-07-28"], True), (["2027-01-01", "2026-07-28"], True), (["2025-11-25"], False), ("2026-07-28", False)],
)
def test_a_server_speaks_the_revision_if_it_says_so(versions: Json, speaks: bool) -> None:
    assert words.speaks({"supportedVersions": versions}) == speaks
    assert not words.speaks({})


@pytest.mark.parametrize(
    ("capabilities", "lists"),
    [
        ({"tools": {"listChanged": True}, "prompts": {"listChanged": True}}, ("tools", "prompts")),
        ({"tools": {"listChanged": 1}, "resources": {"subscribe": True}, "prompts": True}, ()),
        (None, ()),
    ],
)
def test_the_lists_that_may_change(capabilities: Json, lists: tuple[str, ...]) -> None:
    assert changing(capabilities) == lists


# --- requests and results ---------------------------------------------------------------------------------------------


def test_a_request_keeps_everything_and_says_what_it_is() -> None:
    params = {"name": "t", "_meta": {"progressToken": 0, f"{MCP}protocolVersion": "forged"}, "n": 1}
    found = words.stateless(request("tools/call", params, "i", trace=[1]), {f"{MCP}protocolVersion": "2026-07-28"})
    meta = {"progressToken": 0, f"{MCP}protocolVersion": "2026-07-28"}
    body = {"jsonrpc": "2.0", "id": "i", "method": "tools/call", "params": {**params, "_meta": meta}, "trace": [1]}
    assert json.loads(found.raw) == found.body == body
    assert words.request(found, {"a": 1}, "gw-2").id == "gw-2"


@pytest.mark.parametrize(
    ("method", "given", "expected"),
    [
        ("tools/call", '{"content":[],"resultType":"complete","x":1.50}', '{"content":[],"x":1.50}'),
        ("resources/read", '{"contents":[],"ttlMs":1,"cacheScope":"public"}', '{"contents":[]}'),
        ("tools/call", f'{{"_meta":{{"{MCP}serverInfo":{{}},"a/b":1}}}}', '{"_meta":{"a/b":1}}'),
        ("tools/call", f'{{"_meta":{{"{MCP}serverInfo":{{}}}}}}', "{}"),
        ("tools/call", '{"_meta":{}}', '{"_meta":{}}'),
        (
            "tools/call",
            '{"structuredContent":{"a":12345678901234567890}}',
            '{"structuredContent":{"a":12345678901234567890}}',
        ),
        ("tools/call", '{"structuredContent":[1]}', "{}"),
        ("tools/call", '{"structuredContent":null}', "{}"),
        ("tools/list", '{"tools":[{"name":"a","outputSchema":{"type":"object"}}]}', None),
        ("tools/list", '{"tools":[{"name":"a","outputSchema":{"type":"array"}},5]}', '{"tools":[{"name":"a"},5]}'),
        ("tools/list", '{"tools":{"a":1}}', None),
        ("x/y", '{"tools":[{"outputSchema":{}}],"structuredContent":1}', None),
    ],
)
def test_a_result_loses_what_a_handshake_revision_cannot_say(method: str, given: str, expected: str | None) -> None:
    line = words.in_session(request(method, {"name": "t"}), answer(f'"result":{given}'))
    assert loads(line.decode(), max_depth=50) == loads(
        f'{{"jsonrpc":"2.0","id":1,"result":{given if expected is None else expected}}}', max_depth=50
    )


@pytest.mark.parametrize(
    ("method", "code", "expected"),
    [("resources/read", -32602, -32002), ("resources/read", -32603, -32603), ("prompts/get", -32602, -32602)],
)
def test_a_resource_that_is_not_there_has_the_code_of_the_era(method: str, code: int, expected: int) -> None:
    error = f'{{"code":{code},"message":"m","data":{{"n":1}}}}'
    found = json.loads(words.in_session(request(method, {}), answer(f'"error":{error}')))
    assert found == {"jsonrpc": "2.0", "id": 1, "error": {"code": expected, "message": "m", "data": {"n": 1}}}


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"_meta": {words.SUBSCRIPTION: "gw-1"}}, None),
        ({"_meta": {words.SUBSCRIPTION: "gw-1"}, "uri": "a:b"}, {"uri": "a:b"}),
        ({"_meta": {words.SUBSCRIPTION: "gw-1", "a/b": 1}}, {"_meta": {"a/b": 1}}),
    ],
)
def test_a_tag_is_taken_off(params: Json, expected: Json) -> None:
    body = {"jsonrpc": "2.0", "method": "notifications/x", "params": params}
    message = parse_upstream(json.dumps(body).encode())
    assert isinstance(message, Message)
    found = words.untagged(message)
    assert json.loads(found.raw) == found.body
    assert found.body.get("params") == expected
