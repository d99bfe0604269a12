"""The stateless revision, by hand: what a request carries beside its body, and that no message decides for the next."""

import base64
import json
from collections.abc import Iterator

import pytest

from gateway.standin import Post, Standin, StandinOptions
from gateway.standin.journal import Entry
from tests.e2e.process import ALLOW_ALL, PATIENCE, Gateway, Home
from tests.e2e.scripted import Scripted
from tests.interaction.peers import StandingClock
from tests.interaction.requirements import shows
from tests.interaction.wire import META, VERSION, Json, answer_line, arrived, exact, line, modern, response, says

DISCOVERED = f'"result":{{"supportedVersions":["{VERSION}"],"capabilities":{{"tools":{{}}}},"resultType":"complete"}}'
INBOX = "keyid://inbox/unread"


@pytest.fixture(scope="module")
def gateway(home: Home, standin: Standin) -> Iterator[Gateway]:
    """A gateway that has served both eras already."""
    with Gateway(home, standin.url, policy=ALLOW_ALL) as running:
        assert "result" in running.request("server/discover", modern())
        running.initialize({"roots": {}}, version="2025-11-25")
        yield running


def headers(entry: Entry) -> dict[str, str]:
    """The protocol's headers of a request."""
    found = entry["headers"]
    assert isinstance(found, dict)
    return {name: value for name, value in found.items() if name.startswith(("mcp-", "last-event"))}


def encoded(text: str) -> str:
    return f"=?base64?{base64.b64encode(text.encode()).decode()}?="


# --- requests ---------------------------------------------------------------------------------------------------------


@shows("modern.discover", "wire.housekeeping")
def test_discover_arrives_byte_for_byte_and_is_answered_by_the_server(gateway: Gateway, standin: Standin) -> None:
    params = json.dumps(modern({"future": [1.5]}, traceparent="00-a-b-01"), indent=None)
    text = f'{{"params":{params},  "method":"server/discover","id":"disc÷","jsonrpc":"2.0"}}'
    gateway.send(text.encode() + b"\n")
    result = gateway.answer("disc÷")["result"]
    assert VERSION in result["supportedVersions"]
    assert result["_meta"][f"{META}serverInfo"]["name"] == "keyid-standin"
    assert arrived(standin, "disc÷")["body"] == text


@shows("modern.headers", "modern.no-session")
@pytest.mark.parametrize(
    ("method", "params", "name"),
    [
        ("server/discover", {}, None),
        ("tools/list", {}, None),
        ("tools/call", {"name": "get_identity"}, "get_identity"),
        ("prompts/list", {}, None),
        ("prompts/get", {"name": "sign_up", "arguments": {"service": "x"}}, "sign_up"),
        ("prompts/get", {"name": " ö "}, encoded(" ö ")),
        ("resources/list", {}, None),
        ("resources/read", {"uri": INBOX}, INBOX),
        ("resources/read", {"uri": "keyid://ü"}, encoded("keyid://ü")),
        ("resources/read", {"uri": "=?base64?eA==?="}, encoded("=?base64?eA==?=")),
        ("completion/complete", {"ref": {"type": "ref/prompt", "name": "p"}, "argument": {}}, None),
    ],
)
def test_the_headers_of_a_request_are_made_from_its_body(
    gateway: Gateway, standin: Standin, method: str, params: Json, name: str | None
) -> None:
    identifier = f"headers {method} {params}"
    gateway.send({"jsonrpc": "2.0", "id": identifier, "method": method, "params": modern(params)})
    gateway.answer(identifier)
    expected = {"mcp-protocol-version": VERSION, "mcp-method": method}
    assert headers(arrived(standin, identifier)) == expected | ({} if name is None else {"mcp-name": name})


MARKED = json.dumps(
    {
        "type": "object",
        "properties": {
            "region": {"type": "string", "x-mcp-header": "Region"},
            "deep": {"type": "object", "properties": {"count": {"type": "integer", "x-mcp-header": "Count"}}},
            "flag": {"type": "boolean", "x-mcp-header": "Flag"},
            "absent": {"type": "string", "x-mcp-header": "Absent"},
            "plain": {"type": "string"},
        },
    }
)
MARKED_TOOLS = f'"result":{{"tools":[{{"name":"marked","inputSchema":{MARKED}}}],"resultType":"complete"}}'
DONE = '"result":{"content":[],"resultType":"complete"}'


@shows("modern.params")
@pytest.mark.parametrize(
    ("region", "header"),
    [
        ("eu-west", "eu-west"),
        ("Zürich", encoded("Zürich")),
        (" padded", encoded(" padded")),
        ("a\r\nb", encoded("a\r\nb")),
    ],
)
def test_marked_arguments_become_headers_though_the_client_never_listed(home: Home, region: str, header: str) -> None:
    arguments = {"region": region, "deep": {"count": 42}, "flag": False, "plain": "no"}
    with Scripted() as scripted, Gateway(home, scripted.url, policy=ALLOW_ALL) as gateway:
        scripted.script("tools/list", says(MARKED_TOOLS))
        scripted.script("marked", says(DONE))
        assert gateway.call("marked", arguments, **modern()) == {"content": [], "resultType": "complete"}
        (asked,), (listed,) = scripted.calls("marked"), scripted.asked("tools/list")
    params = {name: value for name, value in asked.headers.items() if name.startswith("mcp-param-")}
    assert params == {"mcp-param-region": header, "mcp-param-count": "42", "mcp-param-flag": "false"}
    assert listed.headers["mcp-method"] == "tools/list"
    assert listed.message["id"].startswith("gw-")
    assert listed.message["params"]["_meta"][f"{META}clientInfo"] == {"name": "by-hand", "version": "9"}


INVALID = '{"name":"unlisted","inputSchema":{"properties":{"p":{"type":"number","x-mcp-header":"P"}}}}'


@shows("modern.marks")
def test_a_tool_whose_marks_are_not_allowed_is_not_listed_in_the_revision_that_has_them(home: Home) -> None:
    listed = f'"result":{{"tools":[{INVALID},{{"name":"one","n":1.00,"x-mcp-header":5}}],"resultType":"complete"}}'
    with Scripted() as scripted, Gateway(home, scripted.url, policy=ALLOW_ALL) as gateway:
        gateway.initialize()
        scripted.script("tools/list", says(listed), says(listed))
        assert [tool["name"] for tool in gateway.request("tools/list")["result"]["tools"]] == ["unlisted", "one"]
        gateway.send({"jsonrpc": "2.0", "id": "m", "method": "tools/list", "params": modern()})
        assert b'"tools":[{"name":"one","n":1.00,"x-mcp-header":5}]' in answer_line(gateway, "m")


MISMATCH = '"error":{"code":-32020,"message":"header mismatch","data":{"missing":"Mcp-Param-Region"}}'


@shows("modern.mismatch")
def test_a_call_refused_for_its_headers_is_made_again_once_by_the_current_schema(home: Home) -> None:
    mismatch = says(MISMATCH, status=400)
    with Scripted(["marked"]) as scripted, Gateway(home, scripted.url, policy=ALLOW_ALL) as gateway:
        gateway.request("tools/list", modern())  # as it was before the schema changed
        scripted.script("tools/list", says(MARKED_TOOLS), says(MARKED_TOOLS))
        scripted.script("marked", mismatch, says(DONE), mismatch, mismatch)
        assert gateway.call("marked", {"region": "eu"}, **modern()) == {"content": [], "resultType": "complete"}
        assert gateway.call("marked", {"region": "us"}, **modern())["code"] == -32020
        calls = scripted.calls("marked")
    assert [asked.headers.get("mcp-param-region") for asked in calls] == [None, "eu", "us", "us"]


# --- rounds, streams, cancels -----------------------------------------------------------------------------------------


@shows("modern.input")
@pytest.mark.parametrize(
    ("tool", "method", "answer"),
    [
        (
            "standin_read_2",
            "sampling/createMessage",
            {"role": "assistant", "model": "m", "content": {"type": "text", "text": "ü"}},
        ),
        ("standin_read_3", "elicitation/create", {"action": "accept", "content": {"answer": "bl\u2028ue"}}),
        ("standin_read_4", "roots/list", {"roots": [{"uri": "file:///x"}]}),
    ],
)
def test_a_call_that_needs_input_passes_with_its_state(
    gateway: Gateway, standin: Standin, tool: str, method: str, answer: Json
) -> None:
    asked = gateway.call(tool, {}, **modern())
    assert asked["resultType"] == "input_required"
    assert asked["inputRequests"]["answer"]["method"] == method
    params = {
        "name": tool,
        "arguments": {},
        "inputResponses": {"answer": answer},
        "requestState": asked["requestState"],
    }
    sent = {"jsonrpc": "2.0", "id": f"round {tool}", "method": "tools/call", "params": modern(params)}
    gateway.send(sent)
    given = gateway.answer(f"round {tool}")["result"]["structuredContent"]["answer"]
    assert {key: given[key] for key in answer} == answer
    assert exact(str(arrived(standin, f"round {tool}")["body"])) == exact(json.dumps(sent))


@shows("modern.listen", "modern.cancel")
def test_a_subscription_is_told_of_changes_until_the_client_ends_it(gateway: Gateway, standin: Standin) -> None:
    wanted = {"notifications": {"toolsListChanged": True, "resourceSubscriptions": [INBOX], "future": 1.5}}
    sent = {"jsonrpc": "2.0", "id": "listen÷", "method": "subscriptions/listen", "params": modern(wanted)}
    gateway.send(sent)
    acknowledged = gateway.receive()
    assert acknowledged["method"] == "notifications/subscriptions/acknowledged"
    standin.deliver(Post("email", "a@b.example", "one", "Hi"))
    updated = gateway.receive()
    assert (updated["method"], updated["params"]["uri"]) == ("notifications/resources/updated", INBOX)
    tags = [said["params"]["_meta"][f"{META}subscriptionId"] for said in (acknowledged, updated)]
    assert tags == ["listen÷", "listen÷"]
    assert json.loads(str(arrived(standin, "listen÷")["body"])) == sent
    gateway.notify("notifications/cancelled", {"requestId": "listen÷", **modern()})
    gateway.request("ping")
    gateway.others.clear()
    standin.deliver(Post("email", "a@b.example", "two", "Hi"))
    gateway.call("get_identity", {}, **modern())
    gateway.request("ping")
    assert gateway.others == []


@shows("modern.cancel")
@pytest.mark.parametrize("params", [{}, modern()], ids=["bare", "with-meta"])
def test_a_cancel_closes_the_stream_and_sends_nothing(gateway: Gateway, standin: Standin, params: Json) -> None:
    seconds = 250 + len(params)
    gateway.request("tools/list", modern({}))  # so that the gateway need not ask itself
    before = len(standin.journal)
    call_id = gateway.begin("tools/call", modern({"name": "standin_write_3", "arguments": {"seconds": seconds}}))

    def is_it(entry: Entry) -> bool:
        return entry.get("arguments") == {"seconds": seconds}

    assert standin.wait_for(is_it, PATIENCE) is not None
    gateway.notify("notifications/cancelled", {"requestId": call_id, **params})
    assert standin.wait_for(lambda entry: entry.get("event") == "cancelled" and is_it(entry), PATIENCE) is not None
    gateway.others.clear()
    gateway.request("ping")
    assert gateway.others == []
    posted = [json.loads(str(entry["body"])) for entry in standin.journal[before:] if entry.get("http") == "POST"]
    assert [one["method"] for one in posted] == ["tools/call", "ping"]


# --- eras -------------------------------------------------------------------------------------------------------------


@shows("era.each-request", "modern.no-session")
def test_both_eras_work_on_one_connection_in_any_order(home: Home, standin: Standin) -> None:
    def ask(method: str, params: Json) -> Json:
        return gateway.request(method, params)

    def versions(text: str) -> set[str | None]:
        mine = [entry for entry in standin.journal[before:] if text in str(entry.get("body"))]
        return {headers(entry).get("mcp-session-id") for entry in mine}

    before = len(standin.journal)
    call = {"name": "standin_read_1", "arguments": {}}
    with Gateway(home, standin.url, policy=ALLOW_ALL) as gateway:
        bare = ask("tools/list", {})  # neither era: whatever the server says to it, it decides nothing
        found = [
            "error" in bare,
            ask("server/discover", modern())["result"]["resultType"],
            ask("tools/call", modern({**call, "arguments": {"era": "modern"}}))["result"]["resultType"],
            gateway.initialize()["result"]["protocolVersion"],
            "resultType" in ask("tools/call", {**call, "arguments": {"era": "legacy"}})["result"],
            ask("tools/call", modern({**call, "arguments": {"era": "modern"}}))["result"]["resultType"],
            len(ask("tools/list", {})["result"]["tools"]),
            ask("server/discover", modern())["result"]["resultType"],
            "serverInfo" in gateway.initialize(version="2025-11-25")["result"],
            ask("ping", None)["result"],
        ]
    assert found == [True, "complete", "complete", "2025-06-18", False, "complete", 64, "complete", True, {}]
    assert versions('"era":"modern"') == {None}
    assert None not in versions('"era":"legacy"')


@shows("era.none")
@pytest.mark.parametrize("meta", [{}, {"_meta": {f"{META}clientCapabilities": {}}}], ids=["bare", "no revision"])
def test_a_request_of_no_era_is_refused_as_malformed_and_decides_nothing(
    home: Home, standin: Standin, meta: Json
) -> None:
    with Gateway(home, standin.url, policy=ALLOW_ALL) as gateway:
        assert gateway.request("tools/list", {**meta})["error"]["code"] == -32602
        assert "code" in gateway.call("get_identity", {}, **meta)
        assert gateway.call("get_identity", {}, **modern())["resultType"] == "complete"
        assert gateway.request("tools/list", {**meta})["error"]["code"] == -32602
        assert gateway.initialize()["result"]["protocolVersion"] == "2025-06-18"
        assert "result" in gateway.request("tools/list", {**meta})


@shows("era.legacy-upstream")
def test_a_probe_of_a_server_that_knows_only_handshakes_is_refused_and_the_handshake_works(home: Home) -> None:
    with (
        Standin(StandinOptions(protocol="legacy"), clock=StandingClock()) as standin,
        Gateway(home, standin.url, policy=ALLOW_ALL) as gateway,
    ):
        assert gateway.request("server/discover", modern())["error"]["code"] == -32601
        assert gateway.initialize()["result"]["serverInfo"]["name"] == "keyid-standin"
        assert "structuredContent" in gateway.call("get_identity", {})


@shows("era.modern-upstream")
def test_a_handshake_with_a_server_that_knows_none_is_answered_for_it_and_touches_no_stateless_request(
    home: Home,
) -> None:
    with (
        Standin(StandinOptions(protocol="modern"), clock=StandingClock()) as standin,
        Gateway(home, standin.url, policy=ALLOW_ALL) as gateway,
    ):
        opened = gateway.initialize()["result"]
        assert (opened["protocolVersion"], opened["serverInfo"]["name"]) == ("2025-06-18", "keyid-standin")
        assert "resultType" not in gateway.call("get_identity", {})
        assert "result" in gateway.request("server/discover", modern())
        assert gateway.call("get_identity", {}, **modern())["resultType"] == "complete"


@shows("modern.discover", "wire.unknown-fields", "wire.numbers")
def test_a_discovery_reaches_the_client_byte_for_byte(home: Home) -> None:
    rest = DISCOVERED.replace('"result":{', '"result":{"ttlMs":1.0,"new":[1E2],"_meta":{"a/b":{}},')
    with Scripted() as scripted, Gateway(home, scripted.url, policy=ALLOW_ALL) as gateway:
        scripted.script("server/discover", says(rest))
        identifier = gateway.begin("server/discover", modern())
        assert line(gateway).decode() == response(identifier, rest)
