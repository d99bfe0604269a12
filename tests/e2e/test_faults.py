"""What goes wrong with a call on its way: what the client sees, what the log says, and whether the limit was used.

The matrix: every fault (`faults`) in both eras. For each cell, the whole error, the records, the charge, how often the
call arrived, and that the next one works.
"""

from collections.abc import Iterator

import pytest

from tests.e2e import scripted
from tests.e2e.arena import ERAS, HANDSHAKE, META
from tests.e2e.faults import (
    CALL_SECONDS,
    CEILING_SECONDS,
    CONNECTIONS,
    HTML,
    IDLE_SECONDS,
    MAX_BYTES,
    MESSAGES,
    NOT_SENT,
    REDIRECTS,
    STATUSES,
    TIMES,
    UNKNOWN,
    Fault,
    elsewhere,
)
from tests.e2e.place import GIVEN_BACK, KEPT, Place, open_place
from tests.e2e.process import decision
from tests.e2e.scripted import http, message, result, said

WAYS = [
    *(pytest.param(fault, id=name) for name, fault in CONNECTIONS.items()),
    *(pytest.param(fault, id=name) for name, fault in STATUSES.items()),
    *(pytest.param(fault, id=f"a redirect {name}") for name, fault in REDIRECTS.items()),
    *(pytest.param(fault, id=name) for name, fault in MESSAGES.items()),
]


@pytest.fixture(scope="module", params=ERAS)
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    bounds = ("--call-timeout", "20", "--max-message-bytes", str(MAX_BYTES), "--header", "X-Token: made up")
    with open_place(tmp_path_factory.mktemp("faults"), request.param, *bounds) as place:
        yield place


@pytest.fixture
def place(running: Place) -> Place:
    running.anew()
    return running


@pytest.fixture(scope="module", params=ERAS)
def hurried(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    times = {"--call-timeout": CALL_SECONDS, "--idle-timeout": IDLE_SECONDS, "--call-ceiling": CEILING_SECONDS}
    bounds = [text for flag, seconds in times.items() for text in (flag, str(seconds))]
    with open_place(tmp_path_factory.mktemp("times"), request.param, *bounds) as place:
        yield place


def suffers(place: Place, fault: Fault) -> None:
    """The whole row holds."""
    place.upstream.script(place.tool, *fault.replies)
    assert place.call(progressToken=place.tool) == fault.error(place.upstream.url)
    assert len(place.arrived()) == len(fault.replies)
    decided, settled = place.records()
    assert (decided.kind, decided.effect) == ("decided", "allow")
    assert (settled.kind, settled.outcome, settled.upstream_status) == ("settled", fault.outcome, fault.status)
    assert settled.decision_id == decided.decision_id
    assert place.charge() == fault.charge


@pytest.mark.parametrize("fault", WAYS)
def test_a_fault_is_told_recorded_and_charged_as_it_should_be_and_the_call_is_sent_once(
    place: Place, fault: Fault
) -> None:
    suffers(place, fault)


@pytest.mark.parametrize("fault", [pytest.param(fault, id=name) for name, fault in TIMES.items()])
def test_a_time_that_is_up_is_named_and_the_upstream_hears_of_it_in_the_way_of_the_era(
    hurried: Place, fault: Fault
) -> None:
    hurried.anew()
    suffers(hurried, fault)
    (call,) = hurried.arrived()[:1]
    if hurried.era == HANDSHAKE:
        told = hurried.upstream.wait_for("notifications/cancelled").message["params"]
        assert told == {"requestId": call.message["id"], "reason": "time-out"}
    else:
        assert hurried.upstream.asked("notifications/cancelled") == []


def test_an_upstream_that_is_gone_was_not_asked_so_the_charge_is_given_back(place: Place) -> None:
    place.upstream.stop()
    try:
        error = place.call()
    finally:
        place.upstream.start()
    text = "cannot connect to the upstream: connection refused: is it up, and is `--upstream` right?"
    assert error == {"code": -32603, "message": text}
    assert (place.settled().outcome, place.settled().upstream_status) == (NOT_SENT, None)
    assert place.charge() == GIVEN_BACK


def test_an_upstream_that_goes_in_the_middle_of_a_call_has_perhaps_run_it(place: Place) -> None:
    place.upstream.script(place.tool, scripted.silence)
    call = place.begin(place.tool)
    place.upstream.wait_for("tools/call")
    place.upstream.stop()
    place.upstream.start()
    error = place.gateway.answer(call)["error"]
    assert error["message"].startswith("the connection to the upstream was ")
    assert (place.settled().outcome, len(place.arrived())) == (UNKNOWN, 1)
    assert place.charge() == KEPT


@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_within_the_origin_is_followed_with_the_whole_call(place: Place, status: int) -> None:
    place.upstream.script(place.tool, elsewhere(status, "/elsewhere?a=1"))
    assert place.call() == said(f"{place.tool} ran")
    first, second = place.arrived()
    assert (first.target, second.target, second.verb) == ("/mcp", "/elsewhere?a=1", "POST")
    assert (first.headers, first.body) == (second.headers, second.body)
    assert place.settled().outcome == "ok"
    assert place.charge() == KEPT


def test_a_json_rpc_error_keeps_the_charge_and_arrives_as_it_came(place: Place) -> None:
    error = {"code": -32000, "message": "no such secret", "data": {"tried": [1, None]}}
    place.upstream.script(place.tool, message({"error": error}))
    assert place.call() == error
    assert (place.settled().outcome, place.settled().upstream_status) == ("error", 200)
    assert place.charge() == KEPT


def test_a_tool_that_failed_keeps_the_charge(place: Place) -> None:
    failed = {**said("it broke"), "isError": True}
    place.upstream.script(place.tool, result(failed))
    assert place.call() == failed
    assert place.settled().outcome == "tool error"
    assert place.charge() == KEPT


@pytest.mark.parametrize(
    ("status", "charge"), [(401, GIVEN_BACK), (429, GIVEN_BACK), (400, KEPT), (403, KEPT), (500, KEPT)]
)
def test_an_error_that_does_not_know_the_id_of_the_request_is_its_answer_under_an_error_status(
    place: Place, status: int, charge: str
) -> None:
    error = {"code": -32001, "message": "no"}
    place.upstream.script(place.tool, message({"id": None, "error": error}, status))
    assert place.call() == error
    assert (place.settled().outcome, place.settled().upstream_status) == ("error", status)
    assert place.charge() == charge


def test_a_404_without_a_session_keeps_the_charge(place: Place) -> None:
    if place.era == HANDSHAKE:
        opened = {"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": {"name": "s", "version": "1"}}
        place.upstream.script("initialize", result(opened))
        place.gateway.initialize()
    text = "the upstream has no MCP server at this address (HTTP 404): check `--upstream`"
    suffers(place, Fault(http(404, HTML, "text/html"), text, 404))


# --- what is asked again, and what never is ---------------------------------------------------------------------------


def test_a_call_on_a_connection_that_the_upstream_closes_meanwhile_is_never_sent_twice(place: Place) -> None:
    place.upstream.script(place.tool, scripted.hang_up, scripted.hang_up)
    assert place.call()["message"] == "the connection to the upstream was closed before an answer"
    assert decision(place.call())["reason"] == "limit"
    assert len(place.arrived()) == 1


@pytest.mark.parametrize("method", ["ping", "tools/list", "resources/list"])
def test_a_request_that_only_reads_is_asked_again_once_when_its_connection_broke(place: Place, method: str) -> None:
    params = {"_meta": META[place.era]}
    place.upstream.script(method, scripted.hang_up)
    assert "result" in place.gateway.request(method, params)
    place.upstream.script(method, scripted.hang_up, scripted.hang_up)
    assert place.gateway.request(method, params)["error"]["message"].endswith("closed before an answer")
    assert len(place.upstream.asked(method)) == 4


def test_a_request_that_may_change_something_is_not_asked_again(place: Place) -> None:
    place.upstream.script("logging/setLevel", scripted.hang_up)
    assert "error" in place.gateway.request("logging/setLevel", {"level": "info", "_meta": META[place.era]})
    assert len(place.upstream.asked("logging/setLevel")) == 1
