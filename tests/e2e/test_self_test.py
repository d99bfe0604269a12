"""The self-test at the start (B33): a gateway that does not enforce its policy serves nobody, and says so."""

import json
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from gateway.state import Record
from gateway.state.evidence import examining
from tests.e2e.arena import ERAS, HANDSHAKE, META
from tests.e2e.process import ALLOW_ALL, PATIENCE, Gateway, Home, decision
from tests.e2e.scripted import Scripted, said
from tests.e2e.test_grants import await_rule
from tests.e2e.test_stop import command

Json = Any
DENY = {"version": "1", "default": "deny"}


@pytest.fixture
def upstream() -> Iterator[Scripted]:
    with Scripted() as running:
        yield running


@pytest.fixture(params=ERAS)
def era(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def proofs(home: Home) -> list[Record]:
    return [record for record in home.every_record() if record.kind == "self-test"]


def test_the_self_test_is_the_first_record_and_counts_for_nothing(home: Home, upstream: Scripted, era: str) -> None:
    denied_before = {"conditions": [{"path": "session.denials", "op": "gt", "value": 0}]}
    counting = {**ALLOW_ALL, "all_tools": {"deny_if": [denied_before]}}
    with Gateway(home, upstream.url, "--conceal-hidden", policy=counting) as gateway:
        if era == HANDSHAKE:
            gateway.initialize()
        for _ in range(2):
            assert gateway.call("one", {}, _meta=META[era]) == said("one ran"), "no denial of the client's"
        assert gateway.close() == 0
    first, *others = home.every_record()
    assert (first.kind, first.rule, first.effect, first.method) == ("self-test", "(hidden)", "deny", "tools/call")
    assert first.tool.startswith("gw-self-test-")
    assert (first.client_name, first.policy_revision) == ("keyid-gateway", others[0].policy_revision)
    assert sorted(record.kind for record in others) == ["decided", "decided", "settled", "settled"]
    assert all(asked.tool in (None, "one") for asked in upstream.everything())
    with examining(home.state) as evidence:
        counted = evidence.count(None, None)
        assert (counted.calls, counted.effects, counted.rules) == (2, {"allow": 2}, {})
        assert not evidence.verify().broken
    assert "gw-self-test-" not in command(home, "audit", "tail").stdout
    assert "gw-self-test-" in command(home, "audit", "tail", "--json").stdout
    assert json.loads(command(home, "audit", "query", "--effect", "deny", "--json").stdout or "[]") == []


def test_every_policy_that_comes_into_force_is_tested(home: Home, upstream: Scripted) -> None:
    with Gateway(home, upstream.url, policy=ALLOW_ALL) as gateway:
        gateway.initialize()
        assert gateway.call("one", {}) == said("one ran")
        home.policy(DENY)
        await_rule(gateway, "(default deny)")
        one, two = proofs(home)
    assert one.policy_revision != two.policy_revision
    assert one.tool != two.tool


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        ("allowing", "a call of a hidden tool was let through"),
        ("unhiding", "a call of a hidden tool was let through"),
        ("silent", "the refusal of a hidden tool left no record"),
    ],
)
def test_a_gateway_that_does_not_enforce_serves_nobody(
    home: Home, upstream: Scripted, kind: str, cause: str, era: str
) -> None:
    with Gateway(home, upstream.url, policy=ALLOW_ALL, naive=kind) as gateway:
        if era == HANDSHAKE:
            gateway.initialize()
        for _ in range(2):
            refused = gateway.call("one", {}, _meta=META[era])
            assert decision(refused)["rule"] == "(no policy)"
            assert refused["content"][0]["text"] == (
                "[POLICY DENIED] No policy is in force: the gateway failed its self-test "
                f"({cause}), so nothing it decides can be relied on; restart it"
            )
        gateway.wait_for_error(f"every call is refused: the gateway failed its self-test ({cause})")
    assert upstream.calls("one") == []
    assert "failed its self-test" in (home.path / "gateway.log").read_text(encoding="utf-8")


def test_a_sound_gateway_is_not_taken_for_one(home: Home, upstream: Scripted) -> None:
    with Gateway(home, upstream.url, policy=ALLOW_ALL, naive="none") as gateway:
        gateway.initialize()
        assert gateway.call("one", {}) == said("one ran")


def test_without_a_policy_there_is_nothing_to_test_until_there_is_one(home: Home, upstream: Scripted) -> None:
    home.policy(ALLOW_ALL).write_text("{", encoding="utf-8")
    with Gateway(home, upstream.url, policy=home.path / "policy.json") as gateway:
        gateway.initialize()
        assert decision(gateway.call("one", {}))["rule"] == "(no policy)"
        assert proofs(home) == []
        home.policy(ALLOW_ALL)
        await_rule(gateway, "allowed")
        assert len(proofs(home)) == 1


def test_a_state_file_that_is_locked_lets_nobody_pass_untested(home: Home, upstream: Scripted) -> None:
    with Gateway(home, upstream.url, policy=ALLOW_ALL) as gateway:  # makes the file
        gateway.initialize()
        gateway.call("one", {})
    with closing(sqlite3.connect(home.state, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with Gateway(home, upstream.url, policy=ALLOW_ALL, altered="hasty") as gateway:
            gateway.initialize()
            assert decision(gateway.call("one", {}))["rule"] == "(state)"
            other.execute("ROLLBACK")
            await_rule(gateway, "allowed")
    assert len(proofs(home)) == 2


def test_a_gateway_that_is_stopped_is_tested_all_the_same(home: Home, upstream: Scripted) -> None:
    assert command(home, "stop").returncode == 0
    with Gateway(home, upstream.url, policy=ALLOW_ALL) as gateway:
        gateway.initialize()
        assert decision(gateway.call("one", {}))["rule"] == "(stopped)"
    (record,) = proofs(home)
    assert record.rule == "(hidden)"


def test_nothing_is_tested_before_the_first_answer(home: Home, upstream: Scripted) -> None:
    done = subprocess.run(
        Gateway.command(upstream.url),
        input="",
        env=home.variables(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0
    assert not home.state.exists()
