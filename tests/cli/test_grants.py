"""`grants`: what the owner reads, what is recorded, and what moves with a name."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from gateway.clock import SystemClock
from gateway.policy import Limit, load
from gateway.state import Record, State, charge_for, reading
from tests.cli.conftest import SERVER, Home, Run, relayed

CLOSED = '{"version": "1", "default": "deny"}'
LIMITED = """{"version": "1", "default": "allow",
  "all_tools": {"limits": [{"counter": "calls", "window": "day", "max": 9, "scope": "grant"}]}}"""


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody is at a terminal."""
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A policy that may be a grant's own."""
    found = tmp_path / "own policy.json"
    found.write_text(CLOSED, encoding="utf-8")
    return found


def acts(home: Home) -> list[Record]:
    with reading(home.state) as transaction:
        return [entry.record for entry in transaction.audit.tail(0, 100) if entry.record.kind == "owner"]


def test_a_grant_is_created_with_a_policy_of_its_own(run: Run, home: Home, file: Path) -> None:
    ran = run("grants", "create", "bot", "--policy", str(file))
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[0] == f"grant `bot` is created, with `{file}` as a policy of its own"
    assert "next: start its gateway with `--grant bot`" in ran.out
    with reading(home.state) as transaction:
        assert transaction.grants.own_policy("bot") == str(file)
        assert transaction.grants.own_policy("another") is None
    (record,) = acts(home)
    assert (record.method, record.grant) == ("grants/create", "bot")
    assert str(file) in record.message


def test_a_grant_is_created_once(run: Run, file: Path) -> None:
    run("grants", "create", "bot", "--policy", str(file))
    ran = run("grants", "create", "bot")
    assert ran.code == 2
    assert ran.err == f"error: grant `bot` is there already\nhint: edit its policy, `{file}`\n"


def test_a_policy_that_is_none_is_not_taken(run: Run, home: Home, file: Path) -> None:
    assert run("grants", "create", "bot", "--policy", str(file.parent / "missing.json")).code == 3
    file.write_text('{"version": "1", "default": "dney"}', encoding="utf-8")
    assert run("grants", "create", "bot", "--policy", str(file)).code == 3
    assert not home.state.exists()


@pytest.mark.parametrize("words", [["create"], ["revoke"], ["restore"], ["rename", "me"]])
def test_a_name_is_what_the_setting_takes(run: Run, words: list[str]) -> None:
    for name in ("", "a\nb", "x" * 201):
        ran = run("grants", *words, name)
        assert ran.code == 2
        assert "names no grant: a grant is a name of 1 to 200 printable characters" in ran.err


def test_the_list_shows_who_is_there(run: Run, home: Home, file: Path) -> None:
    assert "there is no state file yet" in run("grants", "list").out
    run("grants", "create", "bot", "--policy", str(file))
    home.remember(policy_of_me="/p.json")
    run("grants", "revoke", "mail", "--reason", "Answers strangers.")
    bot, mail, me = json.loads(run("grants", "list", "--json").out)["grants"]
    assert (bot["name"], bot["policy"], bot["revoked"], bot["gateways"]) == ("bot", str(file), None, 0)
    assert (mail["name"], mail["created"], mail["revoked"]["reason"]) == ("mail", None, "Answers strangers.")
    assert (me["name"], me["used"]) == ("me", "/p.json")
    heading, *lines = run("grants", "list").out.splitlines()
    assert heading.split() == ["grant", "state", "gateways", "created", "own", "policy"]
    assert [line.split()[:2] for line in lines] == [["bot", "in"], ["mail", "revoked"], ["me", "in"]]


def test_revoking_and_restoring_are_recorded(run: Run, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = run("grants", "revoke", "bot", "--reason", "odd mails")
    assert ran.code == 0
    assert ran.out.startswith("grant `bot` is revoked, since ")
    with reading(home.state) as transaction:
        halt = transaction.switch.look("bot")
        assert transaction.switch.look("another") is None
    assert halt is not None
    assert (halt.reason, halt.at_once) == ("odd mails", True)
    assert run("grants", "revoke", "bot").out.startswith("grant `bot` is revoked already, since ")
    assert run("grants", "restore", "bot").code == 2
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    ran = run("grants", "restore", "bot")
    assert (ran.code, ran.out) == (0, "grant `bot` may call again\n")
    assert [(record.method, record.grant) for record in acts(home)] == [
        ("grants/revoke", "bot"),
        ("grants/restore", "bot"),
    ]
    assert run("audit", "verify").code == 0


@pytest.mark.usefixtures("person")
def test_restoring_says_that_everything_is_stopped(run: Run) -> None:
    assert run("grants", "restore", "bot").out.startswith("grant `bot` was not revoked")
    run("grants", "revoke", "bot")
    run("stop")
    assert "next: every gateway is stopped as well: `keyid-gateway resume`" in run("grants", "restore", "bot").out


def test_a_new_name_takes_along_what_was_counted(run: Run, home: Home) -> None:
    limits = limits_of(LIMITED)
    home.remember(relayed("d1", "send_email"), limits=limits, policy_of_me="/p.json")
    moment = SystemClock().now()

    async def call() -> None:
        state = await State.open(home.state, clock=SystemClock())
        await state.atomically(lambda tx: tx.calls.note(SERVER, "me", "send_email", moment))
        state.close()

    asyncio.run(call())
    ran = run("grants", "rename", "me", "bot")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("grant `me` is called `bot` now; whatever still calls as `me` is refused\n")
    with reading(home.state) as transaction:
        (usage,) = transaction.counters.usage(SystemClock().now())
        charges = [charge_for(limit, server=SERVER, grant="bot", session="s") for limit in limits]
        assert usage.key == charges[0].key
        assert transaction.calls.since(SERVER, "me", ["send_email"], moment) == {}
        assert transaction.calls.since(SERVER, "bot", ["send_email"], moment)["send_email"] == 0
        assert transaction.grants.policy_used("bot") == "/p.json"
        assert transaction.grants.policy_used("me") is None
        halt = transaction.switch.look("me")
        assert transaction.switch.look("bot") is None
    assert halt is not None
    assert halt.reason == "It is called `bot` now: start the gateway with that name."
    assert [(record.method, record.grant, record.message.partition(",")[0]) for record in acts(home)] == [
        ("grants/rename", "me", "renamed to bot")
    ]
    assert json.loads(run("audit", "stats", "--json").out)["grants"] == {"me": 1}, "what was written stays"
    assert json.loads(run("limits", "--json").out)["limits"][0]["owner"] == "bot"


def test_a_renamed_grant_keeps_its_limits_to_the_last(run: Run, home: Home) -> None:
    (limit,) = limits_of(LIMITED.replace("9", "1"))
    home.remember(limits=[limit])
    run("grants", "rename", "me", "bot")

    async def again() -> object:
        state = await State.open(home.state, clock=SystemClock())
        charge = charge_for(limit, server=SERVER, grant="bot", session="s")
        taken = await state.atomically(lambda tx: tx.counters.reserve([charge], SystemClock().now()))
        state.close()
        return taken

    assert type(asyncio.run(again())).__name__ == "Exhausted"


def test_a_revoked_grant_stays_revoked_under_its_new_name(run: Run, home: Home) -> None:
    run("grants", "revoke", "bot", "--reason", "odd mails")
    run("grants", "rename", "bot", "mail")
    with reading(home.state) as transaction:
        halt = transaction.switch.look("mail")
    assert halt is not None
    assert halt.reason == "odd mails"


def test_a_name_that_is_taken_or_unknown_is_said(run: Run) -> None:
    run("grants", "create", "bot")
    run("grants", "create", "mail")
    assert run("grants", "rename", "bot", "mail").err.startswith("error: grant `mail` is there already\n")
    assert run("grants", "rename", "nobody", "x").err.startswith("error: there is no grant `nobody`\n")
    assert run("grants", "rename", "bot", "bot").code == 2
    names = [grant["name"] for grant in json.loads(run("grants", "list", "--json").out)["grants"]]
    assert names == ["bot", "mail"]


def test_what_is_in_force_for_a_grant_is_with_its_own_policy(run: Run, home: Home, file: Path) -> None:
    home.write_policy('{"version": "1", "default": "allow"}')
    run("grants", "create", "me", "--policy", str(file))
    explained = json.loads(run("policy", "explain", "get_identity", "--json").out)
    assert "grant:(default deny)" in json.dumps(explained)


def limits_of(document: str) -> list[Limit]:
    return list(load(document.encode(), name="p").all_tools.limits)
