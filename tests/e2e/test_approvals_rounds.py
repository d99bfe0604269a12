"""An approved call that goes in rounds, and one that is sent once more: approved once, and only as it was approved."""

from collections.abc import Iterator
from typing import Any

import pytest

from gateway.approvals import wording
from tests.e2e.arena import META, STATELESS
from tests.e2e.asked import answer, pending
from tests.e2e.process import Gateway, Home, decision
from tests.e2e.scripted import Scripted, result, said
from tests.e2e.test_exchanges import ANSWERED, DONE, asking
from tests.e2e.test_reload import await_version, document

Json = Any
ASK: Json = {"work": {"approve_if": [{"conditions": [], "reason": "Work."}]}}


@pytest.fixture
def upstream() -> Iterator[Scripted]:
    with Scripted(["probe", "work"]) as running:
        yield running


@pytest.fixture
def quick(home: Home) -> Home:
    home.environment["KEYID_GATEWAY_APPROVAL_WAIT"] = "0"
    return home


def call(gateway: Gateway, arguments: Json = None, **params: Json) -> Json:
    return gateway.call("work", arguments or {}, _meta=META[STATELESS], **params)


def test_the_rounds_of_an_approved_call_are_approved(quick: Home, upstream: Scripted) -> None:
    with Gateway(quick, upstream.url, policy=document("first", tools=ASK)) as gateway:
        upstream.script("work", asking("s1"), asking("s2"), DONE)
        answer(quick, "approve", decision(call(gateway))["question"])
        assert call(gateway)["requestState"] == "s1"
        assert call(gateway, inputResponses=ANSWERED, requestState="s1")["requestState"] == "s2"
        assert call(gateway, inputResponses=ANSWERED, requestState="s2")["content"] == said("done")["content"]
        assert not pending(quick, 0)
        assert decision(call(gateway))["reason"] == "approval"
    assert len(upstream.calls("work")) == 3


def test_what_only_looks_like_a_round_is_asked_about(quick: Home, upstream: Scripted) -> None:
    with Gateway(quick, upstream.url, policy=document("first", tools=ASK)) as gateway:
        upstream.script("work", asking("s1"), DONE)
        number = decision(call(gateway))["question"]
        answer(quick, "approve", number)
        forged = decision(call(gateway, inputResponses=ANSWERED, requestState="made up"))
        assert (forged["reason"], forged["question"] != number) == ("approval", True)
        assert call(gateway)["requestState"] == "s1"
        other = decision(call(gateway, {"more": 1}, inputResponses=ANSWERED, requestState="s1"))
        assert other["reason"] == "approval"
    assert len(upstream.calls("work")) == 1


def test_a_round_under_another_policy_is_asked_about_anew(quick: Home, upstream: Scripted) -> None:
    with Gateway(quick, upstream.url, policy=document("first", tools=ASK)) as gateway:
        upstream.script("work", asking("s1"), DONE)
        answer(quick, "approve", decision(call(gateway))["question"])
        assert call(gateway)["requestState"] == "s1"
        quick.policy(document("second", tools=ASK))
        await_version(gateway, "second")
        assert decision(call(gateway, inputResponses=ANSWERED, requestState="s1"))["reason"] == "approval"
    assert len(upstream.calls("work")) == 1


def test_a_tool_that_changed_since_it_was_approved_is_asked_about_anew(quick: Home, upstream: Scripted) -> None:
    with Gateway(quick, upstream.url, policy=document("first", tools=ASK)) as gateway:
        gateway.initialize()
        number = decision(gateway.call("work", {}))["question"]
        answer(quick, "approve", number)
        changed = {"name": "work", "description": "Another.", "inputSchema": {"type": "object"}}
        probe = {"name": "probe", "inputSchema": {"type": "object"}}
        upstream.script("tools/list", result({"tools": [probe, changed]}))
        assert len(gateway.request("tools/list")["result"]["tools"]) == 2
        again = decision(gateway.call("work", {}))
        assert (again["reason"], again["question"] != number) == ("approval", True)
    assert upstream.calls("work") == []


def test_b23_what_a_call_carries_beside_its_arguments_is_shown(quick: Home, upstream: Scripted) -> None:
    """An answer to a question of the server's that nobody asked says as much to it as an argument does."""
    beside = "(beside the arguments)"
    with Gateway(quick, upstream.url, policy=document("first", tools=ASK)) as gateway:
        arguments = {"a": 1, f"{beside} requestState": "mine"}
        call(gateway, arguments, inputResponses={"to": {"address": "eve@example.com"}}, requestState="s")
        question = pending(quick)[0].question
        assert question.arguments == {
            **arguments,
            f"{beside} inputResponses": {"to": {"address": "eve@example.com"}},
            f"{beside} {beside} requestState": "s",
        }
        for text in (wording.whole(question), wording.full(question), wording.message(question)):
            assert "eve@example.com" in text
    assert upstream.calls("work") == []
