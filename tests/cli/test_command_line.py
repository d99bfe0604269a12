import os
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import pytest

from gateway import __version__
from gateway.__main__ import main
from gateway.cli.commands import COMMANDS, limits, policy, root
from gateway.cli.examples import EXAMPLES
from tests.cli.conftest import Home, Run

ROOT = Path(__file__).parents[2]
OF_POLICY = ", ".join(f"`{name}`" for name in policy.command.commands)

_COMMANDS = "\n".join(
    f"  {name:<{max(map(len, root.commands))}}  {root.commands[name].short_help}" for name in root.commands
)

HELP = f"""\
Usage: keyid-gateway [OPTIONS] COMMAND [ARGS]...

  A policy gateway between an AI agent and an MCP server.

  It mirrors the server's tools to one client, judges every call by a policy
  on this machine before it is relayed, and records what came of it. What the
  policy refuses never reaches the server.

  Begin with:
    keyid-gateway demo           see it at work; no account, no network
    keyid-gateway policy init    write the recommended policy to a file to edit
    keyid-gateway install        put it into the config of your client
    keyid-gateway tools          what each tool of the server may do under it
    keyid-gateway doctor         what does not work, and the cure

  Without arguments, and with an MCP client on standard input, it is `run`.

Options:
  --version   Show the version and exit.
  --debug     show the traceback of an unexpected error
  -h, --help  Show this message and exit.

Commands:
{_COMMANDS}

  Exit codes:
    0  done                       3  policy or settings invalid
    1  denied, or a check failed  4  the upstream server failed
    2  wrong usage                5  the state file failed
                                 70  an unexpected error
"""


def test_the_help_teaches(run: Run) -> None:
    ran = run("--help")
    assert (ran.code, ran.out, ran.err) == (0, HELP, "")


def test_version(run: Run) -> None:
    assert run("--version").out == f"keyid-gateway {__version__}\n"


@pytest.mark.parametrize("group", ["policy", "audit", "profiles"])
def test_a_group_alone_says_what_it_has(run: Run, group: str) -> None:
    ran = run(group)
    assert ran.code == 0
    assert ran.out.startswith(f"Usage: keyid-gateway {group} [OPTIONS] COMMAND")


def _below(command: click.Command, path: Sequence[str]) -> Iterator[list[str]]:
    if not isinstance(command, click.Group):
        yield [*path]
        return
    for name, inner in command.commands.items():
        yield from _below(inner, [*path, name])


def _leaves() -> list[list[str]]:
    return list(_below(root, ()))


def _command(words: Sequence[str]) -> click.Command:
    found: click.Command = root
    for word in words:
        assert isinstance(found, click.Group)
        found = found.commands[word]
    return found


NO_DATA = {
    "run",  # the protocol is its output
    "completion",  # a script is
    "resume",  # the rest needs a person at a terminal
    "approvals approve",
    "approvals deny",
    "approvals pin set",
    "approvals pin remove",
    "grants restore",
    "pins accept",
    "pins forget",
}


@pytest.mark.parametrize("words", _leaves(), ids=" ".join)
def test_every_command_has_help_that_fits_a_terminal(run: Run, words: list[str]) -> None:
    ran = run(*words, "--help")
    assert (ran.code, ran.err) == (0, "")
    body = ran.out.partition("On this machine:")[0]
    assert max(map(len, body.splitlines())) <= 80


@pytest.mark.parametrize("words", _leaves(), ids=" ".join)
def test_every_command_has_an_example_that_it_takes_and_says_where_to_read_on(words: list[str]) -> None:
    command = _command(words)
    said = f"{command.help}\n{command.epilog}"
    assert "\nExample" in said
    assert "keyid-gateway docs" in said
    for line in EXAMPLES.get(" ".join(words), ()):
        typed = shlex.split(line.partition(" > ")[0].partition(" >> ")[0])
        assert typed[: 1 + len(words)] == ["keyid-gateway", *words]
        command.make_context(words[-1], typed[1 + len(words) :])


def test_no_example_is_of_a_command_that_is_gone() -> None:
    assert set(EXAMPLES) <= {" ".join(words) for words in _leaves()}


@pytest.mark.parametrize("words", _leaves(), ids=" ".join)
def test_every_command_that_prints_data_documents_its_json(run: Run, words: list[str]) -> None:
    takes = any("--json" in item.opts for item in _command(words).params)
    assert takes == (" ".join(words) not in NO_DATA)
    assert ("--json: " in run(*words, "--help").out) == takes


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["polcy"], "error: unknown command `keyid-gateway polcy`\nhint: did you mean `keyid-gateway policy`?\n"),
        (
            ["policy", "xyzzy"],
            f"error: unknown command `keyid-gateway policy xyzzy`\nhint: commands are {OF_POLICY}\n",
        ),
        (
            ["completion", "fsh"],
            "error: `SHELL`: `fsh` is not one of `bash`, `zsh`, `fish`\nhint: did you mean `fish`?\n",
        ),
        (["run", "--polcy", "x"], "error: unknown flag `--polcy`\nhint: did you mean `--policy`?\n"),
        (
            ["limits", "--xyzzy"],
            "error: unknown flag `--xyzzy`\nhint: `keyid-gateway limits --help` says what can be given\n",
        ),
        (
            ["limits", "extra"],
            (
                "error: got unexpected extra argument (extra)\n"
                "hint: `keyid-gateway limits --help` says what can be given\n"
            ),
        ),
        (["run", "--policy"], "error: `--policy` needs a value\nhint: put it behind the flag: `--policy VALUE`\n"),
        (
            ["limits", "--grant", "a", "--grant", "b"],
            "error: `--grant` stands 2 times\nhint: it takes one value: leave one of them out\n",
        ),
        (
            ["policy", "explain"],
            "error: `TOOL` is missing\nhint: the form is `keyid-gateway policy explain [OPTIONS] TOOL [ARGUMENTS]`\n",
        ),
        (
            ["audit", "tail", "-n", "many"],
            (
                "error: `-n`: a whole number from 0 to 100000 is needed\n"
                "hint: `keyid-gateway audit tail --help` says what can be given\n"
            ),
        ),
        (
            ["standin", "--page-size", "0"],
            (
                "error: `--page-size`: a whole number from 1 is needed\n"
                "hint: `keyid-gateway standin --help` says what can be given\n"
            ),
        ),
        (
            ["tools", "--upstream", "keyid.ai"],
            (
                "error: --upstream: an http:// or https:// URL is needed\n"
                "hint: --upstream URL: the MCP server to guard, over streamable HTTP\n"
            ),
        ),
        (["\x1b[31mred"], None),
    ],
)
def test_wrong_usage_says_what_was_meant(run: Run, words: list[str], message: str | None) -> None:
    ran = run(*words)
    assert (ran.code, ran.out) == (2, "")
    assert "\x1b" not in ran.err
    assert message is None or ran.err == message


def test_an_unknown_variable_is_an_error(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYID_GATEWAY_POLCY", "x")
    ran = run("limits")
    assert ran.code == 3
    assert ran.err == (
        "error: unknown setting `KEYID_GATEWAY_POLCY` in the environment\nhint: did you mean `KEYID_GATEWAY_POLICY`?\n"
    )


def _break(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("the secret of the fault")

    monkeypatch.setattr(limits, "policy_in_force", broken)


def test_an_unforeseen_error_is_one_sentence_and_leaves_its_traceback_in_the_log(
    run: Run, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    _break(monkeypatch)
    ran = run("limits")
    assert (ran.code, ran.out) == (70, "")
    assert ran.err == (
        "error: unexpected ZeroDivisionError: this is a fault of keyid-gateway, not yours\n"
        f"hint: its traceback is at the end of `{home.log}`; `keyid-gateway --debug limits` shows it\n"
        "hint: `keyid-gateway doctor` says whether a file of the gateway is damaged\n"
    )
    assert "the secret of the fault" in home.log.read_text(encoding="utf-8")
    assert home.log.stat().st_mode & 0o777 == 0o600


def test_debug_shows_the_traceback(run: Run, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    _break(monkeypatch)
    ran = run("--debug", "limits")
    assert ran.code == 70
    assert "Traceback (most recent call last)" in ran.err
    assert not home.log.exists()


def test_an_unforeseen_error_says_so_where_no_log_can_be_written(
    run: Run, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    _break(monkeypatch)
    home.log.mkdir()
    assert "it left no traceback: the log cannot be written" in run("limits").err


def test_python_m_gateway_is_the_same_program(home: Home) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "gateway", "--help"],
        env={**os.environ, **home.environment, "NO_COLOR": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, HELP, "")


def test_the_installed_script_is_the_same_program() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["scripts"] == {"keyid-gateway": f"{main.__module__}:{main.__name__}"}


def test_a_closed_pipe_is_silent(home: Home) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as closed:
        ran = subprocess.run(
            [sys.executable, "-m", "gateway", "policy", "init", "-"],
            env={**os.environ, **home.environment},
            cwd=ROOT,
            stdout=closed,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    assert (ran.returncode, ran.stderr) == (0, b"")


def test_the_registry_is_what_the_program_has() -> None:
    assert list(root.commands.values()) == list(COMMANDS)


@pytest.fixture
def mistaken(home: Home) -> str:
    """A settings file with a mistake; the words about it."""
    file = home.policy.parent / "settings.toml"
    file.parent.mkdir(exist_ok=True)
    file.write_text("polcy = 'mine.json'\n", encoding="utf-8")
    return f"error: `{file}`: unknown setting `polcy`\nhint: did you mean `policy`?\n"


def _program(home: Home, *words: str) -> tuple[int, str, str]:
    """The program in a process of its own, where everything is imported anew."""
    done = subprocess.run(
        [sys.executable, "-m", "gateway", *words],
        cwd=home.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.usefixtures("mistaken")
@pytest.mark.parametrize("words", ["--help", "--version", "run --help", "demo --help"])
def test_help_reads_no_settings(home: Home, words: str) -> None:
    code, out, err = _program(home, *words.split())
    assert (code, err) == (0, "")
    assert out.startswith(("Usage: keyid-gateway", "keyid-gateway "))


@pytest.mark.parametrize("words", ["policy check FILE", "limits", "tools", "audit tail", "policy init"])
def test_a_mistake_in_the_settings_is_said_by_whatever_needs_them(home: Home, mistaken: str, words: str) -> None:
    assert _program(home, *words.split()) == (3, "", mistaken)
