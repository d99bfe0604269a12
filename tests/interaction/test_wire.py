"""What passes the gateway passes unchanged: looked at as text, where it arrives."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gateway.standin import Standin
from tests.e2e.process import ALLOW_ALL, PATIENCE, Gateway, Home
from tests.e2e.scripted import Asked, Line, Scripted, events, http, stream
from tests.interaction.requirements import shows
from tests.interaction.wire import Json, answer_line, arrived, exact, line, response, says

NUMBERS = (
    '{"big":123456789012345678901234567890,"negative":-9007199254740993,"decimal":1.10,"exponent":1E+2,"zero":-0,'
    '"minus":-0.0,"tiny":5e-324,"digits":0.1234567890123456789012345,"list":[1,1.0,1.00]}'
)
TEXT = r'{"text":"ü\u00fc \u2028\u2029 \u0000\u001f\u007f \"\\\/ \ud83d\ude00😀 ﬀK","ключ ÷":"\u017f","":"\u200b"}'
META = (
    '{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","tracestate":"a=1","baggage":"k=v",'
    '"com.example/any":{"deep":[null,true,1.50]},"progressToken":"p÷"}'
)


@pytest.fixture(scope="module")
def gateway(home: Home, standin: Standin) -> Iterator[Gateway]:
    with Gateway(home, standin.url, policy=ALLOW_ALL) as running:
        running.initialize({"roots": {}, "sampling": {}, "elicitation": {}}, version="2025-11-25")
        yield running


@contextmanager
def guarding(home: Home, upstream: Scripted) -> Iterator[tuple[Gateway, Scripted]]:
    with upstream, Gateway(home, upstream.url, policy=ALLOW_ALL) as running:
        running.initialize()
        yield running, upstream


def call(identifier: str, params: str, envelope: str = "") -> bytes:
    return f'{{"jsonrpc":"2.0","id":{identifier},"method":"tools/call","params":{params}{envelope}}}\n'.encode()


# --- to the server ----------------------------------------------------------------------------------------------------


@shows("wire.opening")
def test_initialize_arrives_as_the_client_wrote_it(home: Home, standin: Standin) -> None:
    text = (
        '{ "id":"öpen", "jsonrpc":"2.0","method":"initialize","future":1.0,"params":{"protocolVersion":"2025-06-18", '
        '"capabilities":{"experimental":{"x":{}},"roots":{"listChanged":false},"future":{"a":[1.00]}},"unknown":null,'
        '"clientInfo":{"name":"n\\u00e4me","version":"1","title":"T","icons":[],"other":1e1},"_meta":{"a/b":1}}}'
    )
    with Gateway(home, standin.url, policy=ALLOW_ALL) as gateway:
        gateway.send(text.encode() + b"\n")
        assert gateway.answer("öpen")["result"]["serverInfo"]["name"] == "keyid-standin"
    assert arrived(standin, "öpen")["body"] == text


@shows("wire.housekeeping")
@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("ping", ' { "_meta" : {"a":1.0} }'),
        ("tools/list", '{"unknown":[1E1] ,"_meta":{}}'),
        ("resources/list", "{}"),
        ("resources/templates/list", '{"x":"\\u00e9"}'),
        ("prompts/list", '{"_meta":{"traceparent":"x"}}'),
        ("logging/setLevel", '{"level":"info", "more":"ü"}'),
        ("resources/unsubscribe", '{"uri":"keyid://none"}'),
    ],
)
def test_what_is_not_judged_arrives_byte_for_byte(gateway: Gateway, standin: Standin, method: str, params: str) -> None:
    identifier = f"verbatim {method}"
    text = f'{{"method":"{method}",  "params":{params},"jsonrpc":"2.0","id":"{identifier}" }}'
    gateway.send(text.encode() + b"\n")
    assert "result" in gateway.answer(identifier)
    assert arrived(standin, identifier)["body"] == text


@shows("wire.unknown-fields", "wire.numbers", "wire.text", "wire.meta")
@pytest.mark.parametrize(
    ("what", "params", "envelope"),
    [
        ("numbers", f'{{"name":"standin_read_1","arguments":{NUMBERS}}}', ""),
        ("text", f'{{"name":"standin_read_1","arguments":{TEXT}}}', ""),
        ("meta", f'{{"name":"standin_read_1","arguments":{{}},"_meta":{META}}}', ""),
        ("fields", '{"future":{"a":1.0},"name":"standin_read_1","also":[],"arguments":{}}', ',"trace":[1E0,null]'),
    ],
)
def test_a_call_arrives_with_every_value_as_it_was_written(
    gateway: Gateway, standin: Standin, what: str, params: str, envelope: str
) -> None:
    sent = call(f'"exact {what}"', params, envelope)
    gateway.send(sent)
    answer = exact(answer_line(gateway, f"exact {what}"))
    assert answer["result"]["structuredContent"]["echo"].keys() == exact(params)["arguments"].keys()
    assert exact(str(arrived(standin, f"exact {what}")["body"])) == exact(sent)


@shows("wire.arguments")
@pytest.mark.parametrize("params", ['{"name":"get_identity"}', '{"name":"get_identity","arguments":{}}'])
def test_absent_arguments_stay_absent_and_empty_ones_empty(gateway: Gateway, standin: Standin, params: str) -> None:
    identifier = f"given {params}"
    gateway.send(call(json.dumps(identifier), params))
    assert "structuredContent" in gateway.answer(identifier)["result"]
    assert json.loads(str(arrived(standin, identifier)["body"]))["params"] == json.loads(params)


@shows("wire.ids", "notice.progress")
@pytest.mark.parametrize("identifier", ["", "7", 7007, 0, -1, 2**70, "gw-1", "ü\u2028"])
def test_ids_and_progress_tokens_keep_value_and_type(gateway: Gateway, standin: Standin, identifier: Json) -> None:
    params = {"name": "standin_write_1", "arguments": {"count": 2}, "_meta": {"progressToken": identifier}}
    gateway.others.clear()
    gateway.send({"jsonrpc": "2.0", "id": identifier, "method": "tools/call", "params": params})
    assert gateway.answer(identifier)["result"]["structuredContent"]["emitted"] == 2
    progress = [said["params"] for said in gateway.others if said["method"] == "notifications/progress"]
    assert [(one["progressToken"], type(one["progressToken"]), one["progress"]) for one in progress] == [
        (identifier, type(identifier), number) for number in (1, 2)
    ]
    assert json.loads(str(arrived(standin, identifier)["body"]))["id"] == identifier


@shows("wire.ids")
def test_a_number_and_its_text_are_two_ids(home: Home) -> None:
    both = threading.Barrier(2, timeout=PATIENCE)

    def together(asked: Asked, on: Line) -> None:
        both.wait()
        says(f'"result":{{"is":{asked.message["params"]["is"]}}}')(asked, on)

    with guarding(home, Scripted()) as (gateway, scripted):
        scripted.script("x/both", together, together)
        for identifier in (4711, "4711"):
            params = {"is": json.dumps(identifier)}
            gateway.send({"jsonrpc": "2.0", "id": identifier, "method": "x/both", "params": params})
        answers = [gateway.receive(), gateway.receive()]
    assert {repr(one["id"]): one["result"]["is"] for one in answers} == {"4711": 4711, "'4711'": "4711"}


@shows("wire.cursor")
@pytest.mark.parametrize("method", ["tools/list", "prompts/list", "resources/list"])
def test_an_empty_cursor_arrives_as_a_cursor(gateway: Gateway, standin: Standin, method: str) -> None:
    identifier = f"empty cursor {method}"
    gateway.send({"jsonrpc": "2.0", "id": identifier, "method": method, "params": {"cursor": ""}})
    assert ("error" in gateway.answer(identifier)) == (method == "tools/list")
    assert json.loads(str(arrived(standin, identifier)["body"]))["params"] == {"cursor": ""}


# --- from the server --------------------------------------------------------------------------------------------------

DEFINITION = (
    '{"name":"odd","title":"Ödd","description":"d\\u2028","inputSchema":{"type":"object","$defs":{"a":{"x":1.0}},'
    '"future":[1E2]},"outputSchema":{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object"},'
    '"annotations":{"readOnlyHint":true,"unknown":0.10},"icons":[{"src":"data:,","sizes":["1x1"]}],'
    '"execution":{"taskSupport":"optional"},"_meta":{"com.example/x":{"y":123456789012345678901}},"later":null}'
)


@shows("list.tools", "wire.numbers", "wire.unknown-fields", "wire.meta", "wire.text")
@pytest.mark.parametrize(
    ("method", "params", "rest"),
    [
        ("tools/list", {}, f'"result":{{ "tools":[{DEFINITION}],"_meta":{{"a":1.0}},"ttlMs":5, "new":[]}},"x":1.0'),
        ("tools/call", {"name": "odd"}, f'"result":{{"content":[],"structuredContent":{NUMBERS},"_meta":{META} }}'),
        ("tools/call", {"name": "odd"}, f'"result":{{"content":[{{"type":"new","a":{TEXT}}}],"isError":true}}'),
        ("tools/call", {"name": "odd"}, f'"error":{{"code":-32042,"message":"ü\\u2028","data":{NUMBERS},"x":1.0}}'),
        ("resources/read", {"uri": "a:b"}, f'"result":{{"contents":[],"size":12345678901234567890,"t":{TEXT}}}'),
        ("prompts/get", {"name": "p"}, '"error":{"code":0,"message":"","data":null}'),
        ("completion/complete", {"ref": {}}, '"result":{"completion":{"values":[],"total":1e3}}'),
        ("x/unknown", {"any": 1}, '"result":[]'),
    ],
)
@pytest.mark.parametrize("streamed", [False, True], ids=["json", "stream"])
def test_an_answer_reaches_the_client_byte_for_byte(
    home: Home, method: str, params: Json, rest: str, streamed: bool
) -> None:
    notice = '{"method":"notifications/unknown","jsonrpc":"2.0","params":{"a":1.0,"b":"\\u00fc"}}'
    with guarding(home, Scripted(["odd"])) as (gateway, scripted):
        scripted.script(method, says(rest, *([notice] if streamed else [])))
        gateway.send({"jsonrpc": "2.0", "id": "ä/1", "method": method, "params": params})
        if streamed:
            assert line(gateway).decode() == notice
        assert line(gateway).decode() == response("ä/1", rest)


@shows("wire.unknown-methods", "wire.replies")
def test_what_nobody_knows_passes_both_ways(home: Home) -> None:
    question = '{"jsonrpc":"2.0","id":"s/ü","method":"x/ask","params":{"n":1.0}}'
    reply = '{"jsonrpc":"2.0", "id":"s/ü","result":{"n":1.00,"t":"\\u2028"}, "more":[]}'
    notice = '{"jsonrpc":"2.0", "method":"notifications/x/y","params":{"n":1.00}}'
    request = '{"jsonrpc":"2.0","id":1,"method":"x/do","params":{"n":1.0},"more":1E2}'
    with guarding(home, Scripted()) as (gateway, scripted):
        scripted.script("x/do", says('"result":{"done":1.0}', question))
        gateway.send(request.encode() + b"\n")
        assert [line(gateway).decode(), line(gateway).decode()] == [question, response(1, '"result":{"done":1.0}')]
        gateway.send(notice.encode() + b"\n" + reply.encode() + b"\n")
        assert scripted.wait_for("notifications/x/y").body == notice.encode()
        assert scripted.wait_for("response").body == reply.encode()
        assert exact(scripted.wait_for("x/do").body) == exact(request)


@shows("wire.resumed")
def test_an_answer_that_the_server_lets_the_client_ask_for_arrives_and_the_call_ran_once(home: Home) -> None:
    def rest(asked: Asked, line: Line) -> None:
        identifier = upstream.calls("one")[0].message["id"]
        done = response(identifier, '"result":{"content":[],"n":1.00}').encode()
        stream(note + b"\nid: e2", done + b"\nid: e3")(asked, line)

    note = b'{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1.0}}'
    with guarding(home, Scripted()) as (gateway, upstream):
        upstream.wait_for("GET")  # the server offers no stream of its own
        upstream.script("one", stream(b"\nid: e1\nretry: 10"))
        upstream.script("GET", http(503), rest)
        gateway.send(call('"÷"', '{"name":"one"}'))
        assert line(gateway) == note
        assert line(gateway).decode() == response("÷", '"result":{"content":[],"n":1.00}')
        _, *resumed = upstream.asked("GET")
        assert len(upstream.calls("one")) == 1
    assert [(asked.headers["last-event-id"], asked.session) for asked in resumed] == [("e1", "session-1")] * 2


@shows("wire.tasks")
@pytest.mark.parametrize("result", ['{"task":{"taskId":"t÷1","status":"working"}}', '{"taskId":"t÷1","ttlMs":1.0}'])
def test_a_task_that_a_call_began_can_be_asked_for(home: Home, result: str) -> None:
    methods = ("tasks/get", "tasks/result", "tasks/cancel", "tasks/update")
    with guarding(home, Scripted(["odd"])) as (gateway, scripted):
        scripted.script("odd", says(f'"result":{result}'))
        gateway.call("odd", {}, task={"ttl": 60000, "future": [1]})
        for method in methods:
            rest = f'"result":{{"of":"{method}","n":1.0}}'
            scripted.script(method, says(rest))
            text = f'{{"jsonrpc":"2.0", "id":"{method}","method":"{method}","params":{{"taskId":"t\\u00f71","x":1.0}}}}'
            gateway.send(text.encode() + b"\n")
            assert answer_line(gateway, method).decode() == response(method, rest)
            assert scripted.wait_for(method).body == text.encode()
        (called,) = scripted.calls("odd")
        assert called.message["params"]["task"] == {"ttl": 60000, "future": [1]}


# --- size -------------------------------------------------------------------------------------------------------------


@shows("call.large")
def test_a_line_of_five_mebibytes_arrives_whole_and_comes_back_whole(gateway: Gateway, standin: Standin) -> None:
    text = "é" * (5 * 2**19)
    params = {"name": "standin_read_1", "arguments": {"text": text}}
    gateway.send({"jsonrpc": "2.0", "id": "large", "method": "tools/call", "params": params})
    assert gateway.answer("large")["result"]["structuredContent"] == {"echo": {"text": text}}
    assert json.loads(str(arrived(standin, "large")["body"]))["params"] == params


# --- cancelling -------------------------------------------------------------------------------------------------------


@shows("call.cancel")
@pytest.mark.parametrize(("identifier", "seconds"), [("stop", 297), (99, 298), (0, 299)])
def test_a_cancelled_call_is_not_answered(gateway: Gateway, standin: Standin, identifier: Json, seconds: int) -> None:
    def is_it(entry: Json) -> bool:
        return bool(entry.get("arguments") == {"seconds": seconds})

    params = {"name": "standin_write_3", "arguments": {"seconds": seconds}}
    gateway.send({"jsonrpc": "2.0", "id": identifier, "method": "tools/call", "params": params})
    assert standin.wait_for(is_it, PATIENCE) is not None
    cancel = {"requestId": identifier, "reason": f"enough ÷ {seconds}"}
    gateway.notify("notifications/cancelled", cancel)
    assert standin.wait_for(lambda entry: entry.get("event") == "cancelled" and is_it(entry), PATIENCE) is not None
    gateway.others.clear()
    assert gateway.request("ping") == {"jsonrpc": "2.0", "id": gateway._ids, "result": {}}
    assert [said for said in gateway.others if "method" not in said] == []
    said = [json.loads(str(entry["body"])) for entry in standin.journal if entry.get("http") == "POST"]
    assert cancel in [one["params"] for one in said if one.get("method") == "notifications/cancelled"]


@shows("call.cancel")
def test_a_server_that_ends_the_stream_of_a_cancelled_call_causes_no_answer(home: Home) -> None:
    def until_cancelled(asked: Asked, on: Line) -> None:
        scripted.wait_for("notifications/cancelled")
        events()(asked, on)

    with guarding(home, Scripted(["odd"])) as (gateway, scripted):
        scripted.script("odd", until_cancelled)
        call_id = gateway.begin("tools/call", {"name": "odd"})
        scripted.wait_for("tools/call")
        gateway.notify("notifications/cancelled", {"requestId": call_id})
        scripted.wait_for("notifications/cancelled")
        for _ in range(20):
            gateway.request("ping")
    assert gateway.others == []
