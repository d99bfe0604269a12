import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.cli.commands import demo
from gateway.cli.demonstration.document import document
from gateway.cli.demonstration.telling import Check, Step
from gateway.policy import Facts, ToolCall, decide, load
from tests.cli.conftest import Home, Run

ROOT = Path(__file__).parents[2]
PATIENCE = 60


def _start(home: Home, *words: str) -> subprocess.Popen[str]:
    folder = home.folder / "temporary"
    folder.mkdir()
    return subprocess.Popen(
        [sys.executable, "-m", "gateway", "demo", *words],
        env={**os.environ, **home.environment, "TMPDIR": str(folder)},
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_whole_story(home: Home) -> None:
    process = _start(home)
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (0, ""), out
    assert re.findall(r"^\d\. (.*)$", out, re.MULTILINE) == [
        "64 tools mirrored",
        "an allowed call",
        "a sign-up from beginning to end",
        "a hidden tool",
        "the same tool, other arguments",
        "a limit",
        "what reached the server",
        "the audit log of all that",
    ]
    for line in (
        "   says    the client sees 58; the policy hides 6",
        '   answer  [POLICY DENIED] Tool "delete_file" is hidden by policy',
        "   rule    /tools/send_email/deny_if/0: args.bcc[*] exists true",
        "   answer  [POLICY DENIED] Mail goes to colleagues at example.com only.",
        "   ok      the 8 allowed calls arrived, once each and unchanged",
        "   ok      nothing of the 4 refused calls arrived",
        "   deny   get_totp_code                   /tools/get_totp_code/rate_limit",
        "17 of 17 checks are as they should be.",
    ):
        assert f"\n{line}\n" in out
    assert "FAILED" not in out
    assert "\x1b" not in out
    lines = [line for line in out.splitlines() if str(Path(sys.executable).parent) not in line]
    assert max(map(len, lines)) <= 80
    assert not list((home.folder / "temporary").iterdir())
    assert not home.state.exists()


def test_ctrl_c_leaves_nothing_behind(home: Home) -> None:
    process = _start(home)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("1. "):
            break
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (130, "\ninterrupted\n")
    assert not list((home.folder / "temporary").iterdir())


GOOD = Step("good", "a good step", (("call", "x {}"), ("", "a line")), (Check("it is so", ok=True),))
BAD = Step("bad", "a bad step", (), (Check("it is so", ok=False, found="something else"),))


def _play(monkeypatch: pytest.MonkeyPatch, *steps: Step) -> None:
    async def play(teller: "demo._Teller | None") -> list[Step]:
        for number, step in enumerate(steps, 1):
            if teller is not None:
                teller.tell(number, step)
        if teller is not None:
            teller.end(list(steps))
        return list(steps)

    monkeypatch.setattr(demo, "_play", play)


def test_whoever_has_it_not_on_the_path_is_told_what_to_type(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    _play(monkeypatch, GOOD)
    monkeypatch.setattr(demo, "command_words", lambda: ["/a b/bin/keyid-gateway"])
    monkeypatch.setattr("shutil.which", lambda _: "/a b/bin/keyid-gateway")
    assert "does not find" not in run("demo").out
    monkeypatch.setattr("shutil.which", lambda _: None)
    lines = run("demo").out.splitlines()
    at = lines.index("Your shell does not find `keyid-gateway` by that name. Type all of")
    assert lines[at + 1 : at + 4] == ["  '/a b/bin/keyid-gateway'", "or first", "  export PATH='/a b/bin':$PATH"]
    monkeypatch.setattr(demo, "command_words", lambda: ["/a/python", "-P", "-m", "gateway"])
    out = run("demo").out
    assert "  /a/python -P -m gateway\n" in out
    assert "export PATH" not in out


def test_json(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    _play(monkeypatch, GOOD)
    ran = run("demo", "--json")
    assert (ran.code, ran.err) == (0, "")
    assert json.loads(ran.out) == {
        "ok": True,
        "steps": [
            {
                "name": "good",
                "title": "a good step",
                "lines": [["call", "x {}"], ["", "a line"]],
                "checks": [{"expected": "it is so", "ok": True, "found": ""}],
            }
        ],
    }


def test_what_is_not_as_it_should_be_is_said_and_fails(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    _play(monkeypatch, GOOD, BAD)
    ran = run("demo")
    assert ran.code == 1
    assert ran.out.startswith(
        "\n1. a good step\n   call    x {}\n   a line\n   ok      it is so\n"
        "\n2. a bad step\n   FAILED  it is so; found: something else\n"
        "\n1 of 2 checks are as they should be.\n"
    )
    assert ran.err == "error: not as it should be: a bad step\n"
    assert json.loads(run("demo", "--json").out)["ok"] is False


def test_its_policy_is_valid_and_says_nothing_odd() -> None:
    assert load(json.dumps(document()).encode(), name="demo").warnings == ()


@pytest.mark.parametrize(
    ("more", "rule"),
    [
        ({"cc": [], "bcc": []}, "/tools/send_email"),
        ({"bcc": ["eve@example.net"]}, "/tools/send_email/deny_if/0"),
        ({"cc": ["eve@example.net"]}, "/tools/send_email/deny_if/1"),
        ({"cc": "eve@example.net"}, "/tools/send_email/deny_if/1"),
        ({"bcc": [None, "eve@example.net"]}, "/tools/send_email/deny_if/0"),
        ({"cc": [None, "eve@example.net"]}, "/tools/send_email/deny_if/1"),
        ({"to": "eve%example.net@example.com"}, "/tools/send_email/require/0"),
        ({"reply_to": "eve@example.net"}, "/tools/send_email/deny_if/2"),
    ],
)
def test_mail_goes_to_colleagues_only(more: dict[str, object], rule: str) -> None:
    policy = load(json.dumps(document()).encode(), name="demo")
    call = ToolCall("send_email", {"to": "ada@example.com", **more})  # type: ignore[dict-item] # plain JSON values
    assert decide(policy, call, Facts(mirrored=True)).rule == rule
