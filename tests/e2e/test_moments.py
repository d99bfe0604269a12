"""Whatever a call waits for, it is judged and charged when it goes; and nothing goes after the end."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.e2e.arena import META, STATELESS
from tests.e2e.process import ALLOW_ALL, PATIENCE, Gateway, Home, Json, decision
from tests.e2e.scripted import Asked, Line, Scripted, after, http, message, result, said
from tests.e2e.test_reload import revision

ROOT = Path(__file__).parents[2]
TOOLS = {"tools": [{"name": "one", "inputSchema": {"type": "object"}}]}
DENY = {"version": "1", "default": "deny"}
TWICE = {
    "version": "1",
    "default": "deny",
    "tools": {"one": {"limits": [{"counter": "c", "window": "minute", "max": 2, "scope": "grant"}]}},
}


def test_a_call_that_waited_for_the_list_is_judged_by_the_policy_in_force_when_it_goes(home: Home) -> None:
    listed = threading.Event()
    with Scripted() as upstream, Gateway(home, upstream.url, policy=ALLOW_ALL) as gateway:
        gateway.initialize()
        gateway.wait_for_error("policy in force: ")
        upstream.script("tools/list", after(listed, result(TOOLS)))
        waiting = gateway.begin("tools/call", {"name": "one", "arguments": {}})
        upstream.wait_for("tools/list")
        home.policy(DENY)
        gateway.hear("notifications/tools/list_changed")
        listed.set()
        assert decision(gateway.answer(waiting)["result"])["rule"] == "(default deny)"
        assert upstream.calls("one") == []


def test_a_call_that_waited_is_charged_when_it_goes(home: Home) -> None:
    listed = threading.Event()
    with Scripted() as upstream, Gateway(home, upstream.url, policy=TWICE, clocked=True) as gateway:
        gateway.initialize()
        upstream.script("tools/list", after(listed, result(TOOLS)))
        waiting = [gateway.begin("tools/call", {"name": "one", "arguments": {}}) for _ in range(2)]
        upstream.wait_for("tools/list")
        home.move_clock(90)  # the minute in which they came is over
        listed.set()
        assert not any("_meta" in answer["result"] for answer in gateway.answers(waiting))
        assert decision(gateway.call("one", {}))["reason"] == "limit"


def test_all_who_wait_for_a_list_that_fails_are_told_at_once(home: Home) -> None:
    listed = threading.Event()
    with Scripted() as upstream, Gateway(home, upstream.url, policy=ALLOW_ALL) as gateway:
        gateway.initialize()
        upstream.script("tools/list", after(listed, http(503)))
        waiting = [gateway.begin("tools/call", {"name": "one", "arguments": {}}) for _ in range(5)]
        upstream.wait_for("tools/list")
        gateway.request("ping")  # all five have been taken
        listed.set()
        for answer in gateway.answers(waiting):
            assert (answer["error"]["code"], answer["error"]["data"]) == (-32603, {"status": 503})
        assert len(upstream.asked("tools/list")) == 1
        assert upstream.calls("one") == []
    assert {(record.rule, record.upstream_status) for record in home.records()} == {("(upstream)", 503)}


@pytest.mark.parametrize("why", ["another session", "other headers"])
def test_a_call_that_is_to_be_sent_once_more_is_judged_once_more(home: Home, why: str) -> None:
    """It certainly did not run, so that it may; but it takes a while, and the policy is another by then."""
    ready = threading.Event()
    with Scripted() as upstream, Gateway(home, upstream.url, policy=ALLOW_ALL, altered="watchful") as gateway:
        gateway.initialize()
        gateway.call("one", {})
        meta: Json = {}
        if why == "another session":
            upstream.script("one", http(404))
            upstream.script("initialize", after(ready, upstream.opened()))
        else:
            meta = META[STATELESS]
            upstream.script("one", message({"error": {"code": -32020, "message": "other headers"}}, 400))
            upstream.script("tools/list", after(ready, result(TOOLS)))
        waiting = gateway.begin("tools/call", {"name": "one", "arguments": {}, "_meta": meta})
        upstream.wait_for("initialize" if why == "another session" else "tools/list", 2)
        home.policy(DENY)
        gateway.wait_for_error(f"(revision {revision(DENY)[:16]})")
        ready.set()
        assert decision(gateway.answer(waiting)["result"])["rule"] == "(default deny)"
        assert len(upstream.calls("one")) == 2
        assert gateway.close() == 0
    last = home.records()[-1]
    assert (last.kind, last.effect) == ("settled", "allow")
    assert last.message.startswith("not sent once more: refused by `(default deny)` by then: ")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_nothing_that_comes_after_a_signal_is_relayed(home: Home, number: signal.Signals) -> None:
    ending = threading.Event()
    with Scripted() as upstream, Gateway(home, upstream.url, policy=ALLOW_ALL) as gateway:
        gateway.initialize()
        gateway.call("one", {})
        upstream.script("DELETE", after(ending, http(200)))
        gateway.process.send_signal(number)
        upstream.wait_for("DELETE")
        for _ in range(12):
            gateway.begin("tools/call", {"name": "one", "arguments": {}})
        ending.set()
        assert gateway.wait() == 0
        assert len(upstream.calls("one")) == 1
    assert [record.kind for record in home.records()] == ["decided", "settled"]


def test_a_client_that_does_not_read_the_log_holds_nothing_up(home: Home) -> None:
    with Scripted() as upstream:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway", "run", "--upstream", upstream.url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=home.variables(),
        )
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(b"[1]\n" * 3000 + b'{"jsonrpc":"2.0","id":"last","method":"ping"}\n')
        process.stdin.flush()
        answers = [json.loads(process.stdout.readline()) for _ in range(3001)]
        assert sum("error" in answer and answer["id"] is None for answer in answers) == 3000
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        for stream in (process.stdin, process.stdout, process.stderr):
            stream.close()


def test_a_pipe_as_a_policy_is_refused_and_not_waited_for(home: Home) -> None:
    pipe = home.path / "pipe"
    os.mkfifo(pipe)
    with Scripted() as upstream, Gateway(home, upstream.url, policy=pipe) as gateway:
        gateway.initialize()
        refused = gateway.call("one", {})
        assert "is no regular file" in refused["content"][0]["text"]


def test_an_answer_that_is_read_late_is_whole(home: Home) -> None:
    """More than a pipe holds, for a client that ends its input first and reads afterwards."""
    text = "x" * 1_000_000
    ended = threading.Event()

    def goodbye(asked: Asked, line: Line) -> None:
        ended.set()
        http(200)(asked, line)

    policy = str(home.policy(ALLOW_ALL))
    with Scripted() as upstream:
        upstream.script("DELETE", goodbye)
        upstream.script("one", result(said(text)))
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.e2e.altered",
                "patient,lasting",  # the call must come to its end, however long the start takes here
                "run",
                "--upstream",
                upstream.url,
                "--policy",
                policy,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=home.variables(),
            cwd=ROOT,
        )
        opening = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "late", "version": "1"}}
        messages = [
            {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": opening},
            {"jsonrpc": "2.0", "method": "notifications/initialized"},
            {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "one", "arguments": {}}},
        ]
        lines = b"".join(json.dumps(message).encode() + b"\n" for message in messages)
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(lines)
        process.stdin.close()
        assert ended.wait(PATIENCE)  # everything but the reading is over
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)  # it waits for its reader
        answers = {answer["id"]: answer for answer in map(json.loads, process.stdout.read().splitlines())}
        assert answers[2]["result"] == said(text)
        assert process.wait(PATIENCE) == 0
        process.stdout.close()
