import asyncio
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from gateway.cli import overview
from gateway.cli.commands import status
from gateway.clock import SystemClock
from gateway.policy import load
from gateway.settings import load as load_settings
from gateway.state import EVERYONE, Halt, Running, State, Transaction
from gateway.state.alive import mine
from gateway.state.approvals import Question
from tests.cli.conftest import SERVER, Home, Run, record, refused
from tests.warm import Popen

DOCUMENT = """
{
  "version": "1",
  "default": "deny",
  "tools": {
    "get_secret": { "limits": [{ "counter": "secrets", "window": "day", "max": 1, "scope": "grant" }] },
    "get_file": { "rate_limit": { "max": 10, "window": 60 } }
  }
}
"""
NOW = time.time()
ME = mine()
LINE = Running(
    "s1",
    ME.pid,
    ME.mark,
    "0.1.0",
    "me",
    SERVER,
    "",
    NOW - 7260,
    "claude-ai",
    "0.9",
    "/p.json",
    "r1",
    calls=120,
    denials=3,
    seen=NOW,
)


def work(home: Home, *steps: object) -> None:
    """Write to the state file, as gateways would."""

    async def written() -> None:
        state = await State.open(home.state, clock=SystemClock())
        for step in steps:
            await state.atomically(lambda tx, step=step: _write(tx, step))  # type: ignore[misc] # bound
        state.close()

    asyncio.run(written())


QUESTION = Question(
    id="",
    tool="send_email",
    arguments={"to": "kim@example.com"},
    rule="/tools/send_email/action",
    reason="mail leaves the house",
    grant="me",
    server=SERVER,
    session="s1",
    client_name="claude-ai",
    client_version="0.9",
    asked_at=NOW,
    expires_at=NOW + 630,
)


def _write(tx: Transaction, step: object) -> None:
    if isinstance(step, Question):
        now = time.time()  # the suite may have been under way for a while
        tx.approvals.ask(replace(step, asked_at=now, expires_at=now + 630), "identity", now)
    if isinstance(step, Running):
        tx.gateways.note(step)
    elif isinstance(step, Halt):
        tx.switch.halt(step)


@contextmanager
def terminal(monkeypatch: pytest.MonkeyPatch, width: int) -> Iterator[None]:
    with monkeypatch.context() as patched:
        patched.setattr(
            status, "console", lambda: Console(width=width, highlight=False, force_terminal=False, no_color=True)
        )
        yield


def test_without_a_state_file_it_says_what_to_do_next(run: Run, home: Home) -> None:
    ran = run("status")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == (
        "no gateway is running\n"
        f"there is no state file yet (`{home.state}`)\n"
        'next: start your client with an entry for the gateway (README, "In front of your server"); '
        "`keyid-gateway doctor` says what keeps it from running\n"
    )
    assert not home.state.exists()


def test_what_runs_what_is_used_and_what_was_denied(run: Run, home: Home) -> None:
    home.write_policy(DOCUMENT)
    limits = [limit for entry in load(DOCUMENT.encode(), name="p").entries.values() for limit in entry.limits]
    home.remember([refused("d2", "delete_contact", at=time.time() - 65)], limits)
    work(home, LINE)
    lines = run("status").out.splitlines()
    assert lines[0] == "1 gateway running"
    assert lines[1].split() == ["client", "grant", "since", "calls", "denied", "server"]
    assert re.fullmatch(rf"claude-ai 0\.9 +me +2 h \d min +120 +3 +{SERVER}", lines[2])
    assert lines[4] == "limits in use, the fullest first"
    assert re.match(r"get_secret +1 of 1 per day", lines[6]), "the fullest goes first"
    assert re.match(r"get_file +1 of 10 per 60 seconds", lines[7])
    assert lines[9] == "denied last"
    assert re.fullmatch(r" *1 min [0-9]+ s ago  delete_contact  \(hidden\)  \(client\)", lines[10])
    assert lines[11] == " " * 16 + 'Tool "delete_contact" is hidden by policy'


def test_a_gateway_that_was_killed_is_not_shown_as_running(run: Run, home: Home) -> None:
    work(home, replace(LINE, pid=2**60))
    out = run("status").out
    assert out.startswith("no gateway is running\n1 gateway ended without saying so")
    assert json.loads(run("status", "--json").out)["killed"] == 1


def test_the_stop_and_what_was_revoked(run: Run, home: Home) -> None:
    work(home, LINE, Halt(EVERYONE, NOW, "kim", "it went mad"), Halt("mail", NOW, "kim", ""))
    out = run("status").out
    assert re.search(r"\nSTOPPED since [-0-9: ]+ \w+ by kim: it went mad\nevery call is refused until `keyid-ga", out)
    assert re.search(r"\ngrant `mail` is revoked since [-0-9: ]+ \w+ by kim\n", out)
    found = json.loads(run("status", "--json").out)
    assert (found["stopped"]["reason"], [each["grant"] for each in found["revoked"]]) == ("it went mad", ["mail"])


def test_the_calls_that_wait_for_a_person(run: Run, home: Home) -> None:
    work(home, LINE, QUESTION)
    out = run("status").out
    assert "\n1 call waits for you: `keyid-gateway approvals`\n" in out
    assert re.search(r"\n\w+ +send_email +[0-9]+ min[ 0-9s]* +claude-ai +mail leaves the house\n", out)
    (question,) = json.loads(run("status", "--json").out)["questions"]
    assert (question["tool"], question["grant"], question["waiters"]) == ("send_email", "me", 0)
    assert "arguments" not in question


def test_profiles_are_named_where_there_is_more_than_the_usual_one(run: Run, home: Home) -> None:
    work(home, replace(LINE, profile="keyid"))
    assert "profile" not in run("status").out
    work(home, replace(LINE, session="s2", profile="github"))
    assert "github" in run("status").out


def test_a_broken_policy_takes_nothing_else_down(run: Run, home: Home) -> None:
    limits = [limit for entry in load(DOCUMENT.encode(), name="p").entries.values() for limit in entry.limits]
    home.remember(limits=limits)
    home.write_policy("{")
    ran = run("status")
    assert ran.code == 0
    assert "without their maximum, because no policy can be taken" in ran.out
    assert "(no maximum now)" in ran.out


def test_eighty_columns_are_enough(run: Run, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.write_policy(DOCUMENT)
    limits = [limit for entry in load(DOCUMENT.encode(), name="p").entries.values() for limit in entry.limits]
    long = refused("d2", "delete_contact", at=NOW - 5, message="never " * 60, rule="/tools/delete_contact/deny_if/0")
    home.remember([long], limits)
    work(home, replace(LINE, server="https://a-long-name.of-a-server.example.com/and/a/path/mcp", profile="work"))
    with terminal(monkeypatch, 80):
        lines = run("status").out.splitlines()
    assert [line for line in lines if len(line) > 80] == []
    assert "  in front of https://a-long-name.of-a-server.example.com/and/a/path/mcp" in lines


def test_nothing_from_outside_acts_on_the_terminal(run: Run, home: Home) -> None:
    evil = "\x1b[31mx\u202e\n"
    home.remember([refused("d", evil, at=NOW, rule=evil, message=evil, client_name=evil)])
    work(home, replace(LINE, client_name=evil, client_version=evil, grant=evil, server=evil, profile=evil))
    out = run("status").out
    assert "\x1b" not in out
    assert "\u202e" not in out


def test_as_json_it_is_one_document(run: Run, home: Home) -> None:
    home.remember([record(at=NOW), refused("d2", "delete_contact", at=NOW)])
    work(home, LINE)
    found = json.loads(run("status", "--json").out)
    assert set(found) == {
        "at",
        "state_file",
        "gateways",
        "killed",
        "stopped",
        "revoked",
        "questions",
        "limits",
        "no_policy",
        "denials",
    }
    (line,) = found["gateways"]
    assert (line["pid"], line["calls"], line["denials"], line["certain"]) == (os.getpid(), 120, 3, True)
    assert line["policy"] == {"file": "/p.json", "revision": "r1"}
    assert [each["tool"] for each in found["denials"]] == ["delete_contact"]


def test_a_newer_state_is_refused_as_everywhere(run: Run, home: Home) -> None:
    home.remember()
    newer = sqlite3.connect(home.state)
    newer.execute("PRAGMA user_version = 99")
    newer.close()
    ran = run("status")
    assert ran.code == 5
    assert "newer than this program knows" in ran.err


class Watching:
    """A `status --watch` in a process of its own, whose output is a pipe."""

    def __init__(self, home: Home, *words: str) -> None:
        self.process: subprocess.Popen[str] = Popen(
            [sys.executable, "-m", "gateway", "status", "--watch", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **home.environment},
            cwd=Path(__file__).parents[2],
            text=True,
        )

    def until(self, text: str) -> list[str]:
        """The lines up to the first that has this in it."""
        assert self.process.stdout is not None
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            if text in line:
                return lines
        raise AssertionError(f"not said: {text}: {lines}")

    def interrupt(self) -> tuple[int, str]:
        self.process.send_signal(signal.SIGINT)
        _, errors = self.process.communicate(timeout=20)
        return self.process.returncode, errors


def test_watching_through_a_pipe_tells_what_has_changed_and_ends_with_ctrl_c(home: Home) -> None:
    work(home, LINE)
    watching = Watching(home)
    watching.until("claude-ai")
    work(home, replace(LINE, session="s2", client_name="cursor"))
    assert any("2 gateways running" in line for line in watching.until("cursor"))
    assert watching.interrupt() == (0, "")


def test_watching_as_json_is_one_document_a_line(home: Home) -> None:
    work(home, LINE)
    watching = Watching(home, "--json")
    (line,) = watching.until("claude-ai")
    assert [each["session"] for each in json.loads(line)["gateways"]] == ["s1"]
    assert watching.interrupt() == (0, "")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_watching_on_a_terminal_redraws_in_place_and_leaves_the_terminal_as_it_was(home: Home) -> None:
    import pty

    work(home, LINE)
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as screen:
        process: subprocess.Popen[bytes] = Popen(
            [sys.executable, "-m", "gateway", "status", "--watch"],
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, **home.environment, "TERM": "xterm", "COLUMNS": "80", "LINES": "24"},
            cwd=Path(__file__).parents[2],
        )
        os.close(theirs)
        seen = b""
        while seen.count(b"claude-ai") < 2:
            seen += screen.read(4096)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        with suppress(OSError):  # a terminal whose other side is closed ends with an error
            while chunk := screen.read(4096):
                seen += chunk
    assert seen.index(b"\x1b[?1049h") < seen.index(b"claude-ai"), "on a screen of its own"
    assert seen.rindex(b"\x1b[?1049l") > seen.rindex(b"claude-ai")
    assert b"\x1b[2J" not in seen[seen.index(b"claude-ai") :], "nothing is cleared between two looks"
    assert b"Traceback" not in seen


def test_looking_again_finds_what_was_denied_meanwhile_and_keeps_what_was_before(home: Home) -> None:
    home.remember([refused(f"d{number}", f"tool_{number}", at=NOW - 7200 + number) for number in range(6)])
    settings = load_settings({}, os.environ)
    first = overview.look(settings, NOW - 3600)
    assert [each.record.tool for each in first.denials] == ["tool_5", "tool_4", "tool_3", "tool_2", "tool_1"]
    home.remember([refused("d9", "tool_9", at=NOW)])
    second = overview.look(settings, NOW, first)
    assert [each.record.tool for each in second.denials] == ["tool_9", "tool_5", "tool_4", "tool_3", "tool_2"]
    assert second == replace(overview.look(settings, NOW), at=second.at)
