"""`--switch-off`: what the server never learns that the client could do, and what becomes of it when it asks anyway."""

import json
from typing import Any

import pytest

from gateway.clock import SystemClock
from gateway.standin import Standin, StandinOptions
from tests.e2e.arena import META, STATELESS
from tests.e2e.process import ALLOW_ALL, Gateway, Home
from tests.e2e.scripted import Scripted, result, said, stream

Json = Any
ABLE: Json = {"sampling": {}, "elicitation": {}, "roots": {"listChanged": True}}
CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
ASKING = {"sampling": "standin_read_2", "elicitation": "standin_read_3", "roots": "standin_read_4"}
METHODS = {"sampling": "sampling/createMessage", "elicitation": "elicitation/create", "roots": "roots/list"}


def modern(**params: Json) -> Json:
    return {**params, "_meta": {**META[STATELESS], CAPABILITIES: ABLE}}


@pytest.mark.parametrize("kind", ASKING)
def test_a_server_that_keeps_to_what_is_declared_does_not_ask(home: Home, standin: Standin, kind: str) -> None:
    with Gateway(home, standin.url, "--switch-off", kind, policy=ALLOW_ALL) as gateway:
        gateway.initialize(ABLE)
        assert "did not declare" in str(gateway.call(ASKING[kind], {}))
        assert gateway.call(ASKING[kind], {}, **modern())["code"] == -32021
        others = sorted(ASKING.keys() - {kind})
        assert [gateway.call(ASKING[other], {}, **modern())["resultType"] for other in others] == ["input_required"] * 2
        assert gateway.others == []


def test_all_of_them_by_the_environment(home: Home, standin: Standin) -> None:
    home.environment["KEYID_GATEWAY_SWITCH_OFF"] = "sampling, roots,elicitation"
    with Gateway(home, standin.url, policy=ALLOW_ALL) as gateway:
        gateway.initialize(ABLE)
        gateway.notify("notifications/roots/list_changed")
        assert [gateway.call(tool, {}, **modern())["code"] for tool in ASKING.values()] == [-32021] * 3
    bodies = [json.loads(str(entry["body"])) for entry in standin.journal if entry.get("http") == "POST"]
    opening = next(body for body in bodies if body["method"] == "initialize")
    assert opening["params"]["capabilities"] == {}
    assert "notifications/roots/list_changed" not in [body["method"] for body in bodies]


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("sampling", {"error": {"code": -1, "message": "sampling is switched off"}}),
        ("elicitation", {"result": {"action": "decline"}}),
        ("roots", {"error": {"code": -32601, "message": "roots are switched off"}}),
    ],
)
def test_a_server_that_asks_all_the_same_is_answered_and_the_client_hears_nothing(
    home: Home, kind: str, answer: Json
) -> None:
    with (
        Scripted() as upstream,
        Gateway(home, upstream.url, "--switch-off", kind, policy=ALLOW_ALL) as gateway,
    ):
        gateway.initialize(ABLE)
        question = {"jsonrpc": "2.0", "id": "q", "method": METHODS[kind], "params": {}}

        def then(asked: Json, line: Json) -> None:
            upstream.wait_for("response")
            done = {"jsonrpc": "2.0", "id": asked.message["id"], "result": said("went on")}
            line.send(b"data: " + json.dumps(done).encode() + b"\n\n")

        upstream.script("one", stream(question, then=then))
        assert gateway.call("one") == said("went on")
        assert upstream.wait_for("response").message == {"jsonrpc": "2.0", "id": "q", **answer}
        assert gateway.others == []


@pytest.mark.parametrize("kind", METHODS)
def test_a_round_that_asks_for_it_is_a_failed_call_and_no_open_exchange(home: Home, kind: str) -> None:
    policy = {
        **ALLOW_ALL,
        "tools": {"one": {"limits": [{"counter": "c", "window": "day", "max": 1, "scope": "grant"}]}},
    }
    required = {"resultType": "input_required", "inputRequests": {"k": {"method": METHODS[kind]}}, "requestState": "s"}
    with (
        Scripted() as upstream,
        Gateway(home, upstream.url, "--switch-off", kind, policy=policy) as gateway,
    ):
        upstream.script("one", result(required))
        failed = gateway.call("one", {}, **modern())
        assert (failed["isError"], failed["resultType"]) == (True, "complete")
        assert METHODS[kind] in failed["content"][0]["text"]
        assert "Rate limit" in str(gateway.call("one", {}, **modern(requestState="s", inputResponses={})))


def test_a_task_that_asks_for_it_all_the_same_is_not_shown(home: Home) -> None:
    wanted = {"k": {"method": METHODS["elicitation"], "params": {"message": "what is the password?"}}}
    task = {"resultType": "complete", "taskId": "t", "status": "input_required", "inputRequests": wanted}
    news = {"jsonrpc": "2.0", "method": "notifications/tasks", "params": task}
    with (
        Scripted() as upstream,
        Gateway(home, upstream.url, "--switch-off", "elicitation", policy=ALLOW_ALL) as gateway,
    ):
        upstream.script("one", result({"resultType": "task", "taskId": "t", "status": "working"}))
        gateway.call("one", {}, **modern())
        upstream.script("tasks/get", stream(news, {"jsonrpc": "2.0", "id": None, "result": task}))
        shown = gateway.request("tasks/get", modern(taskId="t"))
        assert shown["error"]["message"].endswith("which is switched off (--switch-off)")
        assert gateway.others == []


def test_before_a_server_that_knows_no_handshake_too(home: Home) -> None:
    with (
        Standin(StandinOptions(protocol="modern"), clock=SystemClock()) as standin,
        Gateway(home, standin.url, "--switch-off", "sampling", policy=ALLOW_ALL) as gateway,
    ):
        gateway.initialize(ABLE)
        assert gateway.call("standin_read_2", {})["code"] == -32021
        assert gateway.others == []


def test_what_nobody_knows_cannot_be_switched_off(home: Home, standin: Standin) -> None:
    with Gateway(home, standin.url, "--switch-off", "sampling,everything", policy=ALLOW_ALL) as gateway:
        assert gateway.close() == 2
    assert "one or more of `sampling`, `elicitation`, `roots` are needed" in gateway.errors
