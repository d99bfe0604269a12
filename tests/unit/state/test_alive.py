import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.state import alive
from gateway.state.alive import BEAT_SECONDS, Process, life, mine

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
DAY = 86_400.0


@pytest.fixture
def child() -> int:
    """The number of a process that has ended, and was waited for."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_this_process_runs_however_long_it_said_nothing_where_it_is_known_exactly() -> None:
    me = mine()
    assert me.pid == os.getpid()
    assert me.exact == (sys.platform == "linux")
    assert life(me, 0.0, 0.0 if not me.exact else 400 * DAY) == "running"


def test_a_process_that_has_ended_is_gone(child: int) -> None:
    assert life(Process(child, mine().mark), 0.0, 0.0) == "gone"
    assert life(Process(child, ""), 0.0, 0.0) == "gone"


@on_linux
def test_a_number_that_was_given_again_is_not_taken_for_the_one_before() -> None:
    boot, space, start = mine().mark.split()
    before = Process(os.getpid(), f"{boot} {space} {int(start) - 1}")
    assert life(before, 0.0, 0.0) == "gone"


@on_linux
def test_after_the_machine_was_started_again_everything_of_before_is_gone() -> None:
    _, space, start = mine().mark.split()
    assert life(Process(os.getpid(), f"another-boot {space} {start}"), 0.0, 0.0) == "gone"


@on_linux
def test_of_another_container_nothing_is_known_and_it_is_forgotten_after_a_week() -> None:
    boot, _, start = mine().mark.split()
    elsewhere = Process(os.getpid(), f"{boot} pid:[1] {start}")
    assert life(elsewhere, 0.0, 6 * DAY) == "unknown"
    assert life(elsewhere, 0.0, 8 * DAY) == "gone"


@on_linux
def test_where_proc_cannot_be_read_a_process_has_no_mark(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(alive, "_PROC", tmp_path)
    assert not mine().exact


def test_without_a_mark_it_has_to_be_seen_from_time_to_time() -> None:
    silent = Process(os.getpid(), "")
    assert life(silent, 0.0, 2 * BEAT_SECONDS) == "running"
    assert life(silent, 0.0, 3 * BEAT_SECONDS) == "gone"


def test_a_clock_that_is_set_back_ends_nobody() -> None:
    assert life(Process(os.getpid(), ""), 10 * DAY, 0.0) == "running"


def test_on_windows_no_process_is_looked_at_by_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """`os.kill` with 0 is Ctrl-C there: looking would end what is looked at."""

    def forbidden(_pid: int, _number: int) -> None:
        pytest.fail("os.kill")

    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(os, "kill", forbidden)
    assert mine() == Process(os.getpid(), "")
    assert life(Process(4, ""), 0.0, BEAT_SECONDS) == "running"
    assert life(Process(4, ""), 0.0, 3 * BEAT_SECONDS) == "gone"


def test_a_process_of_somebody_else_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def theirs(_pid: int, _number: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", theirs)
    assert life(Process(1, ""), 0.0, 0.0) == "running"


def test_a_number_that_no_system_has_is_nobodys() -> None:
    assert life(Process(2**70, ""), 0.0, 0.0) == "gone"
