"""What appears on a desktop, played by programs of the test's own: what they were given, answer, and how they end."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from gateway.approvals import Question
from gateway.approvals.desktop import Desktop, Mode
from gateway.approvals.programs import find
from gateway.jsonrpc import Message
from tests.programs import put

QUESTION = Question(
    "k7f2",
    "send_email",
    {"to": "ada@example.com", "secret": "hunter2"},
    "/r",
    "why",
    "ada",
    "https://e/mcp",
    "s",
    "good",
    "1",
    asked_at=0,
    expires_at=600,
)
CALL = Message("request", 1, "tools/call", {}, b"")
HANGS = "peer.recv(1)"
PATIENCE = 20.0

PROGRAM = """
import json, os, socket, sys
reads = sys.stdin.read()
with open({log!r}, "w") as file:
    json.dump(dict(words=sys.argv[1:], reads=reads, pid=os.getpid()), file)
peer = socket.socket(socket.AF_UNIX)
if os.path.exists({door!r}):
    peer.connect({door!r})
{does}
"""
"""What says that it runs, to whoever wants to know, and waits where it is told to."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class StandingClock:
    at: float = 100.0

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at


@dataclass
class Machine:
    """A machine with the programs that a test gives it."""

    path: Path
    clock: StandingClock = field(default_factory=StandingClock)
    clicks: bool = True

    def has(self, name: str, does: str) -> None:
        file = self.path / name
        log = str(self.path / f"{name}.log")
        put(file, PROGRAM.format(log=log, door=self.door, does=does))

    def given(self, name: str) -> Any:
        """What a program was given, or None if it was not started."""
        file = self.path / f"{name}.log"
        return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None

    def desktop(self, mode: Mode) -> Desktop:
        def which(name: str) -> str | None:
            file = self.path / name
            return str(file) if file.exists() else None

        return Desktop(mode, self.clock, lambda: find("linux", which), lambda: self.clicks, most=2)

    @property
    def door(self) -> str:
        return str(self.path / "door")

    @asynccontextmanager
    async def watched(self) -> AsyncIterator["asyncio.Queue[asyncio.StreamWriter]"]:
        """The programs that run, as soon as they do: what is written to one lets it go on."""
        running: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()
        server = await asyncio.start_unix_server(lambda _, writer: running.put_nowait(writer), self.door)
        try:
            yield running
        finally:
            server.close()
            while not running.empty():
                running.get_nowait().close()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def bounded(answer: Awaitable[Any]) -> Any:
    async with asyncio.timeout(PATIENCE):
        return await answer


async def test_a_notification_says_where_to_look_and_no_value(machine: Machine) -> None:
    machine.has("notify-send", "print('approve')")
    machine.has("zenity", "print('Approve')")
    desktop = machine.desktop("notify")
    assert desktop.can_ask(CALL)
    assert await bounded(desktop.ask(QUESTION, CALL)) is None
    words = " ".join(machine.given("notify-send")["words"])
    assert "send_email: to (15 characters), secret (7 characters)" in words
    assert "keyid-gateway approvals approve k7f2" in words
    assert "hunter2" not in words
    assert machine.given("zenity") is None


@pytest.mark.parametrize(
    ("said", "verdict"),
    [("Approve", "approve"), ("Deny", "deny"), ("", None), ("approve this", None), ("x" * 100_000, None)],
)
async def test_a_click_answers(machine: Machine, said: str, verdict: str | None) -> None:
    machine.has("zenity", f"print({said!r}, end='')")
    assert await bounded(machine.desktop("dialog").ask(QUESTION, CALL)) == verdict
    given = machine.given("zenity")
    assert '"hunter2"' in given["reads"]
    assert "hunter2" not in " ".join(given["words"])
    assert "--timeout=500" in given["words"]


async def test_a_click_answers_nothing_where_there_is_a_pin(machine: Machine) -> None:
    machine.has("zenity", "print('Approve')")
    machine.has("notify-send", "")
    machine.clicks = False
    assert await bounded(machine.desktop("dialog").ask(QUESTION, CALL)) is None
    assert machine.given("zenity") is None
    assert machine.given("notify-send") is not None


async def test_a_click_does_not_count_if_a_pin_was_set_meanwhile(machine: Machine) -> None:
    machine.has("zenity", f"{HANGS}\nprint('Approve')")
    async with machine.watched() as running:
        asking = asyncio.create_task(machine.desktop("dialog").ask(QUESTION, CALL))
        program = await bounded(running.get())
        machine.clicks = False
        program.write(b"!")
        assert await bounded(asking) is None
        program.close()


async def test_a_call_that_does_not_fit_a_window_is_not_asked_about_in_one(machine: Machine) -> None:
    machine.has("zenity", "print('Approve')")
    machine.has("notify-send", "")
    arguments = {f"n{number}": "\n" * 100 for number in range(16)}
    assert await bounded(machine.desktop("dialog").ask(replace(QUESTION, arguments=arguments), CALL)) is None
    assert machine.given("zenity") is None
    assert machine.given("notify-send") is not None


@pytest.mark.parametrize(("mode", "program"), [("dialog", "zenity"), ("notify", "notify-send")])
async def test_a_program_that_hangs_ends_with_the_question(machine: Machine, mode: Mode, program: str) -> None:
    machine.has(program, HANGS)
    async with machine.watched() as running:
        asking = asyncio.create_task(machine.desktop(mode).ask(QUESTION, CALL))
        program_runs = await bounded(running.get())
        pid = machine.given(program)["pid"]
        assert is_running(pid)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await bounded(asking)
        program_runs.close()
    assert not is_running(pid)


async def test_a_program_that_hangs_ends_with_its_time(machine: Machine) -> None:
    machine.has("zenity", "import signal\nsignal.pause()")
    machine.clock.at = 599.0
    asking = asyncio.create_task(machine.desktop("dialog").ask(QUESTION, CALL))
    assert await bounded(asking) is None
    given = machine.given("zenity")
    assert given is None or not is_running(given["pid"])


async def test_a_program_that_reads_nothing_may_answer(machine: Machine) -> None:
    put(machine.path / "zenity", "import os\nos.close(0)\nprint('Deny')\n")
    assert await bounded(machine.desktop("dialog").ask(QUESTION, CALL)) == "deny"


async def test_few_appear_at_once(machine: Machine) -> None:
    machine.has("zenity", HANGS)
    async with machine.watched() as running:
        desktop = machine.desktop("dialog")
        asking = [asyncio.create_task(desktop.ask(QUESTION, CALL)) for _ in range(5)]
        await bounded(asyncio.wait(asking[2:]))
        assert [task.done() for task in asking] == [False, False, True, True, True]
        assert {task.result() for task in asking[2:]} == {None}
        programs = [await bounded(running.get()) for _ in range(2)]
        for task in asking[:2]:
            task.cancel()
        await bounded(asyncio.wait(asking))
        for program in programs:
            program.close()


async def test_notifications_do_not_flood(machine: Machine) -> None:
    log = machine.path / "count"
    machine.has("notify-send", f"open({str(log)!r}, 'a').write('x')")
    desktop = machine.desktop("notify")
    for _ in range(5):
        assert await bounded(desktop.ask(QUESTION, CALL)) is None
    assert log.read_text(encoding="utf-8") == "xx"
    machine.clock.at += 10
    await bounded(desktop.ask(QUESTION, CALL))
    assert log.read_text(encoding="utf-8") == "xxx"


@pytest.mark.parametrize("mode", ["off", "notify", "dialog"])
async def test_where_nothing_is_installed_nobody_is_asked(machine: Machine, mode: Mode) -> None:
    desktop = machine.desktop(mode)
    assert not desktop.can_ask(CALL)
    assert await desktop.ask(QUESTION, CALL) is None


async def test_off_shows_nothing(machine: Machine) -> None:
    machine.has("notify-send", "")
    desktop = machine.desktop("off")
    assert not desktop.can_ask(CALL)
    assert await desktop.ask(QUESTION, CALL) is None
    assert machine.given("notify-send") is None


async def test_a_program_that_cannot_be_started_is_said(machine: Machine, caplog: pytest.LogCaptureFixture) -> None:
    machine.has("notify-send", "")
    (machine.path / "notify-send").chmod(0o600)
    assert await machine.desktop("notify").ask(QUESTION, CALL) is None
    assert "cannot be started" in caplog.text


async def test_it_never_ends_a_call(machine: Machine) -> None:
    ways: list[Callable[[], object]] = [
        lambda: machine.desktop("dialog").suspend(QUESTION, CALL),
        lambda: machine.desktop("dialog").resumed(CALL),
    ]
    assert [way() for way in ways] == [None, None]
