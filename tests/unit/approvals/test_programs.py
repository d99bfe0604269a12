"""What is started: constant words, no shell, and texts where nothing reads them as anything else."""

from base64 import b64decode
from pathlib import Path

import pytest

from gateway.approvals.programs import TITLE, Start, find

HOSTILE = [
    '"; Remove-Item -Recurse ~; "',
    '" & (do shell script "touch /tmp/x") & "',
    "$(touch /tmp/x) `touch /tmp/x`",
    "--action=approve",
    "a\nb'c\"d\\e%PATH%$env:PATH",
    "x" * 5000,
]
MAC, WINDOWS = "/usr/bin/osascript", "C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe"


def everything(name: str) -> str:
    return name if name in {MAC, WINDOWS} else f"/usr/bin/{name}"


def starts(platform: str, text: str) -> list[Start]:
    found = find(platform, everything)
    assert found.notice is not None
    assert found.dialog is not None
    return [found.notice(text, 10), found.dialog(text, 600)]


@pytest.fixture(autouse=True)
def windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYSTEMROOT", "C:\\Windows")


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_a_text_goes_by_the_environment_and_changes_nothing_else(platform: str, text: str) -> None:
    for mine, plain in zip(starts(platform, text), starts(platform, "plain"), strict=True):
        assert mine.words == plain.words
        assert mine.reads == plain.reads
        assert text in mine.variables.values()
        assert text not in "".join(mine.words)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_dialog_of_linux_reads_its_text(text: str) -> None:
    mine, plain = starts("linux", text)[1], starts("linux", "plain")[1]
    assert mine.words == plain.words
    assert mine.reads == text.encode()
    assert "--timeout=600" in mine.words


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("--action=approve", "--action=approve"),
        ("<b>a</b> & \\033[31m", "&lt;b&gt;a&lt;/b&gt; &amp; \\\\033[31m"),
        ("$(touch x)", "$(touch x)"),
    ],
)
def test_a_notification_of_linux_has_its_text_as_one_argument_behind_all_options(text: str, body: str) -> None:
    words = starts("linux", text)[0].words
    assert words[0] == "/usr/bin/notify-send"
    assert words[-3:] == ("--", TITLE, body)
    assert "--expire-time=10000" in words


def test_no_key_alone_approves() -> None:
    """The default button, and the one of Escape, answer nothing."""
    assert "--ok-label=Later" in starts("linux", "x")[1].words
    assert b'defaultButton: "Later", cancelButton: "Later"' in starts("darwin", "x")[1].reads
    script = b64decode(starts("win32", "x")[1].words[-1]).decode("utf-16-le")
    assert "3 + 48 + 512 + 4096" in script  # the third of three buttons is the default: cancel


def test_what_is_not_there_is_not_used() -> None:
    for platform in ("linux", "darwin", "win32"):
        found = find(platform, lambda _: None)
        assert (found.notice, found.dialog) == (None, None)


def test_a_program_in_the_project_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("notify-send", "zenity"):
        (tmp_path / name).write_text("#!/bin/sh\n", encoding="utf-8")
        (tmp_path / name).chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find("linux").dialog is not None
    monkeypatch.chdir(tmp_path)
    found = find("linux")
    assert (found.notice, found.dialog) == (None, None)


def test_a_program_gets_no_secret_of_the_gateways(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYID_GATEWAY_OAUTH_CLIENT_SECRET", "s3cret")
    monkeypatch.setenv("MY_TOKEN", "s3cret")
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:x")
    for platform in ("linux", "darwin", "win32"):
        for start in starts(platform, "x"):
            assert "s3cret" not in start.environment.values()
            assert start.environment["DISPLAY"] == ":0"
            assert start.environment["DBUS_SESSION_BUS_ADDRESS"] == "unix:x"
            assert "PATH" in start.environment
