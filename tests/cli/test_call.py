"""One judged call from a terminal: through the whole gateway, with the same records and limits."""

import json
import sqlite3
from pathlib import Path

import pytest

from gateway.standin import Standin
from tests.cli.conftest import SERVER, TOKEN, Home, Run

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
