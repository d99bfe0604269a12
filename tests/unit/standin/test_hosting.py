"""Starting and stopping, with streams still open."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from mcp import Client
from mcp_types import CallToolResult, TextContent

from gateway.clock import Clock, SystemClock
from gateway.errors import UsageError
from gateway.standin import Post, Standin, StandinOptions, serve

PROGRAM = """
import sys
from pathlib import Path
from gateway.clock import SystemClock
from gateway.standin import StandinOptions, serve

def ready(url):
    print(url, flush=True)

serve(StandinOptions(journal=Path(sys.argv[1])), clock=SystemClock(), ready=ready)
print("ended", flush=True)
"""
ROOT = Path(__file__).parents[3]
BOUND = 20.0


def open_stream(url: str) -> HTTPConnection:
    """A session with its standing stream open; closed by the caller."""
    connection = HTTPConnection(url.split("/")[2], timeout=BOUND)
    headers = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    connection.request("POST", "/mcp", json.dumps(message), headers)
    answer = connection.getresponse()
    answer.read()
    session = {"mcp-session-id": str(answer.getheader("mcp-session-id"))}
    connection.request("GET", "/mcp", headers={"accept": "text/event-stream"} | session)
    return connection


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly_with_a_stream_open(tmp_path: Path, number: signal.Signals) -> None:
    journal = tmp_path / "journal.jsonl"
    command = [sys.executable, "-W", "error", "-c", PROGRAM, str(journal)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        with closing(open_stream(process.stdout.readline().strip())) as connection:
            stream = connection.getresponse()
            process.send_signal(number)
            out, err = process.communicate(timeout=BOUND)
            assert stream.read() == b""
        assert (process.returncode, out, err) == (0, "ended\n", "")
    assert [json.loads(line)["http"] for line in journal.read_text().splitlines()] == ["POST", "GET"]
    assert stat.S_IMODE(journal.stat().st_mode) == 0o600


@pytest.mark.parametrize("json_response", [False, True])
async def test_a_running_call_is_answered_when_the_stand_in_stops(
    capfd: pytest.CaptureFixture[str], era: str, json_response: bool
) -> None:
    answers: list[CallToolResult] = []

    async def call(client: Client) -> None:
        answers.append(await client.call_tool("standin_write_3", {"seconds": 300}))

    with ExitStack() as stack:
        standin = stack.enter_context(Standin(StandinOptions(json_response=json_response), clock=SystemClock()))
        async with Client(standin.url, mode=era) as client, anyio.create_task_group() as tasks:
            tasks.start_soon(call, client)
            await anyio.to_thread.run_sync(standin.wait_for, lambda entry: entry.get("event") == "tool", BOUND)
            await anyio.to_thread.run_sync(stack.close)
    (answer,) = answers
    (block,) = answer.content
    assert answer.is_error
    assert isinstance(block, TextContent)
    assert block.text == "the stand-in was stopped"
    assert standin.journal[-1]["event"] == "cancelled"
    assert "shutdown" not in capfd.readouterr().err
    with socket.socket() as probe:
        host, port = standin.url.split("/")[2].split(":")
        assert probe.connect_ex((host, int(port))) != 0


def test_a_port_that_is_taken_is_said(clock: Clock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError) as caught:
            serve(StandinOptions(port=port), clock=clock, ready=pytest.fail)
    assert caught.value.message == f"cannot listen on `127.0.0.1:{port}`: Address already in use"
    assert caught.value.hint == "choose another port; 0 takes any that is free"


def test_two_run_side_by_side_and_share_nothing() -> None:
    with Standin(clock=SystemClock()) as one, Standin(clock=SystemClock()) as two:
        assert one.url != two.url
        one.deliver(Post("email", "a@example.com", "S", "B"))
        assert one.identity.mailbox.get("msg_0003").subject == "S"
        assert len(list(two.identity.mailbox.threads())) == 2
