"""`stop` and `resume`: what the owner reads, what is recorded, and where it fails."""

import json
import sqlite3
import sys
from contextlib import closing

import pytest

from gateway.cli.owner import act
from gateway.clock import SystemClock
from gateway.state import EVERYONE, Halt, Record, Running, reading
from gateway.state.alive import mine
from gateway.state.passcode import Passcode
from tests.cli.conftest import Home, Run


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody is at a terminal."""
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)


def halt_of(home: Home) -> Halt | None:
    with reading(home.state) as transaction:
        return transaction.switch.look(EVERYONE)


def records(home: Home) -> list[Record]:
    with reading(home.state) as transaction:
        return [entry.record for entry in transaction.audit.tail(0, 100)]


def test_stop_works_before_there_is_a_state_file_and_is_recorded(run: Run, home: Home) -> None:
    ran = run("stop", "--reason", "odd mails")
    assert (ran.code, ran.err) == (0, "")
    first, *rest = ran.out.splitlines()
    assert first.startswith("stopped, since ")
    assert rest == [
        "reason: odd mails",
        f"every gateway that uses `{home.state}` refuses every call",
        "next: `keyid-gateway resume`, in a terminal, lets calls through again",
    ]
    halt = halt_of(home)
    assert halt is not None
    assert (halt.reason, halt.at_once) == ("odd mails", False)
    (record,) = records(home)
    assert (record.kind, record.method, record.at) == ("owner", "switch/stop", halt.since)
    assert record.message == f"stopped, by {halt.by}: odd mails"


def test_a_second_stop_says_that_it_was_stopped_and_keeps_the_moment(run: Run, home: Home) -> None:
    run("stop", "--reason", "odd mails")
    first = halt_of(home)
    ran = run("stop")
    assert ran.code == 0
    assert ran.out.startswith("stopped already, since ")
    assert "reason: odd mails" in ran.out
    assert halt_of(home) == first
    assert len(records(home)) == 1, "nothing changed, so nothing is recorded"


def test_now_is_added_to_a_stop_that_holds(run: Run, home: Home) -> None:
    run("stop", "--reason", "odd mails")
    ran = run("stop", "--now")
    assert "calls that are running are being cancelled" in ran.out
    halt = halt_of(home)
    assert halt is not None
    assert halt.at_once
    assert halt.reason == "odd mails"
    assert [record.message.partition(", by")[0] for record in records(home)] == [
        "stopped",
        "stopped, running calls as well",
    ]


def test_stop_says_how_many_gateways_run(run: Run, home: Home) -> None:
    process = mine()
    running = Running("s1", process.pid, process.mark, "0", "me", "https://s/mcp", "", 0.0, seen=SystemClock().now())
    act(home.state, lambda tx, _: tx.gateways.note(running))
    assert "running now: 1 gateway\n" in run("stop").out
    assert json.loads(run("stop", "--json").out)["gateways"] == 1


def test_stop_as_json(run: Run, home: Home) -> None:
    said = json.loads(run("stop", "--json").out)
    halt = halt_of(home)
    assert halt is not None
    assert said == {
        "stopped": True,
        "since": halt.since,
        "by": halt.by,
        "reason": "",
        "now": False,
        "before": False,
        "gateways": 0,
    }
    assert json.loads(run("stop", "--json").out)["before"] is True


@pytest.mark.parametrize("text", ["two\nlines", "\x1b[2J", "x" * 501, "a\u202eb"])
def test_a_reason_is_one_line_that_agents_can_read(run: Run, home: Home, text: str) -> None:
    ran = run("stop", "--reason", text)
    assert ran.code == 2
    assert "one line of up to 500 printable characters" in ran.err
    assert not home.state.exists()


def test_resume_needs_a_person(run: Run, home: Home) -> None:
    run("stop")
    ran = run("resume")
    assert ran.code == 2
    assert "error: `keyid-gateway resume` is for a person: standard input is no terminal\n" in ran.err
    assert halt_of(home) is not None


@pytest.mark.usefixtures("person")
def test_resume_says_what_it_ends_and_is_recorded(run: Run, home: Home) -> None:
    run("stop", "--reason", "odd mails")
    ran = run("resume")
    assert (ran.code, ran.out) == (0, "resumed: calls are judged by the policy again\n")
    assert ran.err.startswith("stopped since ")
    assert ran.err.endswith(": odd mails\n")
    assert halt_of(home) is None
    assert [(record.kind, record.method) for record in records(home)] == [
        ("owner", "switch/stop"),
        ("owner", "switch/resume"),
    ]
    assert run("audit", "verify").code == 0


def test_resume_where_nothing_was_stopped(run: Run, home: Home) -> None:
    for _ in range(2):  # without a state file, and with one
        ran = run("resume")
        assert (ran.code, ran.out) == (0, "nothing was stopped: calls are judged by the policy, as before\n")
        home.remember()


def test_what_the_owner_says_is_no_call(run: Run) -> None:
    run("stop")
    assert json.loads(run("audit", "stats", "--json").out)["calls"] == 0
    assert run("audit", "query", "--json").out == ""
    tail = run("audit", "tail").out
    assert "switch/stop" in tail
    assert "stopped, by " in tail


def test_a_stop_that_cannot_be_written_is_none(run: Run, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.remember()
    monkeypatch.setattr("gateway.state.State.atomically.__kwdefaults__", {"patience": 0.05})
    with closing(sqlite3.connect(home.state, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        ran = run("stop")
    assert (ran.code, ran.out) == (5, "")
    assert ran.err.startswith("error: nothing is stopped: the state file ")
    assert "hint: quit the MCP clients, or take the gateway's entry out of their config, then try again (" in ran.err
    assert halt_of(home) is None


def test_a_state_file_that_is_none_cannot_be_stopped(run: Run, home: Home) -> None:
    home.state.write_bytes(b"this is no database, " * 1000)
    ran = run("stop")
    assert ran.code == 5
    assert "nothing is stopped: " in ran.err


@pytest.mark.usefixtures("person")
@pytest.mark.parametrize("words", [("resume",), ("grants", "restore", "bot")])
def test_once_there_is_a_pin_opening_again_needs_it(
    run: Run, home: Home, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    run("stop")
    run("grants", "revoke", "bot")
    act(home.state, lambda tx, _: tx.passcodes.set(Passcode.of("2468", b"s" * 16)))
    monkeypatch.setattr("getpass.getpass", lambda _: "1357")
    ran = run(*words)
    assert ran.code == 1
    assert "error: that is not the PIN\n" in ran.err
    with reading(home.state) as transaction:
        assert len(transaction.switch.all()) == 2
    monkeypatch.setattr("getpass.getpass", lambda _: "2468")
    assert run(*words).code == 0
    with reading(home.state) as transaction:
        assert len(transaction.switch.all()) == 1
