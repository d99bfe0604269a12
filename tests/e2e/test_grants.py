"""Grants: a policy and counters of their own, and the end of one that is revoked while the others go on."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.process import ALLOW_ALL, PATIENCE, Gateway, Home, decision
from tests.e2e.scripted import Scripted, said, silence
from tests.e2e.test_stop import at_a_terminal, command

Json = Any
LIMITED = {
    "version": "1",
    "default": "allow",
    "all_tools": {"limits": [{"counter": "calls", "window": "day", "max": 1, "scope": "grant"}]},
}
CLOSED = {"version": "1", "default": "allow", "tools": {"one": {"action": "deny", "reason": "Not this bot."}}}


@pytest.fixture
def upstream() -> Iterator[Scripted]:
    with Scripted() as running:
        yield running


@pytest.fixture
def own(home: Home) -> Path:
    """The file of a policy that is a grant's own."""
    return write(home.path / "own.json", CLOSED)


def write(file: Path, document: Json) -> Path:
    fresh = file.with_suffix(".new")
    fresh.write_text(json.dumps(document), encoding="utf-8")
    return fresh.replace(file)


def gateway_of(home: Home, upstream: Scripted, grant: str, policy: Json = ALLOW_ALL) -> Gateway:
    return Gateway(home, upstream.url, "--grant", grant, policy=policy)


def rule(result: Json) -> str:
    return str(decision(result)["rule"]) if result.get("isError") else "allowed"


def await_rule(gateway: Gateway, expected: str) -> Json:
    deadline = time.monotonic() + PATIENCE
    while rule(result := gateway.call("one", {})) != expected:
        assert time.monotonic() < deadline, result
    return result


def test_a_grants_own_policy_is_needed_beside_the_one_that_was_given(home: Home, upstream: Scripted, own: Path) -> None:
    assert command(home, "grants", "create", "bot", "--policy", str(own)).returncode == 0
    with gateway_of(home, upstream, "bot") as bot, gateway_of(home, upstream, "other") as other:
        bot.initialize()
        other.initialize()
        denied = bot.call("one", {})
        assert rule(denied) == "grant:/tools/one/action"
        assert denied["content"][0]["text"] == "[POLICY DENIED] Not this bot. (grant policy)"
        assert other.call("one", {}) == said("one ran")
        write(own, ALLOW_ALL)
        await_rule(bot, "allowed")
        bot.home.policy({"version": "1", "default": "deny"})
        await_rule(bot, "(default deny)")


def test_a_policy_that_is_assigned_meanwhile_is_in_force_without_a_restart(
    home: Home, upstream: Scripted, own: Path
) -> None:
    with gateway_of(home, upstream, "bot") as bot:
        bot.initialize()
        assert bot.call("one", {}) == said("one ran")
        assert command(home, "grants", "create", "bot", "--policy", str(own)).returncode == 0
        await_rule(bot, "grant:/tools/one/action")


@pytest.mark.parametrize("broken", ["missing", "not JSON"])
def test_without_its_own_policy_every_call_of_the_grant_is_refused(
    home: Home, upstream: Scripted, own: Path, broken: str
) -> None:
    assert command(home, "grants", "create", "bot", "--policy", str(own)).returncode == 0
    own.unlink() if broken == "missing" else own.write_text("{", encoding="utf-8")
    with gateway_of(home, upstream, "bot") as bot:
        bot.initialize()
        refused = bot.call("one", {})
        assert rule(refused) == "(no policy)"
        text = refused["content"][0]["text"]
        assert text.startswith("[POLICY DENIED] No policy is in force: the grant policy cannot be taken: ")
        assert str(own) in text
        write(own, ALLOW_ALL)
        await_rule(bot, "allowed")
    assert len(upstream.calls("one")) == 1


def test_each_grant_has_its_own_counters_and_takes_them_along(home: Home, upstream: Scripted) -> None:
    with gateway_of(home, upstream, "bot", LIMITED) as bot, gateway_of(home, upstream, "other", LIMITED) as other:
        for gateway in (bot, other):
            gateway.initialize()
            assert gateway.call("one", {}) == said("one ran")
            assert rule(gateway.call("one", {})) == "/all_tools/limits/0"
        assert command(home, "grants", "rename", "bot", "mail").returncode == 0
        refused = bot.call("one", {})
        assert rule(refused) == "(revoked)"
        assert "It is called `mail` now: start the gateway with that name." in refused["content"][0]["text"]
        assert rule(other.call("one", {})) == "/all_tools/limits/0"
    with gateway_of(home, upstream, "mail", LIMITED) as mail:
        mail.initialize()
        assert rule(mail.call("one", {})) == "/all_tools/limits/0"
    assert len(upstream.calls("one")) == 2


def test_revoking_ends_the_calls_of_one_grant_and_no_other(home: Home, upstream: Scripted) -> None:
    with gateway_of(home, upstream, "bot") as bot, gateway_of(home, upstream, "other") as other:
        for gateway in (bot, other):
            gateway.initialize()
            assert gateway.call("one", {}) == said("one ran")
        upstream.script("tools/call", silence)
        running = bot.begin("tools/call", {"name": "one", "arguments": {}})
        upstream.wait_for("tools/call", 3)
        assert command(home, "grants", "revoke", "bot", "--reason", "It answers strangers.").returncode == 0
        refused = bot.answer(running)["result"]
        assert rule(refused) == "(revoked)"
        text = refused["content"][0]["text"]
        assert text.startswith("[POLICY DENIED] Grant `bot` was revoked by the owner (since 20")
        assert "It answers strangers. This call was running, was cancelled, and may have had its effect." in text
        upstream.wait_for("notifications/cancelled")
        assert rule(bot.call("one", {})) == "(revoked)"
        assert other.call("one", {}) == said("one ran")
        assert command(home, "grants", "restore", "bot").returncode == 2
        assert rule(bot.call("one", {})) == "(revoked)"
        assert at_a_terminal(home, "grants", "restore", "bot").returncode == 0
        assert bot.call("one", {}) == said("one ran")
    (cut,) = [record for record in home.records() if record.outcome == "cancelled"]
    assert (cut.grant, cut.kind) == ("bot", "settled")
    assert "was revoked by the owner" in cut.message


def test_a_stop_goes_before_a_revocation_and_that_before_a_missing_policy(
    home: Home, upstream: Scripted, own: Path
) -> None:
    assert command(home, "grants", "create", "bot", "--policy", str(own)).returncode == 0
    own.unlink()
    with gateway_of(home, upstream, "bot") as bot:
        bot.initialize()
        assert rule(bot.call("one", {})) == "(no policy)"
        assert command(home, "grants", "revoke", "bot").returncode == 0
        assert rule(bot.call("one", {})) == "(revoked)"
        assert command(home, "stop").returncode == 0
        assert rule(bot.call("one", {})) == "(stopped)"
        assert at_a_terminal(home, "resume").returncode == 0
        assert rule(bot.call("one", {})) == "(revoked)"
