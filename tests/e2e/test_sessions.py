"""A session that is lost, the streams that only ever listen, and the list of tools that calls are judged by."""

import json
import threading
from collections.abc import Iterator

import pytest

from tests.e2e import scripted
from tests.e2e.arena import HANDSHAKE, META, STATELESS
from tests.e2e.faults import REFUSED
from tests.e2e.place import FREE, GIVEN_BACK, KEPT, TOOLS, Place, open_place
from tests.e2e.process import ALLOW_ALL, Gateway, Home
from tests.e2e.scripted import Asked, Line, Reply, Scripted, after, http, raw, said, stream

SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"
ACKNOWLEDGED = {
    "jsonrpc": "2.0",
    "method": "notifications/subscriptions/acknowledged",
    "params": {"notifications": {"toolsListChanged": True}, "_meta": {SUBSCRIPTION: 1}},
}


def cut(_: Asked, line: Line) -> None:
    """An event without its end."""
    line.send(b"data: {")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with open_place(tmp_path_factory.mktemp("sessions"), HANDSHAKE, "--call-timeout", "20") as place:
        yield place


@pytest.fixture
def place(running: Place) -> Place:
    running.anew()
    return running


# --- the session is lost ----------------------------------------------------------------------------------------------


def test_a_lost_session_is_opened_again_and_the_refused_call_is_sent_once_more(place: Place) -> None:
    before = place.upstream.sessions
    place.gateway.request("logging/setLevel", {"level": "warning"})
    place.upstream.script(place.tool, http(404))
    assert place.call() == said(f"{place.tool} ran")
    assert place.settled().outcome == "ok"
    place.upstream.wait_for("GET")
    refused, again = place.arrived()
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
    assert place.call()["data"] == {"status": 404}
    assert (place.settled().outcome, place.settled().upstream_status) == (REFUSED, 404)
    assert len(place.arrived()) == 2
    assert place.charge() == GIVEN_BACK


def test_where_the_session_cannot_be_opened_again_the_call_is_refused_and_the_next_one_tries_again(
    place: Place,
) -> None:
    place.upstream.script(place.tool, http(404), http(404))
    place.upstream.script("initialize", http(503))
    assert place.call()["data"] == {"status": 404}
    assert place.call() == said(f"{place.tool} ran")
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
    assert place.call() == said(f"{place.tool} ran")
    assert len(place.upstream.asked("GET")) == 1


# --- the list of tools ------------------------------------------------------------------------------------------------


def test_a_list_that_was_asked_for_before_it_changed_is_asked_for_again(place: Place) -> None:
    note = {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}
    place.upstream.script("tools/list", stream(note, then=lambda asked, line: line.send(old_list(asked))))
    place.gateway.request("tools/list")
    assert place.gateway.hear(note["method"]) == note
    assert place.call() == said(f"{place.tool} ran")
    assert len(place.upstream.asked("tools/list")) == 2


def old_list(asked: Asked) -> bytes:
    """The answer to `tools/list` as an event."""
    tools = [{"name": name, "inputSchema": {}} for name in [*TOOLS, FREE]]
    body = json.dumps({"jsonrpc": "2.0", "id": asked.message["id"], "result": {"tools": tools}})
    return f"data: {body}\n\n".encode()


# --- what a client listens to -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("broken", [stream(ACKNOWLEDGED), stream(ACKNOWLEDGED, then=cut)], ids=["ended", "cut"])
def test_a_stream_that_a_client_listens_to_and_that_breaks_is_told_in_both_ways_and_can_be_opened_again(
    place: Place, broken: Reply
) -> None:
    place.upstream.script("subscriptions/listen", broken, stream(ACKNOWLEDGED, then=scripted.silence))
    wanted = {"notifications": {"toolsListChanged": True}, "_meta": META[STATELESS]}
    listening = place.gateway.begin("subscriptions/listen", wanted)
    error = place.gateway.answer(listening)["error"]
    assert error["message"] in (
        "the upstream ended the stream before its answer",
        "the upstream's answer was cut off",
    )
    assert place.gateway.hear("notifications/subscriptions/acknowledged")["params"]["_meta"] == {SUBSCRIPTION: 1}
    assert place.gateway.hear("notifications/cancelled")["params"] == {
        "requestId": listening,
        "reason": error["message"],
        "_meta": {SUBSCRIPTION: listening},
    }
    again = place.gateway.begin("subscriptions/listen", wanted)
    place.gateway.hear("notifications/subscriptions/acknowledged")
    place.gateway.notify("notifications/cancelled", {"requestId": again, "_meta": META[STATELESS]})
    assert place.call() == said(f"{place.tool} ran")


def test_a_stream_that_is_refused_is_an_error_and_nothing_else(place: Place) -> None:
    place.upstream.script("subscriptions/listen", http(503))
    wanted = {"notifications": {"toolsListChanged": True}, "_meta": META[STATELESS]}
    assert place.gateway.request("subscriptions/listen", wanted)["error"]["data"] == {"status": 503}
    assert "result" in place.gateway.request("ping")
    assert place.gateway.others == []


def test_the_stream_of_the_server_is_opened_though_the_end_of_the_handshake_was_lost(home: Home) -> None:
    news = {"jsonrpc": "2.0", "method": "notifications/prompts/list_changed"}
    with Scripted() as upstream, Gateway(home, upstream.url, policy=ALLOW_ALL) as gateway:
        upstream.script("notifications/initialized", http(503))
        upstream.script("GET", stream(news))
        gateway.initialize()
        gateway.hear("notifications/prompts/list_changed")
