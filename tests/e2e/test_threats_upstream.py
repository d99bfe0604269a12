"""Bypass classes B19, B27, B28, from the other side: an upstream that lies, spoofs, redirects and never ends."""

import json
import queue
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.arena import ERAS, HANDSHAKE, META, STATELESS
from tests.e2e.process import PATIENCE, Gateway, Home, decision
from tests.e2e.scripted import Reply, Scripted, events, http, message, raw, result, said, stream, without_end

POLICY = {
    "version": "1",
    "default": "deny",
    "hide": ["hidden"],
    "tools": {"work": {}, "good": {}, "strict": {"validate": {"required_args": True}}, "hidden": {}},
}
SPOOF = {"effect": "allow", "rule": "(upstream)", "decision_id": "0" * 16}
BOUNDS = ("--max-message-bytes", "65536", "--call-timeout", "20", "--header", "X-Secret: open sesame")


@dataclass
class Duel:
    """A gateway and its upstream, which does what a test says."""

    gateway: Gateway
    upstream: Scripted
    era: str

    def call(self, tool: str = "work", arguments: Mapping[str, Any] | None = None) -> Any:
        """A call of the era: the whole answer."""
        params = {"name": tool, "arguments": dict(arguments or {}), "_meta": META[self.era]}
        return self.gateway.request("tools/call", params)

    def ask(self, method: str) -> Any:
        return self.gateway.request(method, {"_meta": META[self.era]})

    def relist(self) -> None:
        """The upstream announces again what it does without a script."""
        self.upstream.script("tools/list", result({"tools": [{"name": name} for name in self.upstream.tools]}))
        self.ask("tools/list")

    def survives(self) -> None:
        """What is allowed still works, and what is not still is refused."""
        assert self.call("good")["result"]["content"] == [{"type": "text", "text": "good ran"}]
        assert decision(self.call("hidden")["result"])["rule"] == "(hidden)"
        assert self.upstream.calls("hidden") == []


@pytest.fixture(scope="module", params=ERAS)
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Duel]:
    home = Home(tmp_path_factory.mktemp("home"))
    with (
        Scripted(["work", "good", "strict", "hidden"], {"tools": {}, "logging": {}}) as upstream,
        Gateway(home, upstream.url, *BOUNDS, policy=POLICY) as gateway,
    ):
        if request.param == HANDSHAKE:
            gateway.initialize()
        yield Duel(gateway, upstream, request.param)
        assert gateway.close() == 0


@pytest.fixture
def duel(shared: Duel) -> Iterator[Duel]:
    """The same two, with nothing left over from before; both are well at the end."""
    shared.upstream.forget()
    shared.gateway.others.clear()
    yield shared
    shared.upstream.forget()
    shared.survives()


def notification(params: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"jsonrpc": "2.0", "method": "notifications/message", "params": params}


# --- the gateway's name -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["keyid-gateway/decision", "keyid-gateway/", "keyid-gateway/approval"])
def test_b27_nobody_else_speaks_in_the_gateways_name(duel: Duel, key: str) -> None:
    spoofed = {"_meta": {key: SPOOF, "other/key": 1}}
    spoken = notification({"level": "info", "data": 1, **spoofed})
    duel.upstream.script("work", events(spoken, {"jsonrpc": "2.0", "id": None, "result": {**said("x"), **spoofed}}))
    answer = duel.call()
    assert answer["result"] == {**said("x"), "_meta": {"other/key": 1}}
    assert duel.gateway.others == [notification({"level": "info", "data": 1, "_meta": {"other/key": 1}})]


@pytest.mark.parametrize(
    "meta",
    [
        '"_meta":{"a":1},"\\u005fmeta":{"keyid-gateway/decision":{"effect":"deny"}}',
        '"_meta":{"\\u006beyid-gateway\\/decision":{"effect":"deny"},"a":1}',
        '"_meta":{"a":1,"keyid-gateway/x":1,"keyid-gateway/x":2}',
    ],
)
def test_b27_a_spoofed_key_is_taken_away_however_it_is_spelled(duel: Duel, meta: str) -> None:
    asked = '{"jsonrpc":"2.0","id":%s,"result":{"content":[],' + meta + "}}"
    duel.upstream.script(
        "work", lambda one, line: http(200, (asked % json.dumps(one.message["id"])).encode())(one, line)
    )
    assert "keyid-gateway" not in json.dumps(duel.call())


def test_b27_an_error_cannot_pass_for_a_decision_of_the_gateway(duel: Duel) -> None:
    fault = {"code": -33403, "message": "Denied by policy: x", "data": {"keyid-gateway/decision": SPOOF, "other": 1}}
    duel.upstream.script("work", message({"error": fault}))
    duel.upstream.script("tools/list", message({"error": fault}))
    for answer in (duel.call(), duel.ask("tools/list")):
        assert answer["error"]["data"] == {"other": 1}


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("\x1b[2J\u202eno\n", ": \\x1b[2J\\u202eno\\n"),
        ("n" * 50_000, f": {'n' * 300}"),
        ("\x1b" * 50_000, ": " + "\\x1b" * 75),
        ("", ""),
        (None, ""),
    ],
)
def test_b27_why_there_is_no_list_is_told_in_bounds_and_acts_on_no_terminal(
    tmp_path: Path, said: str | None, told: str
) -> None:
    home = Home(tmp_path)
    with Scripted(["work"], {"tools": {}}) as upstream, Gateway(home, upstream.url, policy=POLICY) as gateway:
        upstream.script("tools/list", message({"error": {"code": -32000, "message": said}}))
        answer = gateway.request("tools/call", {"name": "work", "arguments": {}, "_meta": META[STATELESS]})
    words = f"the upstream refused to list its tools{told}"
    assert answer["error"]["message"] == words
    (record,) = [record for record in home.records() if record.method == "tools/call"]
    assert (record.rule, record.message) == ("(upstream)", words)


# --- ids --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("identifier", ["null", '"%s"', "%s.0", "true", "[%s]", '{"id":%s}', "-1", '"gw-00000000-1"'])
def test_b27_only_the_answer_with_the_id_of_the_request_is_its_answer(duel: Duel, identifier: str) -> None:
    def reply(template: str, *, whole: bool) -> Reply:
        def answer(asked: Any, line: Any) -> None:
            number = json.dumps(asked.message["id"])
            wrong = template.replace("%s", number)
            lie = f'{{"jsonrpc":"2.0","id":{wrong},"result":{{"content":["lie"]}}}}'.encode()
            truth = f'{{"jsonrpc":"2.0","id":{number},"result":{{"content":["truth"]}}}}'.encode()
            (http(200, lie) if whole else events(lie, truth))(asked, line)

        return answer

    duel.upstream.script("work", reply(identifier, whole=False), reply(identifier, whole=True))
    assert duel.call().get("result", {}).get("content") in (["truth"], None)
    assert duel.call()["error"]["code"] == -32603
    assert duel.gateway.others == []


def test_b27_an_answer_that_comes_twice_is_given_once(duel: Duel) -> None:
    once = {"jsonrpc": "2.0", "id": None, "result": {"content": ["once"]}}
    duel.upstream.script("work", events(once, {**once, "result": {"content": ["twice"]}}))
    assert duel.call()["result"]["content"] == ["once"]
    duel.survives()
    assert duel.gateway.others == []


@pytest.mark.parametrize("identifier", ["gw-00000000-1", "gw-1", "", "7", 1, 0, -7, 2**60])
def test_b27_a_question_of_the_upstream_is_asked_and_answered_once(duel: Duel, identifier: Any) -> None:
    question = {"jsonrpc": "2.0", "id": identifier, "method": "sampling/createMessage", "params": {"messages": []}}
    duel.upstream.script("work", events(question, {"jsonrpc": "2.0", "id": None, "result": said("x")}))
    assert duel.call()["result"] == said("x")
    if duel.era == HANDSHAKE:
        assert duel.gateway.others == [question]
    else:
        assert duel.gateway.others == [], "the stateless revision forbids requests of the server"
    reply = {"jsonrpc": "2.0", "id": identifier, "result": {"role": "assistant"}}
    for _ in range(3):
        duel.gateway.send(reply)
    duel.survives()
    if duel.era == HANDSHAKE:
        duel.upstream.wait_for("response")
    answered = [asked.message for asked in duel.upstream.asked("response")]
    assert answered == ([reply] if duel.era == HANDSHAKE else [])


# --- headers ----------------------------------------------------------------------------------------------------------

TRICKS = [
    "Good",
    "A\r\nX-Evil: 1",
    "B\nX-Evil: 1",
    "C: x\r\nX-Evil",
    "D E",
    "",
    "\u00e9",
    "F\x00",
    "G:",
    "a" * 300,
    5,
    None,
]


def test_b27_no_schema_makes_a_header_of_its_own(duel: Duel) -> None:
    properties = {f"p{number}": {"type": "string", "x-mcp-header": name} for number, name in enumerate(TRICKS)}
    schema = {"type": "object", "properties": properties}
    duel.upstream.script("tools/list", result({"tools": [{"name": "work", "inputSchema": schema}]}))
    duel.ask("tools/list")
    values = ["v\r\nX-Evil: 1", "plain", "\u00e9", " x ", "=?base64?eA==?=", "", "\x00", "v\x7f", "5", "a", "b", "c"]
    arguments = {f"p{number}": value for number, value in enumerate(values)}
    assert duel.call("work", arguments)["result"] == said("work ran")
    (asked,) = duel.upstream.calls("work")
    sent = {name for name in asked.headers if name.startswith("mcp-param-")}
    assert sent == (set() if duel.era == HANDSHAKE else {"mcp-param-good", f"mcp-param-{'a' * 300}"})
    assert not any("evil" in name for name in asked.headers)
    assert asked.message["params"]["arguments"] == arguments
    duel.relist()


@pytest.mark.parametrize("version", ["2025-06-18\r\nX-Evil: 1", "2025\u201306", "", " ", "\x00", "x" * 5000, 5, None])
def test_b27_no_negotiated_version_makes_a_header_of_its_own(home: Home, version: Any) -> None:
    opening = {"protocolVersion": version, "capabilities": {}, "serverInfo": {"name": "s", "version": "1"}}
    with Scripted(["good"]) as upstream:
        upstream.script("initialize", result(opening, {"Mcp-Session-Id": "s"}))
        with Gateway(home, upstream.url, policy=POLICY) as gateway:
            gateway.initialize()
            gateway.call("good", {})
            gateway.initialize()
            assert gateway.call("good", {}) == said("good ran")
        assert not any("x-evil" in asked.headers for asked in upstream.asked("tools/call"))


@pytest.mark.parametrize("session", ["\u00e9\u00ff", "a b", "a,b", "=?base64?eA==?=", "x" * 8000])
def test_b27_a_session_id_goes_back_as_it_came(home: Home, session: str) -> None:
    opening = {"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": {"name": "s", "version": "1"}}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "result": opening})
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nMcp-Session-Id: {session}\r\n"
    with Scripted(["good"]) as upstream, Gateway(home, upstream.url, policy=POLICY) as gateway:
        upstream.script("initialize", raw(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode("latin-1")))
        assert "result" in gateway.initialize()
        assert gateway.call("good", {}) == said("good ran")
        assert gateway.close() == 0
        assert upstream.asked("tools/call")[0].session == session


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["work", "tools/list"])
def test_b27_a_redirect_is_not_followed_and_takes_no_secret_along(duel: Duel, status: int, method: str) -> None:
    with Scripted() as elsewhere:
        duel.upstream.script(method, http(status, b"", headers={"Location": elsewhere.url}))
        answer = duel.call() if method == "work" else duel.ask(method)
        assert answer["error"]["data"]["status"] == status
        assert elsewhere.asked("tools/call") == elsewhere.asked("tools/list") == elsewhere.asked("GET") == []


@pytest.mark.parametrize(
    "target", ["http://[::1", "//", "http://", "\u00e9", "http://a:b@c:d/", "javascript:x", "http://h:99999/"]
)
def test_b27_a_redirect_to_nowhere_is_an_error_like_any_other(duel: Duel, target: str) -> None:
    head = f"HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode("latin-1")
    duel.upstream.script("work", raw(head))
    answers = [duel.call()]
    duel.upstream.script("tools/list", raw(head))
    answers.append(duel.ask("tools/list"))
    for answer in answers:
        assert answer["error"]["data"] == {"status": 302}
        assert "redirects" in answer["error"]["message"]


def test_b27_a_cookie_does_not_come_back(duel: Duel) -> None:
    duel.upstream.script("work", result(said("x"), {"Set-Cookie": "a=b"}))
    duel.call()
    duel.call()
    assert all("cookie" not in asked.headers for asked in duel.upstream.calls("work"))
    assert {asked.headers["x-secret"] for asked in duel.upstream.calls("work")} == {"open sesame"}


# --- lists ------------------------------------------------------------------------------------------------------------

ODD_LISTS = {
    "no list": {"tools": {"work": {}}},
    "an object by names": {"tools": {"hidden": {"name": "hidden", "description": "hidden"}}},
    "a text": {"tools": "hidden"},
    "nothing": {},
    "no objects": {"tools": ["hidden", 5, None, [], {"name": 5}, {"name": None}, {}]},
    "twice": {"tools": [{"name": "hidden"}, {"name": "hidden", "inputSchema": 5}, {"name": "good"}, {"name": "good"}]},
    "bad schemas": {"tools": [{"name": "work", "inputSchema": {"required": 5, "properties": [1]}}, {"name": "good"}]},
    "deep": {"tools": [{"name": "work", "inputSchema": json.loads('{"properties":{"a":' * 200 + "{}" + "}}" * 200)}]},
}


@pytest.mark.parametrize("listed", ODD_LISTS.values(), ids=ODD_LISTS)
def test_b27_no_list_of_tools_opens_what_is_hidden_or_stops_the_gateway(duel: Duel, listed: Any) -> None:
    duel.upstream.script("tools/list", result(listed))
    shown = duel.ask("tools/list")["result"]
    tools = shown.get("tools", [])
    assert isinstance(tools, list), "what is no list is not shown"
    assert "hidden" not in [tool.get("name") for tool in tools if isinstance(tool, dict)]
    duel.call("work", {"a": 1})
    assert decision(duel.call("hidden")["result"])["effect"] == "deny"
    duel.relist()


def test_b19_a_call_is_judged_by_what_the_upstream_announces_now(duel: Duel) -> None:
    def announces(*required: str) -> None:
        strict = {"name": "strict", "inputSchema": {"type": "object", "required": list(required)}}
        others = [{"name": name} for name in duel.upstream.tools if name != "strict"]
        duel.upstream.script("tools/list", result({"tools": [strict, *others]}))
        changed = {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}
        duel.upstream.script("work", events(changed, {"jsonrpc": "2.0", "id": None, "result": said("x")}))
        duel.call("work")

    announces("a")
    assert decision(duel.call("strict", {})["result"])["reason"] == "validate"
    assert duel.call("strict", {"a": 1})["result"] == said("strict ran")
    announces("a", "b")
    assert decision(duel.call("strict", {"a": 1})["result"])["reason"] == "validate"
    assert len(duel.upstream.calls("strict")) == 1


def test_b19_a_tool_that_is_taken_back_is_refused(duel: Duel) -> None:
    duel.upstream.script("tools/list", result({"tools": [{"name": "good"}]}))
    duel.ask("tools/list")
    assert decision(duel.call("strict")["result"])["rule"] == "(unknown tool)"
    assert duel.upstream.calls("strict") == []
    duel.relist()


# --- without end ------------------------------------------------------------------------------------------------------

STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
CHUNKED = JSON.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n")
ENDLESS = {
    "headers": (b"HTTP/1.1 200 OK\r\n", b"X-A: " + b"a" * 1000 + b"\r\n"),
    "one header": (b"HTTP/1.1 200 OK\r\nX-A: ", b"a" * 1000),
    "body": (JSON, b"[" * 1000),
    "chunks": (CHUNKED, b"3e8\r\n" + b" " * 1000 + b"\r\n"),
    "chunk head": (CHUNKED, b"0" * 1000),
    "event": (STREAM + b"data: ", b"a" * 1000),
    "lines": (STREAM, b"data: a\n" * 100),
    "comments": (STREAM, b": a\n" * 100),
    "empty events": (STREAM, b"\n" * 1000),
    "names": (STREAM, b"event: a\nid: b\n" * 100),
    "garbage": (b"", b"garbage" * 100),
}


BOUNDED = ("headers", "one header", "body", "chunks", "event", "lines", "garbage")
"""What grows in memory, and is therefore not read to its end; the others only take the time that a call may take."""


@pytest.mark.parametrize("kind", ENDLESS)
def test_b28_an_answer_without_end_ends(duel: Duel, kind: str) -> None:
    head, chunk = ENDLESS[kind]
    outcome: queue.Queue[str] = queue.Queue()

    def reply(_: Any, line: Any) -> None:
        try:
            for data in (head, *[chunk] * (20_000 if kind in BOUNDED else 2_000)):
                line.send(data)
        except OSError:
            outcome.put("hung up")
        else:
            outcome.put("read to its end")
        line.hang_up()

    duel.upstream.script("work", reply)
    assert duel.call()["error"]["code"] == -32603
    assert kind not in BOUNDED or outcome.get(timeout=PATIENCE) == "hung up"


def test_b28_a_stream_of_events_without_end_delays_no_other_call_and_can_be_cancelled(duel: Duel) -> None:
    line = b"data: " + json.dumps(notification({"level": "debug", "data": "x"})).encode() + b"\n\n"
    ended: list[bool] = []

    def reply(asked: Any, connection: Any) -> None:
        stream(then=without_end(line, times=2000))(asked, connection)
        connection.wait_for_end()
        ended.append(True)

    duel.upstream.script("work", reply)
    identifier = duel.gateway.begin("tools/call", {"name": "work", "arguments": {}, "_meta": META[duel.era]})
    duel.upstream.wait_for("tools/call")
    duel.survives()
    duel.gateway.notify("notifications/cancelled", {"requestId": identifier})
    duel.survives()


def test_b28_a_list_of_tools_without_end_ends(home: Home) -> None:
    with Scripted(["good"]) as upstream, Gateway(home, upstream.url, policy=POLICY) as gateway:
        gateway.initialize()
        upstream.script("tools/list", *[result({"tools": [], "nextCursor": "again"})] * 1000)
        assert "pages" in gateway.call("good", {})["message"]
        assert upstream.calls("good") == []
        assert gateway.call("good", {}) == said("good ran")


ODD_ANSWERS = {
    "nested": '{"jsonrpc":"2.0","id":ID,"result":{"a":' + "[" * 600 + "]" * 600 + "}}",
    "nested, twice, with a fraction": '{"jsonrpc":"2.0","id":ID,"x":1,"x":2,"result":'
    + '{"a":' * 500 + "1.5" + "}" * 500 + "}",
    "open": '{"jsonrpc":"2.0","id":ID,"result":{"a":"' + '\\"' * 20_000 + "[" * 600,
    "exponent": '{"jsonrpc":"2.0","id":ID,"result":{"a":1e-99999999999999999999}}',
    "digits": '{"jsonrpc":"2.0","id":ID,"result":{"a":' + "9" * 10_000 + "}}",
    "infinite": '{"jsonrpc":"2.0","id":ID,"result":{"a":1e999}}',
    "batch": '[{"jsonrpc":"2.0","id":ID,"result":{}}]',
    "both": '{"jsonrpc":"2.0","id":ID,"result":{},"error":{"code":1,"message":"m"}}',
    "request": '{"jsonrpc":"2.0","id":ID,"method":"tools/call","params":{}}',
    "marks": '{"jsonrpc":"2.0","id":ID,"result":{"' + "\u0301\u0323" * 10_000 + '":1}}',
}  # fmt: skip


@pytest.mark.parametrize("way", ["json", "stream"])
@pytest.mark.parametrize("kind", ODD_ANSWERS)
def test_b28_an_answer_that_cannot_be_read_is_an_answer_all_the_same(duel: Duel, kind: str, way: str) -> None:
    def reply(asked: Any, line: Any) -> None:
        text = ODD_ANSWERS[kind].replace("ID", json.dumps(asked.message["id"])).encode()
        (http(200, text) if way == "json" else events(text))(asked, line)

    duel.upstream.script("work", reply)
    duel.upstream.script("tools/list", reply)
    for answer in (duel.call(), duel.ask("tools/list")):
        assert ("result" in answer) != ("error" in answer)
    duel.relist()
