"""Where each client keeps its servers, on the three platforms: a function of the machine, so all are tested here."""

from pathlib import PurePosixPath, PureWindowsPath

import pytest

from gateway.clients import BY_NAME, CLIENTS, System

MAC = System("darwin", {}, PurePosixPath("/Users/kim"))
LINUX = System("linux", {}, PurePosixPath("/home/kim"))
WINDOWS = System(
    "win32",
    {"APPDATA": r"C:\Users\kim\AppData\Roaming", "LOCALAPPDATA": r"C:\Users\kim\AppData\Local"},
    PureWindowsPath(r"C:\Users\kim"),
)
SUPPORT = "/Users/kim/Library/Application Support"
ROAMING = r"C:\Users\kim\AppData\Roaming"


@pytest.mark.parametrize(
    ("name", "mac", "linux", "windows"),
    [
        (
            "claude-desktop",
            f"{SUPPORT}/Claude/claude_desktop_config.json",
            "/home/kim/.config/Claude/claude_desktop_config.json",
            rf"{ROAMING}\Claude\claude_desktop_config.json",
        ),
        ("claude-code", "/Users/kim/.claude.json", "/home/kim/.claude.json", r"C:\Users\kim\.claude.json"),
        ("cursor", "/Users/kim/.cursor/mcp.json", "/home/kim/.cursor/mcp.json", r"C:\Users\kim\.cursor\mcp.json"),
        (
            "vscode",
            f"{SUPPORT}/Code/User/mcp.json",
            "/home/kim/.config/Code/User/mcp.json",
            rf"{ROAMING}\Code\User\mcp.json",
        ),
        (
            "vscode-insiders",
            f"{SUPPORT}/Code - Insiders/User/mcp.json",
            "/home/kim/.config/Code - Insiders/User/mcp.json",
            rf"{ROAMING}\Code - Insiders\User\mcp.json",
        ),
        (
            "windsurf",
            "/Users/kim/.codeium/windsurf/mcp_config.json",
            "/home/kim/.codeium/windsurf/mcp_config.json",
            r"C:\Users\kim\.codeium\windsurf\mcp_config.json",
        ),
        (
            "zed",
            "/Users/kim/.config/zed/settings.json",
            "/home/kim/.config/zed/settings.json",
            rf"{ROAMING}\Zed\settings.json",
        ),
        (
            "gemini-cli",
            "/Users/kim/.gemini/settings.json",
            "/home/kim/.gemini/settings.json",
            r"C:\Users\kim\.gemini\settings.json",
        ),
        (
            "cline",
            "/Users/kim/.cline/data/settings/cline_mcp_settings.json",
            "/home/kim/.cline/data/settings/cline_mcp_settings.json",
            r"C:\Users\kim\.cline\data\settings\cline_mcp_settings.json",
        ),
        (
            "lm-studio",
            "/Users/kim/.lmstudio/mcp.json",
            "/home/kim/.lmstudio/mcp.json",
            r"C:\Users\kim\.lmstudio\mcp.json",
        ),
    ],
)
def test_the_file_on_each_platform(name: str, mac: str, linux: str, windows: str) -> None:
    for system, expected in ((MAC, mac), (LINUX, linux), (WINDOWS, windows)):
        (place,) = BY_NAME[name].places(system)
        assert str(place.file) == expected
        assert place.sign in place.file.parents or name == "claude-code"


def test_every_client_says_where_it_was_read_and_what_to_do() -> None:
    assert len({client.name for client in CLIENTS}) == len(CLIENTS)
    assert all(client.source.startswith("https://") and client.read and client.afterwards for client in CLIENTS)
    assert all(client.places(MAC) for client in CLIENTS)


def test_a_folder_that_a_variable_names() -> None:
    moved = System("linux", {"XDG_CONFIG_HOME": "/etc/kim", "CLAUDE_CONFIG_DIR": "/srv/claude"}, LINUX.home)
    assert str(BY_NAME["vscode"].places(moved)[0].file) == "/etc/kim/Code/User/mcp.json"
    assert str(BY_NAME["zed"].places(moved)[0].file) == "/etc/kim/zed/settings.json"
    assert str(BY_NAME["claude-code"].places(moved)[0].file) == "/srv/claude/.claude.json"


def test_a_relative_variable_names_no_folder() -> None:
    odd = System("linux", {"XDG_CONFIG_HOME": "config"}, LINUX.home)
    assert str(BY_NAME["vscode"].places(odd)[0].file) == "/home/kim/.config/Code/User/mcp.json"


def test_windows_without_its_variables() -> None:
    bare = System("win32", {}, WINDOWS.home)
    assert str(BY_NAME["vscode"].places(bare)[0].file) == rf"{ROAMING}\Code\User\mcp.json"


def test_claude_desktop_from_the_store_reads_its_own_copy_of_the_folder() -> None:
    store = System("win32", WINDOWS.environment, WINDOWS.home, ("Claude_pzs8sxrjxfjjc", "Other_1"))
    first, second = BY_NAME["claude-desktop"].places(store)
    package = r"C:\Users\kim\AppData\Local\Packages\Claude_pzs8sxrjxfjjc"
    assert str(first.file) == rf"{package}\LocalCache\Roaming\Claude\claude_desktop_config.json"
    assert str(second.file) == rf"{ROAMING}\Claude\claude_desktop_config.json"
