"""Which file is meant on this machine, and what an entry says of it."""

import sys
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest

from gateway.cli.installing import carrying
from gateway.cli.installing.machine import chosen, target, there, this_machine
from gateway.clients import BY_NAME, System
from gateway.errors import ConfigError, UsageError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("platform", "known", "kind"),
    [
        ("darwin", "darwin", PurePosixPath),
        ("linux", "linux", PurePosixPath),
        ("freebsd14", "linux", PurePosixPath),
        ("win32", "win32", PureWindowsPath),
    ],
)
def test_every_platform_is_one_of_three(
    home: Path, monkeypatch: pytest.MonkeyPatch, platform: str, known: str, kind: type
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    system = this_machine({})
    assert (system.platform, system.home) == (known, home)
    assert isinstance(system.programs, kind)


def test_programs_from_the_windows_store_are_seen(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    local = home / "AppData" / "Local"
    for name in ("Claude_pzs8sxrjxfjjc", "Microsoft.Paint_1"):
        (local / "Packages" / name).mkdir(parents=True)
    assert this_machine({}).packages == this_machine({"LOCALAPPDATA": str(local)}).packages == ("Claude_pzs8sxrjxfjjc",)
    assert this_machine({"LOCALAPPDATA": str(home / "nowhere")}).packages == ()


def test_the_first_place_where_the_client_is(home: Path) -> None:
    system = System("linux", {}, home)
    assert not target(BY_NAME["zed"], system).there
    (home / ".claude.json").touch()
    (home / ".config" / "zed").mkdir(parents=True)
    assert [(found.client.name, found.file) for found in there(system)] == [
        ("claude-code", home / ".claude.json"),
        ("zed", home / ".config" / "zed" / "settings.json"),
    ]
    (twice,) = chosen(["zed", "zed"], system, None)
    assert twice.there
    assert not twice.shared


def test_a_project_has_files_of_some_clients(home: Path) -> None:
    system = System("linux", {}, home)
    (found,) = chosen(["vscode"], system, home / "project")
    assert (found.file, found.shared) == (home / "project" / ".vscode" / "mcp.json", True)
    with pytest.raises(UsageError, match="Windsurf has no file for projects"):
        chosen(["windsurf"], system, home / "project")


@pytest.mark.parametrize(
    ("executable", "passes"),
    [
        ("/home/kim/.cache/uv/archive-v0/abc/bin/python", True),
        ("/home/kim/.local/pipx/.cache/abc/bin/python", True),
        ("/home/kim/.local/share/pipx/venvs/keyid-gateway/bin/python", False),
        ("/home/kim/.local/share/uv/tools/keyid-gateway/bin/python", False),
        ("/usr/bin/python3", False),
    ],
)
def test_a_copy_in_a_cache_is_said_to_be_one(monkeypatch: pytest.MonkeyPatch, executable: str, *, passes: bool) -> None:
    monkeypatch.setattr(sys, "executable", executable)
    assert (carrying.passing_note() is not None) == passes


def test_a_path_that_is_no_text_is_no_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/home/k\udcffm/bin/python")
    with pytest.raises(ConfigError, match="cannot be written as text"):
        carrying.words()
