"""Much at once: a thousand calls in flight, more than may be, and a flood for a client that does not read."""

import json
import subprocess
import threading
from pathlib import Path

import pytest

from tests.e2e.process import ALLOW_ALL, PATIENCE, Gateway, Home
from tests.e2e.scripted import Asked, Line, Scripted, after, http, result, said, stream

ROOT = Path(__file__).parents[2]
CALL = {"name": "one", "arguments": {}}


def test_a_thousand_calls_are_in_flight_at_once_and_hold_nothing_up(home: Home) -> None:
    answered = threading.Event()

    def echo(asked: Asked, line: Line) -> None:
        answered.wait(PATIENCE)
        result(said(str(asked.message["id"])))(asked, line)

    with Scripted() as upstream, Gateway(home, upstream.url, policy=ALLOW_ALL) as gateway:
        gateway.initialize()
        gateway.call("one", {})
        upstream.script("one", *[echo] * 1000)
        calls = [gateway.begin("tools/call", CALL) for _ in range(1000)]
        upstream.wait_for("tools/call", 1001)
        assert "result" in gateway.request("ping")
        answered.set()
        answers = gateway.answers(calls)
        assert [answer["result"] for answer in answers] == [said(str(number)) for number in calls]
        assert gateway.close() == 0
    assert [record.outcome for record in home.records() if record.kind == "settled"] == ["ok"] * 1001


def test_what_is_too_much_waits_its_turn_and_can_be_cancelled_there(home: Home) -> None:
    released = threading.Event()
    with Scripted() as upstream, Gateway(home, upstream.url, policy=ALLOW_ALL, altered="crowded") as gateway:
        gateway.initialize()
        gateway.call("one", {})
        upstream.forget()
        upstream.script("one", *[after(released, result(said("late")))] * 2)
        running = [gateway.begin("tools/call", CALL) for _ in range(2)]
        upstream.wait_for("tools/call", 2)
        cancelled, kept = (gateway.begin("tools/call", CALL) for _ in range(2))
        gateway.send({"jsonrpc": "2.0", "id": kept, "method": "ping"})
        assert gateway.answer(kept)["error"]["message"] == "a request with this `id` is still in flight"
        gateway.notify("notifications/cancelled", {"requestId": cancelled})
        gateway.notify("notifications/progress", {"progressToken": 1, "progress": 1})
        upstream.wait_for("notifications/progress")
        released.set()
        assert [answer["result"] for answer in gateway.answers([*running, kept])] == [
            said("late"),
            said("late"),
            said("one ran"),
        ]
        assert gateway.close() == 0
        assert cancelled not in [message.get("id") for message in [*gateway.others, *gateway.rest()]]
        assert [asked.message["id"] for asked in upstream.calls("one")[2:]] == [kept]
        assert upstream.asked("notifications/cancelled") == []
    assert [record.outcome for record in home.records() if record.kind != "decided"].count("cancelled") == 1
    assert len([record for record in home.records() if record.kind == "settled"]) == 4


@pytest.mark.parametrize("size", [1, 20_000])
def test_a_flood_beyond_all_that_may_wait_is_answered_whole(home: Home, size: int) -> None:
    released = threading.Event()
    with Scripted() as upstream, Gateway(home, upstream.url, policy=ALLOW_ALL, altered="crowded") as gateway:
        gateway.initialize()
        upstream.script("ping", *[after(released, result({}))] * 2)
        held = [gateway.begin("ping") for _ in range(2)]
        upstream.wait_for("ping", 2)
        flood = [{"jsonrpc": "2.0", "id": f"f{n}", "method": "ping", "params": {"x": "x" * size}} for n in range(300)]
        data = b"".join(json.dumps(message).encode() + b"\n" for message in flood)
        writing = threading.Thread(target=gateway.send, args=(data,))
        writing.start()
        released.set()
        gateway.answers([*held, *(message["id"] for message in flood)])
        writing.join(PATIENCE)
        asked = {asked.message["id"] for asked in upstream.asked("ping")}
        assert (len(upstream.asked("ping")), len(asked)) == (302, 302)


def test_who_is_asked_in_the_middle_of_calls_can_answer_whatever_they_hold(home: Home) -> None:
    answered = threading.Event()

    def asking(asked: Asked, line: Line) -> None:
        question = {"jsonrpc": "2.0", "id": f"q{asked.message['id']}", "method": "elicitation/create", "params": {}}
        done = {"jsonrpc": "2.0", "id": asked.message["id"], "result": said("done")}

        def finish(_: Asked, line: Line) -> None:
            answered.wait(PATIENCE)
            line.send(b"data: " + json.dumps(done).encode() + b"\n\n")

        stream(question, then=finish)(asked, line)

    with Scripted() as upstream, Gateway(home, upstream.url, policy=ALLOW_ALL, altered="few") as gateway:
        gateway.initialize({"elicitation": {}})
        upstream.script("one", asking, asking)
        calls = [gateway.begin("tools/call", CALL) for _ in range(2)]
        for _ in calls:
            gateway.send({"jsonrpc": "2.0", "id": gateway.hear("elicitation/create")["id"], "result": {}})
        upstream.wait_for("response", 2)  # though both calls wait for it, each on a connection
        answered.set()
        assert [answer["result"] for answer in gateway.answers(calls)] == [said("done")] * 2


def test_a_server_that_asks_more_than_it_listens_to_is_not_told_everything(home: Home) -> None:
    released = threading.Event()
    questions = [{"jsonrpc": "2.0", "id": number, "method": "sampling/createMessage"} for number in range(100)]
    asking = stream(*questions, {"jsonrpc": "2.0", "id": None, "result": said("done")})
    off = ("--switch-off", "sampling")
    with Scripted() as upstream, Gateway(home, upstream.url, *off, policy=ALLOW_ALL, altered="terse") as gateway:
        gateway.initialize({"sampling": {}})
        upstream.script("response", *[after(released, http(202))] * 100)
        upstream.script("one", asking)
        assert gateway.call("one", {}) == said("done")
        upstream.wait_for("response", 2)
        released.set()
        assert gateway.close() == 0
        assert len(upstream.asked("response")) == 2


def test_a_flood_for_a_client_that_does_not_read_stops_at_its_source_and_nothing_is_lost(home: Home) -> None:
    many, filler = 30_000, "x" * 2000
    full = threading.Event()

    def flood(asked: Asked, line: Line) -> None:
        for number in range(many):
            note = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": [number, filler]}}
            while not line.takes_more(1.0):
                full.set()
            line.send(b"data: " + json.dumps(note).encode() + b"\n\n")
        line.send(f'data: {{"jsonrpc":"2.0","id":{asked.message["id"]},"result":{{}}}}\n\n'.encode())

    with Scripted() as upstream:
        upstream.script("ping", stream(then=flood))
        process = subprocess.Popen(
            Gateway.command(upstream.url, module=("tests.e2e.altered", "narrow")),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=home.variables(),
            cwd=ROOT,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        with process.stdin, process.stdout:
            process.stdin.write(b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n')
            process.stdin.flush()
            assert full.wait(PATIENCE)
            numbers = [json.loads(process.stdout.readline())["params"]["data"][0] for _ in range(many)]
            assert numbers == list(range(many))
            assert json.loads(process.stdout.readline()) == {"jsonrpc": "2.0", "id": 1, "result": {}}
            peak = peak_megabytes(process.pid)
            process.stdin.close()
            assert process.wait(PATIENCE) == 0
    assert peak < 64, "60 MB passed"


def peak_megabytes(pid: int) -> float:
    """The most memory that a process ever had."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))
