"""What goes wrong with a call on its way: what the client sees, what the log says, and whether the limit was used."""

import itertools
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from gateway.state import Record
from tests.e2e import scripted
from tests.e2e.process import Gateway, Home, decision
from tests.e2e.scripted import Asked, Line, Scripted, after, events, http, message, raw, result, said, stream

TOOLS = [f"tool_{number}" for number in range(60)]
ONCE = {"rate_limit": {"max": 1, "window": 3600}}
POLICY = {"version": "1", "default": "allow", "tools": dict.fromkeys(TOOLS, ONCE)}
KEPT, GIVEN_BACK = "kept", "given back"
_free_tools = itertools.cycle(TOOLS)


@dataclass
class Place:
    """One gateway before a scripted upstream, for all tests of this module; `tool` is fresh: it may run once."""

    gateway: Gateway
    upstream: Scripted
    home: Home
    tool: str

    def settled(self) -> Record:
        """The newest `settled` record of the tool."""
        return next(
            record for record in reversed(self.home.records()) if record.tool == self.tool and record.kind == "settled"
        )

    def charge(self) -> str:
        """Whether the one call that the limit allows was used up."""
        again = self.gateway.call(self.tool, {})
        if again.get("isError"):
            assert decision(again)["rule"] == f"/tools/{self.tool}/rate_limit"
            return KEPT
        assert again == said(f"{self.tool} ran")
        return GIVEN_BACK


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, Scripted, Home]]:
    home = Home(tmp_path_factory.mktemp("faults"))
    bounds = ("--call-timeout", "20", "--max-message-bytes", "65536")
    with (
        Scripted(TOOLS, {"tools": {}, "logging": {}}) as upstream,
        Gateway(home, upstream.url, *bounds, policy=POLICY) as gateway,
    ):
        yield gateway, upstream, home


@pytest.fixture
def place(running: tuple[Gateway, Scripted, Home]) -> Place:
    gateway, upstream, home = running
    upstream.forget()
    gateway.initialize()
    upstream.wait_for("GET")
    upstream.forget()
    gateway.others.clear()
    return Place(gateway, upstream, home, next(_free_tools))


@dataclass(frozen=True)
class Case:
    """A fault: the upstream's reply, the error's text and data, what the log says, what became of the charge."""

    reply: scripted.Reply
    text: str
    status: int | None
    outcome: str
    charge: str = KEPT
    retry_after: int | None = None


UNKNOWN, REFUSED = "no answer: unknown", "no answer: refused"
HTML = b"<html><body>hello</body></html>"
FAULTS = {
    "closed before the answer": Case(
        scripted.hang_up, "the connection to the upstream was closed before an answer", None, UNKNOWN
    ),
    "401": Case(
        http(401),
        "the upstream wants a sign-in (HTTP 401): run `keyid-gateway login --upstream {url}`, "
        "or pass credentials with `--header 'Authorization: env:NAME'`",
        401, REFUSED, GIVEN_BACK,
    ),
    "403": Case(
        http(403, HTML, "text/html"),
        "the upstream forbids this (HTTP 403), and no credentials were given: does it want `--header`?",
        403, UNKNOWN,
    ),
    "429 with a time": Case(
        http(429, headers={"Retry-After": "17"}),
        "the upstream is limiting requests (HTTP 429): try again in 17 s",
        429, REFUSED, GIVEN_BACK, 17,
    ),
    "429 without a time": Case(
        http(429), "the upstream is limiting requests (HTTP 429)", 429, REFUSED, GIVEN_BACK
    ),
    "400": Case(http(400), "the upstream refused the request (HTTP 400)", 400, UNKNOWN),
    "500": Case(http(500), "the upstream failed (HTTP 500): try again later", 500, UNKNOWN),
    "503 with a time": Case(
        http(503, headers={"Retry-After": "5"}),
        "the upstream failed (HTTP 503): try again in 5 s",
        503, UNKNOWN, KEPT, 5,
    ),
    "a web page": Case(
        http(200, HTML, "text/html; charset=utf-8"),
        "the upstream answered HTTP 200 with `text/html`, not with a JSON-RPC message",
        200, UNKNOWN,
    ),
    "no content": Case(
        http(202), "the upstream answered HTTP 202 without content, not with a JSON-RPC message", 202, UNKNOWN
    ),
    "a redirect": Case(
        http(307, headers={"Location": "https://elsewhere.example/mcp?key=secret"}),
        "the upstream redirects (HTTP 307) to `https://elsewhere.example/mcp`, another origin, where nothing was sent:"
        " is that the right `--upstream`?",
        307, REFUSED, GIVEN_BACK,
    ),
    "truncated JSON": Case(
        http(200, b'{"jsonrpc":"2.0","id":'),
        "the upstream answered HTTP 200 with `application/json`, not with a JSON-RPC message",
        200, UNKNOWN,
    ),
    "truncated body": Case(
        raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{"),
        "the upstream's answer was cut off",
        None, UNKNOWN,
    ),
    "not HTTP": Case(
        raw(b"220 mail.example ESMTP\r\n\r\n"),
        "the upstream's answer is not HTTP",
        None, UNKNOWN,
    ),
    "a stream that ends early": Case(
        events({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "x"}}),
        "the upstream ended the stream before its answer",
        200, UNKNOWN,
    ),
    "a stream cut in an event": Case(
        stream(then=lambda _, line: line.send(b'data: {"jsonrpc":"2.0","id":')),
        "the upstream ended the stream before its answer",
        200, UNKNOWN,
    ),
    "an event that is no JSON": Case(
        events(b"hello"),
        "the upstream sent an event that is no JSON-RPC message: expecting value: line 1 column 1 (char 0)",
        None, UNKNOWN,
    ),
    "an event without end": Case(
        stream(then=scripted.without_end(b"data: " + b"x" * 4096 + b"\n")),
        "the upstream sent an event of more than 65536 bytes (raise `--max-message-bytes`)",
        None, UNKNOWN,
    ),
    "an oversized answer": Case(
        http(200, b'"' + b"x" * 70_000 + b'"'),
        "the upstream's answer is larger than 65536 bytes (raise `--max-message-bytes`)",
        None, UNKNOWN,
    ),
    "the id of another request": Case(
        message({"id": 987_654, "result": {}}), "the upstream answered with the id of another request", 200, UNKNOWN
    ),
    "another id on a stream": Case(
        events({"jsonrpc": "2.0", "id": 987_654, "result": {}}),
        "the upstream ended the stream before its answer",
        200, UNKNOWN,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_is_told_recorded_and_charged_as_it_should_be_and_the_call_is_sent_once(
    place: Place, case: Case
) -> None:
    place.upstream.script(place.tool, case.reply)
    data = {"status": case.status, "retry_after_seconds": case.retry_after}
    known = {name: value for name, value in data.items() if value is not None}
    error = {"code": -32603, "message": case.text.replace("{url}", place.upstream.url), **({"data": known} if known else {})}
    assert place.gateway.call(place.tool, {}) == error
    assert len(place.upstream.calls(place.tool)) == 1
    record = place.settled()
    assert (record.outcome, record.upstream_status) == (case.outcome, case.status)
    assert place.charge() == case.charge


def test_the_id_as_another_type_is_not_the_answer(place: Place) -> None:
    def as_text(asked: Asked, line: Line) -> None:
        identifier = str(asked.message["id"])
        message({"id": identifier, "result": said("not mine")})(asked, line)

    place.upstream.script(place.tool, as_text)
    assert place.gateway.call(place.tool)["message"] == "the upstream answered with the id of another request"
    assert place.charge() == KEPT


def test_a_json_rpc_error_keeps_the_charge_and_arrives_as_it_came(place: Place) -> None:
    error = {"code": -32000, "message": "no such secret", "data": {"tried": [1, None]}}
    place.upstream.script(place.tool, message({"error": error}))
    assert place.gateway.call(place.tool) == error
    assert (place.settled().outcome, place.settled().upstream_status) == ("error", 200)
    assert place.charge() == KEPT


def test_a_tool_that_failed_keeps_the_charge(place: Place) -> None:
    failed = {**said("it broke"), "isError": True}
    place.upstream.script(place.tool, result(failed))
    assert place.gateway.call(place.tool) == failed
    assert place.settled().outcome == "tool error"
    assert place.charge() == KEPT


@pytest.mark.parametrize(("status", "charge"), [(429, GIVEN_BACK), (400, KEPT), (403, KEPT), (500, KEPT)])
def test_an_error_that_does_not_know_the_id_of_the_request_is_its_answer_under_an_error_status(
    place: Place, status: int, charge: str
) -> None:
    error = {"code": -32001, "message": "no"}
    place.upstream.script(place.tool, message({"id": None, "error": error}, status))
    assert place.gateway.call(place.tool) == error
    assert (place.settled().outcome, place.settled().upstream_status) == ("error", status)
    assert place.charge() == charge


def test_an_upstream_that_is_gone_was_not_asked_so_the_charge_is_given_back(place: Place) -> None:
    place.upstream.stop()
    try:
        error = place.gateway.call(place.tool)
    finally:
        place.upstream.start()
    text = "cannot connect to the upstream: connection refused: is it up, and is `--upstream` right?"
    assert error == {"code": -32603, "message": text}
    assert (place.settled().outcome, place.settled().upstream_status) == ("no answer: not sent", None)
    assert place.charge() == GIVEN_BACK


def test_a_call_on_a_connection_that_the_upstream_closes_meanwhile_is_never_sent_twice(place: Place) -> None:
    place.upstream.script(place.tool, scripted.hang_up, scripted.hang_up)
    first = place.gateway.call(place.tool)
    assert first["message"] == "the connection to the upstream was closed before an answer"
    assert decision(place.gateway.call(place.tool))["reason"] == "limit"
    assert len(place.upstream.calls(place.tool)) == 1


@pytest.mark.parametrize("method", ["ping", "tools/list", "resources/list"])
def test_a_request_that_only_reads_is_asked_again_once_when_its_connection_broke(place: Place, method: str) -> None:
    place.upstream.script(method, scripted.hang_up)
    assert "result" in place.gateway.request(method, {})
    place.upstream.script(method, scripted.hang_up, scripted.hang_up)
    assert place.gateway.request(method, {})["error"]["message"].endswith("closed before an answer")
    assert len(place.upstream.asked(method)) == 4


def test_a_request_that_may_change_something_is_not_asked_again(place: Place) -> None:
    place.upstream.script("logging/setLevel", scripted.hang_up)
    assert "error" in place.gateway.request("logging/setLevel", {"level": "info"})
    assert len(place.upstream.asked("logging/setLevel")) == 1


def test_a_404_from_an_upstream_without_sessions_keeps_the_charge(place: Place) -> None:
    opened = {"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": {"name": "s", "version": "1"}}
    place.upstream.script("initialize", result(opened))
    place.gateway.initialize()
    place.upstream.script(place.tool, http(404, HTML, "text/html"))
    text = "the upstream has no MCP server at this address (HTTP 404): check `--upstream`"
    assert place.gateway.call(place.tool) == {"code": -32603, "message": text, "data": {"status": 404}}
    assert (place.settled().outcome, place.settled().upstream_status) == (UNKNOWN, 404)
    assert len(place.upstream.calls(place.tool)) == 1
    assert place.charge() == KEPT


# --- the session is lost ----------------------------------------------------------------------------------------------


def test_a_lost_session_is_opened_again_and_the_refused_call_is_sent_once_more(place: Place) -> None:
    before = place.upstream.sessions
    place.gateway.request("logging/setLevel", {"level": "warning"})
    place.upstream.script(place.tool, http(404))
    assert place.gateway.call(place.tool) == said(f"{place.tool} ran")
    assert place.settled().outcome == "ok"
    place.upstream.wait_for("GET")
    refused, again = place.upstream.calls(place.tool)
    renewed = f"session-{before + 1}"
    assert (refused.session, again.session) == (f"session-{before}", renewed)
    assert refused.body == again.body
    handshake = place.upstream.asked("initialize")
    assert len(handshake) == 1
    assert handshake[0].session is None
    assert handshake[0].message["params"]["clientInfo"] == {"name": "test-client", "version": "1.2.3"}
    assert str(handshake[0].message["id"]).startswith("gw-")
    assert [asked.session for asked in place.upstream.asked("notifications/initialized")] == [renewed]
    first_level, second_level = place.upstream.asked("logging/setLevel")
    assert (first_level.message["params"], second_level.session) == (second_level.message["params"], renewed)
    assert place.charge() == KEPT


def test_the_client_hears_that_the_tools_may_have_changed_and_nothing_else_of_a_lost_session(place: Place) -> None:
    place.upstream.script("ping", http(404))
    assert place.gateway.request("ping")["result"] == {}
    place.gateway.request("ping")
    assert place.gateway.others == [{"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}]


def test_a_lost_session_is_opened_again_once_for_all_who_wait(place: Place) -> None:
    together = threading.Event()
    place.upstream.script("ping", *[after(together, http(404))] * 8)
    pings = [place.gateway.begin("ping") for _ in range(8)]
    place.upstream.wait_for("ping", 8)
    together.set()
    assert [answer["result"] for answer in place.gateway.answers(pings)] == [{}] * 8
    assert len(place.upstream.asked("initialize")) == 1
    assert len(place.upstream.asked("ping")) == 16


def test_a_call_that_is_refused_by_the_new_session_too_is_not_sent_a_third_time(place: Place) -> None:
    place.upstream.script(place.tool, http(404), http(404))
    assert place.gateway.call(place.tool)["data"] == {"status": 404}
    assert (place.settled().outcome, place.settled().upstream_status) == (REFUSED, 404)
    assert len(place.upstream.calls(place.tool)) == 2
    assert place.charge() == GIVEN_BACK


def test_where_the_session_cannot_be_opened_again_the_call_is_refused_and_the_next_one_tries_again(
    place: Place,
) -> None:
    place.upstream.script(place.tool, http(404), http(404))
    place.upstream.script("initialize", http(503))
    assert place.gateway.call(place.tool)["data"] == {"status": 404}
    assert place.gateway.call(place.tool) == said(f"{place.tool} ran")
    assert len(place.upstream.asked("initialize")) == 2


def test_cancelling_the_call_that_opens_the_session_again_does_not_leave_it_half_open(place: Place) -> None:
    held = threading.Event()
    place.upstream.script("ping", http(404))
    place.upstream.script("notifications/initialized", after(held, http(202)))
    cancelled = place.gateway.begin("ping")
    place.upstream.wait_for("notifications/initialized")
    place.gateway.notify("notifications/cancelled", {"requestId": cancelled})
    place.upstream.wait_for("notifications/cancelled")
    held.set()
    place.upstream.wait_for("GET")
    assert place.gateway.request("ping")["result"] == {}
    assert len(place.upstream.asked("initialize")) == 1


def test_an_upstream_that_was_started_anew_is_found_again_and_its_new_tools_can_be_called(place: Place) -> None:
    place.upstream.stop()
    place.upstream.tools.append("born_later")
    place.upstream.script("ping", http(404))
    place.upstream.start()
    try:
        assert place.gateway.request("ping")["result"] == {}
        assert place.gateway.call("born_later") == said("born_later ran")
    finally:
        place.upstream.tools.remove("born_later")


# --- the stream of the server's own accord ----------------------------------------------------------------------------


def test_a_dropped_stream_is_opened_again_and_what_comes_on_it_arrives(place: Place) -> None:
    note = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "still here"}}
    place.upstream.script("GET", stream(), raw(b"nonsense"), scripted.hang_up, stream(note, then=scripted.silence))
    place.gateway.initialize()
    assert place.gateway.receive() == note
    assert {asked.session for asked in place.upstream.asked("GET")} == {f"session-{place.upstream.sessions}"}


def test_an_upstream_that_offers_no_stream_is_not_asked_for_one_again(place: Place) -> None:
    place.gateway.initialize()
    place.upstream.wait_for("GET")
    assert place.gateway.call(place.tool) == said(f"{place.tool} ran")
    assert len(place.upstream.asked("GET")) == 1


# --- the list of tools ------------------------------------------------------------------------------------------------


def test_a_list_that_was_asked_for_before_it_changed_is_asked_for_again(place: Place) -> None:
    note = {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}
    place.upstream.script("tools/list", stream(note, then=lambda asked, line: line.send(old_list(asked))))
    place.gateway.request("tools/list")
    assert place.gateway.hear(note["method"]) == note
    assert place.gateway.call(place.tool) == said(f"{place.tool} ran")
    assert len(place.upstream.asked("tools/list")) == 2


def old_list(asked: Asked) -> bytes:
    """The answer to `tools/list` as an event."""
    tools = [{"name": name, "inputSchema": {}} for name in TOOLS]
    body = json.dumps({"jsonrpc": "2.0", "id": asked.message["id"], "result": {"tools": tools}})
    return f"data: {body}\n\n".encode()
