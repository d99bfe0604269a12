"""A person asked on the desktop, played by programs on the PATH: what they are given, and that none is left."""

import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from gateway.standin import Standin
from tests.e2e.asked import answer
from tests.e2e.process import ALLOW_ALL, PATIENCE, Gateway, Home, decision
from tests.e2e.test_approvals_in_client import MAIL, SEND, policy, ran
from tests.programs import put

Json = Any
HANGS = "import signal\nsignal.pause()"
PROGRAM = """
import json, os, sys
reads = sys.stdin.read()
with open({log!r} + ".new", "w") as file:
    json.dump(dict(words=sys.argv[1:], reads=reads, pid=os.getpid(), names=sorted(os.environ)), file)
os.rename({log!r} + ".new", {log!r})
{does}
"""


@pytest.fixture
def screen(home: Home, tmp_path: Path) -> Path:
    """A folder of programs that is the whole PATH of the gateways."""
    folder = tmp_path / "programs"
    folder.mkdir()
    home.environment |= {"PATH": str(folder), "KEYID_GATEWAY_APPROVE_DESKTOP": "dialog", "MY_TOKEN": "s3cret"}
    return folder


def has(screen: Path, name: str, does: str) -> Path:
    """Put a program there; what it was given stands in the file that is returned."""
    file, log = screen / name, screen / f"{name}.log"
    put(file, PROGRAM.format(log=str(log), does=does))
    return log


def given(log: Path) -> Json:
    """What a program was given, as soon as it runs."""
    waiting, deadline = threading.Event(), time.monotonic() + PATIENCE
    while not log.exists():
        assert time.monotonic() < deadline, f"{log.stem} was not started"
        waiting.wait(0.01)
    return json.loads(log.read_text(encoding="utf-8"))


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def ended(pid: int) -> bool:
    """Whether a process has ended, within a while."""
    waiting, deadline = threading.Event(), time.monotonic() + PATIENCE
    while runs(pid) and time.monotonic() < deadline:
        waiting.wait(0.01)
    return not runs(pid)


@pytest.mark.parametrize(("said", "made"), [("Approve", True), ("Deny", False)])
def test_a_click_in_a_dialog_answers(home: Home, standin: Standin, screen: Path, said: str, made: bool) -> None:
    log = has(screen, "zenity", f"print({said!r})")
    with Gateway(home, standin.url, policy=policy()) as gateway:
        gateway.initialize()
        assert gateway.call(SEND, MAIL)["isError"] is not made
    assert ran(standin) == ([MAIL] if made else [])
    seen = given(log)
    assert '"ann@example.com"' in seen["reads"]
    assert "ann@example.com" not in " ".join(seen["words"])
    assert "MY_TOKEN" not in seen["names"]
    assert [name for name in seen["names"] if name.startswith("KEYID_GATEWAY")] == []
    (record,) = [record for record in home.records() if record.kind == "answer"]
    assert "(desktop)" in record.message


def test_a_notification_answers_nothing(home: Home, standin: Standin, screen: Path) -> None:
    log = has(screen, "notify-send", "print('approve')")
    home.environment["KEYID_GATEWAY_APPROVE_DESKTOP"] = "notify"
    with Gateway(home, standin.url, policy=policy()) as gateway:
        gateway.initialize()
        identifier = gateway.begin("tools/call", {"name": SEND, "arguments": MAIL})
        words = " ".join(given(log)["words"])
        assert "send_email: to (15 characters)" in words
        assert "ann@example.com" not in words
        assert ran(standin) == []
        answer(home, "approve")
        assert gateway.answer(identifier)["result"]["isError"] is False
    assert ran(standin) == [MAIL]


def test_a_dialog_that_hangs_holds_up_nobody_and_goes_with_its_question(
    home: Home, standin: Standin, screen: Path
) -> None:
    log = has(screen, "zenity", HANGS)
    with Gateway(home, standin.url, policy=policy()) as gateway:
        gateway.initialize()
        identifier = gateway.begin("tools/call", {"name": SEND, "arguments": MAIL})
        pid = given(log)["pid"]
        assert gateway.call("standin_read_1", {"a": 1})["isError"] is False
        assert runs(pid)
        answer(home, "approve")
        assert gateway.answer(identifier)["result"]["isError"] is False
        assert ended(pid)


def test_a_dialog_goes_with_the_call_that_is_taken_back(home: Home, standin: Standin, screen: Path) -> None:
    log = has(screen, "zenity", HANGS)
    with Gateway(home, standin.url, policy=policy()) as gateway:
        gateway.initialize()
        identifier = gateway.begin("tools/call", {"name": SEND, "arguments": MAIL})
        pid = given(log)["pid"]
        gateway.notify("notifications/cancelled", {"requestId": identifier})
        assert ended(pid)
    assert ran(standin) == []


def test_a_dialog_goes_with_the_gateway(home: Home, standin: Standin, screen: Path) -> None:
    log = has(screen, "zenity", HANGS)
    with Gateway(home, standin.url, policy=policy()) as gateway:
        gateway.initialize()
        gateway.begin("tools/call", {"name": SEND, "arguments": MAIL})
        pid = given(log)["pid"]
        assert gateway.close() == 0
    assert ended(pid)
    assert ran(standin) == []


@pytest.mark.parametrize(
    "name", ["$(touch {path}/x)", "`touch {path}/x`", "; touch {path}/x", "--action=a", "'\"\\", "<b>&\u202e\x1b[31m"]
)
def test_no_name_becomes_a_part_of_a_command(home: Home, standin: Standin, screen: Path, name: str) -> None:
    log = has(screen, "notify-send", "")
    home.environment |= {"KEYID_GATEWAY_APPROVE_DESKTOP": "notify", "KEYID_GATEWAY_APPROVAL_WAIT": "20"}
    hostile = name.format(path=screen)
    with Gateway(home, standin.url, policy=policy(tool="standin_read_1")) as gateway:
        gateway.initialize()
        identifier = gateway.begin("tools/call", {"name": "standin_read_1", "arguments": {hostile: "x"}})
        words = given(log)["words"]
        assert "(1 character)" in words[-1]
        assert words[words.index("--") + 1 :] == words[-2:]
        assert all(char.isprintable() for word in words for char in word.replace("\n", ""))
        gateway.notify("notifications/cancelled", {"requestId": identifier})
        gateway.request("ping")
    assert sorted(file.name for file in screen.iterdir()) == ["notify-send", "notify-send.log"]


@pytest.mark.parametrize("mode", ["dialog", "notify"])
def test_b21_a_program_that_somebody_has_put_into_the_project_answers_nothing(
    home: Home, standin: Standin, screen: Path, mode: str
) -> None:
    """The agent may write files where it works, and the PATH of a shell leads there (`.venv/bin`)."""
    logs = [has(screen, name, "print('Approve')") for name in ("zenity", "notify-send")]
    home.environment |= {"KEYID_GATEWAY_APPROVE_DESKTOP": mode, "KEYID_GATEWAY_APPROVAL_WAIT": "1"}
    with Gateway(home, standin.url, policy=policy(), folder=screen.parent) as gateway:
        gateway.initialize()
        assert gateway.call(SEND, MAIL)["content"][0]["text"].startswith("[APPROVAL REQUIRED]")
        assert gateway.close() == 0
    assert ran(standin) == []
    assert [log for log in logs if log.exists()] == []


def test_where_nothing_is_installed_a_call_waits_all_the_same(home: Home, standin: Standin, screen: Path) -> None:
    home.environment["KEYID_GATEWAY_APPROVAL_WAIT"] = "0"
    with Gateway(home, standin.url, policy=policy()) as gateway:
        gateway.initialize()
        assert decision(gateway.call(SEND, MAIL))["reason"] == "approval"
    with Gateway(home, standin.url, policy=ALLOW_ALL) as gateway:
        gateway.initialize()
        assert gateway.call(SEND, MAIL)["isError"] is False
    assert list(screen.iterdir()) == []
