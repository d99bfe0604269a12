"""Calls that a person has to approve, before a client that cannot ask: held, answered, repeated (B21, B22).

What reached the upstream is what the stand-in's journal says: nothing that was not approved, and nothing twice.
"""

from typing import Any

import pytest

from gateway.standin import Standin
from gateway.state import Record
from tests.e2e.asked import answer, pending
from tests.e2e.process import Gateway, Home, called_tools, decision

Json = Any
SEND = "send_email"
MAIL = {"to": "ann@example.com", "subject": "Hello", "body": "Dear Ann"}
OTHER = {**MAIL, "to": "eve@example.com"}


def policy(**entry: Json) -> Json:
    asked = {"conditions": [], "reason": "Mail goes out.", **entry.pop("asked", {})}
    return {"version": "1", "default": "allow", "tools": {SEND: {"approve_if": [asked], **entry}}}


@pytest.fixture
def quick(home: Home) -> Home:
    """A home whose gateways do not wait for an answer."""
    home.environment["KEYID_GATEWAY_APPROVAL_WAIT"] = "0"
    return home


def ran(standin: Standin) -> list[str]:
    return called_tools(standin.journal)


def text(result: Json) -> str:
    return str(result["content"][0]["text"])


def told(home: Home, kind: str) -> list[Record]:
    return [record for record in home.records() if record.kind == kind]


def test_a_call_is_held_until_a_person_approves_it(home: Home, standin: Standin) -> None:
    with Gateway(home, standin.url, policy=policy()) as gateway:
        gateway.initialize()
        identifier = gateway.begin("tools/call", {"name": SEND, "arguments": MAIL})
        (asked,) = pending(home)
        assert ran(standin) == []
        assert (asked.question.tool, asked.question.arguments, asked.question.reason) == (SEND, MAIL, "Mail goes out.")
        answer(home, "approve")
        assert gateway.answer(identifier)["result"]["isError"] is False
    assert ran(standin) == [SEND]
    (question,), (answered,) = told(home, "question"), told(home, "answer")
    (decided,) = told(home, "decided")
    assert (question.decision_id, answered.decision_id) == (asked.question.id, asked.question.id)
    assert question.message == f"asked for decision {decided.decision_id}: Mail goes out."
    assert (answered.outcome, answered.message) == ("approved", "approved by a person (test)")
    assert (decided.effect, decided.rule, decided.reason) == ("allow", f"/tools/{SEND}/approve_if/0", "approval")
    assert decided.message == f"approved by a person (test), question {asked.question.id}"
