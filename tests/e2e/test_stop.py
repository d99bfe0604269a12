"""The switch: one command stops every gateway, at once and for good, until a person resumes."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.state import Record
from tests.e2e.arena import ERAS, HANDSHAKE, META
from tests.e2e.asked import answer, pending
from tests.e2e.process import ALLOW_ALL, PATIENCE, Gateway, Home, decision
from tests.e2e.scripted import Scripted, after, result, said, silence
from tests.warm import run

Json = Any
PROMPT = {"jsonrpc": "2.0", "method": "prompts/get", "params": {"name": "p"}}


@pytest.fixture
def upstream() -> Iterator[Scripted]:
    with Scripted() as running:
        yield running


@pytest.fixture(params=ERAS)
def era(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def command(home: Home, *words: str, stdin: int = subprocess.DEVNULL) -> subprocess.CompletedProcess[str]:
    """A command of the owner's."""
    return run([sys.executable, "-m", "gateway", *words], env=home.variables(), stdin=stdin, timeout=PATIENCE)


def at_a_terminal(home: Home, *words: str) -> subprocess.CompletedProcess[str]:
    """A command that a person types."""
    ours, theirs = os.openpty()
    try:
        return command(home, *words, stdin=theirs)
    finally:
        os.close(ours)
        os.close(theirs)


def opened(gateway: Gateway, era: str = HANDSHAKE) -> Gateway:
    if era == HANDSHAKE:
        gateway.initialize()
    return gateway


def call(gateway: Gateway, era: str = HANDSHAKE) -> Json:
    return gateway.call("one", {}, _meta=META[era])


def refusal(result: Json) -> str:
    """The rule of a refusal, whose words are a call's result."""
    assert result["isError"] is True
    return str(decision(result)["rule"])


def ended(record: Record) -> bool:
    return record.kind == "settled" and record.outcome == "cancelled" and "was cancelled" in record.message


def test_one_command_stops_every_gateway_until_a_person_resumes(home: Home, upstream: Scripted, era: str) -> None:
    with (
        Gateway(home, upstream.url, policy=ALLOW_ALL) as one,
        Gateway(home, upstream.url, "--grant", "bot", policy=ALLOW_ALL) as two,
    ):
        for gateway in (one, two):
            assert call(opened(gateway, era), era) == said("one ran")
        assert command(home, "stop", "--reason", "It sends odd mails.").returncode == 0
        for gateway in (one, two):
            refused = call(gateway, era)
            assert refusal(refused) == "(stopped)"
            text = refused["content"][0]["text"]
            assert text.startswith("[POLICY DENIED] Stopped by the owner (since 20")
            assert text.endswith(
                "): It sends odd mails. Nothing passes until a person runs `keyid-gateway resume` in a terminal"
            )
            assert (
                gateway.request("prompts/get", {"name": "p", "_meta": META[era]})["error"]["data"][
                    "keyid-gateway/decision"
                ]["rule"]
                == "(stopped)"
            )
            listed = gateway.request("tools/list", {"_meta": META[era]})["result"]["tools"]
            assert [tool["name"] for tool in listed] == ["one"], "clients need no restart afterwards"
        assert command(home, "resume").returncode == 2
        assert refusal(call(one, era)) == "(stopped)"
        resumed = at_a_terminal(home, "resume")
        assert (resumed.returncode, resumed.stdout) == (0, "resumed: calls are judged by the policy again\n")
        for gateway in (one, two):
            assert call(gateway, era) == said("one ran")
    assert len(upstream.calls("one")) == 4
    kinds = [(record.kind, record.rule) for record in home.records() if record.tool == "one"]
    assert kinds.count(("refused", "(stopped)")) == 3


def test_no_notification_of_the_agents_own_making_passes_while_stopped(home: Home, upstream: Scripted) -> None:
    """It has no id, so that no policy judges it; what it asks for is between the agent and the server."""
    with Gateway(home, upstream.url, policy=ALLOW_ALL) as gateway:
        opened(gateway, HANDSHAKE)
        gateway.notify("notifications/own", {"number": 1})
        assert call(gateway, HANDSHAKE) == said("one ran")
        upstream.wait_for("notifications/own")
        assert command(home, "stop").returncode == 0
        gateway.notify("notifications/own", {"number": 2})
        gateway.notify("notifications/roots/list_changed")
        upstream.wait_for("notifications/roots/list_changed")
        assert at_a_terminal(home, "resume").returncode == 0
        gateway.notify("notifications/own", {"number": 3})
        upstream.wait_for("notifications/own", 2)
    assert [asked.message["params"]["number"] for asked in upstream.asked("notifications/own")] == [1, 3]
    assert "a notification of the client was dropped: everything is stopped" in gateway.errors


def test_a_stop_outlives_every_process(home: Home, upstream: Scripted) -> None:
    assert command(home, "stop").returncode == 0
    for _ in range(2):
        with Gateway(home, upstream.url, policy=ALLOW_ALL) as gateway:
            assert refusal(call(opened(gateway))) == "(stopped)"
    assert upstream.calls("one") == []


def test_a_call_that_waited_for_the_list_is_refused(home: Home, upstream: Scripted) -> None:
    listed = threading.Event()
    with Gateway(home, upstream.url, policy=ALLOW_ALL) as gateway:
        opened(gateway)
        upstream.script("tools/list", after(listed, result({"tools": [{"name": "one", "inputSchema": {}}]})))
        waiting = gateway.begin("tools/call", {"name": "one", "arguments": {}})
        upstream.wait_for("tools/list")
        assert command(home, "stop").returncode == 0
        listed.set()
        assert refusal(gateway.answer(waiting)["result"]) == "(stopped)"
    assert upstream.calls("one") == []


def test_a_running_call_ends_as_it_would_without_now(home: Home, upstream: Scripted, era: str) -> None:
    done = threading.Event()
    with Gateway(home, upstream.url, policy=ALLOW_ALL) as gateway:
        opened(gateway, era)
        upstream.script("tools/call", after(done, result(said("slow"))))
        slow = gateway.begin("tools/call", {"name": "one", "arguments": {}, "_meta": META[era]})
        upstream.wait_for("tools/call")
        assert command(home, "stop").returncode == 0
        assert refusal(call(gateway, era)) == "(stopped)"
        done.set()
        assert gateway.answer(slow)["result"]["content"] == said("slow")["content"]


def test_now_cancels_what_runs_in_every_gateway(home: Home, upstream: Scripted, era: str) -> None:
    with (
        Gateway(home, upstream.url, policy=ALLOW_ALL) as one,
        Gateway(home, upstream.url, "--grant", "bot", policy=ALLOW_ALL) as two,
    ):
        for gateway in (one, two):
            call(opened(gateway, era), era)
        upstream.script("tools/call", silence, silence)
        slow = [gateway.begin("tools/call", {"name": "one", "_meta": META[era]}) for gateway in (one, two)]
        upstream.wait_for("tools/call", 4)
        before = time.time()
        assert command(home, "stop", "--now", "--reason", "odd").returncode == 0
        for gateway, identifier in zip((one, two), slow, strict=True):
            answer = gateway.answer(identifier)
            assert "result" in answer, (answer, gateway.errors)
            refused = answer["result"]
            assert refusal(refused) == "(stopped)"
            assert "This call was running, was cancelled, and may have had its effect." in refused["content"][0]["text"]
            assert refusal(call(gateway, era)) == "(stopped)"
        if era == HANDSHAKE:  # the others close the stream, which says it
            upstream.wait_for("notifications/cancelled", 2)
            told = [asked.message["params"]["requestId"] for asked in upstream.asked("notifications/cancelled")]
            assert sorted(told) == sorted(slow)
        cut = [record for record in home.records() if ended(record)]
        assert len(cut) == 2
        assert all(record.effect == "allow" and record.at >= before for record in cut)
    assert upstream.asked("notifications/cancelled") == [] or era == HANDSHAKE


def test_now_ends_a_call_that_was_not_sent_yet(home: Home, upstream: Scripted) -> None:
    with Gateway(home, upstream.url, policy=ALLOW_ALL) as gateway:
        opened(gateway)
        upstream.script("prompts/get", result({"messages": []}))
        gateway.request("prompts/get", {"name": "p"})  # so that the state file is open
        upstream.script("tools/list", silence)
        waiting = gateway.begin("tools/call", {"name": "one", "arguments": {}})
        upstream.wait_for("tools/list")
        assert command(home, "stop", "--now").returncode == 0
        refused = gateway.answer(waiting)["result"]
        assert refusal(refused) == "(stopped)"
        assert "was running" not in refused["content"][0]["text"]
        (record,) = [record for record in home.records() if record.tool == "one"]
        assert (record.kind, record.rule, record.outcome) == ("refused", "(stopped)", "cancelled")
    assert upstream.calls("one") == []


def test_a_call_that_its_client_cancelled_stays_unanswered(home: Home, upstream: Scripted, era: str) -> None:
    with Gateway(home, upstream.url, policy=ALLOW_ALL) as gateway:
        call(opened(gateway, era), era)
        upstream.script("tools/call", silence)
        slow = gateway.begin("tools/call", {"name": "one", "_meta": META[era]})
        upstream.wait_for("tools/call", 2)
        gateway.notify("notifications/cancelled", {"requestId": slow})
        assert command(home, "stop", "--now").returncode == 0
        assert refusal(call(gateway, era)) == "(stopped)"
        assert gateway.close() == 0
        assert [message for message in gateway.rest() if message.get("id") == slow] == []
    assert not any(ended(record) for record in home.records())


def test_a_state_file_that_others_hold_is_not_stopped_and_says_so(home: Home, upstream: Scripted) -> None:
    with Gateway(home, upstream.url, policy=ALLOW_ALL) as gateway:
        call(opened(gateway))
        folder = home.state.parent
        home.environment["KEYID_GATEWAY_STATE"] = str(folder / "elsewhere" / "state.db")
        (folder / "elsewhere").write_text("a file where a folder should be", encoding="utf-8")
        done = command(home, "stop")
        assert done.returncode == 5
        assert "nothing is stopped: " in done.stderr
        assert "quit the MCP clients" in done.stderr
        assert call(gateway) == said("one ran")


def test_a_task_gets_nothing_and_gives_nothing_while_stopped_but_can_be_cancelled(
    home: Home, upstream: Scripted
) -> None:
    task = {"taskId": "t", "_meta": META["stateless"]}
    with Gateway(home, upstream.url, policy=ALLOW_ALL) as gateway:
        upstream.script("tools/call", result({"resultType": "task", "taskId": "t", "status": "working"}))
        gateway.request("tools/call", {"name": "one", "arguments": {}, "_meta": META["stateless"]})
        upstream.script("tasks/get", result({"resultType": "complete", "taskId": "t", "status": "working"}))
        assert gateway.request("tasks/get", task)["result"]["status"] == "working"
        assert command(home, "stop").returncode == 0
        for method in ("tasks/get", "tasks/update", "tasks/result"):
            error = gateway.request(method, task)["error"]
            assert (error["code"], error["data"]["keyid-gateway/decision"]["rule"]) == (-33403, "(stopped)")
        upstream.script("tasks/cancel", result({"resultType": "complete"}))
        assert "result" in gateway.request("tasks/cancel", task)
    assert [len(upstream.asked(f"tasks/{what}")) for what in ("get", "update", "result", "cancel")] == [1, 0, 0, 1]


ASKING = {"version": "1", "default": "allow", "tools": {"one": {"action": "require_approval"}}}


def test_a_call_that_is_held_does_not_wait_for_a_person_while_everything_is_stopped(
    home: Home, upstream: Scripted, era: str
) -> None:
    with Gateway(home, upstream.url, policy=ASKING) as gateway:
        opened(gateway, era)
        held = gateway.begin("tools/call", {"name": "one", "arguments": {}, "_meta": META[era]})
        pending(home)
        assert command(home, "stop").returncode == 0
        assert refusal(gateway.answer(held)["result"]) == "(stopped)"
        assert not pending(home, 0), "nobody is asked any more"
    assert upstream.calls("one") == []


def test_what_was_approved_before_everything_was_stopped_is_refused(home: Home, upstream: Scripted, era: str) -> None:
    with Gateway(home, upstream.url, "--approval-wait", "0", policy=ASKING) as gateway:
        opened(gateway, era)
        gateway.call("one", {}, _meta=META[era])
        answer(home, "approve")
        assert command(home, "stop").returncode == 0
        assert refusal(gateway.call("one", {}, _meta=META[era])) == "(stopped)"
    assert upstream.calls("one") == []


@pytest.mark.parametrize("words", [("stop", "--now"), ("grants", "revoke", "bot")])
def test_a_call_that_is_held_for_a_person_is_ended(
    home: Home, upstream: Scripted, era: str, words: tuple[str, ...]
) -> None:
    with Gateway(home, upstream.url, "--grant", "bot", policy=ASKING) as gateway:
        opened(gateway, era)
        held = gateway.begin("tools/call", {"name": "one", "arguments": {}, "_meta": META[era]})
        pending(home)
        assert command(home, *words).returncode == 0
        refused = gateway.answer(held)["result"]
        assert refusal(refused) == ("(stopped)" if words[0] == "stop" else "(revoked)")
        assert "was running" not in refused["content"][0]["text"], "nothing of it was sent"
        assert not pending(home, 0), "nobody is asked any more"
    assert upstream.calls("one") == []
    (record,) = [record for record in home.records() if record.tool == "one" and record.kind == "refused"]
    assert record.outcome in ("cancelled", None), "ended where it waited, or judged once more, whichever came first"
