"""One judged call from a terminal: through the whole gateway, with the same records and limits."""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.clock import SystemClock
from gateway.standin import Standin
from gateway.state import State
from gateway.state.pins import Seen
from tests.cli.conftest import SERVER, TOKEN, Home, Run
from tests.e2e.process import PATIENCE

ROOT = Path(__file__).parents[2]

DOCUMENT = """
{
  "version": "1",
  "default": "deny",
  "hide": ["delete_file"],
  "tools": {
    "get_identity": {},
    "list_messages": {},
    "get_message": {},
    "send_email": {
      "rate_limit": "2/hour",
      "deny_if": [{
        "conditions": [{ "path": "args.to", "op": "eq", "value": "eve@elsewhere.example" }],
        "on_deny": "Not to Eve."
      }],
      "limits": [{ "counter": "mail", "window": "hour", "max": 1, "scope": "grant" }]
    }
  }
}
"""
MAIL = ("--arg", "to=ada@example.com", "--arg", "subject=5", "--arg", "body=See you at ten.")


@pytest.fixture
def where(home: Home, standin: Standin, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a server that answers, given by the environment."""
    home.write_policy(DOCUMENT)
    monkeypatch.setenv("KEYID_GATEWAY_UPSTREAM", standin.url)
    monkeypatch.setenv("STANDIN_CREDENTIALS", f"Bearer {TOKEN}")
    monkeypatch.setenv("KEYID_GATEWAY_HEADER", "Authorization: env:STANDIN_CREDENTIALS")
    return standin.url


def recorded(home: Home) -> list[tuple[str, str, str]]:
    """Kind, tool and rule of every record of a call."""
    with sqlite3.connect(home.state) as connection:
        found = connection.execute("SELECT kind, tool, rule FROM audit WHERE tool <> '' ORDER BY seq").fetchall()
    connection.close()
    return [(kind, tool, rule) for kind, tool, rule in found if kind in ("decided", "settled", "refused")]


def _reached(standin: Standin) -> int:
    """How many calls reached the server."""
    return sum(entry.get("event") == "tool" for entry in standin.journal)


@pytest.mark.usefixtures("where")
def test_a_call_that_is_allowed(run: Run, home: Home) -> None:
    ran = run("call", "get_identity")
    assert (ran.code, ran.err) == (0, "")
    assert json.loads(ran.out)["email"]
    rule = "/tools/get_identity"
    assert recorded(home) == [("decided", "get_identity", rule), ("settled", "get_identity", rule)]
    tail = run("audit", "query", "--json").out
    assert '"keyid-gateway call"' in tail


@pytest.mark.usefixtures("where")
def test_a_call_that_is_denied_says_by_what_and_is_not_sent(run: Run, home: Home, standin: Standin) -> None:
    before = _reached(standin)
    ran = run("call", "send_email", "--arg", "to=eve@elsewhere.example", *MAIL[2:])
    assert ran.code == 1
    lines = ran.out.splitlines()
    assert lines[:2] == ["[POLICY DENIED] Not to Eve.", "rule: /tools/send_email/deny_if/0"]
    assert lines[2].startswith("next: `keyid-gateway policy explain send_email` says what decides")
    assert _reached(standin) == before
    assert recorded(home) == [("refused", "send_email", "/tools/send_email/deny_if/0")]


@pytest.mark.usefixtures("where")
def test_limits_are_charged_and_dry_runs_charge_nothing(run: Run, home: Home) -> None:
    dry = run("call", "send_email", *MAIL, "--dry-run")
    assert (dry.code, dry.err) == (0, "")
    assert dry.out.splitlines() == [
        f"`send_email` would be allowed under `{home.policy}`",
        f"rule: /tools/send_email ({home.policy}:10)",
        "limit: 0 of 1 per hour used",
        "limit: 2 per hour, in each session",
        "nothing was sent, recorded or charged",
    ]
    assert not home.state.exists()
    assert run("call", "send_email", *MAIL).code == 0
    dry = run("call", "send_email", *MAIL, "--dry-run")
    assert dry.code == 1
    lines = dry.out.splitlines()
    assert lines[0] == f"`send_email` would be denied under `{home.policy}`"
    assert lines[1].startswith("because: Rate limit of 1 per hour reached. Try again in ")
    assert lines[2].startswith("rule: /tools/send_email/limits/0 (")
    assert lines[3].startswith("limit: 1 of 1 per hour used, resets ")
    denied = run("call", "send_email", *MAIL, "--json")
    assert denied.code == 1
    shown = json.loads(denied.out)
    assert (shown["outcome"], shown["result"], shown["decision"]["reason"]) == ("denied", None, "limit")
    assert shown["decision"]["retry_after_seconds"] > 0
    assert [kind for kind, *_ in recorded(home)] == ["decided", "settled", "refused"]


@pytest.mark.usefixtures("where")
def test_arguments_that_do_not_fit_are_said_before_anything_is_judged(run: Run, home: Home) -> None:
    ran = run("call", "send_email", '{"to": "ada@example.com", "subject": 5, "body": "x"}')
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("error: the arguments do not fit `send_email`: ")
    assert "hint: it takes `to` (required), `subject` (required), `body` (required), `html`" in ran.err
    assert recorded(home) == []
    assert run("call", "send_email", '{"to": "ada@example.com"}', "--as-is").code == 4
    assert [kind for kind, *_ in recorded(home)] == ["decided", "settled"]


@pytest.mark.usefixtures("where")
def test_what_a_tool_says_went_wrong(run: Run) -> None:
    ran = run("call", "get_message", "--arg", "message_id=msg_9999")
    assert ran.code == 4
    assert ran.err == "error: `get_message` says that it failed\n"
    assert ran.out.strip()
    shown = json.loads(run("call", "get_message", "--arg", "message_id=msg_9999", "--json").out)
    assert (shown["outcome"], shown["decision"], shown["result"]["isError"]) == ("tool error", None, True)


@pytest.mark.usefixtures("where")
def test_a_misspelt_tool(run: Run, home: Home) -> None:
    ran = run("call", "get_identty")
    assert (ran.code, ran.err) == (1, "hint: did you mean `get_identity`?\n")
    assert ran.out.splitlines()[1] == "rule: (unknown tool)"
    assert recorded(home) == [("refused", "get_identty", "(unknown tool)")]
    assert run("call", "xyzzy").err == "hint: `keyid-gateway tools` lists what there is\n"
    dry = run("call", "get_identty", "--dry-run")
    assert dry.err == "note: the server has not announced this tool\nhint: did you mean `get_identity`?\n"


@pytest.mark.usefixtures("where")
def test_arguments_from_a_file(run: Run, home: Home) -> None:
    file = home.folder / "mail.json"
    file.write_text(json.dumps({"to": "eve@elsewhere.example", "subject": "s", "body": "b"}), encoding="utf-8")
    assert run("call", "send_email", f"@{file}").out.startswith("[POLICY DENIED] Not to Eve.\n")


@pytest.mark.usefixtures("where")
def test_a_dry_run_says_what_does_not_fit_and_decides_all_the_same(run: Run, home: Home) -> None:
    ran = run("call", "delete_file", "--dry-run")
    assert ran.code == 1
    assert ran.err.startswith("note: the arguments do not fit `delete_file`: ")
    assert f"rule: (hidden) ({home.policy}:" in ran.out
    shown = json.loads(run("call", "delete_file", "--dry-run", "--json").out)
    assert (shown["decision"]["effect"], shown["decision"]["rule"], shown["limits"]) == ("deny", "(hidden)", [])


@pytest.mark.usefixtures("where")
def test_where_everything_is_stopped_a_dry_run_knows(run: Run) -> None:
    assert run("call", "get_identity").code == 0
    assert run("stop", "--reason", "lunch").code == 0
    dry = run("call", "get_identity", "--dry-run")
    assert dry.code == 1
    assert "rule: (stopped)\n" in dry.out
    ran = run("call", "get_identity")
    assert ran.code == 1
    assert "rule: (stopped)\n" in ran.out


@pytest.mark.usefixtures("where")
def test_where_a_tool_is_not_what_was_accepted_a_dry_run_knows(
    run: Run, home: Home, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def accept_another_one() -> None:
        clock = SystemClock()
        state = await State.open(home.state, clock=clock)
        other = Seen.of(("tool", "get_identity"), b"other", b"{}")
        await state.atomically(lambda tx: tx.pins.forget(where, [other.key]))
        await state.atomically(lambda tx: tx.pins.begin(where, [other], clock.now()))
        state.close()

    monkeypatch.setenv("KEYID_GATEWAY_PINS", "enforce")
    assert run("call", "get_identity").code == 0
    assert run("call", "get_identity", "--dry-run").code == 0
    asyncio.run(accept_another_one())
    dry, ran = run("call", "get_identity", "--dry-run"), run("call", "get_identity")
    assert [dry.code, ran.code] == [1, 1]
    assert "`get_identity` would be denied" in dry.out
    assert all("rule: (changed tool)\n" in each.out for each in (dry, ran))
    monkeypatch.setenv("KEYID_GATEWAY_PINS", "warn")
    assert [run("call", "get_identity", *words).code for words in (("--dry-run",), ())] == [0, 0]


def test_a_server_that_is_not_there(run: Run, home: Home) -> None:
    ran = run("call", "get_identity")
    assert (ran.code, ran.out) == (4, "")
    assert f"error: cannot connect to the upstream: `{SERVER}`" in ran.err or "cannot connect" in ran.err
    assert home.log.exists()


@pytest.mark.usefixtures("where")
def test_a_profile_is_who_calls(run: Run, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KEYID_GATEWAY_GRANT")
    Path(home.policy.parent / "settings.toml").write_text("[profiles.work]\ngrant = 'worker'\n", encoding="utf-8")
    assert run("call", "get_identity", "--profile", "work").code == 0
    assert '"grant":"worker"' in run("audit", "query", "--json").out.replace('": "', '":"')


ASKING = '{"version": "1", "default": "deny", "tools": {"get_identity": {"action": "require_approval"}}}'
WAITS = "waiting for a person: `keyid-gateway approvals approve "


def _started(home: Home, *words: str) -> subprocess.Popen[str]:
    """The program in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "gateway", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT), "KEYID_GATEWAY_APPROVE_DESKTOP": "off"},
        cwd=home.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _answered(home: Home, number: str) -> None:
    """Approve a question, as the command would."""

    async def work() -> None:
        state = await State.open(home.state, clock=SystemClock())
        await state.atomically(lambda tx: tx.approvals.answer(number, "approve", SystemClock().now(), by="a test"))
        state.close()

    asyncio.run(work())


@pytest.mark.usefixtures("where")
def test_a_call_that_a_person_approves_meanwhile_is_held_and_made(home: Home) -> None:
    home.write_policy(ASKING)
    with _started(home, "call", "get_identity") as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert WAITS in line
        _answered(home, line.partition(WAITS)[2].partition("`")[0])
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (0, "")
    assert json.loads(out)["email"]
    assert recorded(home)[-1] == ("settled", "get_identity", "/tools/get_identity/action")


@pytest.mark.usefixtures("where")
def test_a_call_that_nobody_approves_in_time_says_how_it_is_approved(
    run: Run, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.write_policy(ASKING)
    monkeypatch.setenv("KEYID_GATEWAY_APPROVAL_WAIT", "0")
    ran = run("call", "get_identity")
    assert ran.code == 1
    assert ran.out.startswith("[APPROVAL REQUIRED] ")
    assert "Tell them to run `keyid-gateway approvals approve " in ran.out
    assert "policy explain" not in ran.out
    dry = run("call", "get_identity", "--dry-run")
    assert (dry.code, dry.out.splitlines()[0]) == (
        1,
        f"`get_identity` would wait for a person's approval under `{home.policy}`",
    )


@pytest.mark.usefixtures("where")
def test_ctrl_c_takes_the_call_back(home: Home) -> None:
    home.write_policy(ASKING)
    with _started(home, "call", "get_identity") as process:
        assert process.stderr is not None
        assert WAITS in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (130, "")
    assert err.splitlines()[-1] == "interrupted"
    assert ("refused", "get_identity", "(cancelled)") in recorded(home)
