"""Before a server that only knows 2026-07-28, by hand: rounds, streams that break, eras that change."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.clock import SystemClock
from gateway.exchanges import MAX_ROUNDS
from gateway.standin import Standin, StandinOptions
from tests.e2e.process import ALLOW_ALL, Gateway, Home, decision
from tests.e2e.scripted import (
    Asked,
    Line,
    Reply,
    Scripted,
    after,
    hang_up,
    http,
    message,
    result,
    said,
    silence,
    stream,
)
from tests.e2e.test_exchanges import ODD, limited
from tests.e2e.test_reload import await_version, document

Json = Any
MCP = "io.modelcontextprotocol/"
ABLE: Json = {
    "sampling": {},
    "elicitation": {"form": {}, "url": {}},
    "roots": {"listChanged": True},
    "tasks": {"list": {}},
}
CAPABILITIES: Json = {"tools": {"listChanged": True}, "resources": {"subscribe": True}, "logging": {}}
REFUSED = message({"error": {"code": -32022, "message": "no handshakes", "data": {"supported": ["2026-07-28"]}}}, 400)
DONE = result({**said("done"), "resultType": "complete"})


def discovered(**more: Json) -> Reply:
    info = {f"{MCP}serverInfo": {"name": "modern", "version": "7"}}
    value = {"supportedVersions": ["2026-07-28"], "capabilities": CAPABILITIES, "resultType": "complete", "_meta": info}
    return result({**value, **more})


class Modern(Scripted):
    """A scripted server that knows no handshake; `resources` may be listened to."""

    def _usual(self, asked: Asked) -> Reply:
        match asked.method:
            case "initialize":
                return REFUSED
            case "ping":
                return message({"error": {"code": -32601, "message": "no ping"}}, 400)
            case "server/discover":
                return discovered(ttlMs=5, cacheScope="public", instructions="be kind")
            case "subscriptions/listen":
                return self.listened()
            case "tools/call":
                return DONE
        return super()._usual(asked)

    def listened(self, *told: Json, then: Reply = silence) -> Reply:
        """A stream that acknowledges what was asked for, says this, and goes on."""

        def reply(asked: Asked, line: Line) -> None:
            tag = {"_meta": {f"{MCP}subscriptionId": asked.message["id"]}}
            wanted = asked.message["params"]["notifications"]
            first = note("notifications/subscriptions/acknowledged", notifications=wanted)
            tagged = [{**one, "params": {**one["params"], **tag}} for one in (first, *told)]
            stream(*tagged, then=then)(asked, line)

        return reply


def note(method: str, **params: Json) -> Json:
    return {"jsonrpc": "2.0", "method": method, "params": params}


def required(state: Json = None, **asked: Json) -> Reply:
    given = {} if state is None else {"requestState": state}
    questions = {"inputRequests": asked} if asked else {}
    return result({"resultType": "input_required", **questions, **given})


ROOTS = {"method": "roots/list"}


@pytest.fixture
def upstream() -> Iterator[Modern]:
    with Modern(["work", "probe"]) as running:
        yield running


def answer(gateway: Gateway, question: Json, value: Json) -> None:
    gateway.send({"jsonrpc": "2.0", "id": question["id"], "result": value})


def metas(upstream: Scripted, method: str) -> list[Json]:
    return [asked.message["params"].get("_meta", {}) for asked in upstream.asked(method)]


# --- opening, requests ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "refusal",
    [
        REFUSED,
        message({"error": {"code": -32601, "message": "Method not found"}}, 404),
        message({"error": {"code": -32602, "message": "no `_meta`"}}),
        http(400),
        http(405),
    ],
    ids=["-32022", "-32601", "-32602", "400", "405"],
)
@pytest.mark.parametrize(
    ("asked", "spoken"), [("2024-11-05", "2024-11-05"), ("2025-11-25", "2025-11-25"), ("1", "2025-11-25")]
)
def test_a_refused_handshake_is_answered_from_the_discovery(
    home: Home, upstream: Modern, refusal: Reply, asked: str, spoken: str
) -> None:
    upstream.script("initialize", refusal)
    with Gateway(home, upstream.url, policy=ALLOW_ALL) as gateway:
        assert gateway.initialize(ABLE, version=asked)["result"] == {
            "protocolVersion": spoken,
            "capabilities": CAPABILITIES,
            "serverInfo": {"name": "modern", "version": "7"},
            "instructions": "be kind",
        }
    (discovery,) = upstream.asked("server/discover")
    assert discovery.message["id"].startswith("gw-")
    assert discovery.headers["mcp-protocol-version"] == "2026-07-28"
    assert discovery.message["params"]["_meta"] == {
        f"{MCP}protocolVersion": "2026-07-28",
        f"{MCP}clientCapabilities": {name: value for name, value in {**ABLE, "roots": {}}.items() if name != "tasks"},
        f"{MCP}clientInfo": {"name": "test-client", "version": "1.2.3"},
    }


@pytest.mark.parametrize(
    "discovery",
    [
        message({"error": {"code": -32601, "message": "what?"}}),
        discovered(supportedVersions=["2030-01-01"]),
        http(500),
        hang_up,
    ],
    ids=["error", "another revision", "500", "hangs up"],
)
def test_a_server_that_speaks_no_revision_of_ours_refuses_in_its_own_words(
    home: Home, upstream: Modern, discovery: Reply
) -> None:
    upstream.script("server/discover", discovery, discovery)
    with Gateway(home, upstream.url, policy=ALLOW_ALL) as gateway:
        error = gateway.initialize()["error"]
    assert (error["message"], error["data"]) == ("no handshakes", {"supported": ["2026-07-28"]})


@pytest.mark.parametrize("status", [401, 403, 429, 500])
def test_a_server_that_lets_nobody_in_is_not_asked_what_it_speaks(home: Home, upstream: Modern, status: int) -> None:
    upstream.script("initialize", http(status))
    with Gateway(home, upstream.url, policy=ALLOW_ALL) as gateway:
        assert gateway.initialize()["error"]["data"]["status"] == status
    assert upstream.asked("server/discover") == []


def test_requests_say_what_the_client_is_and_keep_what_it_put_there(home: Home, upstream: Modern) -> None:
    with Gateway(home, upstream.url, policy=ALLOW_ALL) as gateway:
        gateway.initialize(ABLE)
        assert gateway.request("ping")["result"] == {}
        assert gateway.request("logging/setLevel", {"level": "loud"})["error"]["code"] == -32602
        gateway.call("work", {"n": 1}, _meta={"progressToken": 0, "traceparent": "00-a"}, future=[1])
        assert gateway.request("logging/setLevel", {"level": "warning"})["result"] == {}
        gateway.call("work", {"n": 2})
        gateway.notify("notifications/roots/list_changed")
        for method in ("tasks/list", "tasks/get"):
            assert gateway.request(method, {"taskId": "t"})["error"]["code"] == -32601
        assert "which has no such tasks" in gateway.call("work", {}, task={"ttl": 5})["message"]
    first, second = (asked.message["params"] for asked in upstream.calls("work"))
    assert (first["future"], first["arguments"]) == ([1], {"n": 1})
    assert (first["_meta"]["progressToken"], first["_meta"]["traceparent"]) == (0, "00-a")
    assert f"{MCP}logLevel" not in first["_meta"]
    assert second["_meta"][f"{MCP}logLevel"] == "warning"
    assert {asked.headers["mcp-name"] for asked in upstream.calls("work")} == {"work"}
    unheard = {"ping", "logging/setLevel", "tasks/list", "tasks/get", "notifications/initialized"}
    assert [method for method in unheard | {"notifications/roots/list_changed"} if upstream.asked(method)] == []


def test_what_only_the_stateless_revision_says_is_left_out_and_nothing_else(home: Home, upstream: Modern) -> None:
    meta = {f"{MCP}serverInfo": {"name": "m"}, "a/b": 1.50}
    tools = [
        {"name": "work", "inputSchema": {"type": "object"}, "outputSchema": {"type": "array"}, "x": 1},
        {"name": "other", "inputSchema": {"type": "object"}, "outputSchema": {"type": "object"}},
    ]
    listed = {"tools": tools, "resultType": "complete", "ttlMs": 9, "cacheScope": "private", "_meta": meta, "new": [1]}
    called = {**said("x"), "structuredContent": [1, 2], "resultType": "complete", "_meta": {f"{MCP}serverInfo": {}}}
    with Gateway(home, upstream.url, policy=ALLOW_ALL) as gateway:
        gateway.initialize()
        upstream.script("tools/list", result(listed))
        upstream.script("work", result(called), result({"resultType": "task", "taskId": "t"}))
        plain = {"name": "work", "inputSchema": {"type": "object"}, "x": 1}
        assert gateway.request("tools/list")["result"] == {
            "tools": [plain, tools[1]],
            "_meta": {"a/b": 1.5},
            "new": [1],
        }
        assert gateway.call("work") == said("x")
        assert "cannot read: `task`" in gateway.call("work")["content"][0]["text"]


# --- rounds -----------------------------------------------------------------------------------------------------------


def test_a_round_becomes_questions_and_the_call_is_charged_once(home: Home, upstream: Modern) -> None:
    elicit = {"method": "elicitation/create", "params": {"mode": "form", "message": "m", "requestedSchema": {}, "n": 1}}
    responses = {"a": {"action": "accept", "content": {"t": "ü\u2028"}}, "b": {"roots": [], "n": 1}}
    states = [*ODD, None]
    with Gateway(home, upstream.url, policy=limited(len(states))) as gateway:
        gateway.initialize(ABLE)
        for state in states:
            upstream.script("work", required(state, a=elicit, b=ROOTS), DONE)
            identifier = gateway.begin("tools/call", {"name": "work", "arguments": {"x": 1}})
            asked = {question["method"]: question for question in (gateway.receive(), gateway.receive())}
            assert asked["elicitation/create"]["params"] == elicit["params"]
            answer(gateway, asked["roots/list"], responses["b"])
            answer(gateway, asked["elicitation/create"], responses["a"])
            assert gateway.answer(identifier)["result"] == said("done")
        assert decision(gateway.call("work", {"x": 1}))["reason"] == "limit"
    calls = [asked.message for asked in upstream.calls("work")]
    for state, first, second in zip(states, calls[::2], calls[1::2], strict=True):
        given = {} if state is None else {"requestState": state}
        assert second["params"] == {**first["params"], **given, "inputResponses": responses}
    assert len({one["id"] for one in calls}) == len(calls)
    kinds = [record.kind for record in home.records() if record.tool == "work"]
    assert kinds == ["decided", "settled"] * len(calls) + ["refused"]


def test_a_round_is_judged_by_the_policy_in_force_then(home: Home, upstream: Modern) -> None:
    upstream.script("work", required("s", k=ROOTS))
    with Gateway(home, upstream.url, policy=limited(5), altered="watchful") as gateway:
        gateway.initialize(ABLE)
        identifier = gateway.begin("tools/call", {"name": "work", "arguments": {}})
        question = gateway.hear("roots/list")
        home.policy(document("second", tools={"work": {"action": "deny", "reason": "not any more"}}))
        await_version(gateway, "second")
        answer(gateway, question, {"roots": []})
        denied = gateway.answer(identifier)["result"]
        assert denied["content"][0]["text"] == "[POLICY DENIED] not any more"
        assert "resultType" not in denied
    assert len(upstream.calls("work")) == 1


def test_an_address_to_be_visited_gets_the_id_that_2025_11_25_wants(home: Home, upstream: Modern) -> None:
    params = {"mode": "url", "message": "m", "url": "https://a.example/"}
    upstream.script("work", required("s", k={"method": "elicitation/create", "params": params}), DONE)
    with Gateway(home, upstream.url, policy=ALLOW_ALL) as gateway:
        gateway.initialize(ABLE)
        identifier = gateway.begin("tools/call", {"name": "work"})
        question = gateway.hear("elicitation/create")
        assert question["params"] == {**params, "elicitationId": question["id"]}
        answer(gateway, question, {"action": "accept"})
        assert gateway.answer(identifier)["result"] == said("done")


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (
            {"k": {"method": "sampling/createMessage"}},
            "asked for `sampling/createMessage`, which this client did not offer",
        ),
        ({"k": {"method": "elicitation/create", "params": {"mode": "url"}}}, "did not offer"),
        ({"k": {"method": "ping"}}, "did not offer"),
        ({"k": 5}, "did not offer"),
        ({str(number): ROOTS for number in range(33)}, "in a way that cannot be passed on"),
    ],
)
def test_what_a_client_cannot_be_asked_fails_the_call(home: Home, upstream: Modern, asked: Json, words: str) -> None:
    upstream.script("work", required("s", **asked))
    upstream.script("prompts/get", required("s", **asked))
    with Gateway(home, upstream.url, policy=ALLOW_ALL) as gateway:
        gateway.initialize({"roots": {}, "elicitation": {}})
        failed = gateway.call("work")
        assert failed["isError"] is True
        assert words in failed["content"][0]["text"]
        assert words in gateway.request("prompts/get", {"name": "p"})["error"]["message"]
        assert gateway.others == []


def test_a_server_that_asks_for_ever_is_given_up(home: Home, upstream: Modern) -> None:
    upstream.script("work", *[required("s", k=ROOTS)] * (MAX_ROUNDS + 5))
    with Gateway(home, upstream.url, policy=limited(1)) as gateway:
        gateway.initialize(ABLE)
        identifier = gateway.begin("tools/call", {"name": "work"})
        for _ in range(MAX_ROUNDS):
            answer(gateway, gateway.hear("roots/list"), {"roots": []})
        assert "asked for more input 20 times" in str(gateway.answer(identifier))
    assert len(upstream.calls("work")) == MAX_ROUNDS


def test_without_a_question_the_call_is_made_again(home: Home, upstream: Modern) -> None:
    upstream.script("work", required("s1"), required("s2"), DONE)
    with Gateway(home, upstream.url, policy=limited(1)) as gateway:
        gateway.initialize()
        assert gateway.call("work") == said("done")
    states = [asked.message["params"].get("requestState") for asked in upstream.calls("work")]
    assert states == [None, "s1", "s2"]
    assert all("inputResponses" not in asked.message["params"] for asked in upstream.calls("work"))


def test_a_call_that_is_cancelled_while_the_client_is_asked_takes_the_question_back(
    home: Home, upstream: Modern
) -> None:
    upstream.script("work", required("s", k=ROOTS))
    with Gateway(home, upstream.url, policy=ALLOW_ALL) as gateway:
        gateway.initialize(ABLE)
        identifier = gateway.begin("tools/call", {"name": "work"})
        question = gateway.hear("roots/list")
        gateway.notify("notifications/cancelled", {"requestId": identifier})
        assert gateway.hear("notifications/cancelled")["params"]["requestId"] == question["id"]
        answer(gateway, question, {"roots": []})  # too late
        assert gateway.call("work") == said("done")
        assert [said for said in gateway.others if "method" not in said] == []
    assert len(upstream.calls("work")) == 2
    assert upstream.asked("notifications/cancelled") == []


# --- what the server says of its own accord ---------------------------------------------------------------------------

CHANGED = note("notifications/tools/list_changed")
UPDATED = note("notifications/resources/updated", uri="a:b", n=1.5)


def test_the_stream_of_changes_comes_back_and_its_tags_stay_here(home: Home, upstream: Modern) -> None:
    upstream.script(
        "subscriptions/listen",
        upstream.listened(CHANGED, then=hang_up),
        http(503),
        hang_up,
        upstream.listened(CHANGED),
    )
    with Gateway(home, upstream.url, policy=ALLOW_ALL) as gateway:
        gateway.initialize()
        for _ in range(2):
            assert gateway.hear("notifications/tools/list_changed") == {"jsonrpc": "2.0", **without_params(CHANGED)}
        assert gateway.others == []
    wanted = [asked.message["params"]["notifications"] for asked in upstream.asked("subscriptions/listen")]
    assert wanted == [{"toolsListChanged": True}] * 4
    assert len({asked.message["id"] for asked in upstream.asked("subscriptions/listen")}) == 4


def without_params(body: Json) -> Json:
    return {key: value for key, value in body.items() if key != "params"}


def test_a_subscription_is_answered_once_the_server_has_acknowledged_it(home: Home, upstream: Modern) -> None:
    acknowledge = threading.Event()
    upstream.script(
        "subscriptions/listen", upstream.listened(), after(acknowledge, upstream.listened(UPDATED)), upstream.listened()
    )
    with Gateway(home, upstream.url, policy=ALLOW_ALL) as gateway:
        gateway.initialize()
        upstream.wait_for("subscriptions/listen")
        identifier = gateway.begin("resources/subscribe", {"uri": "a:b"})
        upstream.wait_for("subscriptions/listen", 2)
        gateway.request("ping")
        acknowledge.set()
        assert gateway.answer(identifier)["result"] == {}
        assert gateway.hear("notifications/resources/updated")["params"] == {"uri": "a:b", "n": 1.5}
        assert gateway.request("resources/unsubscribe", {"uri": "a:b"})["result"] == {}
        last = upstream.wait_for("subscriptions/listen", 3)
    assert last.message["params"]["notifications"] == {"toolsListChanged": True}
    second = upstream.asked("subscriptions/listen")[1].message["params"]
    assert second["notifications"] == {"toolsListChanged": True, "resourceSubscriptions": ["a:b"]}
    assert upstream.asked("resources/subscribe") == []
    judged = [(record.method, record.kind, record.outcome) for record in home.records()]
    assert judged == [("resources/subscribe", "decided", None), ("resources/subscribe", "settled", "ok")]


def test_two_subscriptions_at_once_are_both_heard_of(home: Home, upstream: Modern) -> None:
    with Gateway(home, upstream.url, policy=ALLOW_ALL) as gateway:
        gateway.initialize()
        upstream.wait_for("subscriptions/listen")
        both = [gateway.begin("resources/subscribe", {"uri": uri}) for uri in ("a:b", "c:d")]
        assert [one["result"] for one in gateway.answers(both)] == [{}, {}]
        last = upstream.asked("subscriptions/listen")[-1].message["params"]["notifications"]
    assert sorted(last["resourceSubscriptions"]) == ["a:b", "c:d"]


@pytest.mark.parametrize(
    "listened",
    [message({"error": {"code": -32601, "message": "no"}}, 404), http(503), hang_up],
    ids=["-32601", "503", "hangs up"],
)
def test_a_subscription_that_the_server_does_not_take_is_refused(home: Home, upstream: Modern, listened: Reply) -> None:
    upstream.script("server/discover", discovered(capabilities={"tools": {}, "resources": {"subscribe": True}}))
    upstream.script("subscriptions/listen", listened)
    with Gateway(home, upstream.url, policy=ALLOW_ALL) as gateway:
        gateway.initialize()
        error = gateway.request("resources/subscribe", {"uri": "a:b"})["error"]
        assert (error["code"], "does not tell of changes" in error["message"]) == (-32602, True)
        assert gateway.call("work") == said("done")


def test_a_subscription_that_the_policy_refuses_is_not_made(home: Home, upstream: Modern) -> None:
    policy = {"version": "1", "default": "deny", "tools": {"work": {}}}
    with Gateway(home, upstream.url, policy=policy) as gateway:
        gateway.initialize()
        upstream.wait_for("subscriptions/listen")
        assert gateway.request("resources/subscribe", {"uri": "a:b"})["error"]["code"] == -33403
        assert gateway.call("work") == said("done")
    assert "a:b" not in json.dumps([asked.message for asked in upstream.asked("subscriptions/listen")])


# --- eras that change -------------------------------------------------------------------------------------------------


def test_a_client_that_begins_anew_is_open_once(home: Home, upstream: Modern) -> None:
    upstream.script("work", required("s", k=ROOTS))
    with Gateway(home, upstream.url, policy=ALLOW_ALL) as gateway:
        gateway.initialize(ABLE)
        upstream.wait_for("subscriptions/listen")
        abandoned = gateway.begin("tools/call", {"name": "work"})
        gateway.hear("roots/list")
        assert gateway.initialize(version="2024-11-05")["result"]["protocolVersion"] == "2024-11-05"
        found = next((one for one in gateway.others if one.get("id") == abandoned), None) or gateway.answer(abandoned)
        assert "before the client answered" in found["error"]["message"]
        assert gateway.call("work") == said("done")
        upstream.wait_for("subscriptions/listen", 2)
    assert metas(upstream, "tools/call")[-1][f"{MCP}clientCapabilities"] == {}


def test_a_server_that_shakes_hands_again_is_shaken_hands_with(home: Home, upstream: Modern) -> None:
    with Gateway(home, upstream.url, policy=ALLOW_ALL) as gateway:
        gateway.initialize()
        assert gateway.call("work") == said("done")
        upstream.script("initialize", upstream.opened())
        assert gateway.initialize()["result"]["serverInfo"]["name"] == "scripted"
        gateway.call("work")
    one, other = upstream.calls("work")
    assert (one.session, other.session) == (None, "session-1")
    assert "_meta" not in other.message["params"]


def test_a_server_that_comes_back_with_another_revision_is_found_out_by_its_refusal(
    home: Home, upstream: Modern
) -> None:
    legacy = message({"error": {"code": -32600, "message": "Unsupported protocol version"}}, 400)
    unknown = message({"error": {"code": -32601, "message": "Method not found"}})
    with Gateway(home, upstream.url, policy=ALLOW_ALL) as gateway:
        gateway.initialize(ABLE)
        gateway.request("logging/setLevel", {"level": "error"})
        gateway.request("resources/subscribe", {"uri": "a:b"})
        upstream.script("work", legacy)
        upstream.script("server/discover", unknown)
        upstream.script("initialize", upstream.opened())
        assert (
            "the upstream speaks another revision now, and so does the gateway: ask again"
            in gateway.call("work")["content"][0]["text"]
        )
        gateway.hear("notifications/tools/list_changed")
        gateway.call("work")
    refused, accepted = upstream.calls("work")
    assert (refused.session, accepted.session) == (None, "session-1")
    opening = upstream.asked("initialize")[-1].message
    assert opening["id"].startswith("gw-")
    assert opening["params"]["capabilities"] == ABLE
    assert upstream.wait_for("logging/setLevel").message["params"] == {"level": "error"}
    assert upstream.wait_for("resources/subscribe").message["params"] == {"uri": "a:b"}


@pytest.mark.parametrize("code", [-32020, -32022])
def test_a_session_before_a_server_that_comes_back_without_is_translated_from_there_on(
    home: Home, upstream: Modern, code: int
) -> None:
    upstream.script("initialize", upstream.opened())
    modern = message({"error": {"code": code, "message": "which revision?"}}, 400)
    with Gateway(home, upstream.url, policy=ALLOW_ALL) as gateway:
        gateway.initialize(ABLE)
        gateway.request("logging/setLevel", {"level": "error"})
        gateway.request("resources/subscribe", {"uri": "a:b"})
        gateway.call("work")
        upstream.script("work", modern, *([modern] if code == -32020 else []), required("s", k=ROOTS), DONE)
        assert "another revision now" in gateway.call("work")["content"][0]["text"]
        identifier = gateway.begin("tools/call", {"name": "work"})
        answer(gateway, gateway.hear("roots/list"), {"roots": []})
        assert gateway.answer(identifier)["result"] == said("done")
        listened = upstream.wait_for("subscriptions/listen").message["params"]["notifications"]
    assert listened == {"toolsListChanged": True, "resourceSubscriptions": ["a:b"]}
    assert [asked.session for asked in upstream.calls("work")][-3:] == ["session-1", None, None]
    assert upstream.wait_for("DELETE").session == "session-1"
    assert metas(upstream, "tools/call")[-1][f"{MCP}logLevel"] == "error"


def test_an_error_that_only_looks_like_another_revision_is_the_servers_own(home: Home, upstream: Modern) -> None:
    upstream.script("work", message({"error": {"code": -32600, "message": "mine"}}, 400))
    with Gateway(home, upstream.url, policy=ALLOW_ALL) as gateway:
        gateway.initialize()
        assert gateway.call("work")["message"] == "mine"
        assert gateway.call("work") == said("done")
    assert len(upstream.asked("initialize")) == 1


def test_a_session_that_is_there_stays_whatever_an_answer_looks_like(home: Home) -> None:
    with Scripted() as upstream, Gateway(home, upstream.url, policy=ALLOW_ALL) as gateway:
        gateway.initialize()
        upstream.script("server/discover", discovered())
        upstream.script("one", message({"error": {"code": -32022, "message": "a tool's own"}}))
        assert gateway.call("one") == {"code": -32022, "message": "a tool's own"}
        assert gateway.call("one") == said("one ran")
        assert "DELETE" not in [asked.verb for asked in upstream.everything()]


def test_a_session_that_was_open_is_ended_when_the_server_shakes_no_hands_any_more(
    home: Home, upstream: Modern
) -> None:
    upstream.script("initialize", upstream.opened())
    with Gateway(home, upstream.url, policy=ALLOW_ALL) as gateway:
        assert gateway.initialize()["result"]["serverInfo"]["name"] == "scripted"
        assert gateway.initialize()["result"]["serverInfo"]["name"] == "modern"
        assert gateway.call("work") == said("done")
        assert upstream.wait_for("DELETE").session == "session-1"
        assert gateway.close() == 0


def test_the_end_ends_the_stream_at_once(home: Home, upstream: Modern) -> None:
    with Gateway(home, upstream.url, policy=ALLOW_ALL, altered="lasting,patient") as gateway:
        gateway.initialize()
        upstream.wait_for("subscriptions/listen")
        assert gateway.close() == 0


def test_a_question_that_is_open_at_the_end_is_answered_in_words_that_say_so(home: Home) -> None:
    with (
        Standin(StandinOptions(protocol="modern"), clock=SystemClock()) as standin,
        Gateway(home, standin.url, policy=ALLOW_ALL) as gateway,
    ):
        gateway.initialize({"elicitation": {}})
        asking = gateway.begin("tools/call", {"name": "standin_read_3", "arguments": {}})
        gateway.hear("elicitation/create")
        assert gateway.close() == 0
        (last,) = (message for message in gateway.rest() if message.get("id") == asking)
        assert last["error"]["message"] == "the session ended before the client answered"
