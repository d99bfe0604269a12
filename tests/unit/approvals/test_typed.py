"""What a person is told to type: a line that works in a terminal as it stands."""

import shutil
import sys
from pathlib import Path

import pytest

from gateway.approvals.typed import program


def installed(folder: Path) -> str:
    """A script of that name in a folder."""
    folder.mkdir()
    script = folder / "keyid-gateway"
    script.write_text("#!/bin/sh\n", encoding="utf-8")
    script.chmod(0o755)
    return str(script)


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The program, started by its whole path, which has a blank in it; the name leads nowhere."""
    path = installed(tmp_path / "some folder")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "argv", [path, "run"])
    return path


def test_what_a_terminal_would_not_find_is_written_whole(script: str) -> None:
    assert program() == f"'{script}'"


def test_the_shells_of_windows_know_no_single_quotes(script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert program() == f'"{script}"'


def test_another_program_of_that_name_is_not_meant(
    script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(Path(installed(tmp_path / "other")).parent))
    assert program() == f"'{script}'"


@pytest.mark.usefixtures("script")
def test_a_link_on_the_path_is_the_same_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    links = tmp_path / "links"
    links.mkdir()
    (links / "keyid-gateway").symlink_to(tmp_path / "some folder" / "keyid-gateway")
    monkeypatch.setenv("PATH", str(links))
    assert program() == "keyid-gateway"


@pytest.mark.usefixtures("script")
@pytest.mark.parametrize("started", ["/usr/bin/pytest", "keyid-gateway", "-m", ""])
def test_what_was_not_started_by_a_path_has_its_name(started: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [started])
    assert program() == "keyid-gateway"
