"""What the Tab key offers, by the protocol in which the shells ask for it; in bash, by bash itself."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.cli.commands.completion import script
from gateway.state import lists
from tests import warm
from tests.cli.conftest import SERVER, Home, Run

ROOT = Path(__file__).parents[2]
HOSTILE = ("$(touch owned)", "a;b", "a b", "a\nb", "`id`", "*", "a,b", "a:b")


@pytest.fixture(autouse=True)
def announced(home: Home) -> None:
    """A server that has announced its tools; some of them are named to do harm."""
    schema = {"type": "object", "properties": {"to": {"description": "who gets it, if any"}, "cc": {}, "b c": {}}}
    tools = [{"name": "send", "description": "Send\x1b[31m, now.\nMore.", "inputSchema": schema}]
    tools += [{"name": name, "inputSchema": {}} for name in ("send_later", "list", *HOSTILE)]
    assert lists.keep(home.state, SERVER, {str(tool["name"]): tool for tool in tools})  # type: ignore[misc]  # JSON


def completed(home: Home, *words: str, by: str = "fish", **variables: str) -> list[str]:
    """What is offered for the last word, by the program in a process of its own."""
    done = warm.run(
        [sys.executable, "-m", "gateway"],
        env={
            **os.environ,
            **home.environment,
            **variables,
            "COMP_WORDS": " ".join(("keyid-gateway", *words)),
            "COMP_CWORD": words[-1] if by == "fish" else str(len(words)),
            "_KEYID_GATEWAY_COMPLETE": f"{by}_complete",
        },
        stdin=subprocess.DEVNULL,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return [line.removeprefix("plain,").partition("\t")[0] for line in done.stdout.splitlines() if line]


def test_commands_and_their_flags(home: Home) -> None:
    assert completed(home, "pro") == ["profiles"]
    assert completed(home, "profiles", "s") == ["show"]
    assert "--profile" in completed(home, "run", "--pro")


def test_tools_by_what_the_server_announced_and_only_plain_names(home: Home) -> None:
    assert completed(home, "call", "sen") == ["send", "send_later"]
    assert completed(home, "call", "") == ["send", "send_later", "list"]
    (one,) = completed(home, "call", "send_l", by="bash")
    assert one == "send_later"


def test_what_a_tool_is_for_is_said_in_one_line_that_does_nothing(home: Home) -> None:
    lines = completed(home, "call", "send", by="zsh")
    assert lines[:3] == ["plain", "send", "Send\\x1b[31m, now."]


def test_arguments_of_the_tool_that_are_not_there_yet(home: Home) -> None:
    assert completed(home, "call", "send", "--arg", "") == ["to=", "cc="]
    assert completed(home, "call", "send", "--arg", "to=x", "--arg", "") == ["cc="]
    assert completed(home, "call", "send", "--arg", "c") == ["cc="]
    assert completed(home, "call", "nothing", "--arg", "") == []


def test_of_another_server_what_that_one_announced(home: Home) -> None:
    settings = home.policy.parent / "settings.toml"
    settings.parent.mkdir()
    settings.write_text("[profiles.other]\nupstream = 'http://127.0.0.1:2/mcp'\n", encoding="utf-8")
    lists.keep(
        home.state, "http://127.0.0.1:2/mcp", {"theirs": {"name": "theirs", "inputSchema": {"properties": {"x": {}}}}}
    )
    without = {"KEYID_GATEWAY_UPSTREAM": ""}
    assert completed(home, "call", "--profile", "other", "", **without) == ["theirs"]
    assert completed(home, "call", "--profile", "other", "theirs", "--arg", "", **without) == ["x="]
    assert completed(home, "run", "--profile", "") == ["keyid", "other"]
    assert completed(home, "profiles", "show", "o") == ["other"]


def test_a_server_that_was_never_asked_is_taken_for_keyid(home: Home) -> None:
    offered = completed(home, "call", "get_", KEYID_GATEWAY_UPSTREAM="http://127.0.0.1:3/mcp")
    assert "get_identity" in offered


def test_grants_that_the_state_file_knows(home: Home) -> None:
    home.remember(policy_of_me="/a.json")
    assert completed(home, "limits", "--grant", "") == ["me"]


def test_files_are_left_to_the_shell(home: Home) -> None:
    assert completed(home, "run", "--policy", "mi") == ["file,mi"]


def test_a_mistake_in_the_settings_says_nothing(home: Home) -> None:
    assert completed(home, "call", "--profile", "gone", "get_id") == ["get_identity"]
    settings = home.policy.parent / "settings.toml"
    settings.parent.mkdir()
    settings.write_text("grnt = 1\n", encoding="utf-8")
    assert completed(home, "run", "--profile", "") == []
    home.state.write_text("no state", encoding="utf-8")
    settings.unlink()
    assert completed(home, "limits", "--grant", "") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_printed(run: Run, shell: str) -> None:
    ran = run("completion", shell)
    assert (ran.code, ran.err) == (0, "")
    assert "_KEYID_GATEWAY_COMPLETE" in ran.out
    assert f"{shell}_complete" in ran.out


def test_a_shell_that_is_not_known(run: Run) -> None:
    assert run("completion", "csh").code == 2


def test_after_the_name_of_an_argument_its_value_follows() -> None:
    assert "compopt -o nospace" in script("bash")
    assert "ends=(-S '')" in script("zsh")
    assert "%%:*" in script("zsh")


def test_bash_takes_the_script_and_completes(home: Home) -> None:
    bash = shutil.which("bash")
    assert bash is not None
    program = home.folder / "keyid-gateway"
    python = f"PYTHONPATH={shlex.quote(str(ROOT))} exec {shlex.quote(sys.executable)}"
    program.write_text(f'#!{bash}\n{python} -m gateway "$@"\n', encoding="utf-8")
    program.chmod(0o700)
    ask = (
        f"{script('bash')}\n"
        'COMP_WORDS=(keyid-gateway call "")\nCOMP_CWORD=2\n'
        '_keyid_gateway_completion keyid-gateway\nprintf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(
        [bash, "--norc", "-c", ask],
        env={**os.environ, **home.environment, "PATH": f"{home.folder}{os.pathsep}{os.environ['PATH']}"},
        cwd=home.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout.splitlines(), done.stderr) == (["send", "send_later", "list"], "")
    assert not (home.folder / "owned").exists()
