"""What the official suite asks, asked without it: every kind of content, question and input passes byte for byte."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.process import ALLOW_ALL, Gateway, Home
from tests.e2e.scripted import Scripted, result, said
from tests.interaction.requirements import REQUIREMENTS, shows
from tests.interaction.scenarios import NOT_OURS, SCENARIOS
from tests.interaction.wire import answer_line, exact, line, modern, response, says

Json = Any
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
TEXT = '{"type":"text","text":"simple \\u00fc"}'
IMAGE = f'{{"type":"image","data":"{PNG}","mimeType":"image/png"}}'
AUDIO = '{"type":"audio","data":"UklGRiQA","mimeType":"audio/wav"}'
RESOURCE = '{"type":"resource","resource":{"uri":"test://embedded","mimeType":"text/plain","text":"inside"}}'
CALL, READ, PROMPT = "tools/call", "resources/read", "prompts/get"


def content(*items: str) -> str:
    return f'"result":{{"content":[{",".join(items)}]}}'


def messages(*items: str) -> str:
    said_by = ",".join(f'{{"role":"user","content":{item}}}' for item in items)
    return f'"result":{{"description":"d","messages":[{said_by}]}}'


ANSWERS: dict[str, tuple[str, Json, str]] = {
    "tools-call-simple-text": (CALL, {"name": "one", "arguments": {}}, content(TEXT)),
    "tools-call-image": (CALL, {"name": "one"}, content(IMAGE)),
    "tools-call-audio": (CALL, {"name": "one"}, content(AUDIO)),
    "tools-call-embedded-resource": (CALL, {"name": "one"}, content(RESOURCE)),
    "tools-call-mixed-content": (CALL, {"name": "one"}, content(TEXT, IMAGE, RESOURCE)),
    "tools-call-error": (CALL, {"name": "one"}, f'"result":{{"isError":true,"content":[{TEXT}]}}'),
    "resources-list": ("resources/list", {}, '"result":{"resources":[{"uri":"test://a","name":"a","mimeType":"x/y"}]}'),
    "resources-read-text": (READ, {"uri": "test://a"}, '"result":{"contents":[{"uri":"test://a","text":"t"}]}'),
    "resources-read-binary": (READ, {"uri": "test://b"}, f'"result":{{"contents":[{{"uri":"b:","blob":"{PNG}"}}]}}'),
    "resources-templates-read": (READ, {"uri": "test://t/1/d"}, '"result":{"contents":[{"uri":"t:","text":"{}"}]}'),
    "sep-2164-resource-not-found": (READ, {"uri": "x:"}, '"error":{"code":-32602,"message":"no","data":{"uri":"x:"}}'),
    "prompts-list": ("prompts/list", {}, '"result":{"prompts":[{"name":"p","arguments":[{"name":"a"}]}]}'),
    "prompts-get-simple": (PROMPT, {"name": "p"}, messages(TEXT)),
    "prompts-get-with-args": (PROMPT, {"name": "p", "arguments": {"a": "b"}}, messages(TEXT)),
    "prompts-get-embedded-resource": (PROMPT, {"name": "p"}, messages(RESOURCE, TEXT)),
    "prompts-get-with-image": (PROMPT, {"name": "p"}, messages(IMAGE)),
    "completion-complete": (
        "completion/complete",
        {"ref": {"type": "ref/prompt", "name": "p"}, "argument": {"name": "a", "value": "t"}},
        '"result":{"completion":{"values":["te","to"],"total":150,"hasMore":false}}',
    ),
}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, Scripted]]:
    """A gateway that allows everything, before a server that says what a test wants."""
    home = Home(tmp_path_factory.mktemp("home"))
    everything: dict[str, Json] = {"tools": {}, "resources": {}, "prompts": {}, "completions": {}, "logging": {}}
    with Scripted(["one"], everything) as upstream, Gateway(home, upstream.url, policy=ALLOW_ALL) as gateway:
        gateway.initialize({"elicitation": {}, "sampling": {}, "roots": {}}, version="2025-11-25")
        yield gateway, upstream


@shows("suite.answers")
@pytest.mark.parametrize("stateless", [False, True], ids=["2025-11-25", "2026-07-28"])
@pytest.mark.parametrize("scenario", ANSWERS)
def test_every_kind_of_answer_is_asked_for_and_given_as_it_is(
    guarded: tuple[Gateway, Scripted], scenario: str, stateless: bool
) -> None:
    gateway, upstream = guarded
    method, params, rest = ANSWERS[scenario]
    asked = modern(params) if stateless else params
    upstream.forget()
    upstream.script(method, says(rest))
    gateway.send({"jsonrpc": "2.0", "id": scenario, "method": method, "params": asked})
    assert answer_line(gateway, scenario).decode() == response(scenario, rest)
    (arrived,) = upstream.asked(method)
    assert arrived.message["params"] == asked


ENUMS = (
    '{"type":"object","properties":{"plain":{"type":"string","enum":["a","b"]},'
    '"titled":{"type":"string","oneOf":[{"const":"a","title":"A"}]},"old":{"type":"string","enum":["a"],"enumNames":["A"]},'
    '"many":{"type":"array","items":{"type":"string","enum":["a"]}},'
    '"more":{"type":"array","items":{"anyOf":[{"const":"a","title":"A"}]}}}}'
)
DEFAULTS = (
    '{"type":"object","required":["name"],"properties":{"name":{"type":"string","default":"John"},'
    '"age":{"type":"integer","default":30},"score":{"type":"number","default":95.50},'
    '"status":{"type":"string","enum":["active"],"default":"active"},"verified":{"type":"boolean","default":true}}}'
)
SCHEMAS = {
    "elicitation-sep1034-defaults": DEFAULTS,
    "elicitation-sep1330-enums": ENUMS,
    "elicitation-sep1034-client-defaults": DEFAULTS,
}


@shows("suite.questions")
@pytest.mark.parametrize("scenario", SCHEMAS)
def test_a_question_and_its_answer_pass_as_they_were_written(guarded: tuple[Gateway, Scripted], scenario: str) -> None:
    gateway, upstream = guarded
    upstream.forget()
    params = f'{{"message":"m","requestedSchema":{SCHEMAS[scenario]}}}'
    question = f'{{"jsonrpc":"2.0","id":"q {scenario}","method":"elicitation/create","params":{params}}}'
    upstream.script("one", says(content(TEXT), question))
    gateway.send({"jsonrpc": "2.0", "id": scenario, "method": CALL, "params": {"name": "one"}})
    assert line(gateway).decode() == question
    reply = f'{{"jsonrpc":"2.0","id":"q {scenario}","result":{{"action":"accept","content":{{"score":95.50}}}}}}'
    gateway.send(reply.encode() + b"\n")
    assert upstream.wait_for("response").body == reply.encode()
    assert answer_line(gateway, scenario).decode() == response(scenario, content(TEXT))


ELICIT = '{"method":"elicitation/create","params":{"message":"m","requestedSchema":{"type":"object","properties":{}}}}'
SAMPLE = '{"method":"sampling/createMessage","params":{"messages":[],"maxTokens":5}}'
ROOTS = '{"method":"roots/list"}'
ASKED = {
    "one": f'{{"a":{ELICIT}}}',
    "several": f'{{"a":{ELICIT},"b":{SAMPLE},"c":{ROOTS}}}',
    "none": "{}",
}


@shows("suite.input")
@pytest.mark.parametrize("method", [CALL, PROMPT])
@pytest.mark.parametrize("inputs", ASKED.values(), ids=ASKED)
def test_rounds_of_input_pass_with_their_state_and_errors(
    guarded: tuple[Gateway, Scripted], method: str, inputs: str
) -> None:
    gateway, upstream = guarded
    upstream.forget()
    state = '"requestState":"÷ \\u00fc 1.50"'
    round_ = f'"result":{{"resultType":"input_required","inputRequests":{inputs},{state}}}'
    refused = '"error":{"code":-32602,"message":"tampered","data":{"a":1.0}}'
    answers = [round_, round_, refused, content(TEXT)]
    upstream.script(method, *map(says, answers))
    params = modern({"name": "one"})
    for number, rest in enumerate(answers):
        identifier = f"{method} {number}"
        gateway.send({"jsonrpc": "2.0", "id": identifier, "method": method, "params": params})
        assert answer_line(gateway, identifier).decode() == response(identifier, rest)
        given = {"a": {"action": "accept", "content": {"n": 1}}, "unasked": {"x": 1}}
        params = modern({"name": "one", "inputResponses": given, "requestState": "÷ ü 1.50", "extra": [number]})
    bodies = [asked.message["params"] for asked in upstream.asked(method)]
    assert [body.get("requestState") for body in bodies] == [None, *["÷ ü 1.50"] * 3]
    assert [body.get("extra") for body in bodies] == [None, [0], [1], [2]]


@shows("suite.caching")
@pytest.mark.parametrize("listed", ["tools", "resources", "prompts"])
def test_what_may_be_cached_passes_where_nothing_was_taken_away(guarded: tuple[Gateway, Scripted], listed: str) -> None:
    gateway, upstream = guarded
    upstream.forget()
    rest = f'"result":{{"{listed}":[],"ttlMs":60000,"cacheScope":"public","resultType":"complete"}}'
    upstream.script(f"{listed}/list", says(rest))
    gateway.send({"jsonrpc": "2.0", "id": listed, "method": f"{listed}/list", "params": modern()})
    assert answer_line(gateway, listed).decode() == response(listed, rest)


@shows("suite.no-deref")
@pytest.mark.parametrize("stateless", [False, True], ids=["2025-11-25", "2026-07-28"])
def test_nothing_that_a_schema_refers_to_is_fetched(home: Home, stateless: bool) -> None:
    with Scripted() as elsewhere, Scripted(["one"]) as upstream:
        base = elsewhere.url.removesuffix("/mcp")
        schema = {
            "$schema": f"{base}/meta",
            "$id": f"{base}/id",
            "type": "object",
            "properties": {"a": {"$ref": f"{base}/a.json"}, "b": {"$dynamicRef": f"{base}/b.json#x"}},
        }
        tools = [{"name": "one", "inputSchema": schema, "outputSchema": schema, "icons": [{"src": f"{base}/i.png"}]}]
        policy = {"version": "1", "default": "deny", "tools": {"one": {"validate": {"required_args": True}}}}
        with Gateway(home, upstream.url, policy=policy) as gateway:
            if not stateless:
                gateway.initialize()
            meta = modern() if stateless else {}
            upstream.script("tools/list", result({"tools": tools}), result({"tools": tools}))
            assert exact(json.dumps(gateway.request("tools/list", meta)["result"]["tools"])) == exact(json.dumps(tools))
            assert gateway.call("one", {"a": 1}, **meta) == said("one ran")
            assert gateway.close() == 0
        assert elsewhere.asked("GET") == []


@shows("suite.answers")
def test_every_scored_scenario_is_shown_here() -> None:
    assert set(ANSWERS) == {name for name, ids in SCENARIOS.items() if ids == ("suite.answers",)}
    assert set(SCHEMAS) == {name for name, ids in SCENARIOS.items() if ids == ("suite.questions",)}
    assert {identifier for ids in SCENARIOS.values() for identifier in ids} <= set(REQUIREMENTS)
    assert not set(NOT_OURS) & set(SCENARIOS)
