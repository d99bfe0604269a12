"""Whatever a hint says to type can be typed as it is, also where a path has blanks and quotes in it."""

import shlex
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.cli.commands import limits
from gateway.standin import Standin
from tests.cli.conftest import Home, Run

UGLY = '{"default": "deny", "version": "1"}'


@dataclass(frozen=True)
class Odd:
    """A folder with a name that a shell would take apart."""

    folder: Path

    def __truediv__(self, name: str) -> Path:
        return self.folder / name


@pytest.fixture
def odd(home: Home) -> Odd:
    folder = home.folder / "it's mine; or $HOME"
    folder.mkdir()
    return Odd(folder)


def typed(words: str) -> list[str]:
    """The words between the back-ticks of a sentence, as a shell reads them."""
    return shlex.split(words.split("`")[1])


def test_laying_out(run: Run, odd: Odd) -> None:
    file = odd / "policy.json"
    file.write_text(UGLY, encoding="utf-8")
    complaint, hint = run("policy", "fmt", "--check", str(file)).err.splitlines()
    assert complaint == f"`{file}` is not laid out"
    assert hint == f"hint: `keyid-gateway policy fmt {shlex.quote(str(file))}`"
    assert typed(hint) == ["keyid-gateway", "policy", "fmt", str(file)]


def test_writing_a_policy(run: Run, odd: Odd) -> None:
    file = odd / "policy.json"
    lines = run("policy", "init", str(file)).out.splitlines()
    assert typed(lines[2]) == ["keyid-gateway", "policy", "check", str(file)]
    assert typed(lines[3]) == ["--policy", str(file)]


def test_a_key_that_others_can_read(run: Run, home: Home, odd: Odd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYID_GATEWAY_CONFIG_DIR", str(odd.folder))
    home.remember()
    run("audit", "key")
    key = odd / "audit-key.pem"
    key.chmod(0o644)
    _, hint = run("audit", "head").err.splitlines()
    assert typed(hint) == ["chmod", "600", str(key)]


def test_an_unforeseen_error(run: Run, odd: Odd, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(limits, "policy_in_force", broken)
    words = ["limits", "--state", str(odd / "state.db")]
    _, hint, _ = run(*words).err.splitlines()
    assert shlex.split(hint.split("`")[3]) == ["keyid-gateway", "--debug", *words]


def test_signing_in(run: Run, standin: Standin, odd: Odd) -> None:
    state = odd / "state.db"
    ours = ["--upstream", standin.url, "--state", str(state), "--oauth-client-id", "me", "--oauth-flow", "code"]
    ran = run("tools", *ours)
    command = f"keyid-gateway login --upstream {standin.url} --state {shlex.quote(str(state))} --oauth-client-id me"
    assert ran.err == (
        f"error: `{standin.url}` answered HTTP 401: it wants a sign-in\n"
        f"hint: run `{command}`, or pass credentials: `--header 'Authorization: env:VARIABLE'`\n"
    )
    assert run("whoami", *ours).out == (
        f"nobody is signed in to {standin.url}\nnext: `{command}`, if the server wants a sign-in\n"
    )
