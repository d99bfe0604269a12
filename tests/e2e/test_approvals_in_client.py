"""Asking in the client, both eras, message by message: what is an answer, and what never is one (B21, B22, B23)."""

import json
import threading
import time
from collections.abc import Mapping
from typing import Any

import pytest

from gateway.policy import load
from gateway.standin import Standin
from gateway.state.passcode import Passcode
from tests.e2e.arena import META, STATELESS
from tests.e2e.asked import answer, changed, pending
from tests.e2e.process import ALLOW_ALL, PATIENCE, Gateway, Home, decision
from tests.e2e.scripted import Scripted, result, said

Json = Any
CLIENT = "test-client"
NAMED = ("--approve-in-client", CLIENT)
SEND = "send_email"
MAIL = {"to": "ann@example.com", "subject": "Hello", "body": "Dear Ann"}
OTHER = {**MAIL, "to": "eve@example.com"}
ELICITS: Json = {"elicitation": {}}
KEY = "keyid-gateway/approval"
APPROVE = {"action": "accept", "content": {"decision": "approve"}}
DENY = {"action": "accept", "content": {"decision": "deny"}}
DECLINE, CANCEL = {"action": "decline"}, {"action": "cancel"}
CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"


def policy(reason: str = "Mail goes out.", tool: str = SEND) -> Json:
    return {
        "version": "1",
        "default": "allow",
        "tools": {tool: {"approve_if": [{"conditions": [], "reason": reason}]}},
    }


@pytest.fixture
def quick(home: Home) -> Home:
    """A home whose gateways do not wait for an answer from elsewhere."""
    home.environment["KEYID_GATEWAY_APPROVAL_WAIT"] = "0"
    return home


def ran(standin: Standin) -> list[Json]:
    return [entry["arguments"] for entry in standin.journal if entry.get("event") == "tool"]


def stateless(arguments: Mapping[str, Json] = MAIL, capabilities: Json = None, **params: Json) -> Json:
    meta = {**META[STATELESS], CAPABILITIES: ELICITS if capabilities is None else capabilities}
    return {"name": SEND, "arguments": dict(arguments), "_meta": meta, **params}


def call(gateway: Gateway, arguments: Mapping[str, Json] = MAIL, **params: Json) -> Json:
    """One stateless call: what it came to."""
    return gateway.request("tools/call", stateless(arguments, **params))["result"]


def again(asked: Json, answered: Json = APPROVE) -> Json:
    """What the next round carries."""
    return {"requestState": asked["requestState"], "inputResponses": {KEY: answered}}


def replace(home: Home, gateway: Gateway, document: Json) -> None:
    """Edit the policy, and wait until it is in force."""
    home.policy(document)
    gateway.wait_for_error(load(json.dumps(document).encode(), name="policy").revision[:16])


def await_waiters(home: Home, count: int) -> None:
    """Wait until so many calls wait for the answer to the one question."""
    waiting, deadline = threading.Event(), time.monotonic() + PATIENCE
    while (found := pending(home)[0].waiters) != count:
        assert time.monotonic() < deadline, f"{found} calls wait, not {count}"
        waiting.wait(0.01)


def arrived(standin: Standin) -> str:
    return "\n".join(str(entry.get("body")) for entry in standin.journal)


# --- in a session -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("answered", "made"), [(APPROVE, True), (DENY, False), (DECLINE, False)])
def test_in_a_session_the_client_is_asked_while_the_call_waits(
    home: Home, standin: Standin, answered: Json, made: bool
) -> None:
    with Gateway(home, standin.url, *NAMED, policy=policy()) as gateway:
        gateway.initialize(ELICITS)
        identifier = gateway.begin("tools/call", {"name": SEND, "arguments": MAIL})
        asked = gateway.hear("elicitation/create")
        assert ran(standin) == []
        assert "ann@example.com" in asked["params"]["message"]
        assert "not the server" in asked["params"]["message"]
        gateway.send({"jsonrpc": "2.0", "id": asked["id"], "result": answered})
        found = gateway.answer(identifier)["result"]
        assert found["isError"] is not made
        if not made:
            assert "denied" in found["content"][0]["text"]
            assert decision(found)["reason"] == "approval"
    assert ran(standin) == ([MAIL] if made else [])
    assert asked["id"] not in arrived(standin)
    assert "decision" not in arrived(standin)
    (record,) = [record for record in home.records() if record.kind == "answer"]
    assert "(client)" in record.message


@pytest.mark.parametrize(
    "answered", [CANCEL, {"action": "accept", "content": {"decision": "yes"}}, {"action": "accept"}, {}, []]
)
def test_what_is_no_answer_leaves_it_to_the_terminal(home: Home, standin: Standin, answered: Json) -> None:
    with Gateway(home, standin.url, *NAMED, policy=policy()) as gateway:
        gateway.initialize(ELICITS)
        identifier = gateway.begin("tools/call", {"name": SEND, "arguments": MAIL})
        asked = gateway.hear("elicitation/create")
        gateway.send({"jsonrpc": "2.0", "id": asked["id"], "result": answered})
        gateway.request("ping")
        assert ran(standin) == []
        answer(home, "approve")
        assert gateway.answer(identifier)["result"]["isError"] is False
    assert ran(standin) == [MAIL]


def test_an_answer_from_elsewhere_withdraws_the_question(home: Home, standin: Standin) -> None:
    with Gateway(home, standin.url, *NAMED, policy=policy()) as gateway:
        gateway.initialize(ELICITS)
        identifier = gateway.begin("tools/call", {"name": SEND, "arguments": MAIL})
        asked = gateway.hear("elicitation/create")
        answer(home, "deny")
        assert gateway.answer(identifier)["result"]["isError"] is True
        assert gateway.hear("notifications/cancelled")["params"]["requestId"] == asked["id"]
        gateway.send({"jsonrpc": "2.0", "id": asked["id"], "result": APPROVE})  # too late
        assert gateway.call(SEND, MAIL)["isError"] is True
    assert ran(standin) == []


def test_a_cancelled_call_withdraws_its_question(home: Home, standin: Standin) -> None:
    with Gateway(home, standin.url, *NAMED, policy=policy()) as gateway:
        gateway.initialize(ELICITS)
        identifier = gateway.begin("tools/call", {"name": SEND, "arguments": MAIL})
        asked = gateway.hear("elicitation/create")
        gateway.notify("notifications/cancelled", {"requestId": identifier})
        assert gateway.hear("notifications/cancelled")["params"]["requestId"] == asked["id"]
        gateway.send({"jsonrpc": "2.0", "id": asked["id"], "result": APPROVE})
        gateway.request("ping")
    assert ran(standin) == []


def test_a_question_stays_for_whoever_else_waits_for_it(home: Home, standin: Standin) -> None:
    with Gateway(home, standin.url, *NAMED, policy=policy()) as gateway:
        gateway.initialize(ELICITS)
        first, second = (gateway.begin("tools/call", {"name": SEND, "arguments": MAIL}) for _ in range(2))
        asked = gateway.hear("elicitation/create")
        await_waiters(home, 2)
        gateway.notify("notifications/cancelled", {"requestId": first})
        await_waiters(home, 1)
        gateway.send({"jsonrpc": "2.0", "id": asked["id"], "result": APPROVE})
        assert gateway.answer(second)["result"]["isError"] is False
    assert ran(standin) == [MAIL]


def test_one_answer_is_worth_one_call(home: Home, standin: Standin) -> None:
    with Gateway(home, standin.url, *NAMED, policy=policy()) as gateway:
        gateway.initialize(ELICITS)
        for _ in range(2):
            identifier = gateway.begin("tools/call", {"name": SEND, "arguments": MAIL})
            asked = gateway.hear("elicitation/create")
            for _repeated in range(2):
                gateway.send({"jsonrpc": "2.0", "id": asked["id"], "result": APPROVE})
            assert gateway.answer(identifier)["result"]["isError"] is False
    assert ran(standin) == [MAIL, MAIL]


# --- who is asked -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "capabilities"),
    [((), ELICITS), (("--approve-in-client", "another"), ELICITS), (NAMED, {}), (NAMED, {"elicitation": {"url": {}}})],
    ids=["nobody named", "another named", "cannot ask", "only addresses"],
)
def test_a_client_that_would_answer_itself_is_not_asked(
    quick: Home, standin: Standin, names: tuple[str, ...], capabilities: Json
) -> None:
    """A client that approves whatever it is asked, and what it was not asked as well."""
    with Gateway(quick, standin.url, *names, policy=policy()) as gateway:
        gateway.initialize(capabilities)
        first = gateway.call(SEND, MAIL)
        assert first["content"][0]["text"].startswith("[APPROVAL REQUIRED]")
        for identifier in ("gw-00000000-1", "gw-1", 1, first["_meta"]["keyid-gateway/decision"]["decision_id"]):
            gateway.send({"jsonrpc": "2.0", "id": identifier, "result": APPROVE})
        assert gateway.call(SEND, MAIL)["isError"] is True
        found = call(gateway, capabilities=capabilities)
        assert found["resultType"] == "complete"
        assert found["isError"] is True
        assert call(gateway, capabilities=capabilities, inputResponses={KEY: APPROVE})["isError"] is True
        assert [message for message in gateway.others if message.get("method") == "elicitation/create"] == []
    assert ran(standin) == []


def test_what_the_server_may_not_ask_the_gateway_still_does(home: Home, standin: Standin) -> None:
    with Gateway(home, standin.url, *NAMED, "--switch-off", "elicitation", policy=policy()) as gateway:
        gateway.initialize(ELICITS)
        identifier = gateway.begin("tools/call", {"name": SEND, "arguments": MAIL})
        asked = gateway.hear("elicitation/create")
        gateway.send({"jsonrpc": "2.0", "id": asked["id"], "result": APPROVE})
        assert gateway.answer(identifier)["result"]["isError"] is False
        suspended = call(gateway, OTHER)
        assert call(gateway, OTHER, **again(suspended))["isError"] is False
        refused = gateway.call("standin_read_3", {})
        assert "did not declare" in str(refused)
    assert ran(standin)[:2] == [MAIL, OTHER]


def test_a_client_cannot_ask_for_a_pin_so_it_approves_nothing_once_there_is_one(quick: Home, standin: Standin) -> None:
    with Gateway(quick, standin.url, *NAMED, policy=policy()) as gateway:
        gateway.initialize(ELICITS)
        asked = call(gateway)
        changed(quick, lambda tx: tx.passcodes.set(Passcode.of("1234", b"salt")))
        for found in (call(gateway, **again(asked)), gateway.call(SEND, MAIL), call(gateway)):
            assert found["content"][0]["text"].startswith("[APPROVAL REQUIRED]")
        assert [message for message in gateway.others if message.get("method") == "elicitation/create"] == []
    assert ran(standin) == []


# --- the stateless revision -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("answered", "made"), [(APPROVE, True), (DENY, False), (DECLINE, False)])
def test_a_stateless_call_ends_with_the_question_and_comes_back(
    quick: Home, standin: Standin, answered: Json, made: bool
) -> None:
    with Gateway(quick, standin.url, *NAMED, policy=policy()) as gateway:
        asked = call(gateway)
        assert asked["resultType"] == "input_required"
        assert "ann@example.com" in asked["inputRequests"][KEY]["params"]["message"]
        assert ran(standin) == []
        found = call(gateway, **again(asked, answered))
        assert (found["resultType"], found["isError"]) == ("complete", not made)
    assert ran(standin) == ([MAIL] if made else [])
    for ours in ("requestState", "inputResponses", "keyid-gateway"):
        assert ours not in arrived(standin)


def test_no_answer_leaves_a_stateless_call_to_the_terminal(quick: Home, standin: Standin) -> None:
    with Gateway(quick, standin.url, *NAMED, policy=policy()) as gateway:
        asked = call(gateway)
        found = call(gateway, **again(asked, CANCEL))
        assert found["content"][0]["text"].startswith("[APPROVAL REQUIRED]")
        answer(quick, "approve")
        assert call(gateway)["isError"] is False
    assert ran(standin) == [MAIL]


def test_a_state_is_worth_one_call(quick: Home, standin: Standin) -> None:
    with Gateway(quick, standin.url, *NAMED, policy=policy()) as gateway:
        asked = call(gateway)
        assert call(gateway, **again(asked))["isError"] is False
        replayed = call(gateway, **again(asked))
        assert replayed["resultType"] == "input_required"
        assert replayed["requestState"] != asked["requestState"]
    assert ran(standin) == [MAIL]
    assert "requestState" not in arrived(standin)


def test_a_state_is_worth_nothing_for_other_arguments(quick: Home, standin: Standin) -> None:
    with Gateway(quick, standin.url, *NAMED, policy=policy()) as gateway:
        asked = call(gateway)
        moved = call(gateway, OTHER, **again(asked))
        assert moved["resultType"] == "input_required"
        assert "eve@example.com" in moved["inputRequests"][KEY]["params"]["message"]
        assert ran(standin) == []
        assert call(gateway, **again(asked))["isError"] is False, "it is still worth what it was"
    assert ran(standin) == [MAIL]
    assert "requestState" not in arrived(standin)


@pytest.mark.parametrize("change", ["cut", "changed", "made up", "another file's"])
def test_a_forged_state_is_a_new_call(
    quick: Home, standin: Standin, tmp_path_factory: pytest.TempPathFactory, change: str
) -> None:
    with Gateway(quick, standin.url, *NAMED, policy=policy()) as gateway:
        state = call(gateway)["requestState"]
        if change == "another file's":
            other = Home(tmp_path_factory.mktemp("other"), dict(quick.environment))
            with Gateway(other, standin.url, *NAMED, policy=policy()) as stranger:
                forged = call(stranger)["requestState"]
        else:
            flipped = "A" if state[-9] != "A" else "B"
            forged = {"cut": state[:-8], "changed": f"{state[:-9]}{flipped}{state[-8:]}", "made up": state[:16]}[change]
        found = call(gateway, requestState=forged, inputResponses={KEY: APPROVE})
        assert found["resultType"] == "input_required"
    assert ran(standin) == []
    assert "requestState" not in arrived(standin)


def test_an_answer_without_a_state_is_none(quick: Home, standin: Standin) -> None:
    with Gateway(quick, standin.url, *NAMED, policy=policy()) as gateway:
        call(gateway)
        assert call(gateway, inputResponses={KEY: APPROVE})["resultType"] == "input_required"
    assert ran(standin) == []


def test_an_edit_of_the_policy_asks_anew(quick: Home, standin: Standin) -> None:
    file = quick.policy(policy())
    with Gateway(quick, standin.url, *NAMED, policy=file) as gateway:
        asked = call(gateway)
        replace(quick, gateway, policy("Mail goes out, says the new policy."))
        found = call(gateway, **again(asked))
        assert found["resultType"] == "input_required"
        assert "says the new policy" in found["inputRequests"][KEY]["params"]["message"]
        assert call(gateway, **again(found))["isError"] is False
    assert ran(standin) == [MAIL]


def test_a_policy_that_denies_by_now_denies_what_was_approved(quick: Home, standin: Standin) -> None:
    file = quick.policy(policy())
    with Gateway(quick, standin.url, *NAMED, policy=file) as gateway:
        asked = call(gateway)
        replace(quick, gateway, {"version": "1", "default": "allow", "tools": {SEND: {"action": "deny"}}})
        assert decision(call(gateway, **again(asked)))["reason"] == "action"
    assert ran(standin) == []


def test_two_gateways_let_one_call_pass_for_one_answer(quick: Home, standin: Standin) -> None:
    file = quick.policy(policy())
    with (
        Gateway(quick, standin.url, *NAMED, policy=file) as one,
        Gateway(quick, standin.url, *NAMED, policy=file) as other,
    ):
        asked = call(one)
        identifiers = [gateway.begin("tools/call", stateless(**again(asked))) for gateway in (one, other)]
        found = [gateway.answer(which)["result"] for gateway, which in zip((one, other), identifiers, strict=True)]
        assert sorted(result["resultType"] for result in found) == ["complete", "input_required"]
    assert ran(standin) == [MAIL]


def test_a_state_outlives_the_gateway_that_gave_it(quick: Home, standin: Standin) -> None:
    file = quick.policy(policy())
    with Gateway(quick, standin.url, *NAMED, policy=file) as gateway:
        asked = call(gateway)
    with Gateway(quick, standin.url, *NAMED, policy=file) as gateway:
        gateway.call("standin_read_1", {}, _meta=META[STATELESS])  # the state file is open by then
        assert call(gateway, **again(asked))["isError"] is False
    assert ran(standin)[1:] == [MAIL]


def test_an_exchange_with_the_server_goes_on_after_a_question(quick: Home) -> None:
    """The server's state and the answers to its questions come back out of ours, byte for byte."""
    theirs = {"k": {"method": "roots/list"}}
    answers = {"k": {"roots": [], "n": 1}}
    file = quick.policy(ALLOW_ALL)
    with Scripted([SEND]) as upstream, Gateway(quick, upstream.url, *NAMED, policy=file) as gateway:
        upstream.script(
            SEND,
            result({"resultType": "input_required", "inputRequests": theirs, "requestState": "theirs"}),
            result({**said("done"), "resultType": "complete"}),
        )
        assert call(gateway)["requestState"] == "theirs"
        replace(quick, gateway, policy())
        asked = call(gateway, requestState="theirs", inputResponses=answers)
        assert list(asked["inputRequests"]) == [KEY]
        assert call(gateway, **again(asked))["content"] == said("done")["content"]
        one, two = [json.loads(arrived.body)["params"] for arrived in upstream.calls(SEND)]
    assert not {"requestState", "inputResponses"} & one.keys()
    assert (two["requestState"], two["inputResponses"]) == ("theirs", answers)
    assert pending(quick, 0) == []
