import os
import pty
import subprocess
import sys
from pathlib import Path

from gateway.cli.launch import client_entry, command_words
from gateway.settings import OPTIONS
from tests.cli.conftest import SERVER, Home, Run

ROOT = Path(__file__).parents[2]
PATIENCE = 60


def test_the_help_has_every_setting_in_the_words_of_the_table(run: Run) -> None:
    words = _unbroken(run("run", "--help").out)
    for option in OPTIONS:
        assert _unbroken(f"{option.flag} {option.metavar} {option.help}") in words
        assert _unbroken(option.shown_default) in words


def _unbroken(text: str) -> str:
    """Without the places where a line may be broken, of which a hyphen is one."""
    return "".join(text.split())


def test_the_help_says_where_things_are_on_this_machine(run: Run, home: Home) -> None:
    out = run("run", "--help").out
    assert f"  On this machine:\n    config folder  {home.policy.parent}\n    state file     /" in out
    assert out.endswith("gateway.log\n")


def test_settings_are_judged_before_anything_waits(run: Run) -> None:
    ran = run("run", "--log-level", "loud", "--xyzzy")
    assert ran.code == 2
    ran = run("run", "--max-depth", "1", "--max-depth", "2")
    assert (ran.code, ran.err) == (
        2,
        "error: `--max-depth` stands 2 times\nhint: it takes one value: leave one of them out\n",
    )


def test_at_a_terminal_it_says_what_it_waits_for(home: Home) -> None:
    terminal, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway", "run", "--policy", "mine.json", "--header", "Authorization: Bearer s3cret"],
        env={**os.environ, **home.environment, "PYTHONPATH": str(ROOT)},
        cwd=home.folder,
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(theirs)
    os.write(terminal, b"\x04")
    out, err = process.communicate(timeout=PATIENCE)
    os.close(terminal)
    assert (process.returncode, out) == (0, "")
    entry = client_entry(
        command_words(), ["--policy", str(home.folder / "mine.json"), "--header", "Authorization: env:VARIABLE"]
    )
    assert err.startswith(
        "keyid-gateway waits for an MCP client on standard input (Ctrl-D ends it)\n"
        "hint: a client starts it by itself, with this entry in its config:\n"
        f"{entry}\n"
    )
    assert "s3cret" not in err
    assert SERVER in err


def test_the_entry_is_absolute() -> None:
    assert Path(command_words()[0]).is_absolute()
