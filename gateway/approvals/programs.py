r"""The programs by which something appears on the desktop of each platform: never required, found at run time.

They are looked for outside of the project that the agent works in (`elsewhere`).

What is shown was chosen by others, so it never becomes part of a command: the words of a program are constants, no
shell reads them, and texts go by standard input or by the environment. `notify-send` takes its texts as arguments only;
it reads backslashes and, with some daemons, markup in the second of them, so both are written out of its reach.

| platform | notification | dialog |
|---|---|---|
| Linux, BSD | `notify-send` | `zenity`, which shows a text from its standard input |
| macOS | `osascript` | `osascript` (both as JavaScript, which reads the environment as Unicode) |
| Windows | PowerShell | PowerShell |

A notification of Linux may carry buttons, but daemons cut and fold its text: nobody should approve what they have not
seen, so it only says where to look.

A dialog writes `approve` or `deny`, in whatever case, or nothing where the person put it off, closed it, or let its
time pass. A window that appears takes the keys that somebody was just typing, so no key alone answers.
"""

import os
import sys
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from gateway import elsewhere

TITLE: Final = "keyid-gateway: may this call be made?"
_TEXT: Final = "KEYID_GATEWAY_SHOWN_TEXT"
_NAME: Final = "KEYID_GATEWAY_SHOWN_TITLE"
_SECONDS: Final = "KEYID_GATEWAY_SHOWN_SECONDS"
_KEPT: Final = frozenset(
    {
        *("HOME", "LANG", "LOGNAME", "PATH", "TMPDIR", "USER"),
        *("DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY"),
        "__CF_USER_TEXT_ENCODING",
        *("APPDATA", "COMSPEC", "LOCALAPPDATA", "PATHEXT", "SYSTEMROOT", "TEMP", "TMP", "USERPROFILE", "WINDIR"),
    }
)
"""What programs of a desktop need, on Unix, with X or Wayland, on macOS, on Windows."""
_KEPT_PREFIXES: Final = ("DBUS_", "LC_", "XDG_")

_MAC_READS: Final = f"""
ObjC.import("Foundation");
const given = name => $.NSProcessInfo.processInfo.environment.objectForKey(name).js;
const app = Application.currentApplication();
app.includeStandardAdditions = true;
const text = given("{_TEXT}"), title = given("{_NAME}"), seconds = Number(given("{_SECONDS}"));
"""
_MAC_NOTICE: Final = _MAC_READS + "app.displayNotification(text, {withTitle: title});\n"
_MAC_DIALOG: Final = (
    _MAC_READS
    + """
let answer = "";
try {
    const said = app.displayDialog(text, {
        withTitle: title, buttons: ["Approve", "Deny", "Later"],
        defaultButton: "Later", cancelButton: "Later", withIcon: "caution", givingUpAfter: seconds,
    });
    if (!said.gaveUp) answer = {"Approve": "approve", "Deny": "deny"}[said.buttonReturned] || "";
} catch (error) {}
answer;
"""
)
_WINDOWS_NOTICE: Final = f"""
Add-Type -AssemblyName System.Windows.Forms, System.Drawing
$icon = New-Object System.Windows.Forms.NotifyIcon
$icon.Icon = [System.Drawing.SystemIcons]::Shield
$icon.Visible = $true
$icon.ShowBalloonTip(10000, $env:{_NAME}, $env:{_TEXT}, [System.Windows.Forms.ToolTipIcon]::Warning)
Start-Sleep -Seconds 4
$icon.Dispose()
"""
_WINDOWS_DIALOG: Final = f"""
$shell = New-Object -ComObject WScript.Shell
$text = $env:{_TEXT} + "`n`nYes: approve.  No: deny.  Cancel: later."
$said = $shell.Popup($text, [int]$env:{_SECONDS}, $env:{_NAME}, 3 + 48 + 512 + 4096)
if ($said -eq 6) {{ 'approve' }} elseif ($said -eq 7) {{ 'deny' }}
"""


@dataclass(frozen=True, slots=True)
class Start:
    """A program to start: its words, what it reads, and variables besides those that a desktop needs."""

    words: tuple[str, ...]
    reads: bytes = b""
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """What of ours the program gets: no header, no token that somebody put into the environment of a gateway."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if name.upper() in _KEPT or name.startswith(_KEPT_PREFIXES)
        }
        return {**kept, "PATH": elsewhere.search_path(), **self.variables}


@dataclass(frozen=True, slots=True)
class Programs:
    """How to show a notification, and how a dialog: each of a text and a number of seconds."""

    notice: Callable[[str, int], Start] | None = None
    dialog: Callable[[str, int], Start] | None = None


def find(platform: str = sys.platform, which: Callable[[str], str | None] = elsewhere.which) -> Programs:
    """What this machine has."""
    if platform == "darwin":
        return _with_mac("/usr/bin/osascript") if which("/usr/bin/osascript") else Programs()
    if platform == "win32":  # by its full path: a search would begin in the folder that the agent works in
        root = os.environ.get("SYSTEMROOT", "C:\\Windows")
        shell = f"{root}\\System32\\WindowsPowerShell\\v1.0\\powershell.exe"
        return _with_powershell(shell) if which(shell) else Programs()
    notify, dialog = which("notify-send"), which("zenity")
    return Programs(_with_notify_send(notify) if notify else None, _with_zenity(dialog) if dialog else None)


def _with_notify_send(program: str) -> Callable[[str, int], Start]:
    def notice(text: str, seconds: int) -> Start:
        plain = text.replace("\\", "\\\\").replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        # `transient`: daemons that keep a history leave it out
        options = ("--app-name=keyid-gateway", f"--expire-time={seconds * 1000}", "--hint=int:transient:1")
        return Start((program, *options, "--", TITLE, plain))

    return notice


def _with_zenity(program: str) -> Callable[[str, int], Start]:
    def dialog(text: str, seconds: int) -> Start:
        # the buttons that a stray Enter or Escape presses answer nothing; the others write their labels
        labels = ("--ok-label=Later", "--cancel-label=Close", "--extra-button=Deny", "--extra-button=Approve")
        size = ("--width=760", "--height=520", "--font=monospace")
        words = (program, "--text-info", f"--title={TITLE}", *labels, *size, f"--timeout={seconds}")
        return Start(words, text.encode())

    return dialog


def _with_mac(program: str) -> Programs:
    def start(script: str) -> Callable[[str, int], Start]:
        words = (program, "-l", "JavaScript", "-")
        return lambda text, seconds: Start(words, script.encode(), _shown(text, seconds))

    return Programs(start(_MAC_NOTICE), start(_MAC_DIALOG))


def _with_powershell(program: str) -> Programs:
    def start(script: str) -> Callable[[str, int], Start]:
        encoded = b64encode(script.encode("utf-16-le")).decode("ascii")
        words = (program, "-NoProfile", "-NonInteractive", "-WindowStyle", "Hidden", "-EncodedCommand", encoded)
        return lambda text, seconds: Start(words, b"", _shown(text, seconds))

    return Programs(start(_WINDOWS_NOTICE), start(_WINDOWS_DIALOG))


def _shown(text: str, seconds: int) -> dict[str, str]:
    return {_TEXT: text, _NAME: TITLE, _SECONDS: str(seconds)}
