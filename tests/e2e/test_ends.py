"""Ends that nobody announces: a client that is killed, one that no longer reads, a state file that somebody holds."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from tests.e2e import scripted
from tests.e2e.process import ALLOW_ALL, PATIENCE, Gateway, Home, Json
from tests.e2e.scripted import Scripted

ROOT = Path(__file__).parents[2]
OPENING = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "gone", "version": "1"}}
MESSAGES: tuple[Json, ...] = (
    {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": OPENING},
    {"jsonrpc": "2.0", "method": "notifications/initialized"},
    {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "one", "arguments": {}}},
)
LINES = b"".join(json.dumps(message).encode() + b"\n" for message in MESSAGES)
CLIENT = """
import json, subprocess, sys
lines, holds, command = sys.argv[1], sys.argv[2] == "holds", sys.argv[3:]
gateway = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
children = [gateway.pid]
if holds:  # somebody else keeps the gateway's input and output open
    ends = (gateway.stdin.fileno(), gateway.stdout.fileno())
    children.append(subprocess.Popen(["sleep", "600"], stdin=subprocess.DEVNULL, pass_fds=ends).pid)
gateway.stdin.write(lines.encode())
gateway.stdin.flush()
print(json.dumps(children), flush=True)
sys.stdin.read()
"""
"""A client of its own, which can be killed: it starts a gateway, sends it some lines, and then does nothing."""


@pytest.mark.parametrize("holds", ["holds", "lets go"])
def test_a_client_that_is_killed_is_the_end_though_somebody_holds_the_input_open(home: Home, holds: str) -> None:
    with Scripted() as upstream:
        upstream.script("one", scripted.silence)
        command = Gateway.command(upstream.url, "--policy", str(home.policy(ALLOW_ALL)))
        client = subprocess.Popen(
            [sys.executable, "-c", CLIENT, LINES.decode(), holds, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=home.variables(),
            cwd=ROOT,
        )
        assert client.stdout is not None
        assert client.stdin is not None
        with client.stdin, client.stdout:
            children = json.loads(client.stdout.readline())
            try:
                upstream.wait_for("tools/call")
                client.kill()
                client.wait()
                upstream.wait_for("DELETE")
            finally:
                for child in children[1:]:
                    os.kill(child, signal.SIGKILL)
        ended(children[0])
    assert outcomes(home) == ["cancelled"]


def test_a_client_that_no_longer_reads_is_the_end_though_nothing_is_said(home: Home) -> None:
    with Scripted() as upstream:
        upstream.script("one", scripted.silence)
        process = subprocess.Popen(
            Gateway.command(upstream.url, "--policy", str(home.policy(ALLOW_ALL))),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=home.variables(),
            cwd=ROOT,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        with process.stdin:
            process.stdin.write(LINES)
            process.stdin.flush()
            upstream.wait_for("tools/call")
            process.stdout.close()
            assert process.wait(PATIENCE) == 0
        assert len(upstream.asked("DELETE")) == 1
    assert outcomes(home) == ["cancelled"]


def test_a_state_file_that_somebody_holds_at_the_end_is_waited_for_as_long_as_there_is_time(home: Home) -> None:
    with Scripted() as upstream, Gateway(home, upstream.url, policy=ALLOW_ALL) as gateway:
        gateway.initialize()
        upstream.script("one", scripted.silence)
        gateway.begin("tools/call", {"name": "one", "arguments": {}})
        upstream.wait_for("tools/call")
        holder = sqlite3.connect(home.state, isolation_level=None, check_same_thread=False)
        holder.execute("BEGIN IMMEDIATE")
        gateway.process.send_signal(signal.SIGTERM)
        letting_go = threading.Timer(0.7, lambda: holder.execute("ROLLBACK"))
        letting_go.start()
        assert gateway.wait() == 0
        letting_go.join()
        holder.close()
        assert len(upstream.asked("DELETE")) == 1
    assert outcomes(home) == ["cancelled"]


def outcomes(home: Home) -> list[str | None]:
    return [record.outcome for record in home.records() if record.kind == "settled"]


def ended(pid: int) -> None:
    """Wait for the end of a process that is not a child of ours; fails the test, and ends it, where it does not."""
    over = threading.Event()
    try:
        for _ in range(int(PATIENCE / 0.05)):
            os.kill(pid, 0)
            over.wait(0.05)
    except ProcessLookupError:
        return
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    pytest.fail("the gateway is still there")
