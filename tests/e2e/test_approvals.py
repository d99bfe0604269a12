"""Calls that a person has to approve, before a client that cannot ask: held, answered, repeated (B21, B22).

What reached the upstream is what the stand-in's journal says: nothing that was not approved, and nothing twice.
"""

import json
import time
from collections.abc import Mapping
from typing import Any

import pytest

from gateway.approvals import answers
from gateway.standin import Standin
from gateway.state import EVERYONE, Halt, Record, Transaction
from tests.e2e.asked import answer, changed, pending
from tests.e2e.process import PATIENCE, Gateway, Home, called_tools, decision

Json = Any
SEND = "send_email"
PROBE = "get_metrics"
MAIL = {"to": "ann@example.com", "subject": "Hello", "body": "Dear Ann"}
OTHER = {**MAIL, "to": "eve@example.com"}
RULE = f"/tools/{SEND}/approve_if/0"


def policy(version: str = "first", asked: Mapping[str, Json] | None = None, **entry: Json) -> Json:
    """A policy that has every mail approved."""
    rule = {"conditions": [], "reason": "Mail goes out.", **(asked or {})}
    probe = {"action": "deny", "reason": version}
    return {"version": "1", "default": "allow", "tools": {PROBE: probe, SEND: {"approve_if": [rule], **entry}}}


@pytest.fixture
def quick(home: Home) -> Home:
    """A home whose gateways do not wait for an answer."""
    home.environment["KEYID_GATEWAY_APPROVAL_WAIT"] = "0"
    return home


def begun(gateway: Gateway, arguments: Json = MAIL, **params: Json) -> int:
    return gateway.begin("tools/call", {"name": SEND, "arguments": arguments, **params})


def ran(standin: Standin) -> list[str]:
    return called_tools(standin.journal)


def text(result: Json) -> str:
    return str(result["content"][0]["text"])


def told(home: Home, kind: str) -> list[Record]:
    return [record for record in home.records() if record.kind == kind]


def await_version(gateway: Gateway, version: str) -> None:
    """Wait until the policy of this name is in force."""
    deadline = time.monotonic() + PATIENCE
    while (found := text(gateway.call(PROBE, {}))) != f"[POLICY DENIED] {version}":
        assert time.monotonic() < deadline, found


def required(result: Json) -> str:
    """The id of the question that a result says is open."""
    said = decision(result)
    assert (result["isError"], said["effect"], said["rule"], said["reason"]) == (True, "deny", RULE, "approval")
    assert "structuredContent" not in result
    number = str(said["question"])
    assert text(result).startswith("[APPROVAL REQUIRED] Mail goes out. A person has to approve this call; nothing was")
    assert f"Tell them to run `keyid-gateway approvals approve {number}`, " in text(result)
    assert "; that is theirs to do, not yours. " in text(result)
    return number


# --- held -------------------------------------------------------------------------------------------------------------


def test_a_call_is_held_until_a_person_approves_it(home: Home, standin: Standin) -> None:
    with Gateway(home, standin.url, policy=policy()) as gateway:
        gateway.initialize()
        identifier = begun(gateway)
        (asked,) = pending(home)
        gateway.wait_for_error(f"a call waits for a person: `keyid-gateway approvals approve {asked.question.id}`")
        assert ran(standin) == []
        assert (asked.question.tool, asked.question.arguments, asked.question.reason) == (SEND, MAIL, "Mail goes out.")
        assert asked.waiters == 1
        answer(home, "approve")
        assert gateway.answer(identifier)["result"]["isError"] is False
    assert ran(standin) == [SEND]
    (question,), (answered,), (decided,) = told(home, "question"), told(home, "answer"), told(home, "decided")
    assert (question.decision_id, answered.decision_id) == (asked.question.id, asked.question.id)
    assert question.message == f"asked for decision {decided.decision_id}: Mail goes out."
    assert (answered.outcome, answered.message) == ("approved", "approved by a person (test)")
    assert (decided.effect, decided.rule, decided.reason) == ("allow", RULE, "approval")
    assert decided.message == f"approved by a person (test), question {asked.question.id}"


def test_a_call_that_is_denied_is_not_made_and_stays_denied_for_a_while(home: Home, standin: Standin) -> None:
    with Gateway(home, standin.url, policy=policy()) as gateway:
        gateway.initialize()
        identifier = begun(gateway)
        answer(home, "deny")
        result = gateway.answer(identifier)["result"]
        assert text(result).startswith(
            "[POLICY DENIED] A person has denied this call. The same call stays denied until "
        )
        assert text(result).endswith(" Ask them what they want instead, before anything that comes to the same.")
        assert (decision(result)["reason"], decision(result)["effect"]) == ("approval", "deny")
        assert text(gateway.call(SEND, MAIL)) == text(result)
        assert not pending(home, 0)
        identifier = begun(gateway, OTHER)
        assert pending(home)[0].question.arguments == OTHER
        answer(home, "approve")
        assert gateway.answer(identifier)["result"]["isError"] is False
    assert ran(standin) == [SEND]


def test_a_denial_is_forgotten_after_its_time(quick: Home, standin: Standin) -> None:
    with Gateway(quick, standin.url, policy=policy()) as gateway:
        gateway.initialize()
        number = required(gateway.call(SEND, MAIL))
        answer(quick, "deny", number, seconds=0.0)
        assert required(gateway.call(SEND, MAIL)) != number
    assert ran(standin) == []


def test_nobody_else_waits_behind_a_call_that_is_held(home: Home, standin: Standin) -> None:
    with Gateway(home, standin.url, policy=policy()) as gateway:
        gateway.initialize()
        identifiers = [begun(gateway, {**MAIL, "subject": str(number)}) for number in range(20)]
        pending(home, 20)
        assert gateway.call("get_identity", {})["isError"] is False
        for standing in pending(home, 20):
            answer(home, "approve", standing.question.id)
        assert all(each["result"]["isError"] is False for each in gateway.answers(identifiers))
    assert ran(standin) == ["get_identity", *[SEND] * 20]


def test_a_client_that_asked_for_progress_hears_of_it_until_the_answer(home: Home, standin: Standin) -> None:
    with Gateway(home, standin.url, policy=policy()) as gateway:
        gateway.initialize()
        identifier = begun(gateway, _meta={"progressToken": "token"})
        number = pending(home)[0].question.id
        said = gateway.hear("notifications/progress")["params"]
        assert said["progressToken"] == "token"
        assert -45 <= said["progress"] < 0
        assert said["message"] == f"waiting for a person: `keyid-gateway approvals approve {number}`"
        answer(home, "approve")
        gateway.answer(identifier)
        gateway.close()
        assert [message for message in gateway.rest() if message.get("method") == "notifications/progress"] == []


def test_who_is_asked_in_vain_is_not_asked(home: Home, standin: Standin) -> None:
    limited = policy(limits=[{"counter": "c", "window": "day", "max": 1, "scope": "grant"}])
    with Gateway(home, standin.url, policy=limited) as gateway:
        gateway.initialize()
        identifier = begun(gateway)
        answer(home, "approve")
        gateway.answer(identifier)
        assert decision(gateway.call(SEND, OTHER))["reason"] == "limit"
        assert not pending(home, 0)
    assert ran(standin) == [SEND]


# --- repeated ---------------------------------------------------------------------------------------------------------


def test_a_call_that_waited_in_vain_is_made_when_it_comes_again(home: Home, standin: Standin) -> None:
    home.environment["KEYID_GATEWAY_APPROVAL_WAIT"] = "0.3"
    with Gateway(home, standin.url, policy=policy()) as gateway:
        gateway.initialize()
        number = required(gateway.call(SEND, MAIL))
        assert required(gateway.call(SEND, dict(reversed(MAIL.items())))) == number
        answer(home, "approve", number)
        assert required(gateway.call(SEND, OTHER)) != number
        assert gateway.call(SEND, MAIL, _meta={"progressToken": 1})["isError"] is False
        assert required(gateway.call(SEND, MAIL)) != number
    assert ran(standin) == [SEND]
    refused = [record for record in told(home, "refused") if record.reason == "approval"]
    assert [record.rule for record in refused] == [RULE] * 4


def test_an_approval_is_good_for_one_of_many_that_ask_at_once(quick: Home, standin: Standin) -> None:
    with Gateway(quick, standin.url, policy=policy()) as one, Gateway(quick, standin.url, policy=policy()) as two:
        one.initialize()
        two.initialize()
        number = required(one.call(SEND, MAIL))
        assert required(two.call(SEND, MAIL)) == number
        answer(quick, "approve", number)
        begun_there = {gateway: [begun(gateway) for _ in range(5)] for gateway in (one, two)}
        results = [each["result"] for gateway, sent in begun_there.items() for each in gateway.answers(sent)]
        passed = [result for result in results if result["isError"] is False]
        assert len(passed) == 1
        others = {required(result) for result in results if result not in passed}
        assert len(others) == 1
        assert others != {number}
    assert ran(standin) == [SEND]


def test_two_gateways_ask_one_question_and_one_of_their_calls_is_made(home: Home, standin: Standin) -> None:
    home.environment["KEYID_GATEWAY_APPROVAL_WAIT"] = "3"
    with Gateway(home, standin.url, policy=policy()) as one, Gateway(home, standin.url, policy=policy()) as two:
        one.initialize()
        two.initialize()
        first, second = begun(one), begun(two)
        while (asked := pending(home)[0]).waiters != 2:
            pass
        answer(home, "approve")
        results = [one.answer(first)["result"], two.answer(second)["result"]]
        (other,) = [result for result in results if result["isError"]]
        assert required(other) != asked.question.id
    assert ran(standin) == [SEND]


def test_an_approval_that_nobody_used_in_time_is_none(quick: Home, standin: Standin) -> None:
    with Gateway(quick, standin.url, policy=policy(), clocked=True) as gateway:
        gateway.initialize()
        number = required(gateway.call(SEND, MAIL))
        answer(quick, "approve", number)
        quick.move_clock(601)
        again = required(gateway.call(SEND, MAIL))
        assert again != number
        quick.move_clock(-3600)
        assert required(gateway.call(SEND, MAIL)) not in (number, again)
    assert ran(standin) == []
    assert [record.outcome for record in told(quick, "answer")] == ["approved", "expired", "expired"]


# --- what the approval was for has changed ----------------------------------------------------------------------------


def test_a_policy_that_was_edited_meanwhile_asks_anew(quick: Home, standin: Standin) -> None:
    with Gateway(quick, standin.url, policy=policy()) as gateway:
        gateway.initialize()
        number = required(gateway.call(SEND, MAIL))
        answer(quick, "approve", number)
        quick.policy(policy("second"))
        await_version(gateway, "second")
        assert required(gateway.call(SEND, MAIL)) != number
    assert ran(standin) == []


def test_a_policy_that_denies_by_the_time_of_the_answer_denies(home: Home, standin: Standin) -> None:
    with Gateway(home, standin.url, policy=policy()) as gateway:
        gateway.initialize()
        identifier = begun(gateway)
        number = pending(home)[0].question.id
        home.policy(policy("second", deny_if=[{"conditions": [], "on_deny": "Not today."}]))
        await_version(gateway, "second")
        answer(home, "approve", number)
        assert text(gateway.answer(identifier)["result"]) == "[POLICY DENIED] Not today."
    assert ran(standin) == []


def test_a_held_call_whose_policy_was_edited_is_asked_about_anew(home: Home, standin: Standin) -> None:
    with Gateway(home, standin.url, policy=policy()) as gateway:
        gateway.initialize()
        identifier = begun(gateway)
        first = pending(home)[0].question.id
        home.policy(policy("second"))
        await_version(gateway, "second")
        answer(home, "approve", first)
        (second,) = pending(home)
        assert second.question.id != first
        answer(home, "approve", second.question.id)
        assert gateway.answer(identifier)["result"]["isError"] is False
    assert ran(standin) == [SEND]


# --- taken back, ended, killed ----------------------------------------------------------------------------------------


def test_a_call_that_is_taken_back_takes_its_question_along(home: Home, standin: Standin) -> None:
    with Gateway(home, standin.url, policy=policy()) as gateway:
        gateway.initialize()
        identifier = begun(gateway)
        pending(home)
        gateway.notify("notifications/cancelled", {"requestId": identifier})
        pending(home, 0)
        assert gateway.call("get_identity", {})["isError"] is False
    assert ran(standin) == ["get_identity"]
    (ended,) = told(home, "answer")
    assert (ended.outcome, ended.message) == ("withdrawn", "the call was taken back")
    assert [record.reason for record in told(home, "refused")] == ["cancelled"]


def test_a_call_that_is_taken_back_leaves_the_question_to_another(home: Home, standin: Standin) -> None:
    with Gateway(home, standin.url, policy=policy()) as one, Gateway(home, standin.url, policy=policy()) as two:
        one.initialize()
        two.initialize()
        first, second = begun(one), begun(two)
        while pending(home)[0].waiters != 2:
            pass
        one.notify("notifications/cancelled", {"requestId": first})
        while pending(home)[0].waiters != 1:
            pass
        answer(home, "approve")
        assert two.answer(second)["result"]["isError"] is False
    assert ran(standin) == [SEND]


def test_a_gateway_that_ends_takes_its_questions_back(home: Home, standin: Standin) -> None:
    with Gateway(home, standin.url, policy=policy()) as gateway:
        gateway.initialize()
        begun(gateway)
        pending(home)
        assert gateway.close() == 0
    assert not pending(home, 0)
    assert ran(standin) == []


def test_who_stops_everything_ends_what_is_held_too(home: Home, standin: Standin) -> None:
    with Gateway(home, standin.url, policy=policy()) as gateway:
        gateway.initialize()
        identifier = begun(gateway)
        pending(home)
        changed(home, lambda tx: tx.switch.halt(Halt(EVERYONE, time.time(), "me", "Enough.", at_once=True)))
        assert text(gateway.answer(identifier)["result"]).startswith("[POLICY DENIED] Stopped by the owner")
        assert not pending(home, 0)
    assert ran(standin) == []


def test_an_approval_opens_nothing_that_was_stopped_meanwhile(home: Home, standin: Standin) -> None:
    with Gateway(home, standin.url, policy=policy()) as gateway:
        gateway.initialize()
        identifier = begun(gateway)
        (asked,) = pending(home)

        def at_once(tx: Transaction) -> None:
            tx.switch.halt(Halt(EVERYONE, time.time(), "me", "Enough."))
            assert answers.write(tx, asked.question.id, "approve", time.time(), by="test") is not None

        changed(home, at_once)
        assert text(gateway.answer(identifier)["result"]).startswith("[POLICY DENIED] Stopped by the owner")
        changed(home, lambda tx: tx.switch.lift(EVERYONE))
        assert gateway.call(SEND, MAIL)["isError"] is False
    assert ran(standin) == [SEND]


def test_a_call_too_large_to_be_read_is_refused(home: Home, standin: Standin) -> None:
    with Gateway(home, standin.url, policy=policy()) as gateway:
        gateway.initialize()
        said = gateway.call(SEND, {**MAIL, "body": "x" * 2**20})
        assert text(said).startswith(
            "[POLICY DENIED] Mail goes out. Nobody can be asked: its arguments are larger than a"
        )
        assert not pending(home, 0)
    assert ran(standin) == []


def test_a_gateway_that_was_killed_leaves_an_approval_that_is_good_once(home: Home, standin: Standin) -> None:
    with Gateway(home, standin.url, policy=policy()) as gateway:
        gateway.initialize()
        begun(gateway)
        pending(home)
        gateway.process.kill()
        gateway.wait()
    answer(home, "approve")
    home.environment["KEYID_GATEWAY_APPROVAL_WAIT"] = "0"
    with Gateway(home, standin.url, policy=policy()) as gateway:
        gateway.initialize()
        assert gateway.call(SEND, MAIL)["isError"] is False
        required(gateway.call(SEND, MAIL))
    assert ran(standin) == [SEND]


def test_a_call_is_not_made_without_a_person_where_it_is_only_tried_out(quick: Home, standin: Standin) -> None:
    observed = {**policy(deny_if=[{"conditions": []}]), "mode": "observe"}
    with Gateway(quick, standin.url, policy=observed) as gateway:
        gateway.initialize()
        required(gateway.call(SEND, MAIL))
    assert ran(standin) == []


# --- remember ---------------------------------------------------------------------------------------------------------


def test_an_approval_covers_what_it_was_said_to_cover_and_no_more(quick: Home, standin: Standin) -> None:
    kept = {"remember": {"paths": ["args.to", "args.cc"], "seconds": 60}}
    with Gateway(quick, standin.url, policy=policy(asked=kept), clocked=True) as gateway:
        gateway.initialize()
        answer(quick, "approve", required(gateway.call(SEND, MAIL)))
        assert gateway.call(SEND, MAIL)["isError"] is False
        assert gateway.call(SEND, {**MAIL, "body": "More"})["isError"] is False
        required(gateway.call(SEND, OTHER))
        required(gateway.call(SEND, {**MAIL, "cc": "eve@example.com"}))
        required(gateway.call(SEND, {**MAIL, "cc": None}))
        quick.move_clock(61)
        required(gateway.call(SEND, {**MAIL, "body": "Later"}))
    assert ran(standin) == [SEND] * 2
    said = [record.message for record in told(quick, "decided")]
    assert said == ["covered by what a person has approved before (`remember`)"] * 2


def test_what_one_rule_remembers_another_still_asks(quick: Home, standin: Standin) -> None:
    kept = {"remember": {"paths": ["args.to"], "seconds": 60}}
    both = policy(asked=kept, action="require_approval")
    with Gateway(quick, standin.url, policy=both) as gateway:
        gateway.initialize()
        answer(quick, "approve", decision(gateway.call(SEND, MAIL))["question"])
        assert gateway.call(SEND, MAIL)["isError"] is False
        assert decision(gateway.call(SEND, {**MAIL, "body": "More"}))["reason"] == "approval"
    assert ran(standin) == [SEND]


# --- what is kept -----------------------------------------------------------------------------------------------------


def test_arguments_are_gone_when_the_question_is_over(quick: Home, standin: Standin) -> None:
    secret = {**MAIL, "body": "the-word-is-swordfish"}
    with Gateway(quick, standin.url, policy=policy()) as gateway:
        gateway.initialize()
        answer(quick, "approve", required(gateway.call(SEND, secret)))
        assert gateway.call(SEND, secret)["isError"] is False
        answer(quick, "deny", required(gateway.call(SEND, secret)))
    changed(quick, lambda _: None)
    assert b"swordfish" not in quick.state.read_bytes()
    assert "swordfish" not in json.dumps([record.message for record in quick.records()])
    assert quick.state.stat().st_mode & 0o777 == 0o600
