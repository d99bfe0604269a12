"""Bypass classes B10, B31 to B33: no order, secret, project file or mistake in a policy opens anything."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway.standin import Standin
from tests.e2e.arena import ERAS, GOOD, HANDSHAKE, META
from tests.e2e.process import ALLOW_ALL, PATIENCE, Gateway, Home, called_tools, decision

DENY: Mapping[str, Any] = {"conditions": [{"path": "args.a", "op": "eq", "value": 1}]}
CLOSED = {"version": "1", "default": "deny", "tools": {GOOD: {}}}


def refused_then_mended(home: Home, standin: Standin, document: str, era: str, word: str) -> None:
    """A gateway under a document that is no policy refuses, says why, and works when it is mended."""
    with Gateway(home, standin.url, policy=home.policy(document)) as gateway:
        gateway.initialize()
        for tool in (GOOD, "delete_file"):
            denial = gateway.call(tool, {}, _meta=META[era])
            assert decision(denial)["rule"] == "(no policy)"
            assert word in denial["content"][0]["text"]
        assert called_tools(standin.journal) == []
        assert {record.rule for record in home.records()} == {"(no policy)"}
        home.policy(CLOSED)
        until = time.monotonic() + PATIENCE
        while "structuredContent" not in (answer := gateway.call(GOOD, {}, _meta=META[era])):
            assert decision(answer)["rule"] == "(no policy)"
            assert time.monotonic() < until, "the mended policy is not taken"
        assert decision(gateway.call("delete_file", {}, _meta=META[era]))["rule"] == "(default deny)"


MISTAKES = {
    "unknown key": ({**ALLOW_ALL, "hidden": ["delete_file"]}, "hidden"),
    "unknown key of a tool": ({**ALLOW_ALL, "tools": {"delete_file": {"denyif": [DENY]}}}, "denyif"),
    "unknown key of a predicate": ({**ALLOW_ALL, "tools": {GOOD: {"deny_if": [{"condition": []}]}}}, "condition"),
    "unknown key of a limit": (
        {**ALLOW_ALL, "tools": {GOOD: {"limits": [{"counter": "a", "window": "day", "maximum": 1, "scope": "grant"}]}}},
        "maximum",
    ),
    "unknown operator": (
        {**ALLOW_ALL, "tools": {GOOD: {"deny_if": [{"conditions": [{"path": "args.a", "op": "is", "value": 1}]}]}}},
        "op",
    ),
    "unknown action": ({**ALLOW_ALL, "tools": {GOOD: {"action": "denied"}}}, "action"),
    "unknown root": (
        {**ALLOW_ALL, "tools": {GOOD: {"deny_if": [{"conditions": [{"path": "arg.a", "op": "eq", "value": 1}]}]}}},
        "arg",
    ),
    "bare star": ({"version": "1", "default": "deny", "tools": {"*": {}}}, "*"),
    "no version": ({"default": "allow"}, "version"),
    "another version": ({"version": 1, "default": "allow"}, "version"),
    "no default": ({"version": "1"}, "default"),
}


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(("document", "word"), MISTAKES.values(), ids=MISTAKES)
def test_b33_a_policy_with_a_mistake_allows_nothing(
    home: Home, standin: Standin, document: Mapping[str, Any], word: str, era: str
) -> None:
    refused_then_mended(home, standin, json.dumps(document), era, word)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "null",
        '{"version":"1","default":"deny","default":"allow"}',
        '{"version":"1","default":"allow"',
        '{"version":"1","default":"allow","hide":["delete_file"],"hide":[]}',
        '{"version":"1","default":"allow",}',
        '{"version":"1","default":"allow"}x',
        '{"version":"1","default":"Allow"}',
        "version: '1'\ndefault: allow",
    ],
)
def test_b33_a_text_that_is_no_policy_allows_nothing(home: Home, standin: Standin, text: str) -> None:
    refused_then_mended(home, standin, text, HANDSHAKE, "")


@pytest.mark.parametrize(
    "entry",
    [
        {"rules": [{"action": "allow"}, {"action": "deny", **DENY}]},
        {"rules": [{"action": "deny", **DENY}, {"action": "allow"}]},
        {"action": "allow", "deny_if": [DENY, {"conditions": [{"path": "args.b", "op": "eq", "value": 2}]}]},
        {"require": [], "deny_if": [{"conditions": [{"path": "args.b", "op": "exists", "value": True}]}, DENY]},
        {"rules": [{"action": "allow", "rate_limit": "5/minute"}], "deny_if": [DENY]},
    ],
    ids=["allow first", "deny first", "two refusals", "two conditions", "beside a limit"],
)
def test_b10_what_one_part_refuses_no_other_part_allows(home: Home, standin: Standin, entry: Mapping[str, Any]) -> None:
    document = {"version": "1", "default": "allow", "tools": {GOOD: entry}}
    with Gateway(home, standin.url, policy=document) as gateway:
        gateway.initialize()
        assert decision(gateway.call(GOOD, {"a": 1}))["reason"] == "deny_if"
        assert gateway.call(GOOD, {"a": 2})["structuredContent"] == {"echo": {"a": 2}}
    assert called_tools(standin.journal) == [GOOD]


def test_b31_nothing_that_identifies_a_call_can_be_guessed(tmp_path: Path, standin: Standin) -> None:
    digests, ids = [], []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        home = Home(tmp_path / name)
        for _ in range(2):
            with Gateway(home, standin.url, policy=ALLOW_ALL) as gateway:
                gateway.initialize()
                gateway.call(GOOD, {"secret": "1234"})
        records = [record for record in home.records() if record.kind == "decided"]
        digests.append({record.argument_digest for record in records})
        ids += [record.decision_id for record in records] + [record.session for record in records]
        assert home.state.stat().st_mode & 0o077 == 0
        assert "1234" not in home.state.read_bytes().decode("latin-1")
    assert [len(found) for found in digests] == [1, 1], "the same arguments have the same digest on one machine"
    assert digests[0] != digests[1], "and another one on another machine"
    assert len(set(ids)) == len(ids)
    assert all(len(one) >= 16 for one in ids)


def test_b32_what_a_grant_was_judged_by_is_not_forgotten_for_a_looser_one(home: Home, standin: Standin) -> None:
    with Gateway(home, standin.url, policy=CLOSED) as gateway:
        gateway.initialize()
        assert "structuredContent" in gateway.call(GOOD, {})
    home.policy(CLOSED).unlink()
    for arguments in ([], ["--policy", str(home.path / "policy.json")]):
        with Gateway(home, standin.url, *arguments) as gateway:
            gateway.initialize()
            assert decision(gateway.call("get_identity", {}))["rule"] == "(no policy)"
            assert decision(gateway.call(GOOD, {}))["rule"] == "(no policy)"
    assert called_tools(standin.journal) == [GOOD]


def test_b32_a_policy_that_vanishes_or_breaks_while_it_is_in_force_stays_in_force(home: Home, standin: Standin) -> None:
    with Gateway(home, standin.url, policy=CLOSED) as gateway:
        gateway.initialize()
        assert "structuredContent" in gateway.call(GOOD, {})
        for text in ("", '{"version":"1","default":"allow",', "{}"):
            home.policy(text)
            assert decision(gateway.call("delete_file", {"key": "k"}))["rule"] == "(default deny)"
        home.policy(CLOSED).unlink()
        assert decision(gateway.call("delete_file", {"key": "k"}))["rule"] == "(default deny)"
    assert called_tools(standin.journal) == [GOOD]
