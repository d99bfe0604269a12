"""The beginning and the end: an upstream that is not there yet, and every way in which a client goes away."""

import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress

import pytest

from gateway.clock import SystemClock
from gateway.standin import Standin, StandinOptions
from tests.e2e import scripted
from tests.e2e.altered import NOISE
from tests.e2e.process import ALLOW_ALL, PATIENCE, Gateway, Home, Json
from tests.e2e.scripted import Scripted, http, result, said

SLEEPS = ("standin_write_3", {"seconds": 300})
REFUSED = "cannot connect to the upstream: connection refused: is it up, and is `--upstream` right?"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def upstream() -> Iterator[Scripted]:
    with Scripted() as running:
        yield running


@pytest.fixture
def black_hole() -> Iterator[int]:
    """The port of a socket that is connected to and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield int(listening.getsockname()[1])


def lines(*messages: Json) -> bytes:
    return b"".join(json.dumps(message).encode() + b"\n" for message in messages)


def request(identifier: int, method: str, params: Json = None) -> Json:
    return {"jsonrpc": "2.0", "id": identifier, "method": method, "params": params or {}}


OPENING = (
    request(
        0,
        "initialize",
        {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "pipe", "version": "1"}},
    ),
    {"jsonrpc": "2.0", "method": "notifications/initialized"},
)


def begin_calls(gateway: Gateway, standin: Standin, count: int) -> None:
    """Calls that are running upstream when this returns."""
    gateway.initialize()
    for _ in range(count):
        gateway.begin("tools/call", {"name": SLEEPS[0], "arguments": SLEEPS[1]})
    running: list[object] = []

    def arrived(entry: Json) -> bool:
        running.extend([entry["n"]] if entry.get("event") == "tool" and entry["n"] not in running else [])
        return len(running) >= count

    assert standin.wait_for(arrived, PATIENCE)


def sessions_of(standin: Standin, verb: str) -> set[object]:
    """The sessions that requests of this verb named."""
    entries: list[Json] = [entry for entry in standin.journal if entry.get("http") == verb]
    return {entry["headers"].get("mcp-session-id") for entry in entries} - {None}


def outcomes(home: Home) -> list[str | None]:
    return [record.outcome for record in home.records() if record.kind == "settled"]


# --- the beginning ----------------------------------------------------------------------------------------------------


def test_an_upstream_that_is_down_is_told_and_the_same_process_works_once_it_is_back(home: Home) -> None:
    port = free_port()
    with Gateway(home, f"http://127.0.0.1:{port}/mcp", policy=ALLOW_ALL) as gateway:
        assert gateway.initialize()["error"] == {"code": -32603, "message": REFUSED}
        assert gateway.request("tools/list")["error"]["message"] == REFUSED
        assert gateway.call("get_identity")["message"] == REFUSED
        assert gateway.process.poll() is None
        with Standin(StandinOptions(port=port), clock=SystemClock()) as standin:
            assert gateway.initialize()["result"]["serverInfo"]["name"]
            assert gateway.call("get_identity", {})["structuredContent"]["email"]
            assert gateway.close() == 0
            assert sessions_of(standin, "DELETE") == sessions_of(standin, "POST")


def test_a_call_that_could_not_even_be_judged_is_recorded_as_refused(home: Home) -> None:
    with Gateway(home, f"http://127.0.0.1:{free_port()}/mcp", policy=ALLOW_ALL) as gateway:
        gateway.call("get_identity")
    (record,) = home.records()
    assert (record.kind, record.effect, record.tool, record.message) == ("refused", "deny", "get_identity", REFUSED)


def test_an_upstream_that_never_answers_is_given_up_after_the_request_timeout(home: Home, black_hole: int) -> None:
    with Gateway(home, f"http://127.0.0.1:{black_hole}/mcp", "--request-timeout", "0.2", policy=ALLOW_ALL) as gateway:
        text = "the upstream did not answer within 0.2 s (`--request-timeout`)"
        assert gateway.initialize()["error"] == {"code": -32603, "message": text}
        assert gateway.close() == 0


def test_a_connection_that_is_never_made_is_given_up_after_the_connect_timeout(home: Home, black_hole: int) -> None:
    """The TLS handshake is part of connecting, and the other side never begins it."""
    url = f"https://127.0.0.1:{black_hole}/mcp"
    with Gateway(home, url, "--connect-timeout", "0.2", policy=ALLOW_ALL) as gateway:
        text = "no connection to the upstream within 0.2 s (`--connect-timeout`)"
        assert gateway.initialize()["error"] == {"code": -32603, "message": text}
        assert gateway.close() == 0


def test_a_call_that_is_never_answered_is_given_up_after_the_call_timeout(home: Home, upstream: Scripted) -> None:
    upstream.script("one", scripted.silence)
    with Gateway(home, upstream.url, "--call-timeout", "0.2", policy=ALLOW_ALL) as gateway:
        gateway.initialize()
        text = "the upstream did not answer within 0.2 s (`--call-timeout`)"
        assert gateway.call("one") == {"code": -32603, "message": text}
        assert gateway.call("one") == said("one ran")
    assert outcomes(home) == ["no answer: unknown", "ok"]


def test_a_client_that_initialises_again_ends_its_former_session(home: Home, upstream: Scripted) -> None:
    with Gateway(home, upstream.url, policy=ALLOW_ALL) as gateway:
        gateway.initialize()
        gateway.initialize()
        assert [asked.session for asked in upstream.asked("DELETE")] == ["session-1"]
        assert gateway.call("one") == said("one ran")
        assert gateway.close() == 0
    assert [asked.session for asked in upstream.asked("DELETE")] == ["session-1", "session-2"]
    assert upstream.calls("one")[0].session == "session-2"


def test_a_former_session_that_cannot_be_ended_does_not_hold_up_the_new_one(home: Home, upstream: Scripted) -> None:
    upstream.script("DELETE", scripted.silence, scripted.silence)
    with Gateway(home, upstream.url, policy=ALLOW_ALL) as gateway:
        gateway.initialize()
        assert "result" in gateway.initialize()
        assert gateway.close() == 0


# --- the end ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [b"", b"\n"], ids=["without a line feed", "with a line feed"])
def test_what_was_sent_before_the_input_ended_is_answered(home: Home, upstream: Scripted, ending: bytes) -> None:
    calls = [request(number, "tools/call", {"name": "one", "arguments": {}}) for number in range(1, 6)]
    with Gateway(home, upstream.url, policy=ALLOW_ALL, altered="patient") as gateway:
        gateway.send(lines(*OPENING, *calls).removesuffix(b"\n") + ending)
        assert gateway.close() == 0
        answers = {message["id"]: message["result"] for message in gateway.rest()}
    assert answers.keys() == {0, 1, 2, 3, 4, 5}
    assert [answers[number] for number in range(1, 6)] == [said("one ran")] * 5
    assert outcomes(home) == ["ok"] * 5
    assert [asked.session for asked in upstream.asked("DELETE")] == ["session-1"]


def test_no_input_at_all_is_a_clean_end(home: Home, upstream: Scripted) -> None:
    with Gateway(home, upstream.url, policy=ALLOW_ALL) as gateway:
        assert gateway.close() == 0
        assert gateway.rest() == []
    assert upstream.asked("initialize") == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_cancels_what_is_in_flight_and_ends_the_session(
    home: Home, standin: Standin, number: signal.Signals
) -> None:
    with Gateway(home, standin.url, policy=ALLOW_ALL) as gateway:
        begin_calls(gateway, standin, 3)
        gateway.process.send_signal(number)
        assert gateway.wait() == 0
        assert gateway.rest() == []
        assert "Traceback" not in gateway.errors
    assert outcomes(home) == ["cancelled"] * 3
    assert sessions_of(standin, "DELETE") == sessions_of(standin, "POST")
    assert len(sessions_of(standin, "DELETE")) == 1


def test_the_end_of_the_input_cancels_what_takes_too_long_and_ends_the_session(home: Home, standin: Standin) -> None:
    with Gateway(home, standin.url, policy=ALLOW_ALL) as gateway:
        begin_calls(gateway, standin, 2)
        assert gateway.close() == 0
        assert gateway.rest() == []
    assert outcomes(home) == ["cancelled"] * 2
    assert sessions_of(standin, "DELETE") == sessions_of(standin, "POST")


def test_a_signal_ends_the_wait_for_what_was_in_flight_when_the_input_ended(home: Home, standin: Standin) -> None:
    with Gateway(home, standin.url, policy=ALLOW_ALL, altered="patient") as gateway:
        begin_calls(gateway, standin, 1)
        assert gateway.process.stdin is not None
        gateway.process.stdin.close()
        gateway.process.terminate()
        assert gateway.wait() == 0
    assert outcomes(home) == ["cancelled"]


def test_a_signal_ends_a_gateway_whose_upstream_says_nothing(home: Home, upstream: Scripted) -> None:
    upstream.script("initialize", scripted.silence)
    with Gateway(home, upstream.url, policy=ALLOW_ALL) as gateway:
        gateway.send(lines(*OPENING))
        upstream.wait_for("initialize")
        gateway.process.terminate()
        assert gateway.wait() == 0
        assert gateway.rest() == []


def test_a_session_that_cannot_be_ended_does_not_hold_up_the_end(home: Home, upstream: Scripted) -> None:
    upstream.script("DELETE", scripted.silence)
    with Gateway(home, upstream.url, policy=ALLOW_ALL) as gateway:
        gateway.initialize()
        assert gateway.close() == 0
        assert "the upstream did not confirm the end of the session in time" in gateway.errors


def test_an_upstream_that_is_gone_does_not_hold_up_the_end(home: Home, upstream: Scripted) -> None:
    with Gateway(home, upstream.url, policy=ALLOW_ALL) as gateway:
        gateway.initialize()
        upstream.stop()
        assert gateway.close() == 0


def test_a_client_that_stops_listening_ends_the_gateway_though_its_input_is_open(
    home: Home, upstream: Scripted
) -> None:
    upstream.script("one", scripted.silence)
    process = start(home, upstream)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(lines(*OPENING))
    assert json.loads(process.stdout.readline())["id"] == 0
    process.stdin.write(lines(request(1, "tools/call", {"name": "one"})))
    upstream.wait_for("tools/call")
    process.stdout.close()
    process.stdin.write(lines(request(2, "ping")))
    assert ended(process) == 0
    assert outcomes(home) == ["cancelled"]
    assert len(upstream.asked("DELETE")) == 1


def test_a_client_that_never_reads_does_not_hold_up_the_end(home: Home, upstream: Scripted) -> None:
    upstream.script("ping", *[result({"filler": "x" * 300_000})] * 4)
    process = start(home, upstream)
    assert process.stdin is not None
    process.stdin.write(lines(*OPENING, *[request(number, "ping") for number in range(1, 5)]))
    upstream.wait_for("ping", 4)
    process.terminate()
    assert ended(process) == 0


def start(home: Home, upstream: Scripted) -> subprocess.Popen[bytes]:
    """A gateway whose streams nobody reads unless the test does."""
    command = Gateway.command(upstream.url, "--policy", str(home.policy(ALLOW_ALL)))
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env=home.variables(), bufsize=0
    )


def ended(process: subprocess.Popen[bytes]) -> int:
    """Wait for the process to end of its own accord; its exit code."""
    try:
        return process.wait(PATIENCE)
    finally:
        process.kill()
        for stream in (process.stdin, process.stdout):
            assert stream is not None
            with suppress(BrokenPipeError):
                stream.close()


# --- standard output --------------------------------------------------------------------------------------------------


def test_what_anybody_prints_goes_to_standard_error_and_never_to_the_client(home: Home, upstream: Scripted) -> None:
    with Gateway(home, upstream.url, policy=ALLOW_ALL, altered="noisy") as gateway:
        gateway.initialize()
        assert gateway.call("one") == said("one ran")
        assert gateway.close() == 0
        assert gateway.rest() == []
        for noise in NOISE:
            assert noise in gateway.errors


def test_an_error_page_of_the_upstream_reaches_neither_the_client_nor_the_log(home: Home, upstream: Scripted) -> None:
    upstream.script("initialize", http(500, b"<html>page with a password</html>", "text/html"))
    with Gateway(home, upstream.url, "--log-level", "debug", policy=ALLOW_ALL) as gateway:
        error = gateway.initialize()["error"]
        assert error["message"] == "the upstream failed (HTTP 500): try again later"
        assert error["data"] == {"status": 500}
        assert gateway.close() == 0
        assert "password" not in gateway.errors
